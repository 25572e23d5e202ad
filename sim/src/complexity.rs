//! `C_C`, `C_S`, `C_R`, `C_M`: what a network costs on no machine in particular.
//!
//! Dot-product layers are counted; batch norm, pooling and adds are not. D is the length of a dot
//! product without bias, ⌈log2 1⌉ = 0. All four are exact integers, by layer and in total.
//!
//! | measure | unit | `b_w`-bit integer weights | ternary weights, B branches |
//! |---|---|---|---|
//! | `C_C`, computational | 1-bit full adders | per output D·`b_w`·`b_x` + (D−1)(`b_x` + `b_w` + ⌈log2 D⌉ − 1) | per output and branch (D−1)(`b_x` + ⌈log2 D⌉) + `scale_bits`·(`b_x` + 1 + ⌈log2 D⌉) |
//! | `C_S`, sparse | 1-bit full adders | D replaced by the channel's non-zero weights | D replaced by the non-zero trits of the channel's branch |
//! | `C_R`, representational | bits | weights, and the input of each layer once | the same |
//! | `C_M`, storage | bits | `b_w` a weight | 2 a trit: 2·B a weight |
//!
//! The integer form of `C_C` is that of Sakr et al. (ICML 2017): D multipliers of `b_w`·`b_x` full adders,
//! D − 1 adders as wide as the sum. In the ternary form, ours, a trit costs nothing, D − 1 adders sum,
//! and one multiplier a branch scales the sum. In `C_S` the adders of a dot product of at most one
//! non-zero term cost nothing, and a dot product of none costs nothing at all: there is nothing to scale.
//! `C_S` needs the weights, so shapes alone do not give it. In `C_R` the input of a layer counts for each
//! layer that reads it.
//!
//! By hand: a linear layer of 4 inputs and 2 outputs, so D = 4, ⌈log2 4⌉ = 2, 8 weights.
//!
//! ```
//! use tridot_sim::complexity::{self, LayerShape, Precision};
//! use tridot_sim::network::{Geometry, Shape};
//!
//! let layer = LayerShape {
//!     name: "linear",
//!     geometry: Geometry::Linear,
//!     input: Shape::new(1, 1, 4),
//!     output: Shape::new(1, 1, 2),
//! };
//! let uniform = Precision::Uniform { weight_bits: 8, activation_bits: 8 };
//! let total = complexity::of_shapes(&[layer], uniform)?.total;
//! // C_C: 4·8·8 + 3·(8 + 8 + 2 − 1) = 307 an output.
//! assert_eq!(total.computational_full_adders, 2 * 307);
//! // C_M: 8 weights of 8 bits. C_R: these and 4 inputs of 8 bits.
//! assert_eq!((total.storage_bits, total.representational_bits), (64, 64 + 32));
//!
//! let ternary = Precision::Ternary { branches: 2, activation_bits: 8, scale_bits: 16 };
//! let total = complexity::of_shapes(&[layer], ternary)?.total;
//! // C_C: 3·(8 + 2) + 16·(8 + 1 + 2) = 206 an output and branch.
//! assert_eq!(total.computational_full_adders, 2 * 2 * 206);
//! // C_M: 8 weights of 2 trits of 2 bits.
//! assert_eq!((total.storage_bits, total.representational_bits), (32, 32 + 32));
//! # Ok::<(), tridot_sim::Error>(())
//! ```
//!
//! `C_S` of a branch (+1, 0, −1, +1): n = 3 non-zero trits, ⌈log2 3⌉ = 2; of (0, 0, −1, 0): n = 1; of
//! zeros: n = 0.
//!
//! ```
//! use tridot_sim::complexity::ternary_dot_product;
//! assert_eq!(ternary_dot_product(3, 8, 16), 2 * (8 + 2) + 16 * (8 + 1 + 2));
//! assert_eq!(ternary_dot_product(1, 8, 16), 16 * (8 + 1));
//! assert_eq!(ternary_dot_product(0, 8, 16), 0);
//! ```

use std::ops::RangeInclusive;

use crate::network::{Geometry, Network, Shape, Weights};
use crate::{Error, limits};

/// Widths for which the formulae are meant, in bits.
const BITS: RangeInclusive<u32> = 1..=32;

/// The measures of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complexity {
    /// Of each dot-product layer, in order.
    pub layers: Vec<LayerComplexity>,
    /// Their sum.
    pub total: Measures,
}

/// The measures of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerComplexity {
    /// The layer's name.
    pub name: String,
    /// Its measures.
    pub measures: Measures,
}

/// What one picture costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measures {
    /// `C_C` in 1-bit full adders.
    pub computational_full_adders: u64,
    /// `C_S` in 1-bit full adders; none where the weights are not known.
    pub sparse_full_adders: Option<u64>,
    /// `C_R` in bits.
    pub representational_bits: u64,
    /// `C_M` in bits.
    pub storage_bits: u64,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Weights, biases not counted.
    pub weights: u64,
}

/// A dot-product layer whose weights are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerShape<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which inputs it reads.
    pub geometry: Geometry,
    /// Shape of its input.
    pub input: Shape,
    /// Shape of its output.
    pub output: Shape,
}

/// What weights and activations are, the same in all layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Integers everywhere.
    Uniform {
        /// `b_w`, 1…32.
        weight_bits: u32,
        /// `b_x`, 1…32.
        activation_bits: u32,
    },
    /// Ternary weights everywhere, the first and the last layer too.
    Ternary {
        /// B, 1…5.
        branches: u32,
        /// `b_x`, 1…32.
        activation_bits: u32,
        /// Bits of a branch's multiplier, 2…18.
        scale_bits: u32,
    },
}

/// The measures of dot-product layers of one precision, from their shapes alone; `C_S` is not known.
pub fn of_shapes(layers: &[LayerShape<'_>], precision: Precision) -> Result<Complexity, Error> {
    precision.check()?;
    let layers = layers.iter().map(|layer| {
        layer.check()?;
        let fan_in = layer.fan_in();
        let (dot_product, weight_bits, activation_bits) = match precision {
            Precision::Uniform { weight_bits, activation_bits } => (
                integer_dot_product(fan_in, weight_bits, activation_bits),
                weight_bits,
                activation_bits,
            ),
            Precision::Ternary { branches, activation_bits, scale_bits } => {
                let branch = ternary_dot_product(fan_in, activation_bits, scale_bits);
                (u64::from(branches) * branch, 2 * branches, activation_bits)
            }
        };
        let full_adders = layer.output.elements() as u64 * dot_product;
        Ok(layer.complexity(full_adders, None, weight_bits, activation_bits))
    });
    Complexity::sum(layers.collect::<Result<_, Error>>()?)
}

/// The measures of a network: its own weights, tensor bits and multiplier bits.
pub fn of_network(network: &Network) -> Complexity {
    let layers = network.layers.iter().filter_map(|layer| {
        let dot = layer.dot()?;
        let input = network.input_of(layer);
        let output = layer.output.shape;
        let shape =
            LayerShape { name: &layer.name, geometry: dot.geometry, input: input.shape, output };
        let fan_in = shape.fan_in();
        let non_zero = non_zero_terms(&dot.weights, shape.geometry.fan_in(input.shape));
        let channels = output.channels as u64;
        let (dense, sparse, weight_bits) = match dot.weights {
            Weights::Fixed { bits, .. } => {
                let cost = |terms| integer_dot_product(terms, bits, input.bits);
                (channels * cost(fan_in), non_zero.into_iter().map(cost).sum::<u64>(), bits)
            }
            Weights::Dbq { branches, .. } => {
                let cost = |terms| ternary_dot_product(terms, input.bits, network.scale_bits);
                let dense = channels * u64::from(branches) * cost(fan_in);
                (dense, non_zero.into_iter().map(cost).sum::<u64>(), 2 * branches)
            }
        };
        let pixels = output.pixels() as u64;
        Some(shape.complexity(pixels * dense, Some(pixels * sparse), weight_bits, input.bits))
    });
    Complexity::sum(layers.collect()).expect("a network's limits keep its sums far below 2^64")
}

/// Full adders of a dot product of integers: `terms` products of `weight_bits` × `activation_bits`, summed.
pub fn integer_dot_product(terms: u64, weight_bits: u32, activation_bits: u32) -> u64 {
    if terms == 0 {
        return 0;
    }
    let (b_w, b_x) = (u64::from(weight_bits), u64::from(activation_bits));
    terms * b_w * b_x + (terms - 1) * (b_x + b_w + ceil_log2(terms) - 1)
}

/// Full adders of one branch's dot product: `terms` activations added or subtracted, the sum scaled once.
pub fn ternary_dot_product(terms: u64, activation_bits: u32, scale_bits: u32) -> u64 {
    if terms == 0 {
        return 0;
    }
    let b_x = u64::from(activation_bits);
    let levels = ceil_log2(terms);
    (terms - 1) * (b_x + levels) + u64::from(scale_bits) * (b_x + 1 + levels)
}

/// ⌈log2 n⌉ for n ≥ 1.
fn ceil_log2(n: u64) -> u64 {
    u64::from(u64::BITS - (n - 1).leading_zeros())
}

/// Non-zero weights of each output channel (`fixed`), or non-zero trits of each of its branches (`dbq`).
fn non_zero_terms(weights: &Weights, fan_in: usize) -> Vec<u64> {
    match weights {
        Weights::Fixed { values, .. } => {
            let count =
                |channel: &[i16]| channel.iter().filter(|&&value| value != 0).count() as u64;
            values.chunks(fan_in).map(count).collect()
        }
        Weights::Dbq { branches, codes } => {
            // A zero trit is digit 1 of the code in base 3.
            let is_set = |code: u8, branch: u32| u32::from(code) / 3_u32.pow(branch) % 3 != 1;
            let count = |channel: &[u8], branch| {
                channel.iter().filter(|&&code| is_set(code, branch)).count() as u64
            };
            let branches = *branches;
            let channels = codes.chunks(fan_in);
            channels.flat_map(|channel| (0..branches).map(move |j| count(channel, j))).collect()
        }
    }
}

impl LayerShape<'_> {
    fn fan_in(&self) -> u64 {
        self.geometry.fan_in(self.input) as u64
    }

    fn complexity(
        &self,
        computational_full_adders: u64,
        sparse_full_adders: Option<u64>,
        weight_bits: u32,
        activation_bits: u32,
    ) -> LayerComplexity {
        let weights = self.fan_in() * self.output.channels as u64;
        let storage_bits = weights * u64::from(weight_bits);
        let input_bits = self.input.elements() as u64 * u64::from(activation_bits);
        let measures = Measures {
            computational_full_adders,
            sparse_full_adders,
            representational_bits: storage_bits + input_bits,
            storage_bits,
            macs: self.geometry.macs(self.input, self.output),
            weights,
        };
        LayerComplexity { name: self.name.to_owned(), measures }
    }

    /// Shapes of a topology meet this; it keeps every product of a layer below 2^64.
    fn check(&self) -> Result<(), Error> {
        let place = format!("layer `{}`", self.name);
        for (what, shape) in [("the input's", self.input), ("the output's", self.output)] {
            let elements = shape.height.saturating_mul(shape.width).saturating_mul(shape.channels);
            let what = format!("{what} number of elements");
            within(&place, &what, elements, 1..=limits::MAX_TENSOR_ELEMENTS)?;
        }
        let taps = match self.geometry {
            Geometry::Convolution { window, .. } | Geometry::Depthwise { window, .. } => {
                let side = 1..=limits::MAX_KERNEL_SIDE;
                within(&place, "the kernel's height", window.kernel_height, side.clone())?;
                within(&place, "the kernel's width", window.kernel_width, side)?;
                window.taps()
            }
            Geometry::Linear => self.input.pixels(),
        };
        let most = taps.saturating_mul(self.input.channels);
        let fan_in = if self.geometry.is_depthwise() { taps } else { most };
        within(&place, "the length of a dot product", fan_in, 1..=limits::MAX_FAN_IN)
    }
}

impl Precision {
    fn check(self) -> Result<(), Error> {
        let place = "precision";
        match self {
            Self::Uniform { weight_bits, activation_bits } => {
                within(place, "bits of a weight", weight_bits, BITS)?;
                within(place, "bits of an activation", activation_bits, BITS)
            }
            Self::Ternary { branches, activation_bits, scale_bits } => {
                within(place, "branches", branches, 1..=limits::MAX_BRANCHES)?;
                within(place, "bits of an activation", activation_bits, BITS)?;
                within(place, "scale_bits", scale_bits, limits::SCALE_BITS)
            }
        }
    }
}

fn within<T>(place: &str, what: &str, value: T, limits: RangeInclusive<T>) -> Result<(), Error>
where
    T: PartialOrd + std::fmt::Display,
{
    if limits.contains(&value) {
        return Ok(());
    }
    let limit = format!("between {} and {}", limits.start(), limits.end());
    Err(Error::limit(place, what, limit, value))
}

impl Complexity {
    /// Adds up layers; refuses a total that does not fit 64 bits.
    fn sum(layers: Vec<LayerComplexity>) -> Result<Self, Error> {
        let mut total = Measures::ZERO;
        for layer in &layers {
            total = total.plus(&layer.measures).ok_or_else(|| {
                let place = format!("layer `{}`", layer.name);
                Error::malformed(place, "the sum of a measure so far does not fit 64 bits")
            })?;
        }
        Ok(Self { layers, total })
    }
}

impl Measures {
    const ZERO: Self = Self {
        computational_full_adders: 0,
        sparse_full_adders: Some(0),
        representational_bits: 0,
        storage_bits: 0,
        macs: 0,
        weights: 0,
    };

    /// The sum, unless it is too large; `C_S` is known only where both are.
    fn plus(&self, other: &Self) -> Option<Self> {
        let sparse_full_adders = match (self.sparse_full_adders, other.sparse_full_adders) {
            (Some(mine), Some(theirs)) => Some(mine.checked_add(theirs)?),
            (None, _) | (_, None) => None,
        };
        Some(Self {
            computational_full_adders: self
                .computational_full_adders
                .checked_add(other.computational_full_adders)?,
            sparse_full_adders,
            representational_bits: self
                .representational_bits
                .checked_add(other.representational_bits)?,
            storage_bits: self.storage_bits.checked_add(other.storage_bits)?,
            macs: self.macs.checked_add(other.macs)?,
            weights: self.weights.checked_add(other.weights)?,
        })
    }
}

#[cfg(test)]
mod tests;
