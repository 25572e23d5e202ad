//! Non-negative least squares of relative errors, and how well it foretells what it has not seen.

/// Turns over all coefficients: far more than those of a table need.
const MAX_TURNS: usize = 20_000;
/// A turn that changes no coefficient by more than this part ends the search.
const PRECISION: f64 = 1e-10;

/// An observation: what it is made of, what it costs, and the total that its error is a part of.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// How much of each quantity there is.
    pub amounts: Vec<f64>,
    /// What they cost together.
    pub cost: f64,
    /// What an error is divided by.
    pub total: f64,
}

/// Mean and worst of relative errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Mean of their amounts.
    pub mean: f64,
    /// The largest amount.
    pub worst: f64,
}

impl Errors {
    /// Of signed relative errors; 0 where there are none.
    pub fn of(errors: &[f64]) -> Self {
        let mean = errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len().max(1) as f64;
        Self { mean, worst: errors.iter().fold(0.0, |worst, error| worst.max(error.abs())) }
    }
}

/// The non-negative price of each quantity for which the sum of squared relative errors is smallest.
pub fn fit(observations: &[Observation]) -> Vec<f64> {
    let quantities = observations.first().map_or(0, |one| one.amounts.len());
    // Normal equations of the scaled system.
    let mut square = vec![vec![0.0; quantities]; quantities];
    let mut right = vec![0.0; quantities];
    for one in observations {
        let weight = 1.0 / (one.total * one.total);
        for i in 0..quantities {
            for (entry, amount) in square[i].iter_mut().zip(&one.amounts) {
                *entry += weight * one.amounts[i] * amount;
            }
            right[i] += weight * one.amounts[i] * one.cost;
        }
    }
    let mut prices = vec![0.0; quantities];
    for _ in 0..MAX_TURNS {
        let mut change = 0.0_f64;
        for i in 0..quantities {
            if square[i][i] == 0.0 {
                continue;
            }
            let others: f64 = (0..quantities).map(|j| square[i][j] * prices[j]).sum();
            let best = (prices[i] + (right[i] - others) / square[i][i]).max(0.0);
            let part = (best - prices[i]).abs() / best.max(prices[i]).max(f64::MIN_POSITIVE);
            change = change.max(part);
            prices[i] = best;
        }
        if change < PRECISION {
            break;
        }
    }
    prices
}

/// The relative error of prices on an observation.
pub fn error(prices: &[f64], one: &Observation) -> f64 {
    let cost: f64 = prices.iter().zip(&one.amounts).map(|(price, amount)| price * amount).sum();
    (cost - one.cost) / one.total
}

/// The relative error on each observation of prices that were fitted to all the others.
pub fn cross_validated(observations: &[Observation]) -> Vec<f64> {
    let without = |left_out: usize| {
        let mut others = observations.to_vec();
        let one = others.remove(left_out);
        error(&fit(&others), &one)
    };
    (0..observations.len()).map(without).collect()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "a bound is met exactly")]
mod tests {
    use super::*;

    fn observation(amounts: &[f64], cost: f64) -> Observation {
        Observation { amounts: amounts.to_vec(), cost, total: cost }
    }

    #[test]
    fn exact_prices_are_found_and_foretell() {
        let amounts =
            [[1.0, 0.0, 2.0], [0.0, 3.0, 1.0], [5.0, 1.0, 0.0], [2.0, 2.0, 2.0], [1.0, 4.0, 9.0]];
        let price = |a: &[f64; 3]| observation(a, 2.0 * a[0] + 0.5 * a[1] + 3.0 * a[2]);
        let observations: Vec<_> = amounts.iter().map(price).collect();
        let prices = fit(&observations);
        for (got, expected) in prices.iter().zip([2.0, 0.5, 3.0]) {
            assert!((got - expected).abs() < 1e-6, "{prices:?}");
        }
        let errors = Errors::of(&cross_validated(&observations));
        assert!(errors.worst < 1e-5, "{errors:?}");
    }

    #[test]
    fn no_price_is_negative() {
        // The best line through (1, 1), (1, 2) → costs 1 and 2 without a bound would be −1 and … it is bound at 0.
        let observations = [observation(&[2.0, 1.0], 1.0), observation(&[1.0, 1.0], 2.0)];
        let prices = fit(&observations);
        assert_eq!(prices[0], 0.0);
        // Then Σ (p − c)²/c² is smallest at p = (1/1 + 2/4) / (1/1 + 1/4) = 1.2.
        assert!((prices[1] - 1.2).abs() < 1e-9, "{prices:?}");
    }

    #[test]
    fn errors_are_amounts() {
        let errors = Errors::of(&[0.1, -0.3]);
        assert!((errors.mean - 0.2).abs() < 1e-12 && (errors.worst - 0.3).abs() < 1e-12);
        assert_eq!(Errors::of(&[]), Errors { mean: 0.0, worst: 0.0 });
    }
}
