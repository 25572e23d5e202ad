//! The average of a model over the steps of a stage.

use super::model::Model;
use crate::float::LayerParameters;

/// A model whose parameters and running statistics follow those of another one.
#[derive(Debug)]
pub(crate) struct Averaged {
    pub(crate) model: Model,
}

impl Averaged {
    /// Begins where a model is.
    pub(crate) fn new(model: &Model) -> Self {
        Self { model: model.clone() }
    }

    /// Of each value the share `stays` remains.
    pub(super) fn follow(&mut self, model: &mut Model, stays: f64) {
        for (average, now) in self.model.slots().into_iter().zip(model.slots()) {
            blend(average.values, now.values, stays);
        }
        let layers = self.model.float.parameters.iter_mut().zip(&model.float.parameters);
        for (average, now) in layers {
            let (Some(average), Some(now)) = (average, now) else { continue };
            for (average, now) in statistics_mut(average).into_iter().zip(statistics(now)) {
                blend(average, now, stays);
            }
        }
    }
}

/// Running mean and variance of a layer; nothing without batch norm.
pub(crate) fn statistics(parameters: &LayerParameters) -> Vec<&[f32]> {
    let norm = parameters.batch_norm.as_ref();
    norm.map(|norm| vec![&norm.mean[..], &norm.variance]).unwrap_or_default()
}

/// As [`statistics`], to be changed.
pub(crate) fn statistics_mut(parameters: &mut LayerParameters) -> Vec<&mut [f32]> {
    let norm = parameters.batch_norm.as_mut();
    norm.map(|norm| vec![&mut norm.mean[..], &mut norm.variance]).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn blend(average: &mut [f32], now: &[f32], stays: f64) {
    for (average, &now) in average.iter_mut().zip(now) {
        *average = (f64::from(*average) * stays + f64::from(now) * (1.0 - stays)) as f32;
    }
}
