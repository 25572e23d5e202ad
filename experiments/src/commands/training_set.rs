//! The pictures of a training: from a data folder, or the synthetic set of its plan.

use anyhow::Result;
use tridot_models::data::{self, DataSet, Set};
use tridot_models::topology::Topology;
use tridot_models::train::{TrainingData, TrainingPlan};

use super::pictures;
use crate::cli::TrainingSource;

/// Finds or makes all pictures; refuses such as the network was not made for.
pub(crate) fn load(
    source: &TrainingSource,
    plan: &TrainingPlan,
    topology: &Topology,
) -> Result<DataSet<Set>> {
    let Some(dir) = &source.data else {
        let sizes = plan.synthetic;
        return Ok(data::synthetic(plan.seed, sizes.training, sizes.test).into());
    };
    Ok(pictures::open(dir, topology.input, topology.classes)?.both(topology.input)?)
}

/// As training takes it.
pub(crate) fn borrowed(set: &DataSet<Set>) -> TrainingData<'_> {
    TrainingData {
        name: set.name,
        classes: set.classes,
        training: set.calibration.source(),
        test: set.test.source(),
    }
}
