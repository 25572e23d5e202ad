//! The result of a layer and of a network on an architecture.

use crate::arch::Architecture;
use crate::bounds::Bounds;
use crate::counts::{Counts, ToggleCounts};
use crate::units::{Cycles, Microseconds};

/// What a layer cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerOutcome {
    /// The layer's name.
    pub name: String,
    /// What happened.
    pub counts: Counts,
    /// Toggles, where the data was known and they were asked for; none on the vector unit.
    pub toggles: Option<ToggleCounts>,
    /// What it needs at least; none on the vector unit.
    pub bounds: Option<Bounds>,
}

/// What a network cost: its layers run one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Images of the batch.
    pub images: usize,
    /// One a layer, in the order of the network.
    pub layers: Vec<LayerOutcome>,
}

impl Outcome {
    /// The counts of all layers together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for layer in &self.layers {
            total += layer.counts;
        }
        total
    }

    /// The time that the batch takes.
    pub fn time(&self, arch: &Architecture) -> Microseconds {
        self.total().cycles.at(arch.clock)
    }
}

impl Counts {
    /// Products done, of those that all leaves could have done in these cycles; 0 … 1.
    pub fn utilization(&self, arch: &Architecture) -> f64 {
        if self.cycles.0 == 0 {
            return 0.0;
        }
        self.products as f64 / (self.cycles.0 as f64 * arch.leaves() as f64)
    }

    /// What most of the cycles went to.
    pub fn limiter(&self) -> Limiter {
        let causes = [
            (Cycles(self.steps), Limiter::Array),
            (self.stall_scaler, Limiter::Scaler),
            (self.empty, Limiter::Latency),
            (self.vector_cycles, Limiter::Vector),
        ];
        // The first of equals: `max_by_key` would take the last.
        causes.into_iter().rev().max_by_key(|cause| cause.0).expect("four causes").1
    }
}

/// What a layer's cycles go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limiter {
    /// Steps of the array.
    Array,
    /// Freezes for the scaler.
    Scaler,
    /// Filling and draining the pipeline.
    Latency,
    /// The vector unit.
    Vector,
}
