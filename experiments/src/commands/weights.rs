//! Trained weights that a command starts from: a checkpoint's, or those of an integer network.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tridot_models::data::Pictures;
use tridot_models::float::FloatNetwork;
use tridot_models::import::{self, Checkpoint};
use tridot_models::topology::{self, Topology};
use tridot_models::unfold;
use tridot_sim::digest::Digest;
use tridot_sim::network::Network;

use crate::print::Printer;
use crate::{files, zoo};

/// Pictures that batch norm is measured on behind the weights of an integer network.
pub(crate) const BATCH_NORM_PICTURES: usize = 1024;

/// What the file of the weights holds.
pub(crate) struct Weights<'a> {
    path: &'a Path,
    /// Of the file.
    pub(crate) digest: Digest,
    kind: Kind,
}

enum Kind {
    Float(Checkpoint),
    Integer(Box<Network>),
}

impl<'a> Weights<'a> {
    /// Of a file, or of a name of the zoo.
    pub(crate) fn read(path: &'a Path) -> Result<Self> {
        let bytes = bytes(path)?;
        let kind = if import::is_integer_network(&bytes) {
            Network::from_bytes(&bytes)
                .map(Box::new)
                .map(Kind::Integer)
                .map_err(anyhow::Error::from)
        } else {
            Checkpoint::read(&bytes).map(Kind::Float).map_err(anyhow::Error::from)
        };
        let kind = kind.with_context(|| path.display().to_string())?;
        Ok(Self { path, digest: Digest::of(&bytes), kind })
    }

    /// The topology that was named, or the only built-in one that they fit.
    pub(crate) fn topology(&self, named: Option<&str>) -> Result<Topology> {
        if let Some(name) = named {
            return files::topology(name);
        }
        let found = match &self.kind {
            Kind::Float(checkpoint) => identified(checkpoint),
            Kind::Integer(network) => topology::builtin(&network.name)
                .with_context(|| "its network is not built in: give its file with --network"),
        };
        found.with_context(|| self.path.display().to_string())
    }

    /// As real numbers; says where they are not what a float training left. `pictures` of the data that
    /// follows are looked at where batch norm must be put back.
    pub(crate) fn float(
        &self,
        topology: Topology,
        pictures: impl FnOnce() -> Result<Pictures>,
        printer: &Printer,
    ) -> Result<FloatNetwork> {
        let place = || self.path.display().to_string();
        let note = |remark: &str| printer.note(format_args!("{}: {remark}", self.path.display()));
        match &self.kind {
            Kind::Float(checkpoint) => {
                if let Some(remark) = checkpoint.remark() {
                    note(&remark);
                }
                import::float_network(checkpoint, topology).with_context(place)
            }
            Kind::Integer(network) => {
                let pixels = pictures()?.pixels;
                let float =
                    unfold::float_network(network, topology, &pixels).with_context(place)?;
                note("is an integer network: its weights are taken as real numbers");
                Ok(float)
            }
        }
    }
}

/// The digest of what such an argument names.
pub(crate) fn digest(path: &Path) -> Result<Digest> {
    Ok(Digest::of(&bytes(path)?))
}

fn bytes(path: &Path) -> Result<Cow<'static, [u8]>> {
    let is_name = |name: &str| {
        !files::is_path(name) && (zoo::find(name).is_some() || !Path::new(name).exists())
    };
    if path.to_str().is_some_and(is_name) {
        return files::network_bytes(path);
    }
    files::read_plain(path, files::MAX_CHECKPOINT_BYTES).map(Cow::Owned)
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
