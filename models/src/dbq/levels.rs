//! The levels of a set of branch scales, and the nearest of them to a weight.

use tridot_sim::limits::MAX_BRANCHES;

use crate::Error;

/// All distinct levels of some branch scales: the hard quantizer.
///
/// ```
/// use tridot_models::dbq::Levels;
/// let levels = Levels::new(&[3.0, 1.0])?;
/// assert_eq!(levels.values(), [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
/// // 2.2 becomes 2 = 3·(+1) + 1·(−1), whose code is (1 + 1)·1 + (−1 + 1)·3.
/// assert_eq!(levels.quantize(2.2), (2.0, 2));
/// # Ok::<(), tridot_models::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    branches: u32,
    /// The distinct levels from 0 up; the others are their negatives.
    magnitudes: Vec<f64>,
    /// The code of each magnitude.
    codes: Vec<u8>,
    /// `thresholds[i]` lies between `magnitudes[i]` and `magnitudes[i + 1]`.
    thresholds: Vec<f64>,
}

impl Levels {
    /// The levels of 1…5 scales, each finite and not negative, in any order.
    pub fn new(scales: &[f64]) -> Result<Self, Error> {
        check_scales(scales)?;
        let mut levels: Vec<(f64, u8)> = sums(scales);
        levels.retain(|&(value, _)| 0.0 <= value);
        levels.sort_unstable_by(|a, b| {
            a.0.total_cmp(&b.0).then_with(|| preference(a.1).cmp(&preference(b.1)))
        });
        levels.dedup_by(|later, earlier| later.0 <= earlier.0);
        let (magnitudes, codes): (Vec<f64>, Vec<u8>) = levels.into_iter().unzip();
        let thresholds = magnitudes.windows(2).map(|pair| threshold(pair[0], pair[1])).collect();
        let branches = u32::try_from(scales.len()).expect("the number of scales has been checked");
        Ok(Self { branches, magnitudes, codes, thresholds })
    }

    /// The distinct levels, ascending.
    pub fn values(&self) -> Vec<f64> {
        let negative = self.magnitudes[1..].iter().rev().map(|&value| -value);
        negative.chain(self.magnitudes.iter().copied()).collect()
    }

    /// The packed code `Σ_j (trit_j + 1)·3^j` of each of [`Self::values`].
    pub fn codes(&self) -> Vec<u8> {
        let negative = self.codes[1..].iter().rev().map(|&code| self.negated(code));
        negative.chain(self.codes.iter().copied()).collect()
    }

    /// The thresholds between neighbours of [`Self::values`].
    pub fn thresholds(&self) -> Vec<f64> {
        let negative = self.thresholds.iter().rev().map(|&value| -value);
        negative.chain(self.thresholds.iter().copied()).collect()
    }

    /// The nearest level to a weight, which must be a number, and its packed code.
    pub fn quantize(&self, weight: f64) -> (f64, u8) {
        debug_assert!(!weight.is_nan(), "weights have been checked");
        let level_idx = self.nearest(weight.abs());
        let (magnitude, code) = (self.magnitudes[level_idx], self.codes[level_idx]);
        if weight < 0.0 { (-magnitude, self.negated(code)) } else { (magnitude, code) }
    }

    /// The packed codes of many weights, which must be numbers.
    pub fn quantize_all(&self, weights: &[f32]) -> Vec<u8> {
        weights.iter().map(|&weight| self.quantize(weight.into()).1).collect()
    }

    /// The levels from 0 up, and the thresholds between them.
    pub(super) fn positive_half(&self) -> (&[f64], &[u8], &[f64]) {
        (&self.magnitudes, &self.codes, &self.thresholds)
    }

    /// The index of the level nearest to a magnitude: the number of thresholds below it.
    fn nearest(&self, magnitude: f64) -> usize {
        if self.thresholds.len() <= 16 {
            // Without a branch to mispredict, counting beats bisection on short lists.
            self.thresholds.iter().map(|&threshold| usize::from(threshold < magnitude)).sum()
        } else {
            self.thresholds.partition_point(|&threshold| threshold < magnitude)
        }
    }

    /// The code of the negative level: every trit t + 1 becomes 1 − t.
    fn negated(&self, code: u8) -> u8 {
        let most = 3_u32.pow(self.branches) - 1;
        u8::try_from(most - u32::from(code)).expect("codes of five branches fit a byte")
    }
}

/// Refuses scales that have no levels, and such as would make a level infinite.
pub(super) fn check_scales(scales: &[f64]) -> Result<(), Error> {
    if !(1..=MAX_BRANCHES as usize).contains(&scales.len()) {
        let limit = format!("between 1 and {MAX_BRANCHES}");
        return Err(Error::limit("scales", "the number of branches", limit, scales.len()));
    }
    // Thresholds add two levels, so twice the largest level must exist.
    let most = f64::MAX / (2 * scales.len()) as f64;
    for (branch, &scale) in scales.iter().enumerate() {
        if !(0.0..=most).contains(&scale) {
            let what = format!("the scale of branch {branch}");
            return Err(Error::limit("scales", what, "finite and not negative", scale));
        }
    }
    Ok(())
}

/// The trit of a packed code in each branch.
pub(super) fn trits(code: u8) -> [i8; MAX_BRANCHES as usize] {
    let mut rest = code;
    std::array::from_fn(|_| {
        let trit = (rest % 3).cast_signed() - 1;
        rest /= 3;
        trit
    })
}

/// All 3^B sums with their codes, by code.
///
/// Terms are added from the largest scale to the smallest, so that the order in which scales are
/// given changes no sum; a sum and that of the negated code differ in sign alone.
pub(super) fn sums(scales: &[f64]) -> Vec<(f64, u8)> {
    let mut order: Vec<usize> = (0..scales.len()).collect();
    order.sort_by(|&a, &b| scales[b].total_cmp(&scales[a]));
    (0..=u8::MAX)
        .take(3_usize.pow(u32::try_from(scales.len()).expect("at most five scales")))
        .map(|code| {
            let trits = trits(code);
            let sum = order.iter().fold(0.0, |sum, &j| sum + scales[j] * f64::from(trits[j]));
            (sum, code)
        })
        .collect()
}

/// The middle of two levels. Between neighbouring numbers there is none: the smaller level is nearest to itself alone.
fn threshold(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    if middle < high { middle } else { low }
}

/// The smallest wins a shared level: fewer non-zero trits, then lower branches, then a positive lower branch.
fn preference(code: u8) -> (usize, [i8; MAX_BRANCHES as usize], [i8; MAX_BRANCHES as usize]) {
    // Branches that do not exist read as −1 in every code alike, so they decide nothing.
    let trits = trits(code);
    let non_zero = trits.iter().filter(|&&trit| trit != 0).count();
    (non_zero, trits.map(|trit| -trit.abs()), trits.map(|trit| -trit))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "levels of these scales are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The packed code of the trits of branches 0, 1, …
    fn code(trits: &[i8]) -> u8 {
        trits.iter().rev().fold(0, |code, &trit| 3 * code + (trit + 1).cast_unsigned())
    }

    #[test]
    fn two_codes_share_a_level_where_the_order_swaps() {
        // α_1 = 2·α_2: 1 is α_2 alone and α_1 − α_2; the one with fewer trits stands for it.
        let levels = Levels::new(&[2.0, 1.0]).unwrap();
        assert_eq!(levels.values(), [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!(levels.quantize(1.1), (1.0, code(&[0, 1])));
        assert_eq!(levels.quantize(-1.1), (-1.0, code(&[0, -1])));
        // On either side of the swap there are nine levels, and the two codes change places.
        let before = Levels::new(&[1.75, 1.0]).unwrap();
        assert_eq!(before.values()[5..], [0.75, 1.0, 1.75, 2.75]);
        assert_eq!(before.codes()[5..7], [code(&[1, -1]), code(&[0, 1])]);
        let after = Levels::new(&[2.25, 1.0]).unwrap();
        assert_eq!(after.values()[5..], [1.0, 1.25, 2.25, 3.25]);
        assert_eq!(after.codes()[5..7], [code(&[0, 1]), code(&[1, -1])]);
    }

    #[test]
    fn equal_scales_leave_five_levels() {
        let levels = Levels::new(&[1.5, 1.5]).unwrap();
        assert_eq!(levels.values(), [-3.0, -1.5, 0.0, 1.5, 3.0]);
        // One trit each way: the lower branch stands for ±1.5.
        let codes = [[-1, -1], [-1, 0], [0, 0], [1, 0], [1, 1]].map(|trits| code(&trits));
        assert_eq!(levels.codes(), codes);
    }

    #[test]
    fn a_scale_of_zero_leaves_three_levels_and_no_trit() {
        for (scales, used) in [([0.5, 0.0], 0), ([0.0, 0.5], 1)] {
            let levels = Levels::new(&scales).unwrap();
            assert_eq!(levels.values(), [-0.5, 0.0, 0.5]);
            let mut trits = [0, 0];
            trits[used] = 1;
            assert_eq!(levels.codes()[2], code(&trits));
        }
        let levels = Levels::new(&[0.0, 0.0, 0.0]).unwrap();
        assert_eq!(levels.values(), [0.0]);
        assert_eq!(levels.quantize(-7.0), (0.0, code(&[0, 0, 0])));
    }

    #[test]
    fn a_scale_three_times_the_other_is_the_uniform_grid() {
        let levels = Levels::new(&[0.75, 0.25]).unwrap();
        let grid: Vec<f64> = (-4..=4).map(|step| 0.25 * f64::from(step)).collect();
        assert_eq!(levels.values(), grid);
        let middles: Vec<f64> = (-4..4).map(|step| 0.25 * f64::from(step) + 0.125).collect();
        assert_eq!(levels.thresholds(), middles);
    }

    #[test]
    fn a_weight_on_a_threshold_takes_the_smaller_magnitude() {
        let levels = Levels::new(&[3.0, 1.0]).unwrap();
        for (weight, value) in [(0.5, 0.0), (-0.5, 0.0), (2.5, 2.0), (-2.5, -2.0), (9.0, 4.0)] {
            assert_eq!(levels.quantize(weight).0, value);
        }
        assert_eq!(levels.quantize(0.5_f64.next_up()).0, 1.0);
    }

    #[test]
    fn a_level_between_which_and_its_neighbour_no_number_lies_is_its_own() {
        // In f64 0.2 + 0.1 is the number after 0.3.
        let levels = Levels::new(&[0.3, 0.2, 0.1]).unwrap();
        assert_eq!(levels.quantize(0.3), (0.3, code(&[1, 0, 0])));
        assert_eq!(levels.quantize(0.3_f64.next_up()), (0.2 + 0.1, code(&[0, 1, 1])));
    }

    #[test]
    fn scales_without_levels_are_refused() {
        for (scales, message) in [
            (&[][..], "scales: the number of branches must be between 1 and 5, got 0"),
            (&[1.0; 6], "scales: the number of branches must be between 1 and 5, got 6"),
            (
                &[1.0, -0.5],
                "scales: the scale of branch 1 must be finite and not negative, got -0.5",
            ),
            (&[f64::NAN], "scales: the scale of branch 0 must be finite and not negative, got NaN"),
            (&[f64::MAX], "scales: the scale of branch 0 must be finite and not negative, got 179"),
        ] {
            let error = Levels::new(scales).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    /// Scales on a coarse grid, so that levels often meet, or anywhere.
    fn scales() -> impl Strategy<Value = Vec<f64>> {
        prop_oneof![
            prop::collection::vec((0..9_u8).prop_map(|step| f64::from(step) / 4.0), 1..=5),
            prop::collection::vec(0.0..2.0_f64, 1..=5),
        ]
    }

    proptest! {
        #[test]
        fn the_level_is_the_nearest_and_its_code_sums_to_it(
            scales in scales(), weight in prop_oneof![-12.0..12.0_f64, (-96..96_i32).prop_map(|step| f64::from(step) / 8.0)],
        ) {
            let levels = Levels::new(&scales).unwrap();
            let (value, code) = levels.quantize(weight);
            let all = sums(&scales);
            let least = all.iter().map(|sum| (sum.0 - weight).abs()).reduce(f64::min).unwrap();
            prop_assert!((value - weight).abs() <= least + 1e-14);
            prop_assert_eq!(all[usize::from(code)].0.to_bits(), (value + 0.0).to_bits());
            // Of the nearest levels the smallest, of its codes one with the fewest trits.
            for (sum, other) in all {
                if sum == value {
                    prop_assert!(preference(code).0 <= preference(other).0);
                }
                if (sum - weight).abs() < least + 1e-14 {
                    prop_assert!(value.abs() <= sum.abs() + 1e-14);
                }
            }
        }

        #[test]
        fn negated_weights_have_negated_levels_and_codes(scales in scales(), weight in -12.0..12.0_f64) {
            let levels = Levels::new(&scales).unwrap();
            let (up, down) = (levels.quantize(weight), levels.quantize(-weight));
            prop_assert_eq!(up.0, -down.0);
            let branches = scales.len();
            prop_assert_eq!(
                trits(up.1)[..branches].to_vec(),
                trits(down.1)[..branches].iter().map(|trit| -trit).collect::<Vec<_>>()
            );
        }

        #[test]
        fn the_order_of_the_scales_changes_no_level(scales in scales(), turns in 0..5_usize) {
            let mut turned = scales.clone();
            turned.rotate_left(turns % scales.len());
            prop_assert_eq!(
                Levels::new(&scales).unwrap().values(), Levels::new(&turned).unwrap().values()
            );
        }

        #[test]
        fn levels_and_thresholds_interleave_and_are_fixed_points(scales in scales()) {
            let levels = Levels::new(&scales).unwrap();
            let (values, thresholds) = (levels.values(), levels.thresholds());
            for (i, &value) in values.iter().enumerate() {
                prop_assert_eq!(levels.quantize(value), (value, levels.codes()[i]));
            }
            for (pair, threshold) in values.windows(2).zip(thresholds) {
                prop_assert!(pair[0] < pair[1] && pair[0] <= threshold && threshold <= pair[1]);
            }
        }
    }
}
