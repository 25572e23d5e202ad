//! Stochastic gradient descent with Nesterov momentum, and how its learning rate changes.

use std::f64::consts::PI;

use crate::train::{Group, RateFactors, Slot};

/// What one step uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    /// Learning rate.
    pub(crate) learning_rate: f64,
    /// Share of the velocity that stays.
    pub(crate) momentum: f64,
    /// Pull of weights towards 0, relative to the learning rate.
    pub(crate) weight_decay: f64,
    /// The most that the norm of all gradients together may be; none for no limit.
    pub(crate) clip_norm: Option<f64>,
    /// Of the learning rate, by kind of parameter.
    pub(crate) factors: RateFactors,
}

impl Rates {
    /// Of a kind of parameter.
    fn learning_rate_of(&self, group: Group) -> f64 {
        let RateFactors { norms, scales, clips } = self.factors;
        self.learning_rate
            * match group {
                Group::Weights => 1.0,
                Group::Norms => norms,
                Group::Scales => scales,
                Group::Clips => clips,
            }
    }
}

/// The velocities of all parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sgd {
    /// One buffer a slot, in the slots' order.
    pub(crate) velocities: Vec<Vec<f32>>,
}

impl Sgd {
    /// At rest.
    pub(crate) fn new(slots: &[Slot<'_>]) -> Self {
        Self { velocities: slots.iter().map(|slot| vec![0.0; slot.values.len()]).collect() }
    }

    /// Moves all parameters; returns the norm of the gradients before it was limited.
    ///
    /// `g ← limited gradient + decay · w; v ← momentum · v + g; w ← w − rate · (g + momentum · v)`.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    pub(crate) fn step(
        &mut self,
        slots: &mut [Slot<'_>],
        gradients: &[Vec<f32>],
        rates: Rates,
    ) -> f64 {
        assert_eq!(slots.len(), gradients.len(), "every slot has a gradient");
        let square = |(slot, gradient): (&Slot<'_>, &Vec<f32>)| {
            let sum: f64 = gradient.iter().map(|&g| f64::from(g).powi(2)).sum();
            sum * f64::from(slot.gradient_scale).powi(2)
        };
        let norm = slots.iter().zip(gradients).map(square).sum::<f64>().sqrt();
        let limited = rates.clip_norm.map_or(1.0, |most| (most / norm).min(1.0));
        let momentum = rates.momentum as f32;
        for ((slot, gradient), velocity) in
            slots.iter_mut().zip(gradients).zip(&mut self.velocities)
        {
            let scale = limited as f32 * slot.gradient_scale;
            let rate = rates.learning_rate_of(slot.group) as f32;
            let decay = if slot.group == Group::Weights { rates.weight_decay as f32 } else { 0.0 };
            for ((w, g), v) in slot.values.iter_mut().zip(gradient).zip(velocity) {
                let g = g * scale + *w * decay;
                *v = *v * momentum + g;
                *w -= rate * (g + momentum * *v);
            }
            if let Some(least) = slot.least {
                slot.values.iter_mut().for_each(|value| *value = value.max(least));
            }
        }
        norm
    }
}

/// The learning rate of step `step` of `steps`: linear from 0 over the first `warmup` steps, then half
/// a cosine down to 0.
pub(crate) fn learning_rate(peak: f64, step: u64, steps: u64, warmup: f64) -> f64 {
    let done = step as f64 + 0.5;
    if done < warmup {
        return peak * done / warmup;
    }
    let share = (done - warmup) / (steps as f64 - warmup);
    peak * 0.5 * (1.0 + (PI * share).cos())
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "binary fractions are exact")]
mod tests {
    use super::*;

    fn slot(values: &mut [f32], group: Group, least: Option<f32>) -> Slot<'_> {
        Slot { name: "a".into(), values, group, least, gradient_scale: 1.0 }
    }

    const RATES: Rates = Rates {
        learning_rate: 1.0,
        momentum: 0.0,
        weight_decay: 0.0,
        clip_norm: None,
        factors: RateFactors { norms: 1.0, scales: 1.0, clips: 1.0 },
    };

    #[test]
    fn two_steps_by_hand() {
        let rates = Rates { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.25, ..RATES };
        let (mut weights, mut scales) = ([4.0_f32], [1.0_f32]);
        let mut slots =
            [slot(&mut weights, Group::Weights, None), slot(&mut scales, Group::Scales, Some(0.0))];
        let mut sgd = Sgd::new(&slots);
        let norm = sgd.step(&mut slots, &[vec![3.0], vec![4.0]], rates);
        assert!((norm - 5.0).abs() < 1e-12);
        // g = 3 + 0.25·4 = 4, v = 4, w = 4 − 0.5·(4 + 2) = 1; the scale would be 1 − 0.5·6 = −2.
        assert_eq!((slots[0].values[0], slots[1].values[0]), (1.0, 0.0));
        sgd.step(&mut slots, &[vec![0.75], vec![0.0]], rates);
        // g = 0.75 + 0.25 = 1, v = 2 + 1 = 3, w = 1 − 0.5·(1 + 1.5) = −0.25.
        assert_eq!(slots[0].values[0], -0.25);
    }

    #[test]
    fn the_norm_of_all_gradients_together_is_limited() {
        let rates = Rates { clip_norm: Some(1.0), ..RATES };
        let (mut a, mut b) = ([0.0_f32], [0.0_f32]);
        let mut slots = [slot(&mut a, Group::Weights, None), slot(&mut b, Group::Weights, None)];
        Sgd::new(&slots).step(&mut slots, &[vec![3.0], vec![-4.0]], rates);
        assert_eq!((a, b), ([-0.6], [0.8]));
    }

    #[test]
    fn each_kind_of_parameter_has_a_rate_of_its_own() {
        let factors = RateFactors { norms: 0.5, scales: 0.25, clips: 0.0 };
        let groups = [Group::Weights, Group::Norms, Group::Scales, Group::Clips];
        let mut values = [[0.0_f32]; 4];
        let mut slots: Vec<Slot<'_>> = values
            .iter_mut()
            .zip(groups)
            .map(|(values, group)| slot(values, group, None))
            .collect();
        let gradients = vec![vec![-4.0]; 4];
        Sgd::new(&slots).step(&mut slots, &gradients, Rates { factors, ..RATES });
        assert_eq!(values, [[4.0], [2.0], [1.0], [0.0]]);
    }

    #[test]
    fn the_learning_rate_rises_and_falls_to_nothing() {
        let rate = |step| learning_rate(2.0, step, 100, 10.0);
        assert!((rate(0) - 0.1).abs() < 1e-12, "half a step of ten");
        assert!((1..10).all(|step| rate(step - 1) < rate(step)));
        assert!((11..100).all(|step| rate(step) < rate(step - 1)));
        assert!(rate(99) < 1e-3);
        assert!(
            (learning_rate(2.0, 49, 100, 0.0) + learning_rate(2.0, 50, 100, 0.0) - 2.0).abs()
                < 1e-12
        );
    }
}
