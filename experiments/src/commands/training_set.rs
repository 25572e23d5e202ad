//! The pictures of a training: from a data folder, or the synthetic set of its plan.

use anyhow::Result;
use tridot_models::data::{self, DataSet};
use tridot_models::topology::Topology;
use tridot_models::train::{TrainingData, TrainingPlan};

use super::pictures;
use crate::cli::TrainingSource;

/// Reads or makes all pictures; refuses such as the network was not made for.
pub(crate) fn load(
    source: &TrainingSource,
    plan: &TrainingPlan,
    topology: &Topology,
) -> Result<DataSet> {
    let Some(dir) = &source.data else {
        return Ok(data::synthetic(plan.seed, plan.synthetic.training, plan.synthetic.test));
    };
    pictures::data_set(dir, topology.input, topology.classes)
}

/// As training takes it.
pub(crate) fn borrowed(set: &DataSet) -> TrainingData<'_> {
    TrainingData {
        name: set.name,
        classes: set.classes,
        training: &set.calibration,
        test: &set.test,
    }
}
