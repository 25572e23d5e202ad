//! The plan of a training, and its TOML form.

use serde::Deserialize;

use crate::Error;
use crate::scheme::{self, Plan};
use crate::topology::Topology;

mod augmentation;
mod stage;

pub use augmentation::{Augmentation, ResizedCrop};
pub use stage::{Average, Distillation, Growth, Kind, RateFactors, Stage, Temperature};

use stage::size;

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
                (Kind::Quantized, Some(plan)) => {
                    stage.check_temperature(&place, plan.has_dbq())?;
                    quantized = true;
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const GOOD: &str = "format = 1\nnetwork = \"quickstart\"\nstart = \"scratch\"\n\
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
        assert!((temperature.of_gradients(20.0) - 20.0).abs() < 1e-9);
        let limited = Temperature { gradient: Some(3.0), ..temperature };
        let of_gradients = [2.0, 3.0, 20.0].map(|of_step| limited.of_gradients(of_step));
        assert!(of_gradients.iter().zip([2.0, 3.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-9));
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
        let gradient =
            |value: &str| refused("to = 80.0", &format!("to = 80.0, gradient = {value}"));
        for (value, shown) in [("0.0", "0"), ("80.0", "80"), ("nan", "NaN")] {
            let limit = "must be positive and below the last temperature, 80, got";
            assert_eq!(gradient(value), format!("stage 2: temperature.gradient {limit} {shown}"));
        }
        assert!(refused("temperature = { from = 5.0, to = 80.0 }", "").contains("`temperature`"));
        assert!(refused("\"dbq(2)\"", "\"twn\"").ends_with("of dbq layers, and no layer is"));
        let scales = "0.1\nrate_factors = { scales = 2.0 }";
        assert!(refused("0.1\n", &format!("{scales}\n")).contains("no branch scales"));
        let distillation = |how: &str| {
            refused(
                "epochs = 1",
                &format!("epochs = 1\nlabel_smoothing = 0.1\ndistillation = {how}"),
            )
        };
        assert_eq!(
            distillation("{ weight = 0.0 }"),
            "stage 2: distillation.weight must be above 0 and at most 1, got 0"
        );
        assert!(distillation("{ weight = 1.0 }").ends_with("no label counts"));
        assert!(refused("[quantization]\nothers = \"dbq(2)\"\n", "").contains("[quantization]"));
        assert!(
            refused("epochs = 1", "epochs = 1\nwarmup_epochs = 1.0").contains("below the epochs")
        );
    }
}
