//! `tridot quantize`: post-training quantization and export.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tridot_models::calibrate::{self, CalibrationSet};
use tridot_models::data::{self, DataSet, PICTURES_AT_ONCE, Set, Source};
use tridot_models::export::{self, Exported, RoundingLimit};
use tridot_models::float::FloatNetwork;
use tridot_models::scheme::Plan;
use tridot_sim::network::{Accuracy, Network};

use super::weights::Trained;
use super::{accuracy, inspect, pictures, summary};
use crate::cli::{QuantizeArgs, Verdict};
use crate::files;
use crate::print::{Printer, percent};

#[derive(Serialize)]
struct Report {
    network: String,
    output: String,
    data: Option<String>,
    calibration_samples: u64,
    seed: u64,
    mean: Vec<f64>,
    std: Vec<f64>,
    batch_norm: String,
    samples: Option<u64>,
    float_accuracy_percent: Option<f64>,
    integer_accuracy_percent: Option<f64>,
    layers: Vec<LayerReport>,
}

#[derive(Serialize)]
struct LayerReport {
    name: String,
    scheme: Option<String>,
    shift: Option<u32>,
    worst_rounding_error_steps: Option<f64>,
    accumulator_bits: Option<u32>,
    y_bits: Option<u32>,
    zero_trits_percent: Option<f64>,
}

/// What a network calibrated without data says that its data was.
const SYNTHETIC: &str = "synthetic";

pub(crate) fn run(arguments: &QuantizeArgs, printer: &Printer) -> Result<Verdict> {
    summary::check_outputs(&arguments.output, arguments.summary, &inputs(arguments))?;
    let plan = plan(arguments)?;
    let trained = Trained::read(&arguments.checkpoint)?;
    let topology = trained.topology(arguments.network.as_deref())?;
    let (shape, classes) = (topology.input, topology.classes);
    plan.schemes(&topology).with_context(|| match &arguments.plan {
        Some(path) => path.display().to_string(),
        None => "default plan".to_owned(),
    })?;
    let fitted = trained.fitted(topology, printer)?;
    let set = pictures::labelled(&arguments.source, shape, classes, arguments.seed)?;
    if arguments.summary && set.is_none() {
        bail!(summary::needs_labels(&arguments.output));
    }
    let float = fitted.float(|n| {
        let n = n.min(plan.calibration.samples);
        let Some(set) = &set else { return Ok(data::picture_like(shape, arguments.seed, n)?) };
        let source = set.calibration.source();
        Ok(source.pictures(&source.some(n))?)
    })?;
    let exported = calibrated(arguments, &plan, &float, set.as_ref(), printer)?;
    let (network, layers) = (exported.network, exported.layers);
    let network = match &set {
        Some(set) => measured(network, &float, set.test.source(), printer)?,
        None => network,
    };
    if let Some(set) = &set {
        pictures::tell_unreadable(&[set.calibration.source(), set.test.source()], printer);
    }
    files::write(&arguments.output, &network.to_bytes())?;
    if arguments.summary {
        summary::write(&arguments.output, &network, summary::Cost::default())?;
    }
    tell(&network, &layers, arguments.output.display().to_string(), "quantize", printer)?;
    Ok(Verdict::Yes)
}

/// Every file and folder that is read.
fn inputs(arguments: &QuantizeArgs) -> Vec<&Path> {
    let network = arguments.network.as_deref().filter(|name| files::is_path(name)).map(Path::new);
    let others = [network, arguments.plan.as_deref(), arguments.source.data.as_deref()];
    std::iter::once(arguments.checkpoint.as_path()).chain(others.into_iter().flatten()).collect()
}

/// Quantizes on the set's calibration pictures, or on pictures without labels, and exports.
fn calibrated(
    arguments: &QuantizeArgs,
    plan: &Plan,
    float: &FloatNetwork,
    set: Option<&DataSet<Set>>,
    printer: &Printer,
) -> Result<Exported> {
    let unlabelled;
    let set = if let Some(set) = set {
        CalibrationSet { name: set.name, pictures: set.calibration.source(), labelled: true }
    } else {
        let samples = plan.calibration.samples;
        unlabelled = data::picture_like(float.topology.input, arguments.seed, samples)?;
        CalibrationSet { name: SYNTHETIC, pictures: (&unlabelled).into(), labelled: false }
    };
    let waiting = printer.spinner("quantize and calibrate");
    let place = || arguments.checkpoint.display().to_string();
    let quantized = calibrate::quantize(float, plan, &set, arguments.seed).with_context(place)?;
    waiting.finish_and_clear();
    let limit =
        if arguments.allow_rounding_error { RoundingLimit::None } else { RoundingLimit::OneStep };
    export::network(&quantized, limit).with_context(place)
}

/// The network with its float and integer accuracy on the test pictures in its provenance.
fn measured(
    network: Network,
    float: &FloatNetwork,
    test: Source<'_>,
    printer: &Printer,
) -> Result<Network> {
    let integer = accuracy::integer_accuracy(&network, test, printer)?;
    let bar = printer.bar("float accuracy", test.len() as u64);
    let everything: Vec<usize> = (0..test.len()).collect();
    let mut accuracy = Accuracy { samples: 0, correct: 0 };
    test.batches(&everything, PICTURES_AT_ONCE, &mut |some| {
        accuracy.correct += float.accuracy(&some.pixels, &some.labels)?.correct;
        accuracy.samples += some.len() as u64;
        bar.inc(some.len() as u64);
        Ok::<(), tridot_models::Error>(())
    })?;
    bar.finish_and_clear();
    let mut description = network.into_description();
    description.provenance.float_accuracy = Some(accuracy);
    description.provenance.integer_accuracy = Some(integer);
    Ok(Network::new(description)?)
}

fn plan(arguments: &QuantizeArgs) -> Result<Plan> {
    let mut plan = match &arguments.plan {
        Some(path) => {
            Plan::from_toml(&files::read_text(path)?).with_context(|| path.display().to_string())?
        }
        None => Plan::default_with_branches(arguments.branches.unwrap_or(2)),
    };
    if let Some(samples) = arguments.calibration_samples {
        plan.calibration.samples = samples as usize;
    }
    Ok(plan)
}

fn report(network: &Network, layers: &[export::LayerReport], output: String) -> Report {
    let provenance = &network.provenance;
    let layers = layers.iter().enumerate().map(|(layer_idx, layer)| {
        let dot = network.layers[layer_idx].dot();
        let widths = network.widths(layer_idx);
        LayerReport {
            name: layer.name.clone(),
            scheme: dot.map(|dot| inspect::scheme(&dot.weights)),
            shift: layer.shift,
            worst_rounding_error_steps: layer.rounding_error,
            accumulator_bits: widths.map(|widths| widths.accumulator_bits),
            y_bits: widths.map(|widths| widths.y_bits),
            zero_trits_percent: dot.map(|dot| inspect::zero_trits_percent(network, dot)),
        }
    });
    let samples = provenance.integer_accuracy.map(|accuracy| accuracy.samples);
    Report {
        network: network.name.clone(),
        output,
        data: provenance.data.clone(),
        calibration_samples: provenance.calibration_samples,
        seed: provenance.seed,
        mean: provenance.mean.clone(),
        std: provenance.std.clone(),
        batch_norm: provenance.batch_norm.clone(),
        samples,
        float_accuracy_percent: provenance.float_accuracy.map(Accuracy::percent),
        integer_accuracy_percent: provenance.integer_accuracy.map(Accuracy::percent),
        layers: layers.collect(),
    }
}

/// Prints what became of each layer, and how good the whole is.
pub(crate) fn tell(
    network: &Network,
    layers: &[export::LayerReport],
    output: String,
    command: &str,
    printer: &Printer,
) -> Result<()> {
    let report = report(network, layers, output);
    tell_layers(&report, printer);
    tell_whole(&report, printer);
    printer.object(command, &report)
}

fn tell_layers(report: &Report, printer: &Printer) {
    let cell = |value: Option<u32>| value.map_or(String::new(), |value| value.to_string());
    let real = |value: Option<f64>, decimals: usize| {
        value.map_or(String::new(), |value| format!("{value:.decimals$}"))
    };
    let rows = report.layers.iter().map(|layer| {
        vec![
            layer.name.clone(),
            layer.scheme.clone().unwrap_or_default(),
            cell(layer.shift),
            real(layer.worst_rounding_error_steps, 3),
            cell(layer.accumulator_bits),
            cell(layer.y_bits),
            real(layer.zero_trits_percent, 1),
        ]
    });
    let heads = [
        "layer",
        "scheme",
        "shift",
        "worst_rounding_error_steps",
        "accumulator_bits",
        "y_bits",
        "zero_trits_percent",
    ];
    printer.table(&heads, rows);
}

fn tell_whole(report: &Report, printer: &Printer) {
    printer.line(format_args!("\n{} of {}", report.output, report.network));
    printer.line(format_args!(
        "input (pixel / 255 − mean) / std: mean {:?}, std {:?}",
        report.mean, report.std
    ));
    printer.line(format_args!(
        "calibrated on {} pictures ({}), seed {}; batch norm: {}",
        report.calibration_samples,
        report.data.as_deref().unwrap_or("no data set"),
        report.seed,
        report.batch_norm
    ));
    match (report.float_accuracy_percent, report.integer_accuracy_percent, report.samples) {
        (Some(float), Some(integer), Some(samples)) => printer.line(format_args!(
            "float accuracy {} %, integer accuracy {} % of {samples} test pictures",
            percent(float),
            percent(integer)
        )),
        _ => printer.line("accuracy not measured: synthetic pictures have no classes"),
    }
}
