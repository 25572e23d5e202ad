//! The machine's part of `check`: the stepped model against the reference and the fast model.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tridot_models::data::Pictures;
use tridot_sim::arch::Architecture;
use tridot_sim::fast;
use tridot_sim::network::{Network, TensorId};
use tridot_sim::outcome::Outcome;
use tridot_sim::{reference, stepped};

use super::AtOnce;
use super::rtl::RtlReport;
use crate::print::{Printer, grouped};
use crate::{files, threads};

/// What was compared on one architecture.
#[derive(Serialize)]
pub(super) struct ArchitectureReport {
    pub(super) name: String,
    /// Outputs of the stepped model, each with the reference's.
    pub(super) values_compared: u64,
    pub(super) mismatches: u64,
    /// Layers and pictures of which all counters were compared with the fast model's.
    layers_counted: u64,
    /// Of these, with a counter that differs.
    pub(super) counter_mismatches: u64,
    pub(super) cycles_stepped: u64,
    pub(super) cycles_fast: u64,
    first_mismatch: Option<String>,
    seconds: f64,
    /// The RTL, where it is asked for.
    pub(super) rtl: Option<RtlReport>,
}

/// What was compared on one picture.
#[derive(Default)]
struct Compared {
    values: u64,
    mismatches: u64,
    counter_mismatches: u64,
    cycles: u64,
    first: Option<String>,
}

/// The architectures of the arguments, each once, where `all` names every built-in one; refuses those that cannot run the network.
pub(super) fn architectures(names: &[String], network: &Network) -> Result<Vec<Architecture>> {
    let mut architectures = Vec::new();
    for name in names {
        let these = if name == "all" {
            Architecture::preset_names().iter().map(ToString::to_string).collect()
        } else {
            vec![name.clone()]
        };
        for name in these {
            let arch = files::architecture(&name)?;
            fast::network(network, &arch, 1)?;
            // `all` may name one that is named besides.
            if !architectures.contains(&arch) {
                architectures.push(arch);
            }
        }
    }
    Ok(architectures)
}

/// Runs every layer of every picture on the stepped model, fed with the reference's inputs.
pub(super) fn check(
    network: &Network,
    arch: &Architecture,
    test: &Pictures,
    printer: &Printer,
) -> Result<ArchitectureReport> {
    let start = Instant::now();
    let expected = fast::network(network, arch, 1)?;
    let bar = printer.bar(&format!("check on {}", arch.name), test.len() as u64);
    let at_once = AtOnce::of(network);
    let parts = threads::map_at_most(
        at_once.batches * at_once.batch,
        test.len(),
        || (),
        |(), i| {
            let tensors = reference::run(network, test.picture(i))?;
            let compared = compare(network, arch, &tensors, &expected, i)?;
            bar.inc(1);
            Ok(compared)
        },
    )?;
    bar.finish_and_clear();
    let sum = |of: fn(&Compared) -> u64| parts.iter().map(of).sum();
    Ok(ArchitectureReport {
        name: arch.name.clone(),
        values_compared: sum(|part| part.values),
        mismatches: sum(|part| part.mismatches),
        layers_counted: (test.len() * network.layers.len()) as u64,
        counter_mismatches: sum(|part| part.counter_mismatches),
        cycles_stepped: sum(|part| part.cycles),
        cycles_fast: expected.total().cycles.0 * test.len() as u64,
        first_mismatch: parts.into_iter().find_map(|part| part.first),
        seconds: start.elapsed().as_secs_f64(),
        rtl: None,
    })
}

fn compare(
    network: &Network,
    arch: &Architecture,
    tensors: &[Vec<i64>],
    expected: &Outcome,
    picture_idx: usize,
) -> Result<Compared> {
    let mut compared = Compared::default();
    for (layer_idx, (layer, fast)) in network.layers.iter().zip(&expected.layers).enumerate() {
        let codes = &tensors[layer.inputs[0].0];
        let (outcome, run) = stepped::layer(network, layer_idx, arch, 1, codes)?;
        compared.cycles += outcome.counts.cycles.0;
        let place = || format!("picture {picture_idx}, layer `{}`", layer.name);
        if outcome.counts != fast.counts {
            compared.counter_mismatches += 1;
            compared.first.get_or_insert_with(|| {
                format!("{}: stepped {:?}, fast {:?}", place(), outcome.counts, fast.counts)
            });
        }
        let Some(run) = run else { continue };
        let outputs = &tensors[TensorId::of_layer(layer_idx).0];
        compared.values += outputs.len() as u64;
        let differs = |(_, (expected, got)): &(usize, (&i64, &i64))| expected != got;
        let pairs = || outputs.iter().zip(&run.outputs).enumerate().filter(differs);
        let unpaired = outputs.len().abs_diff(run.outputs.len());
        compared.mismatches += (pairs().count() + unpaired) as u64;
        if let Some((at, (expected, got))) = pairs().next() {
            compared.first.get_or_insert_with(|| {
                format!("{}, output {at}: expected {expected}, got {got}", place())
            });
        }
    }
    Ok(compared)
}

/// The table of architectures.
pub(super) fn tell(architectures: &[ArchitectureReport], printer: &Printer) {
    if architectures.is_empty() {
        return;
    }
    let equal = |mismatches: u64| match mismatches {
        0 => "equal".to_owned(),
        mismatches => format!("{} differ", grouped(mismatches)),
    };
    let rows = architectures.iter().map(|arch| {
        vec![
            arch.name.clone(),
            grouped(arch.values_compared),
            equal(arch.mismatches),
            equal(arch.counter_mismatches),
            grouped(arch.cycles_stepped),
            grouped(arch.cycles_fast),
            format!("{:.1}", arch.seconds),
        ]
    });
    let heads = [
        "architecture",
        "values_compared",
        "stepped_outputs",
        "counters",
        "cycles_stepped",
        "cycles_fast",
        "seconds",
    ];
    printer.line("");
    printer.table(&heads, rows);
    for arch in architectures {
        if let Some(first) = &arch.first_mismatch {
            printer.line(format_args!("{}: first mismatch: {first}", arch.name));
        }
    }
}
