//! What is in a trace.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tridot_sim::network::Sign;
use tridot_sim::trace::Trace;

use crate::print::{Printer, grouped};

#[derive(Serialize)]
struct Report {
    kind: &'static str,
    file_bytes: usize,
    network: String,
    network_digest: String,
    data: String,
    samples: usize,
    tensors: Vec<TensorReport>,
}

#[derive(Serialize)]
struct TensorReport {
    name: String,
    shape: String,
    bits: u32,
    sign: &'static str,
    zeros_percent: f64,
    mean_hamming_bits: f64,
}

pub(super) fn tell(path: &Path, bytes: &[u8], printer: &Printer) -> Result<()> {
    let trace = Trace::from_bytes(bytes).with_context(|| path.display().to_string())?;
    let tensors = trace.tensors().iter().map(|tensor| TensorReport {
        name: tensor.name.clone(),
        shape: tensor.shape.to_string(),
        bits: tensor.bits,
        sign: match tensor.sign {
            Sign::Unsigned => "unsigned",
            Sign::Signed => "signed",
        },
        zeros_percent: tensor.statistics.zeros_percent(),
        mean_hamming_bits: tensor.statistics.mean_hamming_bits(),
    });
    let report = Report {
        kind: "trace",
        file_bytes: bytes.len(),
        network: trace.network().to_owned(),
        network_digest: trace.digest().to_string(),
        data: trace.data().to_owned(),
        samples: trace.pictures(),
        tensors: tensors.collect(),
    };
    printer.line(format_args!(
        "trace of {} pictures ({}) of {}, digest {}, {} bytes",
        report.samples,
        report.data,
        report.network,
        report.network_digest,
        grouped(report.file_bytes)
    ));
    let rows = report.tensors.iter().map(|tensor| {
        vec![
            tensor.name.clone(),
            tensor.shape.clone(),
            format!("{} {}", tensor.bits, tensor.sign),
            format!("{:.1}", tensor.zeros_percent),
            format!("{:.2}", tensor.mean_hamming_bits),
        ]
    });
    printer.table(&["tensor", "shape", "bits", "zeros_percent", "mean_hamming_bits"], rows);
    printer.object("inspect", &report)
}
