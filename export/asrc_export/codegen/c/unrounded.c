/* A network on real numbers, sample by sample, around the printed steps of its layers (unrounded_step.py).

   C99 with the vectors that GCC and Clang add, and without a library: all memory belongs to the caller, who fills in the structures (unrounded.py mirrors them).
   Layers send 0 or 1, so sums of weights are whole numbers; the contract proves that every part of every one fits in 32
   bits. Scaled by a power of two in double precision they are exact, too, in whatever order they are added. `weight` is
   defined before this text: int16_t where every sum of a row of weights fits in it, else int32_t. */

#include <stdint.h>

#pragma STDC FP_CONTRACT OFF

typedef void step_function(int64_t n, const double *restrict a, double *const *states, const double *const *constants,
                           uint8_t *restrict sent, double *restrict shown);

struct connection {
    int64_t source; /* -1 is the input, 0 the first layer */
    int64_t inputs;
    double scale;
    const weight *weights; /* (inputs, neurons) */
    int64_t tap_count;
    const int32_t *spans;
    const int32_t *tap_weights;
};

struct layer {
    int64_t neurons;
    int64_t sends;
    int64_t connection_count;
    const struct connection *connections;
    step_function *step;
    int64_t state_count;
    double *const *states; /* (state_count), each (neurons) */
    const double *const *constants;
    double *total;  /* (neurons) */
    double *shown;  /* likewise */
    uint8_t *nothing; /* likewise: where a readout's step could write what it sends */
    uint8_t *sent;  /* (samples, steps, neurons), or null for the readout */
};

struct network {
    int64_t channels;
    int64_t layer_count;
    const struct layer *layers;
    int32_t *places; /* (widest source) */
};

void asrc_unrounded(const struct network *network, const int32_t *x, int64_t first, int64_t end, int64_t steps,
                    double *logits);

/* The places that are not 0 among n numbers, or spikes; returns how many. */
static int64_t list_numbers(int32_t *restrict places, const int32_t *restrict x, int64_t n) {
    int64_t count = 0;
    for (int64_t j = 0; j < n; j++) {
        places[count] = (int32_t)j;
        count += x[j] != 0;
    }
    return count;
}

static int64_t list_spikes(int32_t *restrict places, const uint8_t *restrict s, int64_t n) {
    int64_t count = 0, from = 0;
    for (; from + 8 <= n; from += 8) {
        uint64_t all;
        __builtin_memcpy(&all, s + from, 8);
        if (!all) continue;
        for (int64_t j = from; j < from + 8; j++) {
            places[count] = (int32_t)j;
            count += s[j];
        }
    }
    for (; from < n; from++) {
        places[count] = (int32_t)from;
        count += s[from];
    }
    return count;
}

/* Written as vectors, since GCC leaves some copies of such a loop in 16 bits to single numbers. */
typedef weight lanes __attribute__((vector_size(32)));

static lanes plus(lanes sum, const weight *row) {
    lanes added;
    __builtin_memcpy(&added, row, sizeof added);
    return sum + added;
}

/* total += scale times the rows of weights at the places. A tile of sums stays in registers while all rows are added. */
static void add_spikes(double *restrict total, const struct connection *connection, const int32_t *restrict places,
                       int64_t count, int32_t times, int64_t n) {
    enum { LANES = sizeof(lanes) / sizeof(weight), TILE = 4 * LANES };
    const double scale = times * connection->scale;
    int64_t from = 0;
    for (; from + TILE <= n; from += TILE) {
        lanes sums[4] = {0};
        for (int64_t c = 0; c < count; c++) {
            const weight *row = connection->weights + places[c] * n + from;
            sums[0] = plus(sums[0], row);
            sums[1] = plus(sums[1], row + LANES);
            sums[2] = plus(sums[2], row + 2 * LANES);
            sums[3] = plus(sums[3], row + 3 * LANES);
        }
        weight kept[TILE];
        __builtin_memcpy(kept, sums, sizeof kept);
        for (int64_t i = 0; i < TILE; i++) total[from + i] += kept[i] * scale;
    }
    for (int64_t c = 0; c < count; c++) {
        const weight *restrict row = connection->weights + places[c] * n;
        for (int64_t i = from; i < n; i++) total[i] += row[i] * scale;
    }
}

/* The same with each row times its number. */
static void add_numbers(double *restrict total, const struct connection *connection, const int32_t *restrict places,
                        int64_t count, const int32_t *restrict x, int32_t times, int64_t n) {
    for (int64_t c = 0; c < count; c++) {
        const weight *restrict row = connection->weights + places[c] * n;
        const double scale = x[places[c]] * (times * connection->scale);
        for (int64_t i = 0; i < n; i++) total[i] += row[i] * scale;
    }
}

/* Samples first to end of (samples, steps, channels): what they make each layer send, and (samples, classes) logits. */
void asrc_unrounded(const struct network *network, const int32_t *x, int64_t first, int64_t end, int64_t steps,
                    double *logits) {
    const struct layer *readout = &network->layers[network->layer_count - 1];
    for (int64_t b = first; b < end; b++) {
        for (int64_t l = 0; l < network->layer_count; l++)
            for (int64_t s = 0; s < network->layers[l].state_count; s++)
                for (int64_t i = 0; i < network->layers[l].neurons; i++) network->layers[l].states[s][i] = 0;
        for (int64_t t = 0; t < steps; t++)
            for (int64_t l = 0; l < network->layer_count; l++) {
                const struct layer *layer = &network->layers[l];
                const int64_t n = layer->neurons;
                for (int64_t i = 0; i < n; i++) layer->total[i] = 0;
                for (int64_t c = 0; c < layer->connection_count; c++) {
                    const struct connection *connection = &layer->connections[c];
                    for (int64_t k = 0; k < connection->tap_count; k++) {
                        const int64_t at = t - connection->spans[k];
                        if (at < 0) continue;
                        const int64_t cell = (b * steps + at) * connection->inputs;
                        const int32_t times = connection->tap_weights[k];
                        const int32_t *numbers = connection->source < 0 ? x + cell : 0;
                        const int64_t count =
                            numbers ? list_numbers(network->places, numbers, connection->inputs)
                                    : list_spikes(network->places, network->layers[connection->source].sent + cell,
                                                  connection->inputs);
                        if (numbers) add_numbers(layer->total, connection, network->places, count, numbers, times, n);
                        else if (count) add_spikes(layer->total, connection, network->places, count, times, n);
                    }
                }
                layer->step(n, layer->total, layer->states, layer->constants,
                            layer->sends ? layer->sent + (b * steps + t) * n : layer->nothing, layer->shown);
            }
        for (int64_t i = 0; i < readout->neurons; i++) logits[b * readout->neurons + i] = readout->shown[i];
    }
}
