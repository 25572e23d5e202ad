//! `tridot energies`: the built-in energy tables.

use anyhow::{Result, anyhow};
use serde::Serialize;
use tridot_sim::energy::EnergyTable;

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
    rows: usize,
    scaled_rows: Vec<String>,
    warning: Option<String>,
}

impl From<EnergyTable> for Entry {
    fn from(table: EnergyTable) -> Self {
        Self {
            name: table.name,
            node_nm: table.node_nm,
            voltage_v: table.voltage_v,
            rows: table.n_rows,
            scaled_rows: table.scaled_rows,
            warning: table.warning,
        }
    }
}

pub(crate) fn run(arguments: &EnergiesArgs, printer: &Printer) -> Result<Verdict> {
    if let Some(name) = &arguments.show {
        let text = EnergyTable::builtin_text(name).ok_or_else(|| {
            let names = EnergyTable::builtin_names().join(", ");
            anyhow!("no built-in energy table `{name}`: there are {names}")
        })?;
        printer.verbatim(text);
        return Ok(Verdict::Yes);
    }
    let tables = EnergyTable::builtin_names().into_iter().filter_map(EnergyTable::builtin);
    let energies: Vec<_> = tables.map(Entry::from).collect();
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
    for entry in energies {
        for row in &entry.scaled_rows {
            printer.line(format_args!("{}: scaled: {row}", entry.name));
        }
        if let Some(warning) = &entry.warning {
            printer.line(format_args!("{}: {warning}", entry.name));
        }
    }
}
