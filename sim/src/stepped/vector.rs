//! The vector unit: groups of elements enter a pipeline and are written at its end.

use std::collections::VecDeque;

use crate::arch::{Architecture, ClockGating};
use crate::counts::Counts;
use crate::mapping::VectorWork;

use super::engine::all_at_an_edge;

/// The vector unit's registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorState {
    /// Index of the next edge.
    pub edge: u64,
    /// Elements not yet issued.
    pub waiting: u64,
    /// Elements in each stage, the first first; one stage a cycle of latency.
    pub stages: VecDeque<u64>,
    /// Elements whose results are written.
    pub written: u64,
}

impl VectorState {
    /// Before edge 0.
    pub fn reset(work: &VectorWork, arch: &Architecture) -> Self {
        let stages = (0..arch.vector_latency_cycles).map(|_| 0).collect();
        Self { edge: 0, waiting: work.elements, stages, written: 0 }
    }

    /// One clock edge: the last stage is written, a group enters the first.
    pub fn step(&mut self, arch: &Architecture) {
        let group = self.waiting.min(arch.vector_lanes as u64);
        self.waiting -= group;
        self.stages.push_front(group);
        self.written += self.stages.pop_back().expect("at least one stage");
        self.edge += 1;
    }
}

/// Runs a layer of the vector unit to its last write.
pub fn run_vector(work: &VectorWork, arch: &Architecture) -> Counts {
    let mut state = VectorState::reset(work, arch);
    let mut counts = Counts::default();
    while state.written < work.elements {
        state.step(arch);
        if arch.clock_gating == ClockGating::None {
            counts.flip_flop_cycles += all_at_an_edge(arch);
        }
    }
    counts.cycles.0 = state.edge;
    counts.vector_cycles.0 = state.edge;
    counts.vector_elements = state.written;
    counts.vector_multiplies = work.multiplies;
    counts.vector_adds = work.adds;
    counts.vector_reads = work.reads;
    counts.vector_writes = work.writes;
    counts
}
