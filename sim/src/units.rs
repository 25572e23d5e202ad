//! Units as types, and every conversion between them.

use std::ops::{Add, AddAssign, Sub};

/// A number of clock cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cycles(pub u64);

impl Cycles {
    /// How long these cycles take.
    ///
    /// ```
    /// use tridot_sim::units::{Cycles, Megahertz, Microseconds};
    /// assert_eq!(Cycles(1_000).at(Megahertz(400.0)), Microseconds(2.5));
    /// ```
    pub fn at(self, clock: Megahertz) -> Microseconds {
        Microseconds(self.0 as f64 / clock.0)
    }
}

impl Add for Cycles {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Cycles {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Cycles {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::iter::Sum for Cycles {
    fn sum<I: Iterator<Item = Self>>(cycles: I) -> Self {
        cycles.fold(Self(0), Self::add)
    }
}

impl std::fmt::Display for Cycles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A clock frequency in 10^6 cycles a second; finite and positive in an architecture.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Megahertz(pub f64);

/// A duration in 10^-6 seconds.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Microseconds(pub f64);

/// An energy, in whole units of 2^-20 pJ: sums are exact in any order, and so are their values in
/// pJ as `f64` up to 8.5 mJ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Picojoules(u64);

impl Picojoules {
    /// The nearest representable energy; panics on what is negative, not finite or above 17 J.
    pub fn new(picojoules: f64) -> Self {
        let units = (picojoules * f64::from(1 << 20)).round();
        assert!((0.0..18e18).contains(&units), "{picojoules} pJ is no energy");
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "asserted above"
        )]
        Self(units as u64)
    }

    /// In pJ.
    pub fn value(self) -> f64 {
        self.0 as f64 / f64::from(1 << 20)
    }
}

impl Add for Picojoules {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Picojoules {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl std::iter::Sum for Picojoules {
    fn sum<I: Iterator<Item = Self>>(energies: I) -> Self {
        energies.fold(Self(0), Self::add)
    }
}

/// An area.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct SquareMicrometres(pub f64);
