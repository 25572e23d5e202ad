//! The tail of a layer: an activation, and rounding to codes whose gradient goes straight through.

use super::lanes::compiled;

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
pub(crate) const NO_FRACTION: f32 = 12_582_912.0;

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
pub(super) const LEAST_ROW: usize = 128;
/// Rows whose sums stay in f32.
pub(super) const SUMMED_ROWS: usize = 16;

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
