//! The only thread pool outside training: splits pictures and gathers results in index order.

use anyhow::{Context as _, Result};
use rayon::prelude::*;

/// Sets the number of threads of everything, once, before anything runs.
pub(crate) fn initialize(threads: Option<u16>) -> Result<()> {
    let threads = threads.map_or(0, usize::from);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("threads")
}

/// How many threads there are.
pub(crate) fn count() -> usize {
    rayon::current_num_threads()
}

/// `work(scratch, i)` for all `i < n`, with one scratch a thread at a time; results in index order.
pub(crate) fn map<S, T: Send>(
    n: usize,
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, usize) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    (0..n).into_par_iter().map_init(scratch, work).collect()
}

/// As [`map`], with at most so many in work at once: what each holds in memory is known.
#[cfg(feature = "train")]
pub(crate) fn map_at_most<S, T: Send>(
    at_once: usize,
    n: usize,
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, usize) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    if rayon::current_num_threads() <= at_once {
        return map(n, scratch, work);
    }
    let mut results = Vec::new();
    for first in (0..n).step_by(at_once) {
        let group = map(at_once.min(n - first), &scratch, |scratch, i| work(scratch, first + i))?;
        results.extend(group);
    }
    Ok(results)
}
