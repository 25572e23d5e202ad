//! How often which magnitude occurs, in one pass, whatever the range turns out to be.

use super::formats::Kind;

/// Bins on each side of zero. The largest magnitude lies in the upper half of them, so 8-bit
/// steps are at least 8 bins wide.
const BINS: usize = 4096;

/// Clips tried: the largest magnitude times 2^(−i/16).
const CLIPS: u32 = 81;

/// Counts of values by size. Zeros are not counted: every clip represents them exactly.
///
/// Bin i holds magnitudes in `i·2^e … (i + 1)·2^e` with the smallest e that holds all values, so the
/// counts depend neither on the order of the values nor on how they were split and merged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    exponent: i32,
    /// Negative values, then positive ones.
    counts: [Vec<u64>; 2],
    largest: f32,
    /// The first value found that is NaN or infinite.
    not_finite: Option<f32>,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            exponent: LOWEST,
            counts: [vec![0; BINS], vec![0; BINS]],
            largest: 0.0,
            not_finite: None,
        }
    }

    /// The first value that was NaN or infinite.
    pub(super) fn not_finite(&self) -> Option<f32> {
        self.not_finite
    }

    pub(super) fn add(&mut self, values: &[f32]) {
        let largest = values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        // `max` skips NaN.
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            self.not_finite.get_or_insert(*value);
            return;
        }
        self.make_room(largest);
        let per_width = 2.0_f32.powi(-self.exponent);
        for &value in values {
            if value != 0.0 {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the bin of a magnitude for which there is room"
                )]
                let bin = (value.abs() * per_width) as usize;
                self.counts[usize::from(0.0 < value)][bin] += 1;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.not_finite = self.not_finite.or(other.not_finite);
        self.make_room(other.largest);
        let shift = self.exponent - other.exponent;
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            for (bin, count) in theirs.iter().enumerate() {
                mine[bin >> shift.clamp(0, 63)] += count;
            }
        }
    }

    /// Doubles the bins' width until the magnitude has one.
    fn make_room(&mut self, largest: f32) {
        if self.largest == 0.0 && 0.0 < largest {
            // Nothing is counted yet: start at most one doubling below the right width.
            #[expect(clippy::cast_possible_truncation, reason = "an exponent of f32")]
            let exponent = (f64::from(largest) / BINS as f64).log2().floor() as i32 - 1;
            self.exponent = exponent.max(LOWEST);
        }
        self.largest = self.largest.max(largest);
        while 2.0_f32.powi(self.exponent) * BINS as f32 <= self.largest {
            self.exponent += 1;
            for counts in &mut self.counts {
                for bin in 0..BINS / 2 {
                    counts[bin] = counts[2 * bin] + counts[2 * bin + 1];
                }
                counts[BINS / 2..].fill(0);
            }
        }
    }

    /// The scale of codes of this kind with the least squared error; 1 where all values are 0.
    pub(super) fn best_scale(&self, kind: Kind) -> f64 {
        if self.largest == 0.0 {
            return 1.0;
        }
        let (low, high) = kind.code_limits();
        let scale =
            |i: u32| f64::from(self.largest) * (-f64::from(i) / 16.0).exp2() / f64::from(high);
        let mut best = (f64::INFINITY, scale(0));
        for scale in (0..CLIPS).map(scale) {
            let error = self.squared_error(scale, low.into(), high.into());
            if error < best.0 {
                best = (error, scale);
            }
        }
        best.1
    }

    fn squared_error(&self, scale: f64, low: f64, high: f64) -> f64 {
        let width = f64::from(self.exponent).exp2();
        let mut sum = 0.0;
        for (side, counts) in [-width, width].into_iter().zip(&self.counts) {
            for (bin, &count) in counts.iter().enumerate() {
                if count != 0 {
                    let value = (bin as f64 + 0.5) * side;
                    let code = (value / scale).round().clamp(low, high);
                    sum += count as f64 * (value - code * scale).powi(2);
                }
            }
        }
        sum
    }
}

/// The exponent before any value: below it, `f32` has no normal numbers left to scale exactly.
const LOWEST: i32 = -100;

#[cfg(test)]
mod tests {
    use tridot_sim::network::Sign;

    use super::*;

    fn values() -> Vec<f32> {
        (0..1000_i16).map(|i| (f32::from(i) * 37.0 % 1001.0 - 300.0) * 0.013).collect()
    }

    #[test]
    fn splitting_and_merging_changes_nothing() {
        let values = values();
        let mut whole = Histogram::new();
        whole.add(&values);
        for parts in [2, 7, 100] {
            let mut merged = Histogram::new();
            for part in values.chunks(values.len().div_ceil(parts)).rev() {
                let mut histogram = Histogram::new();
                histogram.add(part);
                merged.merge(&histogram);
            }
            assert_eq!(merged, whole);
        }
        assert_eq!(whole.counts.iter().flatten().sum::<u64>(), 999); // one value is zero
    }

    #[test]
    fn uniform_values_are_not_clipped_and_an_outlier_is() {
        let kind = Kind { bits: 4, sign: Sign::Unsigned };
        let mut histogram = Histogram::new();
        let uniform: Vec<f32> = (0..=1500_i16).map(|i| f32::from(i) / 100.0).collect();
        histogram.add(&uniform);
        // The ideal 16 cells of the range 0…15 that start around 0 are 15/15.5 = 0.968 wide.
        let scale = histogram.best_scale(kind);
        assert!((0.94..=1.0).contains(&scale), "{scale}");
        // One value of 30 among 15,010 costs 15²/15,010 = 0.015 if it is clipped to 15, where steps
        // cost 1/12 = 0.083; steps that reach it would cost 4/12.
        (0..9).for_each(|_| histogram.add(&uniform));
        histogram.add(&[30.0]);
        let scale = histogram.best_scale(kind);
        assert!((0.94..1.1).contains(&scale), "{scale}");
    }

    #[test]
    fn values_that_are_no_numbers_are_noticed() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut histogram = Histogram::new();
            histogram.add(&[1.0, bad, 2.0]);
            let found = histogram.not_finite().unwrap();
            assert_eq!(found.to_string(), bad.to_string());
        }
        let mut histogram = Histogram::new();
        histogram.add(&[0.0, 0.0]);
        assert_eq!(histogram.not_finite(), None);
        assert!((histogram.best_scale(Kind { bits: 8, sign: Sign::Signed }) - 1.0).abs() < 1e-12);
    }
}
