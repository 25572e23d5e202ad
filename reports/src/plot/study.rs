//! What is compared in one figure: Records of one network, or of all networks, on one data set.

use std::collections::BTreeMap;

use super::cost::Cost;
use crate::pareto::{Goal, front};
use crate::record::{Granularity, NetworkInputs, Record};
use tridot_sim::digest::Digest;

/// Records of one topology and one data set that have an accuracy.
#[derive(Debug)]
pub(super) struct Study<'a> {
    /// None: all of the data set.
    pub(super) network: Option<&'a str>,
    pub(super) data: Option<&'a str>,
    pub(super) records: Vec<&'a Record>,
}

/// The studies of one network each, by name.
pub(super) fn studies(records: &[Record]) -> Vec<Study<'_>> {
    let mut by_name: BTreeMap<(&str, Option<&str>), Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| accuracy(record).is_some()) {
        let network = &record.inputs.network;
        by_name.entry((&network.name, network.data.as_deref())).or_default().push(record);
    }
    let study = |((network, data), records)| Study { network: Some(network), data, records };
    by_name.into_iter().map(study).collect()
}

/// From the studies of one network each: those of all networks of a data set, where there are several, by its name.
pub(super) fn of_all_networks<'a>(studies: &[Study<'a>]) -> Vec<Study<'a>> {
    let mut by_data: BTreeMap<&str, (usize, Vec<&Record>)> = BTreeMap::new();
    for study in studies {
        if let Some(data) = study.data {
            let (count, records) = by_data.entry(data).or_default();
            *count += 1;
            records.extend(&study.records);
        }
    }
    let several = by_data.into_iter().filter(|&(_, (count, _))| 1 < count);
    several.map(|(data, (_, records))| Study { network: None, data: Some(data), records }).collect()
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

impl<'a> Study<'a> {
    /// The points of a cost among these records, sorted; one for each network where the machine does not matter.
    pub(super) fn points(records: &[&'a Record], cost: Cost) -> Vec<Point<'a>> {
        let point = |&record: &&'a Record| {
            let (cost, accuracy) = (cost.of(record)?, accuracy(record)?);
            Some(Point { record, cost, accuracy })
        };
        let mut points: Vec<_> = records.iter().filter_map(point).collect();
        let machine = |point: &Point<'a>| {
            (!cost.is_of_network()).then_some(point.record.inputs.architecture.name.as_str())
        };
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
        let granularities_differ = {
            let known: Vec<_> = networks.iter().filter_map(|network| network.granularity).collect();
            known.iter().any(|granularity| *granularity != known[0])
        };
        let mut labels: BTreeMap<Digest, String> = BTreeMap::new();
        for network in &networks {
            let mut label = network.scheme.clone();
            if self.network.is_none() {
                label = format!("{} {label}", without_data(network));
            }
            if let Some(granularity) = network.granularity.filter(|_| granularities_differ) {
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
            .map(|network| (network.digest, network.seed))
            .collect();
        for (digest, seed) in twice {
            let label = format!("{}, seed {seed}", labels[&digest]);
            labels.insert(digest, label);
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
