//! Closed-form lower bounds of a layer's cycles: what no schedule of this machine can beat.

use crate::arch::{Architecture, DepthwiseMode};
use crate::counts::Counts;
use crate::mapping::Work;
use crate::units::Cycles;

/// Cycles that a dot-product layer needs at least, by reason; the latency is in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Edges from the first issue to the write of a single output: L of TIMING.md.
    pub latency: Cycles,
    /// All products at one a leaf and cycle.
    pub leaves: Cycles,
    /// The values of the busiest column at one a multiplier and cycle.
    pub scaler: Cycles,
}

impl Bounds {
    /// The one that binds.
    pub fn largest(&self) -> Cycles {
        self.latency.max(self.leaves).max(self.scaler)
    }

    /// Asserts that no count of cycles is below a bound, nor below its own steps and the latency.
    pub(crate) fn assert_held_by(&self, counts: &Counts) {
        let cycles = counts.cycles;
        assert!(self.largest() <= cycles, "{cycles} cycles are below {self:?}");
        let steps = Cycles(counts.steps) + self.latency;
        assert!(steps <= cycles, "{cycles} cycles are below {} steps and {self:?}", counts.steps);
    }
}

/// The bounds of a dot-product layer that the architecture can run.
pub fn of(work: &Work, arch: &Architecture) -> Bounds {
    let channels = work.output.channels as u64;
    // (segments of the tree, outputs of column 0 for each pixel)
    let (segments, outputs) = match (work.geometry.is_depthwise(), arch.depthwise) {
        (false, _) => (1, channels.div_ceil(arch.columns as u64)),
        (true, DepthwiseMode::Column) => (1, channels),
        (true, DepthwiseMode::Segments(segments)) => (segments, channels),
        (true, DepthwiseMode::Diagonal) => {
            (1, channels.div_ceil(arch.lanes.min(arch.columns) as u64))
        }
    };
    let stages = arch.operand_stages() + arch.tree_stages(segments) + arch.scaler_stages;
    let latency = Cycles(5 + stages as u64);
    let values = if work.merged { 1 } else { u64::from(work.planes) };
    let values = outputs * work.pixels() as u64 * values;
    let products = work.products(arch).div_ceil(arch.leaves() as u64);
    Bounds {
        latency,
        leaves: latency + Cycles(products),
        scaler: latency + Cycles(values.div_ceil(arch.multipliers as u64)),
    }
}
