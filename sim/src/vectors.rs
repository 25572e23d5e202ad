//! Golden vectors: everything that a layer's hardware sees and shows, as the stepped model has it.

use crate::Error;
use crate::arch::Architecture;
use crate::mapping::{Mapping, StepIndex};
use crate::network::Network;
use crate::rtl::{Move, Observed};
use crate::stepped::{Job, State};

mod files;
pub mod npy;

pub use files::{BENCH, COCOTB, bench_top, files, manifest};

/// A layer's input, and what must come out and when.
#[derive(Debug, Clone)]
pub struct Vectors {
    /// The layer's name.
    pub layer: String,
    /// The tiles and steps of the layer.
    pub mapping: Mapping,
    /// Input codes of all images, NHWC.
    pub codes: Vec<i64>,
    /// Outputs, edges, moves and counters.
    pub expected: Observed,
    /// Accumulators that an output goes through: one a plane for `dbq`, else one.
    pub values: usize,
    /// What the scaler took for each output, `values` each.
    pub accumulators: Vec<i64>,
    /// The same, had no accumulator ever started anew.
    pub(crate) stale: Vec<i64>,
    pub(crate) branches: usize,
    pub(crate) lanes: usize,
    pub(crate) accumulator_bits: u32,
}

impl Vectors {
    /// Runs a dot-product layer of a network on the stepped model for `images` pictures, whose input codes follow
    /// each other in `codes`; refuses what the architecture cannot run.
    pub fn new(
        network: &Network,
        layer_idx: usize,
        arch: &Architecture,
        images: usize,
        codes: &[i64],
    ) -> Result<Self, Error> {
        let job = Job::new(network, layer_idx, arch, images, codes)?;
        let mapping = job.mapping().clone();
        let work = mapping.work();
        let values = if work.merged { 1 } else { work.planes as usize };
        let taken = values * usize::try_from(work.outputs()).expect("they are in memory");
        let mut collector = Collector {
            arch,
            mapping: &mapping,
            values,
            accumulators: vec![0; taken],
            stale: vec![0; taken],
            running: vec![0; arch.engines() * arch.branches * mapping.segments],
            moves: Vec::new(),
            step: Some(StepIndex::default()),
        };
        let mut state = job.reset();
        while !job.is_done(&state) {
            let (edge, moves) = (state.edge, state.counts.moves);
            let before = state.accumulators.values.clone();
            job.step(&mut state);
            if moves < state.counts.moves {
                collector.moved(edge, &before);
            }
        }
        let Collector { accumulators, stale, moves, .. } = collector;
        Ok(Self {
            layer: work.name.clone(),
            codes: codes.to_vec(),
            expected: observed(state, moves),
            values,
            accumulators,
            stale,
            branches: arch.branches,
            lanes: arch.lanes,
            accumulator_bits: arch.accumulator_bits,
            mapping,
        })
    }

    /// Place of an output: image, row, column, channel.
    pub fn place(&self, index: usize) -> [usize; 4] {
        let shape = self.mapping.work().output;
        let (pixel, channel) = (index / shape.channels, index % shape.channels);
        let rest = pixel % shape.pixels();
        [pixel / shape.pixels(), rest / shape.width, rest % shape.width, channel]
    }
}

fn observed(state: State, moves: Vec<Move>) -> Observed {
    Observed {
        outputs: state.outputs,
        written_at: state.written_at,
        moves,
        cycles: state.counts.cycles.0,
        steps: state.counts.steps,
        stalls: state.counts.stall_scaler.0,
    }
}

/// Sorts what moves by output.
struct Collector<'a> {
    arch: &'a Architecture,
    mapping: &'a Mapping,
    values: usize,
    accumulators: Vec<i64>,
    stale: Vec<i64>,
    /// What each accumulator would hold, had it never started anew.
    running: Vec<i64>,
    moves: Vec<Move>,
    /// The next step of which a round may end.
    step: Option<StepIndex>,
}

impl Collector<'_> {
    /// The last step of the next round.
    fn next_round(&mut self) -> StepIndex {
        loop {
            let step = self.step.expect("as many moves as rounds");
            self.step = self.mapping.next(step);
            let last_pass = step.pass + 1 == self.mapping.passes;
            if self.mapping.ends_pass(step) && (last_pass || !self.mapping.work().merged) {
                return step;
            }
        }
    }

    fn moved(&mut self, edge: u64, held: &[i64]) {
        let (arch, map) = (self.arch, self.mapping);
        // Segments that the layer does not use hold 0.
        let unused = vec![0; arch.segments() - map.segments];
        let of_branch = |values: &[i64]| [values, &unused].concat();
        let all = held.chunks(map.segments).flat_map(of_branch).collect();
        self.moves.push(Move { edge, accumulators: all });
        let round = self.next_round();
        let merged = map.work().merged;
        // Passes of a `fixed` layer widen what was there before they add.
        let widened = if merged { arch.branches * (map.passes - 1) } else { 0 };
        let wide = 64 - arch.accumulator_bits;
        for (running, &held) in self.running.iter_mut().zip(held) {
            let sum = running.checked_shl(widened.try_into().unwrap_or(64)).unwrap_or(0) + held;
            *running = (sum << wide) >> wide;
        }
        let planes = if merged { 0..1 } else { map.planes(round.pass) };
        for row in 0..map.active_rows(round.row_tile) {
            for column in 0..map.active_columns(round.column_tile) {
                for segment in 0..map.active_segments(round.column_tile) {
                    let channel = map.channel(round.column_tile, column, segment);
                    let pixel = map.pixel(round.row_tile, row);
                    let output = pixel * map.work().output.channels + channel;
                    for (branch, plane) in planes.clone().enumerate() {
                        let engine = row * arch.columns + column;
                        let from = (engine * arch.branches + branch) * map.segments + segment;
                        let to = output * self.values + plane;
                        self.accumulators[to] = held[from];
                        self.stale[to] = self.running[from];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
