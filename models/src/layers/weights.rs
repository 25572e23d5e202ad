//! How training sees the weights of a layer: soft, rounded, or as one of the baselines has them.

use rayon::prelude::*;

use crate::Error;
use crate::baselines::Baseline;
use crate::calibrate::QuantizedWeights;
use crate::dbq::{self, Soft};
use crate::kernels::lanes::InstructionSet;
use crate::scheme::{Alpha, Scheme};

/// How the weights of a layer are quantized.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WeightQuantizer {
    /// Integers of so many bits, a scale of least squared error per output channel; the gradient
    /// goes straight through.
    Fixed {
        /// Width.
        bits: u32,
    },
    /// Ternary branches, soft in training and hard in evaluation.
    Dbq {
        /// How many.
        branches: u32,
        /// One set of branch scales, or one per output channel; trained and never negative.
        scales: Vec<f32>,
        /// What the temperature is relative to: the root mean square of the weights at the start.
        weight_scale: f32,
    },
    /// What DBQ is compared with; the same in training and evaluation.
    Baseline {
        /// Which.
        kind: Baseline,
        /// One set; trained and positive.
        scales: Vec<f32>,
        /// The root mean square of the weights at the start.
        weight_scale: f32,
    },
}

/// A baseline's scales stay above it.
const LEAST_SCALE: f32 = 1e-6;
/// What the temperature is relative to where all weights are zero: any positive number will do.
pub(super) const NO_SPREAD: f32 = 1.0;

impl WeightQuantizer {
    /// For the weights at the start: branch scales by least squares.
    pub(super) fn new(
        weights: &[f32],
        channels: usize,
        scheme: Scheme,
        alpha: Alpha,
    ) -> Result<Self, Error> {
        let branches = match scheme {
            Scheme::Fixed { bits } => return Ok(Self::Fixed { bits }),
            Scheme::Dbq { branches } => branches,
            Scheme::Baseline(kind) => {
                let scales =
                    kind.start(weights).iter().map(|scale| scale.max(LEAST_SCALE)).collect();
                return Ok(Self::Baseline { kind, scales, weight_scale: spread(weights) });
            }
        };
        let group = match alpha {
            Alpha::Layer => weights.len(),
            Alpha::Channel => weights.len() / channels,
        };
        let fits = weights.par_chunks(group).map(|group| dbq::fit(group, branches));
        let fits: Vec<dbq::Fit> = fits.collect::<Result<_, _>>()?;
        #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
        let scales = fits.iter().flat_map(|fit| &fit.scales).map(|&scale| scale as f32).collect();
        Ok(Self::Dbq { branches, scales, weight_scale: spread(weights) })
    }

    fn soft(
        branches: u32,
        scales: &[f32],
        weight_scale: f32,
        temperature: f64,
    ) -> Result<Soft, Error> {
        Soft::new(&wide(scales), branches as usize, weight_scale.into(), temperature)
    }

    /// The scales that are trained with their least value and what their gradients are multiplied by; none where
    /// there are none.
    pub(crate) fn trained_scales(&mut self, n_weights: usize) -> Option<(&mut [f32], f32, f32)> {
        match self {
            Self::Fixed { .. } => None,
            // A scale collects the gradients of all its weights: without this it would move √n times
            // as far, relative to its size, as each of them.
            Self::Dbq { branches, scales, .. } => {
                let sets = scales.len() / *branches as usize;
                Some((scales, 0.0, 1.0 / ((n_weights / sets) as f32).sqrt()))
            }
            Self::Baseline { scales, .. } if scales.is_empty() => None,
            Self::Baseline { kind, scales, .. } => {
                Some((scales, LEAST_SCALE, kind.gradient_scale(n_weights)))
            }
        }
    }

    /// What a checkpoint holds of it: scales, and what they are relative to.
    pub(crate) fn state(&mut self) -> Option<(&mut Vec<f32>, &mut f32)> {
        match self {
            Self::Fixed { .. } => None,
            Self::Dbq { scales, weight_scale, .. }
            | Self::Baseline { scales, weight_scale, .. } => Some((scales, weight_scale)),
        }
    }

    /// The weights that training computes with.
    pub(crate) fn forward(
        &self,
        set: InstructionSet,
        place: &str,
        weights: &[f32],
        channels: usize,
        temperature: f64,
    ) -> Result<Vec<f32>, Error> {
        match self {
            Self::Fixed { .. } => Ok(self.hard(place, weights, channels)?.real()),
            Self::Baseline { kind, scales, .. } => Ok(kind.forward(scales, weights)),
            Self::Dbq { branches, scales, weight_scale } => {
                let soft = Self::soft(*branches, scales, *weight_scale, temperature)?.levels();
                let of_set = weights.len() / soft.len();
                let mut out = weights.to_vec();
                out.par_chunks_mut(of_set).zip(&soft).for_each(|(out, levels)| {
                    out.par_chunks_mut(BLOCK).for_each(|out| levels.forward(set, out));
                });
                Ok(out)
            }
        }
    }

    /// The gradients by weights and branch scales, from that by the output of [`Self::forward`].
    pub(crate) fn backward(
        &self,
        set: InstructionSet,
        weights: &[f32],
        temperature: f64,
        mut gradient: Vec<f32>,
    ) -> Result<(Vec<f32>, Vec<f32>), Error> {
        match self {
            Self::Fixed { .. } => Ok((gradient, Vec::new())),
            Self::Baseline { kind, scales, weight_scale } => {
                Ok(kind.backward(scales, *weight_scale, weights, gradient))
            }
            Self::Dbq { branches, scales, weight_scale } => {
                let soft = Self::soft(*branches, scales, *weight_scale, temperature)?.levels();
                let of_set = weights.len() / soft.len();
                let sets = gradient.par_chunks_mut(of_set).zip(weights.par_chunks(of_set));
                let by_scale = sets.zip(&soft).flat_map_iter(|((gradient, weights), levels)| {
                    let blocks = gradient.par_chunks_mut(BLOCK).zip(weights.par_chunks(BLOCK));
                    let parts = blocks.map(|(gradient, weights)| {
                        let mut by_scale = vec![0.0; *branches as usize];
                        levels.backward(set, weights, gradient, &mut by_scale);
                        by_scale
                    });
                    add_up(*branches as usize, &parts.collect::<Vec<_>>())
                });
                let by_scale: Vec<f64> = by_scale.collect();
                Ok((gradient, narrow(&by_scale)))
            }
        }
    }

    /// The integers or codes at the end of training.
    pub(crate) fn hard(
        &self,
        place: &str,
        weights: &[f32],
        channels: usize,
    ) -> Result<QuantizedWeights, Error> {
        match self {
            Self::Fixed { bits } => {
                let scheme = Scheme::Fixed { bits: *bits };
                QuantizedWeights::new(place, weights, channels, scheme, Alpha::Channel)
            }
            Self::Dbq { branches, scales, .. } => {
                QuantizedWeights::with_scales(weights, channels, *branches, scales)
            }
            Self::Baseline { kind, scales, .. } => {
                let fan_in = weights.len() / channels;
                Ok(kind.hard(scales, weights, channels).without_idle_scales(fan_in))
            }
        }
    }
}

/// Weights that are quantized together; sums over blocks are added in their order.
const BLOCK: usize = 1 << 14;

/// The sums of all parts.
fn add_up(n: usize, parts: &[Vec<f64>]) -> Vec<f64> {
    (0..n).map(|i| parts.iter().map(|part| part[i]).sum()).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "parameters and gradients are f32")]
fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// The root mean square of weights.
#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn spread(weights: &[f32]) -> f32 {
    let squares: f64 = weights.iter().map(|&weight| f64::from(weight).powi(2)).sum();
    let spread = (squares / weights.len() as f64).sqrt() as f32;
    if 0.0 < spread { spread } else { NO_SPREAD }
}
