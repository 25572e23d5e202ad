//! What a training makes small, and its gradient: cross-entropy to labels, divergence from a teacher.

use super::plan::Distillation;

/// The loss of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scored {
    /// Mean over its pictures.
    pub(super) loss: f64,
    /// By logit.
    pub(super) gradient: Vec<f32>,
    /// Pictures whose label has the largest logit.
    pub(super) correct: u64,
}

/// What the logits should be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets<'a> {
    /// One a picture.
    pub(super) labels: &'a [u16],
    /// Share of the label's target that all classes get evenly.
    pub(super) smoothing: f64,
    /// Logits of a teacher, as many as there are of the network, and how much they count.
    pub(super) teacher: Option<(&'a [f32], Distillation)>,
}

/// The probabilities of logits over a temperature, and the logarithm of what they were divided by.
fn softmax(logits: &[f32], temperature: f64) -> (Vec<f64>, f64) {
    // `max` would hide NaN, which the sum shows.
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, &v| most.max(v.into()));
    let powers: Vec<f64> =
        logits.iter().map(|&v| ((f64::from(v) - most) / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    (powers.iter().map(|power| power / sum).collect(), sum.ln() + most / temperature)
}

/// The mean loss of some pictures, one set of logits each.
///
/// Of a picture: (1 − w)·H(y, softmax(z)) + w·τ²·D(softmax(t/τ) ‖ softmax(z/τ)), with y the smoothed
/// label, t the teacher's logits, w and τ weight and temperature of distillation; w = 0 without.
#[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
pub(super) fn loss(logits: &[f32], targets: Targets<'_>) -> Scored {
    let Targets { labels, smoothing, teacher } = targets;
    let classes = logits.len() / labels.len();
    let n = labels.len() as f64;
    let even = smoothing / classes as f64;
    let of_labels = 1.0 - teacher.map_or(0.0, |(_, how)| how.weight);
    let mut scored = Scored { loss: 0.0, gradient: Vec::with_capacity(logits.len()), correct: 0 };
    for (i, (logits, &label)) in logits.chunks_exact(classes).zip(labels).enumerate() {
        let label = usize::from(label);
        let target = |class: usize| even + if class == label { 1.0 - smoothing } else { 0.0 };
        let (probabilities, log_sum) = softmax(logits, 1.0);
        let entropy: f64 =
            logits.iter().enumerate().map(|(c, &z)| target(c) * (log_sum - f64::from(z))).sum();
        let mut of_picture = of_labels * entropy;
        let mut gradient: Vec<f64> =
            probabilities.iter().enumerate().map(|(c, p)| of_labels * (p - target(c))).collect();
        if let Some((teacher, Distillation { weight, temperature })) = teacher {
            let teacher = &teacher[i * classes..][..classes];
            let (wanted, teacher_log_sum) = softmax(teacher, temperature);
            let (found, log_sum) = softmax(logits, temperature);
            for c in 0..classes {
                let apart = f64::from(teacher[c]) - f64::from(logits[c]);
                let logs = apart / temperature + log_sum - teacher_log_sum;
                of_picture += weight * temperature.powi(2) * wanted[c] * logs;
                gradient[c] += weight * temperature * (found[c] - wanted[c]);
            }
        }
        scored.loss += of_picture / n;
        scored.correct += u64::from(crate::float::largest(logits) == label);
        scored.gradient.extend(gradient.iter().map(|g| (g / n) as f32));
    }
    scored
}

/// The loss of labels alone.
#[cfg(test)]
pub(super) fn cross_entropy(logits: &[f32], labels: &[u16]) -> Scored {
    loss(logits, Targets { labels, smoothing: 0.0, teacher: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(labels: &[u16]) -> Targets<'_> {
        Targets { labels, smoothing: 0.0, teacher: None }
    }

    #[test]
    fn two_pictures_by_hand() {
        // softmax(0, ln 3) = (1/4, 3/4).
        let logits = [0.0, 3.0_f32.ln(), 0.0, 3.0_f32.ln()];
        let scored = cross_entropy(&logits, &[0, 1]);
        assert!((scored.loss - f64::midpoint(4.0_f64.ln(), (4.0_f64 / 3.0).ln())).abs() < 1e-6);
        assert_eq!(scored.correct, 1);
        let wanted = [-0.375, 0.375, 0.125, -0.125];
        for (found, wanted) in scored.gradient.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-6);
        }
        assert!(cross_entropy(&[f32::NAN, 0.0], &[1]).loss.is_nan());
    }

    #[test]
    fn a_smoothed_label_and_a_teacher_by_hand() {
        let logits = [0.0, 3.0_f32.ln()];
        let smoothed = Targets { smoothing: 0.2, ..plain(&[1]) };
        // Targets 0.1 and 0.9 against 1/4 and 3/4.
        let scored = loss(&logits, smoothed);
        assert!((scored.loss - (0.1 * 4.0_f64.ln() + 0.9 * (4.0_f64 / 3.0).ln())).abs() < 1e-6);
        assert!((scored.gradient[0] - 0.15).abs() < 1e-6);
        // At temperature 2 the teacher's logits (2·ln 3, 0) are (3/4, 1/4), and 0, 2·ln 3 the reverse.
        let (logits, teacher) = ([0.0, 2.0 * 3.0_f32.ln()], [2.0 * 3.0_f32.ln(), 0.0]);
        let how = Distillation { weight: 1.0, temperature: 2.0 };
        let scored = loss(&logits, Targets { teacher: Some((&teacher, how)), ..plain(&[1]) });
        let divergence = 0.75 * 3.0_f64.ln() - 0.25 * 3.0_f64.ln();
        assert!((scored.loss - 4.0 * divergence).abs() < 1e-6, "{}", scored.loss);
        assert!((scored.gradient[0] - 2.0 * (0.25 - 0.75)).abs() < 1e-6);
        let same = loss(&logits, Targets { teacher: Some((&logits, how)), ..plain(&[1]) });
        assert!(same.loss.abs() < 1e-12 && same.gradient.iter().all(|g| g.abs() < 1e-12));
    }

    #[test]
    fn gradients_are_finite_differences() {
        let logits = [0.3_f32, -1.2, 2.5, 0.0, 0.7, -0.4];
        let teacher = [1.5_f32, 0.2, -0.8, -2.0, 0.1, 3.0];
        let how = Distillation { weight: 0.7, temperature: 3.0 };
        let targets = Targets { labels: &[2, 0], smoothing: 0.1, teacher: Some((&teacher, how)) };
        let scored = loss(&logits, targets);
        for i in 0..logits.len() {
            let at = |by: f32| {
                let mut moved = logits;
                moved[i] += by;
                (loss(&moved, targets).loss, f64::from(moved[i]))
            };
            let ((above, right), (below, left)) = (at(1e-3), at(-1e-3));
            let difference = (above - below) / (right - left);
            let found = f64::from(scored.gradient[i]);
            assert!((found - difference).abs() < 1e-6, "{i}: {found} {difference}");
        }
    }
}
