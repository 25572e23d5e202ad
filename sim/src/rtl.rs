//! The RTL of an architecture: the hand-written library, the thin top, what runs on it and what comes out.
//!
//! An [`Image`] is what the host writes into registers and memories for a layer. Under Verilator, [`HARNESS`]
//! plays the host: it reads the image's files and prints an observation, which [`Observed::parse`] reads.
//! Nothing here knows of the stepped model, with which it is compared.

use crate::arch::{Architecture, ZeroTrits};

mod bus;
mod cases;
mod image;
mod observed;

pub(crate) use bus::Bus;
pub use cases::{Case, Draw, Kind, Recipe, Scheme};
pub use image::{Image, MAX_IMAGE_BYTES, Sizes};
pub use observed::{Move, Observed};

/// File name and text of each module of the library, the smallest parts first.
pub const LIBRARY: [(&str, &str); 20] = [
    ("tridot_stage.sv", include_str!("../rtl/tridot_stage.sv")),
    ("tridot_tree.sv", include_str!("../rtl/tridot_tree.sv")),
    ("tridot_engine.sv", include_str!("../rtl/tridot_engine.sv")),
    ("tridot_array.sv", include_str!("../rtl/tridot_array.sv")),
    ("tridot_drain.sv", include_str!("../rtl/tridot_drain.sv")),
    ("tridot_scaler_column.sv", include_str!("../rtl/tridot_scaler_column.sv")),
    ("tridot_scaler.sv", include_str!("../rtl/tridot_scaler.sv")),
    ("tridot_core.sv", include_str!("../rtl/tridot_core.sv")),
    ("tridot_memory.sv", include_str!("../rtl/tridot_memory.sv")),
    ("tridot_code_memory.sv", include_str!("../rtl/tridot_code_memory.sv")),
    ("tridot_output_memory.sv", include_str!("../rtl/tridot_output_memory.sv")),
    ("tridot_layer.sv", include_str!("../rtl/tridot_layer.sv")),
    ("tridot_tiles.sv", include_str!("../rtl/tridot_tiles.sv")),
    ("tridot_pixels.sv", include_str!("../rtl/tridot_pixels.sv")),
    ("tridot_taps.sv", include_str!("../rtl/tridot_taps.sv")),
    ("tridot_feeder.sv", include_str!("../rtl/tridot_feeder.sv")),
    ("tridot_rounds.sv", include_str!("../rtl/tridot_rounds.sv")),
    ("tridot_writer.sv", include_str!("../rtl/tridot_writer.sv")),
    ("tridot_sequencer.sv", include_str!("../rtl/tridot_sequencer.sv")),
    ("tridot_machine.sv", include_str!("../rtl/tridot_machine.sv")),
];

/// The C++ program that drives [`TOP`] under Verilator.
pub const HARNESS: &str = include_str!("../rtl/harness.cpp");

/// The name of the file of [`parameters_header`], which [`HARNESS`] includes.
pub const PARAMETERS_HEADER: &str = "tridot_parameters.h";

/// The name of the module that [`top`] makes.
pub const TOP: &str = "tridot_top";

/// Bits of the addresses of so many words.
fn address_bits(words: usize) -> usize {
    words.next_power_of_two().trailing_zeros() as usize
}

/// The ports of the machine besides clock and reset: direction, name, bits.
fn ports(arch: &Architecture, sizes: Sizes) -> Vec<(&'static str, &'static str, usize)> {
    let [columns, branches, segments] = [arch.columns, arch.branches, arch.segments()];
    let widest = [
        columns * branches * arch.lanes * 2,
        columns * segments * branches * arch.scale_bits as usize,
        columns * segments * 48,
    ];
    let (address, slots) = (address_bits(sizes.outputs), columns * arch.multipliers);
    let accumulators = arch.engines() * branches * segments;
    vec![
        ("input", "load_select", 5),
        ("input", "load_address", 32),
        ("input", "load_data", widest.into_iter().max().expect("there are three")),
        ("input", "start", 1),
        ("output", "busy", 1),
        ("output", "cycles", 32),
        ("output", "steps", 32),
        ("output", "stalls", 32),
        ("input", "read_address", address),
        ("output", "read_data", 48),
        ("output", "write", slots),
        ("output", "write_address", slots * address),
        ("output", "write_data", slots * 48),
        ("output", "move", 1),
        ("output", "accumulators", accumulators * arch.accumulator_bits as usize),
    ]
}

/// The parameters of `tridot_machine`.
pub fn parameters(arch: &Architecture, sizes: Sizes) -> [(&'static str, usize); 17] {
    [
        ("ROWS", arch.rows),
        ("COLUMNS", arch.columns),
        ("LANES", arch.lanes),
        ("BRANCHES", arch.branches),
        ("LEVELS_PER_STAGE", arch.tree_levels_per_stage),
        ("SLICE_BITS", arch.activation_bits_per_step as usize),
        ("ACC_BITS", arch.accumulator_bits as usize),
        ("GATE", usize::from(arch.zero_trits == ZeroTrits::Gate)),
        ("SEGMENTS", arch.segments()),
        ("MULTIPLIERS", arch.multipliers),
        ("SCALER_STAGES", arch.scaler_stages),
        ("SCALE_BITS", arch.scale_bits as usize),
        ("CODE_WORDS", sizes.codes),
        ("WEIGHT_WORDS", sizes.trits),
        ("SCALE_WORDS", sizes.scales),
        ("BIAS_WORDS", sizes.biases),
        ("OUTPUT_WORDS", sizes.outputs),
    ]
}

/// The thin top of an architecture in SystemVerilog: `tridot_machine` with its parameters, and nothing else.
///
/// ```
/// use tridot_sim::{arch::Architecture, rtl};
/// let edge = Architecture::preset("edge").expect("a preset");
/// let top = rtl::top(&edge, rtl::Sizes::SMALL);
/// assert!(top.contains(".ROWS(4)") && top.contains("input logic [255:0] load_data"));
/// ```
pub fn top(arch: &Architecture, sizes: Sizes) -> String {
    let ports = ports(arch, sizes);
    let mut lines = vec![
        "// The machine with the parameters of one architecture. Generated by tridot.".to_owned(),
        format!("module {TOP} ("),
        "    input logic clk,".to_owned(),
        "    input logic reset,".to_owned(),
    ];
    let comma = |i: usize, n: usize| if i + 1 == n { "" } else { "," };
    for (i, (direction, name, bits)) in ports.iter().enumerate() {
        let range = if *bits == 1 { String::new() } else { format!("[{}:0] ", bits - 1) };
        lines.push(format!("    {direction} logic {range}{name}{}", comma(i, ports.len())));
    }
    lines.push(");".to_owned());
    lines.push("    tridot_machine #(".to_owned());
    let parameters = parameters(arch, sizes);
    for (i, (name, value)) in parameters.iter().enumerate() {
        lines.push(format!("        .{name}({value}){}", comma(i, parameters.len())));
    }
    lines.push("    ) machine (".to_owned());
    lines.push("        .clk(clk),".to_owned());
    lines.push("        .reset(reset),".to_owned());
    for (i, (_, name, _)) in ports.iter().enumerate() {
        lines.push(format!("        .{name}({name}){}", comma(i, ports.len())));
    }
    lines.push("    );".to_owned());
    lines.push("endmodule\n".to_owned());
    lines.join("\n")
}

/// What the harness must know of the ports of [`top`], in C++.
pub fn parameters_header(arch: &Architecture, sizes: Sizes) -> String {
    format!(
        "// Of the ports of {TOP}. Generated by tridot.\n#pragma once\n#include <cstddef>\n\n\
         constexpr std::size_t kWritePorts = {};\nconstexpr std::size_t kAddressBits = {};\n",
        arch.columns * arch.multipliers,
        address_bits(sizes.outputs)
    )
}

#[cfg(test)]
mod tests;
