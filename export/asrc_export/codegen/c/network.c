/* An integer network step by step, around the printed steps of its layers: event lists, delays, sums, counts.

   Plain C99 without a library: all memory belongs to the caller, who fills in the structures (binding.py mirrors them).
   A source is the input or a layer. What it sends in a step is kept as a list of its events, what is not 0, for as many
   steps as any connection reaches back. A connection adds up a row of weights for each event; where most of a row is
   absent, only the blocks of it that hold any. With a delay for each
   synapse it adds each weight to the sum of the step in which it arrives, so every neuron has a ring of sums; there,
   up to LANES samples go side by side, and one weight is added to the sums of all of them at once.

   Weights of the contract are even and kept halved, in 8 bits; exponents are greater by 1 for it.
   No sum can overflow: the contract proves that every part of every sum fits in 32 bits signed. */

#include <stdint.h>
#include <string.h>

enum { LAGS = 64, LANES = 8, TILE = 8, PIECE = 512 };

/* Neurons from one to another; ``a`` and ``shown`` begin with the first of them, all else with the layer's. */
typedef int64_t step_function(int64_t from, int64_t end, const int32_t *restrict a, void *const *states,
                              const void *const *constants, int8_t *restrict sent, int32_t *restrict shown);

struct source {
    int64_t size;
    int64_t mask;    /* lists kept, a power of two, less 1 */
    int64_t binary;  /* whether every event is a 1 */
    int32_t *counts; /* (lanes, mask + 1) */
    int32_t *places; /* (lanes, mask + 1, size) */
    int32_t *values; /* likewise */
    /* If a connection with delays hears it: the events of this step, of all lanes together. */
    int32_t *together; /* (size, lanes): 0 between steps, or null */
    int32_t *heard;    /* (size): in how many lanes it is an event; 0 between steps */
    int32_t *touched;  /* (size): places of any event */
};

/* The synapses from one neuron onto a tile of them, which have delays. */
struct tile {
    int8_t weights[TILE];
    uint8_t delays[TILE];
};

/* Blocks of TILE neurons beside each other: the first neuron, a multiple of TILE, and which of the weights is the first
   block's. Those of a convolution have few different ones, which stay in the first cache. */
struct run {
    int32_t neuron;
    int32_t weights;
    int32_t blocks;
};

struct connection {
    int64_t source;
    int64_t recurrent; /* 1 if it comes from its own layer or a later one, else 0 */
    int64_t exponent;
    const int8_t *weights;    /* (source's size, neurons), or null */
    /* Where most weights are absent, in place of all of them: each source's blocks of TILE neurons that hold any, in
       runs. */
    const int32_t *starts;       /* (source's size, and one more), or null */
    const struct run *runs;
    const int32_t *block_weights; /* (different ones, TILE) */
    const struct tile *tiles; /* with a delay for each synapse, in their place: (tiles, source's size) */
    const int32_t *fan_out;   /* with delays, (source's size, LAGS): synapses of each lag */
    int64_t ring_mask;
    int32_t *ring;     /* with delays, (tiles, ring_mask + 1, TILE, lanes); one for all of an exponent */
    int32_t *arriving; /* with delays, (LAGS): operations so many steps from now, of all lanes */
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
    void **states;              /* (lanes, state_count) */
    const void *const *constants;
    int32_t *sum;   /* (neurons, rounded up to a multiple of TILE): 0 between steps */
    int32_t *total; /* (lanes, neurons) */
    int32_t *shown; /* likewise */
    int8_t *sent;   /* likewise */
    const int32_t *order; /* of each neuron here, its place in the network's own order; null where they are the same */
};

struct network {
    int64_t t;      /* steps done of these samples */
    int64_t traced; /* whether all that layers show is kept; else only what the readout does */
    int64_t lanes; /* 1 or LANES */
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
void asrc_feed(struct network *network, const int32_t *x, int64_t stride, int64_t active, struct counts *counts);
void asrc_run(struct network *network, const int32_t *x, int64_t first, int64_t end, int64_t samples, int64_t steps,
              int64_t *logits, struct counts *counts, const struct trace *trace);

static int64_t ring_size(const struct network *network, const struct connection *connection, int64_t neurons) {
    return (neurons + TILE - 1) / TILE * TILE * (connection->ring_mask + 1) * network->lanes;
}

/* Before a sample's first step: all states are 0, and nothing has been sent. */
void asrc_begin(struct network *network) {
    network->t = 0;
    for (int64_t l = 0; l < network->layer_count; l++) {
        struct layer *layer = &network->layers[l];
        for (int64_t s = 0; s < network->lanes * layer->state_count; s++) {
            unsigned char *bytes = layer->states[s];
            for (int64_t i = 0; i < layer->state_bytes[s % layer->state_count]; i++) bytes[i] = 0;
        }
        for (int64_t c = 0; c < layer->connection_count; c++) {
            struct connection *connection = &layer->connections[c];
            if (!connection->tiles) continue;
            for (int64_t i = 0; i < ring_size(network, connection, layer->neurons); i++) connection->ring[i] = 0;
            for (int64_t i = 0; i < LAGS; i++) connection->arriving[i] = 0;
        }
    }
}

/* ------------------------------------------------------------------------------------------------- event lists */

/* The list of a source in a lane, of the step of that slot. */
static int64_t list_of(const struct source *source, int64_t lane, int64_t slot) {
    return lane * (source->mask + 1) + slot;
}

#ifdef __GNUC__
/* LANES numbers wherever they lie: told so, compilers use vectors; they do not find all of it out. */
typedef int32_t vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint64_t words __attribute__((vector_size(32), aligned(1), may_alias));
#endif

/* Whether 64 bytes are 0. */
static int is_silent(const void *bytes) {
#ifdef __GNUC__
    const words both = *(const words *)bytes | *((const words *)bytes + 1);
    return !(both[0] | both[1] | both[2] | both[3]);
#else
    for (int i = 0; i < 64; i++)
        if (((const char *)bytes)[i]) return 0;
    return 1;
#endif
}

static void list_input(const struct source *source, int64_t list, const int32_t *restrict x) {
    int32_t *restrict places = source->places + list * source->size;
    int32_t *restrict values = source->values + list * source->size;
    int32_t count = 0;
    int64_t i = 0;
    for (; i + 16 <= source->size; i += 16) {
        if (is_silent(x + i)) continue;
        for (int64_t j = i; j < i + 16; j++) {
            places[count] = (int32_t)j;
            values[count] = x[j];
            count += x[j] != 0;
        }
    }
    for (; i < source->size; i++) {
        places[count] = (int32_t)i;
        values[count] = x[i];
        count += x[i] != 0;
    }
    source->counts[list] = count;
}

static void list_sent(const struct source *source, int64_t list, const int8_t *restrict sent) {
    int32_t *restrict places = source->places + list * source->size;
    int32_t *restrict values = source->values + list * source->size;
    int32_t count = 0;
    int64_t i = 0;
    for (; i + 8 <= source->size; i += 8) {
        while (i + 64 <= source->size && is_silent(sent + i)) i += 64;
        if (i + 8 > source->size) break;
        uint64_t any;
        memcpy(&any, sent + i, sizeof any);
        if (!any) continue;
        for (int64_t j = i; j < i + 8; j++) {
            places[count] = (int32_t)j;
            values[count] = sent[j];
            count += sent[j] != 0;
        }
    }
    for (; i < source->size; i++) {
        places[count] = (int32_t)i;
        values[count] = sent[i];
        count += sent[i] != 0;
    }
    source->counts[list] = count;
}

/* ------------------------------------------------------------------------------------------------------- rows */

/* Add the blocks of one source's row that hold any weight, a multiple of each. */
static inline void add_blocks(int32_t *restrict sum, const struct connection *connection, int64_t place,
                              int32_t value) {
    const struct run *end = connection->runs + connection->starts[place + 1];
    for (const struct run *run = connection->runs + connection->starts[place]; run < end; run++) {
        const int32_t *row = connection->block_weights + (int64_t)run->weights * TILE;
        int32_t *to = sum + run->neuron;
        for (int32_t b = 0; b < run->blocks; b++, to += TILE, row += TILE) {
#ifdef __GNUC__
            *(vector *)to += *(const vector *)row * value;
#else
            for (int64_t i = 0; i < TILE; i++) to[i] += row[i] * value;
#endif
        }
    }
}

static void add_row(int32_t *restrict sum, const int8_t *restrict row, int64_t n, int32_t value) {
    for (int64_t i = 0; i < n; i++) sum[i] += row[i] * value;
}

static void add_four(int32_t *restrict sum, const int8_t *restrict a, const int8_t *restrict b,
                     const int8_t *restrict c, const int8_t *restrict d, int64_t n) {
    for (int64_t i = 0; i < n; i++) sum[i] += (a[i] + b[i]) + (c[i] + d[i]);
}

static void add_rows(int32_t *sum, const int8_t *weights, int64_t n, const int32_t *places, const int32_t *values,
                     int32_t count, int64_t binary) {
    int32_t e = 0;
    for (; binary && e + 4 <= count; e += 4)
        add_four(sum, weights + places[e] * n, weights + places[e + 1] * n, weights + places[e + 2] * n,
                 weights + places[e + 3] * n, n);
    for (; e < count; e++) add_row(sum, weights + places[e] * n, n, values[e]);
}

/* Ask for a source's blocks before they are needed: the next one's lie far from this one's. */
static void fetch_blocks(const struct connection *connection, int64_t place) {
#ifdef __GNUC__
    const char *from = (const char *)(connection->runs + connection->starts[place]);
    const char *to = (const char *)(connection->runs + connection->starts[place + 1]);
    for (const char *line = from; line < to; line += 64) __builtin_prefetch(line);
#else
    (void)connection, (void)place;
#endif
}

/* The sum of the events so many steps ago; returns how many there were. */
static int32_t sum_span(const struct connection *connection, const struct source *source, int64_t lane, int64_t t,
                        int32_t *sum, int64_t n) {
    const int64_t then = t - connection->spans[0], list = list_of(source, lane, then & source->mask);
    if (then < 0) return 0;
    const int32_t count = source->counts[list];
    if (connection->starts) {
        const int32_t *places = source->places + list * source->size, *values = source->values + list * source->size;
        for (int32_t e = 0; e < count; e++) {
            if (e + 1 < count) fetch_blocks(connection, places[e + 1]);
            if (values[e] == 1)
                add_blocks(sum, connection, places[e], 1); /* without a product, which takes longest */
            else
                add_blocks(sum, connection, places[e], values[e]);
        }
        return count;
    }
    add_rows(sum, connection->weights, n, source->places + list * source->size, source->values + list * source->size,
             count, source->binary);
    return count;
}

/* The same where several steps are heard with weights, which are positive: what comes from one neuron is one event. */
static int32_t sum_taps(const struct connection *connection, const struct source *source, int64_t lane, int64_t t,
                        int32_t *sum, int64_t n) {
    int32_t *message = connection->message, *touched = connection->touched, count = 0;
    for (int64_t tap = 0; tap < connection->tap_count; tap++) {
        const int64_t then = t - connection->spans[tap], list = list_of(source, lane, then & source->mask);
        if (then < 0) continue;
        for (int32_t e = 0; e < source->counts[list]; e++) {
            const int32_t place = source->places[list * source->size + e];
            touched[count] = place;
            count += message[place] == 0;
            message[place] += connection->tap_weights[tap] * source->values[list * source->size + e];
        }
    }
    for (int32_t e = 0; e < count; e++) {
        if (connection->starts)
            add_blocks(sum, connection, touched[e], message[touched[e]]);
        else
            add_row(sum, connection->weights + (int64_t)touched[e] * n, n, message[touched[e]]);
        message[touched[e]] = 0;
    }
    return count;
}

static int32_t sum_events(const struct connection *connection, const struct source *source, int64_t lane, int64_t t,
                          int32_t *sum, int64_t n) {
    return connection->tap_count == 1 ? sum_span(connection, source, lane, t, sum, n)
                                      : sum_taps(connection, source, lane, t, sum, n);
}

/* ----------------------------------------------------------------------------------------------------- delays */

/* The events of this step, of all lanes together; returns how many sources have any. In ascending order, so that their
   synapses are read one after the other. */
static int32_t gather(const struct network *network, const struct source *source, int64_t active) {
    for (int64_t lane = 0; lane < active; lane++) {
        const int64_t list = list_of(source, lane, network->t & source->mask);
        for (int32_t e = 0; e < source->counts[list]; e++) {
            const int64_t place = source->places[list * source->size + e];
            source->heard[place]++;
            source->together[place * network->lanes + lane] = source->values[list * source->size + e];
        }
    }
    int32_t count = 0;
    for (int64_t place = 0; place < source->size; place++) {
        source->touched[count] = (int32_t)place;
        count += source->heard[place] != 0;
    }
    return count;
}

static void ungather(const struct network *network, const struct source *source, int32_t count) {
    for (int32_t e = 0; e < count; e++) {
        const int64_t place = source->touched[e];
        source->heard[place] = 0;
        for (int64_t lane = 0; lane < network->lanes; lane++) source->together[place * network->lanes + lane] = 0;
    }
}

/* One source's synapses onto a tile of neurons, in LANES samples at once. */
static inline void scatter_lanes(int32_t *ring, int64_t mask, const struct tile *tile, int64_t now,
                                 const int32_t *values) {
#ifdef __GNUC__
    const vector together = *(const vector *)values;
#pragma GCC unroll 8
    for (int64_t i = 0; i < TILE; i++)
        *(vector *)(ring + (((now + tile->delays[i]) & mask) * TILE + i) * LANES) += tile->weights[i] * together;
#else
    for (int64_t i = 0; i < TILE; i++) {
        int32_t *to = ring + (((now + tile->delays[i]) & mask) * TILE + i) * LANES;
        for (int64_t lane = 0; lane < LANES; lane++) to[lane] += tile->weights[i] * values[lane];
    }
#endif
}

static inline void scatter_one(int32_t *ring, int64_t mask, const struct tile *tile, int64_t now, int32_t value) {
    for (int64_t i = 0; i < TILE; i++)
        ring[((now + tile->delays[i]) & mask) * TILE + i] += tile->weights[i] * value;
}

/* Add each weight of the gathered events to the sum of the step in which it arrives: tile by tile, whose rings stay in
   the first cache. */
static void send(const struct network *network, const struct connection *connection, const struct source *source,
                 int32_t count, int64_t neurons) {
    const int64_t mask = connection->ring_mask, now = network->t & mask;
    const int64_t tile_size = TILE * (mask + 1) * network->lanes;
    for (int64_t tile = 0; tile * TILE < neurons; tile++) {
        int32_t *ring = connection->ring + tile * tile_size;
        for (int32_t e = 0; e < count; e++) {
            const int64_t place = source->touched[e];
            const struct tile *synapses = &connection->tiles[tile * source->size + place];
            const int32_t *values = source->together + place * network->lanes;
            if (network->lanes == LANES)
                scatter_lanes(ring, mask, synapses, now, values);
            else
                scatter_one(ring, mask, synapses, now, *values);
        }
    }
    /* Whoever hears a later layer, or itself, has done this step already: the next one is the first it can count. */
    const int64_t done = connection->recurrent;
    for (int32_t e = 0; e < count; e++) {
        const int64_t place = source->touched[e];
        for (int64_t lag = done; lag < LAGS; lag++)
            connection->arriving[lag - done] += source->heard[place] * connection->fan_out[place * LAGS + lag];
    }
}

/* All connections with delays from a source, once it has sent. */
static void send_all(const struct network *network, int64_t place, int64_t active) {
    const struct source *source = &network->sources[place];
    if (!source->together) return;
    const int32_t count = gather(network, source, active);
    for (int64_t l = 0; l < network->layer_count; l++)
        for (int64_t c = 0; c < network->layers[l].connection_count; c++) {
            const struct connection *connection = &network->layers[l].connections[c];
            if (connection->source == place && connection->tiles)
                send(network, connection, source, count, network->layers[l].neurons);
        }
    ungather(network, source, count);
}

/* ------------------------------------------------------------------------------------------------------ layers */

/* Add sums to the totals, and leave zeros. */
static void take_shifted(int32_t *restrict total, int32_t *restrict sum, int64_t n, int64_t exponent) {
    if (exponent >= 0)
        for (int64_t i = 0; i < n; i++) total[i] += (int32_t)((uint32_t)sum[i] << exponent);
    else
        for (int64_t i = 0; i < n; i++) total[i] += sum[i] >> -exponent;
    for (int64_t i = 0; i < n; i++) sum[i] = 0;
}

/* Add what arrives now in each lane; returns the synaptic operations. */
static int64_t receive(const struct network *network, const struct connection *connection, const struct layer *layer,
                       int64_t active) {
    const int64_t lanes = network->lanes, slots = connection->ring_mask + 1, n = layer->neurons;
    for (int64_t tile = 0; tile * TILE < n; tile++) {
        int32_t *restrict now = connection->ring + (tile * slots + (network->t & connection->ring_mask)) * TILE * lanes;
        const int64_t width = n - tile * TILE < TILE ? n - tile * TILE : TILE;
        for (int64_t lane = 0; lane < active; lane++)
            for (int64_t i = 0; i < width; i++)
                layer->total[lane * n + tile * TILE + i] +=
                    (int32_t)((uint32_t)now[i * lanes + lane] << connection->exponent);
        for (int64_t i = 0; i < TILE * lanes; i++) now[i] = 0;
    }
    int32_t *arriving = connection->arriving;
    const int32_t operations = arriving[0];
    for (int64_t lag = 0; lag < LAGS - 1; lag++) arriving[lag] = arriving[lag + 1];
    arriving[LAGS - 1] = 0;
    return operations;
}

/* Add the sums of what was sent a span ago, or of several taps, in each lane; returns the synaptic operations. */
static int64_t recall(const struct network *network, const struct connection *connection, const struct layer *layer,
                      int64_t active) {
    const struct source *source = &network->sources[connection->source];
    const int64_t n = layer->neurons;
    int64_t events = 0;
    for (int64_t lane = 0; lane < active; lane++) {
        events += sum_events(connection, source, lane, network->t, layer->sum, n);
        take_shifted(layer->total + lane * n, layer->sum, n, connection->exponent);
    }
    return events * n;
}

static int64_t step_of(const struct layer *layer, int64_t lane, int64_t from, int64_t end, const int32_t *a,
                       int32_t *shown) {
    return layer->step(from, end, a, layer->states + lane * layer->state_count, layer->constants,
                       layer->sent + lane * layer->neurons, shown);
}

/* Sum up all connections of a layer in each lane, and step. */
static void advance(const struct network *network, const struct layer *layer, int64_t active, struct counts *counts) {
    const int64_t n = layer->neurons;
    for (int64_t i = 0; i < active * n; i++) layer->total[i] = 0;
    for (int64_t c = 0; c < layer->connection_count; c++) {
        const struct connection *connection = &layer->connections[c];
        const int64_t operations = connection->tiles ? receive(network, connection, layer, active)
                                                      : recall(network, connection, layer, active);
        *(connection->recurrent ? &counts->recurrent : &counts->feedforward) += operations;
    }
    for (int64_t lane = 0; lane < active; lane++)
        counts->saturations += step_of(layer, lane, 0, n, layer->total + lane * n, layer->shown + lane * n);
}

/* The same of a layer with one connection, piece by piece: what a neuron needs is in the first cache when it steps. */
static void advance_alone(const struct network *network, const struct layer *layer, int64_t active,
                          struct counts *counts) {
    const struct connection *connection = layer->connections;
    const struct source *source = &network->sources[connection->source];
    const int64_t n = layer->neurons;
    int64_t events = 0;
    for (int64_t lane = 0; lane < active; lane++) {
        events += sum_events(connection, source, lane, network->t, layer->sum, n);
        for (int64_t from = 0; from < n; from += PIECE) {
            const int64_t end = n - from < PIECE ? n : from + PIECE;
            for (int64_t i = 0; i < end - from; i++) layer->total[i] = 0;
            take_shifted(layer->total, layer->sum + from, end - from, connection->exponent);
            int32_t *shown = layer->shown + (network->traced || !layer->sends ? lane * n + from : 0);
            counts->saturations += step_of(layer, lane, from, end, layer->total, shown);
        }
    }
    *(connection->recurrent ? &counts->recurrent : &counts->feedforward) += events * n;
}

/* One step of all layers on a frame (channels) for each active lane, ``stride`` numbers apart; adds to the counts of
   each layer. */
void asrc_feed(struct network *network, const int32_t *x, int64_t stride, int64_t active, struct counts *counts) {
    for (int64_t lane = 0; lane < active; lane++) {
        const struct source *input = network->sources;
        list_input(input, list_of(input, lane, network->t & input->mask), x + lane * stride);
    }
    send_all(network, 0, active);
    for (int64_t l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        if (layer->connection_count == 1 && !layer->connections->tiles)
            advance_alone(network, layer, active, &counts[l]);
        else
            advance(network, layer, active, &counts[l]);
        for (int64_t lane = 0; layer->sends && lane < active; lane++) {
            const struct source *source = &network->sources[l + 1];
            const int64_t list = list_of(source, lane, network->t & source->mask);
            list_sent(source, list, layer->sent + lane * layer->neurons);
            counts[l].spikes += source->counts[list];
        }
        if (layer->sends) send_all(network, l + 1, active);
    }
    network->t++;
}

static void keep(const struct network *network, const struct trace *trace, int64_t lane, int64_t cell) {
    for (int64_t l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        const int64_t n = layer->neurons, at = cell * n;
        const int8_t *sent = layer->sent + lane * n;
        for (int64_t i = 0; i < n; i++) {
            const int64_t to = at + (layer->order ? layer->order[i] : i);
            trace[l].shown[to] = layer->shown[lane * n + i];
            if (!trace[l].sent) continue;
            if (trace[l].wide)
                ((int32_t *)trace[l].sent)[to] = sent[i];
            else
                ((uint8_t *)trace[l].sent)[to] = (uint8_t)sent[i];
        }
    }
}

/* Samples first to end of (samples, steps, channels): their rows of (samples, classes) logits, the counts of each
   layer, and the trace unless it is null. */
void asrc_run(struct network *network, const int32_t *x, int64_t first, int64_t end, int64_t samples, int64_t steps,
              int64_t *logits, struct counts *counts, const struct trace *trace) {
    const struct layer *readout = &network->layers[network->layer_count - 1];
    const int64_t stride = steps * network->channels, classes = readout->neurons;
    network->traced = trace != 0;
    for (int64_t b = first; b < end; b += network->lanes) {
        const int64_t active = end - b < network->lanes ? end - b : network->lanes;
        asrc_begin(network);
        for (int64_t t = 0; t < steps; t++) {
            asrc_feed(network, x + b * stride + t * network->channels, stride, active, counts);
            for (int64_t lane = 0; trace && lane < active; lane++) keep(network, trace, lane, t * samples + b + lane);
        }
        for (int64_t i = 0; i < active * classes; i++) logits[b * classes + i] = readout->shown[i];
    }
}
