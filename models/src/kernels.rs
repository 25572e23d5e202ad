//! Dense arithmetic on `f32`: the operators of training and the matrix product of the float path.
//!
//! Tensors are NHWC, one picture after the other. An operator cuts its pictures into at most
//! [`PIECES`] pieces that rayon's threads share; only sizes decide where it cuts, and what pieces
//! sum is added up in their order, so that results do not depend on the number of threads. They may
//! depend on the instruction set, which is chosen at run time ([`lanes::InstructionSet::best`]).

pub(crate) mod add;
pub(crate) mod buffers;
mod channelwise;
mod factor;
pub(crate) mod finish;
pub(crate) mod fixed;
mod frame;
pub(crate) mod lanes;
pub(crate) mod matrix;
pub(crate) mod moves;
mod phases;
pub(crate) mod pointwise;
pub(crate) mod pool;
mod products;
pub(crate) mod soft;
pub(crate) mod sums;
pub(crate) mod taps;
pub(crate) mod values;
pub(crate) mod window;

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::needless_range_loop,
    reason = "values are exact where they are compared so, and tests count in f64"
)]
mod tests;

pub(crate) use matrix::products;

/// The most pieces that an operator cuts its work into.
pub(crate) const PIECES: usize = 16;

/// How many of `n` things each piece has; the last may have fewer.
pub(crate) fn piece(n: usize) -> usize {
    n.div_ceil(PIECES).max(1)
}

/// What to do with the values that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// Replace them.
    Overwrite,
    /// Add to them.
    Add,
}
