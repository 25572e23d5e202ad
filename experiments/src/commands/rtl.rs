//! `tridot rtl`: the machine in SystemVerilog.

use anyhow::Result;

use crate::cli::{RtlArgs, RtlCommand, Verdict};
use crate::print::Printer;

mod build;
mod check;
pub(super) mod compare;
mod energy;
mod generate;
pub(super) mod layers;
pub(super) mod library;
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
