//! The arrays that are built, and the layers that run on each.

use tridot_sim::arch::{Architecture, Chunking, ClockGating, DepthwiseMode, Parameters, ZeroTrits};
use tridot_sim::network::{Digits, Sign, Window};
use tridot_sim::rtl::{Case, Kind, Recipe, Scheme};
use tridot_sim::units::Megahertz;

use crate::random::Random;

/// An array and its layers.
pub(super) struct Setup {
    pub(super) arch: Architecture,
    pub(super) cases: Vec<Case>,
}

/// An array; each setup changes what it names.
fn arch(name: &str, change: impl FnOnce(&mut Parameters)) -> Architecture {
    let mut parameters = Parameters {
        name: name.to_owned(),
        clock: Megahertz(100.0),
        rows: 2,
        columns: 3,
        clock_gating: ClockGating::None,
        lanes: 8,
        branches: 1,
        tree_levels_per_stage: 2,
        activation_bits_per_step: 8,
        accumulator_bits: 32,
        zero_trits: ZeroTrits::None,
        chunking: Chunking::Flat,
        depthwise: DepthwiseMode::Column,
        multipliers: 1,
        scaler_stages: 4,
        scale_bits: 16,
        vector_lanes: 1,
        vector_latency_cycles: 1,
    };
    change(&mut parameters);
    Architecture::new(parameters).unwrap()
}

/// A convolution of unsigned bytes, 5×4×5 to 7 channels, whose sizes divide little.
const PLAIN: Recipe = Recipe {
    kind: Kind::Convolution(Window {
        kernel_height: 3,
        kernel_width: 2,
        stride_height: 1,
        stride_width: 2,
    }),
    weights: Scheme::Dbq(2),
    bits: 8,
    sign: Sign::Unsigned,
    input: (5, 4, 5),
    channels: 7,
    images: 1,
    raw: false,
    scale_bits: 16,
};

const POINTWISE: Recipe = Recipe {
    kind: Kind::Convolution(Window {
        kernel_height: 1,
        kernel_width: 1,
        stride_height: 1,
        stride_width: 1,
    }),
    ..PLAIN
};

const DEPTHWISE: Recipe = Recipe {
    kind: Kind::Depthwise(Window {
        kernel_height: 2,
        kernel_width: 2,
        stride_height: 1,
        stride_width: 1,
    }),
    weights: Scheme::Fixed(8, Digits::Csd),
    input: (4, 5, 7),
    ..PLAIN
};

const LINEAR: Recipe = Recipe { kind: Kind::Linear, input: (2, 2, 7), images: 5, ..PLAIN };

/// All setups, the smallest first.
pub(super) fn all() -> [fn() -> Setup; 5] {
    [small, one_lane, serial, wide, segments]
}

/// One branch, eight lanes, one multiplier: bound by its scaler.
pub(super) fn small() -> Setup {
    let fixed = Scheme::Fixed(5, Digits::SignMagnitude);
    let cases = [
        ("pointwise, one branch", Recipe { weights: Scheme::Dbq(1), ..POINTWISE }),
        ("convolution, two branches in two passes", PLAIN),
        ("convolution, fixed", Recipe { weights: fixed, sign: Sign::Signed, bits: 6, ..PLAIN }),
        ("depthwise by column", DEPTHWISE),
        ("linear, raw", Recipe { raw: true, ..LINEAR }),
    ];
    setup(1, arch("small", |_| ()), &cases)
}

/// Two branches, operand registers, four bits a step, a tap with a register of its own, several outputs at once.
pub(super) fn segments() -> Setup {
    let arch = arch("segments", |p| {
        (p.rows, p.columns, p.lanes, p.branches) = (3, 2, 16, 2);
        (p.tree_levels_per_stage, p.activation_bits_per_step) = (3, 4);
        (p.zero_trits, p.chunking) = (ZeroTrits::Gate, Chunking::Tap);
        (p.depthwise, p.multipliers) = (DepthwiseMode::Segments(4), 5);
        (p.scaler_stages, p.accumulator_bits, p.scale_bits) = (6, 24, 18);
    });
    let narrow = Recipe { bits: 5, sign: Sign::Signed, ..PLAIN };
    let cases = [
        ("convolution, three branches in two passes", Recipe { weights: Scheme::Dbq(3), ..PLAIN }),
        ("convolution, fixed, signed", Recipe { weights: DEPTHWISE.weights, ..narrow }),
        ("depthwise by segments, fixed", DEPTHWISE),
        ("depthwise by segments, dbq", Recipe { weights: Scheme::Dbq(3), bits: 3, ..DEPTHWISE }),
        ("linear, raw", Recipe { raw: true, ..LINEAR }),
    ];
    setup(2, arch, &cases)
}

/// Three branches, one bit a step, one scaler stage, two multipliers.
pub(super) fn serial() -> Setup {
    let arch = arch("serial", |p| {
        (p.rows, p.columns, p.lanes, p.branches) = (2, 2, 4, 3);
        (p.tree_levels_per_stage, p.activation_bits_per_step) = (1, 1);
        (p.depthwise, p.multipliers) = (DepthwiseMode::Diagonal, 2);
        (p.scaler_stages, p.clock_gating) = (1, ClockGating::Idle);
    });
    let signed = Recipe { sign: Sign::Signed, bits: 5, ..PLAIN };
    let cases = [
        ("convolution, five branches in two passes", Recipe { weights: Scheme::Dbq(5), ..PLAIN }),
        ("convolution, fixed, signed", Recipe { weights: DEPTHWISE.weights, ..signed }),
        ("depthwise by diagonal, fixed", DEPTHWISE),
        ("depthwise by diagonal, dbq", Recipe { weights: Scheme::Dbq(3), ..DEPTHWISE }),
        ("one bit", Recipe { bits: 1, weights: Scheme::Dbq(3), ..POINTWISE }),
    ];
    setup(3, arch, &cases)
}

/// One lane: no tree; operand registers, two bits a step, two scaler stages.
pub(super) fn one_lane() -> Setup {
    let arch = arch("one lane", |p| {
        (p.rows, p.columns, p.lanes, p.branches) = (4, 1, 1, 2);
        (p.activation_bits_per_step, p.zero_trits) = (2, ZeroTrits::Gate);
        (p.scaler_stages, p.multipliers) = (2, 1);
    });
    let cases = [
        (
            "pointwise, three branches",
            Recipe { weights: Scheme::Dbq(3), bits: 2, input: (3, 3, 2), ..POINTWISE },
        ),
        (
            "convolution, fixed, signed",
            Recipe { weights: DEPTHWISE.weights, sign: Sign::Signed, ..PLAIN },
        ),
        ("depthwise by column", DEPTHWISE),
    ];
    setup(4, arch, &cases)
}

/// Two branches, every segment one lane, seven multipliers, three scaler stages.
pub(super) fn wide() -> Setup {
    let arch = arch("wide", |p| {
        (p.rows, p.columns, p.lanes, p.branches) = (5, 3, 4, 2);
        (p.tree_levels_per_stage, p.multipliers) = (1, 7);
        (p.depthwise, p.scaler_stages) = (DepthwiseMode::Segments(4), 3);
    });
    let point = Window::square(1, 1);
    let cases = [
        (
            "pointwise, three branches in two passes",
            Recipe { weights: Scheme::Dbq(3), input: (4, 4, 3), images: 2, ..POINTWISE },
        ),
        ("convolution, fixed", Recipe { weights: DEPTHWISE.weights, ..PLAIN }),
        ("depthwise by segments of one lane", Recipe { kind: Kind::Depthwise(point), ..DEPTHWISE }),
    ];
    setup(5, arch, &cases)
}

/// Layers of all kinds and sizes that run on an array.
pub(super) fn random_layers(arch: &Architecture, count: usize) -> Vec<Case> {
    let mut random = Random::new(21, arch.lanes as u64);
    let mut draw = |n| random.below_u64(n);
    let name = |i| format!("random layer {i}");
    (0..count).map(|i| Case::random(&name(i), arch, &mut draw).unwrap()).collect()
}

fn setup(stream: u64, arch: Architecture, recipes: &[(&'static str, Recipe)]) -> Setup {
    let mut random = Random::new(20, stream);
    let mut draw = |n| random.below_u64(n);
    let case = |&(name, recipe): &(&str, Recipe)| Case::new(name, recipe, &mut draw).unwrap();
    Setup { arch, cases: recipes.iter().map(case).collect() }
}
