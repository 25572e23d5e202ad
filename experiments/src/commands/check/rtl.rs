//! The RTL's part of `check`: every dot-product layer in Verilator, fed with the reference's inputs.

use std::time::Instant;

use anyhow::Result;
use tempfile::TempDir;
use tridot_models::data::Pictures;
use tridot_sim::arch::Architecture;
use tridot_sim::network::Network;
use tridot_sim::reference;

use super::super::rtl::compare::{ArchitectureReport, Layers, Workshop};
use super::super::rtl::layers::Job;
use super::super::rtl::library::Library;
use super::super::rtl::not_covered as tell_not_covered;
use super::machine;
use crate::files;
use crate::print::{Printer, grouped};
use crate::tools::Tool;

/// What was compared on the RTL of one architecture.
pub(super) type RtlReport = ArchitectureReport;

/// The RTL and what builds it.
pub(super) struct Rtl {
    library: Library,
    verilator: String,
    builds: TempDir,
}

impl Rtl {
    /// Refuses a Verilator that is not there or too old.
    pub(super) fn new() -> Result<Self> {
        let verilator = Tool::Verilator.version()?;
        Ok(Self { library: Library::built_in(), verilator, builds: files::scratch_folder()? })
    }

    /// Runs the dot-product layers of every picture, one picture after the other.
    pub(super) fn check(
        &self,
        network: &Network,
        arch: &Architecture,
        test: &Pictures,
        printer: &Printer,
    ) -> Result<RtlReport> {
        let workshop = Workshop {
            library: &self.library,
            builds: self.builds.path(),
            verilator: &self.verilator,
        };
        let bar = printer.bar(&format!("rtl of {}", arch.name), 1 + test.len() as u64);
        let bench = workshop.bench(arch, &jobs(network, test, 0)?)?;
        bar.inc(1);
        let start = Instant::now();
        let mut all = Layers::default();
        for i in 0..test.len() {
            let mut layers = bench.run(&jobs(network, test, i)?, || ())?;
            // A picture is a run of its own: the place in the batch is 0.
            layers.first_mismatch =
                layers.first_mismatch.map(|first| format!("run of picture {i}, {first}"));
            all.add(&layers);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(bench.report(all, start.elapsed().as_secs_f64()))
    }
}

/// The dot-product layers of a picture with their inputs.
fn jobs<'a>(network: &'a Network, test: &Pictures, picture_idx: usize) -> Result<Vec<Job<'a>>> {
    let tensors = reference::run(network, test.picture(picture_idx))?;
    let layers = network.layers.iter().enumerate().filter(|(_, layer)| layer.dot().is_some());
    let job = |(layer_idx, layer): (usize, &tridot_sim::network::Layer)| Job {
        network,
        layer_idx,
        images: 1,
        codes: tensors[layer.inputs[0].0].clone(),
        name: layer.name.clone(),
    };
    Ok(layers.map(job).collect())
}

/// The layers that the RTL has not.
pub(super) fn not_covered(network: &Network) -> Vec<String> {
    let layers = network.layers.iter().filter(|layer| layer.dot().is_none());
    layers.map(|layer| layer.name.clone()).collect()
}

/// The table of architectures whose RTL ran.
pub(super) fn tell(
    architectures: &[machine::ArchitectureReport],
    not_covered: &[String],
    printer: &Printer,
) {
    let ran: Vec<&RtlReport> = architectures.iter().filter_map(|arch| arch.rtl.as_ref()).collect();
    if ran.is_empty() {
        return;
    }
    let row = |arch: &&RtlReport| {
        let all = &arch.layers.all;
        vec![
            arch.name.clone(),
            all.layers.to_string(),
            grouped(all.values_compared),
            grouped(all.accumulators_compared),
            grouped(all.mismatches),
            grouped(all.cycles_rtl),
            grouped(all.cycles_stepped),
            grouped(all.cycles_fast),
            format!("{:.1}", arch.build_seconds),
            format!("{:.1}", arch.run_seconds),
        ]
    };
    let heads = [
        "rtl",
        "layers",
        "outputs_and_edges",
        "accumulators",
        "mismatches",
        "cycles_rtl",
        "cycles_stepped",
        "cycles_fast",
        "build_seconds",
        "run_seconds",
    ];
    printer.line("");
    printer.table(&heads, ran.iter().map(row));
    for arch in ran {
        if let Some(first) = &arch.layers.first_mismatch {
            printer.line(format_args!("rtl of {}: first mismatch: {first}", arch.name));
        }
    }
    tell_not_covered(not_covered, printer);
}
