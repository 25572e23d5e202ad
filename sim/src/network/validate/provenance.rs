//! A network's provenance: nothing is computed from it, but a file must be able to hold it.

use super::{Check, range};
use crate::network::{Accuracy, Provenance};
use crate::{Error, limits};

const PLACE: &str = "provenance";

pub(super) fn check(provenance: &Provenance, input_channels: usize) -> Check {
    let Provenance { data, plan, batch_norm, mean, std, .. } = provenance;
    let bytes = data.as_ref().map_or(0, String::len) + plan.len() + batch_norm.len();
    range(PLACE, "the bytes of its texts", bytes, 0..=limits::MAX_PROVENANCE_BYTES)?;
    for (what, values) in [("mean", mean), ("std", std)] {
        if !values.is_empty() && values.len() != input_channels {
            let limit = format!("0 or {input_channels} (one a channel)");
            let what = format!("the number of values of {what}");
            return Err(Error::limit(PLACE, what, limit, values.len()));
        }
    }
    // NaN and infinity have no form in JSON.
    if let Some(value) = mean.iter().find(|value| !value.is_finite()) {
        return Err(Error::limit(PLACE, "every mean", "finite", value));
    }
    if let Some(value) = std.iter().find(|value| !(value.is_finite() && 0.0 < **value)) {
        return Err(Error::limit(PLACE, "every std", "finite and positive", value));
    }
    accuracy("float_accuracy", provenance.float_accuracy)?;
    accuracy("integer_accuracy", provenance.integer_accuracy)
}

fn accuracy(what: &str, accuracy: Option<Accuracy>) -> Check {
    let Some(Accuracy { samples, correct }) = accuracy else { return Ok(()) };
    if samples == 0 {
        let what = format!("the samples of {what}");
        return Err(Error::limit(PLACE, what, "at least 1 where it is measured", samples));
    }
    range(PLACE, &format!("the correct samples of {what}"), correct, 0..=samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_cannot_hold_is_refused() {
        let refused = |provenance: Provenance| check(&provenance, 1).unwrap_err().to_string();
        let default = Provenance::default;
        assert!(check(&default(), 1).is_ok());
        assert_eq!(
            refused(Provenance { mean: vec![0.0, 0.0], ..default() }),
            "provenance: the number of values of mean must be 0 or 1 (one a channel), got 2"
        );
        assert_eq!(
            refused(Provenance { mean: vec![f64::NAN], ..default() }),
            "provenance: every mean must be finite, got NaN"
        );
        assert_eq!(
            refused(Provenance { std: vec![0.0], ..default() }),
            "provenance: every std must be finite and positive, got 0"
        );
        let float_accuracy = Some(Accuracy { samples: 10, correct: 11 });
        assert_eq!(
            refused(Provenance { float_accuracy, ..default() }),
            "provenance: the correct samples of float_accuracy must be between 0 and 10, got 11"
        );
        let integer_accuracy = Some(Accuracy { samples: 0, correct: 0 });
        assert_eq!(
            refused(Provenance { integer_accuracy, ..default() }),
            "provenance: the samples of integer_accuracy must be at least 1 where it is measured, got 0"
        );
        assert_eq!(
            refused(Provenance { plan: "x".repeat((1 << 20) + 1), ..default() }),
            "provenance: the bytes of its texts must be between 0 and 1048576, got 1048577"
        );
    }
}
