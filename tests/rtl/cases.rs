//! The arrays that are built, and the layers that run on each.

use tridot_sim::arch::{Architecture, Chunking, ClockGating, DepthwiseMode, Parameters, ZeroTrits};
use tridot_sim::mapping::{Mapping, Work};
use tridot_sim::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};
use tridot_sim::units::Megahertz;

use crate::random::Random;

/// A layer with the codes of its pictures.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) network: Network,
    pub(super) images: usize,
    pub(super) codes: Vec<i64>,
}

impl Case {
    pub(super) fn mapping(&self, arch: &Architecture) -> Mapping {
        Mapping::new(&Work::of(&self.network, 0, self.images).unwrap(), arch).unwrap()
    }
}

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

/// What a random layer is made from.
#[derive(Clone, Copy)]
struct Recipe {
    kind: Kind,
    weights: Scheme,
    bits: u32,
    sign: Sign,
    input: (usize, usize, usize),
    channels: usize,
    images: usize,
    raw: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Convolution(Window),
    Depthwise(Window),
    Linear,
}

#[derive(Clone, Copy)]
enum Scheme {
    Dbq(u32),
    Fixed(u32, Digits),
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
    let mut cases = Vec::new();
    while cases.len() < count {
        let recipe = recipe(&mut random);
        let case = case(&mut random, &format!("random layer {}", cases.len()), recipe);
        if Work::of(&case.network, 0, case.images).unwrap().fits(arch).is_ok() {
            cases.push(case);
        }
    }
    cases
}

fn recipe(random: &mut Random) -> Recipe {
    // Short dot products of few bits are what the scaler binds.
    let short = random.percent(40);
    let most = if short { 1 } else { 3 };
    let window = Window {
        kernel_height: random.size(1, most),
        kernel_width: random.size(1, most),
        stride_height: random.size(1, 2),
        stride_width: random.size(1, 2),
    };
    let digits = *random.pick(&[Digits::Csd, Digits::SignMagnitude]);
    let small = |random: &mut Random, low, high| u32::try_from(random.size(low, high)).unwrap();
    let kinds = [Kind::Convolution(window), Kind::Depthwise(window), Kind::Linear];
    Recipe {
        kind: *random.pick(&kinds),
        weights: if random.percent(50) {
            Scheme::Dbq(small(random, 1, 5))
        } else {
            Scheme::Fixed(small(random, 2, 8), digits)
        },
        bits: small(random, 2, if short { 3 } else { 8 }),
        sign: *random.pick(&[Sign::Unsigned, Sign::Signed]),
        input: (random.size(1, 4), random.size(1, 4), random.size(1, 9)),
        channels: random.size(1, 9),
        images: random.size(1, 2),
        raw: random.percent(15),
    }
}

fn setup(stream: u64, arch: Architecture, recipes: &[(&'static str, Recipe)]) -> Setup {
    let mut random = Random::new(20, stream);
    let cases = recipes.iter().map(|&(name, recipe)| case(&mut random, name, recipe)).collect();
    Setup { arch, cases }
}

fn case(random: &mut Random, name: &str, recipe: Recipe) -> Case {
    let input = Shape::new(recipe.input.0, recipe.input.1, recipe.input.2);
    let network = network(random, recipe, input);
    let offset = if recipe.sign == Sign::Signed { 1 << (recipe.bits - 1) } else { 0 };
    // A third of the codes are zero, as after a ReLU.
    let codes = (0..recipe.images * input.elements())
        .map(|_| {
            let code = random.between(-offset, (1 << recipe.bits) - 1 - offset);
            if random.percent(33) { 0 } else { code }
        })
        .collect();
    Case { name: name.to_owned(), network, images: recipe.images, codes }
}

fn network(random: &mut Random, recipe: Recipe, input: Shape) -> Network {
    let (geometry, output) = geometry(recipe, input);
    let count = output.channels * geometry.fan_in(input);
    let weights = match recipe.weights {
        Scheme::Dbq(branches) => {
            let codes = 3_i64.pow(branches) - 1;
            let code = |_| u8::try_from(random.between(0, codes)).unwrap();
            Weights::Dbq { branches, codes: (0..count).map(code).collect() }
        }
        Scheme::Fixed(bits, _) => {
            let most = (1 << (bits - 1)) - 1;
            let value = |_| i16::try_from(random.between(-most, most)).unwrap();
            Weights::Fixed { bits, values: (0..count).map(value).collect() }
        }
    };
    let digits = if let Scheme::Fixed(_, digits) = recipe.weights { digits } else { Digits::Csd };
    // Outputs spread over the range and beyond it: most sums stay below 2^11, m below 2^15.
    let multiplier = |_| i32::try_from(random.between(-32_767, 32_767)).unwrap();
    let multipliers = (0..output.channels * weights.multipliers_per_channel()).map(multiplier);
    let multipliers = multipliers.collect();
    let bias = (0..output.channels).map(|_| random.between(-(1 << 24), 1 << 24)).collect();
    let end = Requantize { shift: 17, low: -100, high: 127 };
    let output_type = if recipe.raw { DotOutput::Raw } else { DotOutput::Requantize(end) };
    let tensor = |shape, bits, sign| TensorType { shape, bits, sign, scale: 1.0 };
    Network::new(Description {
        name: "case".to_owned(),
        digits,
        scale_bits: 16,
        input: Input {
            tensor: tensor(input, recipe.bits, recipe.sign),
            tables: vec![[0; 256]; input.channels],
        },
        layers: vec![Layer {
            name: "dot".to_owned(),
            inputs: vec![TensorId::INPUT],
            operator: Operator::Dot(Dot {
                geometry,
                weights,
                multipliers,
                bias,
                output: output_type,
            }),
            output: tensor(output, if recipe.raw { 48 } else { 8 }, Sign::Signed),
        }],
        provenance: Provenance::default(),
    })
    .unwrap()
}

/// Pads on the top and on the right where the kernel is larger than one.
fn geometry(recipe: Recipe, input: Shape) -> (Geometry, Shape) {
    let (window, channels) = match recipe.kind {
        Kind::Linear => return (Geometry::Linear, Shape::new(1, 1, recipe.channels)),
        Kind::Convolution(window) => (window, recipe.channels),
        Kind::Depthwise(window) => (window, input.channels),
    };
    let pads =
        Pads { top: window.kernel_height - 1, right: window.kernel_width - 1, ..Pads::default() };
    let height = (input.height + pads.top - window.kernel_height) / window.stride_height + 1;
    let width = (input.width + pads.right - window.kernel_width) / window.stride_width + 1;
    let geometry = match recipe.kind {
        Kind::Depthwise(_) => Geometry::Depthwise { window, pads },
        Kind::Convolution(_) | Kind::Linear => Geometry::Convolution { window, pads },
    };
    (geometry, Shape::new(height, width, channels))
}
