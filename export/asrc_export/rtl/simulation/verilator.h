// The circuit as Verilator makes it.
#include "Vasrc_core.h"
#include "verilated.h"
#include <fstream>
#include <memory>
#include <string>

struct Circuit {
    std::unique_ptr<Vasrc_core> top{new Vasrc_core};
    void edge() { top->clk = 0, top->eval(), top->clk = 1, top->eval(); }
    void reset() { top->in_valid = 0, top->out_ready = 0, top->rst = 1, edge(), edge(), top->rst = 0; }
#ifdef LOADABLE
    void load_weights(const char *path) {
        std::ifstream file(path);
        std::string line;
        top->load = 1;
        for (uint32_t row = 0; file >> line; row++) {
            top->load_address = row;
            put(top->load_data, line);
            edge();
        }
        top->load = 0;
    }
    template <class T> static void put(T &to, const std::string &line) { to = std::stoull(line, nullptr, 16); }
    template <std::size_t N> static void put(VlWide<N> &to, const std::string &line) {
        for (std::size_t i = 0; i < N; i++) {
            const long end = long(line.size()) - 8 * long(i), begin = end < 8 ? 0 : end - 8;
            to[i] = end <= 0 ? 0 : std::stoul(line.substr(begin, end - begin), nullptr, 16);
        }
    }
#else
    void load_weights(const char *) {}
#endif
    void offer(bool valid, int32_t x, bool first, bool last) {
        top->in_valid = valid, top->in_first = first, top->in_last = last, top->in_data = x & IN_MASK;
    }
    void ready(bool yes) { top->out_ready = yes; }
    void settle() { top->clk = 0, top->eval(); }
    void clock() { top->clk = 1, top->eval(); }
    bool in_ready() const { return top->in_ready; }
    bool out_valid() const { return top->out_valid; }
    int32_t out_data() const { return int32_t(top->out_data); }
    bool traced() const { return top->tr_valid; }
    int32_t neuron() const { return top->tr_neuron; }
    int32_t shown() const { return int32_t(top->tr_shown); }
    int8_t sent() const { return int8_t(top->tr_sent); }
    uint8_t saturations() const { return top->tr_saturations; }
};
