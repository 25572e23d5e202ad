//! `tridot rtl check`: the RTL under Verilator against the stepped and the fast model.

use anyhow::Result;
use serde::Serialize;

use super::compare::{ArchitectureReport, Layers, Workshop};
use super::generate::not_covered;
use super::layers::{self, Job, Subject};
use super::library::Library;
use crate::cli::{RtlCheckArgs, Verdict};
use crate::files;
use crate::print::{Printer, grouped};
use crate::tools::Tool;

#[derive(Serialize)]
struct Report {
    input: String,
    #[serde(flatten)]
    layers: Layers,
    architectures: Vec<ArchitectureReport>,
    layers_not_covered: Vec<String>,
}

pub(crate) fn run(arguments: &RtlCheckArgs, printer: &Printer) -> Result<Verdict> {
    let archs = arguments.arch.iter().map(|name| files::architecture(name));
    let archs = archs.collect::<Result<Vec<_>>>()?;
    let library = Library::of(arguments.library.rtl_dir.as_deref())?;
    let verilator = Tool::Verilator.version()?;
    let subject = match &arguments.net {
        None => None,
        Some(net) => Some(Subject::read(net, &arguments.layers, printer)?),
    };
    let count = arguments.random.unwrap_or(0) as usize;
    let scratch = files::scratch_folder()?;
    let builds = arguments.output.as_deref().unwrap_or(scratch.path());
    let workshop = Workshop { library: &library, builds, verilator: &verilator };
    let mut architectures = Vec::new();
    for arch in &archs {
        let cases = layers::random(arch, count, arguments.seed)?;
        let jobs = subject.iter().flat_map(Subject::jobs);
        let jobs: Vec<Job<'_>> = jobs.chain(cases.iter().map(layers::job)).collect();
        architectures.push(workshop.check(arch, &jobs, printer)?);
    }
    let input = match &subject {
        Some(subject) => format!("{}, {}", subject.network.name, subject.input),
        None => format!("{count} random layers, seed {}", arguments.seed),
    };
    let mut layers = Layers::default();
    for arch in &architectures {
        layers.add(&arch.layers);
    }
    let report = Report {
        input,
        layers,
        architectures,
        layers_not_covered: subject.map_or_else(Vec::new, |subject| subject.not_covered),
    };
    tell(&report, printer);
    printer.object("rtl check", &report)?;
    Ok(if report.layers.all.mismatches == 0 { Verdict::Yes } else { Verdict::No })
}

fn tell(report: &Report, printer: &Printer) {
    printer.line(&report.input);
    let row = |arch: &ArchitectureReport| {
        vec![
            arch.name.clone(),
            arch.layers.all.layers.to_string(),
            grouped(arch.layers.all.values_compared),
            grouped(arch.layers.all.accumulators_compared),
            grouped(arch.layers.all.cycles_rtl),
            grouped(arch.layers.all.cycles_stepped),
            grouped(arch.layers.all.cycles_fast),
            grouped(arch.layers.all.mismatches),
            format!("{:.1}", arch.build_seconds),
            format!("{:.1}", arch.run_seconds),
        ]
    };
    let heads = [
        "architecture",
        "layers",
        "outputs_and_edges",
        "accumulators",
        "cycles_rtl",
        "cycles_stepped",
        "cycles_fast",
        "mismatches",
        "build_seconds",
        "run_seconds",
    ];
    printer.table(&heads, report.architectures.iter().map(row));
    for arch in &report.architectures {
        if let Some(first) = &arch.layers.first_mismatch {
            printer.line(format_args!("{}: first mismatch: {first}", arch.name));
        }
    }
    not_covered(&report.layers_not_covered, printer);
    let kinds = report.layers.layer_kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
    printer.line(format_args!(
        "{} layers: {}",
        grouped(report.layers.all.layers),
        kinds.collect::<Vec<_>>().join(", ")
    ));
    printer.line(format_args!(
        "{} outputs, {} edges, {} accumulators and {} cycles compared: {} mismatches",
        grouped(report.layers.all.values_compared),
        grouped(report.layers.all.edges_compared),
        grouped(report.layers.all.accumulators_compared),
        grouped(report.layers.all.cycles_rtl),
        grouped(report.layers.all.mismatches)
    ));
}
