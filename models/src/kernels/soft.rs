//! The soft quantizer and its gradients in f32, many weights at once.
//!
//! What it computes is defined, derived and tested in f64 in `dbq`; here every weight meets every
//! threshold, with an exponential of its own that the compiler turns into vectors.

use super::lanes::{InstructionSet, compiled};

/// Weights that meet one threshold after the other.
const BLOCK: usize = 1024;
/// Sums over the weights of a block.
const LANES: usize = 16;
/// Beyond this argument the sigmoid is 0 or 1 to f32's precision: `e^(−20)` is 2·10^(−9).
const SATURATED: f32 = 20.0;

/// A threshold between two levels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// Where it is.
    pub(crate) threshold: f32,
    /// From the level below it to that above.
    pub(crate) rise: f32,
    /// By branch: from the code of the level below it to that above.
    pub(crate) code_rise: Vec<f64>,
    /// By branch, halfway between the two codes: how the threshold moves with the scales.
    pub(crate) code_middle: Vec<f64>,
}

/// The levels of one set of branch scales.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Levels {
    /// The lowest one.
    pub(crate) lowest: f32,
    /// Its code, by branch.
    pub(crate) lowest_code: Vec<f64>,
    /// What lies above it.
    pub(crate) steps: Vec<Step>,
    /// Temperature by weight scale.
    pub(crate) slope: f32,
}

/// `e^(−x)` for `0 ≤ x ≤ 20`, to 2·10^(−7) of its value.
#[inline(always)]
fn decay(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, so that n · LN_2_HIGH is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// 1.5 · 2^23: adding it leaves the nearest integer in the low bits.
    const INTEGER: f32 = 12_582_912.0;
    let shifted = INTEGER - x * LOG2_E;
    let n = shifted - INTEGER;
    let rest = (-x - n * LN_2_HIGH) - n * LN_2_LOW;
    // Taylor's series of the exponential: |rest| ≤ ln 2 / 2.
    let mut power = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        power = power * rest + term;
    }
    // 2^n: the low bits of `shifted` are n, moved into the exponent.
    let exponent = shifted.to_bits().wrapping_sub(INTEGER.to_bits()).wrapping_add(127) << 23;
    power * f32::from_bits(exponent)
}

/// The sigmoid, and its product with one minus itself.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the body of the loops over all weights")]
fn sigmoid(argument: f32) -> (f32, f32) {
    let magnitude = argument.abs();
    let small = decay(if magnitude < SATURATED { magnitude } else { SATURATED });
    let low = small / (1.0 + small);
    let value = if argument < 0.0 { low } else { 1.0 - low };
    // The low end of the sigmoid is held at e^(−20), which must not pull for ever.
    let moves = if magnitude < SATURATED { low * (1.0 - low) } else { 0.0 };
    (value, moves)
}

impl Levels {
    /// Quantizes weights softly, in place.
    pub(crate) fn forward(&self, set: InstructionSet, weights: &mut [f32]) {
        forward(set, self, weights);
    }

    /// Turns the gradient by the soft-quantized weights into that by the weights, in place; adds that
    /// by the scales.
    pub(crate) fn backward(
        &self,
        set: InstructionSet,
        weights: &[f32],
        gradient: &mut [f32],
        by_scale: &mut [f64],
    ) {
        backward(set, self, weights, gradient, by_scale);
    }
}

compiled! {
    fn forward(levels: &Levels, weights: &mut [f32]) = forward_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn forward_body(levels: &Levels, weights: &mut [f32]) {
    for weights in weights.chunks_mut(BLOCK) {
        let mut sums = [levels.lowest; BLOCK];
        for step in &levels.steps {
            for (sum, weight) in sums.iter_mut().zip(&*weights) {
                *sum += step.rise * sigmoid(levels.slope * (weight - step.threshold)).0;
            }
        }
        weights.copy_from_slice(&sums[..weights.len()]);
    }
}

compiled! {
    fn backward(levels: &Levels, weights: &[f32], gradient: &mut [f32], by_scale: &mut [f64])
        = backward_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn backward_body(levels: &Levels, weights: &[f32], gradient: &mut [f32], by_scale: &mut [f64]) {
    for (weights, gradient) in weights.chunks(BLOCK).zip(gradient.chunks_mut(BLOCK)) {
        // A short block ends with weights whose gradient is 0.
        let (mut block, mut by_output) = ([0.0; BLOCK], [0.0; BLOCK]);
        block[..weights.len()].copy_from_slice(weights);
        by_output[..weights.len()].copy_from_slice(gradient);
        let whole = weights.len().next_multiple_of(LANES);
        let mut slopes = [0.0_f32; BLOCK];
        for step in &levels.steps {
            let (mut passed, mut moved) = ([0.0_f32; LANES], [0.0_f32; LANES]);
            let groups = block[..whole].chunks_exact(LANES).zip(by_output.chunks_exact(LANES));
            for ((weights, outputs), slopes) in groups.zip(slopes.chunks_exact_mut(LANES)) {
                for lane in 0..LANES {
                    let (value, moves) = sigmoid(levels.slope * (weights[lane] - step.threshold));
                    let slope = step.rise * levels.slope * moves;
                    slopes[lane] += slope;
                    passed[lane] += outputs[lane] * value;
                    moved[lane] += outputs[lane] * slope;
                }
            }
            let [passed, moved] = [passed, moved].map(total);
            let codes = step.code_rise.iter().zip(&step.code_middle);
            for (sum, (rise, middle)) in by_scale.iter_mut().zip(codes) {
                *sum += rise * passed - middle * moved;
            }
        }
        let all: f64 = by_output.iter().map(|&output| f64::from(output)).sum();
        for (sum, code) in by_scale.iter_mut().zip(&levels.lowest_code) {
            *sum += code * all;
        }
        for (gradient, slope) in gradient.iter_mut().zip(slopes) {
            *gradient *= slope;
        }
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn total(lanes: [f32; LANES]) -> f64 {
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dbq::Soft;

    #[test]
    fn the_exponential_is_that_of_f64() {
        for i in 0..=2_000_000 {
            let x = i as f32 * 1e-5;
            let wanted = (-f64::from(x)).exp();
            assert!((f64::from(decay(x)) - wanted).abs() < 3e-7 * wanted, "{x}");
        }
    }

    proptest! {
        #[test]
        fn values_and_gradients_are_those_in_f64(
            scales in prop::collection::vec(0.05..1.5_f64, 1..=4),
            weights in prop::collection::vec(-3.0..3.0_f32, 1..1500),
            temperature in 0.5..200.0_f64,
        ) {
            let branches = scales.len();
            let soft = Soft::new(&scales, branches, 0.7, temperature).unwrap();
            let wide: Vec<f64> = weights.iter().map(|&w| w.into()).collect();
            let outputs: Vec<f32> = weights.iter().map(|w| 1.0 - 0.3 * w).collect();
            let wide_outputs: Vec<f64> = outputs.iter().map(|&g| g.into()).collect();
            let values = soft.forward(&wide).unwrap();
            let gradients = soft.backward(&wide, &wide_outputs).unwrap();
            let levels = &soft.levels()[0];
            // An argument is off by its own rounding, and the slope makes the most of it.
            let tolerance = 1e-5 * (1.0 + temperature);
            for set in InstructionSet::available() {
                let mut found = weights.clone();
                levels.forward(set, &mut found);
                for (found, wanted) in found.iter().zip(&values) {
                    prop_assert!((f64::from(*found) - wanted).abs() < tolerance);
                }
                let (mut by_weight, mut by_scale) = (outputs.clone(), vec![0.0; branches]);
                levels.backward(set, &weights, &mut by_weight, &mut by_scale);
                for (found, wanted) in by_weight.iter().zip(&gradients.weights) {
                    let limit = tolerance * (1.0 + temperature);
                    prop_assert!((f64::from(*found) - wanted).abs() < limit, "{found} {wanted}");
                }
                for (found, wanted) in by_scale.iter().zip(&gradients.scales) {
                    let limit = tolerance * (weights.len() as f64 + wanted.abs());
                    prop_assert!((found - wanted).abs() < limit, "{found} {wanted}");
                }
            }
        }
    }
}
