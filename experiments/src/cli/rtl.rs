//! Arguments of the commands for hardware designers.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};

use super::calibrate::RtlEnergyArgs;
use crate::files::folder::{Occupied, Output};

/// The machine in SystemVerilog: write it, lint it, check it against the models clock edge by clock edge.
#[derive(Debug, Args)]
pub(crate) struct RtlArgs {
    #[command(subcommand)]
    pub(crate) command: RtlCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RtlCommand {
    Generate(RtlGenerateArgs),
    Lint(RtlLintArgs),
    Check(RtlCheckArgs),
    Waveform(RtlWaveformArgs),
    Energy(RtlEnergyArgs),
}

/// Which layers of a network, on which pictures.
#[derive(Debug, Args)]
pub(crate) struct LayersArgs {
    /// Only these layers, by name [default: every dot-product layer].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "net")]
    pub(crate) layers: Vec<String>,
    /// Recorded pictures of the network, one batch [default: one synthetic picture, seed 0].
    #[arg(long, value_name = "TRACE", requires = "net")]
    pub(crate) trace: Option<PathBuf>,
}

/// The library, the top of an architecture, a C++ harness, and memory images of a network's layers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tridot rtl generate --arch tiny -o rtl\n  \
                        tridot rtl generate resnet20-b2.safetensors --arch my-array.toml --layers conv1 -o rtl")]
pub(crate) struct RtlGenerateArgs {
    /// The integer network, where memory images are wanted.
    pub(crate) net: Option<PathBuf>,
    /// Built-in name or architecture file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: String,
    #[command(flatten)]
    pub(crate) layers: LayersArgs,
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
}

/// A folder that is written as a whole.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The folder to write: new, empty, or of an earlier run.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Write into a folder that holds other files, or changed ones: what has the name of a file to write is
    /// overwritten, all else stays.
    #[arg(long)]
    pub(crate) force: bool,
}

impl FolderArgs {
    /// As this command writes it; an input may lie in it.
    pub(crate) fn output<'a>(&'a self, maker: &'a str, spared: &'a Path) -> Output<'a> {
        let occupied = if self.force { Occupied::Keep } else { Occupied::Refuse };
        Output { folder: &self.output, maker, spared, occupied }
    }
}

/// A changed copy of the RTL.
#[derive(Debug, Args)]
pub(crate) struct LibraryArgs {
    /// Take the modules from this folder, as `rtl generate` writes them [default: the built-in ones].
    #[arg(long, value_name = "DIR")]
    pub(crate) rtl_dir: Option<PathBuf>,
}

/// Do Verilator (all warnings), Icarus and Yosys take an architecture's RTL?
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tridot rtl lint --arch tiny --arch edge")]
pub(crate) struct RtlLintArgs {
    /// Built-in name or architecture file; may be repeated.
    #[arg(long, value_name = "NAME|FILE", required = true)]
    pub(crate) arch: Vec<String>,
    #[command(flatten)]
    pub(crate) library: LibraryArgs,
}

/// Runs layers in Verilator; compares every output, its edge and every accumulator with the stepped model, and the
/// cycles with the fast model. Exit code 1 if anything differs.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("subject").args(["net", "random"]).required(true),
          after_help = "Examples:\n  tridot rtl check --random 40 --arch tiny -o rtl-builds\n  \
                        tridot rtl check resnet20-b2.safetensors --arch edge --layers conv1\n  \
                        tridot rtl generate --arch edge -o rtl && edit rtl/tridot_scaler.sv && \
                        tridot rtl check --random 40 --arch edge --rtl-dir rtl")]
pub(crate) struct RtlCheckArgs {
    /// The integer network [default: random layers, with --random].
    pub(crate) net: Option<PathBuf>,
    /// Built-in name or architecture file; may be repeated.
    #[arg(long, value_name = "NAME|FILE", required = true)]
    pub(crate) arch: Vec<String>,
    #[command(flatten)]
    pub(crate) layers: LayersArgs,
    /// So many small random layers of all kinds on each architecture.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000),
          conflicts_with_all = ["layers", "trace"])]
    pub(crate) random: Option<u32>,
    /// Seed of the random layers.
    #[arg(long, value_name = "S", default_value_t = 0, requires = "random")]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) library: LibraryArgs,
    /// Keep what Verilator builds here, and use it again [default: build anew, keep nothing].
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

/// A window of a layer on the stepped model as FST, for GTKWave and Surfer, with the names of the RTL.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot rtl waveform resnet20-b2.safetensors --arch tiny --layer conv1 --edges 500 \
                        -o conv1.fst"
)]
pub(crate) struct RtlWaveformArgs {
    /// The integer network: a file, or a trained network's name (`tridot networks`).
    pub(crate) net: PathBuf,
    /// Built-in name or architecture file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: String,
    /// The layer, by name.
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: String,
    /// Recorded pictures of the network, one batch [default: one synthetic picture, seed 0].
    #[arg(long, value_name = "TRACE")]
    pub(crate) trace: Option<PathBuf>,
    /// The first clock edge.
    #[arg(long, value_name = "E", default_value_t = 0)]
    pub(crate) first: u64,
    /// How many edges.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) edges: u64,
    /// The file to write.
    #[arg(short, long, value_name = "FST")]
    pub(crate) output: PathBuf,
}

/// Golden vectors of a network's layers on an architecture, for anyone's hardware.
///
/// Inputs, planes, multipliers, biases, accumulators, outputs and the clock edge of each output, as $readmemh hex and
/// .npy; a manifest; a self-checking SystemVerilog test bench and a cocotb example that use them.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot golden resnet20-b2.safetensors --arch edge --layers conv1 -o vectors\n  \
                        sh vectors/run-icarus.sh"
)]
pub(crate) struct GoldenArgs {
    /// The integer network: a file, or a trained network's name (`tridot networks`).
    pub(crate) net: PathBuf,
    /// Built-in name or architecture file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: String,
    #[command(flatten)]
    pub(crate) layers: LayersArgs,
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
}

/// What a designer's hardware put out, against golden vectors: the first mismatch and how many of which kind.
///
/// Dumps are hex, one word a line as $writememh writes them, .npy, or signals of a waveform. Exit code 1 if anything differs.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("dumps").args(["outputs", "accumulators", "edges", "wave"]).required(true).multiple(true),
    after_help = "Example:\n  tridot verify vectors --layer conv1 --outputs my-outputs.hex --edges my-edges.hex"
)]
pub(crate) struct VerifyArgs {
    /// The folder that `golden` wrote.
    #[arg(value_name = "DIR")]
    pub(crate) vectors: PathBuf,
    /// The layer, by name.
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: String,
    /// Outputs of all pictures, NHWC, in the bits of their tensor or in 48.
    #[arg(long, value_name = "FILE")]
    pub(crate) outputs: Option<PathBuf>,
    /// What the scaler takes for each output: a word a plane, or one.
    #[arg(long, value_name = "FILE")]
    pub(crate) accumulators: Option<PathBuf>,
    /// The clock edge that writes each output, from the one that samples start.
    #[arg(long, value_name = "FILE")]
    pub(crate) edges: Option<PathBuf>,
    /// Outputs and their edges from a waveform, VCD or FST, of any length.
    #[arg(long, value_name = "FILE", requires = "signals", conflicts_with_all = ["outputs", "edges"])]
    pub(crate) wave: Option<PathBuf>,
    /// Which signals of the waveform, as docs/signals-file.md describes: clock, start, valid, address, data, ports.
    #[arg(long, value_name = "TOML", requires = "wave", conflicts_with_all = ["outputs", "edges"])]
    pub(crate) signals: Option<PathBuf>,
    /// Write the result as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}
