// Networks with a delay for each synapse, one sample at a time: the equations of kernels/delays/dynamics.py.
#ifndef ASRC_DELAYS_H
#define ASRC_DELAYS_H

#include <cstdint>

#include "delays_abi.h"
#include "delays_kernel.h"
#include "vectors.h"

namespace {

using namespace asrc;

// ------------------------------------------------------------------------------------------------------- synapses

// Where what row `source` sends at step t arrives in a ring, by target: worked out in vectors, for all of them at once.
template <typename R, typename D>
ASRC_INLINE void arrivals(const DelayedLayer<R>& layer, int64_t source, int64_t t, int32_t* at) {
    const D* delay = static_cast<const D*>(layer.delay) + source * layer.width;
    const int32_t mask = static_cast<int32_t>(layer.mask), width = static_cast<int32_t>(layer.width);
    const int32_t now = static_cast<int32_t>(t & layer.mask);
    for (int32_t j = 0; j < width; ++j) at[j] = ((now + delay[j]) & mask) * width + j;
}

template <typename R>
ASRC_INLINE void send(const R* weight, const int32_t* at, int64_t width, R value, R* ring) {
    if (value == R{1}) {
        for (int64_t j = 0; j < width; j += 8) {
            ASRC_UNROLL
            for (int k = 0; k < 8; ++k) ring[at[j + k]] += weight[j + k];
        }
        return;
    }
    for (int64_t j = 0; j < width; ++j) ring[at[j]] += weight[j] * value;
}

// The row of a source will be wanted next: rows come from the last cache, and in no order that a processor guesses.
template <typename R>
ASRC_INLINE void fetch(const DelayedLayer<R>& layer, int64_t source, const Pair<R>* sums) {
    constexpr int64_t line = 64;
    const int64_t first = source * layer.width, bytes = layer.wide ? 2 : 1;
    const char* weight = reinterpret_cast<const char*>(layer.weight + first);
    const char* delay = static_cast<const char*>(layer.delay) + first * bytes;
    for (int64_t at = 0; at < layer.width * static_cast<int64_t>(sizeof(R)); at += line) prefetch(weight + at);
    for (int64_t at = 0; at < layer.width * bytes; at += line) prefetch(delay + at);
    if (!sums) return;
    const char* sum = reinterpret_cast<const char*>(sums + first);
    for (int64_t at = 0; at < layer.width * static_cast<int64_t>(sizeof(Pair<R>)); at += line) prefetch(sum + at);
}

// How many of the row's arrivals come after the last step.
template <typename R, typename D>
ASRC_INLINE int64_t too_late(const DelayedLayer<R>& layer, int64_t source, int64_t t, int64_t steps) {
    if (t + layer.longest < steps) return 0;
    const D* delay = static_cast<const D*>(layer.delay) + source * layer.width;
    int64_t late = 0;
    for (int64_t j = 0; j < layer.neurons; ++j) late += t + delay[j] >= steps;
    return late;
}

template <typename R>
ASRC_INLINE int64_t send_row(
    const DelayedLayer<R>& layer, int64_t source, int64_t t, R value, const DelayRoom<R>& room, int64_t steps) {
    layer.wide ? arrivals<R, uint16_t>(layer, source, t, room.at) : arrivals<R, uint8_t>(layer, source, t, room.at);
    send(layer.weight + source * layer.width, room.at, layer.width, value, room.ring);
    return layer.wide ? too_late<R, uint16_t>(layer, source, t, steps) : too_late<R, uint8_t>(layer, source, t, steps);
}

// Both numbers of a pair at once.
template <typename R>
struct PairOf;
template <>
struct PairOf<float> {
    typedef float type __attribute__((vector_size(8), may_alias));
};
template <>
struct PairOf<double> {
    typedef double type __attribute__((vector_size(16), may_alias));
};

// Adds what the arrivals of the row met, times `value`, to its sums; sum_m w_m Q'_m.
template <typename R>
ASRC_INLINE R gather_row(const DelayedLayer<R>& layer, int64_t source, int64_t t, R value, const DelayRoom<R>& room) {
    typedef typename PairOf<R>::type Both;
    layer.wide ? arrivals<R, uint16_t>(layer, source, t, room.at) : arrivals<R, uint8_t>(layer, source, t, room.at);
    const R* weight = layer.weight + source * layer.width;
    const Both* met = reinterpret_cast<const Both*>(room.pairs);
    Both* sum = reinterpret_cast<Both*>(room.sums) + source * layer.width;
    Both owed[4] = {};
    for (int64_t j = 0; j < layer.width; j += 4) {
        ASRC_UNROLL
        for (int k = 0; k < 4; ++k) {
            const Both here = met[room.at[j + k]];
            sum[j + k] += here * value;
            owed[k] += here * weight[j + k];
        }
    }
    return (owed[0][1] + owed[1][1]) + (owed[2][1] + owed[3][1]);
}

// -------------------------------------------------------------------------------------------------------- forward

// One step of a layer's states; its spikes go onto the tape. Whether there was room for them.
template <typename R>
ASRC_INLINE bool advance(
    const DelayedLayer<R>& layer, const DelayConstants<R>& c, int64_t t, const DelayRoom<R>& room,
    DelaySpikes<R>& tape) {
    constexpr int64_t lanes = kLanes<R>;
    R* slot = room.ring + (t & layer.mask) * layer.width;
    const Vector<R> theta = splat<R>(layer.threshold), zero = {};
    for (int64_t j = 0; j < layer.width; j += lanes) {
        const Vector<R> current = load(room.current + j) * c.beta + load(slot + j);
        Vector<R> v = load(room.v + j) * c.alpha + current * c.gain;
        store(slot + j, zero);
        store(room.current + j, current);
        if (layer.fires) {
            uint64_t fired = bits(at_least(v, theta));
            if (__builtin_expect(fired != 0, 0)) {
                if (tape.count + lanes > tape.room && !tape.more(&tape)) return false;
                for (uint64_t rest = fired; rest; rest &= rest - 1) {
                    const int64_t lane = __builtin_ctzll(rest);
                    const R slope = current[lane] * c.mean_current - layer.threshold;
                    tape.spikes[tape.count++] = {static_cast<int32_t>(t), static_cast<int32_t>(j + lane), slope};
                    v[lane] = 0;
                }
            }
        }
        store(room.v + j, v);
    }
    return true;
}

template <typename R>
ASRC_INLINE void read_out(
    const DelayedLayer<R>& layer, const DelayConstants<R>& c, int64_t t, const R* v, R* answers, int32_t* best) {
    if (c.readout == ASRC_WEIGHTED) {
        const R weight = c.time_weights[t];
        for (int64_t k = 0; k < layer.neurons; ++k) answers[k] += weight * v[k];
    } else if (c.readout == ASRC_MAXIMUM) {
        for (int64_t k = 0; k < layer.neurons; ++k) {
            if (v[k] > answers[k]) answers[k] = v[k], best[k] = static_cast<int32_t>(t);
        }
    }
}

template <typename R>
DelayFound<R> delays_forward(
    const DelayedLayer<R>* layers, int64_t depth, const DelayConstants<R>& c, const DelayEvents<R>& events,
    const DelayRoom<R>* rooms, DelaySpikes<R>* tapes, R* const* counts, R* answers, int32_t* best) {
    DelayFound<R> found{0, 0, true};
    const DelayedLayer<R>& last = layers[depth - 1];
    for (int64_t k = 0; k < last.neurons; ++k) {
        answers[k] = c.readout == ASRC_FIRST_SPIKE ? static_cast<R>(c.steps) : R{0};
        best[k] = static_cast<int32_t>(c.steps);
    }
    int64_t event = 0;
    for (int64_t t = 0; t < c.steps; ++t) {
        int64_t began = 0;  // of the spikes of this step in the layer before
        for (int64_t l = 0; l < depth; ++l) {
            const DelayedLayer<R>& layer = layers[l];
            if (l == 0) {
                for (; event < events.count && events.step[event] == t; ++event) {
                    if (event + 1 < events.count) fetch<R>(layer, events.channel[event + 1], nullptr);
                    found.late += send_row(layer, events.channel[event], t, events.value[event], rooms[l], c.steps);
                }
            } else {
                const DelaySpikes<R>& below = tapes[l - 1];
                for (int64_t k = began; k < below.count; ++k) {
                    if (k + 1 < below.count) fetch<R>(layer, below.spikes[k + 1].neuron, nullptr);
                    found.late += send_row(layer, below.spikes[k].neuron, t, R{1}, rooms[l], c.steps);
                }
            }
            began = tapes[l].count;
            if (!advance(layer, c, t, rooms[l], tapes[l])) return {0, 0, false};
            for (int64_t k = began; k < tapes[l].count; ++k) {
                const DelaySpike<R>& spike = tapes[l].spikes[k];
                if (layer.back && k + 1 < tapes[l].count) {
                    fetch<R>(layer, layer.inputs + tapes[l].spikes[k + 1].neuron, nullptr);
                }
                if (layer.back) {
                    found.late += send_row(layer, layer.inputs + spike.neuron, t, R{1}, rooms[l], c.steps);
                }
                counts[l][spike.neuron] += 1;
                found.grazing += spike.slope < c.grazing * layer.threshold;
                if (l + 1 == depth && best[spike.neuron] == c.steps) {
                    best[spike.neuron] = static_cast<int32_t>(t);
                    if (c.readout == ASRC_FIRST_SPIKE) answers[spike.neuron] = static_cast<R>(t);
                }
            }
        }
        read_out(last, c, t, rooms[depth - 1].v, answers, best);
    }
    return found;
}

// ------------------------------------------------------------------------------------------------------- backward

// dL/dV[t] into the row of P.
template <typename R>
ASRC_INLINE void drive(
    const DelayedLayer<R>& layer, const DelayConstants<R>& c, int64_t t, const R* worth, const int32_t* best, R* p) {
    if (t < 0 || c.readout == ASRC_FIRST_SPIKE) return;
    if (c.readout == ASRC_WEIGHTED) {
        const R weight = c.time_weights[t];
        for (int64_t k = 0; k < layer.neurons; ++k) p[k] += worth[k] * weight;
        return;
    }
    for (int64_t k = 0; k < layer.neurons; ++k) p[k] += best[k] == t ? worth[k] : R{0};
}

// P and Q of step t before its spikes, and the pair of the step after.
template <typename R>
ASRC_INLINE void step_down(
    const DelayedLayer<R>& layer, const DelayConstants<R>& c, int64_t t, const DelayRoom<R>& room) {
    Pair<R>* pairs = room.pairs + ((t + 1) & layer.mask) * layer.width;
    const bool inside = t + 1 < c.steps;
    for (int64_t j = 0; j < layer.width; ++j) {
        const R p = room.v[j], q = c.beta * room.current[j] + c.gain * p;
        room.now[j] = q;
        if (inside) pairs[j] = {room.current[j], c.plain ? room.moved[j] : (room.later[j] - q) / 2};
    }
}

template <typename R>
struct Walk {
    const DelayedLayer<R>* layers;
    int64_t depth;
    const DelayConstants<R>& c;
    const DelayRoom<R>* rooms;
    const DelaySpikes<R>* tapes;
    const R* const* grad_counts;
    const R* grad_answers;
    const int32_t* best;
};

template <typename R>
ASRC_INLINE R jump_of(const Walk<R>& walk, int64_t l, int64_t t, const DelaySpike<R>& spike) {
    const DelayedLayer<R>& layer = walk.layers[l];
    const int64_t n = spike.neuron;
    R moves = 0;
    if (layer.back) moves += gather_row(layer, layer.inputs + n, t, R{1}, walk.rooms[l]);
    if (l + 1 < walk.depth) {
        moves += gather_row(walk.layers[l + 1], n, t, R{1}, walk.rooms[l + 1]);
    } else if (walk.c.readout == ASRC_FIRST_SPIKE && walk.best[n] == t) {
        moves += walk.grad_answers[n];
    }
    const R least = walk.c.grazing * layer.threshold, slope = spike.slope < least ? least : spike.slope;
    const R jump = (layer.threshold * walk.rooms[l].v[n] - walk.c.tau_membrane * moves) / slope;
    return walk.grad_counts[l] ? jump + walk.grad_counts[l][n] : jump;
}

// A layer's step t; `left` counts the spikes on its tape that are not yet done.
template <typename R>
ASRC_INLINE void back_one(const Walk<R>& walk, int64_t l, int64_t t, int64_t& left) {
    const DelayedLayer<R>& layer = walk.layers[l];
    const DelayRoom<R>& room = walk.rooms[l];
    const DelayConstants<R>& c = walk.c;
    for (int64_t j = 0; j < layer.width; ++j) room.v[j] *= c.alpha;
    if (l + 1 == walk.depth) drive(layer, c, t, walk.grad_answers, walk.best, room.v);
    step_down(layer, c, t, room);
    const DelaySpike<R>* spikes = walk.tapes[l].spikes;
    const int64_t end = left;
    while (left > 0 && spikes[left - 1].step == t) --left;
    // All jumps of a step are worked out before any of them is made.
    for (int64_t k = left; k < end; ++k) {
        if (layer.back && k + 1 < end) fetch(layer, layer.inputs + spikes[k + 1].neuron, room.sums);
        room.jumps[spikes[k].neuron] = jump_of(walk, l, t, spikes[k]);
    }
    for (int64_t k = left; k < end; ++k) {
        const int64_t n = spikes[k].neuron;
        room.v[n] += room.jumps[n];
        room.now[n] = c.beta * room.current[n] + c.gain * room.v[n];
        if (!c.plain && t + 1 < c.steps) {
            room.pairs[((t + 1) & layer.mask) * layer.width + n].moved = (room.later[n] - room.now[n]) / 2;
        }
    }
    for (int64_t j = 0; j < layer.width; ++j) {
        room.later[j] = room.current[j];
        room.current[j] = room.now[j];
    }
    for (int64_t j = 0; c.plain && j < layer.width; ++j) {
        room.moved[j] = room.now[j] / c.tau_synapse - room.v[j] / c.tau_membrane;
    }
}

// Each layer is a step behind the one above it, whose Q of the step before its own Q' needs; so is the input.
template <typename R>
void delays_backward(
    const DelayedLayer<R>* layers, int64_t depth, const DelayConstants<R>& c, const DelayEvents<R>& events,
    const DelayRoom<R>* rooms, const DelaySpikes<R>* tapes, const R* const* grad_counts, const R* grad_answers,
    const int32_t* best) {
    const Walk<R> walk{layers, depth, c, rooms, tapes, grad_counts, grad_answers, best};
    constexpr int64_t kMostDepth = 128;
    int64_t left[kMostDepth], event = events.count;
    for (int64_t l = 0; l < depth; ++l) left[l] = tapes[l].count;
    for (int64_t behind = c.steps - 1; behind >= -1 - depth; --behind) {
        for (int64_t l = depth - 1; l >= 0; --l) {
            const int64_t t = behind + depth - 1 - l;
            if (t >= -1 && t < c.steps) back_one(walk, l, t, left[l]);
        }
        const int64_t t = behind + depth;
        for (; event > 0 && events.step[event - 1] == t; --event) {
            if (event > 1) fetch(layers[0], events.channel[event - 2], rooms[0].sums);
            gather_row(layers[0], events.channel[event - 1], t, events.value[event - 1], rooms[0]);
        }
    }
}

template <typename R>
constexpr DelayKernels<R> delay_kernels() {
    return {delays_forward<R>, delays_backward<R>};
}

}  // namespace

#endif
