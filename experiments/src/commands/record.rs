//! `tridot record`: the trace of some pictures.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::pictures;
use crate::cli::{RecordArgs, Verdict};
use crate::files;
use crate::print::{Printer, grouped};

#[derive(Serialize)]
struct Report {
    network: String,
    data: String,
    samples: usize,
    output: String,
    file_bytes: usize,
}

pub(crate) fn run(arguments: &RecordArgs, printer: &Printer) -> Result<Verdict> {
    let inputs = std::iter::once(&arguments.net).chain(&arguments.source.data);
    let inputs: Vec<_> = inputs.map(PathBuf::as_path).collect();
    files::check_output(&arguments.output, &inputs)?;
    let network = files::read_network(&arguments.net)?;
    let n = arguments.samples as usize;
    let (pictures, data) =
        pictures::test_pictures(&arguments.source, &network, n, arguments.seed, printer)?;
    let trace = pictures::trace(&network, &pictures, &data, printer)?;
    let bytes = trace.to_bytes();
    files::write(&arguments.output, &bytes)?;
    let report = Report {
        network: network.name.clone(),
        data,
        samples: trace.pictures(),
        output: arguments.output.display().to_string(),
        file_bytes: bytes.len(),
    };
    printer.line(format_args!(
        "{}: {} pictures ({}) of {}, {} tensors each, {} bytes",
        report.output,
        report.samples,
        report.data,
        report.network,
        trace.tensors().len(),
        grouped(report.file_bytes)
    ));
    printer.object("record", &report)?;
    Ok(Verdict::Yes)
}
