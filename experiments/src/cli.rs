//! Arguments, and the exit code: 0 done, 1 the answer is no, 2 bad usage or input.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::print::{self, Printer};

/// What a command that could be carried out says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done, or: the answer is yes.
    Yes,
    /// The answer is no: a mismatch.
    #[cfg_attr(not(feature = "train"), expect(dead_code, reason = "only `check` answers no"))]
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
}

/// The whole road in one command: train, quantize, check, simulate, draw.
///
/// Without options: a small network on the built-in synthetic pictures, in float and with 1, 2 and 3
/// ternary branches, on all built-in architectures. The same command goes on where it was stopped.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tridot quickstart\n  tridot quickstart --plan experiments/plans/resnet20-fronts.toml \
                        --data cifar-10-batches-bin --from resnet20_cifar10.safetensors --out fronts"
)]
pub(crate) struct QuickstartArgs {
    /// Folder of everything that is made: new, empty, or of the same road.
    #[arg(long, value_name = "DIR", default_value = "quickstart")]
    pub(crate) out: PathBuf,
    /// A road of one's own (TOML): its variants, architectures and energy table [default: the built-in one].
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(crate) plan: Option<PathBuf>,
    /// Folder that directly holds `test_batch.bin` (CIFAR-10) or `y_labels.csv` (Visual Wake Words).
    #[arg(long, value_name = "DIR", requires = "plan")]
    pub(crate) data: Option<PathBuf>,
    /// Trained float weights, for a road that does not train them.
    #[arg(long, value_name = "CHECKPOINT", requires = "plan")]
    pub(crate) from: Option<PathBuf>,
}

/// Train a network after a plan: in float, then with soft ternary branches that harden.
///
/// Writes `checkpoint.safetensors` and a line of `log.jsonl` after every epoch. The same command goes on
/// after the last whole epoch, with the same bytes as if nothing had stopped it.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tridot train experiments/plans/quickstart-float.toml --synthetic --out float\n  \
                        tridot train experiments/plans/resnet20-b2.toml --data cifar-10-batches-bin \
                        --from resnet20_cifar10.safetensors --out b2"
)]
pub(crate) struct TrainArgs {
    /// The training plan (TOML): network, stages, schemes of layers; docs/training-plan.md lists the keys.
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) source: TrainingSource,
    /// Folder of the checkpoint and the log: new, empty, or of the same training.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Trained float weights to start from: safetensors, a PyTorch zip file, or a checkpoint of `train`.
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) from: Option<PathBuf>,
    /// Go on from the checkpoint in the folder, and refuse if there is none.
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Pictures to train on.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TrainingSource {
    /// Folder that directly holds `test_batch.bin` (CIFAR-10) or `y_labels.csv` (Visual Wake Words).
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The built-in synthetic set of ten classes, of the plan's seed and sizes.
    #[arg(long)]
    pub(crate) synthetic: bool,
}

/// A checkpoint of `train` becomes an integer network, with its accuracy.
///
/// Folds batch norm, branch scales and clips into integers. Batch norm is re-estimated where that lowers
/// the loss on held-back training pictures. The float accuracy that is recorded is that of the float
/// network that quantized training began with.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot export b2/checkpoint.safetensors --data cifar-10-batches-bin -o resnet20-b2.safetensors"
)]
pub(crate) struct ExportArgs {
    /// A checkpoint of a quantized stage of `train`.
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) source: TrainingSource,
    /// The integer network to write.
    #[arg(short, long, value_name = "NET")]
    pub(crate) output: PathBuf,
    /// Export even where a layer's worst rounding error exceeds one output step.
    #[arg(long)]
    pub(crate) allow_rounding_error: bool,
}

/// Post-training quantization: a float checkpoint becomes an integer network.
///
/// Fits ternary branches to the weights, measures activation ranges on calibration pictures,
/// re-estimates batch norm where that lowers the loss on held-back ones, and exports.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot quantize resnet20_cifar10.safetensors --data cifar-10-batches-bin \
                        --branches 2 -o resnet20-b2.safetensors"
)]
pub(crate) struct QuantizeArgs {
    /// Trained float weights: safetensors, or a PyTorch zip file.
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// The integer network to write.
    #[arg(short, long, value_name = "NET")]
    pub(crate) output: PathBuf,
    /// Built-in name or network file [default: found by tensor names and shapes].
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) network: Option<String>,
    /// Ternary branches of every layer that is neither first, last nor depthwise [default: 2].
    #[arg(long, value_name = "B", conflicts_with = "plan", value_parser = clap::value_parser!(u32).range(1..=5))]
    pub(crate) branches: Option<u32>,
    /// A quantization plan (TOML): a scheme for each layer, activation bits, scales per layer or channel.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Pictures that calibrate [default: the plan's, 1024].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) calibration_samples: Option<u32>,
    /// Seed of the choice of pictures.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Export even where a layer's worst rounding error exceeds one output step.
    #[arg(long)]
    pub(crate) allow_rounding_error: bool,
}

/// Where pictures come from.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Source {
    /// Folder that directly holds `test_batch.bin` (CIFAR-10) or `y_labels.csv` (Visual Wake Words).
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Pictures made by code: the synthetic set of ten classes where the network fits it (32×32×3), else
    /// pictures of its own size that show nothing, for checks and not for accuracy.
    #[arg(long)]
    pub(crate) synthetic: bool,
}

/// Integer accuracy of a network on a test set.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot accuracy resnet20-b2.safetensors --data cifar-10-batches-bin"
)]
pub(crate) struct AccuracyArgs {
    /// The integer network.
    pub(crate) net: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Seed of the synthetic set.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Bit-exact agreement of all implementations, on every tensor of every layer.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tridot check resnet20-b2.safetensors --data cifar-10-batches-bin --samples 100\n  \
                        tridot check resnet20-b2.safetensors --data cifar-10-batches-bin --arch edge,wide"
)]
pub(crate) struct CheckArgs {
    /// The integer network.
    pub(crate) net: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Also run the stepped model on these architectures (names or files, with commas between, or `all`)
    /// and compare its outputs with the reference and its counters with the fast model.
    #[arg(long, value_name = "A", value_delimiter = ',')]
    pub(crate) arch: Vec<String>,
    /// Pictures to compare.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) samples: u32,
    /// Seed of synthetic pictures.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Complexity by layer, on no machine: full adders, bits to represent, bits to store.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tridot complexity resnet20 --uniform 8,8\n  \
                        tridot complexity resnet20 --ternary 2\n  tridot complexity resnet20-b2.safetensors")]
pub(crate) struct ComplexityArgs {
    /// An integer network's file, a network file, or a built-in name (then with --uniform or --ternary).
    #[arg(value_name = "NET|NAME")]
    pub(crate) subject: String,
    /// From shapes alone: every weight has W bits and every activation A bits.
    #[arg(long, value_name = "W,A", value_parser = parse_uniform, conflicts_with = "ternary")]
    pub(crate) uniform: Option<(u32, u32)>,
    /// From shapes alone: every layer is a sum of B ternary branches, activations have A bits [default: 8].
    #[arg(long, value_name = "B[,A]", value_parser = parse_ternary)]
    pub(crate) ternary: Option<(u32, u32)>,
}

/// What is in a file: an integer network, a trace, a checkpoint, a network file, a plan, an architecture
/// or an energy table.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tridot inspect resnet20-b2.safetensors")]
pub(crate) struct InspectArgs {
    /// The file.
    pub(crate) file: PathBuf,
}

/// The trace of some test pictures: the integer input and output of every layer.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot record resnet20-b2.safetensors --data cifar-10-batches-bin \
                        --samples 4 -o resnet20-b2-trace.safetensors"
)]
pub(crate) struct RecordArgs {
    /// The integer network.
    pub(crate) net: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Pictures to record.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) samples: u32,
    /// Seed of synthetic pictures.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The trace to write.
    #[arg(short, long, value_name = "TRACE")]
    pub(crate) output: PathBuf,
}

/// Cycles, stalls, utilization, energy and area of a network on an architecture, layer by layer.
///
/// Says what bounds each layer and which parameter lifts it. The pictures of a trace run as one batch;
/// without a trace the input is one seeded synthetic picture.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tridot simulate resnet20-b2.safetensors --arch edge\n  \
                        tridot simulate resnet20-b2.safetensors --arch my-array.toml \
                        --trace resnet20-b2-trace.safetensors -o results")]
pub(crate) struct SimulateArgs {
    /// The integer network.
    pub(crate) net: PathBuf,
    /// Built-in name or architecture file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: String,
    /// Built-in name or energy table.
    #[arg(long, value_name = "NAME|FILE", default_value = "published-45nm")]
    pub(crate) energy: String,
    /// Recorded pictures of this network [default: one synthetic picture, seed 0].
    #[arg(long, value_name = "TRACE")]
    #[cfg_attr(not(feature = "train"), arg(required = true))]
    pub(crate) trace: Option<PathBuf>,
    /// The model of the machine; both give the same counts.
    #[arg(long, value_enum, default_value_t = Model::Fast)]
    pub(crate) model: Model,
    /// Count toggles in one of each N tiles of a layer, for all; 1 counts every tile.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) one_tile_of: u32,
    /// Append the result to DIR/records.csv.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

/// Which model of the machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Model {
    /// From the tile structure.
    Fast,
    /// Clock edge by clock edge.
    Stepped,
}

/// The built-in architectures.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tridot archs --show edge > my-array.toml")]
pub(crate) struct ArchsArgs {
    /// Print this architecture's file, to start from.
    #[arg(long, value_name = "NAME")]
    pub(crate) show: Option<String>,
}

/// The built-in energy tables.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tridot energies --show published-45nm > my-table.toml")]
pub(crate) struct EnergiesArgs {
    /// Print this table's file, to start from.
    #[arg(long, value_name = "NAME")]
    pub(crate) show: Option<String>,
}

/// The built-in network shapes.
#[cfg(feature = "train")]
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tridot networks --show resnet20 > my-network.toml")]
pub(crate) struct NetworksArgs {
    /// Print this network's file, to start from.
    #[arg(long, value_name = "NAME")]
    pub(crate) show: Option<String>,
}

/// Figures, tables and one page from Records.
///
/// Writes accuracy against each cost (fronts/*.svg), cycles and energy layer by layer (layers/*.svg), the numbers
/// behind each figure (*.csv), table.md, table.tex and index.html, which shows all of it and needs no other file.
/// The files of an earlier report in the folder are replaced; files.txt lists them.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tridot report study/records.csv -o study/report")]
pub(crate) struct ReportArgs {
    /// The Records, as `simulate -o` appends them.
    #[arg(value_name = "RECORDS")]
    pub(crate) records: PathBuf,
    /// The folder to write: new, empty, or of an earlier report.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Write into a folder that holds other files too; those stay, unless a file of the report has their name.
    #[arg(long)]
    pub(crate) force: bool,
}

fn parse_pair(
    text: &str,
    limits: &[std::ops::RangeInclusive<u32>; 2],
    default: Option<u32>,
) -> Result<(u32, u32), String> {
    let mut parts = text.split(',');
    let mut next = |limit: &std::ops::RangeInclusive<u32>, default: Option<u32>| {
        let value = match (parts.next(), default) {
            (Some(part), _) => {
                part.trim().parse().map_err(|_| format!("`{part}` is no whole number"))?
            }
            (None, Some(value)) => value,
            (None, None) => return Err("two numbers are needed, with a comma between".to_owned()),
        };
        if limit.contains(&value) {
            return Ok(value);
        }
        Err(format!("must be between {} and {}, got {value}", limit.start(), limit.end()))
    };
    let pair = (next(&limits[0], None)?, next(&limits[1], default)?);
    if parts.next().is_some() { Err("too many numbers".to_owned()) } else { Ok(pair) }
}

fn parse_uniform(text: &str) -> Result<(u32, u32), String> {
    parse_pair(text, &[1..=32, 1..=32], None)
}

fn parse_ternary(text: &str) -> Result<(u32, u32), String> {
    parse_pair(text, &[1..=5, 1..=32], Some(8))
}

/// Parses the arguments, runs the command and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
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

/// Help and version as they are; wrong usage in one line.
fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked_for || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing is left to be done where even help cannot be printed.
        drop(error.print());
    } else {
        print::error(&anyhow::anyhow!("{}", usage_line(&error.render().to_string())));
    }
    if asked_for { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// What clap says in paragraphs, as one line: the error, its tips, and where help is.
fn usage_line(text: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = Vec::new();
    let mut command = "tridot".to_owned();
    for paragraph in text.split("\n\n").map(words) {
        if let Some(usage) = paragraph.strip_prefix("Usage: ") {
            let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
            command = usage.split(' ').take_while(is_name).collect::<Vec<_>>().join(" ");
        } else if !paragraph.is_empty() && !paragraph.starts_with("For more information") {
            parts.push(paragraph.strip_prefix("error: ").unwrap_or(&paragraph).to_owned());
        }
    }
    format!("{} (help: {command} --help)", parts.join("; "))
}

fn run(cli: &Cli, printer: &Printer) -> anyhow::Result<Verdict> {
    crate::threads::initialize(cli.global.threads)?;
    dispatch(&cli.command, printer)
}

/// Runs a command line given without `tridot`, as a user would have typed it.
#[cfg(feature = "train")]
pub(crate) fn run_line(arguments: &[String], printer: &Printer) -> anyhow::Result<Verdict> {
    let words = std::iter::once("tridot").chain(arguments.iter().map(String::as_str));
    dispatch(&Cli::try_parse_from(words)?.command, printer)
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
    }
}
