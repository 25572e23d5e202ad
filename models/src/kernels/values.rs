//! Values as kernels read them: as they lie, or with an affine function per channel and a tail on the
//! way; and gradients through these.

use std::ops::Range;

use rayon::prelude::*;

use super::finish::{LEAST_ROW, Tail};
use super::lanes::{InstructionSet, compiled};
use super::piece;

/// Values per channel, repeated: one for each element of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PerChannel(Vec<f32>);

impl PerChannel {
    /// Of as many channels as there are values.
    pub(crate) fn new(values: &[f32]) -> Self {
        Self(values.repeat(LEAST_ROW.div_ceil(values.len())))
    }

    /// One value for each element of a row.
    pub(super) fn row(&self) -> &[f32] {
        &self.0
    }
}

/// `tail(gain · value + offset)`, per channel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Affine {
    /// Factors.
    pub(crate) gains: PerChannel,
    /// Terms.
    pub(crate) offsets: PerChannel,
    /// Activation and rounding.
    pub(crate) tail: Tail,
}

/// What makes the gradient by a layer's sums out of that by z = gain · sum + offset:
/// `scale · gradient + slope · sum + constant`, per channel. The last two lead through batch-norm
/// statistics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Through {
    /// Factors of the gradient.
    pub(crate) scales: PerChannel,
    /// Factors of the sum.
    pub(crate) slopes: PerChannel,
    /// Terms.
    pub(crate) constants: PerChannel,
}

/// Values as they lie in memory, or what becomes of them on the way into a kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    /// As they lie.
    Plain(&'a [f32]),
    /// `affine` of each.
    Finished(&'a [f32], &'a Affine),
    /// A gradient by `affine` of sums, made one by these sums.
    Gradient {
        /// By the output of `affine`.
        gradient: &'a [f32],
        /// What went into it.
        sums: &'a [f32],
        /// The function.
        affine: &'a Affine,
        /// What else leads to the sums.
        through: &'a Through,
    },
}

impl<'a> Values<'a> {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Plain(values)
            | Self::Finished(values, _)
            | Self::Gradient { gradient: values, .. } => values.len(),
        }
    }

    /// The values of some whole pixels where they lie in memory already.
    pub(super) fn in_place(&self, range: Range<usize>) -> Option<&'a [f32]> {
        match self {
            Self::Plain(values) => Some(&values[range]),
            Self::Finished(..) | Self::Gradient { .. } => None,
        }
    }

    /// Writes the values of whole pixels from element `start` on.
    pub(crate) fn copy(&self, set: InstructionSet, start: usize, out: &mut [f32]) {
        copy(set, self, start, out);
    }

    /// Writes all values, of so many channels, on all threads.
    pub(crate) fn copy_all(&self, set: InstructionSet, channels: usize, out: &mut [f32]) {
        let pixels = piece(out.len() / channels) * channels;
        let copy = |(i, out): (usize, &mut [f32])| self.copy(set, i * pixels, out);
        out.par_chunks_mut(pixels).enumerate().for_each(copy);
    }

    /// Writes whole pixels from element `start` on, each `stride` after the one before.
    pub(super) fn copy_pixels(
        &self,
        set: InstructionSet,
        start: usize,
        channels: usize,
        out: &mut [f32],
        stride: usize,
    ) {
        copy_pixels(set, self, start, channels, out, stride);
    }

    /// The same, to be inlined into what is compiled for an instruction set.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for an instruction set")]
    pub(super) fn read(&self, start: usize, out: &mut [f32]) {
        let range = start..start + out.len();
        match *self {
            Self::Plain(values) => out.copy_from_slice(&values[range]),
            Self::Finished(sums, affine) => {
                let (gains, offsets) = (affine.gains.row(), affine.offsets.row());
                let rows = out.chunks_mut(gains.len()).zip(sums[range].chunks(gains.len()));
                for (out, sums) in rows {
                    let channels = gains.iter().zip(offsets);
                    for ((out, sum), (gain, offset)) in out.iter_mut().zip(sums).zip(channels) {
                        *out = affine.tail.value(sum * gain + offset);
                    }
                }
            }
            Self::Gradient { gradient, sums, affine, through } => {
                let (gains, offsets) = (affine.gains.row(), affine.offsets.row());
                let row = gains.len();
                let (gradient, sums) = (&gradient[range.clone()], &sums[range]);
                let rows = out.chunks_mut(row).zip(gradient.chunks(row)).zip(sums.chunks(row));
                for ((out, gradient), sums) in rows {
                    let channels = gains.iter().zip(offsets).zip(through.rows());
                    let elements = out.iter_mut().zip(gradient).zip(sums);
                    for (((out, g), x), ((gain, offset), (scale, slope, constant))) in
                        elements.zip(channels)
                    {
                        let by_z = g * affine.tail.slopes(x * gain + offset).0;
                        *out = by_z * scale + (x * slope + constant);
                    }
                }
            }
        }
    }
}

compiled! {
    fn copy(values: &Values<'_>, start: usize, out: &mut [f32]) = copy_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn copy_body(values: &Values<'_>, start: usize, out: &mut [f32]) {
    values.read(start, out);
}

compiled! {
    fn copy_pixels(values: &Values<'_>, start: usize, channels: usize, out: &mut [f32], stride: usize)
        = copy_pixels_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn copy_pixels_body(
    values: &Values<'_>,
    start: usize,
    channels: usize,
    out: &mut [f32],
    stride: usize,
) {
    for (pixel, out) in out.chunks_mut(stride).enumerate() {
        values.read(start + pixel * channels, &mut out[..channels]);
    }
}

impl Through {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for an instruction set")]
    fn rows(&self) -> impl Iterator<Item = (&f32, &f32, &f32)> {
        let rows = self.scales.row().iter().zip(self.slopes.row()).zip(self.constants.row());
        rows.map(|((scale, slope), constant)| (scale, slope, constant))
    }
}
