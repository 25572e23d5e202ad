//! Names of what determines results, in figures and tables: as short as tells those of the Records apart.

use std::collections::{BTreeMap, BTreeSet};

use tridot_sim::arch::Architecture;
use tridot_sim::digest::Digest;

use crate::record::{Granularity, Input, Inputs, Named, NetworkInputs, Record, Toggling};
use crate::store;

/// Different contents of one name, in an order of their own.
type Digests<'a, Key> = BTreeMap<Key, BTreeSet<Digest>>;

/// All that two different networks may have in common.
type NetworkKey<'a> = (&'a str, &'a str, Option<Granularity>, &'a str, Option<&'a str>, u64);

/// The names of some Records.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    /// By name, each with what it is called here.
    architectures: BTreeMap<&'a str, Vec<(&'a Architecture, String)>>,
    tables: Digests<'a, &'a str>,
    networks: Digests<'a, NetworkKey<'a>>,
    /// Traces by name, network and number of pictures.
    traces: Digests<'a, (&'a str, Digest, u64)>,
}

/// What energy depends on besides network, machine and table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Workload {
    /// What the pictures are.
    pub(crate) input: String,
    images: u64,
    toggling: Toggling,
}

impl<'a> Names<'a> {
    /// Those of these Records.
    pub(crate) fn of(records: &'a [Record]) -> Self {
        let mut architectures: BTreeMap<&str, Vec<&Architecture>> = BTreeMap::new();
        let mut names = Self {
            architectures: BTreeMap::new(),
            tables: BTreeMap::new(),
            networks: BTreeMap::new(),
            traces: BTreeMap::new(),
        };
        for Record { inputs, .. } in records {
            let of_name = architectures.entry(&inputs.architecture.name).or_default();
            if !of_name.contains(&&inputs.architecture) {
                of_name.push(&inputs.architecture);
            }
            if let Some(table) = &inputs.energy_table {
                names.tables.entry(&table.name).or_default().insert(table.digest);
            }
            let network = &inputs.network;
            names.networks.entry(network_key(network)).or_default().insert(network.digest);
            if let Input::Trace(trace) = &inputs.input {
                let key = (trace.name.as_str(), network.digest, inputs.images);
                names.traces.entry(key).or_default().insert(trace.digest);
            }
        }
        let called = |(name, of_name): (&'a str, Vec<_>)| (name, with_differences(&of_name));
        names.architectures = architectures.into_iter().map(called).collect();
        names
    }

    /// A machine: its name, with the parameters in which others of that name differ.
    pub(crate) fn architecture(&self, architecture: &Architecture) -> &str {
        let of_name = self.architectures.get(architecture.name.as_str());
        let found = of_name.and_then(|all| all.iter().find(|(other, _)| *other == architecture));
        found.map_or("", |(_, called)| called)
    }

    /// An energy table: its name, numbered where several have it.
    pub(crate) fn table(&self, table: &Named) -> String {
        numbered(&table.name, self.tables.get(table.name.as_str()), table.digest)
    }

    /// Whether there is more than one energy table.
    pub(crate) fn has_several_tables(&self) -> bool {
        1 < self.tables.values().map(BTreeSet::len).sum::<usize>()
    }

    /// A network: its name, numbered where nothing else in a Record tells it from another one.
    pub(crate) fn network(&self, network: &NetworkInputs) -> String {
        self.with_number(&network.name, network)
    }

    /// Any text about a network, numbered as its name is.
    pub(crate) fn with_number(&self, text: &str, network: &NetworkInputs) -> String {
        numbered(text, self.networks.get(&network_key(network)), network.digest)
    }

    /// What a result ran on.
    pub(crate) fn input(&self, inputs: &Inputs) -> String {
        match &inputs.input {
            Input::Synthetic { seed } => store::synthetic(*seed),
            Input::Trace(trace) => {
                let key = (trace.name.as_str(), inputs.network.digest, inputs.images);
                numbered(&trace.name, self.traces.get(&key), trace.digest)
            }
        }
    }

    /// What the energy of a result depends on besides.
    pub(crate) fn workload(&self, inputs: &Inputs) -> Workload {
        Workload { input: self.input(inputs), images: inputs.images, toggling: inputs.toggling }
    }
}

impl Workload {
    /// For a caption.
    pub(crate) fn words(&self) -> String {
        let Self { input, images, .. } = self;
        let pictures = if *images == 1 { "picture" } else { "pictures" };
        match self.sampled() {
            Some(one_tile_of) => {
                format!(
                    "{images} {pictures} of {input}, toggles of one of each {one_tile_of} tiles"
                )
            }
            None => format!("{images} {pictures} of {input}"),
        }
    }

    /// For the name of a file.
    pub(crate) fn name(&self) -> String {
        let sampled = self.sampled().map_or(String::new(), |n| format!("-one-tile-of-{n}"));
        format!("{}-batch-{}{sampled}", self.input, self.images)
    }

    fn sampled(&self) -> Option<u64> {
        match self.toggling {
            Toggling::Sampled { one_tile_of } => Some(one_tile_of),
            Toggling::None | Toggling::Exact => None,
        }
    }
}

fn network_key(network: &NetworkInputs) -> NetworkKey<'_> {
    let NetworkInputs { name, scheme, granularity, activation_bits, data, seed, .. } = network;
    (name, scheme, *granularity, activation_bits, data.as_deref(), *seed)
}

/// A text with its number among different contents that share it.
fn numbered(text: &str, digests: Option<&BTreeSet<Digest>>, digest: Digest) -> String {
    match digests {
        Some(all) if 1 < all.len() => {
            let before = all.iter().filter(|other| **other < digest).count();
            format!("{text} #{}", before + 1)
        }
        _ => text.to_owned(),
    }
}

/// Architectures of one name, each with the parameters in which they differ.
fn with_differences<'a>(of_name: &[&'a Architecture]) -> Vec<(&'a Architecture, String)> {
    let parameters: Vec<_> = of_name.iter().map(|one| store::parameters(one)).collect();
    let differs = |column: usize| parameters.iter().any(|p| p[column] != parameters[0][column]);
    let called = |idx: usize| {
        let mut called = of_name[idx].name.clone();
        for (column, (name, value)) in parameters[idx].iter().enumerate() {
            if differs(column) {
                let value = if value.is_empty() { "none" } else { value };
                called = format!("{called}, {} {value}", words(name));
            }
        }
        called
    };
    (0..of_name.len()).map(|idx| (of_name[idx], called(idx))).collect()
}

/// The words of a column: `engine_lanes` → `lanes`, `vector_lanes` → `vector lanes`.
fn words(column: &str) -> String {
    let main = ["array_", "engine_"].into_iter().find_map(|table| column.strip_prefix(table));
    main.unwrap_or(column).replace('_', " ")
}
