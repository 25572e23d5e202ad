//! What is in an architecture or an energy table.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tridot_sim::arch::Architecture;
use tridot_sim::energy::EnergyTables;

use crate::commands::{archs, energies};
use crate::files;
use crate::print::Printer;

#[derive(Serialize)]
struct Report<T> {
    kind: &'static str,
    file_bytes: usize,
    #[serde(flatten)]
    entry: T,
}

pub(super) fn tell_architecture(path: &Path, bytes: Vec<u8>, printer: &Printer) -> Result<()> {
    let file_bytes = bytes.len();
    let arch = Architecture::from_toml(&files::text(path, bytes)?)
        .with_context(|| path.display().to_string())?;
    let report = Report { kind: "architecture", file_bytes, entry: archs::Entry::from(&arch) };
    printer.line("architecture");
    archs::print(std::slice::from_ref(&report.entry), printer);
    printer.object("inspect", &report)
}

pub(super) fn tell_energy_table(path: &Path, bytes: Vec<u8>, printer: &Printer) -> Result<()> {
    let file_bytes = bytes.len();
    let tables = EnergyTables::from_toml(&files::text(path, bytes)?)
        .with_context(|| path.display().to_string())?;
    let report = Report { kind: "energy_table", file_bytes, entry: energies::Entry::from(&tables) };
    printer.line("energy table");
    energies::print(std::slice::from_ref(&report.entry), printer);
    printer.object("inspect", &report)
}
