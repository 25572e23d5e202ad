//! Random layers × architectures, and the histogram that shows how far they reach.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tridot_sim::arch::{Architecture, Chunking, ClockGating, DepthwiseMode, Parameters, ZeroTrits};
use tridot_sim::mapping::Work;
use tridot_sim::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};
use tridot_sim::units::Megahertz;

/// A layer on an architecture, with pictures.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) network: Network,
    pub(crate) arch: Architecture,
    pub(crate) images: usize,
    /// All pictures, NHWC.
    pub(crate) pixels: Vec<u8>,
}

impl Case {
    pub(crate) fn work(&self) -> Work {
        Work::of(&self.network, 0, self.images).unwrap()
    }

    /// The input codes of all pictures.
    pub(crate) fn codes(&self) -> Vec<i64> {
        let channels = self.network.input.tables.len();
        let code = |(i, &pixel): (usize, &u8)| {
            i64::from(self.network.input.tables[i % channels][usize::from(pixel)])
        };
        self.pixels.iter().enumerate().map(code).collect()
    }
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.0.next_u64() % n as u64).unwrap()
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn signed(&mut self, magnitude: i64) -> i64 {
        let span = u64::try_from(2 * magnitude + 1).unwrap();
        i64::try_from(self.0.next_u64() % span).unwrap() - magnitude
    }

    fn u32(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.between(low as usize, high as usize)).unwrap()
    }
}

/// The case of this number: the same on every machine.
pub(crate) fn case(number: u64) -> Case {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let mut dice = Dice(ChaCha8Rng::from_seed(seed));
    // Half of the cases are redrawn until rows, columns and lanes divide nothing.
    let ragged = dice.below(2) == 0;
    for _ in 0..64 {
        let case = any_case(&mut dice);
        if case.work().fits(&case.arch).is_ok() && (!ragged || divides_nothing(&case)) {
            return case;
        }
    }
    panic!("no case in 64 draws");
}

fn any_case(dice: &mut Dice) -> Case {
    let arch = architecture(dice);
    let network = network(dice);
    let images = dice.of(&[1, 1, 2, 3]);
    let pixels = images * network.input.tensor.shape.elements();
    // Runs of zeros, as after a ReLU, beside dense pictures.
    let zeros = dice.below(3);
    let pixels = (0..pixels)
        .map(|_| if dice.below(3) < zeros { 0 } else { u8::try_from(dice.below(256)).unwrap() })
        .collect();
    Case { network, arch, images, pixels }
}

fn architecture(dice: &mut Dice) -> Architecture {
    let lanes = dice.of(&[1, 2, 4, 4, 8, 8, 16, 16, 32]);
    let depthwise = match dice.below(4) {
        0 => DepthwiseMode::Column,
        1 => DepthwiseMode::Diagonal,
        _ if lanes == 1 => DepthwiseMode::Column,
        _ => DepthwiseMode::Segments(dice.of(&[2, 2, 4]).min(lanes)),
    };
    Architecture::new(Parameters {
        name: "random".to_owned(),
        clock: Megahertz(500.0),
        rows: dice.between(1, 5),
        columns: dice.between(1, 5),
        clock_gating: dice.of(&[ClockGating::None, ClockGating::Idle]),
        lanes,
        branches: dice.between(1, 3),
        tree_levels_per_stage: dice.between(1, 3),
        activation_bits_per_step: dice.of(&[8, 8, 4, 2, 1]),
        accumulator_bits: dice.of(&[24, 32, 48]),
        zero_trits: dice.of(&[ZeroTrits::None, ZeroTrits::Gate]),
        chunking: dice.of(&[Chunking::Flat, Chunking::Tap]),
        depthwise,
        multipliers: dice.of(&[1, 1, 2, 3, 4, 7]),
        scaler_stages: dice.between(1, 6),
        scale_bits: dice.of(&[16, 18]),
        vector_lanes: dice.between(1, 8),
        vector_latency_cycles: 3,
    })
    .unwrap()
}

/// Kernel, stride, pads before and after, and the output's side, for an input's side.
fn side(dice: &mut Dice, input: usize) -> (usize, usize, usize, usize, usize) {
    let kernel = dice.between(1, 3);
    let stride = dice.of(&[1, 1, 2, 3]);
    let before = dice.below(kernel);
    // A kernel larger than the picture needs its pads.
    let least = kernel.saturating_sub(input + before);
    let after = dice.between(least.min(kernel - 1), kernel - 1);
    (kernel, stride, before, after, (input + before + after - kernel) / stride + 1)
}

fn geometry(dice: &mut Dice, input: Shape) -> (Geometry, Shape) {
    let (kernel_height, stride_height, top, bottom, height) = side(dice, input.height);
    let (kernel_width, stride_width, left, right, width) = side(dice, input.width);
    let window = Window { kernel_height, kernel_width, stride_height, stride_width };
    let pads = Pads { top, left, bottom, right };
    match dice.below(6) {
        0 => (Geometry::Linear, Shape::new(1, 1, dice.between(1, 9))),
        1 | 2 => {
            let shape = Shape::new(height, width, dice.between(1, 9));
            (Geometry::Convolution { window, pads }, shape)
        }
        _ => (Geometry::Depthwise { window, pads }, Shape::new(height, width, input.channels)),
    }
}

fn weights(dice: &mut Dice, count: usize) -> Weights {
    if dice.below(2) == 0 {
        let branches = dice.u32(1, 5);
        let code = |dice: &mut Dice| u8::try_from(dice.below(3_usize.pow(branches))).unwrap();
        Weights::Dbq { branches, codes: (0..count).map(|_| code(dice)).collect() }
    } else {
        let bits = dice.u32(2, 8);
        // Now and then all weights are zero: a layer without planes.
        let most = if dice.below(16) == 0 { 0 } else { (1 << (bits - 1)) - 1 };
        let value = |dice: &mut Dice| i16::try_from(dice.signed(most)).unwrap();
        Weights::Fixed { bits, values: (0..count).map(|_| value(dice)).collect() }
    }
}

fn network(dice: &mut Dice) -> Network {
    let sign = dice.of(&[Sign::Unsigned, Sign::Signed]);
    let bits = dice.u32(if sign == Sign::Signed { 2 } else { 1 }, 8);
    let shape = Shape::new(dice.between(1, 5), dice.between(1, 5), dice.between(1, 11));
    let (geometry, output) = geometry(dice, shape);
    let fan_in = geometry.fan_in(shape);
    let weights = weights(dice, output.channels * fan_in);
    let count = output.channels * weights.multipliers_per_channel();
    let scale_bits = dice.of(&[8, 16]);
    let most = (1_i64 << (scale_bits - 1)) - 1;
    let multipliers = (0..count).map(|_| i32::try_from(dice.signed(most)).unwrap()).collect();
    let bias = (0..output.channels).map(|_| dice.signed(1 << 20)).collect();
    let raw = dice.below(8) == 0;
    let dot = Dot {
        geometry,
        weights,
        multipliers,
        bias,
        output: if raw {
            DotOutput::Raw
        } else {
            DotOutput::Requantize(Requantize { shift: dice.u32(1, 16), low: -128, high: 127 })
        },
    };
    let offset = if sign == Sign::Signed { 1_i16 << (bits - 1) } else { 0 };
    let table = std::array::from_fn(|pixel| {
        // Pixel 0 stays code 0, so that zeros are zeros.
        let code = i16::try_from(pixel).unwrap() % (1 << bits);
        if code < offset || offset == 0 { code } else { code - 2 * offset }
    });
    let tensor = |shape, bits, sign| TensorType { shape, bits, sign, scale: 1.0 };
    Network::new(Description {
        name: "random".to_owned(),
        digits: dice.of(&[Digits::Csd, Digits::SignMagnitude]),
        scale_bits,
        input: Input { tensor: tensor(shape, bits, sign), tables: vec![table; shape.channels] },
        layers: vec![Layer {
            name: "dot".to_owned(),
            inputs: vec![TensorId::INPUT],
            operator: Operator::Dot(dot),
            output: tensor(output, if raw { 48 } else { 8 }, Sign::Signed),
        }],
        provenance: Provenance::default(),
    })
    .unwrap()
}

/// Whether rows, channels of a tile and lanes divide neither pixels, channels nor K.
fn divides_nothing(case: &Case) -> bool {
    let (work, arch) = (case.work(), &case.arch);
    let per_tile = match (work.geometry.is_depthwise(), arch.depthwise) {
        (false, _) => arch.columns,
        (true, DepthwiseMode::Column) => 1,
        (true, DepthwiseMode::Segments(segments)) => segments,
        (true, DepthwiseMode::Diagonal) => arch.lanes.min(arch.columns),
    };
    // One channel a tile divides everything there is: mode `column` is judged by the other two.
    let column = work.geometry.is_depthwise() && arch.depthwise == DepthwiseMode::Column;
    !work.pixels().is_multiple_of(arch.rows)
        && (column || !work.output.channels.is_multiple_of(per_tile))
        && !work.fan_in().is_multiple_of(arch.lanes)
}

/// Counts of named features over many cases.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    cases: u32,
    features: BTreeMap<String, u32>,
}

impl Histogram {
    /// Notes what a case has; `stalled` says whether its scaler froze the array.
    pub(crate) fn add(&mut self, case: &Case, stalled: bool) {
        let (work, arch) = (case.work(), &case.arch);
        self.cases += 1;
        let mut note = |name: String| *self.features.entry(name).or_default() += 1;
        note(if work.merged { "fixed" } else { "dbq" }.to_owned());
        let strides = match work.geometry {
            Geometry::Linear => {
                note("linear".to_owned());
                None
            }
            Geometry::Convolution { window, .. } => {
                note(format!("convolution {:?}", arch.chunking));
                Some(window)
            }
            Geometry::Depthwise { window, .. } => {
                let mode = match arch.depthwise {
                    DepthwiseMode::Column => "column",
                    DepthwiseMode::Segments(_) => "segments",
                    DepthwiseMode::Diagonal => "diagonal",
                };
                note(format!("depthwise {mode}"));
                Some(window)
            }
        };
        if let Some(window) = strides {
            note(format!("stride {}", window.stride_height));
        }
        if arch.activation_bits_per_step < work.activation_bits {
            note(format!("serial {}", arch.activation_bits_per_step));
        }
        note(format!("clock gating {:?}", arch.clock_gating));
        note(format!("zero trits {:?}", arch.zero_trits));
        note(format!("{:?}", work.activation_sign));
        if stalled {
            note("scaler-bound".to_owned());
        }
        if arch.branches < work.planes as usize {
            note("several passes".to_owned());
        }
        if divides_nothing(case) {
            note("divides nothing".to_owned());
        }
        if 2 * if work.merged { 1 } else { arch.branches.min(work.planes as usize) }
            <= arch.multipliers
        {
            note("several outputs a take".to_owned());
        }
        if 1 < case.images {
            note("several images".to_owned());
        }
    }

    /// Prints the histogram and asserts that every feature has its share.
    pub(crate) fn assert_reach(&self) {
        for (feature, count) in &self.features {
            println!("{feature:24} {:5.1} %", 100.0 * f64::from(*count) / f64::from(self.cases));
        }
        let wanted = [
            ("dbq", 5),
            ("fixed", 5),
            ("linear", 5),
            ("convolution Flat", 5),
            ("convolution Tap", 5),
            ("depthwise column", 5),
            ("depthwise segments", 5),
            ("depthwise diagonal", 5),
            ("serial 1", 5),
            ("serial 2", 5),
            ("serial 4", 5),
            ("stride 1", 5),
            ("stride 2", 5),
            ("stride 3", 5),
            ("clock gating None", 5),
            ("clock gating Idle", 5),
            ("zero trits None", 5),
            ("zero trits Gate", 5),
            ("Signed", 5),
            ("Unsigned", 5),
            ("several images", 5),
            ("scaler-bound", 5),
            ("several outputs a take", 5),
            ("divides nothing", 30),
            ("several passes", 20),
        ];
        for (feature, percent) in wanted {
            let count = self.features.get(feature).copied().unwrap_or(0);
            assert!(percent * self.cases <= 100 * count, "{feature}: {count} of {}", self.cases);
        }
    }
}
