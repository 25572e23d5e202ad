//! `tridot`: trains, exports, checks and simulates networks of ternary branches.

use std::process::ExitCode;

fn main() -> ExitCode {
    tridot::cli::main()
}
