//! `tridot rtl`: the machine in SystemVerilog.

use anyhow::Result;
use tridot_sim::arch::Architecture;
use tridot_sim::rtl::{HARNESS, LIBRARY, PARAMETERS_HEADER, Sizes, TOP, parameters_header, top};

use crate::cli::{RtlArgs, RtlCommand, Verdict};
use crate::files::folder::Contents;
use crate::print::Printer;

mod build;
mod check;
mod energy;
mod generate;
pub(super) mod layers;
mod lint;
mod waveform;

pub(super) use generate::{folder_of, not_covered};

pub(crate) fn run(arguments: &RtlArgs, printer: &Printer) -> Result<Verdict> {
    match &arguments.command {
        RtlCommand::Generate(arguments) => generate::run(arguments, printer),
        RtlCommand::Lint(arguments) => lint::run(arguments, printer),
        RtlCommand::Check(arguments) => check::run(arguments, printer),
        RtlCommand::Waveform(arguments) => waveform::run(arguments, printer),
        RtlCommand::Energy(arguments) => energy::run(arguments, printer),
    }
}

/// The library, the top of an architecture, the harness.
pub(super) fn sources(arch: &Architecture, sizes: Sizes) -> Contents {
    let mut contents = Contents::new();
    for (name, text) in LIBRARY {
        contents.insert(name.to_owned(), text.into());
    }
    contents.insert(format!("{TOP}.sv"), top(arch, sizes).into());
    contents.insert("harness.cpp".to_owned(), HARNESS.into());
    contents.insert(PARAMETERS_HEADER.to_owned(), parameters_header(arch, sizes).into());
    contents
}

/// The names of all modules' files, the smallest parts first.
pub(super) fn modules() -> Vec<String> {
    let library = LIBRARY.iter().map(|&(name, _)| name.to_owned());
    library.chain([format!("{TOP}.sv")]).collect()
}
