//! The windows that an engine and a small array of engines are calibrated on.

use crate::Error;
use crate::arch::{Architecture, ClockGating};
use crate::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};
use crate::rtl::Draw;

/// What the activations look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Activations {
    /// All codes alike.
    Uniform,
    /// As after a `ReLU`: half of them zero, large ones rare.
    Rectified,
    /// Nine in ten are zero.
    Sparse,
    /// Close to those before them.
    Smooth,
    /// Small and signed.
    Signed,
    /// The same in all pixels, as in an even part of a picture: scalers take the same few operands again and again.
    Still,
    /// All zero: an idle row.
    Idle,
}

impl Activations {
    const KINDS: [Self; 5] =
        [Self::Uniform, Self::Rectified, Self::Sparse, Self::Smooth, Self::Signed];

    /// What it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Rectified => "rectified",
            Self::Sparse => "sparse",
            Self::Smooth => "smooth",
            Self::Signed => "signed",
            Self::Still => "still",
            Self::Idle => "idle",
        }
    }

    /// The codes of so many pixels of `k` channels.
    fn draw(self, pixels: usize, k: usize, draw: Draw) -> Vec<i64> {
        let mut below = |n: u64| draw(n).cast_signed();
        let mut before = 128;
        let mut code = || match self {
            Self::Uniform | Self::Still => below(256),
            Self::Rectified if below(2) == 0 => 0,
            // Twice as large, half as often.
            Self::Rectified => (below(32) + 1) << (below(15) + 1).ilog2().abs_diff(3),
            Self::Sparse if below(10) != 0 => 0,
            Self::Sparse => below(255) + 1,
            Self::Smooth => {
                before = (before + below(17) - 8).clamp(0, 255);
                before
            }
            Self::Signed => (below(64) + below(64) - 63).clamp(-128, 127),
            Self::Idle => 0,
        };
        let distinct = if self == Self::Still { k } else { pixels * k };
        let codes: Vec<_> = (0..distinct).map(|_| code().min(255)).collect();
        codes.into_iter().cycle().take(pixels * k).collect()
    }
}

/// How trits follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trits {
    /// Each chunk has its own.
    Streaming,
    /// All chunks have the same.
    Held,
}

/// What a window is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// The activations.
    pub activations: Activations,
    /// Percent of trits that are zero.
    pub zero_percent: u32,
    /// Whether trits change.
    pub trits: Trits,
    /// Chunks of a dot product: K / lanes.
    pub chunks: usize,
    /// Passes of a tile.
    pub passes: usize,
    /// Whether planes are digits of one integer, which merge.
    pub is_fixed: bool,
}

impl Recipe {
    /// What it is called in tables.
    pub fn name(&self) -> String {
        let trits = match self.trits {
            Trits::Streaming => "streaming",
            Trits::Held => "held",
        };
        let scheme = if self.is_fixed { "fixed" } else { "dbq" };
        format!(
            "{} {trits} {}% {scheme} {}x{}",
            self.activations.name(),
            self.zero_percent,
            self.chunks,
            self.passes
        )
    }
}

/// The recipes of a calibration: every kind of activations × zero fractions × streaming or held, over which chunks and passes
/// rotate; dot products of one chunk and two passes, which give the scaler another m at every take; idle rows and columns; still
/// activations, with which the scaler's m changes and its operands hardly do.
pub fn calibration() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (i, activations) in Activations::KINDS.into_iter().enumerate() {
        for (j, zero_percent) in [0, 25, 50, 75, 90].into_iter().enumerate() {
            for trits in [Trits::Streaming, Trits::Held] {
                let at = 2 * i + j;
                let is_fixed = at % 5 == 4;
                recipes.push(Recipe {
                    activations,
                    zero_percent,
                    trits,
                    chunks: [4, 32, 1][at % 3],
                    passes: [1, 1, 2, 4][at % 4],
                    is_fixed,
                });
            }
        }
    }
    for (i, activations) in Activations::KINDS.into_iter().enumerate() {
        recipes.push(Recipe {
            activations,
            zero_percent: 40,
            trits: if i % 2 == 0 { Trits::Held } else { Trits::Streaming },
            chunks: 1,
            passes: 2,
            is_fixed: false,
        });
    }
    for (activations, zero_percent) in
        [(Activations::Idle, 50), (Activations::Uniform, 100), (Activations::Idle, 100)]
    {
        let trits = Trits::Streaming;
        recipes.push(Recipe {
            activations,
            zero_percent,
            trits,
            chunks: 4,
            passes: 1,
            is_fixed: false,
        });
    }
    recipes.extend([
        still(10, Trits::Streaming, 1, 2),
        still(25, Trits::Streaming, 1, 2),
        still(40, Trits::Streaming, 1, 2),
        still(60, Trits::Streaming, 1, 2),
        still(75, Trits::Streaming, 1, 2),
        still(85, Trits::Streaming, 1, 2),
        still(25, Trits::Held, 1, 2),
        still(60, Trits::Held, 1, 2),
        still(50, Trits::Held, 4, 2),
        still(50, Trits::Streaming, 4, 1),
    ]);
    recipes
}

/// A recipe of still activations.
const fn still(zero_percent: u32, trits: Trits, chunks: usize, passes: usize) -> Recipe {
    let (activations, is_fixed) = (Activations::Still, false);
    Recipe { activations, zero_percent, trits, chunks, passes, is_fixed }
}

/// The recipes for an array: fewer, of other zero fractions and passes, and bound by the scaler where a dot product is one chunk;
/// some of those of few and small outputs, among which the scalers choose in vain.
pub fn calibration_of_arrays() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (i, activations) in Activations::KINDS.into_iter().enumerate() {
        for (j, zero_percent) in [10, 40, 65].into_iter().enumerate() {
            let at = i + j;
            recipes.push(Recipe {
                activations,
                zero_percent,
                trits: if at % 2 == 0 { Trits::Streaming } else { Trits::Held },
                chunks: [1, 2, 9][at % 3],
                passes: [2, 1, 3][i % 3],
                is_fixed: at % 4 == 3,
            });
        }
    }
    for (activations, zero_percent, trits) in [
        (Activations::Sparse, 70, Trits::Held),
        (Activations::Sparse, 90, Trits::Streaming),
        (Activations::Smooth, 85, Trits::Held),
        (Activations::Idle, 50, Trits::Streaming),
    ] {
        let (chunks, passes, is_fixed) = (1, 1, false);
        recipes.push(Recipe { activations, zero_percent, trits, chunks, passes, is_fixed });
    }
    recipes.extend([
        still(25, Trits::Streaming, 1, 2),
        still(50, Trits::Streaming, 1, 2),
        still(75, Trits::Streaming, 1, 2),
        still(25, Trits::Held, 1, 2),
        still(40, Trits::Held, 2, 3),
        still(60, Trits::Held, 1, 1),
    ]);
    recipes
}

/// The architecture of one engine with its column's scaler, every flip-flop of which is clocked at every edge.
pub fn engine(arch: &Architecture) -> Architecture {
    let mut parameters = arch.clone().into_parameters();
    parameters.rows = 1;
    parameters.columns = 1;
    parameters.clock_gating = ClockGating::None;
    Architecture::new(parameters).expect("one engine of a valid architecture is one")
}

/// A network of one layer and the codes of its picture.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The network.
    pub network: Network,
    /// Codes of one picture, NHWC.
    pub codes: Vec<i64>,
}

/// The layer of a recipe: a 1×1 convolution that takes at least so many steps. Planes past five, which no `dbq` layer has,
/// make it a `fixed` one.
pub fn sample(
    recipe: &Recipe,
    arch: &Architecture,
    steps: usize,
    draw: Draw,
) -> Result<Sample, Error> {
    let k = arch.lanes * recipe.chunks;
    let planes = arch.branches * recipe.passes;
    let is_fixed = recipe.is_fixed || 5 < planes;
    // Held trits meet many pixels; streaming ones, new channels every few pixels.
    let tiles = steps.div_ceil(recipe.chunks * recipe.passes) + 1;
    let (pixels, channels) = match recipe.trits {
        Trits::Held => (tiles.clamp(1, 64) * arch.rows, tiles.div_ceil(64)),
        Trits::Streaming => (4 * arch.rows, tiles.div_ceil(4)),
    };
    let channels = channels * arch.columns;
    let codes = recipe.activations.draw(pixels, k, draw);
    let pattern = |draw: Draw| -> i64 {
        let is_zero = draw(100) < u64::from(recipe.zero_percent);
        let sign = draw(2).cast_signed() * 2 - 1;
        if is_zero { 0 } else { sign }
    };
    let period = if recipe.trits == Trits::Held { arch.lanes } else { channels * k };
    let weights = if is_fixed {
        let planes = u32::try_from(planes.min(8)).expect("at most 8");
        let values = fixed_values(period, planes, draw, &pattern);
        let values = (0..channels * k).map(|i| values[i % period]).collect();
        Weights::Fixed { bits: (planes + 1).max(2), values }
    } else {
        let branches = u32::try_from(planes).expect("at most 5");
        let codes = (0..period)
            .map(|_| (0..branches).fold(0, |code, j| code + (pattern(draw) + 1) * 3_i64.pow(j)));
        let codes: Vec<i64> = codes.collect();
        let code = |i: usize| u8::try_from(codes[i % period]).expect("below 3^5");
        Weights::Dbq { branches, codes: (0..channels * k).map(code).collect() }
    };
    let network = network(recipe, arch, (pixels, k, channels), weights, draw)?;
    Ok(Sample { network, codes })
}

/// Integers whose sign-magnitude digits are zero as often as asked.
fn fixed_values(count: usize, planes: u32, draw: Draw, pattern: &dyn Fn(Draw) -> i64) -> Vec<i16> {
    let mut value = || {
        let magnitude = (0..planes).fold(0, |sum, j| sum + (pattern(draw).abs() << j));
        let sign = if draw(2) == 0 { -1 } else { 1 };
        i16::try_from(sign * magnitude).expect("at most 8 planes")
    };
    (0..count).map(|_| value()).collect()
}

fn network(
    recipe: &Recipe,
    arch: &Architecture,
    (pixels, k, channels): (usize, usize, usize),
    weights: Weights,
    draw: Draw,
) -> Result<Network, Error> {
    let sign = match recipe.activations {
        Activations::Signed => Sign::Signed,
        Activations::Uniform
        | Activations::Rectified
        | Activations::Sparse
        | Activations::Smooth
        | Activations::Still
        | Activations::Idle => Sign::Unsigned,
    };
    // As an exporter chooses it: the largest m uses all bits, and outputs fill their range. Few layers have an m below 0.
    let most = 1_i64 << (arch.scale_bits - 1);
    let are_signed = draw(4) == 0;
    let mut multiplier = || {
        let m = most / 4 + draw((most * 3 / 4).cast_unsigned()).cast_signed();
        let m = i32::try_from(m).expect("18 bits");
        if draw(2) == 0 && are_signed { -m } else { m }
    };
    let count = channels * weights.multipliers_per_channel();
    let multipliers = (0..count).map(|_| multiplier()).collect();
    let spread = (k as f64).sqrt() * 64.0 * (most as f64) / 2.0;
    let shift = (spread / 64.0).log2().round().clamp(1.0, 40.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 40")]
    let shift = shift as u32;
    let bias_most = 1_u64 << (shift + 5);
    let mut bias = || draw(2 * bias_most).cast_signed() - bias_most.cast_signed();
    let bias = (0..channels).map(|_| bias()).collect();
    let tensor = |shape, bits, sign| TensorType { shape, bits, sign, scale: 1.0 };
    Network::new(Description {
        name: recipe.name(),
        digits: Digits::SignMagnitude,
        scale_bits: arch.scale_bits,
        input: Input {
            tensor: tensor(Shape::new(1, pixels, k), 8, sign),
            tables: vec![[0; 256]; k],
        },
        layers: vec![Layer {
            name: recipe.name(),
            inputs: vec![TensorId::INPUT],
            operator: Operator::Dot(Dot {
                geometry: Geometry::Convolution {
                    window: Window::square(1, 1),
                    pads: Pads::default(),
                },
                weights,
                multipliers,
                bias,
                output: DotOutput::Requantize(Requantize { shift, low: 0, high: 255 }),
            }),
            output: tensor(Shape::new(1, pixels, channels), 8, Sign::Unsigned),
        }],
        provenance: Provenance::default(),
    })
}
