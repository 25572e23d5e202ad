//! The engines: operand registers, adder trees, accumulators, and the move to the shadow bank.

use super::{Job, Round, State};
use crate::arch::{Architecture, ClockGating, FlipFlops};
use crate::mapping::StepIndex;

impl Job<'_> {
    /// `zero_trits = gate`: a lane's register is loaded only where its trit is not zero.
    pub(super) fn load_operands(&self, state: &mut State) {
        std::mem::swap(&mut state.operand, &mut state.bus);
        let Some(step) = state.operand.step else { return };
        let nonzero = state.operand.trits.iter().filter(|&&trit| trit != 0).count();
        let rows = match self.arch.clock_gating {
            ClockGating::None => self.arch.rows,
            ClockGating::Idle => self.mapping.active_rows(step.row_tile),
        };
        self.count_operand_loads(state, step, (nonzero * rows) as u64);
    }

    pub(super) fn count_operand_loads(&self, state: &mut State, step: StepIndex, loads: u64) {
        state.counts.operand_loads += loads;
        let clocked = &mut state.counts.flip_flop_cycles;
        clocked.operand += loads * u64::from(self.arch.activation_bits_per_step);
        if self.arch.clock_gating == ClockGating::Idle {
            clocked.weight_bus += self.trit_flip_flops(step);
        }
    }

    /// Leaves to sums. The registers of the tree shift; the first is loaded with the exact sums.
    pub(super) fn add_up(&self, state: &mut State) {
        let chunk = match self.arch.operand_stages() {
            0 => &state.bus,
            _ => &state.operand,
        };
        state.tree.rotate_right(1);
        let sums = &mut state.tree[0];
        sums.step = chunk.step;
        let Some(step) = chunk.step else { return };
        let (lanes, segments) = (self.arch.lanes, self.mapping.segments);
        let row_sums = self.arch.columns * self.arch.branches * segments;
        let columns = self.mapping.active_columns(step.column_tile);
        let active = columns * self.arch.branches * segments;
        sums.values.fill(0);
        let rows = sums.values.chunks_exact_mut(row_sums).zip(chunk.codes.chunks_exact(lanes));
        for (sums, codes) in rows.take(self.mapping.active_rows(step.row_tile)) {
            match lanes / segments {
                16 => dots::<16>(codes, &chunk.trits, &mut sums[..active]),
                32 => dots::<32>(codes, &chunk.trits, &mut sums[..active]),
                64 => dots::<64>(codes, &chunk.trits, &mut sums[..active]),
                128 => dots::<128>(codes, &chunk.trits, &mut sums[..active]),
                width => dots_of_any_width(width, codes, &chunk.trits, &mut sums[..active]),
            }
        }
        self.clock_trees(state, step);
    }

    /// `clock_gating = idle`: the trees that a step enters get their clocks.
    pub(super) fn clock_trees(&self, state: &mut State, step: StepIndex) {
        if self.arch.clock_gating == ClockGating::Idle {
            let columns = self.mapping.active_columns(step.column_tile);
            let engines = (columns * self.mapping.active_rows(step.row_tile)) as u64;
            let branches = self.mapping.planes(step.pass).len() as u64;
            state.counts.flip_flop_cycles.tree +=
                engines * branches * self.arch.tree_flip_flops(self.mapping.segments);
        }
    }

    /// The tree's sums reach the accumulators.
    pub(super) fn accumulate(&self, state: &mut State) {
        let last = state.tree.last().expect("there is at least a wire");
        let Some(step) = last.step else { return };
        let shift = step.slice * self.arch.activation_bits_per_step as usize;
        let merged = self.mapping.work().merged;
        let first = step.chunk == 0 && step.slice == 0;
        let (group, segments) = (self.arch.branches * self.mapping.segments, self.mapping.segments);
        let wrap = |value: i64| wrap(value, self.arch.accumulator_bits);
        if merged {
            // The branches merge into branch 0, whose accumulators are the first of each engine.
            let keep = match (first, step.pass) {
                (true, 0) => 0,
                (true, _) => 1 << self.arch.branches,
                (false, _) => 1,
            };
            let engines = state.accumulators.values.chunks_exact_mut(group);
            for (accumulators, sums) in engines.zip(last.values.chunks_exact(group)) {
                for (segment, accumulator) in accumulators[..segments].iter_mut().enumerate() {
                    let sums = sums[segment..].iter().step_by(segments).enumerate();
                    let sum: i64 = sums.map(|(branch, &sum)| i64::from(sum) << branch).sum();
                    *accumulator = wrap(accumulator.wrapping_mul(keep) + (sum << shift));
                }
            }
        } else {
            let keep = i64::from(!first);
            for (accumulator, &sum) in state.accumulators.values.iter_mut().zip(&last.values) {
                *accumulator = wrap(*accumulator * keep + (i64::from(sum) << shift));
            }
        }
        self.after_accumulation(state, step);
    }

    fn after_accumulation(&self, state: &mut State, step: StepIndex) {
        let StepIndex { column_tile, row_tile, pass, .. } = step;
        let last_pass = pass + 1 == self.mapping.passes;
        if self.mapping.ends_pass(step) && (last_pass || !self.mapping.work().merged) {
            state.accumulators.complete = Some(Round { column_tile, row_tile, pass });
        }
        if self.arch.clock_gating == ClockGating::Idle {
            state.counts.flip_flop_cycles.accumulator +=
                self.accumulator_flip_flops(column_tile, row_tile, pass);
        }
    }

    /// Flip-flops of the accumulators that a step or a round uses.
    fn accumulator_flip_flops(&self, column_tile: usize, row_tile: usize, pass: usize) -> u64 {
        let engines = self.mapping.active_rows(row_tile) * self.mapping.active_columns(column_tile);
        let values = engines * self.mapping.segments * self.values(pass);
        values as u64 * u64::from(self.arch.accumulator_bits)
    }

    /// Values per output that a round of this pass hands to the scaler.
    pub(super) fn values(&self, pass: usize) -> usize {
        if self.mapping.work().merged { 1 } else { self.mapping.planes(pass).len() }
    }

    /// A complete round moves to the shadow bank, which is free: else the array would be frozen.
    pub(super) fn move_round(&self, state: &mut State) {
        let Some(round) = state.accumulators.complete.take() else { return };
        state.shadow.round = Some(round);
        state.shadow.taken = 0;
        state.shadow.values.copy_from_slice(&state.accumulators.values);
        state.counts.moves += 1;
        if self.arch.clock_gating == ClockGating::Idle {
            state.counts.flip_flop_cycles.shadow +=
                self.accumulator_flip_flops(round.column_tile, round.row_tile, round.pass);
        }
    }

    /// `clock_gating = none`: an edge clocks all flip-flops but the operand registers.
    pub(super) fn clock_everything(&self, state: &mut State) {
        state.counts.flip_flop_cycles += all_at_an_edge(self.arch);
    }
}

/// The flip-flops that an edge clocks where nothing is gated.
pub(super) fn all_at_an_edge(arch: &Architecture) -> FlipFlops {
    FlipFlops { operand: 0, ..*arch.flip_flops() }
}

/// Two's complement of this many bits.
pub(super) const fn wrap(value: i64, bits: u32) -> i64 {
    (value << (64 - bits)) >> (64 - bits)
}

/// One row of engines: `sums[i]` is the dot product of group i of N trits with its segment's codes.
fn dots<const N: usize>(codes: &[i16], trits: &[i16], sums: &mut [i32]) {
    let (segments, _) = codes.as_chunks::<N>();
    let (groups, _) = trits.as_chunks::<N>();
    for (sums, groups) in sums.chunks_mut(segments.len()).zip(groups.chunks(segments.len())) {
        for ((sum, trits), codes) in sums.iter_mut().zip(groups).zip(segments) {
            *sum = dot(codes, trits).into();
        }
    }
}

/// At most 128 products of |code| ≤ 255 stay within 16 bits; the wrapping forms vectorize.
#[inline]
fn dot<const N: usize>(codes: &[i16; N], trits: &[i16; N]) -> i16 {
    const { assert!(N <= 128) };
    let products = codes.iter().zip(trits).map(|(&code, &trit)| code.wrapping_mul(trit));
    products.fold(0, i16::wrapping_add)
}

fn dots_of_any_width(width: usize, codes: &[i16], trits: &[i16], sums: &mut [i32]) {
    let segments = codes.len() / width;
    for (i, (sum, trits)) in sums.iter_mut().zip(trits.chunks_exact(width)).enumerate() {
        let codes = &codes[i % segments * width..][..width];
        *sum = codes.iter().zip(trits).map(|(&code, &trit)| i32::from(code * trit)).sum();
    }
}
