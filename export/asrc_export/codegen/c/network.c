/* An integer network step by step, around the printed steps of its layers: event lists, delays, sums, counts.

   Plain C99 without a library: all memory belongs to the caller, who fills in the structures (program.py mirrors them).
   A source is the input or a layer. What it sends in a step is kept as a list of its events, what is not 0, for as many
   steps as any connection reaches back. A connection adds up a row of weights for each event; with a delay for each
   synapse it adds each weight to the sum of the step in which it arrives, so that every neuron has a ring of sums.

   No sum can overflow: the contract proves that every part of every sum fits in 32 bits signed. */

#include <stdint.h>

enum { LAGS = 64, TILE = 64 };

typedef int64_t step_function(int64_t n, const int32_t *restrict a, void *const *states, const void *const *constants,
                              int8_t *restrict sent, int32_t *restrict shown);

struct source {
    int64_t size;
    int64_t mask;   /* lists kept, a power of two, less 1 */
    int64_t binary; /* whether every event is a 1 */
    int32_t *counts; /* (mask + 1) */
    int32_t *places; /* (mask + 1, size) */
    int32_t *values; /* likewise */
};

struct connection {
    int64_t source;
    int64_t recurrent; /* 1 if it comes from its own layer or a later one, else 0 */
    int64_t exponent;
    const int16_t *weights; /* (source's size, neurons) */
    const uint8_t *delays;  /* likewise, or null */
    const int32_t *fan_out; /* with delays, (source's size, LAGS): synapses of each lag */
    int64_t ring_mask;
    int32_t *ring;     /* with delays, (neurons, ring_mask + 1) */
    int32_t *arriving; /* with delays, (LAGS): operations so many steps from now */
    int64_t tap_count;
    const int32_t *spans;       /* without delays */
    const int32_t *tap_weights; /* likewise */
    int32_t *message;           /* with several taps, (source's size): 0 between steps */
    int32_t *touched;           /* likewise, and one more */
};

struct layer {
    int64_t neurons;
    int64_t sends; /* whether it is a source: that of its place, plus 1 */
    int64_t connection_count;
    struct connection *connections;
    step_function *step;
    int64_t state_count;
    const int64_t *state_bytes; /* of each state's array */
    void **states;
    const void *const *constants;
    int32_t *sum, *total, *shown; /* (neurons) */
    int8_t *sent;                 /* (neurons) */
};

struct network {
    int64_t t; /* steps done of this sample */
    int64_t channels;
    int64_t layer_count;
    struct source *sources; /* the input, then the layers but the readout */
    struct layer *layers;
};

struct counts {
    int64_t spikes, feedforward, recurrent, saturations;
};

struct trace {
    int64_t wide; /* whether what it sends is kept as int32_t, not uint8_t */
    void *sent;   /* (steps, samples, neurons), null for the readout */
    int32_t *shown;
};

void asrc_begin(struct network *network);
void asrc_feed(struct network *network, const int32_t *x, struct counts *counts);
void asrc_run(struct network *network, const int32_t *x, int64_t first, int64_t end, int64_t samples, int64_t steps,
              int64_t *logits, struct counts *counts, const struct trace *trace);

/* Before a sample's first step: all states are 0, and nothing has been sent. */
void asrc_begin(struct network *network) {
    network->t = 0;
    for (int64_t l = 0; l < network->layer_count; l++) {
        struct layer *layer = &network->layers[l];
        for (int64_t s = 0; s < layer->state_count; s++) {
            unsigned char *bytes = layer->states[s];
            for (int64_t i = 0; i < layer->state_bytes[s]; i++) bytes[i] = 0;
        }
        for (int64_t c = 0; c < layer->connection_count; c++) {
            struct connection *connection = &layer->connections[c];
            if (!connection->delays) continue;
            for (int64_t i = 0; i < layer->neurons * (connection->ring_mask + 1); i++) connection->ring[i] = 0;
            for (int64_t i = 0; i < LAGS; i++) connection->arriving[i] = 0;
        }
    }
}

/* ------------------------------------------------------------------------------------------------- event lists */

static int32_t list_input(const struct source *source, int64_t slot, const int32_t *restrict x) {
    int32_t *restrict places = source->places + slot * source->size;
    int32_t *restrict values = source->values + slot * source->size;
    int32_t count = 0;
    for (int64_t i = 0; i < source->size; i++) {
        places[count] = (int32_t)i;
        values[count] = x[i];
        count += x[i] != 0;
    }
    return source->counts[slot] = count;
}

static int32_t list_sent(const struct source *source, int64_t slot, const int8_t *restrict sent) {
    int32_t *restrict places = source->places + slot * source->size;
    int32_t *restrict values = source->values + slot * source->size;
    int32_t count = 0;
    for (int64_t i = 0; i < source->size; i++) {
        places[count] = (int32_t)i;
        values[count] = sent[i];
        count += sent[i] != 0;
    }
    return source->counts[slot] = count;
}

/* ------------------------------------------------------------------------------------------------------- rows */

static void add_row(int32_t *restrict sum, const int16_t *restrict row, int64_t n, int32_t value) {
    for (int64_t i = 0; i < n; i++) sum[i] += row[i] * value;
}

static void add_four(int32_t *restrict sum, const int16_t *restrict a, const int16_t *restrict b,
                     const int16_t *restrict c, const int16_t *restrict d, int64_t n) {
    for (int64_t i = 0; i < n; i++) sum[i] += (a[i] + b[i]) + (c[i] + d[i]);
}

static void add_rows(int32_t *sum, const int16_t *weights, int64_t n, const int32_t *places, const int32_t *values,
                     int32_t count, int64_t binary) {
    int32_t e = 0;
    for (; binary && e + 4 <= count; e += 4)
        add_four(sum, weights + places[e] * n, weights + places[e + 1] * n, weights + places[e + 2] * n,
                 weights + places[e + 3] * n, n);
    for (; e < count; e++) add_row(sum, weights + places[e] * n, n, values[e]);
}

/* The sum of the events so many steps ago; returns how many there were. */
static int32_t sum_span(const struct connection *connection, const struct source *source, int64_t t, int32_t *sum,
                        int64_t n) {
    const int64_t then = t - connection->spans[0], slot = then & source->mask;
    if (then < 0) return 0;
    const int32_t count = source->counts[slot];
    add_rows(sum, connection->weights, n, source->places + slot * source->size, source->values + slot * source->size,
             count, source->binary);
    return count;
}

/* The same where several steps are heard with weights, which are positive: what comes from one neuron is one event. */
static int32_t sum_taps(const struct connection *connection, const struct source *source, int64_t t, int32_t *sum,
                        int64_t n) {
    int32_t *message = connection->message, *touched = connection->touched, count = 0;
    for (int64_t tap = 0; tap < connection->tap_count; tap++) {
        const int64_t then = t - connection->spans[tap], slot = then & source->mask;
        if (then < 0) continue;
        for (int32_t e = 0; e < source->counts[slot]; e++) {
            const int32_t place = source->places[slot * source->size + e];
            touched[count] = place;
            count += message[place] == 0;
            message[place] += connection->tap_weights[tap] * source->values[slot * source->size + e];
        }
    }
    for (int32_t e = 0; e < count; e++) {
        add_row(sum, connection->weights + touched[e] * n, n, message[touched[e]]);
        message[touched[e]] = 0;
    }
    return count;
}

/* ----------------------------------------------------------------------------------------------------- delays */

static void scatter(int32_t *ring, int64_t mask, const int16_t *restrict weights, const uint8_t *restrict delays,
                    int64_t n, uint32_t t, int32_t value) {
    for (int64_t i = 0; i < n; i++) ring[i * (mask + 1) + ((t + delays[i]) & mask)] += weights[i] * value;
}

/* Add each weight of this step's events to the sum of the step in which it arrives. In tiles, whose rings stay in the
   first cache. */
static void send(const struct connection *connection, const struct source *source, int64_t t, int64_t n) {
    const int64_t slot = t & source->mask, mask = connection->ring_mask;
    const int32_t count = source->counts[slot];
    const int32_t *places = source->places + slot * source->size, *values = source->values + slot * source->size;
    for (int64_t from = 0; from < n; from += TILE) {
        const int64_t width = n - from < TILE ? n - from : TILE;
        for (int32_t e = 0; e < count; e++) {
            const int64_t at = places[e] * n + from;
            scatter(connection->ring + from * (mask + 1), mask, connection->weights + at, connection->delays + at,
                    width, (uint32_t)(t & mask), values[e]);
        }
    }
    /* Whoever hears a later layer, or itself, has done this step already: the next one is the first it can count. */
    const int64_t done = connection->recurrent;
    for (int32_t e = 0; e < count; e++)
        for (int64_t lag = done; lag < LAGS; lag++)
            connection->arriving[lag - done] += connection->fan_out[(int64_t)places[e] * LAGS + lag];
}

/* The sum of what arrives now; returns the synaptic operations. */
static int32_t receive(const struct connection *connection, int64_t t, int32_t *restrict sum, int64_t n) {
    const int64_t mask = connection->ring_mask;
    int32_t *restrict ring = connection->ring + (t & mask), *arriving = connection->arriving;
    for (int64_t i = 0; i < n; i++) {
        sum[i] = ring[i * (mask + 1)];
        ring[i * (mask + 1)] = 0;
    }
    const int32_t now = arriving[0];
    for (int64_t lag = 0; lag < LAGS - 1; lag++) arriving[lag] = arriving[lag + 1];
    arriving[LAGS - 1] = 0;
    return now;
}

/* All connections with delays from a source, once it has sent. */
static void send_all(struct network *network, int64_t source) {
    for (int64_t l = 0; l < network->layer_count; l++)
        for (int64_t c = 0; c < network->layers[l].connection_count; c++) {
            const struct connection *connection = &network->layers[l].connections[c];
            if (connection->source == source && connection->delays)
                send(connection, &network->sources[source], network->t, network->layers[l].neurons);
        }
}

/* ------------------------------------------------------------------------------------------------------ layers */

static void add_shifted(int32_t *restrict total, const int32_t *restrict sum, int64_t n, int64_t exponent) {
    if (exponent >= 0)
        for (int64_t i = 0; i < n; i++) total[i] += (int32_t)((uint32_t)sum[i] << exponent);
    else
        for (int64_t i = 0; i < n; i++) total[i] += sum[i] >> -exponent;
}

static void sum_connections(struct network *network, struct layer *layer, struct counts *counts) {
    const int64_t n = layer->neurons;
    for (int64_t i = 0; i < n; i++) layer->total[i] = 0;
    for (int64_t c = 0; c < layer->connection_count; c++) {
        const struct connection *connection = &layer->connections[c];
        const struct source *source = &network->sources[connection->source];
        int64_t operations;
        if (connection->delays) {
            operations = receive(connection, network->t, layer->sum, n);
        } else {
            for (int64_t i = 0; i < n; i++) layer->sum[i] = 0;
            operations = n * (connection->tap_count == 1 ? sum_span(connection, source, network->t, layer->sum, n)
                                                         : sum_taps(connection, source, network->t, layer->sum, n));
        }
        add_shifted(layer->total, layer->sum, n, connection->exponent);
        *(connection->recurrent ? &counts->recurrent : &counts->feedforward) += operations;
    }
}

/* One step of all layers on a frame (channels); adds to the counts of each layer. */
void asrc_feed(struct network *network, const int32_t *x, struct counts *counts) {
    list_input(network->sources, network->t & network->sources->mask, x);
    send_all(network, 0);
    for (int64_t l = 0; l < network->layer_count; l++) {
        struct layer *layer = &network->layers[l];
        sum_connections(network, layer, &counts[l]);
        counts[l].saturations +=
            layer->step(layer->neurons, layer->total, layer->states, layer->constants, layer->sent, layer->shown);
        if (!layer->sends) continue;
        const struct source *source = &network->sources[l + 1];
        counts[l].spikes += list_sent(source, network->t & source->mask, layer->sent);
        send_all(network, l + 1);
    }
    network->t++;
}

static void keep(const struct network *network, const struct trace *trace, int64_t cell) {
    for (int64_t l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        const int64_t n = layer->neurons, at = cell * n;
        for (int64_t i = 0; i < n; i++) trace[l].shown[at + i] = layer->shown[i];
        for (int64_t i = 0; trace[l].sent && i < n; i++) {
            if (trace[l].wide)
                ((int32_t *)trace[l].sent)[at + i] = layer->sent[i];
            else
                ((uint8_t *)trace[l].sent)[at + i] = (uint8_t)layer->sent[i];
        }
    }
}

/* Samples first to end of (samples, steps, channels): their rows of (samples, classes) logits, the counts of each
   layer, and the trace unless it is null. */
void asrc_run(struct network *network, const int32_t *x, int64_t first, int64_t end, int64_t samples, int64_t steps,
              int64_t *logits, struct counts *counts, const struct trace *trace) {
    const struct layer *readout = &network->layers[network->layer_count - 1];
    for (int64_t b = first; b < end; b++) {
        asrc_begin(network);
        for (int64_t t = 0; t < steps; t++) {
            asrc_feed(network, x + (b * steps + t) * network->channels, counts);
            if (trace) keep(network, trace, t * samples + b);
        }
        for (int64_t k = 0; k < readout->neurons; k++) logits[b * readout->neurons + k] = readout->shown[k];
    }
}
