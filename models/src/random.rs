//! Random numbers below a limit, and random orders: of a generator, so of a seed and a stream alone.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

/// A number below `n`.
#[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
pub(crate) fn below(generator: &mut ChaCha8Rng, n: usize) -> usize {
    (generator.next_u64() % n as u64) as usize
}

/// Fisher and Yates.
pub(crate) fn shuffle(order: &mut [usize], generator: &mut ChaCha8Rng) {
    for i in (1..order.len()).rev() {
        order.swap(i, below(generator, i + 1));
    }
}
