// Runs networks through the native engine's C interface, without Python: for sanitizers, and for architectures that
// only an emulator runs here. Reads cases from the file named first, all numbers int64; writes to the file named
// second, for each case: logits, counts, and the trace. That a run without a trace, on other numbers of threads, and a
// stream give the same is checked on the spot. The third argument names the instruction set.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "abi.h"

namespace {

std::vector<int64_t> read_all(const char* path) {
    std::vector<int64_t> numbers;
    std::FILE* file = std::fopen(path, "rb");
    int64_t number;
    while (file && std::fread(&number, sizeof number, 1, file) == 1) numbers.push_back(number);
    if (file) std::fclose(file);
    return numbers;
}

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "native_driver: %s\n", what);
    std::exit(1);
}

struct Reader {
    const std::vector<int64_t>& numbers;
    size_t at = 0;

    int64_t next() {
        require(at < numbers.size(), "the file of cases ends early");
        return numbers[at++];
    }

    template <typename T>
    std::vector<T> next(int64_t n) {
        std::vector<T> values;
        for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<T>(next()));
        return values;
    }
};

struct Case {
    std::deque<std::vector<int16_t>> weights;  // whose elements stay where they are
    std::deque<std::vector<int32_t>> biases, taps;
    std::vector<asrc_layer> layers;
    asrc_network network;
    int64_t samples, steps;
    std::vector<int32_t> x;

    explicit Case(Reader& in) {
        network.channels = in.next();
        network.minimum = static_cast<int32_t>(in.next());
        network.maximum = static_cast<int32_t>(in.next());
        network.layer_count = in.next();
        for (int64_t l = 0; l < network.layer_count; ++l) {
            asrc_layer layer{};
            layer.neurons = in.next();
            layer.inputs = in.next();
            for (int32_t* field : {&layer.feedforward_exponent, &layer.recurrent_exponent, &layer.decay,
                                   &layer.threshold, &layer.span, &layer.activation_shift, &layer.soft_reset,
                                   &layer.fires_above, &layer.may_saturate, &layer.tap_count})
                *field = static_cast<int32_t>(in.next());
            layer.feedforward = weights.emplace_back(in.next<int16_t>(layer.neurons * layer.inputs)).data();
            layer.recurrent = weights.emplace_back(in.next<int16_t>(layer.neurons * layer.neurons)).data();
            layer.bias = biases.emplace_back(in.next<int32_t>(layer.neurons)).data();
            layer.taps = taps.emplace_back(in.next<int32_t>(2 * layer.tap_count)).data();
            layers.push_back(layer);
        }
        network.layers = layers.data();
        asrc_readout& readout = network.readout;
        readout.classes = in.next();
        readout.inputs = in.next();
        readout.exponent = static_cast<int32_t>(in.next());
        readout.weight = weights.emplace_back(in.next<int16_t>(readout.classes * readout.inputs)).data();
        readout.bias = biases.emplace_back(in.next<int32_t>(readout.classes)).data();
        samples = in.next();
        steps = in.next();
        x = in.next<int32_t>(samples * steps * network.channels);
    }
};

bool same(const asrc_counts& a, const asrc_counts& b) {
    return a.inputs == b.inputs && a.delivered == b.delivered && a.spikes == b.spikes &&
           a.saturations == b.saturations;
}

template <typename T>
void write(std::FILE* file, const std::vector<T>& values) {
    for (const T value : values) {
        const int64_t number = value;
        std::fwrite(&number, sizeof number, 1, file);
    }
}

void run(const Case& c, const char* isa, std::FILE* out) {
    const size_t depth = c.layers.size();
    const int64_t cells = c.samples * c.steps, classes = c.network.readout.classes;
    asrc_engine* engine = nullptr;
    require(asrc_engine_new(&c.network, isa, &engine) == ASRC_OK, "no engine");

    std::vector<int64_t> logits(c.samples * classes);
    std::vector<asrc_counts> counts(depth + 1);
    std::vector<std::vector<uint8_t>> spikes;
    std::vector<std::vector<int32_t>> membranes;
    std::vector<uint8_t*> to_spikes;
    std::vector<int32_t*> to_membranes;
    for (const asrc_layer& layer : c.layers) {
        to_spikes.push_back(spikes.emplace_back(cells * layer.neurons).data());
        to_membranes.push_back(membranes.emplace_back(cells * layer.neurons).data());
    }
    std::vector<int32_t> readout(cells * classes);
    const asrc_trace trace{to_spikes.data(), to_membranes.data(), readout.data()};
    require(asrc_engine_run(engine, c.x.data(), c.samples, c.steps, 2, logits.data(), counts.data(), &trace) == ASRC_OK,
            "the run failed");

    for (const int threads : {1, 3}) {
        std::vector<int64_t> again(logits.size());
        std::vector<asrc_counts> counted(depth + 1);
        require(asrc_engine_run(engine, c.x.data(), c.samples, c.steps, threads, again.data(), counted.data(),
                                nullptr) == ASRC_OK,
                "the run without a trace failed");
        require(again == logits, "logits differ without a trace");
        for (size_t l = 0; l <= depth; ++l) require(same(counts[l], counted[l]), "counts differ without a trace");
    }

    asrc_stream* stream = nullptr;
    require(asrc_stream_new(engine, &stream) == ASRC_OK, "no stream");
    std::vector<asrc_counts> total(depth + 1), streamed(depth + 1);
    std::vector<int64_t> last(classes);
    std::vector<std::vector<uint8_t>> fired;
    std::vector<uint8_t*> to_fired;
    for (const asrc_layer& layer : c.layers) to_fired.push_back(fired.emplace_back(layer.neurons).data());
    for (int64_t b = 0; b < c.samples; ++b) {
        asrc_stream_reset(stream);
        for (int64_t t = 0; t < c.steps; ++t) {
            const std::vector<int32_t> frame(c.x.begin() + (b * c.steps + t) * c.network.channels,
                                             c.x.begin() + (b * c.steps + t + 1) * c.network.channels);
            asrc_stream_feed(stream, frame.data(), 1, last.data(), streamed.data(), to_fired.data());
            for (size_t l = 0; l < depth; ++l)
                for (size_t n = 0; n < fired[l].size(); ++n)
                    require(fired[l][n] == spikes[l][(t * c.samples + b) * fired[l].size() + n], "a stream differs");
        }
        for (int64_t k = 0; k < classes; ++k) require(last[k] == logits[b * classes + k], "a stream's logits differ");
        for (size_t l = 0; l <= depth; ++l) {
            total[l].inputs += streamed[l].inputs;
            total[l].delivered += streamed[l].delivered;
            total[l].spikes += streamed[l].spikes;
            total[l].saturations += streamed[l].saturations;
        }
    }
    for (size_t l = 0; l <= depth; ++l) require(same(counts[l], total[l]), "a stream's counts differ");
    asrc_stream_free(stream);
    asrc_engine_free(engine);

    write(out, logits);
    for (const asrc_counts& count : counts)
        write(out, std::vector<int64_t>{count.inputs, count.delivered, count.spikes, count.saturations});
    for (size_t l = 0; l < depth; ++l) {
        write(out, spikes[l]);
        write(out, membranes[l]);
    }
    write(out, readout);
}

}  // namespace

int main(int count, char** arguments) {
    require(count == 4, "usage: native_driver CASES RESULTS INSTRUCTION_SET");
    const std::vector<int64_t> numbers = read_all(arguments[1]);
    std::FILE* out = std::fopen(arguments[2], "wb");
    require(out != nullptr, "cannot write the results");
    Reader in{numbers};
    for (int64_t cases = in.next(); cases > 0; --cases) run(Case(in), arguments[3], out);
    require(in.at == numbers.size(), "the file of cases is too long");
    return std::fclose(out) == 0 ? 0 : 1;
}
