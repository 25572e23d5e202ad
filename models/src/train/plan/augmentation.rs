//! Random changes of training pictures, as a plan asks for them.

use serde::Deserialize;

use crate::Error;

/// Random changes of training pictures; none by default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Black pixels around a picture from which one of its own size is cut.
    pub crop: usize,
    /// A part of the picture, of any place, size and proportions, is resized to the network's input.
    pub resized_crop: Option<ResizedCrop>,
    /// Whether left and right are exchanged half of the time.
    pub flip: bool,
}

/// Of which parts of a picture one is drawn; as common for ImageNet by default.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResizedCrop {
    /// Least and most of the picture's area, evenly distributed.
    pub area: [f64; 2],
    /// Least and most width of a height of 1, evenly distributed in their logarithm.
    pub aspect: [f64; 2],
}

impl Default for ResizedCrop {
    fn default() -> Self {
        Self { area: [0.08, 1.0], aspect: [3.0 / 4.0, 4.0 / 3.0] }
    }
}

impl ResizedCrop {
    pub(super) fn check(&self, place: &str) -> Result<(), Error> {
        let ranges = [("area", self.area, [0.001, 1.0]), ("aspect", self.aspect, [0.1, 10.0])];
        for (what, [from, to], [least, most]) in ranges {
            // A NaN is in no order.
            if !(least <= from && from <= to && to <= most) {
                let limit = format!("two numbers from {least} to {most} that do not fall");
                let what = format!("augmentation.resized_crop.{what}");
                return Err(Error::limit(place, what, limit, format!("{from} to {to}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::TrainingPlan;
    use super::super::tests::GOOD;
    use super::*;

    #[test]
    fn a_resized_crop_has_the_ranges_of_the_field_or_good_ones_of_its_own() {
        let augmented = |augmentation: &str| {
            let text = format!("epochs = 2\naugmentation = {augmentation}");
            TrainingPlan::from_toml(&GOOD.replacen("epochs = 2", &text, 1))
                .map(|plan| plan.stages[0].augmentation.resized_crop.unwrap())
                .map_err(|error| error.to_string())
        };
        let usual = augmented("{ resized_crop = {}, flip = true }").unwrap();
        assert_eq!(usual, ResizedCrop { area: [0.08, 1.0], aspect: [0.75, 4.0 / 3.0] });
        let tame = augmented("{ resized_crop = { area = [0.5, 1.0] } }").unwrap();
        assert_eq!((tame.area, tame.aspect), ([0.5, 1.0], usual.aspect));
        for (wrong, message) in [
            (
                "{ resized_crop = { area = [0.5, 0.4] } }",
                "area must be two numbers from 0.001 to 1 that do not fall, got 0.5 to 0.4",
            ),
            ("{ resized_crop = { area = [0.0, 1.0] } }", "got 0 to 1"),
            ("{ resized_crop = { aspect = [0.5, nan] } }", "got 0.5 to NaN"),
            ("{ resized_crop = {}, crop = 4 }", "stage 1: augmentation has both crop and"),
            ("{ resized_crop = { zoom = 2 } }", "line 9, column 35: unknown field `zoom`"),
        ] {
            let error = augmented(wrong).unwrap_err();
            assert!(error.contains(message) && !error.contains('\n'), "{error}");
        }
    }
}
