//! What follows from the parameters: sizes, pipeline depths, flip-flops.

use super::{DepthwiseMode, Parameters, ZeroTrits};

impl Parameters {
    /// Engines of the array.
    pub const fn engines(&self) -> usize {
        self.rows * self.columns
    }

    /// Leaves of the array: products that a step can hold.
    pub const fn leaves(&self) -> usize {
        self.engines() * self.lanes * self.branches
    }

    /// Adder levels of the whole tree.
    pub const fn tree_levels(&self) -> usize {
        self.lanes.ilog2() as usize
    }

    /// Tree registers that a sum passes where the tree is split into this many segments (1: whole).
    pub const fn tree_stages(&self, segments: usize) -> usize {
        ((self.lanes / segments).ilog2() as usize).div_ceil(self.tree_levels_per_stage)
    }

    /// Accumulators of an engine and branch: the segments of a depthwise layer, or 1.
    pub const fn segments(&self) -> usize {
        match self.depthwise {
            DepthwiseMode::Segments(segments) => segments,
            DepthwiseMode::Column | DepthwiseMode::Diagonal => 1,
        }
    }

    /// Edges between the bus and the first tree stage: 1 for operand registers, or 0.
    pub const fn operand_stages(&self) -> usize {
        match self.zero_trits {
            ZeroTrits::None => 0,
            ZeroTrits::Gate => 1,
        }
    }

    /// Flip-flops of one branch's tree in one engine that are clocked where the tree is split so.
    pub fn tree_flip_flops(&self, segments: usize) -> u64 {
        let depth = (self.lanes / segments).ilog2() as usize;
        let registered =
            |level: &usize| level.is_multiple_of(self.tree_levels_per_stage) || *level == depth;
        (1..=depth).filter(registered).map(|level| self.level_flip_flops(level)).sum()
    }

    /// Flip-flops that hold all sums of one tree level.
    fn level_flip_flops(&self, level: usize) -> u64 {
        let bits = u64::from(self.activation_bits_per_step) + 1 + level as u64;
        (self.lanes >> level) as u64 * bits
    }

    /// Flip-flops of the scaler stages of one column.
    pub fn scaler_flip_flops(&self) -> u64 {
        let y = u64::from(crate::limits::MAX_Y_BITS);
        let product = u64::from(self.accumulator_bits + self.scale_bits);
        let one = match self.scaler_stages as u64 {
            1 => y,
            stages => product + (stages - 1) * y,
        };
        self.multipliers as u64 * one
    }
}

/// Flip-flops of the whole array's data path, by group; TIMING.md, section 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct FlipFlops {
    /// Activations on the rows.
    pub activation_bus: u64,
    /// Trits on the columns.
    pub weight_bus: u64,
    /// Operand registers of the lanes.
    pub operand: u64,
    /// Registers of the adder trees.
    pub tree: u64,
    /// Accumulators.
    pub accumulator: u64,
    /// The shadow bank.
    pub shadow: u64,
    /// Stages of the scalers.
    pub scaler: u64,
    /// Partial y.
    pub partial: u64,
}

impl FlipFlops {
    pub(super) fn of(p: &Parameters) -> Self {
        let [rows, columns, branches, lanes] = [p.rows, p.columns, p.branches, p.lanes];
        let [engines, segments] = [p.engines(), p.segments()].map(|n| n as u64);
        let slice = u64::from(p.activation_bits_per_step);
        let gate = p.operand_stages() as u64;
        let leaves = p.leaves() as u64;
        let accumulator = engines * segments * branches as u64 * u64::from(p.accumulator_bits);
        let depth = (p.lanes / p.segments()).ilog2() as usize;
        let own = segments != 1
            && depth != 0
            && !depth.is_multiple_of(p.tree_levels_per_stage)
            && depth != p.tree_levels();
        let tap = if own { p.level_flip_flops(depth) } else { 0 };
        Self {
            activation_bus: (rows * lanes) as u64 * slice,
            weight_bus: (columns * branches * lanes) as u64 * 2 * (1 + gate),
            operand: gate * leaves * slice,
            tree: engines * branches as u64 * (p.tree_flip_flops(1) + tap),
            accumulator,
            shadow: accumulator,
            scaler: columns as u64 * p.scaler_flip_flops(),
            partial: engines * segments * u64::from(crate::limits::MAX_Y_BITS),
        }
    }

    /// Those of row and column buses.
    pub const fn of_buses(&self) -> u64 {
        self.activation_bus + self.weight_bus
    }

    /// Those of engines: operands, trees, accumulators.
    pub const fn of_engines(&self) -> u64 {
        self.operand + self.tree + self.accumulator
    }

    /// Those behind the engines: shadow bank, scalers, partial y.
    pub const fn of_scalers(&self) -> u64 {
        self.shadow + self.scaler + self.partial
    }

    /// All of them.
    pub const fn total(&self) -> u64 {
        self.activation_bus
            + self.weight_bus
            + self.operand
            + self.tree
            + self.accumulator
            + self.shadow
            + self.scaler
            + self.partial
    }
}
