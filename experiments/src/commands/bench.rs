//! `tridot bench`: how long things take on this machine.

use anyhow::Result;

use crate::cli::{BenchArgs, Measured, Verdict};
use crate::print::Printer;

mod description;
mod environment;
mod side;
mod summary;
mod training;

pub(crate) fn run(arguments: &BenchArgs, printer: &Printer) -> Result<Verdict> {
    match &arguments.measured {
        Measured::Training(arguments) => training::run(arguments, printer),
        Measured::TrainingSide => side::run(),
    }
}
