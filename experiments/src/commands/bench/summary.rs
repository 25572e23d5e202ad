//! What many rounds say: medians and quartiles, of times and of the ratios within rounds.

use serde::Serialize;

/// Of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) lower_quartile: f64,
    pub(super) upper_quartile: f64,
}

impl Spread {
    /// Of at least one number.
    pub(super) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share| quantile(&sorted, share);
        Self { median: at(0.5), lower_quartile: at(0.25), upper_quartile: at(0.75) }
    }

    /// Of `a / b`, round by round: what slows the whole machine down divides out.
    pub(super) fn of_ratios(a: &[f64], b: &[f64]) -> Self {
        Self::of(a.iter().zip(b).map(|(a, b)| a / b))
    }
}

/// Between the two nearest of the sorted numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position between 0 and the length"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let before = position.floor() as usize;
    let after = (before + 1).min(sorted.len() - 1);
    sorted[before] + (sorted[after] - sorted[before]) * (position - before as f64)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "binary fractions are exact")]
mod tests {
    use super::*;

    #[test]
    fn quartiles_by_hand() {
        let spread = Spread::of([4.0, 1.0, 2.0, 3.0]);
        assert_eq!(
            (spread.lower_quartile, spread.median, spread.upper_quartile),
            (1.75, 2.5, 3.25)
        );
        assert_eq!(
            Spread::of([7.0]),
            Spread { median: 7.0, lower_quartile: 7.0, upper_quartile: 7.0 }
        );
        // A round that is three times as slow on both sides does not count.
        assert_eq!(Spread::of_ratios(&[1.0, 3.0, 1.0], &[2.0, 6.0, 2.0]).median, 0.5);
    }
}
