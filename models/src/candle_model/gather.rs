//! The pixels under the windows of a layer.

use std::ops::Range;

use candle_core::{Device, Tensor};
use tridot_sim::network::{Pads, Shape, Window};

use crate::Error;

/// Values gathered at once: enough to keep a matrix product busy, few enough to stay in a cache.
const PIECE_ELEMENTS: usize = 1 << 20;

/// Which input pixels each output pixel reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gather {
    pub(super) input: Shape,
    pub(super) output: Shape,
    pub(super) window: Window,
    pub(super) pads: Pads,
}

impl Gather {
    /// The input's pixels, and after them one that padded taps read.
    pub(super) fn source(&self, input: &Tensor, padding: f32) -> Result<Tensor, Error> {
        let padding = Tensor::full(padding, (1, self.input.channels), &Device::Cpu)?;
        Ok(Tensor::cat(&[input, &padding.to_dtype(input.dtype())?], 0)?)
    }

    /// Cuts the output pixels of `n` pictures into pieces that are gathered at once.
    pub(super) fn pieces(&self, n: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let pixels = n * self.output.pixels();
        let piece = (PIECE_ELEMENTS / (self.window.taps() * self.input.channels)).max(1);
        (0..pixels).step_by(piece).map(move |start| start..pixels.min(start + piece))
    }

    /// The taps of some output pixels: pixels × taps × channels.
    pub(super) fn taps(&self, source: &Tensor, pixels: Range<usize>) -> Result<Tensor, Error> {
        let padded = source.dim(0)? - 1;
        let count = pixels.len();
        let mut indices = Vec::with_capacity(count * self.window.taps());
        for pixel in pixels {
            let (picture, place) = (pixel / self.output.pixels(), pixel % self.output.pixels());
            let (row, column) = (place / self.output.width, place % self.output.width);
            for kernel_row in 0..self.window.kernel_height {
                let y = inside(
                    row * self.window.stride_height + kernel_row,
                    self.pads.top,
                    self.input.height,
                );
                for kernel_column in 0..self.window.kernel_width {
                    let x = inside(
                        column * self.window.stride_width + kernel_column,
                        self.pads.left,
                        self.input.width,
                    );
                    let index = y.zip(x).map_or(padded, |(y, x)| {
                        picture * self.input.pixels() + y * self.input.width + x
                    });
                    indices.push(i64::try_from(index).expect("a tensor in memory"));
                }
            }
        }
        let indices = Tensor::new(indices, &Device::Cpu)?;
        let taps = source.index_select(&indices, 0)?;
        Ok(taps.reshape((count, self.window.taps(), self.input.channels))?)
    }
}

/// A padded coordinate without its padding, or none if it lies in it.
fn inside(coordinate: usize, pad: usize, size: usize) -> Option<usize> {
    coordinate.checked_sub(pad).filter(|&coordinate| coordinate < size)
}
