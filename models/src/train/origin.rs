//! What a training began with and ran on: when it goes on, data and checkpoint must be the same.

use tridot_sim::digest::Digest;

use super::{Trainer, TrainingData, TrainingPlan, batches};
use crate::Error;
use crate::data::Pictures;
use crate::kernels::lanes::InstructionSet;
use crate::topology::Topology;

/// Names for the contents that a training began with, and for what it ran on; none where that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    /// Of the file of the float weights.
    pub(crate) from: Option<Digest>,
    /// Of all labels, in the order of the pictures.
    pub(crate) labels: Option<Digest>,
    /// The instruction set of the kernels before it went on; none where nothing is done.
    pub(crate) instruction_set: Option<String>,
}

impl Origin {
    /// Of pictures, and of weights that are not known yet.
    pub(super) fn of(data: &TrainingData<'_>) -> Self {
        Self { labels: Some(labels(data)), ..Self::default() }
    }

    fn check_labels(&self, data: &TrainingData<'_>) -> Result<(), Error> {
        match self.labels {
            Some(known) if known != labels(data) => {
                let reason =
                    "its pictures have other labels than those that the training began with";
                Err(Error::malformed(format!("data `{}`", data.name), reason))
            }
            _ => Ok(()),
        }
    }
}

/// Of the labels to train on, then of those to score with, with their numbers.
fn labels(data: &TrainingData<'_>) -> Digest {
    let mut bytes = Vec::new();
    for source in [data.training, data.test] {
        bytes.extend((source.len() as u64).to_le_bytes());
        bytes.extend(source.labels().iter().flat_map(|label| label.to_le_bytes()));
    }
    Digest::of(&bytes)
}

impl Trainer {
    /// Keeps which file the float weights came from.
    #[must_use]
    pub fn from_file(mut self, digest: Digest) -> Self {
        self.origin.from = Some(digest);
        self
    }

    /// What must be said where it goes on: that its kernels were others, if they were.
    pub fn remark(&self) -> Option<String> {
        self.next()?;
        let (before, now) = (self.origin.instruction_set.as_ref()?, InstructionSet::best().name());
        (before != now).then(|| {
            format!(
                "its last epoch ran on {before} kernels, what follows runs on {now}: the last bits of sums may differ"
            )
        })
    }

    /// Refuses another file of float weights than the one that the training began with.
    pub fn check_from(&self, digest: Digest) -> Result<(), Error> {
        match self.origin.from {
            Some(known) if known != digest => {
                let reason = "is not the file of weights that this training began with";
                Err(Error::malformed("checkpoint", reason))
            }
            _ => Ok(()),
        }
    }

    /// Refuses pictures that this training cannot be about.
    pub fn check_data(&self, data: &TrainingData<'_>) -> Result<(), Error> {
        if data.name != self.data {
            let limit = format!("`{}`, which the training began with", self.data);
            return Err(Error::limit("data", "the data set", limit, format!("`{}`", data.name)));
        }
        data.check(&self.plan, &self.model.float.topology)?;
        self.origin.check_labels(data)
    }
}

impl TrainingData<'_> {
    /// Refuses pictures that do not fit a network, or are too few for a plan.
    pub fn check(&self, plan: &TrainingPlan, topology: &Topology) -> Result<(), Error> {
        let place = format!("data `{}`", self.name);
        for pictures in [self.training, self.test] {
            if pictures.shape() != topology.input {
                let limit = format!("{}, as the network's input", topology.input);
                return Err(Error::limit(place, "pictures", limit, pictures.shape()));
            }
            if let Some(&label) = pictures.labels().iter().max()
                && topology.classes <= usize::from(label)
            {
                let limit = format!("below the network's {} classes", topology.classes);
                return Err(Error::limit(place, "labels", limit, label));
            }
        }
        if self.classes != topology.classes {
            let limit = format!("{}, as the network's outputs", topology.classes);
            return Err(Error::limit(place, "the number of classes", limit, self.classes));
        }
        let (n_pictures, held_back) = (self.training.len(), plan.held_back);
        if n_pictures <= held_back {
            let limit = format!("below the {n_pictures} training pictures");
            return Err(Error::limit("plan", "held_back", limit, held_back));
        }
        let most = n_pictures - held_back;
        for (stage_idx, stage) in plan.stages.iter().enumerate() {
            if most < stage.batch {
                let place = format!("stage {}", stage_idx + 1);
                let limit = format!("at most the {most} pictures to train on");
                return Err(Error::limit(place, "batch", limit, stage.batch));
            }
        }
        Ok(())
    }

    /// At most `n` of the pictures that a plan trains on, drawn with its seed.
    pub fn some(&self, plan: &TrainingPlan, n: usize) -> Result<Pictures, Error> {
        let (_, pictures) = batches::split(self.training.len(), plan.held_back, plan.seed);
        self.training.pictures(&batches::some(&pictures, plan.seed, n))
    }
}
