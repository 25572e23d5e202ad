//! How well integers stand for weights.

use super::lanes::compiled;

/// Sums that run side by side: as many on every machine, so that every machine finds the same.
const LANES: usize = 8;
/// 1.5 · 2^52: adding it leaves the nearest integer in the low bits.
const INTEGER: f64 = 6_755_399_441_055_744.0;

compiled! {
    /// Σ (w − scale · q)² over weights w with the nearest integers q from −most to most.
    pub(crate) fn squared_error(weights: &[f32], scale: f64, most: f64) -> f64 = squared_error_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn squared_error_body(weights: &[f32], scale: f64, most: f64) -> f64 {
    let inverse = 1.0 / scale;
    let error = |weight: f32| {
        let weight = f64::from(weight);
        let integer = (weight * inverse + INTEGER) - INTEGER;
        let integer = if most < integer { most } else { integer };
        let integer = if integer < -most { -most } else { integer };
        let error = weight - integer * scale;
        error * error
    };
    let (groups, rest) = weights.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for group in groups {
        for (sum, weight) in sums.iter_mut().zip(group) {
            *sum += error(*weight);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|weight| error(*weight)).sum::<f64>()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "sums are the same to the bit")]
mod tests {
    use super::*;
    use crate::kernels::lanes::InstructionSet;

    #[test]
    fn every_instruction_set_finds_the_same_error_as_the_definition() {
        let weights: Vec<f32> =
            (0..1003_u16).map(|i| f32::from(i * 37 % 911) / 400.0 - 1.1).collect();
        for (scale, most) in [(0.01, 127.0), (0.003, 127.0), (0.3, 1.0), (0.5, 7.0)] {
            let wanted: f64 = weights
                .iter()
                .map(|&w| {
                    (f64::from(w) - (f64::from(w) / scale).round().clamp(-most, most) * scale)
                        .powi(2)
                })
                .sum();
            let sets = InstructionSet::available();
            let found: Vec<f64> =
                sets.iter().map(|set| squared_error(*set, &weights, scale, most)).collect();
            assert!((found[0] - wanted).abs() < 1e-12 * (1.0 + wanted), "{found:?} {wanted}");
            assert!(found.iter().all(|error| *error == found[0]), "{found:?}");
        }
    }
}
