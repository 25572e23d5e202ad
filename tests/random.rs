//! Randomness of tests: a seed and a stream decide everything.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::support::slow;

/// Draws from one stream of one seed.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The stream's beginning.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number below `n`, which is positive. Its bias is below `n / 2^64`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.below_u64(n as u64)).unwrap()
    }

    /// The same of 64 bits.
    pub(crate) fn below_u64(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    /// A number of the range, its ends included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u128::try_from(i128::from(high) - i128::from(low) + 1).unwrap();
        let offset = u128::from(self.0.next_u64()) % span;
        i64::try_from(i128::from(low) + i128::try_from(offset).unwrap()).unwrap()
    }

    /// A size of the range, its ends included.
    pub(crate) fn size(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Whether something happens that happens so often in a hundred cases.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A byte.
    pub(crate) fn byte(&mut self) -> u8 {
        self.0.next_u32().to_le_bytes()[0]
    }
}

/// How many cases to run: `fast` as a rule, `full` with slow tests, or what the variable says.
pub(crate) fn cases(variable: &str, fast: usize, full: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a number of cases"),
        Err(_) => {
            if slow() {
                full
            } else {
                fast
            }
        }
    }
}
