//! `tridot rtl generate`: the RTL of an architecture and memory images, as files.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use tridot_sim::rtl::{Image, Sizes, TOP};

use super::layers::Subject;
use super::library::Library;
use crate::cli::{RtlGenerateArgs, Verdict};
use crate::files;
use crate::print::Printer;

/// Who writes the folder.
const MAKER: &str = "tridot rtl generate";

#[derive(Serialize)]
struct Report {
    architecture: String,
    network: Option<String>,
    output: String,
    modules: usize,
    layers: Vec<LayerReport>,
    layers_not_covered: Vec<String>,
}

#[derive(Serialize)]
struct LayerReport {
    name: String,
    folder: String,
    outputs: usize,
    /// What the harness is told: more edges than the layer can take.
    edges_at_most: u64,
}

pub(crate) fn run(arguments: &RtlGenerateArgs, printer: &Printer) -> Result<Verdict> {
    let spared = arguments.net.as_deref().unwrap_or(&arguments.folder.output);
    let output = arguments.folder.output(MAKER, spared);
    output.check()?;
    let arch = files::architecture(&arguments.arch)?;
    let subject = match &arguments.net {
        None => None,
        Some(net) => Some(Subject::read(net, &arguments.layers, printer)?),
    };
    let mut sizes = Sizes::SMALL;
    let (mut layers, mut images) = (Vec::new(), Vec::new());
    for job in subject.iter().flat_map(Subject::jobs) {
        let image = Image::new(job.network, job.layer_idx, &arch, job.images, &job.codes)?;
        sizes = sizes.with(image.sizes());
        let folder = folder_of(job.layer_idx, &job.name);
        images.extend(image.files().map(|(name, text)| (format!("{folder}/{name}"), text)));
        layers.push(LayerReport {
            name: job.name,
            folder,
            outputs: image.outputs,
            edges_at_most: image.limit,
        });
    }
    let library = Library::built_in();
    let mut contents = library.sources(&arch, sizes);
    contents.extend(images.into_iter().map(|(name, text)| (name, text.into_bytes())));
    let inputs = arguments.net.as_deref().into_iter().chain(arguments.layers.trace.as_deref());
    let inputs: Vec<&Path> = inputs.chain(files::of_argument(&arguments.arch)).collect();
    output.replace(&inputs, &contents)?;
    let report = Report {
        architecture: arch.name.clone(),
        network: subject.as_ref().map(|subject| subject.network.name.clone()),
        output: arguments.folder.output.display().to_string(),
        modules: library.modules().len(),
        layers,
        layers_not_covered: subject.map_or_else(Vec::new, |subject| subject.not_covered),
    };
    tell(&report, printer);
    printer.object("rtl generate", &report)?;
    Ok(Verdict::Yes)
}

/// The folder of a layer's files: its index, and of its name what a file name may have.
pub(crate) fn folder_of(layer_idx: usize, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().take(64).map(plain).collect();
    format!("layers/{layer_idx:03}-{name}")
}

fn tell(report: &Report, printer: &Printer) {
    printer.line(format_args!(
        "{}: {} modules of `{}`, files.txt lists the files",
        report.output, report.modules, report.architecture
    ));
    printer.line(format_args!(
        "verilator --cc --exe --build --top-module {TOP} harness.cpp tridot_*.sv"
    ));
    for layer in &report.layers {
        printer.line(format_args!(
            "obj_dir/V{TOP} {} {}    # `{}`, {} outputs",
            layer.folder, layer.edges_at_most, layer.name, layer.outputs
        ));
    }
    not_covered(&report.layers_not_covered, printer);
}

/// Says which layers are left out.
pub(crate) fn not_covered(names: &[String], printer: &Printer) {
    if !names.is_empty() {
        printer.line(format_args!(
            "not covered, as they are of the vector unit, which the RTL has not: {}",
            names.join(", ")
        ));
    }
}
