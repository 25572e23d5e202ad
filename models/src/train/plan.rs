//! The plan of a training, and its TOML form.

use serde::Deserialize;

use crate::Error;
use crate::scheme::{self, Plan};
use crate::topology::Topology;

/// The version of the file form.
const FORMAT: i64 = 1;
/// The most epochs, pictures and stages that a plan may ask for.
const MOST: usize = 1_000_000;

/// What is trained, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingPlan {
    /// A built-in network's name, or a network file.
    pub network: String,
    /// Where the weights come from.
    pub start: Start,
    /// Of everything that is random.
    pub seed: u64,
    /// Training pictures that are not trained on but scored after every epoch.
    pub held_back: usize,
    /// How many synthetic pictures there are, where there is no data folder.
    pub synthetic: Synthetic,
    /// How the weights and tensors of quantized stages are quantized; none where no stage is.
    pub quantization: Option<Plan>,
    /// One after the other.
    pub stages: Vec<Stage>,
}

/// Where the weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Random weights.
    Scratch,
    /// A trained float network.
    Checkpoint,
}

/// Sizes of the synthetic data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Training pictures.
    pub training: usize,
    /// Test pictures.
    pub test: usize,
}

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
    /// Of quantized stages: how sharp the soft quantizer is.
    pub temperature: Option<Temperature>,
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
}

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
    fn check(&self, place: &str) -> Result<(), Error> {
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "format")]
    _format: i64,
    network: String,
    start: Start,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    held_back: usize,
    synthetic: Option<Synthetic>,
    quantization: Option<scheme::Raw>,
    #[serde(rename = "stage")]
    stages: Vec<Stage>,
}

impl TrainingPlan {
    /// Reads a plan. Keys and their defaults are described in `docs/training-plan.md`.
    ///
    /// ```
    /// use tridot_models::train::{Kind, TrainingPlan};
    /// let plan = TrainingPlan::from_toml(
    ///     "format = 1\nnetwork = \"resnet20\"\nstart = \"scratch\"\n\
    ///      [[stage]]\nweights = \"float\"\nepochs = 3\nlearning_rate = 0.1\n",
    /// )?;
    /// assert_eq!((plan.stages[0].weights, plan.stages[0].batch), (Kind::Float, 128));
    /// # Ok::<(), tridot_models::Error>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        // The version first, so that another version's keys are not blamed.
        let version: scheme::Version =
            toml::from_str(text).map_err(|error| scheme::at_line(text, &error))?;
        if version.format != FORMAT {
            let limit = FORMAT.to_string();
            return Err(Error::limit("training plan", "format", limit, version.format));
        }
        let raw: Raw = toml::from_str(text).map_err(|error| scheme::at_line(text, &error))?;
        let plan = Self {
            network: raw.network,
            start: raw.start,
            seed: raw.seed,
            held_back: raw.held_back,
            synthetic: raw.synthetic.unwrap_or(Synthetic { training: 8000, test: 2000 }),
            quantization: raw.quantization.map(scheme::Raw::embedded).transpose()?,
            stages: raw.stages,
        };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("held_back", self.held_back, 0),
            ("synthetic.training", self.synthetic.training, 1),
            ("synthetic.test", self.synthetic.test, 1),
            ("the number of stages", self.stages.len(), 1),
        ];
        sizes.into_iter().try_for_each(|(what, value, least)| size("plan", what, value, least))?;
        let mut quantized = false;
        for (stage_idx, stage) in self.stages.iter().enumerate() {
            let place = format!("stage {}", stage_idx + 1);
            stage.check(&place)?;
            match (stage.weights, &self.quantization) {
                (Kind::Float, _) if quantized => {
                    let reason = "a float stage after a quantized one: it would undo it";
                    return Err(Error::malformed(place, reason));
                }
                (Kind::Quantized, None) => {
                    let reason = "weights = \"quantized\" needs a table [quantization]";
                    return Err(Error::malformed(place, reason));
                }
                (Kind::Quantized, Some(_)) => quantized = true,
                (Kind::Float, _) => {}
            }
        }
        if self.quantization.is_some() && !quantized {
            let reason = "no stage has weights = \"quantized\", so nothing reads this table";
            return Err(Error::malformed("quantization", reason));
        }
        Ok(())
    }

    /// Refuses schemes of layers that the network does not have.
    pub fn check_network(&self, topology: &Topology) -> Result<(), Error> {
        let schemes = self.quantization.as_ref().map(|plan| plan.schemes(topology)).transpose();
        schemes.map(drop)
    }
}

fn size(place: &str, what: &str, value: usize, least: usize) -> Result<(), Error> {
    if (least..=MOST).contains(&value) {
        return Ok(());
    }
    Err(Error::limit(place, what, format!("between {least} and {MOST}"), value))
}

impl Stage {
    fn check(&self, place: &str) -> Result<(), Error> {
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
            (Kind::Quantized, None) => {
                let reason = "missing key `temperature`, e.g. { from = 10.0, to = 200.0 }";
                Err(Error::malformed(place, reason))
            }
            (Kind::Quantized, Some(Temperature { from, to, .. })) => {
                let limit = "positive and at most 1e6, and not fall";
                if 0.0 < from && from <= to && to <= 1e6 {
                    return Ok(());
                }
                Err(Error::limit(place, "temperature", limit, format!("{from} to {to}")))
            }
            (Kind::Float, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "format = 1\nnetwork = \"quickstart\"\nstart = \"scratch\"\n\
        [quantization]\nothers = \"dbq(2)\"\n\
        [[stage]]\nweights = \"float\"\nepochs = 2\nlearning_rate = 0.1\n\
        [[stage]]\nweights = \"quantized\"\nepochs = 1\nlearning_rate = 0.01\n\
        temperature = { from = 5.0, to = 80.0 }\n";

    fn refused(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        let error = TrainingPlan::from_toml(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    }

    #[test]
    fn a_plan_is_read_with_its_defaults() {
        let plan = TrainingPlan::from_toml(GOOD).unwrap();
        assert_eq!(plan.quantization, Some(Plan::default_with_branches(2)));
        assert_eq!((plan.seed, plan.held_back, plan.start), (0, 0, Start::Scratch));
        let temperature = plan.stages[1].temperature.unwrap();
        assert!((temperature.at(0.5) - 20.0).abs() < 1e-9, "geometric: √(5·80)");
        let linear = Temperature { growth: Growth::Linear, ..temperature };
        assert!((linear.at(0.5) - 42.5).abs() < 1e-9);
    }

    #[test]
    fn wrong_keys_are_refused_with_line_and_column() {
        assert!(refused("epochs = 2", "epoch = 2").starts_with("line 8, column 1: unknown field"));
        assert!(
            refused("epochs = 2", "epochs = 2\nepochs = 3").starts_with("line 9, column 1: dup")
        );
        assert!(refused("epochs = 2\n", "").contains("line 6, column 1: missing field `epochs`"));
        assert!(refused("others", "other").starts_with("line 5, column 1: unknown field `other`"));
        assert!(
            refused("\"dbq(2)\"", "\"dbq(9)\"").starts_with("line 5, column 10: a scheme must")
        );
        assert!(
            refused("\"scratch\"", "\"zero\"").starts_with("line 3, column 9: unknown variant")
        );
        assert!(refused("[quantization]", "[quantization]\nformat = 1").contains("unknown"));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        assert_eq!(refused("format = 1", "format = 2"), "training plan: format must be 1, got 2");
        assert_eq!(
            refused("format = 1", "format = 2\nnew_key = 3"),
            "training plan: format must be 1, got 2"
        );
        assert!(
            refused("epochs = 2", "epochs = 0").starts_with("stage 1: epochs must be between 1")
        );
        assert!(refused("0.01", "-1.0").starts_with("stage 2: learning_rate must be positive"));
        assert!(refused("0.01", "nan").contains("got NaN"));
        assert!(refused("from = 5.0", "from = 500.0").contains("not fall, got 500 to 80"));
        assert!(refused("temperature = { from = 5.0, to = 80.0 }", "").contains("`temperature`"));
        assert!(refused("[quantization]\nothers = \"dbq(2)\"\n", "").contains("[quantization]"));
        assert!(
            refused("epochs = 1", "epochs = 1\nwarmup_epochs = 1.0").contains("below the epochs")
        );
    }

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
