//! Branch scales by least squares.
//!
//! Since Q(−w) = −Q(w), only magnitudes matter. Sorted once, with running sums of w and w², they
//! give the count and the sum of all weights of a level from two binary searches on its thresholds;
//! a round of "assign, then solve" then costs microseconds whatever the number of weights.

use tridot_sim::limits::MAX_BRANCHES;

use super::levels::{Levels, trits};
use crate::Error;

/// Rounds of "assign, then solve" after which a start is taken as it is.
const MAX_ROUNDS: usize = 2000;
/// A start is left when a round lowers the error by less than this part of it.
const LEAST_GAIN: f64 = 1e-7;
/// Ratios of neighbouring scales of the geometric starts: 1/3 is the uniform grid.
const START_RATIOS: [f64; 5] = [0.25, 1.0 / 3.0, 0.45, 0.6, 0.8];
/// Largest levels of the geometric starts, in root mean squares of the weights.
const START_TOPS: [f64; 4] = [1.5, 2.25, 3.0, 4.5];

/// Scales and codes of one set of weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Branch scales, not negative, largest first.
    pub scales: Vec<f64>,
    /// One packed code `Σ_j (trit_j + 1)·3^j` a weight: the hard quantizer at these scales.
    pub codes: Vec<u8>,
    /// Mean of (w − Q(w))².
    pub mean_squared_error: f64,
}

/// Scales of 1…5 branches that make the mean squared error of the quantized weights small.
///
/// From each of several starts it alternates "assign each weight to its nearest level" and "solve
/// the normal equations for the scales", until the error no longer falls, and takes the best. One
/// branch is solved exactly. The result depends neither on the order nor on the signs of the
/// weights, and adding a branch does not raise the error.
///
/// Refuses no weights, and weights that are not finite, by index.
pub fn fit(weights: &[f32], branches: u32) -> Result<Fit, Error> {
    if !(1..=MAX_BRANCHES).contains(&branches) {
        let limit = format!("between 1 and {MAX_BRANCHES}");
        return Err(Error::limit("weights", "the number of branches", limit, branches));
    }
    if weights.is_empty() {
        return Err(Error::limit("weights", "the number of weights", "at least 1", 0));
    }
    if let Some(k) = weights.iter().position(|weight| !weight.is_finite()) {
        return Err(Error::limit("weights", format!("weight {k}"), "finite", weights[k]));
    }
    let sample = Sorted::new(weights.iter().map(|&weight| weight.abs().into()).collect());
    let mut scales = best(&sample, branches as usize);
    scales.sort_by(|a, b| b.total_cmp(a));
    let levels = levels(&scales);
    let mean_squared_error = sample.squared_error(&levels) / weights.len() as f64;
    Ok(Fit { codes: levels.quantize_all(weights), scales, mean_squared_error })
}

/// Levels of scales that a fit has made.
fn levels(scales: &[f64]) -> Levels {
    Levels::new(scales).expect("a fit to f32 weights stays finite in f64")
}

/// The best scales over all starts.
fn best(sample: &Sorted, branches: usize) -> Vec<f64> {
    let mut refined = vec![sample.best_single_branch()];
    let mut greedy = refined.clone();
    for _ in 1..branches {
        extend(sample, &mut greedy);
        extend(sample, &mut refined);
        let starts = [refined, greedy.clone()].into_iter();
        let starts = starts.chain(geometric_starts(sample, greedy.len()));
        refined = starts
            .map(|start| {
                let scales = improve(sample, start);
                (sample.squared_error(&levels(&scales)), scales)
            })
            .reduce(|best, other| if other.0 < best.0 { other } else { best })
            .expect("there are two starts at least")
            .1;
    }
    refined
}

/// Adds the branch that is best for what the others leave of each weight.
fn extend(sample: &Sorted, scales: &mut Vec<f64>) {
    let levels = levels(scales);
    let rest = sample.magnitudes.iter().map(|&weight| (weight - levels.quantize(weight).0).abs());
    let added = Sorted::new(rest.collect()).best_single_branch();
    scales.push(added);
}

/// Scales in geometric progression, for several ratios and largest levels.
fn geometric_starts(sample: &Sorted, branches: usize) -> impl Iterator<Item = Vec<f64>> {
    let count = sample.magnitudes.len();
    let root_mean_square = (sample.sums[count].squares / count as f64).sqrt();
    let largest = sample.magnitudes[count - 1];
    let tops = START_TOPS.map(|top| top * root_mean_square).into_iter().chain([largest]);
    tops.flat_map(move |top| {
        START_RATIOS.map(|ratio| {
            let steps: Vec<f64> = std::iter::successors(Some(1.0), |step| Some(step * ratio))
                .take(branches)
                .collect();
            let sum: f64 = steps.iter().sum();
            steps.into_iter().map(|step| step * top / sum).collect()
        })
    })
}

/// Alternates assignment and solution until the error no longer falls.
fn improve(sample: &Sorted, start: Vec<f64>) -> Vec<f64> {
    let mut scales = start;
    let mut equations = NormalEquations::new(sample, &scales);
    for _ in 0..MAX_ROUNDS {
        let next = equations.solve(&scales);
        let next_equations = NormalEquations::new(sample, &next);
        if equations.squared_error * (1.0 - LEAST_GAIN) <= next_equations.squared_error {
            if next_equations.squared_error < equations.squared_error {
                scales = next;
            }
            break;
        }
        (scales, equations) = (next, next_equations);
    }
    scales
}

/// Sums over the weights of smallest magnitude.
#[derive(Debug, Clone, Copy)]
struct Sums {
    magnitudes: f64,
    squares: f64,
}

/// Magnitudes of weights in ascending order, with running sums.
#[derive(Debug)]
struct Sorted {
    magnitudes: Vec<f64>,
    /// Of the first 0, 1, 2, … magnitudes.
    sums: Vec<Sums>,
}

impl Sorted {
    fn new(mut magnitudes: Vec<f64>) -> Self {
        magnitudes.sort_unstable_by(f64::total_cmp);
        let mut sum = Sums { magnitudes: 0.0, squares: 0.0 };
        let mut sums = Vec::with_capacity(magnitudes.len() + 1);
        sums.push(sum);
        for &magnitude in &magnitudes {
            sum.magnitudes += magnitude;
            sum.squares += magnitude * magnitude;
            sums.push(sum);
        }
        Self { magnitudes, sums }
    }

    /// The scale of the best single branch.
    ///
    /// If the n weights of largest magnitude get a non-zero trit, the best scale is their mean
    /// S/n, and the error is Σw² − S²/n: the best n is found by trying all of them.
    fn best_single_branch(&self) -> f64 {
        let count = self.magnitudes.len();
        let total = self.sums[count].magnitudes;
        let mut best = (0.0, 0.0);
        for (first, sums) in self.sums[..count].iter().enumerate() {
            let (sum, n) = (total - sums.magnitudes, (count - first) as f64);
            let gain = sum * sum / n;
            if best.0 < gain {
                best = (gain, sum / n);
            }
        }
        best.1
    }

    /// For each level from 0 up: the range of magnitudes nearest to it.
    fn assign<'a>(&'a self, levels: &'a Levels) -> impl Iterator<Item = std::ops::Range<usize>> {
        let (_, _, thresholds) = levels.positive_half();
        let mut start = 0;
        (0..=thresholds.len()).map(move |level_idx| {
            // A magnitude on a threshold belongs to the smaller level.
            let end = thresholds.get(level_idx).map_or(self.magnitudes.len(), |threshold| {
                self.magnitudes.partition_point(|magnitude| magnitude <= threshold)
            });
            std::mem::replace(&mut start, end)..end
        })
    }

    /// The sum of (w − Q(w))², term by term.
    fn squared_error(&self, levels: &Levels) -> f64 {
        let mut sum = 0.0;
        for (range, &level) in self.assign(levels).zip(levels.positive_half().0) {
            for magnitude in &self.magnitudes[range] {
                sum += (magnitude - level).powi(2);
            }
        }
        sum
    }
}

/// `matrix · scales = right`: the scales that minimize the squared error of given codes.
#[derive(Debug)]
struct NormalEquations {
    matrix: [[f64; MAX_BRANCHES as usize]; MAX_BRANCHES as usize],
    right: [f64; MAX_BRANCHES as usize],
    /// Error of the scales that gave the codes.
    squared_error: f64,
}

impl NormalEquations {
    /// Assigns each weight to its nearest level and sums over the codes.
    fn new(sample: &Sorted, scales: &[f64]) -> Self {
        let levels = levels(scales);
        let (values, codes, _) = levels.positive_half();
        let mut equations =
            Self { matrix: Default::default(), right: Default::default(), squared_error: 0.0 };
        for ((range, &value), &code) in sample.assign(&levels).zip(values).zip(codes) {
            if range.is_empty() {
                continue;
            }
            let count = range.len() as f64;
            let (low, high) = (sample.sums[range.start], sample.sums[range.end]);
            let sum = high.magnitudes - low.magnitudes;
            let squares = high.squares - low.squares;
            equations.squared_error += squares - value * (2.0 * sum - count * value);
            let trits = trits(code).map(f64::from);
            for (i, trit) in trits.iter().enumerate().take(scales.len()) {
                equations.right[i] += trit * sum;
                for (j, other) in trits.iter().enumerate().take(scales.len()) {
                    equations.matrix[i][j] += trit * other * count;
                }
            }
        }
        equations
    }

    /// Solves for the scales, and turns a negative one positive: that negates a plane and moves no level.
    ///
    /// Elimination takes the largest remaining diagonal as pivot. The matrix counts trits, so it
    /// has no negative eigenvalue; a branch whose pivot vanishes beside its own count is a
    /// combination of the others or holds no trit, and keeps its scale.
    fn solve(&self, scales: &[f64]) -> Vec<f64> {
        let branches = scales.len();
        let mut matrix = self.matrix;
        // Unknown is the change of the scales, so that a branch left out changes by 0.
        let mut right: Vec<f64> = (0..branches)
            .map(|i| (0..branches).fold(self.right[i], |rest, j| rest - matrix[i][j] * scales[j]))
            .collect();
        let mut open: Vec<usize> = (0..branches).collect();
        let mut pivots = Vec::with_capacity(branches);
        while let Some(position) = (0..open.len())
            .max_by(|&a, &b| matrix[open[a]][open[a]].total_cmp(&matrix[open[b]][open[b]]))
        {
            let pivot = open.swap_remove(position);
            if matrix[pivot][pivot] <= 1e-9 * self.matrix[pivot][pivot] {
                continue;
            }
            for &row in &open {
                let factor = matrix[row][pivot] / matrix[pivot][pivot];
                for &column in &open {
                    matrix[row][column] -= factor * matrix[pivot][column];
                }
                right[row] -= factor * right[pivot];
            }
            pivots.push((pivot, open.clone()));
        }
        let mut change = vec![0.0; branches];
        for (pivot, later) in pivots.into_iter().rev() {
            let known = later
                .iter()
                .fold(right[pivot], |rest, &column| rest - matrix[pivot][column] * change[column]);
            change[pivot] = known / matrix[pivot][pivot];
        }
        scales.iter().zip(change).map(|(scale, change)| (scale + change).abs()).collect()
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are equal to the bit")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mean_squared_error(weights: &[f32], scales: &[f64]) -> f64 {
        let levels = Levels::new(scales).unwrap();
        let errors = weights.iter().map(|&w| (f64::from(w) - levels.quantize(w.into()).0).powi(2));
        errors.sum::<f64>() / weights.len() as f64
    }

    /// Relative to what weights all at 0 would cost, so that rounding has no say.
    fn tolerance(weights: &[f32]) -> f64 {
        1e-12 * mean_squared_error(weights, &[0.0])
    }

    /// The best single scale by trying every number of non-zero weights, the plain way.
    fn single_branch(weights: &[f32]) -> f64 {
        let mut magnitudes: Vec<f64> = weights.iter().map(|&w| f64::from(w).abs()).collect();
        magnitudes.sort_by(|a, b| b.total_cmp(a));
        let scales = (1..=magnitudes.len())
            .map(|n| magnitudes[..n].iter().sum::<f64>() / n as f64)
            .map(|scale| (mean_squared_error(weights, &[scale]), scale));
        scales.reduce(|best, other| if other.0 < best.0 { other } else { best }).unwrap().1
    }

    /// Branch by branch, each the best for what the ones before have left.
    fn greedy(weights: &[f32], branches: u32) -> f64 {
        let mut rest = weights.to_vec();
        for _ in 0..branches {
            let levels = Levels::new(&[single_branch(&rest)]).unwrap();
            for weight in &mut rest {
                #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
                let quantized = levels.quantize(f64::from(*weight)).0 as f32;
                *weight -= quantized;
            }
        }
        mean_squared_error(&rest, &[0.0])
    }

    fn weights() -> impl Strategy<Value = Vec<f32>> {
        let any = prop::collection::vec(-1.0..1.0_f32, 1..60);
        let cubed = any.clone().prop_map(|w| w.into_iter().map(|w| w * w * w).collect());
        let coarse = prop::collection::vec((-6..=6_i8).prop_map(|w| f32::from(w) / 4.0), 1..60);
        prop_oneof![any, cubed, coarse]
    }

    proptest! {
        #[test]
        fn one_branch_is_the_exact_optimum(weights in weights()) {
            let fit = fit(&weights, 1).unwrap();
            let best = mean_squared_error(&weights, &[single_branch(&weights)]);
            prop_assert!((fit.mean_squared_error - best).abs() <= tolerance(&weights));
        }

        #[test]
        fn never_worse_than_simpler_quantizers(weights in weights(), branches in 2..=3_u32) {
            let error = fit(&weights, branches).unwrap().mean_squared_error;
            // Greedy residuals are held in f32 here, hence the wider tolerance.
            let slack = 1e-6 * mean_squared_error(&weights, &[0.0]);
            prop_assert!(error <= greedy(&weights, branches) + slack);
            // The uniform grid to the largest weight.
            let largest = weights.iter().fold(0.0_f64, |most, &w| most.max(f64::from(w).abs()));
            let steps = (3_f64.powi(branches.cast_signed()) - 1.0) / 2.0;
            let grid: Vec<f64> = (0..branches)
                .map(|j| largest / steps * 3_f64.powi(j.cast_signed())).collect();
            prop_assert!(error <= mean_squared_error(&weights, &grid) + tolerance(&weights));
        }

        #[test]
        fn another_branch_never_raises_the_error(weights in weights()) {
            let errors = [1, 2, 3, 4].map(|b| fit(&weights, b).unwrap().mean_squared_error);
            for pair in errors.windows(2) {
                prop_assert!(pair[1] <= pair[0] + tolerance(&weights));
            }
        }

        #[test]
        fn signs_order_and_powers_of_two_change_nothing(
            weights in weights(), branches in 1..=3_u32, exponent in -20..20_i32, turns in 0..60_usize,
        ) {
            let plain = fit(&weights, branches).unwrap();
            let flipped: Vec<f32> = weights.iter().map(|w| -w).collect();
            let flipped = fit(&flipped, branches).unwrap();
            prop_assert_eq!(&plain.scales, &flipped.scales);
            let most = u8::try_from(3_u32.pow(branches) - 1).unwrap();
            let negated: Vec<u8> = plain.codes.iter().map(|code| most - code).collect();
            prop_assert_eq!(negated, flipped.codes);

            let factor = 2.0_f32.powi(exponent);
            let scaled: Vec<f32> = weights.iter().map(|w| w * factor).collect();
            let scaled = fit(&scaled, branches).unwrap();
            let scales: Vec<f64> = plain.scales.iter().map(|s| s * f64::from(factor)).collect();
            prop_assert_eq!(&scales, &scaled.scales);
            prop_assert_eq!(&plain.codes, &scaled.codes);

            let mut turned = weights.clone();
            turned.rotate_left(turns % weights.len());
            let turned = fit(&turned, branches).unwrap();
            prop_assert_eq!(&plain.scales, &turned.scales);
            prop_assert_eq!(plain.mean_squared_error, turned.mean_squared_error);
        }

        #[test]
        fn scales_are_sorted_and_give_the_codes_and_the_error(weights in weights(), branches in 1..=4_u32) {
            let fit = fit(&weights, branches).unwrap();
            prop_assert_eq!(fit.scales.len(), branches as usize);
            prop_assert!(fit.scales.is_sorted_by(|a, b| b <= a));
            let error = mean_squared_error(&weights, &fit.scales);
            prop_assert!((fit.mean_squared_error - error).abs() <= tolerance(&weights));
            prop_assert_eq!(Levels::new(&fit.scales).unwrap().quantize_all(&weights), fit.codes);
        }
    }

    #[test]
    fn weights_on_nine_levels_are_met_exactly() {
        // ±{0, 1, 3, 4, 2} with scales 3 and 1: the error of the right scales is 0.
        let weights: Vec<f32> = (-40..=40_i16).map(|k| f32::from(k % 5) / 8.0).collect();
        let fit = fit(&weights, 2).unwrap();
        assert!(fit.mean_squared_error < 1e-30);
        assert!((fit.scales[0] - 0.375).abs() < 1e-15 && (fit.scales[1] - 0.125).abs() < 1e-15);
    }

    #[test]
    fn an_all_zero_channel_has_scales_and_trits_of_zero() {
        for (branches, zero) in [(1, 1), (2, 4), (3, 13), (4, 40), (5, 121)] {
            let fit = fit(&[0.0, -0.0, 0.0], branches).unwrap();
            assert_eq!(fit.scales, vec![0.0; branches as usize]);
            // The code of no trit is Σ_j 3^j.
            assert_eq!(fit.codes, [zero; 3]);
            assert_eq!(fit.mean_squared_error, 0.0);
        }
    }

    #[test]
    fn one_magnitude_needs_one_branch() {
        let fit = fit(&[0.5, -0.5, 0.5], 3).unwrap();
        assert_eq!(fit.scales, [0.5, 0.0, 0.0]);
        assert_eq!(fit.codes, [14, 12, 14]);
    }

    #[test]
    fn weights_that_are_no_numbers_are_refused_with_their_index() {
        for (bad, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (-f32::INFINITY, "-inf")] {
            let error = fit(&[0.0, 1.0, bad], 2).unwrap_err().to_string();
            assert_eq!(error, format!("weights: weight 2 must be finite, got {text}"));
        }
        let error = fit(&[], 2).unwrap_err().to_string();
        assert_eq!(error, "weights: the number of weights must be at least 1, got 0");
        let error = fit(&[1.0], 6).unwrap_err().to_string();
        assert_eq!(error, "weights: the number of branches must be between 1 and 5, got 6");
    }

    #[test]
    fn the_largest_and_smallest_weights_stay_in_range() {
        for magnitude in [f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1)] {
            let fit = fit(&[magnitude, -magnitude, 0.0], 2).unwrap();
            assert_eq!(fit.scales, [magnitude.into(), 0.0]);
        }
    }

    #[test]
    fn large_layers_take_little_time() {
        // A bell-shaped layer from a linear congruential sequence: sums of four uniform numbers.
        let mut state = 1_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / 16_777_216.0 - 0.5
        };
        let weights: Vec<f32> = (0..300_000).map(|_| (0..4).map(|_| uniform()).sum()).collect();
        let errors = [1, 2, 3].map(|b| fit(&weights, b).unwrap().mean_squared_error);
        // Of the variance 1/3, a ternary quantizer leaves about a fifth, 9 levels about 3 %, 27 about 0.4 %.
        let parts = errors.map(|error| 3.0 * error);
        assert!((0.17..0.20).contains(&parts[0]), "{parts:?}");
        assert!((0.02..0.04).contains(&parts[1]), "{parts:?}");
        assert!((0.002..0.006).contains(&parts[2]), "{parts:?}");
    }
}
