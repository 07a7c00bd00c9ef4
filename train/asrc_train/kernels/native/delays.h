// Networks with a delay for each synapse, one sample at a time: the equations of kernels/delays/dynamics.py.
#ifndef ASRC_DELAYS_H
#define ASRC_DELAYS_H

#include <cstdint>

#include "delays_abi.h"
#include "delays_kernel.h"
#include "delays_synapses.h"
#include "vectors.h"

namespace {

using namespace asrc;

// -------------------------------------------------------------------------------------------------------- forward

// Of what row `row` sends at step t, how much arrives after the last step.
template <typename R>
ASRC_INLINE int64_t too_late(const DelayedLayer<R>& layer, int64_t row, int64_t t, int64_t steps) {
    if (t + layer.longest < steps) return 0;
    int64_t late = 0;
    for (int64_t first = 0; first < layer.neurons; first += kGroup) {
        const int64_t width = group_width(layer.width, first);
        const int64_t place = place_of_group(layer.rows, first) + row * width;
        for (int64_t j = 0; j < width && first + j < layer.neurons; ++j) {
            const int64_t delay = layer.wide ? static_cast<const uint16_t*>(layer.delay)[place + j]
                                             : static_cast<const uint8_t*>(layer.delay)[place + j];
            late += t + delay >= steps;
        }
    }
    return late;
}

// One step of a group's states; its spikes go onto the tape. Whether there was room for them.
template <int W, typename R>
ASRC_INLINE bool advance(
    const DelayedLayer<R>& layer, const DelayConstants<R>& c, int64_t t, int64_t first, R* slot,
    const DelayRoom<R>& room, DelaySpikes<R>& tape) {
    constexpr int64_t lanes = kLanes<R>;
    const Vector<R> theta = splat<R>(layer.threshold), zero = {};
    R *currents = room.current + first, *membranes = room.v + first;
    for (int64_t j = 0; j < W; j += lanes) {
        const Vector<R> left = load(currents + j) * c.beta, stayed = load(membranes + j) * c.alpha;
        const Vector<R> current = (c.whole ? toward_zero(left) : left) + load(slot + j);
        Vector<R> v = (c.whole ? toward_zero(stayed) : stayed) + current * c.gain;
        store(slot + j, zero);
        store(currents + j, current);
        if (layer.fires) {
            uint64_t fired = bits(at_least(v, theta));
            if (__builtin_expect(fired != 0, 0)) {
                if (tape.count + lanes > tape.room && !tape.more(&tape)) return false;
                for (uint64_t rest = fired; rest; rest &= rest - 1) {
                    const int64_t lane = __builtin_ctzll(rest);
                    const R slope = current[lane] * c.mean_current - layer.threshold;
                    const int64_t n = first + j + lane;
                    tape.spikes[tape.count++] = {static_cast<int32_t>(t), static_cast<int32_t>(n), slope};
                    const Sent<R> sent{layer.inputs + n, R{1}};
                    if (layer.back) fetch(ahead_in(layer, 0, &sent, 1, true, static_cast<const R*>(nullptr)), 0);
                    v[lane] = 0;
                }
            }
        }
        store(membranes + j, v);
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

// A layer's step t: group by group, what it sent itself in the step before, what is sent to it, its states. The former
// arrives now at the earliest, so it can wait for that. Of room.sent, `own` rows are of the one, those up to `sent` of
// the other, and `soon` more will be sent to it in the next step.
template <typename R>
ASRC_INLINE bool step_up(
    const DelayedLayer<R>& layer, const DelayConstants<R>& c, int64_t t, const DelayRoom<R>& room, int64_t own,
    int64_t sent, int64_t soon, DelaySpikes<R>& tape) {
    bool enough = true;
    for (int64_t first = 0; first < layer.width; first += kGroup) {
        as_types(layer, group_width(layer.width, first), [&](auto width, auto delay) ASRC_INLINE_CALL {
            constexpr int W = decltype(width)::value;
            typedef decltype(delay) D;
            const Group<R> group = group_of(layer, room, first);
            R* ring = room.ring + place_of_group(layer.mask + 1, first);
            const bool last = first + W >= layer.width;
            const int64_t then = last ? 0 : first + W;
            const R* none = nullptr;
            const Ahead<R> of_own = ahead_in(layer, then, room.sent, last ? 0 : own, true, none);
            const Ahead<R> of_given = last ? ahead_in(layer, then, room.sent + sent, soon, true, none)
                                           : ahead_in(layer, then, room.sent + own, sent - own, true, none);
            send_rows<W, D>(group, room.sent, own, t - 1, ring, of_own);
            send_rows<W, D>(group, room.sent + own, sent - own, t, ring, of_given);
            enough = enough && advance<W>(layer, c, t, first, ring + (t & layer.mask) * W, room, tape);
        });
    }
    return enough;
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
    constexpr int64_t kMostDepth = 128;
    int64_t event = 0, before[kMostDepth] = {};  // of each layer, where the spikes of its step before begin
    for (int64_t t = 0; t < c.steps; ++t) {
        int64_t began = 0;  // of the spikes of this step in the layer before
        for (int64_t l = 0; l < depth; ++l) {
            const DelayedLayer<R>& layer = layers[l];
            DelaySpikes<R>& tape = tapes[l];
            Sent<R>* sent = rooms[l].sent;
            int64_t count = 0;
            for (int64_t k = before[l]; layer.back && k < tape.count; ++k) {
                sent[count++] = {layer.inputs + tape.spikes[k].neuron, R{1}};
            }
            const int64_t own = count;
            if (l == 0) {
                for (; event < events.count && events.step[event] == t; ++event) {
                    sent[count++] = {events.channel[event], events.value[event]};
                }
            } else {
                const DelaySpikes<R>& below = tapes[l - 1];
                for (int64_t k = began; k < below.count; ++k) sent[count++] = {below.spikes[k].neuron, R{1}};
            }
            for (int64_t k = own; k < count; ++k) found.late += too_late(layer, sent[k].row, t, c.steps);
            int64_t soon = 0;
            for (int64_t e = event; l == 0 && e < events.count && events.step[e] == t + 1; ++e) {
                sent[count + soon++] = {events.channel[e], events.value[e]};
            }
            began = before[l] = tape.count;
            if (!step_up(layer, c, t, rooms[l], own, count, soon, tape)) return {0, 0, false};
            for (int64_t k = began; k < tape.count; ++k) {
                const DelaySpike<R>& spike = tape.spikes[k];
                if (layer.back) found.late += too_late(layer, layer.inputs + spike.neuron, t, c.steps);
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

// The row of Q of a step, from -1 on.
template <typename R>
ASRC_INLINE R* q_of(const DelayedLayer<R>& layer, const DelayRoom<R>& room, int64_t t) {
    return room.q + (t + 3) % 3 * layer.width;
}

// P and Q of step t before its spikes, and the pair of the step after.
template <typename R>
ASRC_INLINE void step_down(
    const DelayedLayer<R>& layer, const DelayConstants<R>& c, int64_t t, const DelayRoom<R>& room) {
    const bool inside = t + 1 < c.steps;
    R *now = q_of(layer, room, t), *after = q_of(layer, room, t + 1), *later = q_of(layer, room, t + 2);
    for (int64_t first = 0; first < layer.width; first += kGroup) {
        const int64_t width = group_width(layer.width, first), slot = (t + 1) & layer.mask;
        Pair<R>* pairs = room.pairs + place_of_group(layer.mask + 1, first) + slot * width;
        for (int64_t j = first; j < first + width; ++j) now[j] = c.beta * after[j] + c.gain * room.v[j];
        if (inside && c.plain) {
            for (int64_t j = 0; j < width; ++j) pairs[j] = {after[first + j], room.moved[first + j]};
        } else if (inside) {
            for (int64_t j = 0; j < width; ++j) {
                pairs[j] = {after[first + j], (later[first + j] - now[first + j]) / 2};
            }
        }
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

// A tape is worked off from its end: the spikes of the step at hand, and how many come before them.
template <typename R>
struct Spiked {
    const DelaySpike<R>* spikes;  // of the step
    int64_t count;
    int64_t before;
};

// What spikes of step t find in a layer that they lead to, as its rows from `row` on, is added to its sums and to their
// worth; and first of all, group by group, what input events of step t + 2 find, which is worth nothing. The next ones
// of both are expected to be about as many.
template <typename R>
ASRC_INLINE void look_up(
    const DelayedLayer<R>& layer, const DelayRoom<R>& room, int64_t t, const Spiked<R>& from, int64_t row, R* worth,
    const DelayEvents<R>& events, int64_t event, int64_t given) {
    const int64_t count = from.count;
    if (!(given + count)) return;
    Sent<R>* sent = room.sent;
    for (int64_t e = 0; e < given; ++e) sent[e] = {events.channel[event + e], events.value[event + e]};
    for (int64_t k = 0; k < count; ++k) sent[given + k] = {row + from.spikes[k].neuron, R{1}};
    Sent<R>* soon = sent + given + count;
    const int64_t soon_given = given < event ? given : event, soon_count = count < from.before ? count : from.before;
    for (int64_t e = 0; e < soon_given; ++e) soon[e] = {events.channel[event - 1 - e], R{1}};
    for (int64_t k = 0; k < soon_count; ++k) soon[soon_given + k] = {row + from.spikes[-1 - k].neuron, R{1}};
    for (int64_t first = 0; first < layer.width; first += kGroup) {
        as_types(layer, group_width(layer.width, first), [&](auto width, auto delay) ASRC_INLINE_CALL {
            constexpr int W = decltype(width)::value;
            typedef decltype(delay) D;
            const Group<R> group = group_of(layer, room, first);
            const Pair<R>* ring = room.pairs + place_of_group(layer.mask + 1, first);
            R* sums = room.sums + 2 * place_of_group(layer.rows, first);
            const bool last = first + W >= layer.width;
            const int64_t then = last ? 0 : first + W;
            const R* all = room.sums;
            const Ahead<R> of_given = last ? ahead_in(layer, then, soon, soon_given, false, all)
                                           : ahead_in(layer, then, sent, given, false, all);
            const Ahead<R> of_spikes = last ? ahead_in(layer, then, soon + soon_given, soon_count, true, all)
                                            : ahead_in(layer, then, sent + given, count, true, all);
            gather_rows<W, D>(group, sent, given, t + 2, ring, sums, static_cast<R*>(nullptr), of_given);
            gather_rows<W, D>(group, sent + given, count, t, ring, sums, worth, of_spikes);
        });
    }
}

// A layer's step t; `left` counts the spikes on its tape that are not yet done, `event` the input's events. Those are
// looked up two steps later than the layer's own, whose Q' they need: what is in the cache serves both.
template <typename R>
ASRC_INLINE void back_one(
    const Walk<R>& walk, int64_t l, int64_t t, int64_t& left, const DelayEvents<R>& events, int64_t& event) {
    const DelayedLayer<R>& layer = walk.layers[l];
    const DelayRoom<R>& room = walk.rooms[l];
    const DelayConstants<R>& c = walk.c;
    for (int64_t j = 0; j < layer.width; ++j) room.v[j] *= c.alpha;
    if (l + 1 == walk.depth) drive(layer, c, t, walk.grad_answers, walk.best, room.v);
    step_down(layer, c, t, room);
    const DelaySpikes<R>& tape = walk.tapes[l];
    const int64_t end = left, events_end = event;
    while (left > 0 && tape.spikes[left - 1].step == t) --left;
    while (l == 0 && event > 0 && events.step[event - 1] == t + 2) --event;
    const DelaySpike<R>* spikes = tape.spikes + left;
    const Spiked<R> fired{spikes, end - left, left}, back{spikes, layer.back ? end - left : 0, layer.back ? left : 0};
    const int64_t count = fired.count, given = events_end - event;
    for (int64_t k = 0; k < count; ++k) room.worth[k] = 0;
    look_up(layer, room, t, back, layer.inputs, room.worth, events, event, given);
    if (l + 1 < walk.depth) {
        constexpr int64_t none = 0;
        look_up(walk.layers[l + 1], walk.rooms[l + 1], t, fired, none, room.worth, events, none, none);
    }
    // All jumps of a step are worked out before any of them is made.
    const R least = c.grazing * layer.threshold;
    for (int64_t k = 0; k < count; ++k) {
        const int64_t n = spikes[k].neuron;
        R moves = room.worth[k];
        if (l + 1 == walk.depth && c.readout == ASRC_FIRST_SPIKE && walk.best[n] == t) moves += walk.grad_answers[n];
        const R slope = spikes[k].slope < least ? least : spikes[k].slope;
        room.worth[k] = (layer.threshold * room.v[n] - c.tau_membrane * moves) / slope;
        if (walk.grad_counts[l]) room.worth[k] += walk.grad_counts[l][n];
    }
    R *now = q_of(layer, room, t), *after = q_of(layer, room, t + 1), *later = q_of(layer, room, t + 2);
    for (int64_t k = 0; k < count; ++k) {
        const int64_t n = spikes[k].neuron, first = n / kGroup * kGroup, width = group_width(layer.width, first);
        room.v[n] += room.worth[k];
        now[n] = c.beta * after[n] + c.gain * room.v[n];
        if (c.plain || t + 1 >= c.steps) continue;
        const int64_t slot = (t + 1) & layer.mask, place = place_of_group(layer.mask + 1, first) + slot * width;
        room.pairs[place + n - first].moved = (later[n] - now[n]) / 2;
    }
    for (int64_t j = 0; c.plain && j < layer.width; ++j) {
        room.moved[j] = now[j] / c.tau_synapse - room.v[j] / c.tau_membrane;
    }
}

// Each layer is a step behind the one above it, whose Q of the step before its own Q' needs.
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
            if (t >= (l ? -1 : -2) && t < c.steps) back_one(walk, l, t, left[l], events, event);
        }
    }
}

template <typename R>
constexpr DelayKernels<R> delay_kernels() {
    return {delays_forward<R>, delays_backward<R>};
}

}  // namespace

#endif
