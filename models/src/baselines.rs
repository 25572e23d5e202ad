//! Quantizers of the literature that DBQ is compared with, in the same training and the same exporter.
//!
//! | scheme | weights | trained besides them | source |
//! |---|---|---|---|
//! | `lsq(b)` | s·round(w/s), clamped to ±(2^(b−1) − 1)·s | the step s | Esser et al., "Learned Step Size Quantization", ICLR 2020, arXiv 1902.08153; here symmetric |
//! | `twn` | ±α beyond Δ = 0.7·mean\|w\|, else 0; α the mean magnitude of those beyond | nothing | Li et al., "Ternary Weight Networks", arXiv 1605.04711 |
//! | `ttq` | +p above Δ = 0.05·max\|w\|, −n below −Δ, else 0 | p and n | Zhu et al., "Trained Ternary Quantization", ICLR 2017, arXiv 1612.01064 |
//!
//! All have one set of scales per layer. `lsq` becomes integers of the Network, `twn` one plane, `ttq` two planes
//! that are never both non-zero.

use tridot_sim::network::Weights;

use crate::calibrate::QuantizedWeights;

/// One of these quantizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// Learned step size.
    Lsq {
        /// Width of the integers, 2…8.
        bits: u32,
    },
    /// Ternary weight networks.
    Twn,
    /// Trained ternary quantization.
    Ttq,
}

/// Δ of `twn` over the mean magnitude.
const TWN_THRESHOLD: f64 = 0.7;
/// Δ of `ttq` over the largest magnitude.
const TTQ_THRESHOLD: f64 = 0.05;

/// The codes of one plane, and of two: Σ (trit + 1)·3^j.
const ONE: [u8; 3] = [0, 1, 2];
const ALL_ZERO: u8 = 4;

impl Baseline {
    /// The scales to begin with, which training changes: the step; nothing; the levels of both signs.
    pub(crate) fn start(self, weights: &[f32]) -> Vec<f32> {
        match self {
            Self::Lsq { bits } => vec![narrow(2.0 * mean(weights, |_| true) / most(bits).sqrt())],
            Self::Twn => Vec::new(),
            Self::Ttq => {
                let delta = ttq_threshold(weights);
                vec![narrow(mean(weights, |w| delta < w)), narrow(mean(weights, |w| w < -delta))]
            }
        }
    }

    /// What the gradients of the scales are multiplied by.
    pub(crate) fn gradient_scale(self, n_weights: usize) -> f32 {
        match self {
            Self::Lsq { bits } => narrow(1.0 / (n_weights as f64 * most(bits)).sqrt()),
            Self::Twn | Self::Ttq => narrow(1.0 / (n_weights as f64).sqrt()),
        }
    }

    /// The weights that the layer computes with, in training as in evaluation.
    pub(crate) fn forward(self, scales: &[f32], weights: &[f32]) -> Vec<f32> {
        match (self, scales) {
            (Self::Lsq { bits }, &[step]) => {
                let integer = |&w: &f32| integer(w, step, bits);
                weights.iter().map(|w| narrow(integer(w) * f64::from(step))).collect()
            }
            (Self::Twn, _) => {
                let (delta, scale) = twn(weights);
                sides(weights, delta, narrow(scale), narrow(scale))
            }
            (_, &[positive, negative]) => {
                sides(weights, ttq_threshold(weights), positive, negative)
            }
            _ => unreachable!("start gives the scales of each"),
        }
    }

    /// The gradients by weights and scales, from that by the output of [`Self::forward`]; `spread` is the root mean
    /// square of the weights at the start.
    ///
    /// `lsq`: straight through inside the clamp, and by the step (round(w/s) − w/s) inside, ± the largest integer
    /// outside. `twn`: straight through. `ttq`: by p and n the sums over their weights; by a weight, its level over
    /// `spread` times the gradient beyond Δ, once it inside (the paper normalizes weights by their largest in place of
    /// `spread`).
    pub(crate) fn backward(
        self,
        scales: &[f32],
        spread: f32,
        weights: &[f32],
        mut gradient: Vec<f32>,
    ) -> (Vec<f32>, Vec<f32>) {
        match (self, scales) {
            (Self::Lsq { bits }, &[step]) => {
                let mut by_step = 0.0;
                for (g, &w) in gradient.iter_mut().zip(weights) {
                    let (integer, place) = (integer(w, step, bits), f64::from(w) / f64::from(step));
                    if place.abs() <= most(bits) {
                        by_step += f64::from(*g) * (integer - place);
                    } else {
                        by_step += f64::from(*g) * integer;
                        *g = 0.0;
                    }
                }
                (gradient, vec![narrow(by_step)])
            }
            (Self::Twn, _) => (gradient, Vec::new()),
            (_, &[positive, negative]) => {
                let delta = ttq_threshold(weights);
                let mut by_scale = [0.0, 0.0];
                for (g, &w) in gradient.iter_mut().zip(weights) {
                    if delta < f64::from(w) {
                        by_scale[0] += f64::from(*g);
                        *g *= positive / spread;
                    } else if f64::from(w) < -delta {
                        by_scale[1] -= f64::from(*g);
                        *g *= negative / spread;
                    }
                }
                (gradient, by_scale.map(narrow).to_vec())
            }
            _ => unreachable!("start gives the scales of each"),
        }
    }

    /// The integers or planes that stand for what [`Self::forward`] gives.
    pub(crate) fn hard(self, scales: &[f32], weights: &[f32], channels: usize) -> QuantizedWeights {
        match (self, scales) {
            (Self::Lsq { bits }, &[step]) => {
                #[expect(clippy::cast_possible_truncation, reason = "clamped to a few bits")]
                let values = weights.iter().map(|&w| integer(w, step, bits) as i16).collect();
                let scales = vec![f64::from(step); channels];
                QuantizedWeights { weights: Weights::Fixed { bits, values }, scales }
            }
            (Self::Twn, _) => {
                let (delta, scale) = twn(weights);
                let codes = weights.iter().map(|&w| ONE[side(w, delta)]).collect();
                let weights = Weights::Dbq { branches: 1, codes };
                // As training computes with it.
                QuantizedWeights { weights, scales: vec![f64::from(narrow(scale)); channels] }
            }
            (_, &[positive, negative]) => {
                let delta = ttq_threshold(weights);
                // The plane of the larger level comes first: its trit counts 1, the other's 3.
                let (codes, scales) = if negative <= positive {
                    ([ALL_ZERO - 3, ALL_ZERO, ALL_ZERO + 1], [positive, negative])
                } else {
                    ([ALL_ZERO - 1, ALL_ZERO, ALL_ZERO + 3], [negative, positive])
                };
                let codes = weights.iter().map(|&w| codes[side(w, delta)]).collect();
                let scales = scales.map(f64::from).repeat(channels);
                QuantizedWeights { weights: Weights::Dbq { branches: 2, codes }, scales }
            }
            _ => unreachable!("start gives the scales of each"),
        }
    }
}

/// The largest integer of so many bits.
fn most(bits: u32) -> f64 {
    f64::from((1_u32 << (bits - 1)) - 1)
}

fn integer(weight: f32, step: f32, bits: u32) -> f64 {
    (f64::from(weight) / f64::from(step)).round().clamp(-most(bits), most(bits))
}

/// The mean magnitude of those that count; 0 of none.
fn mean(weights: &[f32], counts: impl Fn(f64) -> bool) -> f64 {
    let mut sum = 0.0;
    let mut n = 0_u32;
    for weight in weights.iter().map(|&w| f64::from(w)).filter(|&w| counts(w)) {
        sum += weight.abs();
        n += 1;
    }
    if n == 0 { 0.0 } else { sum / f64::from(n) }
}

/// Threshold and scale.
fn twn(weights: &[f32]) -> (f64, f64) {
    let delta = TWN_THRESHOLD * mean(weights, |_| true);
    (delta, mean(weights, |w| delta < w.abs()))
}

fn ttq_threshold(weights: &[f32]) -> f64 {
    TTQ_THRESHOLD * f64::from(weights.iter().fold(0.0_f32, |most, w| most.max(w.abs())))
}

/// 0 below −`delta`, 2 above `delta`, 1 between.
fn side(weight: f32, delta: f64) -> usize {
    let weight = f64::from(weight);
    1 + usize::from(delta < weight) - usize::from(weight < -delta)
}

fn sides(weights: &[f32], delta: f64, positive: f32, negative: f32) -> Vec<f32> {
    let levels = [-negative, 0.0, positive];
    weights.iter().map(|&w| levels[side(w, delta)]).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "parameters and gradients are f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Baseline; 4] =
        [Baseline::Lsq { bits: 2 }, Baseline::Lsq { bits: 4 }, Baseline::Twn, Baseline::Ttq];
    const WEIGHTS: [f32; 8] = [0.5, -0.25, 0.03, -1.0, 0.75, 0.0, 0.26, -0.01];

    #[test]
    fn each_by_hand() {
        let step = Baseline::Lsq { bits: 3 };
        // Integers −3…3 of step 0.25: 2, −1, 0.12, −4, 3, 0, 1.04, −0.04.
        let expected = [0.5, -0.25, 0.0, -0.75, 0.75, 0.0, 0.25, 0.0];
        assert_eq!(step.forward(&[0.25], &WEIGHTS), expected);
        let (by_weight, by_step) = step.backward(&[0.25], 1.0, &WEIGHTS, vec![1.0; 8]);
        assert_eq!(by_weight, [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        // Rounded minus real inside, −3 for the one outside.
        assert!((by_step[0] - (-0.12 - 3.0 - 0.04 + 0.04)).abs() < 1e-6, "{by_step:?}");

        // Mean magnitude 0.35, Δ 0.245; beyond it 0.5, 0.25, 1, 0.75, 0.26 with mean 0.552.
        let ternary = Baseline::Twn.forward(&[], &WEIGHTS);
        let signs = [1.0, -1.0, 0.0, -1.0, 1.0, 0.0, 1.0, 0.0];
        for (found, sign) in ternary.iter().zip(signs) {
            assert!((found - sign * 0.552).abs() < 1e-6, "{ternary:?}");
        }

        // Δ 0.05: positive mean (0.5 + 0.75 + 0.26)/3, negative (0.25 + 1)/2.
        let scales = Baseline::Ttq.start(&WEIGHTS);
        assert!((scales[0] - 1.51 / 3.0).abs() < 1e-6 && (scales[1] - 0.625).abs() < 1e-6);
        let scales = [2.0, 3.0];
        let expected = [2.0, -3.0, 0.0, -3.0, 2.0, 0.0, 2.0, 0.0];
        assert_eq!(Baseline::Ttq.forward(&scales, &WEIGHTS), expected);
        let (by_weight, by_scale) = Baseline::Ttq.backward(
            &scales,
            0.5,
            &WEIGHTS,
            vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        );
        assert_eq!(by_weight, [4.0, 12.0, 3.0, 24.0, 20.0, 6.0, 28.0, 8.0]);
        assert_eq!(by_scale, [13.0, -6.0]);
    }

    #[test]
    fn gradients_by_scales_are_finite_differences() {
        let output: Vec<f32> = (0..8_u8).map(|i| f32::from(i) - 3.0).collect();
        let loss = |baseline: Baseline, scales: &[f32]| -> f64 {
            let weights = baseline.forward(scales, &WEIGHTS);
            weights.iter().zip(&output).map(|(w, g)| f64::from(w * g)).sum()
        };
        let scales = [0.4_f32, 0.6];
        let (_, by_scale) = Baseline::Ttq.backward(&scales, 1.0, &WEIGHTS, output.clone());
        for i in 0..2 {
            let at = |by: f32| {
                let mut moved = scales;
                moved[i] += by;
                loss(Baseline::Ttq, &moved)
            };
            let difference = (at(0.125) - at(-0.125)) / 0.25;
            assert!((difference - f64::from(by_scale[i])).abs() < 1e-5, "{i}: {difference}");
        }
        // Of the step, only what is outside the clamp has a derivative; the rest goes straight through.
        let outside =
            [Baseline::Lsq { bits: 2 }.backward(&[0.1], 1.0, &[5.0, -7.0], vec![2.0, 3.0])];
        assert_eq!(outside[0].1, [-1.0]);
    }

    #[test]
    fn what_is_exported_is_what_was_trained() {
        for baseline in ALL {
            for weights in [WEIGHTS, WEIGHTS.map(|w| -w), [0.0; 8]] {
                let mut scales = baseline.start(&weights);
                for scale in &mut scales {
                    *scale = scale.max(1e-6);
                }
                let hard = baseline.hard(&scales, &weights, 2);
                assert_eq!(hard.real(), baseline.forward(&scales, &weights), "{baseline:?}");
            }
        }
    }
}
