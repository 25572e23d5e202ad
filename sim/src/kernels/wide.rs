//! Dot products whose sums need more than 32 bits: plain loops in i64, for `fixed` layers of long fan-in.

use super::dense::Walk;
use super::lanes::Shift;
use super::scale::Sink;

/// A layer that no vector driver takes.
#[derive(Debug)]
pub(super) struct Wide {
    pub(super) walk: Walk,
    /// Kernel rows, and the bytes between two of them.
    pub(super) rows: usize,
    pub(super) row_stride: usize,
    /// Taps of a kernel row, and the channels of each.
    pub(super) taps: usize,
    pub(super) pixel: usize,
    /// Whether output channel c reads input channel c alone.
    pub(super) depthwise: bool,
    pub(super) channels: usize,
    /// `[channel][kernel row][tap][input channel, unless depthwise]`.
    pub(super) weights: Vec<i16>,
    pub(super) multipliers: Vec<i32>,
    /// Over biased codes, with rounding constant and output bias.
    pub(super) bias: Vec<i64>,
    pub(super) shift: Option<Shift>,
}

/// Computes the layer over its image of bytes.
pub(super) fn run(layer: &Wide, image: &[u8], sink: &mut Sink<'_>) {
    let mut offsets = layer.walk.start();
    let fan_in = layer.weights.len() / layer.channels;
    for pixel in 0..layer.walk.pixels() {
        let window = &image[offsets.take()..];
        for (channel, weights) in layer.weights.chunks_exact(fan_in).enumerate() {
            let sum = layer.sum(window, channel, weights);
            let y = layer.bias[channel]
                .wrapping_add(sum.wrapping_mul(layer.multipliers[channel].into()));
            sink.put(pixel * layer.channels + channel, y, layer.shift);
        }
    }
}

impl Wide {
    fn sum(&self, window: &[u8], channel: usize, weights: &[i16]) -> i64 {
        let row_of = |row: usize| &window[row * self.row_stride..];
        let rows = weights.chunks_exact(weights.len() / self.rows).enumerate();
        if self.depthwise {
            return rows
                .map(|(row, weights)| {
                    let codes = row_of(row)[channel..].iter().step_by(self.pixel);
                    dot(codes.take(self.taps), weights)
                })
                .sum();
        }
        rows.map(|(row, weights)| dot(row_of(row).iter(), weights)).sum()
    }
}

fn dot<'a>(codes: impl Iterator<Item = &'a u8>, weights: &[i16]) -> i64 {
    codes.zip(weights).map(|(&code, &weight)| i64::from(i32::from(code) * i32::from(weight))).sum()
}
