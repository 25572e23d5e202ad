//! What a calibration found, for people and programs.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use tridot_sim::arch::Architecture;
use tridot_sim::calibrate::{ByPart, Facts, Quantity, Recipe};

use super::super::gates;
use super::{Run, Setting, Size};
use crate::cli::{CalibrateArgs, Verdict};
use crate::print::{Printer, grouped};

#[derive(Serialize)]
pub(super) struct Report {
    output: String,
    energy_table: String,
    library: String,
    recipe: String,
    wire_load: String,
    sizes: Vec<OfSize>,
}

/// What was found of one size of engines.
#[derive(Serialize)]
pub(super) struct OfSize {
    lanes: usize,
    branches: usize,
    gates: usize,
    flip_flops: usize,
    area_um2: f64,
    leakage_nw: f64,
    max_clock_mhz: f64,
    slowest_path: Vec<String>,
    edges_compared: u64,
    mean_error_percent: f64,
    worst_error_percent: f64,
    array_mean_error_percent: f64,
    array_worst_error_percent: f64,
    /// What delays add to the toggles of gates that settle at once, and the errors of that factor alone.
    glitch_factor: f64,
    glitch_mean_error_percent: f64,
    glitch_worst_error_percent: f64,
    prices: Vec<Price>,
    windows: Vec<Window>,
}

#[derive(Serialize)]
struct Price {
    row: String,
    energy_fj: f64,
}

#[derive(Clone, Serialize)]
struct Window {
    name: String,
    array: String,
    edges: u64,
    steps: u64,
    gates_fj: f64,
    /// Of the gates, without clock and leakage.
    gates_parts_fj: ByPart,
    quantities: BTreeMap<String, f64>,
    error_percent: f64,
    cross_validated_error_percent: f64,
}

/// The answer where gates and RTL differ.
pub(super) fn difference(
    arch: &Architecture,
    run: &Run<'_>,
    printer: &Printer,
) -> Result<Option<Verdict>> {
    #[derive(Serialize)]
    struct Difference<'a> {
        architecture: &'a str,
        edges_compared: u64,
        edges_that_differ: u64,
        first: Option<&'a str>,
    }
    let Some(seen) = [&run.at_once, &run.timed].into_iter().find(|seen| seen.differ != 0) else {
        return Ok(None);
    };
    let difference = Difference {
        architecture: &arch.name,
        edges_compared: seen.compared,
        edges_that_differ: seen.differ,
        first: seen.first.as_deref(),
    };
    printer.line(format_args!(
        "{}: gates and RTL differ at {} of {} edges; first: {}",
        arch.name,
        grouped(seen.differ),
        grouped(seen.compared),
        seen.first.as_deref().unwrap_or("not told")
    ));
    printer.object("calibrate", &difference)?;
    Ok(Some(Verdict::No))
}

impl Setting<'_> {
    /// What was found of a size.
    pub(super) fn report(&self, size: &Size<'_>, facts: &Facts<'_>) -> OfSize {
        let Size { arch, array, one, four, fitted } = size;
        let recipes = [&self.recipes, &self.of_arrays];
        let (glitch_factor, glitches) = one.glitches();
        let windows = |run: &Run<'_>, arch: &Architecture, of: usize| -> Vec<Window> {
            let first = of * recipes[0].len();
            let window = |(i, recipe): (usize, &Recipe)| {
                let measured = run.measured(i, &run.timed);
                Window {
                    name: recipe.name(),
                    array: format!("{}×{}", arch.rows, arch.columns),
                    edges: run.windows[i].edges(),
                    steps: run.windows[i].counts.steps,
                    gates_parts_fj: measured.toggles_fj,
                    quantities: gates::quantities(&run.windows[i], arch),
                    gates_fj: measured.total_fj(),
                    error_percent: 100.0 * fitted.errors[first + i],
                    cross_validated_error_percent: 100.0 * fitted.cross_validated[first + i],
                }
            };
            recipes[of].iter().enumerate().map(window).collect()
        };
        let price =
            |&(quantity, price): &(Quantity, f64)| Price { row: quantity.row(), energy_fj: price };
        let compared = |run: &Run<'_>| run.at_once.compared + run.timed.compared;
        OfSize {
            lanes: arch.lanes,
            branches: arch.branches,
            gates: one.core.netlist.gates.len(),
            flip_flops: facts.power.flip_flops,
            area_um2: facts.power.area_um2(),
            leakage_nw: facts.power.leakage_nw,
            max_clock_mhz: 1e6 / facts.slowest_ps,
            slowest_path: one.core.timing.slowest_path.clone(),
            edges_compared: compared(one) + compared(four),
            mean_error_percent: facts.errors_percent.0,
            worst_error_percent: facts.errors_percent.1,
            array_mean_error_percent: facts.array_percent.0,
            array_worst_error_percent: facts.array_percent.1,
            glitch_factor,
            glitch_mean_error_percent: 100.0 * glitches.mean,
            glitch_worst_error_percent: 100.0 * glitches.worst,
            prices: fitted.prices_fj.iter().map(price).collect(),
            windows: [windows(one, arch, 0), windows(four, array, 1)].concat(),
        }
    }
}

impl Report {
    pub(super) fn new(
        arguments: &CalibrateArgs,
        name: &str,
        [library, recipe, _, wire_load]: &[String; 4],
        sizes: Vec<OfSize>,
    ) -> Self {
        Self {
            output: arguments.output.display().to_string(),
            energy_table: name.to_owned(),
            library: library.clone(),
            recipe: recipe.clone(),
            wire_load: wire_load.clone(),
            sizes,
        }
    }

    pub(super) fn tell(&self, printer: &Printer) -> Result<()> {
        for size in &self.sizes {
            size.tell(printer);
        }
        printer.line(format_args!("{}: energy table `{}`", self.output, self.energy_table));
        printer.object("calibrate", self)
    }
}

impl OfSize {
    fn tell(&self, printer: &Printer) {
        printer.line(format_args!("{} lanes × {} branches", self.lanes, self.branches));
        let row = |window: &Window| {
            vec![
                window.name.clone(),
                window.array.clone(),
                window.edges.to_string(),
                window.steps.to_string(),
                format!("{:.3}", window.gates_fj / 1000.0 / window.edges as f64),
                format!("{:+.1}", window.error_percent),
                format!("{:+.1}", window.cross_validated_error_percent),
            ]
        };
        let heads = [
            "window",
            "array",
            "edges",
            "steps",
            "gates_pj_per_cycle",
            "error_%",
            "left_out_error_%",
        ];
        printer.table(&heads, self.windows.iter().map(row));
        let row = |price: &Price| vec![price.row.clone(), format!("{:.3}", price.energy_fj)];
        printer.table(&["row", "fj"], self.prices.iter().map(row));
        printer.line(format_args!(
            "{} gates ({} flip-flops), {:.0} µm², leakage {:.3} µW, slowest path {:.0} ps through {} cells: {:.1} MHz",
            grouped(self.gates),
            grouped(self.flip_flops),
            self.area_um2,
            self.leakage_nw / 1000.0,
            1e6 / self.max_clock_mhz,
            self.slowest_path.len(),
            self.max_clock_mhz
        ));
        printer.line(format_args!(
            "gates and RTL equal at {} edges; delays add {:.0} % to the toggles of gates that settle at once \
             (that factor alone: mean error {:.1} %, worst {:.1} %)",
            grouped(self.edges_compared),
            100.0 * (self.glitch_factor - 1.0),
            self.glitch_mean_error_percent,
            self.glitch_worst_error_percent
        ));
        printer.line(format_args!(
            "left-out windows: mean error {:.2} %, worst {:.2} %; 2×2 array: mean error {:.2} %, worst {:.2} %",
            self.mean_error_percent,
            self.worst_error_percent,
            self.array_mean_error_percent,
            self.array_worst_error_percent
        ));
    }
}
