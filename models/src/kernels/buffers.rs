//! Memory that is used again: fresh pages from the system cost as much as the arithmetic on them.

use std::collections::BTreeMap;

/// Buffers that nobody uses, by length.
#[derive(Debug, Default)]
pub(crate) struct Buffers(BTreeMap<usize, Vec<Vec<f32>>>);

impl Buffers {
    /// A buffer with arbitrary contents.
    pub(crate) fn take(&mut self, length: usize) -> Vec<f32> {
        let unused = self.0.get_mut(&length).and_then(Vec::pop);
        unused.unwrap_or_else(|| vec![0.0; length])
    }

    /// Takes a buffer back.
    pub(crate) fn give(&mut self, buffer: Vec<f32>) {
        if !buffer.is_empty() {
            self.0.entry(buffer.len()).or_default().push(buffer);
        }
    }
}
