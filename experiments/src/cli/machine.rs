//! Arguments of the commands that simulate and report.

use std::path::PathBuf;

use clap::Args;

/// Cycles, stalls, utilization, energy and area of a network on an architecture, layer by layer.
///
/// Says what bounds each layer and which parameter lifts it. The pictures of a trace run as one batch;
/// without a trace the input is one seeded synthetic picture.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tridot simulate resnet20-cifar10-b2 --arch edge\n  \
                        tridot simulate resnet20-b2.safetensors --arch my-array.toml \
                        --trace resnet20-b2-trace.safetensors -o results")]
pub(crate) struct SimulateArgs {
    /// The integer network: a file, or a trained network's name (`tridot networks`).
    pub(crate) net: PathBuf,
    /// Built-in name or architecture file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: String,
    /// Built-in name or energy table.
    #[arg(long, value_name = "NAME|FILE", default_value = "published-45nm")]
    pub(crate) energy: String,
    /// Price a clock beyond the table's slowest path all the same.
    #[arg(long)]
    pub(crate) any_clock: bool,
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
