// Feeds samples to a simulated circuit and writes down every neuron's update. `Circuit` comes from verilator.h or
// cxxrtl.h. Usage: harness SAMPLES OUTPUT [SEED]; with a seed, input and result stall at random cycles.
#include CIRCUIT
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

struct Frame { int32_t samples, steps, channels, neurons, classes; };

template <class T> static bool load(FILE *f, T *to, size_t n) { return fread(to, sizeof(T), n, f) == n; }
template <class T> static bool store(FILE *f, const std::vector<T> &from) {
    return fwrite(from.data(), sizeof(T), from.size(), f) == from.size();
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "harness SAMPLES OUTPUT [SEED]\n"), 2;
    FILE *in = fopen(argv[1], "rb");
    Frame d;
    if (!in || !load(in, &d, 1)) return fprintf(stderr, "no samples\n"), 2;
    const size_t beats = size_t(d.samples) * d.steps * d.channels;
    const size_t updates = size_t(d.samples) * d.steps * d.neurons, answers = size_t(d.samples) * d.classes;
    std::vector<int32_t> x(beats);
    if (!load(in, x.data(), beats)) return fprintf(stderr, "samples end early\n"), 2;
    fclose(in);
    uint32_t random = argc > 3 ? uint32_t(atoi(argv[3])) * 2654435761u + 1 : 0;
    std::vector<int32_t> shown, results;
    std::vector<int8_t> sent;
    std::vector<uint8_t> saturations;
    shown.resize(updates), sent.resize(updates), saturations.resize(updates), results.reserve(answers);
    // A readout may come after the next step's first layer: each neuron counts its own steps.
    std::vector<size_t> step_of(d.neurons, 0);
    size_t seen = 0;
    Circuit c;
    c.reset();
    c.load_weights("weights.hex");
    size_t at = 0;
    uint64_t cycle = 0, first = 0, last = 0, quiet = 0;
    bool offered = false;
    while (results.size() < answers) {
        bool stall = false, wait = false;
        if (random) {
            random ^= random << 13, random ^= random >> 17, random ^= random << 5;
            stall = !offered && random % 4 == 0, wait = random / 4 % 4 == 0;
        }
        const bool valid = at < beats && !stall;
        const size_t step = valid ? at / d.channels % d.steps : 0;
        c.offer(valid, valid ? x[at] : 0, step == 0, step == size_t(d.steps) - 1);
        c.ready(!wait);
        c.settle();
        const bool taken = valid && c.in_ready(), answered = !wait && c.out_valid();
        if (answered) results.push_back(c.out_data());
        offered = valid && !taken;
        c.clock();
        cycle++, quiet++;
        if (taken) { if (!at) first = cycle; at++; quiet = 0; }
        if (answered) quiet = 0, last = cycle;
        if (c.traced()) {
            const size_t neuron = size_t(c.neuron());
            const size_t cell = neuron < step_of.size() ? step_of[neuron]++ * d.neurons + neuron : updates;
            if (cell >= updates) return fprintf(stderr, "neuron %zu is updated too often\n", neuron), 3;
            shown[cell] = c.shown(), sent[cell] = c.sent(), saturations[cell] = c.saturations();
            seen++, quiet = 0;
        }
        if (quiet > 10000000) return fprintf(stderr, "the circuit stands still at cycle %llu\n", (unsigned long long)cycle), 3;
    }
    if (seen != updates) return fprintf(stderr, "%zu updates instead of %zu\n", seen, updates), 3;
    FILE *out = fopen(argv[2], "wb");
    const std::vector<uint64_t> cycles{last - first};
    const bool written = out && store(out, cycles) && store(out, results) && store(out, shown) && store(out, sent)
        && store(out, saturations);
    return out && !fclose(out) && written ? 0 : (fprintf(stderr, "cannot write\n"), 2);
}
