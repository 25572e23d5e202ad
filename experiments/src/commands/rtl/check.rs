//! `tridot rtl check`: the RTL under Verilator against the stepped and the fast model.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tridot_sim::arch::Architecture;
use tridot_sim::fast;
use tridot_sim::rtl::{Image, Sizes};
use tridot_sim::vectors::Vectors;
use tridot_sim::verify::{Checked, Verifier};

use super::build::Simulator;
use super::generate::not_covered;
use super::layers::{self, Job, Subject};
use crate::cli::{RtlCheckArgs, Verdict};
use crate::print::{Printer, grouped};
use crate::tools::Tool;
use crate::{files, threads};

#[derive(Serialize)]
struct Report {
    input: String,
    #[serde(flatten)]
    all: Tally,
    architectures: Vec<ArchitectureReport>,
    layers_not_covered: Vec<String>,
}

#[derive(Serialize)]
struct ArchitectureReport {
    name: String,
    #[serde(flatten)]
    all: Tally,
    first_mismatch: Option<String>,
    is_build_reused: bool,
    build_seconds: f64,
    run_seconds: f64,
}

/// What was compared of some layers.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Tally {
    layers: u64,
    values_compared: u64,
    edges_compared: u64,
    accumulators_compared: u64,
    /// Values, edges, accumulators and totals that differ.
    mismatches: u64,
    cycles_rtl: u64,
    cycles_stepped: u64,
    cycles_fast: u64,
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            layers: self.layers + other.layers,
            values_compared: self.values_compared + other.values_compared,
            edges_compared: self.edges_compared + other.edges_compared,
            accumulators_compared: self.accumulators_compared + other.accumulators_compared,
            mismatches: self.mismatches + other.mismatches,
            cycles_rtl: self.cycles_rtl + other.cycles_rtl,
            cycles_stepped: self.cycles_stepped + other.cycles_stepped,
            cycles_fast: self.cycles_fast + other.cycles_fast,
        }
    }
}

/// What was compared of one layer.
#[derive(Default)]
struct Compared {
    checked: Checked,
    cycles_rtl: u64,
    cycles_stepped: u64,
    cycles_fast: u64,
    /// Totals that differ, and runs that came to no end.
    others: u64,
    first: Option<String>,
}

impl Compared {
    fn tally(&self) -> Tally {
        Tally {
            layers: 1,
            values_compared: self.checked.outputs.compared,
            edges_compared: self.checked.edges.compared,
            accumulators_compared: self.checked.accumulators_compared,
            mismatches: self.checked.mismatches() + self.others,
            cycles_rtl: self.cycles_rtl,
            cycles_stepped: self.cycles_stepped,
            cycles_fast: self.cycles_fast,
        }
    }
}

pub(crate) fn run(arguments: &RtlCheckArgs, printer: &Printer) -> Result<Verdict> {
    let archs = arguments.arch.iter().map(|name| files::architecture(name));
    let archs = archs.collect::<Result<Vec<_>>>()?;
    let verilator = Tool::Verilator.version()?;
    let subject = match &arguments.net {
        None => None,
        Some(net) => Some(Subject::read(net, &arguments.layers, printer)?),
    };
    let count = arguments.random.unwrap_or(0) as usize;
    let mut architectures = Vec::new();
    for arch in &archs {
        let cases = layers::random(arch, count, arguments.seed)?;
        let jobs = subject.iter().flat_map(Subject::jobs);
        let jobs: Vec<Job<'_>> = jobs.chain(cases.iter().map(layers::job)).collect();
        architectures.push(check(arguments, arch, &jobs, &verilator, printer)?);
    }
    let input = match &subject {
        Some(subject) => format!("{}, {}", subject.network.name, subject.input),
        None => format!("{count} random layers, seed {}", arguments.seed),
    };
    let not_covered = subject.map_or_else(Vec::new, |subject| subject.not_covered);
    let all = architectures.iter().map(|arch| arch.all).fold(Tally::default(), Tally::plus);
    let report = Report { input, all, architectures, layers_not_covered: not_covered };
    tell(&report, printer);
    printer.object("rtl check", &report)?;
    Ok(if report.all.mismatches == 0 { Verdict::Yes } else { Verdict::No })
}

/// Builds one architecture and runs all layers on it.
fn check(
    arguments: &RtlCheckArgs,
    arch: &Architecture,
    jobs: &[Job<'_>],
    verilator: &str,
    printer: &Printer,
) -> Result<ArchitectureReport> {
    let image =
        |job: &Job<'_>| Image::new(job.network, job.layer_idx, arch, job.images, &job.codes);
    let mut sizes = Sizes::SMALL;
    for job in jobs {
        sizes = sizes.with(image(job)?.sizes());
    }
    let start = Instant::now();
    let bar = printer.bar(&format!("build and run {}", arch.name), 1 + jobs.len() as u64);
    let simulator = Simulator::new(arch, sizes, arguments.output.as_deref(), verilator)?;
    let build_seconds = start.elapsed().as_secs_f64();
    bar.inc(1);
    let start = Instant::now();
    let expected = threads::map(jobs.len(), || (), |(), i| expected(arch, &jobs[i]))?;
    let mut compared = Vec::new();
    for (job, (vectors, cycles_fast)) in jobs.iter().zip(&expected) {
        compared.push(compare(&simulator, arch, job, &image(job)?, vectors, *cycles_fast)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(ArchitectureReport {
        name: arch.name.clone(),
        all: compared.iter().map(Compared::tally).fold(Tally::default(), Tally::plus),
        first_mismatch: compared.into_iter().find_map(|layer| layer.first),
        is_build_reused: simulator.is_reused,
        build_seconds,
        run_seconds: start.elapsed().as_secs_f64(),
    })
}

/// What the stepped model says, and the cycles of the fast one.
fn expected(arch: &Architecture, job: &Job<'_>) -> Result<(Vectors, u64)> {
    let vectors = Vectors::new(job.network, job.layer_idx, arch, job.images, &job.codes)?;
    let fast = fast::layer(job.network, job.layer_idx, arch, job.images)?;
    Ok((vectors, fast.counts.cycles.0))
}

fn compare(
    simulator: &Simulator,
    arch: &Architecture,
    job: &Job<'_>,
    image: &Image,
    vectors: &Vectors,
    cycles_fast: u64,
) -> Result<Compared> {
    let cycles_stepped = vectors.expected.cycles;
    let mut compared = Compared { cycles_stepped, cycles_fast, ..Compared::default() };
    let place = format!("layer `{}`", job.name);
    let seen = match simulator.run(image, arch)? {
        Ok(seen) => seen,
        Err(refusal) => {
            compared.others = 1;
            compared.first = Some(format!("{place}: {refusal}"));
            return Ok(compared);
        }
    };
    let verifier = Verifier::new(job.network, job.layer_idx, vectors);
    compared.checked = verifier.observed(&seen);
    compared.cycles_rtl = seen.cycles;
    compared.first = compared.checked.first(vectors).map(|text| format!("{place}: {text}"));
    let stepped = &vectors.expected;
    let totals = [
        ("cycles", seen.cycles, stepped.cycles),
        ("cycles of the fast model", seen.cycles, cycles_fast),
        ("steps", seen.steps, stepped.steps),
        ("stalls", seen.stalls, stepped.stalls),
    ];
    for (name, got, expected) in totals {
        if got != expected {
            compared.others += 1;
            let text = || format!("{place}: {name}: expected {expected}, got {got}");
            compared.first.get_or_insert_with(text);
        }
    }
    Ok(compared)
}

fn tell(report: &Report, printer: &Printer) {
    printer.line(&report.input);
    let row = |arch: &ArchitectureReport| {
        vec![
            arch.name.clone(),
            arch.all.layers.to_string(),
            grouped(arch.all.values_compared),
            grouped(arch.all.accumulators_compared),
            grouped(arch.all.cycles_rtl),
            grouped(arch.all.cycles_stepped),
            grouped(arch.all.cycles_fast),
            grouped(arch.all.mismatches),
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
        if let Some(first) = &arch.first_mismatch {
            printer.line(format_args!("{}: first mismatch: {first}", arch.name));
        }
    }
    not_covered(&report.layers_not_covered, printer);
    printer.line(format_args!(
        "{} outputs, {} edges, {} accumulators and {} cycles compared: {} mismatches",
        grouped(report.all.values_compared),
        grouped(report.all.edges_compared),
        grouped(report.all.accumulators_compared),
        grouped(report.all.cycles_rtl),
        grouped(report.all.mismatches)
    ));
}
