//! What is in an integer network.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tridot_sim::network::{
    Accuracy, Dot, DotOutput, Geometry, Layer, Network, Operator, Requantize, Sign, TensorType,
    Weights,
};

use crate::print::{Printer, grouped, percent};

#[derive(Serialize)]
struct Report {
    kind: &'static str,
    file_bytes: usize,
    network: String,
    digits: String,
    scale_bits: u32,
    input: String,
    data: Option<String>,
    calibration_samples: u64,
    seed: u64,
    mean: Vec<f64>,
    std: Vec<f64>,
    batch_norm: String,
    plan: String,
    float_accuracy_percent: Option<f64>,
    integer_accuracy_percent: Option<f64>,
    accuracy_samples: Option<u64>,
    layers: Vec<LayerReport>,
}

#[derive(Serialize)]
struct LayerReport {
    name: String,
    operator: String,
    output: String,
    scheme: Option<String>,
    planes: Option<u32>,
    zero_trits_percent: Option<f64>,
    shift: Option<u32>,
    accumulator_bits: Option<u32>,
    y_bits: Option<u32>,
}

pub(super) fn tell(path: &Path, bytes: &[u8], printer: &Printer) -> Result<()> {
    let network = Network::from_bytes(bytes).with_context(|| path.display().to_string())?;
    let report = report(&network, bytes.len());
    print(&report, printer);
    printer.object("inspect", &report)
}

fn report(network: &Network, file_bytes: usize) -> Report {
    let provenance = &network.provenance;
    Report {
        kind: "network",
        file_bytes,
        network: network.name.clone(),
        digits: format!("{:?}", network.digits).to_lowercase(),
        scale_bits: network.scale_bits,
        input: tensor(&network.input.tensor),
        data: provenance.data.clone(),
        calibration_samples: provenance.calibration_samples,
        seed: provenance.seed,
        mean: provenance.mean.clone(),
        std: provenance.std.clone(),
        batch_norm: provenance.batch_norm.clone(),
        plan: provenance.plan.clone(),
        float_accuracy_percent: provenance.float_accuracy.map(Accuracy::percent),
        integer_accuracy_percent: provenance.integer_accuracy.map(Accuracy::percent),
        accuracy_samples: provenance
            .integer_accuracy
            .or(provenance.float_accuracy)
            .map(|a| a.samples),
        layers: (0..network.layers.len()).map(|layer_idx| layer(network, layer_idx)).collect(),
    }
}

/// `32×32×16 u8`.
fn tensor(tensor: &TensorType) -> String {
    let sign = match tensor.sign {
        Sign::Unsigned => 'u',
        Sign::Signed => 's',
    };
    format!("{} {sign}{}", tensor.shape, tensor.bits)
}

fn layer(network: &Network, layer_idx: usize) -> LayerReport {
    let layer = &network.layers[layer_idx];
    let dot = layer.dot();
    let widths = network.widths(layer_idx);
    LayerReport {
        name: layer.name.clone(),
        operator: operator(layer),
        output: tensor(&layer.output),
        scheme: dot.map(|dot| scheme(&dot.weights)),
        planes: dot.map(|dot| dot.weights.planes(network.digits)),
        zero_trits_percent: dot.map(|dot| zero_trits_percent(network, dot)),
        shift: requantize(layer).map(|requantize| requantize.shift),
        accumulator_bits: widths.map(|widths| widths.accumulator_bits),
        y_bits: widths.map(|widths| widths.y_bits),
    }
}

/// `dbq(2)`, `fixed(8)`.
pub(crate) fn scheme(weights: &Weights) -> String {
    match weights {
        Weights::Dbq { branches, .. } => format!("dbq({branches})"),
        Weights::Fixed { bits, .. } => format!("fixed({bits})"),
    }
}

/// Of all trits of all planes, how many are zero.
pub(crate) fn zero_trits_percent(network: &Network, dot: &Dot) -> f64 {
    let planes = dot.weights.planes(network.digits);
    let trits = u64::from(planes) * dot.weights.len() as u64;
    let zeros = (0..planes)
        .map(|plane| {
            (0..dot.weights.len())
                .filter(|&i| dot.weights.trit(plane, i, network.digits) == 0)
                .count()
        })
        .sum::<usize>();
    if trits == 0 { 100.0 } else { 100.0 * zeros as f64 / trits as f64 }
}

fn requantize(layer: &Layer) -> Option<Requantize> {
    match &layer.operator {
        Operator::Dot(Dot { output: DotOutput::Requantize(requantize), .. })
        | Operator::Add { requantize, .. }
        | Operator::Rescale { requantize, .. }
        | Operator::AveragePool { requantize, .. } => Some(*requantize),
        Operator::Dot(Dot { output: DotOutput::Raw, .. })
        | Operator::MaxPool { .. }
        | Operator::Split { .. }
        | Operator::Concat
        | Operator::Shuffle { .. }
        | Operator::Subsample { .. }
        | Operator::ChannelPad { .. } => None,
    }
}

fn operator(layer: &Layer) -> String {
    match &layer.operator {
        Operator::Dot(dot) => match dot.geometry {
            Geometry::Convolution { window, .. } => {
                format!(
                    "convolution {}×{} /{}",
                    window.kernel_height, window.kernel_width, window.stride_height
                )
            }
            Geometry::Depthwise { window, .. } => {
                format!(
                    "depthwise {}×{} /{}",
                    window.kernel_height, window.kernel_width, window.stride_height
                )
            }
            Geometry::Linear => "linear".to_owned(),
        },
        Operator::Add { .. } => "add".to_owned(),
        Operator::Rescale { .. } => "rescale".to_owned(),
        Operator::AveragePool { window, .. } => {
            format!("average pool {}×{}", window.kernel_height, window.kernel_width)
        }
        Operator::MaxPool { window, .. } => {
            format!("max pool {}×{}", window.kernel_height, window.kernel_width)
        }
        Operator::Split { first, channels } => format!("split {first}…{}", first + channels - 1),
        Operator::Concat => "concat".to_owned(),
        Operator::Shuffle { groups } => format!("shuffle {groups}"),
        Operator::Subsample { stride_height, .. } => format!("subsample /{stride_height}"),
        Operator::ChannelPad { before, after } => format!("channel pad {before}+{after}"),
    }
}

fn print(report: &Report, printer: &Printer) {
    let optional = |value: Option<String>| value.unwrap_or_else(|| "not measured".to_owned());
    let facts = [
        ("integer network", report.network.clone()),
        ("file", format!("{} bytes", grouped(report.file_bytes))),
        ("input", report.input.clone()),
        ("normalization", format!("mean {:?}, std {:?}, of pixel / 255", report.mean, report.std)),
        ("multipliers", format!("{} bits", report.scale_bits)),
        ("digits of fixed layers", report.digits.clone()),
        ("calibrated on", calibration(report)),
        ("batch norm", report.batch_norm.clone()),
        (
            "float accuracy",
            optional(report.float_accuracy_percent.map(|value| percent(value) + " %")),
        ),
        (
            "integer accuracy",
            optional(report.integer_accuracy_percent.map(|value| percent(value) + " %")),
        ),
    ];
    for (what, value) in facts {
        printer.line(format_args!("{what:<24}{value}"));
    }
    let cell = |value: Option<String>| value.unwrap_or_default();
    let rows = report.layers.iter().map(|layer| {
        vec![
            layer.name.clone(),
            layer.operator.clone(),
            layer.output.clone(),
            cell(layer.scheme.clone()),
            cell(layer.planes.map(|value| value.to_string())),
            cell(layer.zero_trits_percent.map(|value| format!("{value:.1}"))),
            cell(layer.shift.map(|value| value.to_string())),
            cell(layer.accumulator_bits.map(|value| value.to_string())),
            cell(layer.y_bits.map(|value| value.to_string())),
        ]
    });
    let heads = [
        "layer",
        "operator",
        "output",
        "scheme",
        "planes",
        "zero_trits_percent",
        "shift",
        "accumulator_bits",
        "y_bits",
    ];
    printer.line("");
    printer.table(&heads, rows);
    printer.line(format_args!("\nplan:\n{}", report.plan.trim_end()));
}

fn calibration(report: &Report) -> String {
    let data = report.data.as_deref().unwrap_or("no data set");
    format!("{} pictures ({data}), seed {}", report.calibration_samples, report.seed)
}
