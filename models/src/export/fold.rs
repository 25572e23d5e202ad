//! From real multipliers and biases to integers and one shift.

use std::ops::RangeInclusive;

use tridot_sim::limits;

use super::QuantizedWeights;
use crate::Error;

/// Integers between two ends; 0 is among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    /// Smallest.
    pub(super) low: i64,
    /// Largest.
    pub(super) high: i64,
}

impl Span {
    pub(super) fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    pub(super) fn times(self, factor: i64) -> Self {
        let ends = (self.low * factor, self.high * factor);
        Self { low: ends.0.min(ends.1), high: ends.0.max(ends.1) }
    }

    fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    /// The largest magnitude.
    fn most(self) -> f64 {
        self.high.max(-self.low) as f64
    }
}

/// What the multipliers multiply.
pub(super) enum Terms<'a> {
    /// One output channel, one multiplier for each of these quantities.
    Inputs(Vec<Span>),
    /// A dot product per output channel.
    Weights {
        /// Its weights.
        weights: &'a QuantizedWeights,
        /// Of each input code.
        span: Span,
    },
}

/// `y/2^s = Σ_j multiplier[j] · term[j] + bias` per output channel, in real numbers.
pub(super) struct Fold<'a> {
    /// Names the layer in refusals.
    pub(super) place: String,
    /// What the multipliers multiply.
    pub(super) terms: Terms<'a>,
    /// Those of output channel 0, then of channel 1, …
    pub(super) multipliers: Vec<f64>,
    /// One per output channel.
    pub(super) biases: Vec<f64>,
}

/// The same in integers: `y = Σ_j multiplier[j] · term[j] + bias`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Folded {
    /// s.
    pub(super) shift: i32,
    /// Integers of at most `scale_bits` bits.
    pub(super) multipliers: Vec<i32>,
    /// One per output channel.
    pub(super) biases: Vec<i64>,
    /// Two's-complement bits that hold every y.
    pub(super) bits: u32,
    /// Largest |y/2^s − its real value| of any input and channel.
    pub(super) rounding_error: f64,
}

/// Exponents of the unit of a raw output.
const RAW_SHIFTS: RangeInclusive<i32> = -60..=60;

impl Fold<'_> {
    /// With a right shift after it, and its rounding constant.
    pub(super) fn requantized(&self, scale_bits: u32) -> Result<Folded, Error> {
        let shift = |shift: &u32| i32::try_from(*shift).expect("a shift is at most 40");
        let shifts = shift(limits::SHIFT.start())..=shift(limits::SHIFT.end());
        self.largest_shift(shifts, scale_bits, |shift| 1 << (shift - 1))
    }

    /// Without one: y itself is the output, in units of 2^−s.
    pub(super) fn raw(&self, scale_bits: u32) -> Result<Folded, Error> {
        self.largest_shift(RAW_SHIFTS, scale_bits, |_| 0)
    }

    /// The largest shift with which multipliers, biases and y have their bits.
    fn largest_shift(
        &self,
        shifts: RangeInclusive<i32>,
        scale_bits: u32,
        rounding: impl Fn(i32) -> i64,
    ) -> Result<Folded, Error> {
        let most = f64::from((1_i32 << (scale_bits - 1)) - 1);
        let largest = self.multipliers.iter().fold(0.0_f64, |most, m| most.max(m.abs()));
        let smallest_shift = *shifts.start();
        let mut y_bits = None;
        for shift in shifts.rev() {
            if (largest * f64::from(shift).exp2()).round() <= most
                && let Some(folded) = self.at(shift, rounding(shift))
            {
                if folded.bits <= limits::MAX_Y_BITS {
                    return Ok(folded);
                }
                y_bits = Some(folded.bits);
            }
        }
        if let Some(bits) = y_bits {
            let limit = format!("at most {}", limits::MAX_Y_BITS);
            return Err(Error::limit(&self.place, "the bits that y needs", limit, bits));
        }
        let limit = format!(
            "at most {} to have {scale_bits} bits",
            most / f64::from(smallest_shift).exp2()
        );
        let what = "the largest multiplier (and bias)";
        Err(Error::limit(&self.place, what, limit, largest))
    }

    /// The integers at a shift; none if a bias has too many bits.
    fn at(&self, shift: i32, rounding: i64) -> Option<Folded> {
        let unit = f64::from(shift).exp2();
        let most_bias = ((1_i64 << (limits::MAX_Y_BITS - 1)) - 1) as f64;
        let bias = |bias: &f64| {
            let bias = (bias * unit).round();
            #[expect(clippy::cast_possible_truncation, reason = "at most 48 bits")]
            (bias.abs() <= most_bias).then_some(bias as i64)
        };
        let biases: Vec<i64> = self.biases.iter().map(bias).collect::<Option<_>>()?;
        #[expect(clippy::cast_possible_truncation, reason = "at most scale_bits")]
        let multipliers: Vec<i32> =
            self.multipliers.iter().map(|m| (m * unit).round() as i32).collect();
        let mut folded = Folded { shift, multipliers, biases, bits: 2, rounding_error: 0.0 };
        for channel in 0..self.biases.len() {
            let (span, error) = self.channel(channel, &folded, unit);
            let bits = bits_of(span).max(bits_of(Span { high: span.high + rounding, ..span }));
            folded.bits = folded.bits.max(bits);
            folded.rounding_error = folded.rounding_error.max(error);
        }
        Some(folded)
    }

    /// Every y of an output channel, and its worst rounding error in units of 2^s.
    fn channel(&self, channel: usize, folded: &Folded, unit: f64) -> (Span, f64) {
        let per_channel = self.multipliers.len() / self.biases.len();
        let range = channel * per_channel..(channel + 1) * per_channel;
        let integers = &folded.multipliers[range.clone()];
        let exact = self.multipliers[range].iter().map(|m| m * unit);
        let deltas: Vec<f64> = integers.iter().zip(exact).map(|(&m, e)| f64::from(m) - e).collect();
        let bias = folded.biases[channel];
        let mut span = Span { low: bias, high: bias };
        let mut error = (bias as f64 - self.biases[channel] * unit).abs();
        match &self.terms {
            Terms::Inputs(spans) => {
                for ((input, &m), delta) in spans.iter().zip(integers).zip(&deltas) {
                    span = span.plus(input.times(m.into()));
                    error += delta.abs() * input.most();
                }
            }
            Terms::Weights { weights, span: input } => {
                let fan_in = weights.weights.len() / self.biases.len();
                for k in channel * fan_in..(channel + 1) * fan_in {
                    let mut coefficient = 0.0;
                    let mut delta = 0.0;
                    for ((term, &m), d) in weights.terms(k).zip(integers).zip(&deltas) {
                        coefficient += term * f64::from(m);
                        delta += term * d;
                    }
                    #[expect(clippy::cast_possible_truncation, reason = "an integer below 2^36")]
                    let coefficient = coefficient as i64;
                    span = span.plus(input.times(coefficient));
                    error += delta.abs() * input.most();
                }
            }
        }
        (span, error / unit)
    }
}

/// Two's-complement bits that hold both ends.
fn bits_of(span: Span) -> u32 {
    let bits = |v: i64| 65 - if v < 0 { v.leading_ones() } else { v.leading_zeros() };
    bits(span.low).max(bits(span.high))
}
