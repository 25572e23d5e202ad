//! `tridot simulate`: what a network costs on an architecture.

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use tridot_sim::arch::Architecture;
use tridot_sim::energy::{self, Area, Energy, EnergyTable};
use tridot_sim::fast::{self, Sampling};
use tridot_sim::network::{Network, TensorId};
use tridot_sim::outcome::{LayerOutcome, Outcome};
use tridot_sim::stepped::{self, ToggleCounting};
use tridot_sim::trace::Trace;

use crate::cli::{Model, SimulateArgs, Verdict};
use crate::print::Printer;
use crate::{files, threads};

mod record;
mod report;

/// Seed of the picture that stands in for a trace.
#[cfg(feature = "train")]
const SYNTHETIC_SEED: u64 = 0;

/// A finished simulation with everything that determined it.
struct Simulation {
    network: Network,
    arch: Architecture,
    table: EnergyTable,
    table_text: String,
    trace: Trace,
    /// What ran, for people: the trace's file, or that there is none.
    input: String,
    /// Whether the trace comes from a file.
    #[cfg(feature = "train")]
    is_recorded: bool,
    model: Model,
    one_tile_of: u32,
    outcome: Outcome,
    energy: Energy,
    area: Area,
    /// The clock of the table's slowest path, MHz, where the architecture's is faster and is priced all the same.
    too_fast: Option<f64>,
}

pub(crate) fn run(arguments: &SimulateArgs, printer: &Printer) -> Result<Verdict> {
    if arguments.model == Model::Stepped && arguments.one_tile_of != 1 {
        bail!("--one-tile-of goes with --model fast: the stepped model counts every tile");
    }
    let network = files::read_network(&arguments.net)?;
    let arch = files::architecture(&arguments.arch)?;
    let (tables, table_text) = files::energy_tables(&arguments.energy)?;
    let mut table = tables.of(&arch);
    let too_fast = table.max_clock_mhz().filter(|&most| most < arch.clock.0);
    if arguments.any_clock {
        table = table.at_any_clock();
    }
    table.check_clock(&arch).map_err(|error| {
        anyhow!("{error}: lower it in a copy (`tridot archs --show`), or add --any-clock")
    })?;
    // An architecture that cannot run the network is refused before anything long begins.
    fast::network(&network, &arch, 1)?;
    if let Some(folder) = &arguments.output {
        files::open_records(folder)?;
    }
    let (trace, input) = input(arguments.trace.as_deref(), &network, printer)?;
    let outcome = outcome(arguments, &network, &arch, &trace, printer)?;
    let simulation = Simulation {
        energy: energy::price(&network, &arch, &table, &outcome)?,
        area: Area::of(&table, &arch),
        too_fast,
        network,
        arch,
        table,
        table_text,
        trace,
        input,
        #[cfg(feature = "train")]
        is_recorded: arguments.trace.is_some(),
        model: arguments.model,
        one_tile_of: arguments.one_tile_of,
        outcome,
    };
    if let Some(folder) = &arguments.output {
        files::append_record(folder, record::of(&simulation, arguments)?)?;
    }
    report::print(&simulation, printer)?;
    Ok(Verdict::Yes)
}

/// The recorded pictures, or one that is made for the purpose; and what to call them.
pub(super) fn input(
    trace: Option<&Path>,
    network: &Network,
    printer: &Printer,
) -> Result<(Trace, String)> {
    if let Some(path) = trace {
        let trace = files::read_trace(path, network)?;
        let (pictures, data) = (trace.pictures(), trace.data());
        let input = format!("{pictures} pictures ({data}) of {}", path.display());
        return Ok((trace, input));
    }
    synthetic(network, printer)
}

#[cfg(feature = "train")]
fn synthetic(network: &Network, printer: &Printer) -> Result<(Trace, String)> {
    let shape = network.input.tensor.shape;
    let pictures = tridot_models::data::picture_like(shape, SYNTHETIC_SEED, 1)?;
    let data = format!("synthetic, seed {SYNTHETIC_SEED}");
    let trace = super::pictures::trace(network, &pictures, &data, printer)?;
    Ok((trace, format!("one picture without meaning ({data})")))
}

#[cfg(not(feature = "train"))]
fn synthetic(_: &Network, _: &Printer) -> Result<(Trace, String)> {
    bail!("a trace is needed: name one with --trace")
}

/// Runs every layer on the trace's codes: all pictures in one batch, layers on all threads.
fn outcome(
    arguments: &SimulateArgs,
    network: &Network,
    arch: &Architecture,
    trace: &Trace,
    printer: &Printer,
) -> Result<Outcome> {
    let bar = printer.bar("simulate", network.layers.len() as u64);
    let layers = threads::map(
        network.layers.len(),
        || (),
        |(), layer_idx| {
            let layer = layer(arguments, network, layer_idx, arch, trace)?;
            bar.inc(1);
            Ok(layer)
        },
    )?;
    bar.finish_and_clear();
    Ok(Outcome { images: trace.pictures(), layers })
}

fn layer(
    arguments: &SimulateArgs,
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    trace: &Trace,
) -> Result<LayerOutcome> {
    let images = trace.pictures();
    let layer = &network.layers[layer_idx];
    let codes = if layer.dot().is_some() { trace.codes(layer.inputs[0]) } else { Vec::new() };
    match arguments.model {
        Model::Fast => {
            let sampling = Sampling::OneOf(arguments.one_tile_of);
            Ok(fast::layer_with_toggles(network, layer_idx, arch, images, &codes, sampling)?)
        }
        Model::Stepped => {
            let counting = ToggleCounting::On;
            let (outcome, run) =
                stepped::layer_counting(network, layer_idx, arch, images, &codes, counting)?;
            let recorded = trace.codes(TensorId::of_layer(layer_idx));
            let differs = |run: &stepped::LayerRun| {
                run.outputs.iter().zip(&recorded).position(|(got, recorded)| got != recorded)
            };
            if let Some(at) = run.as_ref().and_then(differs) {
                bail!(
                    "layer `{}`: output {at} of the trace must be what its input gives, got {}",
                    layer.name,
                    recorded[at]
                );
            }
            Ok(outcome)
        }
    }
}
