//! Arguments of the commands that ask gates for energy.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// The gates that are asked.
#[derive(Debug, Args)]
pub(crate) struct LibraryArgs {
    /// Liberty files of one corner, plain or .gz.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) liberty: Vec<PathBuf>,
    /// Weight of the wire to each pin, in fF [default: that of the lightest inverter's input].
    #[arg(long, value_name = "FF")]
    pub(crate) wire_ff: Option<f64>,
}

/// An energy table from the gates of a library.
///
/// Synthesizes one engine with its scaler in Yosys, compares the gates with the RTL edge by edge, simulates windows of
/// layers on them in Icarus with the delays of the cells, and fits prices to what the stepped model counts in the same
/// windows. Of several sizes the table has each, and prices between them. Exit code 1 if gates and RTL differ: then no table is written.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("engine").args(["arch", "lanes"]).required(true),
    after_help = "Examples:\n  tridot calibrate --liberty sky130hd_tt_025C_1v80.lib.gz --node-nm 130 --lanes 16 \
                        --branches 1 -o sky130-16x1.toml\n  \
                        tridot calibrate --liberty sky130hd_tt_025C_1v80.lib.gz --node-nm 130 --lanes 8,16,32 --branches 1,2 \
                        -o sky130.toml\n  \
                        tridot calibrate --liberty asap7*.lib.gz --node-nm 7 --arch edge -o asap7-edge.toml"
)]
pub(crate) struct CalibrateArgs {
    #[command(flatten)]
    pub(crate) library: LibraryArgs,
    /// Feature size of the library: no liberty file says it. Memories are scaled to it.
    #[arg(long, value_name = "NM")]
    pub(crate) node_nm: f64,
    /// Take the engine of this architecture: built-in name or file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: Option<String>,
    /// Take an engine of so many lanes, otherwise that of `edge`; several with commas: each with each of --branches.
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "branches")]
    pub(crate) lanes: Vec<usize>,
    /// Branches of that engine, which --lanes needs; its scaler has as many multipliers.
    #[arg(long, value_name = "B", value_delimiter = ',', requires = "lanes")]
    pub(crate) branches: Vec<usize>,
    /// Clock edges of each window.
    #[arg(long, value_name = "N", default_value_t = 160, value_parser = clap::value_parser!(u32).range(32..=4096))]
    pub(crate) edges: u32,
    /// Seed of the windows.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// The table's name [default: that of the file].
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The energy table to write.
    #[arg(short, long, value_name = "TOML")]
    pub(crate) output: PathBuf,
}

/// A window of a layer through gates and simulator, side by side.
///
/// The array is synthesized as it is; use small ones. Exit code 1 if gates and RTL differ.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot rtl energy resnet20-b2.safetensors --arch tiny --layer conv1 --energy sky130 \
                        --liberty sky130hd_tt_025C_1v80.lib.gz"
)]
pub(crate) struct RtlEnergyArgs {
    /// The integer network: a file, or a trained network's name (`tridot networks`).
    pub(crate) net: PathBuf,
    #[command(flatten)]
    pub(crate) library: LibraryArgs,
    /// Built-in name or architecture file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: String,
    /// Layers, by name [default: every dot-product layer].
    #[arg(long = "layer", value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) layers: Vec<String>,
    /// Built-in name or energy table.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) energy: String,
    /// Recorded pictures of the network, one batch [default: one synthetic picture, seed 0].
    #[arg(long, value_name = "TRACE")]
    pub(crate) trace: Option<PathBuf>,
    /// The tile with which each window begins, in the order of the loops [default: the middle one].
    #[arg(long, value_name = "T")]
    pub(crate) tile: Option<u64>,
    /// Clock edges of each window.
    #[arg(long, value_name = "N", default_value_t = 160, value_parser = clap::value_parser!(u32).range(32..=4096))]
    pub(crate) edges: u32,
    /// A folder for a figure of both sides, `energy.svg`, and its numbers, `energy.csv`.
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
}
