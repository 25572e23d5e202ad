//! `tridot rtl waveform`: a window of the stepped model as FST.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use tridot_sim::stepped::Job;
use tridot_sim::waveform::{self, Window};

use super::layers::Subject;
use crate::cli::{LayersArgs, RtlWaveformArgs, Verdict};
use crate::files;
use crate::print::{Printer, grouped};

#[derive(Serialize)]
struct Report {
    network: String,
    architecture: String,
    layer: String,
    input: String,
    first_edge: u64,
    edges: u64,
    output: String,
    file_bytes: usize,
}

pub(crate) fn run(arguments: &RtlWaveformArgs, printer: &Printer) -> Result<Verdict> {
    let inputs = std::iter::once(arguments.net.as_path()).chain(arguments.trace.as_deref());
    let inputs: Vec<&Path> = inputs.chain(files::of_argument(&arguments.arch)).collect();
    files::check_output(&arguments.output, &inputs)?;
    let arch = files::architecture(&arguments.arch)?;
    let layers =
        LayersArgs { layers: vec![arguments.layer.clone()], trace: arguments.trace.clone() };
    let subject = Subject::read(&arguments.net, &layers, printer)?;
    let window = Window { first: arguments.first, edges: arguments.edges };
    let job = subject.jobs().next().expect("one layer is named");
    let stepped = Job::new(job.network, job.layer_idx, &arch, job.images, &job.codes)?;
    let bytes = waveform::fst(stepped, &arch, window)?;
    files::write(&arguments.output, &bytes)?;
    let report = Report {
        network: subject.network.name.clone(),
        architecture: arch.name.clone(),
        layer: job.name.clone(),
        input: subject.input.clone(),
        first_edge: window.first,
        edges: window.edges,
        output: arguments.output.display().to_string(),
        file_bytes: bytes.len(),
    };
    printer.line(format_args!(
        "{}: layer `{}` of {} on `{}` from edge {}, {} edges at most, {} bytes ({})",
        report.output,
        report.layer,
        report.network,
        report.architecture,
        report.first_edge,
        grouped(report.edges),
        grouped(report.file_bytes),
        report.input
    ));
    printer.object("rtl waveform", &report)?;
    Ok(Verdict::Yes)
}
