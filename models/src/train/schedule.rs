//! Learning rate and temperature of every step of a stage.

use super::plan::Stage;
use crate::optim::learning_rate;

/// The rates of a stage's steps.
pub(super) struct Schedule<'a> {
    pub(super) stage: &'a Stage,
    /// Of an epoch.
    pub(super) steps: usize,
}

/// Those of one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) learning_rate: f64,
    /// 1 where nothing has a temperature.
    pub(super) temperature: f64,
    /// Of gradients: the same, unless the plan limits it.
    pub(super) gradient_temperature: f64,
}

impl Schedule<'_> {
    /// Those of a step.
    pub(super) fn at(&self, epoch: usize, step: usize) -> Now {
        let done = (epoch * self.steps + step) as u64;
        let total = (self.stage.epochs * self.steps) as u64;
        let warmup = self.stage.warmup_epochs * self.steps as f64;
        let share = done as f64 / (total - 1).max(1) as f64;
        let how = self.stage.temperature;
        let temperature = how.map_or(1.0, |how| how.at(share));
        Now {
            learning_rate: learning_rate(self.stage.learning_rate, done, total, warmup),
            temperature,
            gradient_temperature: how.map_or(temperature, |how| how.of_gradients(temperature)),
        }
    }
}
