//! What is compared in one figure: Records of one network, or of all networks, on one data set.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::Cost;
use crate::distinct::{Names, Workload};
use crate::pareto::{Goal, front};
use crate::record::{Granularity, Named, NetworkInputs, Record};
use tridot_sim::digest::Digest;

/// Records of one topology and one data set that have an accuracy.
#[derive(Debug)]
pub(super) struct Study<'a> {
    /// None: all of the data set.
    pub(super) network: Option<&'a str>,
    pub(super) data: Option<&'a str>,
    pub(super) records: Vec<&'a Record>,
    /// What machines, tables and inputs are called.
    pub(super) names: &'a Names<'a>,
}

/// The studies of one network each, by name.
pub(super) fn studies<'a>(records: &'a [Record], names: &'a Names<'a>) -> Vec<Study<'a>> {
    let mut by_name: BTreeMap<(&str, Option<&str>), Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| accuracy(record).is_some()) {
        let network = &record.inputs.network;
        by_name.entry((&network.name, network.data.as_deref())).or_default().push(record);
    }
    let study = |((network, data), records)| Study { network: Some(network), data, records, names };
    by_name.into_iter().map(study).collect()
}

/// From the studies of one network each: those of all networks of a data set, where there are several, by its name.
pub(super) fn of_all_networks<'a>(studies: &[Study<'a>]) -> Vec<Study<'a>> {
    let Some(Study { names, .. }) = studies.first() else { return Vec::new() };
    let mut by_data: BTreeMap<&str, (usize, Vec<&Record>)> = BTreeMap::new();
    for study in studies {
        if let Some(data) = study.data {
            let (count, records) = by_data.entry(data).or_default();
            *count += 1;
            records.extend(&study.records);
        }
    }
    let several = by_data.into_iter().filter(|&(_, (count, _))| 1 < count);
    let study = |(data, (_, records))| Study { network: None, data: Some(data), records, names };
    several.map(study).collect()
}

/// Integer accuracy in percent.
pub(super) fn accuracy(record: &Record) -> Option<f64> {
    record.inputs.network.integer_accuracy.map(tridot_sim::network::Accuracy::percent)
}

/// A place in a figure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point<'a> {
    pub(super) record: &'a Record,
    pub(super) cost: f64,
    pub(super) accuracy: f64,
}

/// Points on the front of these, in the order of rising cost.
pub(super) fn front_of(points: &[Point<'_>]) -> Vec<usize> {
    let values: Vec<_> = points.iter().map(|point| [point.cost, point.accuracy]).collect();
    let mut indices = front(&values, &[Goal::Least, Goal::Most]);
    indices.sort_by(|&a, &b| points[a].cost.total_cmp(&points[b].cost).then(a.cmp(&b)));
    indices
}

/// Records whose costs may be compared.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) table: Option<&'a Named>,
    /// Where energy is the cost.
    pub(super) workload: Option<Workload>,
    /// Pictures of a batch, where cycles are.
    pub(super) images: Option<u64>,
    pub(super) records: Vec<&'a Record>,
}

impl<'a> Study<'a> {
    /// The points of a cost among these records, sorted; one for each network where the machine does not matter.
    pub(super) fn points(&self, records: &[&'a Record], cost: Cost) -> Vec<Point<'a>> {
        let point = |&record: &&'a Record| {
            let (cost, accuracy) = (cost.of(record)?, accuracy(record)?);
            Some(Point { record, cost, accuracy })
        };
        let mut points: Vec<_> = records.iter().filter_map(point).collect();
        let machine =
            |point: &Point<'a>| (!cost.is_of_network()).then(|| self.machine(point.record));
        // An order that does not depend on that of the Records.
        points.sort_by(|a, b| {
            (machine(a), label_order(a.record))
                .cmp(&(machine(b), label_order(b.record)))
                .then(a.cost.total_cmp(&b.cost))
                .then(a.record.command.cmp(&b.record.command))
        });
        if cost.is_of_network() {
            let digest = |point: &Point<'_>| point.record.inputs.network.digest;
            points.dedup_by(|a, b| digest(a) == digest(b));
        }
        points
    }

    /// What the machine of a Record is called.
    pub(super) fn machine(&self, record: &Record) -> &'a str {
        self.names.architecture(&record.inputs.architecture)
    }

    /// The Records whose costs may be compared: of one energy table where that decides the cost, of the same kind of
    /// input where toggles do, of batches of one size where cycles count.
    pub(super) fn comparable(&self, cost: Cost) -> Vec<Group<'a>> {
        let mut groups = BTreeMap::new();
        for record in &self.records {
            let inputs = &record.inputs;
            let table = if cost.is_priced() {
                let Some(table) = &inputs.energy_table else { continue };
                Some(table)
            } else {
                None
            };
            let workload = (cost == Cost::Energy).then(|| self.names.workload(inputs));
            let images = (cost == Cost::Cycles).then_some(inputs.images);
            let key = (table.map(|table| (&table.name, table.digest)), workload.clone(), images);
            let group = Group { table, workload, images, records: Vec::new() };
            groups.entry(key).or_insert(group).records.push(*record);
        }
        groups.into_values().collect()
    }

    /// The Records on a front of accuracy against cycles, energy or area, as often as they are on one.
    pub(super) fn on_fronts(&self) -> Vec<&'a Record> {
        let mut on_fronts = Vec::new();
        for cost in [Cost::Cycles, Cost::Energy, Cost::Area] {
            for group in self.comparable(cost) {
                let points = self.points(&group.records, cost);
                on_fronts.extend(front_of(&points).into_iter().map(|idx| points[idx].record));
            }
        }
        on_fronts
    }

    /// A name for each network, as short as tells them apart.
    pub(super) fn labels(&self) -> BTreeMap<Digest, String> {
        let networks: BTreeMap<Digest, &NetworkInputs> = self
            .records
            .iter()
            .map(|record| (record.inputs.network.digest, &record.inputs.network))
            .collect();
        let networks: Vec<_> = networks.into_values().collect();
        let differ = |what: fn(&NetworkInputs) -> String| {
            networks.iter().any(|network| what(network) != what(networks[0]))
        };
        let bits_differ = differ(|network| network.activation_bits.clone());
        // Among the networks of one topology; where several are in the figure, of one scheme as well: names get long.
        let granularities_differ = |network: &NetworkInputs| {
            let alike = networks.iter().filter(|other| {
                let is_same_scheme = self.network.is_some() || other.scheme == network.scheme;
                other.name == network.name && is_same_scheme
            });
            let mut known = alike.filter_map(|other| other.granularity);
            known.any(|granularity| Some(granularity) != network.granularity)
        };
        let mut labels: BTreeMap<Digest, String> = BTreeMap::new();
        for network in &networks {
            let mut label = network.scheme.clone();
            if self.network.is_none() {
                label = format!("{} {label}", without_data(network));
            }
            if let Some(granularity) = network.granularity.filter(|_| granularities_differ(network))
            {
                label = format!("{label}, {}", word(granularity));
            }
            if bits_differ {
                label = format!("{label}, {} b", network.activation_bits);
            }
            labels.insert(network.digest, label);
        }
        let twice: Vec<_> = networks
            .iter()
            .filter(|network| {
                let label = &labels[&network.digest];
                1 < labels.values().filter(|other| *other == label).count()
            })
            .copied()
            .collect();
        let seeds: BTreeSet<u64> = twice.iter().map(|network| network.seed).collect();
        for network in twice {
            let mut label = labels[&network.digest].clone();
            if 1 < seeds.len() {
                label = format!("{label}, seed {}", network.seed);
            }
            labels.insert(network.digest, self.names.with_number(&label, network));
        }
        labels
    }
}

/// A network's name without the data set's at its end, which all of a figure share.
fn without_data(network: &NetworkInputs) -> &str {
    let data = network.data.as_deref().unwrap_or("");
    let stem = network.name.strip_suffix(data).and_then(|stem| stem.strip_suffix('-'));
    stem.unwrap_or(&network.name)
}

/// The word for which weights share their branch scales.
pub(super) const fn word(granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::Layer => "layer",
        Granularity::Channel => "channel",
    }
}

/// An order of networks that depends on nothing but themselves.
fn label_order(record: &Record) -> (&str, &str, Option<Granularity>, &str, u64, Digest) {
    let network = &record.inputs.network;
    let NetworkInputs { name, scheme, granularity, activation_bits, seed, digest, .. } = network;
    (name, scheme, *granularity, activation_bits, *seed, *digest)
}
