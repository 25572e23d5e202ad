//! The integer network: what the hardware computes, and all that it computes.
//!
//! Tensors are NHWC. A dot product's K runs over kernel row, kernel column, input channel (fastest).
//! For output channel `c` with `K` inputs, weight `k` is element `c * K + k` of the layer's weights.
//!
//! ```text
//! acc[j] = Σ_k plane[j][c][k] · x[k]
//! y      = Σ_j m[c][j] · acc[j] + bias[c]              dbq: one multiplier per branch
//! y      = m[c] · (Σ_j acc[j] · 2^j) + bias[c]         fixed: planes are signed digits
//! out    = clamp((y + 2^(s-1)) >> s, low, high)        arithmetic shift: rounds half up
//! ```
//!
//! A [`Network`] is made by [`Network::new`], which checks everything once; it then derefs to its
//! [`Description`] and cannot be changed, so nothing downstream checks it again.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::Error;

mod codec;
mod digits;
mod shape;
mod validate;
mod weights;
mod widths;

pub use codec::FORMAT;
pub use digits::signed_digits;
pub use shape::{Geometry, Pads, Shape, Window};
pub use weights::{Digits, Weights};
pub use widths::{CodeRange, Widths};

/// Whether a tensor's codes are two's complement or natural numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Codes 0 … 2^bits − 1.
    Unsigned,
    /// Codes −2^(bits−1) … 2^(bits−1) − 1.
    Signed,
}

/// Shape, width and meaning of a tensor's codes: a code stands for `code · scale`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorType {
    /// Height, width, channels.
    pub shape: Shape,
    /// Width of a code: 1…8 unsigned, 2…8 signed; up to 48 for the raw output of the last layer.
    pub bits: u32,
    /// Whether codes are signed.
    pub sign: Sign,
    /// The real number that code 1 stands for. Finite and positive; nothing integer depends on it.
    pub scale: f64,
}

/// Names a tensor: 0 is the network's input, `i + 1` is the output of layer `i`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TensorId(pub usize);

impl TensorId {
    /// The network's input.
    pub const INPUT: Self = Self(0);

    /// The output of the layer of this index.
    pub const fn of_layer(layer_idx: usize) -> Self {
        Self(layer_idx + 1)
    }

    /// The index of the layer that makes the tensor, or none for the network's input.
    pub const fn layer(self) -> Option<usize> {
        self.0.checked_sub(1)
    }
}

/// The end of every operator that scales: `clamp((y + 2^(shift−1)) >> shift, low, high)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requantize {
    /// Arithmetic right shift s, 1…40.
    pub shift: u32,
    /// Smallest output, at most 0.
    pub low: i32,
    /// Largest output, at least 0.
    pub high: i32,
}

/// What a dot-product layer puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DotOutput {
    /// Codes of the output tensor.
    Requantize(Requantize),
    /// y itself, for the last layer of a network only.
    Raw,
}

/// A convolution, a depthwise convolution or a linear layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dot {
    /// Which inputs it reads.
    pub geometry: Geometry,
    /// Its weights.
    pub weights: Weights,
    /// m: `multipliers_per_channel` for output channel 0, then for channel 1, …
    pub multipliers: Vec<i32>,
    /// One bias per output channel, in units of y.
    pub bias: Vec<i64>,
    /// What happens to y.
    pub output: DotOutput,
}

/// What a layer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// A dot-product layer, on the array.
    Dot(Dot),
    /// Residual add of two tensors of equal shape: `y = m_a·a + m_b·b`.
    Add {
        /// `m_a`, `m_b`.
        multipliers: [i32; 2],
        /// What happens to y.
        requantize: Requantize,
    },
    /// y = m·a.
    Rescale {
        /// m.
        multiplier: i32,
        /// What happens to y.
        requantize: Requantize,
    },
    /// y = m · (sum of the window), no pads.
    AveragePool {
        /// Kernel and stride.
        window: Window,
        /// m.
        multiplier: i32,
        /// What happens to y.
        requantize: Requantize,
    },
    /// The largest code under the window; padded taps are ignored.
    MaxPool {
        /// Kernel and stride.
        window: Window,
        /// Padding.
        pads: Pads,
    },
    /// Channels `first .. first + channels` of the input.
    Split {
        /// First channel taken.
        first: usize,
        /// Channels taken.
        channels: usize,
    },
    /// The channels of all inputs, one input after the other.
    Concat,
    /// Channel shuffle: with C channels in g groups, output channel `i·g + j` is input channel `j·(C/g) + i`.
    Shuffle {
        /// g, a divisor of the channels.
        groups: usize,
    },
    /// Pixels at multiples of the stride, from the first.
    Subsample {
        /// Rows between two rows kept.
        stride_height: usize,
        /// Columns between two columns kept.
        stride_width: usize,
    },
    /// Channels of code 0 before and after the input's.
    ChannelPad {
        /// Channels before.
        before: usize,
        /// Channels after.
        after: usize,
    },
}

/// One step of the network: it makes one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Unique name, as in the network file it came from.
    pub name: String,
    /// The tensors it reads: one, or two for `Add`, or at least two for `Concat`.
    pub inputs: Vec<TensorId>,
    /// What it does.
    pub operator: Operator,
    /// The tensor it makes.
    pub output: TensorType,
}

impl Layer {
    /// The dot-product layer, if it is one.
    pub fn dot(&self) -> Option<&Dot> {
        if let Operator::Dot(dot) = &self.operator { Some(dot) } else { None }
    }
}

/// How pictures come in.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The tensor after the tables.
    pub tensor: TensorType,
    /// Per input channel, the code of each of the 256 values of a u8 pixel.
    pub tables: Vec<[i16; 256]>,
}

/// How many of how many pictures were classified as labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Pictures classified.
    pub samples: u64,
    /// Of these, as labelled.
    pub correct: u64,
}

impl Accuracy {
    /// Correct in percent of the samples; 0 of 0 is 0.
    pub fn percent(self) -> f64 {
        if self.samples == 0 { 0.0 } else { 100.0 * self.correct as f64 / self.samples as f64 }
    }
}

/// Where a network came from. Nothing is computed from it. In a file, nothing may be missing: what is
/// not known is null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// What trained or calibrated it, e.g. `cifar10`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub data: Option<String>,
    /// Pictures that calibrated it.
    pub calibration_samples: u64,
    /// Seed of everything random on the way.
    pub seed: u64,
    /// The plan in full, as TOML.
    pub plan: String,
    /// Per input channel: mean that was subtracted from pixel / 255.
    pub mean: Vec<f64>,
    /// Per input channel: divisor after that.
    pub std: Vec<f64>,
    /// Whether batch norm was re-estimated after quantization, and the losses that decided.
    pub batch_norm: String,
    /// Float network on the test pictures.
    #[serde(deserialize_with = "Option::deserialize")]
    pub float_accuracy: Option<Accuracy>,
    /// This network on the test pictures.
    #[serde(deserialize_with = "Option::deserialize")]
    pub integer_accuracy: Option<Accuracy>,
}

/// All that a network is made of, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Name of the topology, e.g. `resnet20`.
    pub name: String,
    /// How `fixed` weights become planes.
    pub digits: Digits,
    /// Width of every multiplier, 2…18.
    pub scale_bits: u32,
    /// How pictures come in.
    pub input: Input,
    /// Steps in topological order; the last one's tensor is the network's output.
    pub layers: Vec<Layer>,
    /// Where it came from.
    pub provenance: Provenance,
}

impl Description {
    /// The type of a tensor. Panics on an id that names none.
    pub fn tensor(&self, id: TensorId) -> &TensorType {
        match id.layer() {
            None => &self.input.tensor,
            Some(layer_idx) => &self.layers[layer_idx].output,
        }
    }

    /// The type of the only (or first) input of a layer.
    pub fn input_of(&self, layer: &Layer) -> &TensorType {
        self.tensor(layer.inputs[0])
    }

    /// Length of the dot products of a layer: K.
    pub fn fan_in(&self, layer: &Layer, dot: &Dot) -> usize {
        dot.geometry.fan_in(self.input_of(layer).shape)
    }
}

/// A network that has been checked; it derefs to its [`Description`].
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    description: Description,
    ranges: Vec<CodeRange>,
    widths: Vec<Option<Widths>>,
}

impl Deref for Network {
    type Target = Description;

    fn deref(&self) -> &Description {
        &self.description
    }
}

impl Network {
    /// Checks a description: shapes, ranges, cross-references and widths; names the layer of the first fault.
    pub fn new(description: Description) -> Result<Self, Error> {
        validate::check(&description)?;
        let ranges = widths::code_ranges(&description);
        let widths = widths::all(&description, &ranges)?;
        Ok(Self { description, ranges, widths })
    }

    /// The description, to be changed and checked anew.
    pub fn into_description(self) -> Description {
        self.description
    }

    /// The codes that a tensor can hold, worst case of clamps and tables; code 0 is always among them.
    pub fn range(&self, id: TensorId) -> CodeRange {
        self.ranges[id.0]
    }

    /// The bits that the accumulators and y of a dot-product layer need; none for other layers.
    pub fn widths(&self, layer_idx: usize) -> Option<Widths> {
        self.widths[layer_idx]
    }

    /// The output tensor's id.
    pub fn output_id(&self) -> TensorId {
        TensorId(self.layers.len())
    }
}
