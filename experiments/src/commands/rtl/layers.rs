//! The layers that run on the RTL: of a network on some pictures, or random ones.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tridot_sim::arch::Architecture;
use tridot_sim::network::Network;
use tridot_sim::rtl::Case;
use tridot_sim::trace::Trace;

use super::super::simulate;
use crate::cli::LayersArgs;
use crate::files;
use crate::print::Printer;

/// A layer with its input.
pub(crate) struct Job<'a> {
    pub(crate) network: &'a Network,
    pub(crate) layer_idx: usize,
    pub(crate) images: usize,
    pub(crate) codes: Vec<i64>,
    /// What it is called.
    pub(crate) name: String,
}

/// A network with its pictures, and which of its layers run.
pub(crate) struct Subject {
    pub(crate) network: Network,
    trace: Trace,
    /// What ran, for people.
    pub(crate) input: String,
    layers: Vec<usize>,
    /// Layers of the vector unit, which the RTL has not.
    pub(crate) not_covered: Vec<String>,
}

impl Subject {
    /// Reads the network and its pictures. Refuses a layer that is not there, and one of the vector unit that is asked for.
    pub(crate) fn read(path: &Path, arguments: &LayersArgs, printer: &Printer) -> Result<Self> {
        let network = files::read_network(path)?;
        let dots = |wanted: bool| {
            let layers = network.layers.iter().enumerate();
            layers.filter(move |(_, layer)| layer.dot().is_some() == wanted)
        };
        let mut layers: Vec<usize> = dots(true).map(|(i, _)| i).collect();
        let mut not_covered: Vec<_> = dots(false).map(|(_, layer)| layer.name.clone()).collect();
        if !arguments.layers.is_empty() {
            not_covered.clear();
            let named = arguments.layers.iter().map(|name| dot_layer(&network, name));
            layers = named.collect::<Result<_>>()?;
            let mut seen = BTreeSet::new();
            layers.retain(|&layer_idx| seen.insert(layer_idx));
        }
        let (trace, input) = simulate::input(arguments.trace.as_deref(), &network, printer)?;
        Ok(Self { network, trace, input, layers, not_covered })
    }

    /// The layers that run.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = Job<'_>> {
        self.layers.iter().map(|&layer_idx| {
            let layer = &self.network.layers[layer_idx];
            Job {
                network: &self.network,
                layer_idx,
                images: self.trace.pictures(),
                codes: self.trace.codes(layer.inputs[0]),
                name: layer.name.clone(),
            }
        })
    }
}

/// A dot-product layer by its name.
pub(crate) fn dot_layer(network: &Network, name: &str) -> Result<usize> {
    let found = network.layers.iter().position(|layer| layer.name == name);
    let layer_idx = found.with_context(|| {
        format!("network `{}` has no layer `{}`", network.name, name.escape_debug())
    })?;
    if network.layers[layer_idx].dot().is_none() {
        bail!("layer `{name}`: is of the vector unit, which the RTL has not");
    }
    Ok(layer_idx)
}

/// Random layers that run on an architecture.
pub(crate) fn random(arch: &Architecture, count: usize, seed: u64) -> Result<Vec<Case>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |below: u64| random.next_u64() % below;
    let case = |i| Case::random(&format!("random {i}"), arch, &mut draw);
    Ok((0..count).map(case).collect::<Result<_, _>>()?)
}

/// A random layer as a job.
pub(crate) fn job(case: &Case) -> Job<'_> {
    Job {
        network: &case.network,
        layer_idx: 0,
        images: case.images,
        codes: case.codes.clone(),
        name: case.name.clone(),
    }
}
