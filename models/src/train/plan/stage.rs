//! Some epochs of a training with one schedule, as a plan asks for them.

use std::ops::{Bound, RangeBounds as _};

use serde::Deserialize;

use super::MOST;
use super::augmentation::Augmentation;
use crate::Error;

/// What the weights of a stage are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Real numbers, and so are the tensors.
    Float,
    /// As `[quantization]` says, softly in training.
    Quantized,
}

/// Some epochs with one schedule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What the weights are.
    pub weights: Kind,
    /// How often every picture is seen.
    pub epochs: usize,
    /// Pictures of a step.
    #[serde(default = "defaults::batch")]
    pub batch: usize,
    /// At its highest; it falls as half a cosine.
    pub learning_rate: f64,
    /// Nesterov's.
    #[serde(default = "defaults::momentum")]
    pub momentum: f64,
    /// Of weights; nothing else decays.
    #[serde(default = "defaults::weight_decay")]
    pub weight_decay: f64,
    /// Epochs over which the learning rate rises from 0.
    #[serde(default)]
    pub warmup_epochs: f64,
    /// The most that the norm of the gradient may be.
    pub clip_norm: Option<f64>,
    /// Random changes of pictures.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Of quantized stages with layers of ternary branches: how sharp the soft quantizer is.
    pub temperature: Option<Temperature>,
    /// What the learning rate is multiplied by for other parameters than weights.
    #[serde(default)]
    pub rate_factors: RateFactors,
    /// Share of its target that the labelled class gives up evenly to all classes.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Of quantized stages: what the float network says counts as well as the labels.
    pub distillation: Option<Distillation>,
    /// What is scored and kept is an average over the steps.
    pub average: Option<Average>,
}

mod defaults {
    pub(super) const fn batch() -> usize {
        128
    }
    pub(super) const fn momentum() -> f64 {
        0.9
    }
    pub(super) const fn weight_decay() -> f64 {
        1e-4
    }
    pub(super) const fn softening() -> f64 {
        4.0
    }
}

/// What the learning rate is multiplied by, by kind of parameter; 1 by default.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateFactors {
    /// Of γ, β and biases.
    pub norms: f64,
    /// Of branch scales.
    pub scales: f64,
    /// Of clips.
    pub clips: f64,
}

impl Default for RateFactors {
    fn default() -> Self {
        Self { norms: 1.0, scales: 1.0, clips: 1.0 }
    }
}

/// Learning from the float network that the first quantized stage begins with, the teacher
/// (Hinton, Vinyals, Dean, arXiv 1503.02531).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distillation {
    /// Share of the loss that is the divergence from the teacher; the rest is that from the labels.
    pub weight: f64,
    /// What the logits of both are divided by in that divergence.
    #[serde(default = "defaults::softening")]
    pub temperature: f64,
}

/// The average of all parameters over the steps of a stage, exponentially weighted.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Average {
    /// Share of the average that stays in a step; less in the first ones: (1 + n)/(10 + n) after n steps.
    pub decay: f64,
}

impl Average {
    /// The share that stays after `steps` steps of the stage.
    pub(crate) fn stays(self, steps: usize) -> f64 {
        self.decay.min((1.0 + steps as f64) / (10.0 + steps as f64))
    }
}

/// From the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Temperature {
    /// At the first step.
    pub from: f64,
    /// At the last step.
    pub to: f64,
    /// On the way.
    #[serde(default)]
    pub growth: Growth,
    /// Gradients are those of the quantizer at this temperature, where that of the step is higher.
    pub gradient: Option<f64>,
}

/// How a temperature rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// By the same factor in every step.
    #[default]
    Geometric,
    /// By the same amount in every step.
    Linear,
}

impl Temperature {
    /// After this share of the steps.
    pub(crate) fn at(&self, share: f64) -> f64 {
        match self.growth {
            Growth::Geometric => self.from * (self.to / self.from).powf(share),
            Growth::Linear => self.from + (self.to - self.from) * share,
        }
    }

    /// That of the gradients of a step.
    pub(crate) fn of_gradients(&self, of_step: f64) -> f64 {
        self.gradient.map_or(of_step, |gradient| gradient.min(of_step))
    }
}

pub(super) fn size(place: &str, what: &str, value: usize, least: usize) -> Result<(), Error> {
    if (least..=MOST).contains(&value) {
        return Ok(());
    }
    Err(Error::limit(place, what, format!("between {least} and {MOST}"), value))
}

impl Stage {
    pub(super) fn check(&self, place: &str) -> Result<(), Error> {
        size(place, "epochs", self.epochs, 1)?;
        size(place, "batch", self.batch, 2)?;
        let (decay, warmup) = (self.weight_decay, self.warmup_epochs);
        let reals = [
            ("learning_rate", self.learning_rate, 0.0 < self.learning_rate, "positive"),
            ("momentum", self.momentum, (0.0..1.0).contains(&self.momentum), "from 0 to below 1"),
            ("weight_decay", decay, (0.0..1.0).contains(&decay), "from 0 to below 1"),
            (
                "warmup_epochs",
                warmup,
                (0.0..self.epochs as f64).contains(&warmup),
                "from 0 to below the epochs",
            ),
            (
                "clip_norm",
                self.clip_norm.unwrap_or(1.0),
                0.0 < self.clip_norm.unwrap_or(1.0),
                "positive",
            ),
        ];
        for (what, value, good, limit) in reals {
            if !good || !value.is_finite() {
                return Err(Error::limit(place, what, limit, value));
            }
        }
        self.check_objective(place)?;
        if 64 < self.augmentation.crop {
            let crop = self.augmentation.crop;
            return Err(Error::limit(place, "augmentation.crop", "at most 64", crop));
        }
        if let Some(resized) = self.augmentation.resized_crop {
            resized.check(place)?;
            if 0 < self.augmentation.crop {
                let reason = "augmentation has both crop and resized_crop: choose one";
                return Err(Error::malformed(place, reason));
            }
        }
        match (self.weights, self.temperature) {
            (Kind::Float, Some(_)) => {
                let reason = "a float stage has no temperature: nothing is quantized";
                Err(Error::malformed(place, reason))
            }
            (Kind::Quantized, Some(Temperature { from, to, gradient, .. })) => {
                if !(0.0 < from && from <= to && to <= 1e6) {
                    let limit = "positive and at most 1e6, and not fall";
                    let value = format!("{from} to {to}");
                    return Err(Error::limit(place, "temperature", limit, value));
                }
                match gradient {
                    // At `to` and above it would change nothing.
                    Some(gradient) if !(0.0 < gradient && gradient < to) => {
                        let limit = format!("positive and below the last temperature, {to}");
                        Err(Error::limit(place, "temperature.gradient", limit, gradient))
                    }
                    _ => Ok(()),
                }
            }
            (_, None) => Ok(()),
        }
    }

    /// Refuses a quantized stage whose temperature is missing, or that has none to give.
    pub(super) fn check_temperature(&self, place: &str, has_dbq: bool) -> Result<(), Error> {
        let reason = match (has_dbq, self.temperature) {
            (true, None) => "missing key `temperature`, e.g. { from = 10.0, to = 200.0 }",
            (false, Some(_)) => "has a temperature, which is of dbq layers, and no layer is",
            (true, Some(_)) | (false, None) => return Ok(()),
        };
        Err(Error::malformed(place, reason))
    }

    /// What is learned from, how fast, and what is kept.
    fn check_objective(&self, place: &str) -> Result<(), Error> {
        let from_0 = Bound::Included(0.0);
        let mut reals = vec![
            ("label_smoothing", self.label_smoothing, from_0, 0.999_999),
            ("rate_factors.norms", self.rate_factors.norms, from_0, 1e6),
            ("rate_factors.scales", self.rate_factors.scales, from_0, 1e6),
            ("rate_factors.clips", self.rate_factors.clips, from_0, 1e6),
        ];
        if let Some(distillation) = self.distillation {
            if self.weights == Kind::Float {
                let reason = "a float stage has no distillation: its teacher is the float network \
                              that the first quantized stage begins with";
                return Err(Error::malformed(place, reason));
            }
            // With 0 the teacher would be asked and not heard.
            let above_0 = Bound::Excluded(0.0);
            reals.push(("distillation.weight", distillation.weight, above_0, 1.0));
            let least = Bound::Included(0.01);
            reals.push(("distillation.temperature", distillation.temperature, least, 1000.0));
        }
        if let Some(Average { decay }) = self.average {
            reals.push(("average.decay", decay, from_0, 0.999_999));
        }
        if self.distillation.is_some_and(|how| 1.0 <= how.weight) && 0.0 < self.label_smoothing {
            let reason = "has label_smoothing, but with distillation.weight = 1 no label counts";
            return Err(Error::malformed(place, reason));
        }
        let RateFactors { scales, clips, .. } = self.rate_factors;
        let default = RateFactors::default();
        if self.weights == Kind::Float && (scales, clips) != (default.scales, default.clips) {
            let reason = "a float stage has no branch scales and no clips: rate_factors.scales and \
                          rate_factors.clips are of quantized ones";
            return Err(Error::malformed(place, reason));
        }
        for (what, value, least, most) in reals {
            // A NaN is in no range.
            if !(least, Bound::Included(most)).contains(&value) {
                let limit = match least {
                    Bound::Excluded(least) => format!("above {least} and at most {most}"),
                    Bound::Included(least) => format!("from {least} to {most}"),
                    Bound::Unbounded => format!("at most {most}"),
                };
                return Err(Error::limit(place, what, limit, value));
            }
        }
        Ok(())
    }
}
