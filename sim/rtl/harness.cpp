// Drives `tridot_top` under Verilator as TIMING.md says that sequencer and memories do, and prints what happens.
//
// Standard input is a stimulus: one line for each part, numbers apart by spaces, buses in hexadecimal.
//   limit <edges> <outputs>
//   layer <segmented> <merged> <raw> <shift> <low> <high>
//   array <columns> <multipliers> <row bits> <segment bits>
//   rounds <n>, then n lines: <values> <rows> <segments> <starts> <ends> <columns> <scales> <biases>
//   steps <n>, then n lines: <signed> <first> <widen> <last> <shift> <codes> <trits>
// Standard output has a line for each event, in order of the edges, and one at the end.
//   move <edge> <accumulators>
//   write <edge> <round> <row> <segment> <output of each active column>
//   done <cycles> <steps> <stalls>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <string>
#include <type_traits>
#include <vector>

#include "Vtridot_top.h"
#include "verilated.h"

namespace {

// Ports are integers up to 64 bits and arrays of 32-bit words beyond.
template <typename Port>
uint64_t get(const Port& port, int first, int width) {
    uint64_t value = 0;
    for (int i = width - 1; 0 <= i; i--) {
        const int bit = first + i;
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
    for (int digit = sizeof(Port) * 2 - 1; 0 <= digit; digit--) text += "0123456789abcdef"[get(port, digit * 4, 4)];
    return text;
}

struct Round {
    int values, rows, segments, starts, ends, columns;
    std::string scales, biases;
};

struct Step {
    int is_signed, first, widen, last, shift;
    std::string codes, trits;
};

[[noreturn]] void refuse(const std::string& what) {
    std::cout << "refused " << what << std::endl;
    std::exit(2);
}

void expect(const char* word) {
    std::string found;
    if (!(std::cin >> found) || found != word) refuse(std::string("stimulus: expected ") + word + ", got " + found);
}

// The memories' output registers.
void drive_step(Vtridot_top& top, const Step* step) {
    top.step_valid = step != nullptr;
    if (step == nullptr) return;
    top.step_signed = step->is_signed;
    top.step_first = step->first;
    top.step_widen = step->widen;
    top.step_last = step->last;
    top.step_shift = step->shift;
    set(top.step_codes, step->codes);
    set(top.step_trits, step->trits);
}

void drive_round(Vtridot_top& top, const Round& round) {
    top.round_values = round.values;
    top.round_rows = round.rows;
    top.round_segments = round.segments;
    top.round_starts = round.starts;
    top.round_ends = round.ends;
    set(top.round_scales, round.scales);
    set(top.round_biases, round.biases);
}

void clock(Vtridot_top& top) {
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
}

}  // namespace

int main() {
    uint64_t limit = 0, outputs = 0;
    int segmented, merged, raw, shift, low, high;
    int columns = 0, multipliers = 0, row_bits = 0, segment_bits = 0;
    size_t n_rounds = 0, n_steps = 0;
    expect("limit");
    std::cin >> limit >> outputs;
    expect("layer");
    std::cin >> segmented >> merged >> raw >> shift >> low >> high;
    expect("array");
    std::cin >> columns >> multipliers >> row_bits >> segment_bits;
    expect("rounds");
    std::cin >> n_rounds;
    std::vector<Round> rounds;
    for (size_t i = 0; i < n_rounds && std::cin; i++) {
        Round r;
        std::cin >> r.values >> r.rows >> r.segments >> r.starts >> r.ends >> r.columns >> r.scales >> r.biases;
        rounds.push_back(r);
    }
    expect("steps");
    std::cin >> n_steps;
    std::vector<Step> steps;
    for (size_t i = 0; i < n_steps && std::cin; i++) {
        Step s;
        std::cin >> s.is_signed >> s.first >> s.widen >> s.last >> s.shift >> s.codes >> s.trits;
        steps.push_back(s);
    }
    if (!std::cin || rounds.empty() || steps.empty()) refuse("stimulus: cut short");

    Vtridot_top top;
    top.layer_segmented = segmented;
    top.layer_merged = merged;
    top.layer_raw = raw;
    top.layer_shift = shift;
    top.layer_low = low & 0x1ff;
    top.layer_high = high & 0x1ff;
    drive_step(top, nullptr);
    drive_round(top, rounds[0]);
    top.clk = 0;
    top.reset = 1;
    top.eval();
    clock(top);
    top.reset = 0;

    // Edge 0 puts step 0 into the feeder; `fed` is what the feeder holds, `fetched` what the memories' registers do.
    size_t next_step = 0, moved = 0;
    const Step *fed = nullptr, *fetched = nullptr;
    // Rounds whose outputs have still to be written, and how many of each.
    std::deque<std::pair<size_t, uint64_t>> pending;
    uint64_t written = 0, stalls = 0, edge = 0, last_write = 0;
    // After the last output a few edges more, which must write nothing.
    for (; edge < limit && (written < outputs || edge < last_write + 16); edge++) {
        drive_step(top, fetched);
        drive_round(top, rounds[moved < n_rounds ? moved : n_rounds - 1]);
        top.eval();
        // What the edge samples.
        const bool enable = top.enable;
        if (!enable) stalls++;
        for (int slot = 0; slot < multipliers; slot++) {
            if (get(top.write_valid, slot, 1) == 0) continue;
            if (pending.empty()) refuse("a write without a round at edge " + std::to_string(edge));
            auto& [round, left] = pending.front();
            std::cout << "write " << edge << ' ' << round << ' ' << get(top.write_row, slot * row_bits, row_bits) << ' '
                      << get(top.write_segment, slot * segment_bits, segment_bits);
            for (int q = 0; q < rounds[round].columns; q++) {
                const uint64_t value = get(top.write_data, (q * multipliers + slot) * 48, 48);
                std::cout << ' ' << (static_cast<int64_t>(value << 16) >> 16);
            }
            std::cout << '\n';
            written += rounds[round].columns;
            last_write = edge;
            if (--left == 0) pending.pop_front();
        }
        if (top.move) {
            std::cout << "move " << edge << ' ' << hex(top.accumulators) << '\n';
            if (n_rounds <= moved) refuse("a move beyond the last round at edge " + std::to_string(edge));
            const Round& round = rounds[moved];
            if (round.ends) pending.emplace_back(moved, uint64_t(round.rows) * round.segments);
            moved++;
        }
        // The edge itself; feeder and memories advance with the array.
        clock(top);
        if (enable) {
            fetched = fed;
            fed = next_step < n_steps ? &steps[next_step++] : nullptr;
        }
    }
    if (written < outputs) refuse("no end: " + std::to_string(written) + " outputs after " + std::to_string(edge) + " edges");
    std::cout << "done " << last_write + 1 << ' ' << next_step << ' ' << stalls << '\n';
}
