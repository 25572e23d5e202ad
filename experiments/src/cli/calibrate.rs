//! Arguments of the commands that ask gates for energy.

use std::path::PathBuf;

use clap::Args;

/// An energy table from the gates of a library.
#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// Liberty files of one corner, plain or .gz.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) liberty: Vec<PathBuf>,
    /// Built-in name or architecture file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: String,
    /// Clock edges of each window.
    #[arg(long, value_name = "N", default_value_t = 160)]
    pub(crate) edges: u64,
}
