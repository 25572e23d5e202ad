//! Runs a reader over mutants of a file and judges it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::allocation::peak_of;

/// What a mutator touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Lengths, offsets, shapes, keys, references, the file's end.
    Structure,
    /// Anything else.
    Payload,
}

/// A changed file.
pub(crate) struct Mutant {
    /// What was done to the file: enough to do it again.
    pub(crate) what: String,
    /// What it touched.
    pub(crate) touched: Touched,
    /// The file.
    pub(crate) bytes: Vec<u8>,
}

/// How many mutants there were, and what became of them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    /// Mutants of structure.
    pub(crate) structure: usize,
    /// Mutants of payload.
    pub(crate) payload: usize,
    /// Mutants that were read without complaint.
    pub(crate) accepted: usize,
    /// The most bytes allocated beyond the file, in any run.
    pub(crate) peak_bytes: usize,
}

/// Bytes that reading a file of this length may allocate at once.
const fn allowed(file_len: usize) -> usize {
    64 * file_len + (16 << 20)
}

/// Reads every mutant. The reader must not panic, must bound what it allocates, and must refuse with
/// one non-empty line; `accepted` then uses what was read and asserts what must hold of it.
/// Structure must be touched at least as often as payload.
pub(crate) fn fuzz<T>(
    kind: &str,
    mutants: impl IntoIterator<Item = Mutant>,
    read: impl Fn(&[u8]) -> Result<T, String>,
    accepted: impl Fn(T, &[u8]),
) -> Tally {
    let mut tally = Tally::default();
    for Mutant { what, touched, bytes } in mutants {
        match touched {
            Touched::Structure => tally.structure += 1,
            Touched::Payload => tally.payload += 1,
        }
        let (result, peak) = peak_of(|| catch_unwind(AssertUnwindSafe(|| read(&bytes))));
        tally.peak_bytes = tally.peak_bytes.max(peak);
        let most = allowed(bytes.len());
        assert!(peak <= most, "{kind}, {what}: reading {} bytes took {peak} > {most}", bytes.len());
        let Ok(result) = result else { panic!("{kind}, {what}: the reader panicked") };
        match result {
            Err(line) => {
                let one_line = !line.is_empty() && !line.chars().any(char::is_control);
                assert!(one_line, "{kind}, {what}: not one line: {line:?}");
            }
            Ok(value) => {
                tally.accepted += 1;
                let used = catch_unwind(AssertUnwindSafe(|| accepted(value, &bytes)));
                assert!(used.is_ok(), "{kind}, {what}: what was accepted cannot be used");
            }
        }
    }
    println!("{kind}: {tally:?}");
    assert!(tally.payload <= tally.structure, "{kind}: structure was touched too rarely");
    tally
}
