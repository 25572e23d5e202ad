//! Cross-entropy and its gradient.

/// The loss of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scored {
    /// Mean of −ln softmax(logits)[label].
    pub(super) loss: f64,
    /// By logit.
    pub(super) gradient: Vec<f32>,
    /// Pictures whose label has the largest logit.
    pub(super) correct: u64,
}

/// The mean cross-entropy of some pictures, one set of logits each.
#[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
pub(super) fn cross_entropy(logits: &[f32], labels: &[u16]) -> Scored {
    let classes = logits.len() / labels.len();
    let n = labels.len() as f64;
    let mut scored = Scored { loss: 0.0, gradient: Vec::with_capacity(logits.len()), correct: 0 };
    for (logits, &label) in logits.chunks_exact(classes).zip(labels) {
        let label = usize::from(label);
        // `max` would hide NaN, which the sum shows.
        let most = logits.iter().fold(f64::NEG_INFINITY, |most, &v| most.max(v.into()));
        let powers: Vec<f64> = logits.iter().map(|&v| (f64::from(v) - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        scored.loss += (sum.ln() + most - f64::from(logits[label])) / n;
        scored.correct += u64::from(crate::float::largest(logits) == label);
        scored.gradient.extend(powers.iter().enumerate().map(|(class, power)| {
            ((power / sum - if class == label { 1.0 } else { 0.0 }) / n) as f32
        }));
    }
    scored
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
