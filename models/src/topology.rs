//! A network's shape, before any number is known: what a network file describes.
//!
//! Geometry, shapes, pads and windows are the types of [`tridot_sim::network`]. The form of a network
//! file is described in [`mod@file`]; [`fn@builtin`] gives those that are built in.

use tridot_sim::complexity::LayerShape;
use tridot_sim::network::{Geometry, Pads, Shape, TensorId, Window};

mod builtin;
mod expand;
pub mod file;
mod operator;
mod raw;
pub(crate) mod window;

#[cfg(test)]
mod tests;

pub use builtin::{builtin, builtin_names, builtin_text, text_of};

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

/// A dot-product layer with the shapes around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DotLayer<'a> {
    /// Its index in [`Topology::layers`].
    pub layer_idx: usize,
    /// The layer.
    pub layer: &'a TopologyLayer,
    /// Which inputs it reads.
    pub geometry: Geometry,
    /// Shape of its input.
    pub input: Shape,
    /// Shape of its output.
    pub output: Shape,
}

impl DotLayer<'_> {
    /// Length K of its dot products.
    pub const fn fan_in(&self) -> usize {
        self.geometry.fan_in(self.input)
    }

    /// Multiply-accumulates of one picture.
    pub const fn macs(&self) -> u64 {
        self.geometry.macs(self.input, self.output)
    }

    /// Number of weights, biases not counted.
    pub const fn weights(&self) -> u64 {
        self.fan_in() as u64 * self.output.channels as u64
    }
}

impl Topology {
    /// The shape of a tensor. Panics on an id that names none.
    pub fn shape(&self, id: TensorId) -> Shape {
        match id.layer() {
            None => self.input,
            Some(layer_idx) => self.layers[layer_idx].shape,
        }
    }

    /// The dot-product layers, in order.
    pub fn dot_layers(&self) -> impl Iterator<Item = DotLayer<'_>> {
        self.layers.iter().enumerate().filter_map(|(layer_idx, layer)| {
            let TopologyOperator::Dot { geometry, .. } = layer.operator else { return None };
            let input = self.shape(layer.inputs[0]);
            Some(DotLayer { layer_idx, layer, geometry, input, output: layer.shape })
        })
    }

    /// The same with biases in the place of batch norm.
    pub(crate) fn folded(&self) -> Self {
        let mut folded = self.clone();
        for layer in &mut folded.layers {
            if let TopologyOperator::Dot { bias, batch_norm, .. } = &mut layer.operator {
                (*bias, *batch_norm) = (Bias::Present, None);
            }
        }
        folded
    }

    /// The dot-product layers as [`tridot_sim::complexity::of_shapes`] takes them.
    pub fn layer_shapes(&self) -> Vec<LayerShape<'_>> {
        let shape = |DotLayer { layer, geometry, input, output, .. }| LayerShape {
            name: &layer.name,
            geometry,
            input,
            output,
        };
        self.dot_layers().map(shape).collect()
    }

    /// Multiply-accumulates of one picture in all dot-product layers.
    pub fn macs(&self) -> u64 {
        self.dot_layers().map(|layer| layer.macs()).sum()
    }

    /// Weights of all dot-product layers, biases and batch norm not counted.
    pub fn weights(&self) -> u64 {
        self.dot_layers().map(|layer| layer.weights()).sum()
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// As the network file does: `<layer>.weight`, `<layer>.bias`, `<norm>.running_mean`, …
    Layer,
    /// As Keras does: `conv2d`, `conv2d_1`, `depthwise_conv2d_3`, `batch_normalization_2`, `dense`, …
    Keras,
    /// By position among the dot-product layers: `01_dw` is depthwise, `00_conv` any other, the classifier
    /// too (its weights as those of a 1×1 convolution); batch norm folded.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// None.
    Identity,
    /// max(0, x).
    Relu,
    /// min(6, max(0, x)).
    Relu6,
}
