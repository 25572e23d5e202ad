//! Weights as the hardware has them, and the planes that they are computed from.

use serde::{Deserialize, Serialize};

use super::digits::{code_trit, plane_count, signed_digits};

/// How the integers of a `fixed` layer become planes: a property of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Digits {
    /// Canonical signed digits: no two neighbouring digits are non-zero.
    Csd,
    /// The binary digits of the magnitude, each with the weight's sign.
    SignMagnitude,
}

/// The weights of a dot-product layer, output channel by output channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    /// A sum of scaled ternary branches.
    Dbq {
        /// Number of branches B, 1…5.
        branches: u32,
        /// One code a weight: `Σ_j (trit_j + 1)·3^j`, j from 0 (the branch of the largest scale).
        codes: Vec<u8>,
    },
    /// Symmetric b-bit integers, |w| ≤ 2^(b−1) − 1.
    Fixed {
        /// Width b, 2…16.
        bits: u32,
        /// One integer a weight.
        values: Vec<i16>,
    },
}

impl Weights {
    /// How many weights there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Dbq { codes, .. } => codes.len(),
            Self::Fixed { values, .. } => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Multipliers per output channel: one a branch, or one.
    pub fn multipliers_per_channel(&self) -> usize {
        match self {
            Self::Dbq { branches, .. } => *branches as usize,
            Self::Fixed { .. } => 1,
        }
    }

    /// Number of planes: B for `dbq`; for `fixed` the highest non-empty digit + 1 (0 if all weights are 0).
    pub fn planes(&self, digits: Digits) -> u32 {
        match self {
            Self::Dbq { branches, .. } => *branches,
            Self::Fixed { values, .. } => plane_count(values, digits),
        }
    }

    /// The trit of one weight in one plane.
    pub fn trit(&self, plane: u32, weight_idx: usize, digits: Digits) -> i8 {
        match self {
            Self::Dbq { codes, .. } => code_trit(codes[weight_idx], plane),
            Self::Fixed { values, .. } => signed_digits(values[weight_idx], digits)[plane as usize],
        }
    }
}
