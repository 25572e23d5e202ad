//! A network's shape, before any number is known: what a network file describes.
//!
//! Geometry, shapes, pads and windows are the types of [`tridot_sim::network`].

use tridot_sim::network::{Geometry, Pads, Shape, TensorId, Window};

/// A network of layers in topological order, all shapes known.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    /// Name, e.g. `resnet20`.
    pub name: String,
    /// Height, width and channels of a picture.
    pub input: Shape,
    /// Number of classes: elements of the last tensor.
    pub classes: usize,
    /// What is done to a pixel before the first layer.
    pub normalization: Normalization,
    /// How a checkpoint of this network names its tensors.
    pub naming: Naming,
    /// The layers.
    pub layers: Vec<TopologyLayer>,
}

/// Per input channel: x = (pixel / 255 − mean) / std.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// Subtracted from pixel / 255.
    pub mean: Vec<f64>,
    /// Divisor after that, positive.
    pub std: Vec<f64>,
}

/// How a checkpoint names its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// As the network file does: `<layer>.weight`, `<layer>.bias`, `<norm>.running_mean`, …
    Layer,
    /// As Keras does: `conv2d`, `conv2d_1`, `depthwise_conv2d_3`, `batch_normalization_2`, `dense`, …
    Keras,
    /// By position: `00_conv`, `01_dw`, …, batch norm folded.
    Sequence,
}

/// One step; it makes one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TopologyLayer {
    /// Unique name, e.g. `layer1.0.conv1`.
    pub name: String,
    /// The tensors it reads; ids as in [`tridot_sim::network`].
    pub inputs: Vec<TensorId>,
    /// What it does.
    pub operator: TopologyOperator,
    /// The shape of the tensor it makes.
    pub shape: Shape,
}

/// What a layer does, in real numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum TopologyOperator {
    /// A convolution, depthwise convolution or linear layer, then batch norm, then an activation.
    Dot {
        /// Which inputs it reads.
        geometry: Geometry,
        /// Whether it adds a bias of its own.
        bias: Bias,
        /// Batch norm after it.
        batch_norm: Option<BatchNorm>,
        /// The function at its end.
        activation: Activation,
    },
    /// Residual add of two tensors, then an activation.
    Add {
        /// The function at its end.
        activation: Activation,
    },
    /// Mean of the window, no pads.
    AveragePool {
        /// Kernel and stride.
        window: Window,
    },
    /// Largest value under the window, padded taps ignored.
    MaxPool {
        /// Kernel and stride.
        window: Window,
        /// Padding.
        pads: Pads,
    },
    /// Channels `first .. first + channels`.
    Split {
        /// First channel taken.
        first: usize,
        /// Channels taken.
        channels: usize,
    },
    /// The channels of all inputs, one input after the other.
    Concat,
    /// Channel shuffle, as in [`tridot_sim::network::Operator::Shuffle`].
    Shuffle {
        /// Groups.
        groups: usize,
    },
    /// Pixels at multiples of the stride.
    Subsample {
        /// Rows between two rows kept.
        stride_height: usize,
        /// Columns between two columns kept.
        stride_width: usize,
    },
    /// Zero channels before and after the input's.
    ChannelPad {
        /// Channels before.
        before: usize,
        /// Channels after.
        after: usize,
    },
}

/// Whether a dot-product layer has a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// It has none.
    Absent,
    /// A checkpoint may hold one; zero where it does not (a convolution before batch norm).
    Optional,
    /// A checkpoint must hold one.
    Present,
}

/// Batch norm: y = γ·(x − mean)/√(variance + ε) + β, per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    /// Its name in a checkpoint, e.g. `layer1.0.bn1`.
    pub name: String,
    /// ε.
    pub epsilon: f64,
}

/// The function at the end of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// None.
    Identity,
    /// max(0, x).
    Relu,
    /// min(6, max(0, x)).
    Relu6,
}
