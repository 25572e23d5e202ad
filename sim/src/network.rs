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
mod validate;
mod widths;

pub use codec::FORMAT;
pub use digits::signed_digits;
pub use widths::{CodeRange, Widths};

/// Height, width and channels of a tensor of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl Shape {
    /// A shape from height, width and channels.
    pub const fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// Values of a tensor of this shape. Only for shapes within [`crate::limits`].
    pub const fn elements(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Pixels of a tensor of this shape.
    pub const fn pixels(self) -> usize {
        self.height * self.width
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.height, self.width, self.channels)
    }
}

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

/// Kernel size and stride, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Rows of the kernel.
    pub kernel_height: usize,
    /// Columns of the kernel.
    pub kernel_width: usize,
    /// Rows between two output rows.
    pub stride_height: usize,
    /// Columns between two output columns.
    pub stride_width: usize,
}

impl Window {
    /// A square kernel with one stride both ways.
    pub const fn square(kernel: usize, stride: usize) -> Self {
        Self {
            kernel_height: kernel,
            kernel_width: kernel,
            stride_height: stride,
            stride_width: stride,
        }
    }

    /// Taps of the kernel.
    pub const fn taps(self) -> usize {
        self.kernel_height * self.kernel_width
    }
}

/// Rows and columns of padding, each smaller than the kernel's side. Padded taps hold code 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pads {
    /// Rows above the picture.
    pub top: usize,
    /// Columns left of it.
    pub left: usize,
    /// Rows below it.
    pub bottom: usize,
    /// Columns right of it.
    pub right: usize,
}

impl Pads {
    /// The same padding on all four sides.
    pub const fn all(pad: usize) -> Self {
        Self { top: pad, left: pad, bottom: pad, right: pad }
    }
}

/// Which inputs a dot product reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Geometry {
    /// Every output channel reads all input channels under the window.
    Convolution {
        /// Kernel and stride.
        window: Window,
        /// Padding.
        pads: Pads,
    },
    /// Output channel c reads input channel c alone.
    Depthwise {
        /// Kernel and stride.
        window: Window,
        /// Padding.
        pads: Pads,
    },
    /// One output pixel reads the whole input tensor, in NHWC order.
    Linear,
}

/// How the integers of a `fixed` layer become planes: a property of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Digits {
    /// Canonical signed digits: no two neighbouring digits are non-zero.
    Csd,
    /// The binary digits of the magnitude, each with the weight's sign.
    SignMagnitude,
}

/// The weights of a dot-product layer, output channel by output channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    /// A sum of scaled ternary branches.
    Dbq {
        /// Number of branches B, 1…5.
        branches: u32,
        /// One code a weight: `Σ_j (trit_j + 1)·3^j`, j from 0 (the branch of the largest scale).
        codes: Vec<u8>,
    },
    /// Symmetric b-bit integers, |w| ≤ 2^(b−1) − 1.
    Fixed {
        /// Width b, 2…16.
        bits: u32,
        /// One integer a weight.
        values: Vec<i16>,
    },
}

impl Weights {
    /// How many weights there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Dbq { codes, .. } => codes.len(),
            Self::Fixed { values, .. } => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Multipliers per output channel: one a branch, or one.
    pub fn multipliers_per_channel(&self) -> usize {
        match self {
            Self::Dbq { branches, .. } => *branches as usize,
            Self::Fixed { .. } => 1,
        }
    }

    /// Number of planes: B for `dbq`; for `fixed` the highest non-empty digit + 1 (0 if all weights are 0).
    pub fn planes(&self, digits: Digits) -> u32 {
        match self {
            Self::Dbq { branches, .. } => *branches,
            Self::Fixed { values, .. } => digits::plane_count(values, digits),
        }
    }

    /// The trit of one weight in one plane.
    pub fn trit(&self, plane: u32, weight_idx: usize, digits: Digits) -> i8 {
        match self {
            Self::Dbq { codes, .. } => digits::code_trit(codes[weight_idx], plane),
            Self::Fixed { values, .. } => signed_digits(values[weight_idx], digits)[plane as usize],
        }
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

impl Geometry {
    /// Length K of the dot products over an input of this shape.
    pub const fn fan_in(&self, input: Shape) -> usize {
        match self {
            Self::Convolution { window, .. } => window.taps() * input.channels,
            Self::Depthwise { window, .. } => window.taps(),
            Self::Linear => input.elements(),
        }
    }

    /// Multiply-accumulates of one picture.
    pub const fn macs(&self, input: Shape, output: Shape) -> u64 {
        output.elements() as u64 * self.fan_in(input) as u64
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
