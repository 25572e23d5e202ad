//! Arguments, and the exit code: 0 done, 1 the answer is no, 2 bad usage or input.

use std::any::TypeId;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands;
use crate::print::{self, Printer};

#[cfg(feature = "train")]
mod bench;
mod calibrate;
mod files;
mod line;
mod machine;
#[cfg(feature = "train")]
mod networks;
mod rtl;

#[cfg(feature = "train")]
pub(crate) use bench::{Allocator, BenchArgs, Measured, TrainingBenchArgs};
pub(crate) use calibrate::{CalibrateArgs, LibraryArgs, RtlEnergyArgs};
pub(crate) use files::{ComplexityArgs, InspectArgs};
pub(crate) use line::{line, word};
pub(crate) use machine::{ArchsArgs, EnergiesArgs, Model, ReportArgs, SimulateArgs};
#[cfg(feature = "train")]
pub(crate) use networks::{
    AccuracyArgs, CheckArgs, ExportArgs, NetworksArgs, QuantizeArgs, QuickstartArgs, RecordArgs,
    Source, TrainArgs, TrainingSource,
};
pub(crate) use rtl::{
    GoldenArgs, LayersArgs, RtlArgs, RtlCheckArgs, RtlCommand, RtlGenerateArgs, RtlLintArgs,
    RtlWaveformArgs, VerifyArgs,
};

/// What a command that could be carried out says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done, or: the answer is yes.
    Yes,
    /// The answer is no: a mismatch.
    No,
}

/// Networks of ternary branches: train, quantize, check bit by bit, count.
#[derive(Debug, Parser)]
#[command(name = "tridot", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Threads to use [default: all processors].
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Print one JSON object, as docs/json.md describes.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress bars and no notes.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "train")]
    Quickstart(QuickstartArgs),
    #[cfg(feature = "train")]
    Train(TrainArgs),
    #[cfg(feature = "train")]
    Export(ExportArgs),
    #[cfg(feature = "train")]
    Quantize(QuantizeArgs),
    #[cfg(feature = "train")]
    Accuracy(AccuracyArgs),
    #[cfg(feature = "train")]
    Check(CheckArgs),
    Complexity(ComplexityArgs),
    Inspect(InspectArgs),
    #[cfg(feature = "train")]
    Record(RecordArgs),
    Simulate(SimulateArgs),
    #[cfg(feature = "train")]
    Networks(NetworksArgs),
    Archs(ArchsArgs),
    Energies(EnergiesArgs),
    Report(ReportArgs),
    Rtl(RtlArgs),
    Golden(GoldenArgs),
    Verify(VerifyArgs),
    Calibrate(CalibrateArgs),
    #[cfg(feature = "train")]
    Bench(BenchArgs),
}

/// Parses the arguments, runs the command and returns the exit code.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match parse(&words) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &words),
    };
    let printer = Printer::new(&cli.global);
    let verdict = run(&cli, &printer).and_then(|verdict| printer.finish().map(|()| verdict));
    match verdict {
        Ok(Verdict::Yes) => ExitCode::SUCCESS,
        Ok(Verdict::No) => ExitCode::from(1),
        Err(error) => {
            print::error(&error);
            ExitCode::from(2)
        }
    }
}

/// A number below 0 is a value that its argument refuses by its range, and no option of another name.
fn command() -> clap::Command {
    fn with_negative_numbers(command: clap::Command) -> clap::Command {
        let of_option = |arg: clap::Arg| {
            let numbers = [
                TypeId::of::<u16>(),
                TypeId::of::<u32>(),
                TypeId::of::<u64>(),
                TypeId::of::<f64>(),
            ];
            let kind = arg.get_value_parser().type_id();
            let is_number =
                arg.get_long().is_some() && numbers.iter().any(|number| kind == *number);
            if is_number { arg.allow_negative_numbers(true) } else { arg }
        };
        command.mut_args(of_option).mut_subcommands(with_negative_numbers)
    }
    with_negative_numbers(Cli::command())
}

fn parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The command that a command line names, as far as it names one.
fn named(words: &[OsString]) -> String {
    let mut command = &Cli::command();
    let mut name = command.get_name().to_owned();
    for word in words.iter().skip(1) {
        if let Some(inner) = command.find_subcommand(word) {
            command = inner;
            name = format!("{name} {}", inner.get_name());
        }
    }
    name
}

/// Help and version as they are; wrong usage in one line.
fn usage(error: &clap::Error, words: &[OsString]) -> ExitCode {
    use clap::error::ErrorKind;
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked_for || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing is left to be done where even help cannot be printed.
        drop(error.print());
    } else {
        print::error(&anyhow::anyhow!("{}", usage_line(error, words)));
    }
    if asked_for { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// What clap says in paragraphs, as one line: the error, its tips, and where help is.
fn usage_line(error: &clap::Error, words: &[OsString]) -> String {
    let in_a_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = error.render().to_string();
    let paragraphs = text.split("\n\n").map(in_a_line).filter(|paragraph| {
        !(paragraph.is_empty()
            || paragraph.starts_with("Usage: ")
            || paragraph.starts_with("For more information"))
    });
    let parts: Vec<String> = paragraphs
        .map(|paragraph| paragraph.strip_prefix("error: ").unwrap_or(&paragraph).to_owned())
        .collect();
    format!("{} (help: {} --help)", parts.join("; "), named(words))
}

fn run(cli: &Cli, printer: &Printer) -> anyhow::Result<Verdict> {
    crate::threads::initialize(cli.global.threads)?;
    dispatch(&cli.command, printer)
}

/// Runs a command line given without `tridot`, as a user would have typed it.
#[cfg(feature = "train")]
pub(crate) fn run_line(arguments: &[String], printer: &Printer) -> anyhow::Result<Verdict> {
    let words = std::iter::once("tridot").chain(arguments.iter().map(String::as_str));
    let words: Vec<OsString> = words.map(OsString::from).collect();
    let cli = parse(&words).map_err(|error| anyhow::anyhow!("{}", usage_line(&error, &words)))?;
    dispatch(&cli.command, printer)
}

fn dispatch(command: &Command, printer: &Printer) -> anyhow::Result<Verdict> {
    match command {
        #[cfg(feature = "train")]
        Command::Quickstart(arguments) => commands::quickstart::run(arguments, printer),
        #[cfg(feature = "train")]
        Command::Train(arguments) => commands::train::run(arguments, printer),
        #[cfg(feature = "train")]
        Command::Export(arguments) => commands::export::run(arguments, printer),
        #[cfg(feature = "train")]
        Command::Quantize(arguments) => commands::quantize::run(arguments, printer),
        #[cfg(feature = "train")]
        Command::Accuracy(arguments) => commands::accuracy::run(arguments, printer),
        #[cfg(feature = "train")]
        Command::Check(arguments) => commands::check::run(arguments, printer),
        Command::Complexity(arguments) => commands::complexity::run(arguments, printer),
        Command::Inspect(arguments) => commands::inspect::run(arguments, printer),
        #[cfg(feature = "train")]
        Command::Record(arguments) => commands::record::run(arguments, printer),
        Command::Simulate(arguments) => commands::simulate::run(arguments, printer),
        Command::Archs(arguments) => commands::archs::run(arguments, printer),
        Command::Energies(arguments) => commands::energies::run(arguments, printer),
        #[cfg(feature = "train")]
        Command::Networks(arguments) => commands::networks::run(arguments, printer),
        Command::Report(arguments) => commands::report::run(arguments, printer),
        #[cfg(feature = "train")]
        Command::Bench(arguments) => commands::bench::run(arguments, printer),
        Command::Rtl(arguments) => commands::rtl::run(arguments, printer),
        Command::Golden(arguments) => commands::golden::run(arguments, printer),
        Command::Verify(arguments) => commands::verify::run(arguments, printer),
        Command::Calibrate(arguments) => commands::calibrate::run(arguments, printer),
    }
}
