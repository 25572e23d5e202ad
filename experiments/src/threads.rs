//! The only thread pool outside training: splits pictures and gathers results in index order.

use anyhow::{Context as _, Result};
use rayon::prelude::*;

/// Sets the number of threads of everything, once, before anything runs.
pub(crate) fn initialize(threads: Option<u16>) -> Result<()> {
    let threads = threads.map_or(0, usize::from);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("threads")
}

/// `work(scratch, i)` for all `i < n`, with one scratch a thread at a time; results in index order.
pub(crate) fn map<S, T: Send>(
    n: usize,
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, usize) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    (0..n).into_par_iter().map_init(scratch, work).collect()
}
