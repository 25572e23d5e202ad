// Plays the host of `tridot_top` under Verilator, and prints what happens.
//
//   Vtridot_top <folder> <edges at most>
//
// The folder holds an image: `layer.hex`, `codes.hex`, `trits.hex`, `scales.hex`, `biases.hex`, one word a line.
// Standard output has a line for each event, in order of the edges, and one at the end.
//   move <edge> <accumulators in hexadecimal>
//   write <edge> <address of the output> <output>
//   done <cycles> <steps> <stalls>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <type_traits>

#include "Vtridot_top.h"
#include "tridot_parameters.h"
#include "verilated.h"

namespace {

// Ports are integers up to 64 bits and arrays of 32-bit words beyond.
template <typename Port>
uint64_t get(const Port& port, size_t first, size_t width) {
    uint64_t value = 0;
    for (size_t i = width; 0 < i; i--) {
        const size_t bit = first + i - 1;
        if constexpr (std::is_integral_v<Port>) {
            value = value << 1 | ((uint64_t{port} >> bit) & 1);
        } else {
            value = value << 1 | ((port[bit / 32] >> (bit % 32)) & 1);
        }
    }
    return value;
}

template <typename Port>
void set(Port& port, const std::string& hex) {
    if constexpr (std::is_integral_v<Port>) {
        port = static_cast<Port>(std::stoull(hex, nullptr, 16));
    } else {
        for (size_t word = 0; word < sizeof(Port) / 4; word++) {
            const size_t end = hex.size() < word * 8 ? 0 : hex.size() - word * 8;
            const size_t begin = end < 8 ? 0 : end - 8;
            port[word] = begin == end ? 0 : static_cast<uint32_t>(std::stoul(hex.substr(begin, end - begin), nullptr, 16));
        }
    }
}

template <typename Port>
std::string hex(const Port& port) {
    std::string text;
    for (size_t digit = sizeof(Port) * 2; 0 < digit; digit--) text += "0123456789abcdef"[get(port, (digit - 1) * 4, 4)];
    return text;
}

[[noreturn]] void refuse(const std::string& what) {
    std::cout << "refused " << what << std::endl;
    std::exit(2);
}

void clock(Vtridot_top& top) {
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
}

// Writes a file's words into a memory.
void load(Vtridot_top& top, const std::string& path, int select) {
    std::ifstream file(path);
    std::string word;
    uint32_t address = 0;
    for (; file >> word; address++) {
        top.load_select = 1 << select;
        top.load_address = address;
        set(top.load_data, word);
        clock(top);
    }
    top.load_select = 0;
    if (address == 0) refuse("no words in " + path);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) refuse("arguments: expected a folder and a number of edges");
    const std::string folder = std::string(arguments[1]) + '/';
    const uint64_t limit = std::stoull(arguments[2]);
    Vtridot_top top;
    top.start = 0;
    top.load_select = 0;
    top.read_address = 0;
    top.clk = 0;
    top.reset = 1;
    top.eval();
    clock(top);
    top.reset = 0;
    const char* files[] = {"layer.hex", "codes.hex", "trits.hex", "scales.hex", "biases.hex"};
    for (int i = 0; i < 5; i++) load(top, folder + files[i], i);

    // Edge 0 samples `start`. After the last output a few edges more, which must write nothing.
    std::map<uint64_t, uint64_t> written;
    for (uint64_t edge = 0, after = 0; after < 16; edge++) {
        if (limit < edge) refuse("no end after " + std::to_string(limit) + " edges");
        top.start = edge == 0;
        top.eval();
        for (size_t port = 0; port < kWritePorts; port++) {
            if (get(top.write, port, 1) == 0) continue;
            const uint64_t address = get(top.write_address, port * kAddressBits, kAddressBits);
            const uint64_t value = get(top.write_data, port * 48, 48);
            std::cout << "write " << edge << ' ' << address << ' ' << (static_cast<int64_t>(value << 16) >> 16) << '\n';
            if (after != 0) refuse("a write after the last at edge " + std::to_string(edge));
            written[address] = value;
        }
        if (top.move) std::cout << "move " << edge << ' ' << hex(top.accumulators) << '\n';
        clock(top);
        if (!top.busy) after++;
    }

    // The output memory holds what was written.
    for (const auto& [address, value] : written) {
        top.read_address = address;
        clock(top);
        if (top.read_data != value) refuse("output " + std::to_string(address) + " is not in the memory");
    }
    std::cout << "done " << top.cycles << ' ' << top.steps << ' ' << top.stalls << '\n';
}
