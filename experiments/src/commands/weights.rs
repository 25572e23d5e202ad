//! Trained weights that a command starts from: a checkpoint's, or those of an integer network.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tridot_models::data::Pictures;
use tridot_models::float::FloatNetwork;
use tridot_models::import::{self, Checkpoint};
use tridot_models::topology::{self, Topology};
use tridot_models::unfold::Unfolded;
use tridot_sim::digest::Digest;
use tridot_sim::network::Network;

use crate::files;
use crate::print::Printer;

/// The most pictures that batch norm is measured on behind the weights of an integer network.
const BATCH_NORM_PICTURES: usize = 1024;
/// The most bytes that they fill.
const BATCH_NORM_BYTES: usize = 1 << 29;

/// What the file of the weights holds.
pub(crate) struct Trained<'a> {
    path: &'a Path,
    /// Of the file.
    pub(crate) digest: Digest,
    form: Form,
}

enum Form {
    Checkpoint(Checkpoint),
    Network(Box<Network>),
}

impl<'a> Trained<'a> {
    /// Of a file, or of a name of the zoo.
    pub(crate) fn read(path: &'a Path) -> Result<Self> {
        let bytes = files::trained_bytes(path)?;
        let form = || -> Result<Form> {
            Ok(if import::is_integer_network(&bytes) {
                Form::Network(Box::new(Network::from_bytes(&bytes)?))
            } else {
                Form::Checkpoint(Checkpoint::read(&bytes)?)
            })
        };
        let form = form().with_context(|| path.display().to_string())?;
        Ok(Self { path, digest: Digest::of(&bytes), form })
    }

    /// The topology that was named, or that of an integer network's name, or the only built-in one that the
    /// tensors of a checkpoint fit.
    pub(crate) fn topology(&self, named: Option<&str>) -> Result<Topology> {
        if let Some(name) = named {
            return files::topology(name);
        }
        let found = match &self.form {
            Form::Checkpoint(checkpoint) => identified(checkpoint),
            Form::Network(network) => topology::builtin(&network.name)
                .with_context(|| "its network is not built in: give its file with --network"),
        };
        found.with_context(|| self.path.display().to_string())
    }

    /// As real numbers in a topology; says where they are not what a float training left.
    pub(crate) fn fitted(self, topology: Topology, printer: &Printer) -> Result<Fitted> {
        let place = || self.path.display().to_string();
        let note = |remark: &str| printer.note(format_args!("{}: {remark}", place()));
        match &self.form {
            Form::Checkpoint(checkpoint) => {
                if let Some(remark) = checkpoint.remark() {
                    note(&remark);
                }
                let float = import::float_network(checkpoint, topology).with_context(place)?;
                Ok(Fitted::Float(float))
            }
            Form::Network(network) => {
                let unfolded = Unfolded::new(network, topology).with_context(place)?;
                note("is an integer network: its weights are taken as real numbers");
                Ok(Fitted::Unfolded(unfolded))
            }
        }
    }
}

/// Trained weights in their topology.
pub(crate) enum Fitted {
    Float(FloatNetwork),
    /// Its batch norm is to be put back.
    Unfolded(Unfolded),
}

impl Fitted {
    /// The float network. `pictures` gives at most so many of those that it is to be calibrated or trained on,
    /// to look at where batch norm must be put back.
    pub(crate) fn float(
        self,
        pictures: impl FnOnce(usize) -> Result<Pictures>,
    ) -> Result<FloatNetwork> {
        match self {
            Self::Float(float) => Ok(float),
            Self::Unfolded(unfolded) if unfolded.has_batch_norm() => {
                let most = BATCH_NORM_BYTES / unfolded.picture_bytes();
                let pictures = pictures(BATCH_NORM_PICTURES.min(most.max(1)))?;
                Ok(unfolded.float_network(&pictures.pixels)?)
            }
            Self::Unfolded(unfolded) => Ok(unfolded.float_network(&[])?),
        }
    }
}

/// The digest of what such an argument names.
pub(crate) fn digest(path: &Path) -> Result<Digest> {
    Ok(Digest::of(&files::trained_bytes(path)?))
}

fn identified(checkpoint: &Checkpoint) -> Result<Topology> {
    let names = topology::builtin_names();
    let mut topologies =
        names.iter().map(|name| topology::builtin(name)).collect::<Result<Vec<_>, _>>()?;
    match import::identify(checkpoint, &topologies)[..] {
        [index] => Ok(topologies.swap_remove(index)),
        [] => bail!(
            "its tensors are of no built-in network ({}): name one with --network",
            names.join(", ")
        ),
        ref several => {
            let fitting: Vec<_> = several.iter().map(|&i| names[i]).collect();
            bail!(
                "its tensors fit several built-in networks ({}): choose one with --network",
                fitting.join(", ")
            )
        }
    }
}
