//! The command as a user types it, and what it says when it refuses.

use std::path::Path;
use std::process::{Command, Output};

/// Runs it in a folder.
pub(crate) fn tridot(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tridot"))
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}

/// The one line that a refused command prints.
pub(crate) fn refusal(folder: &Path, arguments: &str) -> String {
    let output = tridot(folder, arguments);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments}: {line}");
    assert!(output.stdout.is_empty());
    assert_eq!(line.lines().count(), 1, "{line}");
    line.trim_end().to_owned()
}
