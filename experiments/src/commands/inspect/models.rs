//! What is in a checkpoint, a network file or a plan.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Serialize;
use tridot_models::import::Checkpoint;
use tridot_models::scheme::Plan;
use tridot_models::topology::{Topology, TopologyOperator};
use tridot_models::train::TrainingPlan;

use crate::files;
use crate::print::{Printer, grouped};

#[derive(Serialize)]
struct CheckpointReport {
    kind: &'static str,
    file_bytes: usize,
    parameters: usize,
    tensors: Vec<TensorReport>,
}

#[derive(Serialize)]
struct TensorReport {
    name: String,
    shape: Vec<usize>,
    smallest: f32,
    largest: f32,
}

pub(super) fn tell_checkpoint(path: &Path, bytes: &[u8], printer: &Printer) -> Result<()> {
    let checkpoint = Checkpoint::read(bytes).with_context(|| path.display().to_string())?;
    let tensors: Vec<_> = checkpoint
        .tensors
        .iter()
        .map(|(name, tensor)| TensorReport {
            name: name.clone(),
            shape: tensor.shape.clone(),
            smallest: tensor.values.iter().copied().fold(f32::INFINITY, f32::min),
            largest: tensor.values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        })
        .collect();
    let parameters = checkpoint.tensors.values().map(|tensor| tensor.values.len()).sum();
    printer.line(format_args!(
        "checkpoint of {} tensors, {} parameters, {} bytes",
        tensors.len(),
        grouped(parameters),
        grouped(bytes.len())
    ));
    let rows = tensors.iter().map(|tensor| {
        vec![
            tensor.name.clone(),
            format!("{:?}", tensor.shape),
            format!("{:.4}", tensor.smallest),
            format!("{:.4}", tensor.largest),
        ]
    });
    printer.table(&["tensor", "shape", "smallest", "largest"], rows);
    printer.object(
        "inspect",
        &CheckpointReport { kind: "checkpoint", file_bytes: bytes.len(), parameters, tensors },
    )
}

#[derive(Serialize)]
struct TopologyReport {
    kind: &'static str,
    file_bytes: usize,
    network: String,
    input: String,
    classes: usize,
    macs: u64,
    weights: u64,
    layers: Vec<TopologyLayerReport>,
}

#[derive(Serialize)]
struct TopologyLayerReport {
    name: String,
    operator: &'static str,
    output: String,
    macs: Option<u64>,
    weights: Option<u64>,
}

#[derive(Serialize)]
struct PlanReport {
    kind: &'static str,
    file_bytes: usize,
    plan: String,
}

/// A TOML file, by what only one of its kinds has: stages a training plan, blocks or a base a network file, schemes
/// a quantization plan.
pub(super) fn tell_text(path: &Path, bytes: Vec<u8>, printer: &Printer) -> Result<()> {
    let file_bytes = bytes.len();
    let text = files::text(path, bytes)?;
    let place = || path.display().to_string();
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let error = files::at_line(&text, &error);
        anyhow!(
            "{}: is no integer network, trace or checkpoint, and no TOML: {error}",
            path.display()
        )
    })?;
    let has = |key: &str| table.contains_key(key);
    if has("stage") {
        let plan = TrainingPlan::from_toml(&text).with_context(place)?;
        let epochs: usize = plan.stages.iter().map(|stage| stage.epochs).sum();
        printer.line(format_args!(
            "training plan of {}: {} stages, {epochs} epochs",
            plan.network,
            plan.stages.len()
        ));
        let report = PlanReport { kind: "training_plan", file_bytes, plan: text };
        return printer.object("inspect", &report);
    }
    let is_network = ["block", "base", "classes", "input"].into_iter().any(has);
    if !is_network && ["others", "layers", "calibration"].into_iter().any(has) {
        let plan = Plan::from_toml(&text).with_context(place)?.to_toml();
        printer.line(format_args!("quantization plan, in full:\n{}", plan.trim_end()));
        return printer.object("inspect", &PlanReport { kind: "plan", file_bytes, plan });
    }
    if !is_network {
        bail!(
            "{}: is no integer network, trace, checkpoint, network file, training or quantization plan, architecture \
             or energy table",
            path.display()
        );
    }
    let topology = Topology::from_toml(&text).with_context(place)?;
    let report = topology_report(&topology, file_bytes);
    printer.line(format_args!(
        "network file {}: input {}, {} classes, {} MACs, {} weights",
        report.network,
        report.input,
        report.classes,
        grouped(report.macs),
        grouped(report.weights)
    ));
    let cell = |value: Option<u64>| value.map(grouped).unwrap_or_default();
    let rows = report.layers.iter().map(|layer| {
        vec![
            layer.name.clone(),
            layer.operator.to_owned(),
            layer.output.clone(),
            cell(layer.macs),
            cell(layer.weights),
        ]
    });
    printer.table(&["layer", "operator", "output", "macs", "weights"], rows);
    printer.object("inspect", &report)
}

fn topology_report(topology: &Topology, file_bytes: usize) -> TopologyReport {
    let mut dots = topology.dot_layers().peekable();
    let layers = topology.layers.iter().enumerate().map(|(layer_idx, layer)| {
        let dot = dots.next_if(|dot| dot.layer_idx == layer_idx);
        TopologyLayerReport {
            name: layer.name.clone(),
            operator: operator(&layer.operator),
            output: layer.shape.to_string(),
            macs: dot.map(|dot| dot.macs()),
            weights: dot.map(|dot| dot.weights()),
        }
    });
    let layers = layers.collect();
    TopologyReport {
        kind: "topology",
        file_bytes,
        network: topology.name.clone(),
        input: topology.input.to_string(),
        classes: topology.classes,
        macs: topology.macs(),
        weights: topology.weights(),
        layers,
    }
}

fn operator(operator: &TopologyOperator) -> &'static str {
    match operator {
        TopologyOperator::Dot { geometry, .. } => match geometry {
            tridot_sim::network::Geometry::Convolution { .. } => "convolution",
            tridot_sim::network::Geometry::Depthwise { .. } => "depthwise",
            tridot_sim::network::Geometry::Linear => "linear",
        },
        TopologyOperator::Add { .. } => "add",
        TopologyOperator::AveragePool { .. } => "average pool",
        TopologyOperator::MaxPool { .. } => "max pool",
        TopologyOperator::Split { .. } => "split",
        TopologyOperator::Concat => "concat",
        TopologyOperator::Shuffle { .. } => "shuffle",
        TopologyOperator::Subsample { .. } => "subsample",
        TopologyOperator::ChannelPad { .. } => "channel pad",
    }
}
