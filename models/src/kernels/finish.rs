//! What comes after the sums of a layer: an affine function per channel, an activation, rounding to
//! codes; and the gradients of all that, straight through the rounding.

use std::ops::Range;

use super::lanes::{InstructionSet, compiled};

/// Codes of a tensor: a value becomes the nearest multiple of `scale` between `low` and `high` steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Codes {
    /// The real number of code 1.
    pub(crate) scale: f32,
    /// The smallest code.
    pub(crate) low: f32,
    /// The largest code.
    pub(crate) high: f32,
}

/// An activation that clamps, and the rounding after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tail {
    /// Smaller values become this one: 0 or −∞.
    pub(crate) low: f32,
    /// Larger values become this one: 6 or ∞.
    pub(crate) high: f32,
    /// None where values stay real numbers.
    pub(crate) codes: Option<Codes>,
}

/// Adding and subtracting 1.5·2^23 leaves no fraction bits; `round` would be a call for each value.
const NO_FRACTION: f32 = 12_582_912.0;

/// Between two limits; what is no number stays none, so that it shows.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the body of the loops over all values")]
fn held(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if high < value { high } else { value }
}

impl Tail {
    /// Neither activation nor rounding.
    pub(crate) const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY, codes: None };

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the body of the loops over all values")]
    pub(super) fn value(self, z: f32) -> f32 {
        let clamped = held(z, self.low, self.high);
        let Some(codes) = self.codes else { return clamped };
        let code = held(clamped * (1.0 / codes.scale), codes.low, codes.high);
        ((code + NO_FRACTION) - NO_FRACTION) * codes.scale
    }

    /// The derivatives by z and by the clip, which is `scale · high`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the body of the loops over all values")]
    pub(super) fn slopes(self, z: f32) -> (f32, f32) {
        let moves = if self.low < z && z < self.high { 1.0 } else { 0.0 };
        let Some(codes) = self.codes else { return (moves, 0.0) };
        let code = held(z, self.low, self.high) * (1.0 / codes.scale);
        let rounded = (held(code, codes.low, codes.high) + NO_FRACTION) - NO_FRACTION;
        let inside = if codes.low <= code && code <= codes.high { 1.0 } else { 0.0 };
        // y = scale · round(z / scale) inside, scale · limit outside; d scale = d clip / high.
        let by_clip = (rounded - inside * code) * (1.0 / codes.high);
        (moves * inside, by_clip)
    }
}

/// How often values per channel are repeated, so that inner loops are long with few channels too.
const LEAST_ROW: usize = 128;
/// Rows whose sums stay in f32.
const SUMMED_ROWS: usize = 16;

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

compiled! {
    /// `sums += values`, element by element.
    pub(crate) fn add_to(sums: &mut [f32], values: &[f32]) = add_to_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn add_to_body(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

compiled! {
    /// The tail alone, in place.
    pub(crate) fn tail(values: &mut [f32], tail: Tail) = tail_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn tail_body(values: &mut [f32], tail: Tail) {
    for value in values {
        *value = tail.value(*value);
    }
}

compiled! {
    /// Turns the gradient by the output of a tail into that by its input; returns that by the clip.
    pub(crate) fn tail_backward(values: &[f32], gradient: &mut [f32], tail: Tail) -> f64
        = tail_backward_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn tail_backward_body(values: &[f32], gradient: &mut [f32], tail: Tail) -> f64 {
    let mut total = 0.0;
    for (gradient, values) in
        gradient.chunks_mut(LEAST_ROW * SUMMED_ROWS).zip(values.chunks(LEAST_ROW * SUMMED_ROWS))
    {
        let mut clips = [0.0; LEAST_ROW];
        for (gradient, values) in gradient.chunks_mut(LEAST_ROW).zip(values.chunks(LEAST_ROW)) {
            for ((g, x), clip) in gradient.iter_mut().zip(values).zip(&mut clips) {
                let (by_z, by_clip) = tail.slopes(*x);
                *clip += *g * by_clip;
                *g *= by_z;
            }
        }
        total += clips.iter().map(|&clip| f64::from(clip)).sum::<f64>();
    }
    total
}
