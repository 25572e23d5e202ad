//! Area of the arithmetic, and of the flip-flops where a table has them.

use super::table::EnergyTable;
use crate::arch::Architecture;
use crate::limits::{MAX_ACTIVATION_BITS, MAX_Y_BITS};
use crate::units::SquareMicrometres;

/// Area by part; parts that the table cannot price are left out of the total.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Area {
    /// Negation of the leaves, as an adder each.
    pub leaves: SquareMicrometres,
    /// Adders of the trees.
    pub tree: SquareMicrometres,
    /// Adders of the accumulators.
    pub accumulators: SquareMicrometres,
    /// Multipliers and adders of the scalers.
    pub scaler: SquareMicrometres,
    /// Two multipliers and an adder for each lane of the vector unit.
    pub vector: SquareMicrometres,
    /// Flip-flops of the data path, if the table has a row for them.
    pub flip_flops: Option<SquareMicrometres>,
}

impl Area {
    /// The area of an architecture.
    pub fn of(table: &EnergyTable, arch: &Architecture) -> Self {
        let engines_branches = (arch.engines() * arch.branches) as f64;
        let adder = |bits: u32| table.area_add.at(f64::from(bits));
        let leaf_bits = arch.activation_bits_per_step + 1;
        let level = |(level, bits): (usize, u32)| (arch.lanes >> level) as f64 * adder(bits);
        let tree: f64 = (1..=arch.tree_levels()).zip(leaf_bits + 1..).map(level).sum();
        let scaler = table.multiplier_area(arch.accumulator_bits, arch.scale_bits);
        let vector = 2.0 * table.multiplier_area(MAX_ACTIVATION_BITS, arch.scale_bits);
        let y = adder(MAX_Y_BITS);
        let flip_flops = arch.flip_flops().total() as f64;
        Self {
            leaves: SquareMicrometres(arch.leaves() as f64 * adder(leaf_bits)),
            tree: SquareMicrometres(engines_branches * tree),
            accumulators: SquareMicrometres(
                engines_branches * arch.segments() as f64 * adder(arch.accumulator_bits),
            ),
            scaler: SquareMicrometres((arch.columns * arch.multipliers) as f64 * (scaler + y)),
            vector: SquareMicrometres(arch.vector_lanes as f64 * (vector + y)),
            flip_flops: table.area_flip_flop.map(|one| SquareMicrometres(flip_flops * one)),
        }
    }

    /// All parts together.
    pub fn total(&self) -> SquareMicrometres {
        let arithmetic = self.leaves.0 + self.tree.0 + self.accumulators.0 + self.scaler.0;
        SquareMicrometres(arithmetic + self.vector.0 + self.flip_flops.map_or(0.0, |area| area.0))
    }

    /// What the total covers, in words.
    pub const fn covers(&self) -> &'static str {
        match self.flip_flops {
            None => "arithmetic only: no flip-flops, control, wires or memories",
            Some(_) => "arithmetic and flip-flops: no control, wires or memories",
        }
    }
}
