// The circuit as yosys's CXXRTL makes it.
#include "circuit.cpp"
#include <fstream>
#include <string>

struct Circuit {
    cxxrtl_design::p_asrc__core top;
    void edge() { top.p_clk.set(false), top.step(), top.p_clk.set(true), top.step(); }
    void reset() {
        top.p_in__valid.set(false), top.p_out__ready.set(false), top.p_rst.set(true), edge(), edge();
        top.p_rst.set(false);
    }
#ifdef LOADABLE
    void load_weights(const char *path) {
        std::ifstream file(path);
        std::string line;
        top.p_load.set(true);
        for (uint32_t row = 0; file >> line; row++) {
            top.p_load__address.set(row);
            auto &to = top.p_load__data;
            for (std::size_t i = 0; i < to.chunks; i++) {
                const long end = long(line.size()) - 8 * long(i), begin = end < 8 ? 0 : end - 8;
                to.data[i] = end <= 0 ? 0 : std::stoul(line.substr(begin, end - begin), nullptr, 16);
            }
            edge();
        }
        top.p_load.set(false);
    }
#else
    void load_weights(const char *) {}
#endif
    void offer(bool valid, int32_t x, bool first, bool last) {
        top.p_in__valid.set(valid), top.p_in__first.set(first), top.p_in__last.set(last);
        top.p_in__data.set(uint32_t(x) & IN_MASK);
    }
    void ready(bool yes) { top.p_out__ready.set(yes); }
    void settle() { top.p_clk.set(false), top.step(); }
    void clock() { top.p_clk.set(true), top.step(); }
    bool in_ready() const { return top.p_in__ready.get<bool>(); }
    bool out_valid() const { return top.p_out__valid.get<bool>(); }
    int32_t out_data() const { return int32_t(top.p_out__data.get<uint32_t>()); }
    bool traced() const { return top.p_tr__valid.get<bool>(); }
    int32_t neuron() const { return int32_t(top.p_tr__neuron.get<uint32_t>()); }
    int32_t shown() const { return int32_t(top.p_tr__shown.get<uint32_t>()); }
    int8_t sent() const { return int8_t(top.p_tr__sent.get<uint8_t>()); }
    uint8_t saturations() const { return top.p_tr__saturations.get<uint8_t>(); }
};
