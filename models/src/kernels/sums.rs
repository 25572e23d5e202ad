//! Sums over all pixels, channel by channel: moments for batch norm, and what its gradient needs.

use super::finish::{LEAST_ROW, SUMMED_ROWS};
use super::lanes::{InstructionSet, compiled};
use super::values::{Affine, PerChannel};

/// Sums over the elements of each channel, made of f32 sums over few rows.
#[derive(Debug, Clone, PartialEq)]
struct ChannelSums {
    totals: Vec<f64>,
    row: Vec<f32>,
}

impl ChannelSums {
    fn new(channels: usize) -> Self {
        let row = vec![0.0; LEAST_ROW.div_ceil(channels) * channels];
        Self { totals: vec![0.0; channels], row }
    }

    /// Takes over what was summed in f32.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for an instruction set")]
    fn settle(&mut self) {
        for row in self.row.chunks_exact_mut(self.totals.len()) {
            for (total, part) in self.totals.iter_mut().zip(row) {
                *total += f64::from(*part);
                *part = 0.0;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        for (total, part) in self.totals.iter_mut().zip(&other.totals) {
            *total += part;
        }
    }
}

/// Sums of values and of their squares, per channel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    sums: ChannelSums,
    squares: ChannelSums,
}

impl Moments {
    /// Of nothing.
    pub(crate) fn new(channels: usize) -> Self {
        Self { sums: ChannelSums::new(channels), squares: ChannelSums::new(channels) }
    }

    /// The sums of all parts, in their order.
    pub(crate) fn of_parts(channels: usize, parts: &[Self]) -> Self {
        let mut all = Self::new(channels);
        for part in parts {
            all.merge(part);
        }
        all
    }

    /// Sums and sums of squares so far.
    pub(crate) fn totals(&self) -> [&[f64]; 2] {
        [&self.sums.totals, &self.squares.totals]
    }

    /// Adds those of whole pixels.
    pub(crate) fn add(&mut self, set: InstructionSet, values: &[f32]) {
        add_moments(set, self, values);
    }

    /// Adds other values' sums.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
        self.squares.merge(&other.squares);
    }
}

compiled! {
    fn add_moments(moments: &mut Moments, values: &[f32]) = add_moments_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn add_moments_body(moments: &mut Moments, values: &[f32]) {
    let row = moments.sums.row.len();
    for block in values.chunks(row * SUMMED_ROWS) {
        for values in block.chunks(row) {
            let sums = moments.sums.row.iter_mut().zip(&mut moments.squares.row);
            for ((sum, square), value) in sums.zip(values) {
                *sum += value;
                *square += value * value;
            }
        }
        moments.sums.settle();
        moments.squares.settle();
    }
}

/// Sums over the gradient of a layer's output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AffineSums {
    sums: ChannelSums,
    products: ChannelSums,
    clips: ChannelSums,
}

impl AffineSums {
    /// Of nothing.
    pub(crate) fn new(channels: usize) -> Self {
        let none = ChannelSums::new(channels);
        Self { sums: none.clone(), products: none.clone(), clips: none }
    }

    /// Σ of the gradient by z, per channel.
    pub(crate) fn sums(&self) -> &[f64] {
        &self.sums.totals
    }

    /// Σ of the gradient by z times (value − center), per channel.
    pub(crate) fn products(&self) -> &[f64] {
        &self.products.totals
    }

    /// The gradient by the clip.
    pub(crate) fn clip(&self) -> f64 {
        self.clips.totals.iter().sum()
    }

    /// Adds those of whole pixels: the gradient by the output, and the values before the affine function.
    pub(crate) fn add(
        &mut self,
        set: InstructionSet,
        (affine, centers): (&Affine, &PerChannel),
        values: &[f32],
        gradient: &[f32],
    ) {
        add_affine_sums(set, self, affine, centers, values, gradient);
    }

    /// Adds other values' sums.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
        self.products.merge(&other.products);
        self.clips.merge(&other.clips);
    }
}

compiled! {
    fn add_affine_sums(sums: &mut AffineSums, affine: &Affine, centers: &PerChannel, values: &[f32], gradient: &[f32])
        = add_affine_sums_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn add_affine_sums_body(
    all: &mut AffineSums,
    affine: &Affine,
    centers: &PerChannel,
    values: &[f32],
    gradient: &[f32],
) {
    let (tail, row) = (affine.tail, all.sums.row.len());
    let channels = (affine.gains.row(), affine.offsets.row(), centers.row());
    let blocks = gradient.chunks(row * SUMMED_ROWS).zip(values.chunks(row * SUMMED_ROWS));
    for (gradient, values) in blocks {
        for (gradient, values) in gradient.chunks(row).zip(values.chunks(row)) {
            let channels = channels.0.iter().zip(channels.1).zip(channels.2);
            let elements = gradient.iter().zip(values).zip(channels);
            let sums = all.sums.row.iter_mut().zip(&mut all.products.row);
            if tail.codes.is_none() {
                for (((g, x), ((gain, offset), center)), (sum, product)) in elements.zip(sums) {
                    let by_z = g * tail.slopes(x * gain + offset).0;
                    *sum += by_z;
                    *product += by_z * (x - center);
                }
            } else {
                let sums = sums.zip(&mut all.clips.row);
                for (((g, x), ((gain, offset), center)), ((sum, product), clip)) in
                    elements.zip(sums)
                {
                    let (by_z, by_clip) = tail.slopes(x * gain + offset);
                    *clip += g * by_clip;
                    let by_z = g * by_z;
                    *sum += by_z;
                    *product += by_z * (x - center);
                }
            }
        }
        all.sums.settle();
        all.products.settle();
        if tail.codes.is_some() {
            all.clips.settle();
        }
    }
}
