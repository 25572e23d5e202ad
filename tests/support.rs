//! What several tests ask: is this a long run, is there data, and how is a skip told?

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

/// Whether tests that take minutes shall run: `CI` or `RUN_SLOW_TESTS` is set.
pub(crate) fn slow() -> bool {
    ["CI", "RUN_SLOW_TESTS"].iter().any(|name| std::env::var_os(name).is_some())
}

/// Says that a test did not run, on standard output and in the list that `cargo ci` prints.
pub(crate) fn skip(test: &str, reason: &str) {
    println!("{test}: skipped: {reason}");
    if let Some(file) = std::env::var_os("TRIDOT_SKIPPED") {
        let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}

/// A file or folder of the unpacked data (`TRIDOT_DATA`), or none and a told skip.
pub(crate) fn data(test: &str, path: &str) -> Option<PathBuf> {
    let found = std::env::var_os("TRIDOT_DATA")
        .map(|root| PathBuf::from(root).join(path))
        .filter(|path| path.exists());
    if found.is_none() {
        skip(test, "no data");
    }
    found
}
