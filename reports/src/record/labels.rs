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
    joined(main_layers(network).into_iter().map(|(_, dot)| match dot.weights {
        Weights::Dbq { branches, .. } => format!("dbq({branches})"),
        Weights::Fixed { bits, .. } => format!("fixed({bits})"),
    }))
}

pub(super) fn activation_bits(network: &Network) -> String {
    joined(
        main_layers(network).into_iter().map(|(layer, _)| network.input_of(layer).bits.to_string()),
    )
}

/// From the plan in the network's provenance: its key `alpha`, at the top or in one of its tables.
pub(super) fn granularity(network: &Network) -> Option<Granularity> {
    let is_dbq =
        |layer: &Layer| layer.dot().is_some_and(|dot| matches!(dot.weights, Weights::Dbq { .. }));
    if !network.layers.iter().any(is_dbq) {
        return None;
    }
    let plan: toml::Table = network.provenance.plan.parse().ok()?;
    let mut in_tables = plan.values().filter_map(toml::Value::as_table);
    let alpha = plan.get("alpha").or_else(|| in_tables.find_map(|t| t.get("alpha")))?;
    match alpha.as_str()? {
        "layer" => Some(Granularity::Layer),
        "channel" => Some(Granularity::Channel),
        _ => None,
    }
}
