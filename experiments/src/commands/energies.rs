//! `tridot energies`: the built-in energy tables.

use anyhow::{Result, anyhow};
use serde::Serialize;
use tridot_sim::energy::{EnergyTable, EnergyTables};

use crate::cli::{EnergiesArgs, Verdict};
use crate::print::Printer;

#[derive(Serialize)]
struct Report {
    energies: Vec<Entry>,
}

/// An energy table in short.
#[derive(Serialize)]
pub(crate) struct Entry {
    name: String,
    node_nm: f64,
    voltage_v: f64,
    /// Engines that were calibrated.
    sizes: Vec<Size>,
    rows: usize,
    scaled_rows: Vec<String>,
    warning: Option<String>,
}

/// A calibrated engine, and how far its prices are off windows that they were not fitted to.
#[derive(Serialize)]
struct Size {
    lanes: usize,
    branches: usize,
    mean_error_percent: f64,
    worst_error_percent: f64,
    array_mean_error_percent: f64,
    array_worst_error_percent: f64,
    max_clock_mhz: Option<f64>,
}

impl From<&EnergyTables> for Entry {
    fn from(tables: &EnergyTables) -> Self {
        let size = |table: &EnergyTable| {
            table.calibrations.first().map(|engine| Size {
                lanes: engine.lanes,
                branches: engine.branches,
                mean_error_percent: engine.mean_error_percent,
                worst_error_percent: engine.worst_error_percent,
                array_mean_error_percent: engine.array_mean_error_percent,
                array_worst_error_percent: engine.array_worst_error_percent,
                max_clock_mhz: table.max_clock_mhz(),
            })
        };
        let first = &tables.sizes()[0];
        Self {
            name: tables.name.clone(),
            node_nm: first.node_nm,
            voltage_v: first.voltage_v,
            sizes: tables.sizes().iter().filter_map(size).collect(),
            rows: tables.n_rows,
            scaled_rows: first.scaled_rows.clone(),
            warning: first.warning.clone(),
        }
    }
}

pub(crate) fn run(arguments: &EnergiesArgs, printer: &Printer) -> Result<Verdict> {
    if let Some(name) = &arguments.show {
        let text = EnergyTables::builtin_text(name).ok_or_else(|| {
            let names = EnergyTables::builtin_names().join(", ");
            anyhow!("no built-in energy table `{name}`: there are {names}")
        })?;
        printer.verbatim(text);
        return Ok(Verdict::Yes);
    }
    let tables = EnergyTables::builtin_names().into_iter().filter_map(EnergyTables::builtin);
    let energies: Vec<_> = tables.map(|tables| Entry::from(&tables)).collect();
    print(&energies, printer);
    printer.object("energies", &Report { energies })?;
    Ok(Verdict::Yes)
}

/// The table of energy tables, and what else they say.
pub(crate) fn print(energies: &[Entry], printer: &Printer) {
    let rows = energies.iter().map(|entry| {
        vec![
            entry.name.clone(),
            entry.node_nm.to_string(),
            entry.voltage_v.to_string(),
            entry.rows.to_string(),
            entry.scaled_rows.len().to_string(),
        ]
    });
    printer.table(&["energy_table", "node_nm", "voltage_v", "rows", "scaled_rows"], rows);
    let of_sizes = energies.iter().flat_map(|entry| {
        entry.sizes.iter().map(|size| {
            vec![
                entry.name.clone(),
                format!("{}×{}", size.lanes, size.branches),
                format!("{:.2}", size.mean_error_percent),
                format!("{:.2}", size.worst_error_percent),
                format!("{:.2}", size.array_mean_error_percent),
                format!("{:.2}", size.array_worst_error_percent),
                size.max_clock_mhz.map_or_else(String::new, |clock| format!("{clock:.1}")),
            ]
        })
    });
    let of_sizes: Vec<_> = of_sizes.collect();
    if !of_sizes.is_empty() {
        let heads = [
            "energy_table",
            "lanes_×_branches",
            "mean_error_%",
            "worst_error_%",
            "array_mean_error_%",
            "array_worst_error_%",
            "max_clock_mhz",
        ];
        printer.table(&heads, of_sizes);
    }
    for entry in energies {
        for row in &entry.scaled_rows {
            printer.line(format_args!("{}: scaled: {row}", entry.name));
        }
        if let Some(warning) = &entry.warning {
            printer.line(format_args!("{}: {warning}", entry.name));
        }
    }
}
