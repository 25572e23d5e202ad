//! Short names for how a network is quantized, for legends and tables.

use std::collections::BTreeSet;

use tridot_sim::network::{Dot, Layer, Network, Weights};

use super::Granularity;

/// The dot-product layers that a plan calls `others`: neither first, last nor depthwise; all where there are none.
fn main_layers(network: &Network) -> Vec<(&Layer, &Dot)> {
    let dots: Vec<_> =
        network.layers.iter().filter_map(|layer| layer.dot().map(|dot| (layer, dot))).collect();
    let inner = dots.get(1..dots.len().saturating_sub(1)).unwrap_or_default();
    let others: Vec<_> =
        inner.iter().filter(|(_, dot)| !dot.geometry.is_depthwise()).copied().collect();
    if others.is_empty() { dots } else { others }
}

/// Different names in order, `a+b`; `none` where there are none.
fn joined(names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect::<BTreeSet<_>>().into_iter().collect();
    if names.is_empty() { "none".to_owned() } else { names.join("+") }
}

pub(super) fn scheme(network: &Network) -> String {
    let plan = plan(network);
    joined(main_layers(network).into_iter().map(|(layer, dot)| {
        let planned = plan.as_ref().and_then(|plan| planned(plan, network, layer));
        match dot.weights {
            Weights::Dbq { branches, .. } => match planned.as_deref() {
                // Their planes are those of one and of two branches.
                Some("twn") if branches == 1 => "twn".to_owned(),
                Some("ttq") if branches == 2 => "ttq".to_owned(),
                _ => format!("dbq({branches})"),
            },
            Weights::Fixed { bits, .. } => match planned {
                Some(lsq) if lsq == format!("lsq({bits})") => lsq,
                _ => format!("fixed({bits})"),
            },
        }
    }))
}

pub(super) fn activation_bits(network: &Network) -> String {
    joined(
        main_layers(network).into_iter().map(|(layer, _)| network.input_of(layer).bits.to_string()),
    )
}

/// The plan of the quantization that made a network, from its provenance: a file of its own, or a table of the plan
/// of a training.
fn plan(network: &Network) -> Option<toml::Table> {
    let mut plan: toml::Table = network.provenance.plan.parse().ok()?;
    match plan.remove("quantization") {
        Some(toml::Value::Table(quantization)) => Some(quantization),
        _ => plan.contains_key("others").then_some(plan),
    }
}

/// The scheme that a plan has for a layer; none where the plan leaves it to a default, which is no baseline.
fn planned(plan: &toml::Table, network: &Network, layer: &Layer) -> Option<String> {
    let by_name = plan.get("layers").and_then(|layers| layers.get(&layer.name));
    let mut dots = network.layers.iter().filter(|other| other.dot().is_some());
    let place = if dots.next().is_some_and(|first| first.name == layer.name) {
        "first"
    } else if dots.next_back().is_some_and(|last| last.name == layer.name) {
        "last"
    } else if layer.dot()?.geometry.is_depthwise() {
        "depthwise"
    } else {
        "others"
    };
    let scheme = by_name.or_else(|| plan.get(place))?;
    scheme.as_str().map(str::to_owned)
}

/// From the plan in the network's provenance: its key `alpha`, or what a plan without it means. None where no
/// layer is DBQ's.
pub(super) fn granularity(network: &Network) -> Option<Granularity> {
    let has_branches =
        |layer: &Layer| layer.dot().is_some_and(|dot| matches!(dot.weights, Weights::Dbq { .. }));
    if !network.layers.iter().any(has_branches) {
        return None;
    }
    let plan = plan(network)?;
    let is_dbq = |scheme: &toml::Value| scheme.as_str().is_some_and(|s| s.starts_with("dbq("));
    let of_layers = plan.get("layers").and_then(toml::Value::as_table);
    let schemes = ["first", "last", "depthwise", "others"].into_iter().filter_map(|k| plan.get(k));
    if !schemes.chain(of_layers.into_iter().flat_map(toml::Table::values)).any(is_dbq) {
        return None;
    }
    match plan.get("alpha").map(toml::Value::as_str) {
        None | Some(Some("layer")) => Some(Granularity::Layer),
        Some(Some("channel")) => Some(Granularity::Channel),
        Some(_) => None,
    }
}
