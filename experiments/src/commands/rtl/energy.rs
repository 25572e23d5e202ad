//! `tridot rtl energy`: windows of layers through gates and simulator.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tridot_reports::plot::{self, SideBySide};
use tridot_sim::arch::{Architecture, ClockGating};
use tridot_sim::calibrate::{self, ByPart, Part, Source, Stimulus};
use tridot_sim::energy::Breakdown;
use tridot_sim::mapping::{Mapping, StepIndex, Work};

use super::super::gates::{self, Settling};
use super::layers::{Job, Subject};
use crate::cli::{LayersArgs, RtlEnergyArgs, Verdict};
use crate::files;
use crate::print::{Printer, grouped};

#[derive(Serialize)]
struct Report {
    network: String,
    architecture: String,
    energy_table: String,
    input: String,
    gates: usize,
    edges_compared: u64,
    edges_that_differ: u64,
    first_difference: Option<String>,
    mean_error_percent: f64,
    worst_error_percent: f64,
    layers: Vec<Layer>,
    layers_not_covered: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Layer {
    name: String,
    tile: u64,
    tiles: u64,
    edges: u64,
    steps: u64,
    gates: Energies,
    simulator: Energies,
    error_percent: f64,
    /// Of the gates, without clock and leakage.
    gates_parts_fj: ByPart,
    quantities: BTreeMap<String, f64>,
}

/// pJ of a window.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "units are last in JSON")]
struct Energies {
    engines_pj: f64,
    scalers_pj: f64,
    clock_pj: f64,
    leakage_pj: f64,
    total_pj: f64,
}

pub(super) fn run(arguments: &RtlEnergyArgs, printer: &Printer) -> Result<Verdict> {
    let (arch, mut warnings) = architecture(&arguments.arch)?;
    if let Some(folder) = &arguments.output {
        files::make_all(folder)?;
    }
    let table = files::energy_tables(&arguments.energy)?.0.of(&arch).at_any_clock();
    let library = files::liberty::read_liberty(&arguments.library.liberty)?;
    let wire_ff = gates::wire_ff(&arguments.library, &library)?;
    let layers = LayersArgs { layers: arguments.layers.clone(), trace: arguments.trace.clone() };
    let subject = Subject::read(&arguments.net, &layers, printer)?;
    let jobs: Vec<Job<'_>> = subject.jobs().collect();
    let mut windows = Vec::new();
    let mut places = Vec::new();
    for job in &jobs {
        let (tile, tiles, first) = place(job, &arch, arguments.tile)?;
        windows.push(stimulus(job, &arch, first, arguments.edges.into())?);
        places.push((tile, tiles));
    }
    let bar = printer.bar("synthesize and simulate", 2);
    let core = gates::synthesize(&arch, &library, wire_ff)?;
    bar.inc(1);
    let seen = gates::simulate(&arch, &core, &windows, Settling::Timed)?;
    bar.finish_and_clear();
    let mut layers = Vec::new();
    for (i, (job, window)) in jobs.iter().zip(&windows).enumerate() {
        let measured = core.measured(&seen.toggles[i], window.edges());
        let at_clock = gates::leakage_fj(&core, &arch, window.edges());
        let of_gates = of_gates(&measured.toggles_fj, measured.clock_fj, at_clock);
        let simulator = of_simulator(&gates::priced(&table, &arch, window)?);
        layers.push(Layer {
            name: job.name.clone(),
            tile: places[i].0,
            tiles: places[i].1,
            edges: window.edges(),
            steps: window.counts.steps,
            error_percent: 100.0 * (simulator.total_pj / of_gates.total_pj - 1.0),
            gates: of_gates,
            gates_parts_fj: measured.toggles_fj,
            quantities: gates::quantities(window, &arch),
            simulator,
        });
    }
    warnings.extend(table.warning.clone());
    let errors: Vec<f64> = layers.iter().map(|layer| layer.error_percent).collect();
    let errors = calibrate::fit::Errors::of(&errors);
    let report = Report {
        network: subject.network.name.clone(),
        architecture: arch.name.clone(),
        energy_table: table.name.clone(),
        input: subject.input.clone(),
        gates: core.netlist.gates.len(),
        edges_compared: seen.compared,
        edges_that_differ: seen.differ,
        first_difference: seen.first,
        mean_error_percent: errors.mean,
        worst_error_percent: errors.worst,
        layers,
        layers_not_covered: subject.not_covered.clone(),
        warnings,
    };
    tell(&report, printer);
    if let Some(folder) = &arguments.output {
        draw(folder, &report)?;
    }
    printer.object("rtl energy", &report)?;
    Ok(if seen.differ == 0 { Verdict::Yes } else { Verdict::No })
}

/// Both sides as a figure, with its numbers.
fn draw(folder: &Path, report: &Report) -> Result<()> {
    let side_by_side = |layer: &Layer| SideBySide {
        layer: layer.name.clone(),
        edges: layer.edges,
        gates_pj: layer.gates.total_pj,
        simulator_pj: layer.simulator.total_pj,
    };
    let rows: Vec<_> = report.layers.iter().map(side_by_side).collect();
    let Report { network, architecture, energy_table, .. } = report;
    let title = format!("{network} on {architecture}, energy table {energy_table}");
    if let Some(figure) = plot::gates(&title, &rows) {
        files::write_figure(folder, &figure)?;
    }
    Ok(())
}

/// The architecture, without clock gates: the RTL has none.
fn architecture(argument: &str) -> Result<(Architecture, Vec<String>)> {
    let arch = files::architecture(argument)?;
    if arch.clock_gating == ClockGating::None {
        return Ok((arch, Vec::new()));
    }
    let warning = "the RTL has no clock gates: both sides without clock gating".to_owned();
    let mut parameters = arch.into_parameters();
    parameters.clock_gating = ClockGating::None;
    Ok((Architecture::new(parameters)?, vec![warning]))
}

/// The window of a layer from a step on.
fn stimulus(job: &Job<'_>, arch: &Architecture, first: StepIndex, edges: u64) -> Result<Stimulus> {
    let source = Source {
        network: job.network,
        layer_idx: job.layer_idx,
        images: job.images,
        codes: &job.codes,
        first,
        edges,
    };
    Ok(calibrate::stimulus(&source, arch)?)
}

/// The tile with which a window begins, of how many, and its first step.
fn place(job: &Job<'_>, arch: &Architecture, tile: Option<u64>) -> Result<(u64, u64, StepIndex)> {
    let work = Work::of(job.network, job.layer_idx, job.images);
    let map = Mapping::new(&work.expect("a dot-product layer"), arch)?;
    let tiles = (map.column_tiles * map.row_tiles) as u64;
    let tile = tile.unwrap_or(tiles / 2);
    if tiles <= tile {
        anyhow::bail!("layer `{}`: --tile must be below its {tiles} tiles, got {tile}", job.name);
    }
    let at = usize::try_from(tile).context("--tile")?;
    let (column_tile, row_tile) = (at / map.row_tiles, at % map.row_tiles);
    Ok((tile, tiles, StepIndex { column_tile, row_tile, ..StepIndex::default() }))
}

fn of_gates(toggles_fj: &ByPart, clock_fj: f64, leakage_fj: f64) -> Energies {
    let scalers = toggles_fj[Part::Scaler as usize];
    let engines = toggles_fj.iter().sum::<f64>() - scalers;
    energies(engines / 1e3, scalers / 1e3, clock_fj / 1e3, leakage_fj / 1e3)
}

fn of_simulator(parts: &Breakdown) -> Energies {
    let engines =
        [parts.activation_bus, parts.weight_bus, parts.leaves, parts.tree, parts.accumulators];
    let engines = engines.iter().map(|part| part.value()).sum();
    energies(engines, parts.scaler.value(), parts.clock.value(), parts.leakage.value())
}

fn energies(engines_pj: f64, scalers_pj: f64, clock_pj: f64, leakage_pj: f64) -> Energies {
    let total_pj = engines_pj + scalers_pj + clock_pj + leakage_pj;
    Energies { engines_pj, scalers_pj, clock_pj, leakage_pj, total_pj }
}

fn tell(report: &Report, printer: &Printer) {
    printer.line(format_args!(
        "{}, {}, on {} gates of `{}`, priced by `{}`",
        report.network,
        report.input,
        grouped(report.gates),
        report.architecture,
        report.energy_table
    ));
    let row = |layer: &Layer| {
        let side = |pick: fn(&Energies) -> f64| {
            format!("{:.1} {:.1}", pick(&layer.gates), pick(&layer.simulator))
        };
        vec![
            layer.name.clone(),
            format!("{}/{}", layer.tile, layer.tiles),
            layer.edges.to_string(),
            layer.steps.to_string(),
            side(|one| one.engines_pj),
            side(|one| one.scalers_pj),
            side(|one| one.clock_pj),
            side(|one| one.leakage_pj),
            side(|one| one.total_pj),
            format!("{:+.1}", layer.error_percent),
        ]
    };
    let heads = [
        "layer",
        "tile",
        "edges",
        "steps",
        "engines_pj",
        "scalers_pj",
        "clock_pj",
        "leakage_pj",
        "total_pj",
        "error_%",
    ];
    printer.table(&heads, report.layers.iter().map(row));
    printer.line(
        "each pair: gates, simulator; what the simulator puts into the clock includes load enables",
    );
    super::not_covered(&report.layers_not_covered, printer);
    printer.line(format_args!(
        "gates and RTL differ at {} of {} edges{}; energy: mean error {:.2} %, worst {:.2} %",
        grouped(report.edges_that_differ),
        grouped(report.edges_compared),
        report
            .first_difference
            .as_ref()
            .map_or_else(String::new, |first| format!(" (first: {first})")),
        report.mean_error_percent,
        report.worst_error_percent
    ));
    for warning in &report.warnings {
        printer.line(format_args!("warning: {warning}"));
    }
}
