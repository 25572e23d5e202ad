//! What `simulate` says.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use tridot_sim::arch::Architecture;
use tridot_sim::counts::Counts;
use tridot_sim::energy::{Breakdown, CalibratedEngine, Calibration, EnergyTable, Memory};
use tridot_sim::fast::{self, Lift};
use tridot_sim::network::Network;
use tridot_sim::outcome::Limiter;
use tridot_sim::units::Cycles;

use super::Simulation;
use crate::cli::Model;
use crate::print::{Printer, grouped};

#[derive(Serialize)]
struct Report {
    network: String,
    architecture: String,
    energy_table: String,
    model: &'static str,
    input: String,
    synthetic: bool,
    images: usize,
    cycles: u64,
    time_us: f64,
    utilization: f64,
    stalls: Stalls,
    energy_pj: f64,
    energy_parts_pj: BTreeMap<&'static str, f64>,
    power_mw: f64,
    ops: u64,
    tops_per_watt: Option<f64>,
    area_um2: f64,
    area_covers: &'static str,
    activation_memory: MemoryReport,
    weight_memory: MemoryReport,
    toggles: &'static str,
    scaled_rows: Vec<String>,
    warnings: Vec<String>,
    layers: Vec<LayerReport>,
}

/// Cycles that are no steps, by cause.
#[derive(Serialize)]
struct Stalls {
    scaler: u64,
    empty: u64,
    vector: u64,
}

#[derive(Serialize)]
struct MemoryReport {
    needed_kib: f64,
    banks: u64,
    bank_kib: f64,
    word_bits: f64,
}

#[derive(Serialize)]
struct LayerReport {
    name: String,
    cycles: u64,
    steps: u64,
    stalls: Stalls,
    utilization: f64,
    energy_pj: f64,
    energy_parts_pj: BTreeMap<&'static str, f64>,
    bound_by: &'static str,
    lift: Option<LiftReport>,
    toggle_tiles: u64,
    toggle_tiles_counted: u64,
}

#[derive(Serialize)]
struct LiftReport {
    key: &'static str,
    value: usize,
    cycles: u64,
}

impl From<&Counts> for Stalls {
    fn from(counts: &Counts) -> Self {
        Self {
            scaler: counts.stall_scaler.0,
            empty: counts.empty.0,
            vector: counts.vector_cycles.0,
        }
    }
}

impl From<Memory> for MemoryReport {
    fn from(memory: Memory) -> Self {
        let Memory { needed_kib, banks, bank_kib, word_bits } = memory;
        Self { needed_kib, banks, bank_kib, word_bits }
    }
}

impl From<Lift> for LiftReport {
    fn from(lift: Lift) -> Self {
        Self { key: lift.key, value: lift.value, cycles: lift.cycles.0 }
    }
}

const fn bound_by(limiter: Limiter) -> &'static str {
    match limiter {
        Limiter::Array => "array",
        Limiter::Scaler => "scaler",
        Limiter::Latency => "latency",
        Limiter::Vector => "vector",
    }
}

fn parts(breakdown: &Breakdown) -> BTreeMap<&'static str, f64> {
    breakdown.parts().map(|(name, energy)| (name, energy.value())).collect()
}

/// Multiplications and additions of the network's dot products: 2 for each multiply-accumulate of a
/// weight, however many planes the weight has and whether or not it is zero.
fn ops(network: &Network, images: usize) -> u64 {
    let macs = network.layers.iter().filter_map(|layer| {
        let dot = layer.dot()?;
        Some(dot.geometry.macs(network.input_of(layer).shape, layer.output.shape))
    });
    2 * images as u64 * macs.sum::<u64>()
}

/// In what else the calibrated engines differ: prices and slowest path are theirs.
fn of_engines_built_otherwise(table: &EnergyTable, arch: &Architecture) -> Option<String> {
    let theirs = table.calibrations.first()?.engine.parameters();
    let ours = CalibratedEngine::of(arch).parameters();
    let differences: Vec<_> = theirs
        .iter()
        .zip(&ours)
        .filter(|(theirs, ours)| theirs != ours)
        .map(|((key, theirs), (_, ours))| format!("{key} {theirs}, not {ours}"))
        .collect();
    if differences.is_empty() {
        return None;
    }
    let differences = differences.join("; ");
    Some(format!("prices and slowest path are of engines with {differences}: not calibrated"))
}

/// What a table's prices come from, where not from engines like those of the architecture.
fn of_other_engines(table: &EnergyTable, arch: &Architecture) -> Option<String> {
    let of = |engine: &Calibration| (engine.lanes, engine.branches);
    let these = format!("these have {} × {}", arch.lanes, arch.branches);
    let engines = "engines of lanes × branches";
    match table.calibrations.as_slice() {
        [] => None,
        [one] if of(one) == (arch.lanes, arch.branches) => None,
        [one] => {
            let (lanes, branches) = of(one);
            Some(format!("the table was calibrated on {engines} {lanes} × {branches}, {these}"))
        }
        several => {
            let sizes = several.iter().map(|one| format!("{} × {}", one.lanes, one.branches));
            let sizes = sizes.collect::<Vec<_>>().join(", ");
            Some(format!("prices lie between those of {engines} {sizes}; {these}"))
        }
    }
}

pub(super) fn print(simulation: &Simulation, printer: &Printer) -> Result<()> {
    let report = report(simulation);
    table(&report, printer);
    energy_table(&report, printer);
    summary(&report, simulation, printer);
    printer.object("simulate", &report)
}

/// Whether the pictures mean nothing. `record --synthetic` says so in its trace.
fn is_synthetic(simulation: &Simulation) -> bool {
    simulation.trace.data().starts_with("synthetic")
}

fn is_sampled(simulation: &Simulation) -> bool {
    simulation.one_tile_of != 1
}

/// What must be said with the figures.
pub(super) fn warnings(simulation: &Simulation) -> Vec<String> {
    let Simulation { arch, table, .. } = simulation;
    let mut warnings = Vec::new();
    if is_synthetic(simulation) {
        warnings.push(
            "the input is synthetic: toggles and energy are not those of real pictures".to_owned(),
        );
    }
    if is_sampled(simulation) {
        warnings.push(format!("toggles counted in one of each {} tiles", simulation.one_tile_of));
    }
    if let Some(most) = simulation.too_fast {
        warnings.push(format!("the clock is beyond {most} MHz, the table's slowest path"));
    }
    warnings.extend(of_other_engines(table, arch));
    warnings.extend(of_engines_built_otherwise(table, arch));
    warnings.extend(table.warning.clone());
    warnings
}

fn report(simulation: &Simulation) -> Report {
    let Simulation { network, arch, table, outcome, energy, .. } = simulation;
    let counts = outcome.total();
    let total = energy.total();
    let energy_pj = total.total().value();
    let time_us = outcome.time(arch).0;
    let ops = ops(network, outcome.images);
    Report {
        network: network.name.clone(),
        architecture: arch.name.clone(),
        energy_table: table.name.clone(),
        model: match simulation.model {
            Model::Fast => "fast",
            Model::Stepped => "stepped",
        },
        input: simulation.input.clone(),
        synthetic: is_synthetic(simulation),
        images: outcome.images,
        cycles: counts.cycles.0,
        time_us,
        utilization: counts.utilization(arch),
        stalls: Stalls::from(&counts),
        energy_pj,
        energy_parts_pj: parts(&total),
        // 1 pJ in 1 µs is 1 µW.
        power_mw: energy_pj / time_us * 1e-3,
        ops,
        // An op in 1 pJ is a TOPS/W.
        tops_per_watt: (0.0 < energy_pj).then(|| ops as f64 / energy_pj),
        area_um2: simulation.area.total().0,
        area_covers: simulation.area.covers(),
        activation_memory: energy.prices.activation_memory.into(),
        weight_memory: energy.prices.weight_memory.into(),
        toggles: if is_sampled(simulation) { "sampled" } else { "exact" },
        scaled_rows: table.scaled_rows.clone(),
        warnings: warnings(simulation),
        layers: (0..network.layers.len()).map(|i| layer_report(simulation, i)).collect(),
    }
}

fn layer_report(simulation: &Simulation, layer_idx: usize) -> LayerReport {
    let Simulation { network, arch, outcome, .. } = simulation;
    let layer = &outcome.layers[layer_idx];
    let energy = &simulation.energy.layers[layer_idx];
    LayerReport {
        name: layer.name.clone(),
        cycles: layer.counts.cycles.0,
        steps: layer.counts.steps,
        stalls: Stalls::from(&layer.counts),
        utilization: layer.counts.utilization(arch),
        energy_pj: energy.total().value(),
        energy_parts_pj: parts(energy),
        bound_by: bound_by(layer.counts.limiter()),
        lift: fast::lift(network, layer_idx, arch, outcome.images).map(LiftReport::from),
        toggle_tiles: layer.toggles.map_or(0, |toggles| toggles.tiles),
        toggle_tiles_counted: layer.toggles.map_or(0, |toggles| toggles.tiles_counted),
    }
}

fn table(report: &Report, printer: &Printer) {
    let heads = [
        "layer",
        "cycles",
        "steps",
        "stall_scaler",
        "empty",
        "utilization_percent",
        "energy_nj",
        "bound_by",
        "lifted_by",
    ];
    let rows = report.layers.iter().map(|layer| {
        let lift = layer.lift.as_ref().map_or(String::new(), |lift| {
            let saved = 100.0 * (1.0 - lift.cycles as f64 / layer.cycles as f64);
            format!("{} = {}: −{saved:.1} %", lift.key, lift.value)
        });
        vec![
            layer.name.clone(),
            grouped(layer.cycles),
            grouped(layer.steps),
            grouped(layer.stalls.scaler),
            grouped(layer.stalls.empty),
            format!("{:.1}", 100.0 * layer.utilization),
            format!("{:.1}", layer.energy_pj * 1e-3),
            layer.bound_by.to_owned(),
            lift,
        ]
    });
    printer.line(format_args!(
        "{} on {}, {} model; {}",
        report.network, report.architecture, report.model, report.input
    ));
    printer.table(&heads, rows);
}

/// The parts that cost something, and the names of the others.
fn energy_table(report: &Report, printer: &Printer) {
    printer.line("");
    let cost = |name: &&str| report.energy_parts_pj[*name];
    let (priced, free): (Vec<&str>, Vec<&str>) =
        Breakdown::NAMES.iter().copied().partition(|name| 0.0 < cost(name));
    let rows = priced.iter().map(|name| {
        let percent = 100.0 * cost(name) / report.energy_pj;
        vec![(*name).to_owned(), format!("{:.1}", cost(name) * 1e-3), format!("{percent:.1}")]
    });
    printer.table(&["part", "energy_nj", "percent"], rows);
    printer.line(format_args!("without a price or without events: {}", free.join(", ")));
}

fn summary(report: &Report, simulation: &Simulation, printer: &Printer) {
    let Stalls { scaler, empty, vector } = report.stalls;
    let steps = simulation.outcome.total().steps;
    printer.line(format_args!(
        "\n{} cycles = {} steps + {} stalled for the scaler + {} empty + {} on the vector unit; {:.1} µs at {} MHz; \
         {:.1} % of the leaves' products are work",
        grouped(Cycles(report.cycles)),
        grouped(steps),
        grouped(scaler),
        grouped(empty),
        grouped(vector),
        report.time_us,
        simulation.arch.clock.0,
        100.0 * report.utilization
    ));
    printer.line(format_args!(
        "{:.3} µJ ({}), {:.2} mW; {:.2} TOPS/W, where an op is a multiplication or an addition of the network: {} for {} \
         multiply-accumulates of weights, however many planes a weight has",
        report.energy_pj * 1e-6,
        report.energy_table,
        report.power_mw,
        report.tops_per_watt.unwrap_or(f64::INFINITY),
        grouped(report.ops),
        grouped(report.ops / 2)
    ));
    printer.line(format_args!("{:.4} mm²: {}", report.area_um2 * 1e-6, report.area_covers));
    memory("activations", &report.activation_memory, printer);
    memory("weights", &report.weight_memory, printer);
    for row in &report.scaled_rows {
        printer.line(format_args!("scaled row: {row}"));
    }
    for warning in &report.warnings {
        printer.line(format_args!("warning: {warning}"));
    }
}

fn memory(what: &str, memory: &MemoryReport, printer: &Printer) {
    printer.line(format_args!(
        "assumed memory for {what}: {:.1} KiB needed, {} of {:.1} KiB, {} bits a word",
        memory.needed_kib,
        if memory.banks == 1 { "1 bank".to_owned() } else { format!("{} banks", memory.banks) },
        memory.bank_kib,
        memory.word_bits
    ));
}
