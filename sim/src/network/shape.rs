//! Sizes of tensors and of the windows that slide over them.

use serde::{Deserialize, Serialize};

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
