//! Arguments of the commands that measure time.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// How long things take on this machine.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) measured: Measured,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Measured {
    Training(TrainingBenchArgs),
    /// One side of `bench training`: a task, then a line for each step, on standard input.
    #[command(hide = true)]
    TrainingSide,
}

/// A training step next to PyTorch's on the CPU, in turns.
///
/// Each side is a process of its own. In every round each does one step of the same batch: the float step,
/// PyTorch's (eager, `channels_last`) of the same network from the same weights, and a quantized step with
/// two branches. Both sides must come to the same losses. Nothing is fetched unless `--install` asks for it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tridot bench training --alone\n  \
                        tridot bench training resnet20 --venv torch --install\n  \
                        tridot bench training mobilenetv1 --batch 16 --rounds 20 --thread-counts 1")]
pub(crate) struct TrainingBenchArgs {
    /// Built-in names or network files [default: resnet20, mobilenetv1-cifar10, mobilenetv2-cifar10,
    /// shufflenetv2-cifar10, mobilenetv1].
    #[arg(value_name = "NAME|FILE")]
    pub(crate) networks: Vec<String>,
    /// Pictures of a step [default: 128; 16 where they have more than 64×64 pixels].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=4096))]
    pub(crate) batch: Option<u32>,
    /// Rounds that are measured, after one that is not.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rounds: u32,
    /// Threads of each side, with commas between, in place of --threads.
    #[arg(long, value_name = "N,…", default_value = "1,2", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) thread_counts: Vec<u16>,
    /// How memory is allocated on both sides.
    #[arg(long, value_enum, default_value_t = Allocator::Keep)]
    pub(crate) allocator: Allocator,
    /// Only our own steps: PyTorch is not needed.
    #[arg(long, conflicts_with_all = ["venv", "install"])]
    pub(crate) alone: bool,
    /// Python environment that has PyTorch [default: tridot/pytorch in the user's cache folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) venv: Option<PathBuf>,
    /// First make that environment where it is missing, with `python3 -m venv` and `pip install torch`;
    /// `PIP_INDEX_URL` says from where.
    #[arg(long)]
    pub(crate) install: bool,
}

/// Settings of the system's allocator, by environment variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Allocator {
    /// glibc's malloc, told to keep freed memory: PyTorch is faster with it, mostly.
    Keep,
    /// As the system has it.
    System,
}
