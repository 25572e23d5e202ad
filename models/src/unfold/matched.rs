//! Whether an integer network is one of a topology.

use tridot_sim::network::{DotOutput, Layer, Network, Operator, Requantize, TensorId};

use crate::Error;
use crate::calibrate::Kind;
use crate::topology::{Activation, Topology, TopologyLayer, TopologyOperator};

/// The layers of an integer network that are those of the topology, in its order: all but what the exporter
/// adds. Refuses any that computes something else.
pub(super) fn layers<'a>(
    network: &'a Network,
    topology: &Topology,
) -> Result<Vec<&'a Layer>, Error> {
    let refused = |what: &str, wanted: &dyn std::fmt::Display, got: &dyn std::fmt::Display| {
        let place = format!("integer network `{}`", network.name);
        Error::limit(place, what, format!("{wanted}, as in network `{}`", topology.name), got)
    };
    let input = network.input.tensor.shape;
    if input != topology.input {
        return Err(refused("its input", &topology.input, &input));
    }
    if !has_normalization(network, topology) {
        return Err(refused("what a pixel becomes", &"the same number", &"another"));
    }
    let is_own = |layer: &&Layer| !matches!(layer.operator, Operator::Rescale { .. });
    let n_layers = network.layers.iter().filter(is_own).count();
    if n_layers != topology.layers.len() {
        return Err(refused("the number of layers", &topology.layers.len(), &n_layers));
    }
    let mut found = Vec::with_capacity(n_layers);
    // By tensor of the integer network, that of the topology which it stands for.
    let mut meanings = vec![TensorId::INPUT];
    for layer in &network.layers {
        let place = |what: &str| format!("{what} of layer `{}`", layer.name);
        if !has_scales(network, layer) {
            return Err(refused(&place("the multipliers"), &"the ratios of scales", &"others"));
        }
        let inputs: Vec<TensorId> = layer.inputs.iter().map(|input| meanings[input.0]).collect();
        if !is_own(&layer) {
            meanings.push(inputs[0]);
            continue;
        }
        let wanted = &topology.layers[found.len()];
        if layer.name != wanted.name {
            let names = [&wanted.name, &layer.name].map(|name| format!("`{name}`"));
            return Err(refused("a layer's name", &names[0], &names[1]));
        }
        if layer.output.shape != wanted.shape {
            return Err(refused(&place("the output"), &wanted.shape, &layer.output.shape));
        }
        if inputs != wanted.inputs {
            return Err(refused(&place("the inputs"), &"the same", &"others"));
        }
        if !is_like(layer, wanted) {
            return Err(refused(&place("the operator"), &"the same", &"another"));
        }
        meanings.push(TensorId::of_layer(found.len()));
        found.push(layer);
    }
    Ok(found)
}

/// Whether every value of a pixel becomes the code of the number that the topology makes of it.
fn has_normalization(network: &Network, topology: &Topology) -> bool {
    let tensor = &network.input.tensor;
    let (low, high) = Kind { bits: tensor.bits, sign: tensor.sign }.code_limits();
    let tables = network.input.tables.iter().zip(topology.normalization.tables());
    let mut pairs = tables.flat_map(|(codes, numbers)| codes.iter().zip(numbers));
    pairs.all(|(&code, number)| {
        let wanted = (number / tensor.scale).clamp(low.into(), high.into());
        (f64::from(code) - wanted).abs() < 1.0
    })
}

/// Whether what a layer multiplies its inputs by are their scales over that of its output, rounded.
fn has_scales(network: &Network, layer: &Layer) -> bool {
    let is_ratio = |i: usize, multiplier: i32, taps: usize, requantize: Requantize| {
        let ratio = network.tensor(layer.inputs[i]).scale / (taps as f64 * layer.output.scale);
        let exact = ratio * f64::from(requantize.shift).exp2();
        (f64::from(multiplier) - exact).abs() <= 0.5 + 1e-9 * exact
    };
    match layer.operator {
        Operator::Add { multipliers: [a, b], requantize } => {
            is_ratio(0, a, 1, requantize) && is_ratio(1, b, 1, requantize)
        }
        Operator::Rescale { multiplier, requantize } => is_ratio(0, multiplier, 1, requantize),
        Operator::AveragePool { window, multiplier, requantize } => {
            is_ratio(0, multiplier, window.taps(), requantize)
        }
        Operator::Dot(_)
        | Operator::MaxPool { .. }
        | Operator::Split { .. }
        | Operator::Concat
        | Operator::Shuffle { .. }
        | Operator::Subsample { .. }
        | Operator::ChannelPad { .. } => true,
    }
}

/// Whether a layer does what is wanted, weights apart.
fn is_like(layer: &Layer, wanted: &TopologyLayer) -> bool {
    match (&layer.operator, &wanted.operator) {
        (Operator::Dot(dot), TopologyOperator::Dot { geometry, activation, .. }) => {
            let is_clamped = match dot.output {
                DotOutput::Requantize(requantize) => is_clamped(requantize, *activation),
                DotOutput::Raw => *activation == Activation::Identity,
            };
            dot.geometry == *geometry && is_clamped
        }
        (Operator::Add { requantize, .. }, TopologyOperator::Add { activation }) => {
            is_clamped(*requantize, *activation)
        }
        (
            Operator::AveragePool { window, .. },
            TopologyOperator::AveragePool { window: wanted },
        ) => window == wanted,
        (
            Operator::MaxPool { window, pads },
            TopologyOperator::MaxPool { window: wanted_window, pads: wanted_pads },
        ) => (window, pads) == (wanted_window, wanted_pads),
        (
            Operator::Split { first, channels },
            TopologyOperator::Split { first: wanted_first, channels: wanted_channels },
        ) => (first, channels) == (wanted_first, wanted_channels),
        (Operator::Concat, TopologyOperator::Concat) => true,
        (Operator::Shuffle { groups }, TopologyOperator::Shuffle { groups: wanted }) => {
            groups == wanted
        }
        (
            Operator::Subsample { stride_height, stride_width },
            TopologyOperator::Subsample { stride_height: height, stride_width: width },
        ) => (stride_height, stride_width) == (height, width),
        (
            Operator::ChannelPad { before, after },
            TopologyOperator::ChannelPad { before: wanted_before, after: wanted_after },
        ) => (before, after) == (wanted_before, wanted_after),
        _ => false,
    }
}

/// Whether negative numbers are cut off by an activation that does, and by no other.
fn is_clamped(requantize: Requantize, activation: Activation) -> bool {
    (requantize.low < 0) == (activation == Activation::Identity)
}
