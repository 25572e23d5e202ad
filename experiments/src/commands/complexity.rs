//! `tridot complexity`: what a network costs, on no machine.

use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;
use tridot_sim::complexity::{self, Complexity, Measures};

use crate::cli::{ComplexityArgs, Verdict};
use crate::print::{Printer, grouped};
use crate::{files, zoo};

#[derive(Serialize)]
struct Report {
    network: String,
    precision: String,
    #[serde(flatten)]
    total: MeasuresReport,
    layers: Vec<LayerReport>,
}

#[derive(Serialize)]
struct LayerReport {
    name: String,
    #[serde(flatten)]
    measures: MeasuresReport,
}

#[derive(Serialize)]
struct MeasuresReport {
    computational_full_adders: u64,
    sparse_full_adders: Option<u64>,
    representational_bits: u64,
    storage_bits: u64,
    macs: u64,
    weights: u64,
}

impl From<Measures> for MeasuresReport {
    fn from(measures: Measures) -> Self {
        Self {
            computational_full_adders: measures.computational_full_adders,
            sparse_full_adders: measures.sparse_full_adders,
            representational_bits: measures.representational_bits,
            storage_bits: measures.storage_bits,
            macs: measures.macs,
            weights: measures.weights,
        }
    }
}

pub(crate) fn run(arguments: &ComplexityArgs, printer: &Printer) -> Result<Verdict> {
    let (network, precision, complexity) = complexity(arguments)?;
    let report = Report {
        network,
        precision,
        total: complexity.total.into(),
        layers: complexity
            .layers
            .into_iter()
            .map(|layer| LayerReport { name: layer.name, measures: layer.measures.into() })
            .collect(),
    };
    tell(&report, printer);
    printer.object("complexity", &report)?;
    Ok(Verdict::Yes)
}

/// Name, precision in words, and measures.
#[cfg(feature = "train")]
fn complexity(arguments: &ComplexityArgs) -> Result<(String, String, Complexity)> {
    use tridot_sim::complexity::{LayerShape, Precision};

    let (precision, words) = match (arguments.uniform, arguments.ternary) {
        (Some((weight_bits, activation_bits)), _) => (
            Precision::Uniform { weight_bits, activation_bits },
            format!("uniform {weight_bits},{activation_bits}"),
        ),
        (None, Some((branches, activation_bits))) => (
            Precision::Ternary { branches, activation_bits, scale_bits: DEFAULT_SCALE_BITS },
            format!("ternary {branches},{activation_bits}"),
        ),
        (None, None) => return as_quantized(&arguments.subject),
    };
    let subject = &arguments.subject;
    if files::may_be_integer_network(subject) {
        let network = files::read_network(subject.as_ref())?;
        let layers = network.layers.iter().filter_map(|layer| {
            Some(LayerShape {
                name: &layer.name,
                geometry: layer.dot()?.geometry,
                input: network.input_of(layer).shape,
                output: layer.output.shape,
            })
        });
        let layers: Vec<_> = layers.collect();
        return Ok((network.name.clone(), words, complexity::of_shapes(&layers, precision)?));
    }
    let topology = files::topology(subject)?;
    let layers: Vec<_> = topology
        .dot_layers()
        .map(|dot| LayerShape {
            name: &dot.layer.name,
            geometry: dot.geometry,
            input: dot.input,
            output: dot.output,
        })
        .collect();
    Ok((topology.name.clone(), words, complexity::of_shapes(&layers, precision)?))
}

/// Without network files there are only integer networks.
#[cfg(not(feature = "train"))]
fn complexity(arguments: &ComplexityArgs) -> Result<(String, String, Complexity)> {
    as_quantized(&arguments.subject)
}

/// Bits of multipliers where only shapes are known: the default of a network.
#[cfg(feature = "train")]
const DEFAULT_SCALE_BITS: u32 = 16;

fn as_quantized(subject: &str) -> Result<(String, String, Complexity)> {
    if !files::is_path(subject) && zoo::find(subject).is_none() {
        bail!(
            "`{subject}` is no trained network: name one or a file, or add --uniform W,A or --ternary B{}",
            files::file_hint(subject)
        );
    }
    if Path::new(subject).extension().is_some_and(|extension| extension == "toml") {
        bail!("{subject}: has shapes alone: add --uniform W,A or --ternary B");
    }
    let network = files::read_network(subject.as_ref())?;
    Ok((network.name.clone(), "as quantized".to_owned(), complexity::of_network(&network)))
}

fn tell(report: &Report, printer: &Printer) {
    printer.line(format_args!("{}, {}", report.network, report.precision));
    let row = |name: &str, measures: &MeasuresReport| {
        vec![
            name.to_owned(),
            grouped(measures.computational_full_adders),
            measures.sparse_full_adders.map_or_else(|| "–".to_owned(), grouped),
            grouped(measures.representational_bits),
            grouped(measures.storage_bits),
            grouped(measures.macs),
            grouped(measures.weights),
        ]
    };
    let mut rows: Vec<_> =
        report.layers.iter().map(|layer| row(&layer.name, &layer.measures)).collect();
    rows.push(row("all", &report.total));
    let heads = [
        "layer",
        "computational_full_adders",
        "sparse_full_adders",
        "representational_bits",
        "storage_bits",
        "macs",
        "weights",
    ];
    printer.table(&heads, rows);
    let total = &report.total;
    printer.line(format_args!(
        "in 10⁹: C_C {:.4}, C_R {:.4}, C_M {:.4}",
        total.computational_full_adders as f64 / 1e9,
        total.representational_bits as f64 / 1e9,
        total.storage_bits as f64 / 1e9
    ));
}
