//! Record: one result with everything that determines it.

use tridot_sim::arch::Architecture;
use tridot_sim::complexity::{self, Measures};
use tridot_sim::counts::Counts;
use tridot_sim::energy::Breakdown;
use tridot_sim::network::{Accuracy, Network};
use tridot_sim::outcome::{LayerOutcome, Limiter, Outcome};
use tridot_sim::units::{Cycles, Microseconds, Picojoules, SquareMicrometres};

use crate::Error;
use tridot_sim::digest::Digest;

mod check;
mod labels;

pub(crate) use check::MAX_ENERGY_PJ;

/// One result with all its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Everything that determines the result: two Records of equal inputs are the same result.
    pub inputs: Inputs,
    /// What one picture costs on no machine.
    pub measures: Measures,
    /// What the network cost on the machine, all images together.
    pub total: Results,
    /// Area of the array, where the energy table has it.
    pub area: Option<SquareMicrometres>,
    /// Each layer in the order of the network; empty where only the total was kept.
    pub layers: Vec<LayerRecord>,
    /// What must be said with its figures.
    pub warnings: Vec<String>,
    /// The command that made it.
    pub command: String,
}

/// What stands between the warnings of a result in a file.
pub(crate) const WARNINGS_APART: &str = " | ";

/// What determines a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// The network.
    pub network: NetworkInputs,
    /// The machine.
    pub architecture: Architecture,
    /// What priced the counts, where energy was asked for.
    pub energy_table: Option<Named>,
    /// Which model of the machine ran.
    pub model: Model,
    /// What it ran on.
    pub input: Input,
    /// Images of the batch, at least 1.
    pub images: u64,
    /// Which toggles were counted.
    pub toggling: Toggling,
}

/// The network of a result: its file's digest, and what its file says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkInputs {
    /// Name of the topology.
    pub name: String,
    /// Of the bytes of its file.
    pub digest: Digest,
    /// Schemes of the dot-product layers that are neither first, last nor depthwise, e.g. `dbq(2)`; of a quantizer
    /// that DBQ is compared with, its name in the plan, e.g. `twn`.
    pub scheme: String,
    /// Which weights share their branch scales; none where nothing has branches, or where there is no plan.
    pub granularity: Option<Granularity>,
    /// Bits of the inputs of the same layers, e.g. `8`.
    pub activation_bits: String,
    /// What trained or calibrated it.
    pub data: Option<String>,
    /// Seed of everything random on the way.
    pub seed: u64,
    /// The float network on the test pictures.
    pub float_accuracy: Option<Accuracy>,
    /// The integer network on the test pictures.
    pub integer_accuracy: Option<Accuracy>,
}

/// A file by name and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// How it calls itself, or is called.
    pub name: String,
    /// Of its bytes.
    pub digest: Digest,
}

/// Which weights share their branch scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    /// All weights of a layer.
    Layer,
    /// The weights of an output channel.
    Channel,
}

/// Which model of the machine ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// Counts from the tile structure.
    Fast,
    /// Clock edge by clock edge.
    Stepped,
}

/// What a simulation ran on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Pictures without meaning.
    Synthetic {
        /// Their seed.
        seed: u64,
    },
    /// A recorded trace.
    Trace(Named),
}

/// Which toggles were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Toggling {
    /// None.
    None,
    /// All.
    Exact,
    /// One tile of each `one_tile_of` tiles.
    Sampled {
        /// At least 2.
        one_tile_of: u64,
    },
}

/// What a layer, or all of them, cost on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Results {
    /// Clock cycles: steps, scaler stalls, empty and vector cycles together.
    pub cycles: Cycles,
    /// Steps of the array, one a cycle.
    pub steps: u64,
    /// Cycles frozen for the scaler.
    pub stall_scaler: Cycles,
    /// Cycles of filling and draining.
    pub empty: Cycles,
    /// Cycles of the vector unit.
    pub vector_cycles: Cycles,
    /// Leaf terms that belong to a product of the network.
    pub products: u64,
    /// Tiles of which toggles were counted.
    pub toggle_tiles_counted: u64,
    /// Tiles of which they were to be.
    pub toggle_tiles: u64,
    /// Energy by part, where there is a table.
    pub energy: Option<Energy>,
}

/// A layer's share of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerRecord {
    /// Its name.
    pub name: String,
    /// What one picture costs on no machine; none where the layer is no dot product.
    pub measures: Option<Measures>,
    /// What it cost on the machine.
    pub results: Results,
}

/// Parts of a [`Breakdown`].
pub const ENERGY_PARTS: usize = Breakdown::NAMES.len();

/// Energy by part, in the order of [`Breakdown::NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Energy(pub [Picojoules; ENERGY_PARTS]);

impl Energy {
    /// All parts together.
    pub fn total(&self) -> Picojoules {
        self.0.iter().copied().sum()
    }

    /// The sum of the parts' values, in pJ: exact up to 8.5 mJ, and beyond that what the parts of a file sum to.
    pub(crate) fn value(&self) -> f64 {
        self.0.iter().map(|part| part.value()).sum()
    }

    /// Every part with its name.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, Picojoules)> {
        Breakdown::NAMES.iter().copied().zip(self.0)
    }
}

impl From<Breakdown> for Energy {
    fn from(breakdown: Breakdown) -> Self {
        let mut parts = [Picojoules::default(); ENERGY_PARTS];
        for (part, (_, energy)) in parts.iter_mut().zip(breakdown.parts()) {
            *part = energy;
        }
        Self(parts)
    }
}

/// What is known where a simulation ends: all that a Record is made of.
#[derive(Debug, Clone)]
pub struct Simulation<'a> {
    /// The network that ran.
    pub network: &'a Network,
    /// Of the bytes of its file.
    pub network_digest: Digest,
    /// The machine.
    pub architecture: &'a Architecture,
    /// What happened.
    pub outcome: &'a Outcome,
    /// What it was priced at, where it was.
    pub energy: Option<Priced<'a>>,
    /// Which model ran.
    pub model: Model,
    /// What it ran on.
    pub input: Input,
    /// Which toggles were counted.
    pub toggling: Toggling,
    /// What must be said with its figures.
    pub warnings: Vec<String>,
    /// The command that made it, as the user would type it.
    pub command: String,
}

/// A priced outcome.
#[derive(Debug, Clone)]
pub struct Priced<'a> {
    /// The energy table.
    pub table: Named,
    /// Energy of each layer of the outcome.
    pub layers: &'a [Breakdown],
    /// Area of the array, where the table has it.
    pub area: Option<SquareMicrometres>,
}

impl Record {
    /// The Record of a simulation; refuses texts that a record cannot hold. Panics where outcome or energy
    /// is of another network.
    pub fn new(simulation: Simulation<'_>) -> Result<Self, Error> {
        let Simulation { network, architecture, outcome, energy, .. } = simulation;
        let names = |layer: &LayerOutcome| layer.name.clone();
        assert!(
            outcome.layers.iter().map(names).eq(network.layers.iter().map(|l| l.name.clone())),
            "an outcome of another network"
        );
        if let Some(priced) = &energy {
            assert_eq!(priced.layers.len(), outcome.layers.len(), "one energy a layer");
        }
        let complexity = complexity::of_network(network);
        let mut measures = complexity.layers.into_iter().peekable();
        let layers: Vec<_> = outcome
            .layers
            .iter()
            .enumerate()
            .map(|(layer_idx, layer)| LayerRecord {
                name: layer.name.clone(),
                measures: measures.next_if(|next| next.name == layer.name).map(|m| m.measures),
                results: Results::of(layer, energy.as_ref().map(|e| e.layers[layer_idx])),
            })
            .collect();
        let record = Self {
            inputs: Inputs {
                network: NetworkInputs::of(network, simulation.network_digest),
                architecture: architecture.clone(),
                energy_table: energy.as_ref().map(|priced| priced.table.clone()),
                model: simulation.model,
                input: simulation.input,
                images: outcome.images as u64,
                toggling: simulation.toggling,
            },
            measures: complexity.total,
            total: Results::sum(layers.iter().map(|layer| &layer.results)),
            area: energy.and_then(|priced| priced.area),
            layers,
            warnings: parted(&simulation.warnings),
            command: simulation.command,
        };
        record.check("record")?;
        Ok(record)
    }

    /// How long the batch takes.
    pub fn latency(&self) -> Microseconds {
        self.total.cycles.at(self.inputs.architecture.clock)
    }
}

/// Warnings as a file gives them back.
fn parted(warnings: &[String]) -> Vec<String> {
    let parts = warnings.iter().flat_map(|warning| warning.split(WARNINGS_APART));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl NetworkInputs {
    fn of(network: &Network, digest: Digest) -> Self {
        let provenance = &network.provenance;
        Self {
            name: network.name.clone(),
            digest,
            scheme: labels::scheme(network),
            granularity: labels::granularity(network),
            activation_bits: labels::activation_bits(network),
            data: provenance.data.clone().filter(|data| !data.is_empty()),
            seed: provenance.seed,
            float_accuracy: provenance.float_accuracy,
            integer_accuracy: provenance.integer_accuracy,
        }
    }
}

impl Results {
    fn of(layer: &LayerOutcome, energy: Option<Breakdown>) -> Self {
        let counts = &layer.counts;
        Self {
            cycles: counts.cycles,
            steps: counts.steps,
            stall_scaler: counts.stall_scaler,
            empty: counts.empty,
            vector_cycles: counts.vector_cycles,
            products: counts.products,
            toggle_tiles_counted: layer.toggles.map_or(0, |toggles| toggles.tiles_counted),
            toggle_tiles: layer.toggles.map_or(0, |toggles| toggles.tiles),
            energy: energy.map(Energy::from),
        }
    }

    /// All layers together; energy only where every layer has it.
    pub(crate) fn sum<'a>(layers: impl Iterator<Item = &'a Self>) -> Self {
        let zero = Self { energy: Some(Energy::default()), ..Self::default() };
        layers.fold(zero, |mut total, layer| {
            total.cycles += layer.cycles;
            total.steps += layer.steps;
            total.stall_scaler += layer.stall_scaler;
            total.empty += layer.empty;
            total.vector_cycles += layer.vector_cycles;
            total.products += layer.products;
            total.toggle_tiles_counted += layer.toggle_tiles_counted;
            total.toggle_tiles += layer.toggle_tiles;
            total.energy = total.energy.zip(layer.energy).map(|(mut sum, energy)| {
                for (sum, part) in sum.0.iter_mut().zip(energy.0) {
                    *sum += part;
                }
                sum
            });
            total
        })
    }

    /// The counts that a Record keeps, as counts.
    fn counts(&self) -> Counts {
        Counts {
            cycles: self.cycles,
            steps: self.steps,
            stall_scaler: self.stall_scaler,
            empty: self.empty,
            vector_cycles: self.vector_cycles,
            products: self.products,
            ..Counts::default()
        }
    }

    /// Products done, of those that all leaves could have done in these cycles; 0 … 1.
    pub fn utilization(&self, architecture: &Architecture) -> f64 {
        self.counts().utilization(architecture)
    }

    /// What most of the cycles went to.
    pub fn limiter(&self) -> Limiter {
        self.counts().limiter()
    }
}
