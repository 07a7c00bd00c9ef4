#include "prepare.h"

#include <algorithm>
#include <cstdlib>

namespace asrc {
namespace {

constexpr int64_t kAnyRowsExact = 256;    // 256 x 127 and 256 x -128 fit 16 bits, whatever the rows
constexpr int64_t kMaxBlock = 32;         // steps; more would only take room
constexpr int64_t kBlockInputs = 1 << 19;  // bounds the room for the graded inputs of a block
constexpr int64_t kCacheBytes = 1 << 19;  // a tile's weights should stay in half of a usual second-level cache

int64_t padded(int64_t neurons) { return (neurons + kWordBits - 1) / kWordBits * kWordBits; }

// A weight matrix (neurons, inputs) divided by the greatest power of two that divides all of it, and the exponent
// raised by as much: shift(2^g a, e) = shift(a, e + g), rounding included.
struct Folded {
    const int16_t* weight;
    int64_t neurons;
    int64_t inputs;
    int32_t divided;   // g
    int32_t exponent;  // e + g
    bool zero;

    int32_t at(int64_t neuron, int64_t input) const { return weight[neuron * inputs + input] >> divided; }
};

Folded fold(const int16_t* weight, int64_t neurons, int64_t inputs, int32_t exponent) {
    uint32_t any = 0;
    for (int64_t i = 0; i < neurons * inputs; ++i) any |= static_cast<uint16_t>(weight[i]);
    int32_t divided = 0;
    while (any && !(any >> divided & 1)) ++divided;
    // All zero: no exponent matters, and this one merges with any other.
    return {weight, neurons, inputs, divided, any ? exponent + divided : 0, any == 0};
}

int32_t right_of(int32_t exponent) { return std::max(-exponent, 0); }

// A sum that is not always 0 cannot move further in a valid network: it would leave 32 bits.
int32_t left_of(int32_t exponent, int32_t activation_shift) {
    return std::min(std::max(exponent, 0) + activation_shift, 31);
}

std::vector<Tile> tiles_of(int64_t lanes, int64_t rows, int64_t max_tile) {
    int64_t most = max_tile;
    while (most > 2 * kWordBits && rows * most > kCacheBytes) most /= 2;
    std::vector<Tile> tiles;
    for (int64_t first = 0; first < lanes;) {
        while (most > lanes - first) most /= 2;
        tiles.push_back({first, most});
        first += most;
    }
    return tiles;
}

// Where a lane's byte stands within its vector: see Rows.
int64_t byte_of(int64_t lane, int64_t vector_bytes) {
    static constexpr int64_t byte_of_quarter[4] = {0, 2, 1, 3};
    const int64_t quarter = vector_bytes / 4;
    return 4 * (lane % quarter) + byte_of_quarter[lane / quarter];
}

// What the rows of one accumulator can sum to, lane by lane.
struct Range {
    std::vector<int64_t> low, high;
    int64_t rows = 0;

    explicit Range(int64_t lanes) : low(lanes), high(lanes) {}

    // How many rows, whichever, sum within 16 bits. Proof: a selection of rows sums to between the sum of the negative
    // weights and that of the positive.
    int64_t exact() const {
        const bool fits = *std::min_element(low.begin(), low.end()) >= INT16_MIN &&
                          *std::max_element(high.begin(), high.end()) <= INT16_MAX;
        return fits ? std::max(rows, kAnyRowsExact) : kAnyRowsExact;
    }
};

class Packer {
public:
    Packer(Prepared& owner, int64_t vector_bytes) : owner_(owner), vector_bytes_(vector_bytes) {}

    const int32_t* values(const int32_t* from, int64_t n, int64_t lanes) {
        AlignedArray<int32_t>& copy = owner_.words.emplace_back(lanes);
        std::copy(from, from + n, copy.data());
        return copy.data();
    }

    const Tile* tiles(std::vector<Tile> tiles) { return owner_.tiles.emplace_back(std::move(tiles)).data(); }

    const Tap* taps(const asrc_layer& from) {
        if (!from.tap_count) return nullptr;
        std::vector<Tap>& copy = owner_.taps.emplace_back();
        for (int32_t j = 0; j < from.tap_count; ++j) copy.push_back({from.taps[2 * j], from.taps[2 * j + 1]});
        return copy.data();
    }

    // The rows of one connection, whose weights still need a left shift of `scaled` to be in the accumulator's unit.
    Rows rows(const Folded& connection, int32_t scaled, const std::vector<Tile>& tiles, int64_t lanes, Range& range) {
        const int64_t count = connection.inputs;
        AlignedArray<uint8_t>& cells = owner_.cells.emplace_back(count * lanes);
        AlignedArray<int32_t>& total = owner_.words.emplace_back(lanes);
        for (const Tile& tile : tiles)
            pack(connection, scaled, tile, cells.data() + count * tile.first, total.data(), range);
        range.rows += count;
        return {count, cells.data(), total.data(), range.exact(), 0, 0};
    }

    Graded graded(const Folded& connection, bool paired, int64_t lanes) {
        const int64_t entries = paired ? (connection.inputs + 1) / 2 : connection.inputs;
        AlignedArray<int32_t>& cells = owner_.words.emplace_back(entries * lanes);
        int32_t* cell = cells.data();
        for (int64_t first = 0; first < lanes; first += vector_bytes_) {
            for (int64_t entry = 0; entry < entries; ++entry) {
                for (int64_t lane = first; lane < first + vector_bytes_; ++lane, ++cell) {
                    if (lane >= connection.neurons) continue;
                    if (!paired) {
                        *cell = connection.at(lane, entry);
                        continue;
                    }
                    const uint32_t low = static_cast<uint16_t>(connection.at(lane, 2 * entry));
                    const bool second = 2 * entry + 1 < connection.inputs;
                    const uint32_t high = second ? static_cast<uint16_t>(connection.at(lane, 2 * entry + 1)) : 0u;
                    *cell = static_cast<int32_t>(low | high << 16);
                }
            }
        }
        return {paired, entries, cells.data(), 0, 0};
    }

    // The rows of one connection within one tile; adds to each neuron's sums. Lanes beyond the neurons are rows of 0,
    // in the form that even bytes have. A few inputs at a time, or reading by columns would miss the cache each time.
    void pack(const Folded& connection, int32_t scaled, const Tile& tile, uint8_t* rows, int32_t* total,
              Range& range) const {
        constexpr int64_t kInputs = 64;
        for (int64_t begin = 0; begin < connection.inputs; begin += kInputs) {
            const int64_t end = std::min(begin + kInputs, connection.inputs);
            for (int64_t lane = 0; lane < tile.lanes; ++lane) {
                const int64_t neuron = tile.first + lane, byte = byte_of(lane % vector_bytes_, vector_bytes_);
                const int32_t offset = byte % 2 == 0 ? 128 : 0;
                uint8_t* cell = rows + begin * tile.lanes + lane / vector_bytes_ * vector_bytes_ + byte;
                for (int64_t input = begin; input < end; ++input, cell += tile.lanes) {
                    const int32_t weight =
                        neuron < connection.neurons ? connection.at(neuron, input) * (1 << scaled) : 0;
                    *cell = static_cast<uint8_t>(weight + offset);
                    total[neuron] += weight;
                    range.low[neuron] += std::min(weight, 0);
                    range.high[neuron] += std::max(weight, 0);
                }
            }
        }
    }

    // Null where a step rounds, or where the sum over a chunk is not proven to fit 32 bits.
    const int32_t* dense(const Folded& weight, const Readout& readout) {
        if (readout.rows.right > 0) return nullptr;
        const int64_t input_lanes = readout.input_words * kWordBits;
        AlignedArray<int32_t> cells(weight.neurons * input_lanes);
        for (int64_t c = 0; c < weight.neurons; ++c) {
            int64_t size = 0;
            for (int64_t i = 0; i < weight.inputs; ++i) {
                cells[c * input_lanes + i] = weight.at(c, i);
                size += std::abs(weight.at(c, i));
            }
            if (size * kMaxChunk > INT32_MAX) return nullptr;
        }
        return owner_.words.emplace_back(std::move(cells)).data();
    }

private:
    Prepared& owner_;
    int64_t vector_bytes_;
};

// Whether weights, multiplied by 2^shift, still fit int8.
bool fits_byte(const Folded& connection, int32_t shift) {
    if (connection.zero) return true;
    if (shift > 7) return false;
    for (int64_t n = 0; n < connection.neurons; ++n) {
        for (int64_t i = 0; i < connection.inputs; ++i) {
            const int32_t weight = connection.at(n, i) * (1 << shift);
            if (weight < INT8_MIN || weight > INT8_MAX) return false;
        }
    }
    return true;
}

Decay decay_of(int32_t d) {
    const int32_t kept = 4096 - d;
    int32_t twos = 0;
    while (twos < 12 && kept && !(kept >> twos & 1)) ++twos;
    const int32_t factor = kept >> twos, shift = 12 - twos;
    if (factor == 1 && shift >= 1 && shift <= 8) return {DecayKind::kShift, 1, shift};
    if (factor <= 512) return {DecayKind::kProduct, factor, shift};  // (2^23 - 1) 512 < 2^32
    return {DecayKind::kLongProduct, kept, 12};
}

Layer prepare_layer(const asrc_layer& from, const asrc_network& network, bool first, Packer& packer,
                    const Kernels& kernels) {
    const bool binary = !first || (network.minimum >= 0 && network.maximum <= 1);
    const Folded ff = fold(from.feedforward, from.neurons, from.inputs, from.feedforward_exponent);
    const Folded rec = fold(from.recurrent, from.neurons, from.neurons, from.recurrent_exponent);

    Layer layer{};
    layer.inputs = from.inputs;
    layer.neurons = from.neurons;
    layer.lanes = padded(from.neurons);
    layer.words = layer.lanes / kWordBits;
    layer.input_words = padded(from.inputs) / kWordBits;
    layer.graded = !binary;
    layer.bias = packer.values(from.bias, from.neurons, layer.lanes);
    layer.decay = decay_of(from.decay);
    layer.threshold = from.threshold;
    layer.least_spike = from.threshold + (from.fires_above != 0);
    layer.span = from.span;
    layer.taps = packer.taps(from);
    layer.tap_count = from.tap_count;
    layer.soft_reset = from.soft_reset != 0;
    layer.may_saturate = from.may_saturate != 0;

    // Two connections share an accumulator if neither rounds and the weights of both fit a byte in the smaller unit.
    const int32_t ff_exponent = ff.zero ? rec.exponent : ff.exponent;
    const int32_t rec_exponent = rec.zero ? ff.exponent : rec.exponent;
    const int32_t unit = std::min(ff_exponent, rec_exponent);
    layer.merged =
        binary && !layer.taps && unit >= 0 && fits_byte(ff, ff_exponent - unit) && fits_byte(rec, rec_exponent - unit);

    const int64_t rows = (binary ? from.inputs : 0) + from.neurons;
    std::vector<Tile> tiles = tiles_of(layer.lanes, rows, kernels.max_tile);
    if (layer.merged) {
        Range both(layer.lanes);
        layer.recurrent = packer.rows(rec, rec_exponent - unit, tiles, layer.lanes, both);
        layer.feedforward = packer.rows(ff, ff_exponent - unit, tiles, layer.lanes, both);
        layer.recurrent.left = layer.feedforward.left = left_of(unit, from.activation_shift);
    } else {
        Range apart(layer.lanes);
        layer.recurrent = packer.rows(rec, 0, tiles, layer.lanes, apart);
        layer.recurrent.right = right_of(rec.exponent);
        layer.recurrent.left = left_of(rec.exponent, from.activation_shift);
        if (binary) {
            Range own(layer.lanes);
            layer.feedforward = packer.rows(ff, 0, tiles, layer.lanes, own);
            layer.feedforward.right = right_of(ff.exponent);
            layer.feedforward.left = left_of(ff.exponent, from.activation_shift);
        } else {
            const bool paired = network.minimum >= INT16_MIN && network.maximum <= INT16_MAX;
            layer.graded_feedforward = packer.graded(ff, paired, layer.lanes);
            layer.graded_feedforward.right = right_of(ff.exponent);
            layer.graded_feedforward.left = left_of(ff.exponent, from.activation_shift);
        }
    }
    layer.tile_count = static_cast<int64_t>(tiles.size());
    layer.tiles = packer.tiles(std::move(tiles));
    layer.block = std::min<int64_t>(layer.taps ? layer.taps[0].span : from.span, kMaxBlock);
    if (layer.graded) layer.block = std::clamp<int64_t>(kBlockInputs / from.inputs, 1, layer.block);
    return layer;
}

Readout prepare_readout(const asrc_readout& from, Packer& packer, const Kernels& kernels) {
    const Folded weight = fold(from.weight, from.classes, from.inputs, from.exponent);
    Readout readout{};
    readout.inputs = from.inputs;
    readout.input_words = padded(from.inputs) / kWordBits;
    readout.classes = from.classes;
    readout.lanes = padded(from.classes);
    readout.bias = packer.values(from.bias, from.classes, readout.lanes);
    std::vector<Tile> tiles = tiles_of(readout.lanes, from.inputs, kernels.max_tile);
    Range range(readout.lanes);
    readout.rows = packer.rows(weight, 0, tiles, readout.lanes, range);
    readout.rows.right = right_of(weight.exponent);
    readout.rows.left = left_of(weight.exponent, 0);
    readout.tile_count = static_cast<int64_t>(tiles.size());
    readout.tiles = packer.tiles(std::move(tiles));
    readout.dense = packer.dense(weight, readout);
    return readout;
}

}  // namespace

Prepared prepare(const asrc_network& network, const Kernels& kernels) {
    Prepared prepared{};
    prepared.kernels = &kernels;
    prepared.channels = network.channels;
    Packer packer(prepared, kernels.vector_bytes);
    for (int64_t l = 0; l < network.layer_count; ++l) {
        const Layer layer = prepare_layer(network.layers[l], network, l == 0, packer, kernels);
        prepared.weight_bytes = std::max(prepared.weight_bytes, (layer.inputs + layer.neurons) * layer.lanes);
        prepared.layers.push_back(layer);
    }
    prepared.readout = prepare_readout(network.readout, packer, kernels);
    return prepared;
}

}  // namespace asrc
