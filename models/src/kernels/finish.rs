//! What comes after the sums of a layer: an affine function per channel, an activation, rounding to
//! codes; and the gradients of all that, straight through the rounding.

use rayon::prelude::*;

use super::{PIECES, piece};

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

impl Tail {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the body of the loops over all values")]
    fn value(self, z: f32) -> f32 {
        let clamped = z.max(self.low).min(self.high);
        let Some(codes) = self.codes else { return clamped };
        let code = (clamped * (1.0 / codes.scale)).max(codes.low).min(codes.high);
        ((code + NO_FRACTION) - NO_FRACTION) * codes.scale
    }

    /// The derivatives by z and by the clip, which is `scale · high`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the body of the loops over all values")]
    fn slopes(self, z: f32) -> (f32, f32) {
        let clamped = z.max(self.low).min(self.high);
        let moves = if self.low < z && z < self.high { 1.0 } else { 0.0 };
        let Some(codes) = self.codes else { return (moves, 0.0) };
        let code = clamped * (1.0 / codes.scale);
        let held = code.max(codes.low).min(codes.high);
        let rounded = (held + NO_FRACTION) - NO_FRACTION;
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

fn repeated(values: &[f32]) -> Vec<f32> {
    values.repeat((LEAST_ROW / values.len()).max(1))
}

/// Elements of a piece of a tensor: whole repeated rows.
fn piece_elements(elements: usize, row: usize) -> usize {
    piece(elements.div_ceil(row)) * row
}

/// Wide sums folded to one per channel.
fn folded(wide: &[f64], channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for row in wide.chunks_exact(channels) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums
}

fn add_wide(total: &mut [f64], part: &mut [f32]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += f64::from(*part);
        *part = 0.0;
    }
}

/// Sums of values and of their squares per channel.
pub(crate) fn moments(values: &[f32], channels: usize) -> [Vec<f64>; 2] {
    let row = (LEAST_ROW / channels).max(1) * channels;
    let of_piece = |values: &[f32]| {
        let mut totals = [vec![0.0; row], vec![0.0; row]];
        let (mut sums, mut squares) = (vec![0.0_f32; row], vec![0.0_f32; row]);
        for block in values.chunks(row * SUMMED_ROWS) {
            for values in block.chunks(row) {
                for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(values) {
                    *sum += value;
                    *square += value * value;
                }
            }
            add_wide(&mut totals[0], &mut sums);
            add_wide(&mut totals[1], &mut squares);
        }
        totals.map(|wide| folded(&wide, channels))
    };
    let pieces = values.par_chunks(piece_elements(values.len(), row)).map(of_piece);
    total(&pieces.collect::<Vec<_>>(), channels)
}

fn total(parts: &[[Vec<f64>; 2]], channels: usize) -> [Vec<f64>; 2] {
    debug_assert!(parts.len() <= PIECES, "sums are added in few pieces");
    let mut totals = [vec![0.0; channels], vec![0.0; channels]];
    for part in parts {
        for (total, part) in totals.iter_mut().zip(part) {
            for (sum, value) in total.iter_mut().zip(part) {
                *sum += value;
            }
        }
    }
    totals
}

/// `out = tail(gain · value + offset)`, per channel.
pub(crate) fn affine(out: &mut [f32], values: &[f32], gains: &[f32], offsets: &[f32], tail: Tail) {
    let (gains, offsets) = (repeated(gains), repeated(offsets));
    let row = gains.len();
    let piece = piece_elements(values.len(), row);
    out.par_chunks_mut(piece).zip(values.par_chunks(piece)).for_each(|(out, values)| {
        for (out, values) in out.chunks_mut(row).zip(values.chunks(row)) {
            let channels = gains.iter().zip(&offsets);
            for ((out, value), (gain, offset)) in out.iter_mut().zip(values).zip(channels) {
                *out = tail.value(value * gain + offset);
            }
        }
    });
}

/// Sums over all values of a tensor's gradients.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AffineSums {
    /// Σ of the gradient by z, per channel.
    pub(crate) sums: Vec<f64>,
    /// Σ of the gradient by z times (value − center), per channel.
    pub(crate) products: Vec<f64>,
    /// The gradient by the clip.
    pub(crate) clip: f64,
}

/// An affine function per channel and the tail after it, with the centers of its gradient's products.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AffineTail<'a> {
    /// Per channel.
    pub(crate) gains: &'a [f32],
    /// Per channel.
    pub(crate) offsets: &'a [f32],
    /// Per channel, subtracted in [`AffineSums::products`].
    pub(crate) centers: &'a [f32],
    /// Activation and rounding.
    pub(crate) tail: Tail,
}

impl AffineTail<'_> {
    /// Turns the gradient by the output into that by z = gain · value + offset, in place.
    pub(crate) fn backward(&self, values: &[f32], gradient: &mut [f32]) -> AffineSums {
        let n_channels = self.gains.len();
        let [gains, offsets, centers] = [self.gains, self.offsets, self.centers].map(repeated);
        let row = gains.len();
        let piece = piece_elements(values.len(), row);
        let of_piece = |(gradient, values): (&mut [f32], &[f32])| {
            let mut totals = [vec![0.0; row], vec![0.0; row]];
            let mut clip_total = 0.0;
            let [mut sums, mut products, mut clips] = [(); 3].map(|()| vec![0.0_f32; row]);
            let blocks = gradient.chunks_mut(row * SUMMED_ROWS);
            for (gradient, values) in blocks.zip(values.chunks(row * SUMMED_ROWS)) {
                for (gradient, values) in gradient.chunks_mut(row).zip(values.chunks(row)) {
                    let channels = gains.iter().zip(&offsets).zip(&centers);
                    let parts = sums.iter_mut().zip(&mut products).zip(&mut clips);
                    let elements = gradient.iter_mut().zip(values);
                    for (((g, x), ((gain, offset), center)), ((sum, product), clip)) in
                        elements.zip(channels).zip(parts)
                    {
                        let (by_z, by_clip) = self.tail.slopes(x * gain + offset);
                        *clip += *g * by_clip;
                        *g *= by_z;
                        *sum += *g;
                        *product += *g * (x - center);
                    }
                }
                add_wide(&mut totals[0], &mut sums);
                add_wide(&mut totals[1], &mut products);
                clip_total += clips.iter().map(|&clip| f64::from(clip)).sum::<f64>();
                clips.fill(0.0);
            }
            (totals.map(|wide| folded(&wide, n_channels)), clip_total)
        };
        let pieces = gradient.par_chunks_mut(piece).zip(values.par_chunks(piece)).map(of_piece);
        let (parts, clips): (Vec<_>, Vec<f64>) = pieces.collect::<Vec<_>>().into_iter().unzip();
        let [sums, products] = total(&parts, n_channels);
        AffineSums { sums, products, clip: clips.iter().sum() }
    }
}

/// `gradient = scale · gradient + slope · value + offset`, per channel, in place: the gradient through
/// batch-norm statistics.
pub(crate) fn through_statistics(
    gradient: &mut [f32],
    values: &[f32],
    [scales, slopes, offsets]: [&[f32]; 3],
) {
    let [scales, slopes, offsets] = [scales, slopes, offsets].map(repeated);
    let row = scales.len();
    let piece = piece_elements(values.len(), row);
    gradient.par_chunks_mut(piece).zip(values.par_chunks(piece)).for_each(|(gradient, values)| {
        for (gradient, values) in gradient.chunks_mut(row).zip(values.chunks(row)) {
            let channels = scales.iter().zip(&slopes).zip(&offsets);
            for ((g, x), ((scale, slope), offset)) in gradient.iter_mut().zip(values).zip(channels)
            {
                *g = *g * scale + x * slope + offset;
            }
        }
    });
}

/// The tail alone, in place.
pub(crate) fn tail(values: &mut [f32], tail: Tail) {
    values.par_chunks_mut(piece_elements(values.len(), LEAST_ROW)).for_each(|values| {
        for value in values {
            *value = tail.value(*value);
        }
    });
}

/// Turns the gradient by the output of a tail into that by its input; returns that by the clip.
pub(crate) fn tail_backward(values: &[f32], gradient: &mut [f32], tail: Tail) -> f64 {
    let (zeros, ones) = ([0.0], [1.0]);
    let identity = AffineTail { gains: &ones, offsets: &zeros, centers: &zeros, tail };
    identity.backward(values, gradient).clip
}

/// `sum += value`, element by element.
pub(crate) fn add(sums: &mut [f32], values: &[f32]) {
    let piece = piece_elements(values.len(), LEAST_ROW);
    sums.par_chunks_mut(piece).zip(values.par_chunks(piece)).for_each(|(sums, values)| {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    });
}
