//! From real weights to integers and branch scales.

use rayon::prelude::*;
use tridot_sim::network::Weights;

use crate::kernels::fixed::squared_error;
use crate::kernels::lanes::InstructionSet;
use crate::scheme::{Alpha, Scheme};
use crate::{Error, dbq};

/// Clips tried for `fixed` weights: the largest magnitude times 1 − i/128.
const CLIPS: u32 = 64;

/// The weights of a layer, quantized.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedWeights {
    /// Codes or integers, output channel by output channel.
    pub weights: Weights,
    /// Per output channel: the scale of each branch, largest first, or of the integers.
    /// 0 where all trits or integers of it are 0.
    pub scales: Vec<f64>,
}

impl QuantizedWeights {
    /// Quantizes the weights of a layer; `place` names it in refusals.
    pub fn new(
        place: &str,
        weights: &[f32],
        channels: usize,
        scheme: Scheme,
        alpha: Alpha,
    ) -> Result<Self, Error> {
        if let Some(i) = weights.iter().position(|weight| !weight.is_finite()) {
            return Err(Error::limit(place, format!("weight {i}"), "finite", weights[i]));
        }
        let fan_in = weights.len() / channels;
        let quantized = match scheme {
            Scheme::Fixed { bits } => fixed(weights, fan_in, bits),
            Scheme::Dbq { branches } => {
                let group = match alpha {
                    Alpha::Layer => weights.len(),
                    Alpha::Channel => fan_in,
                };
                let fits: Vec<dbq::Fit> = weights
                    .par_chunks(group)
                    .map(|group| dbq::fit(group, branches))
                    .collect::<Result<_, _>>()?;
                let per_fit = group / fan_in;
                let scales = fits.iter().flat_map(|fit| fit.scales.repeat(per_fit)).collect();
                let codes = fits.into_iter().flat_map(|fit| fit.codes).collect();
                Self { weights: Weights::Dbq { branches, codes }, scales }
            }
            Scheme::Baseline(baseline) => {
                baseline.hard(&baseline.start(weights), weights, channels)
            }
        };
        Ok(quantized.without_idle_scales(fan_in))
    }

    /// Quantizes weights to the nearest levels of given branch scales: one set of them for all weights,
    /// or one per output channel.
    pub(crate) fn with_scales(
        weights: &[f32],
        channels: usize,
        branches: u32,
        scales: &[f32],
    ) -> Result<Self, Error> {
        let n_sets = scales.len() / branches as usize;
        let per_set = channels / n_sets;
        let mut codes = Vec::with_capacity(weights.len());
        let mut all = Vec::with_capacity(channels * branches as usize);
        let sets = scales.chunks(branches as usize);
        for (weights, set) in weights.chunks(weights.len() / n_sets).zip(sets) {
            let mut sorted: Vec<f64> = set.iter().map(|&scale| scale.into()).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            codes.extend(dbq::Levels::new(&sorted)?.quantize_all(weights));
            all.extend(sorted.repeat(per_set));
        }
        let quantized = Self { weights: Weights::Dbq { branches, codes }, scales: all };
        Ok(quantized.without_idle_scales(weights.len() / channels))
    }

    /// Scales of channels whose trits or integers are all zero become 0.
    pub(crate) fn without_idle_scales(mut self, fan_in: usize) -> Self {
        let per_channel = self.weights.multipliers_per_channel();
        for (i, scale) in self.scales.iter_mut().enumerate() {
            let (channel, branch) = (i / per_channel, i % per_channel);
            let mut weights = channel * fan_in..(channel + 1) * fan_in;
            let idle = match &self.weights {
                Weights::Dbq { codes, .. } => weights.all(|k| trit(codes[k], branch) == 0),
                Weights::Fixed { values, .. } => weights.all(|k| values[k] == 0),
            };
            if idle {
                *scale = 0.0;
            }
        }
        self
    }

    /// The real numbers that the quantized weights stand for.
    pub fn real(&self) -> Vec<f32> {
        let per_channel = self.weights.multipliers_per_channel();
        let fan_in = self.weights.len() / (self.scales.len() / per_channel);
        let value = |k: usize| {
            let scales = &self.scales[k / fan_in * per_channel..][..per_channel];
            let value: f64 = self.terms(k).zip(scales).map(|(term, scale)| term * scale).sum();
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            let value = value as f32;
            value
        };
        (0..self.weights.len()).map(value).collect()
    }

    /// What the multipliers of weight k multiply: its trits, or its integer.
    pub(crate) fn terms(&self, k: usize) -> impl Iterator<Item = f64> {
        let branches = self.weights.multipliers_per_channel();
        (0..branches).map(move |branch| match &self.weights {
            Weights::Dbq { codes, .. } => f64::from(trit(codes[k], branch)),
            Weights::Fixed { values, .. } => f64::from(values[k]),
        })
    }
}

/// Trit `branch` of a packed code.
fn trit(code: u8, branch: usize) -> i8 {
    const PLACES: [u8; 5] = [1, 3, 9, 27, 81];
    [-1, 0, 1][usize::from(code / PLACES[branch] % 3)]
}

fn fixed(weights: &[f32], fan_in: usize, bits: u32) -> QuantizedWeights {
    let set = InstructionSet::best();
    let channels: Vec<(f64, Vec<i16>)> =
        weights.par_chunks(fan_in).map(|weights| fixed_channel(set, weights, bits)).collect();
    let scales = channels.iter().map(|(scale, _)| *scale).collect();
    let values = channels.into_iter().flat_map(|(_, values)| values).collect();
    QuantizedWeights { weights: Weights::Fixed { bits, values }, scales }
}

/// Scale and integers of one output channel: the clip of least squared error, the largest of equals.
fn fixed_channel(set: InstructionSet, weights: &[f32], bits: u32) -> (f64, Vec<i16>) {
    let most = f64::from((1_i32 << (bits - 1)) - 1);
    let largest = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
    if largest == 0.0 {
        return (0.0, vec![0; weights.len()]);
    }
    let integer = |weight: f32, scale: f64| (f64::from(weight) / scale).round().clamp(-most, most);
    let mut best = (f64::INFINITY, 0.0);
    for i in 0..CLIPS {
        let scale = f64::from(largest) * (1.0 - f64::from(i) / 128.0) / most;
        let error = squared_error(set, weights, scale, most);
        if error < best.0 {
            best = (error, scale);
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "clamped to at most 16 bits")]
    let values = weights.iter().map(|&weight| integer(weight, best.1) as i16).collect();
    (best.1, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_weights_by_hand() {
        // Largest magnitude 3.5 over 7 codes: scale 0.5, and every weight is a multiple of it.
        let weights = [3.5, -3.5, 0.5, 0.0, /* second channel */ 0.0, 0.0, 0.0, 0.0];
        let scheme = Scheme::Fixed { bits: 4 };
        let quantized = QuantizedWeights::new("l", &weights, 2, scheme, Alpha::Layer).unwrap();
        let values = vec![7, -7, 1, 0, 0, 0, 0, 0];
        assert_eq!(quantized.weights, Weights::Fixed { bits: 4, values });
        assert_eq!(quantized.scales, [0.5, 0.0]);
        assert_eq!(quantized.real(), weights);
    }

    #[test]
    fn branch_scales_are_shared_by_layer_or_not() {
        let weights = [2.0, -2.0, 0.0, 2.0, /* second channel */ 0.5, 0.5, -0.5, 0.0];
        let new = |alpha| {
            QuantizedWeights::new("l", &weights, 2, Scheme::Dbq { branches: 1 }, alpha).unwrap()
        };
        let by_channel = new(Alpha::Channel);
        assert_eq!(by_channel.scales, [2.0, 0.5]);
        assert_eq!(by_channel.real(), weights);
        // One scale: the small channel rounds to zero under it and needs none.
        let by_layer = new(Alpha::Layer);
        assert_eq!(by_layer.scales, [2.0, 0.0]);
        assert_eq!(by_layer.real(), [2.0, -2.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn weights_that_are_no_numbers_are_refused() {
        for scheme in [Scheme::Fixed { bits: 8 }, Scheme::Dbq { branches: 2 }] {
            let error =
                QuantizedWeights::new("layer `a`", &[1.0, f32::NAN], 1, scheme, Alpha::Layer);
            assert_eq!(
                error.unwrap_err().to_string(),
                "layer `a`: weight 1 must be finite, got NaN"
            );
        }
    }
}
