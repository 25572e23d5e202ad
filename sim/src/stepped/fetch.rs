//! From the memories to the array's wires: feeder, fetched, bus.

use super::{Job, State};
use crate::arch::ClockGating;
use crate::mapping::{Run, StepIndex};

impl Job<'_> {
    /// Edge 0 samples `start`.
    pub(super) fn feed_first(&self, state: &mut State) {
        self.issue(state, Some(self.first));
    }

    pub(super) fn feed_next(&self, state: &mut State) {
        let next = state.feeder.and_then(|step| self.mapping.next(step));
        self.issue(state, next);
    }

    fn issue(&self, state: &mut State, step: Option<StepIndex>) {
        state.feeder = step;
        let Some(step) = step else {
            state.counts.empty.0 += 1;
            return;
        };
        let rows = self.mapping.active_rows(step.row_tile);
        let busy = (rows * self.mapping.active_columns(step.column_tile)) as u64;
        state.counts.steps += 1;
        state.counts.busy_engine_steps += busy;
        state.counts.idle_engine_steps += self.arch.engines() as u64 - busy;
    }

    /// The memories deliver the chunk whose addresses the feeder held.
    pub(super) fn fetch(&self, state: &mut State) {
        state.fetched.step = state.feeder;
        if let Some(step) = state.feeder {
            self.fetch_codes(state, step);
            self.fetch_trits(state, step);
        }
    }

    fn fetch_codes(&self, state: &mut State, step: StepIndex) {
        let (map, lanes) = (&self.mapping, self.arch.lanes);
        state.fetched.codes.fill(0);
        let rows = state.fetched.codes.chunks_exact_mut(lanes);
        for (row, codes) in rows.enumerate().take(map.active_rows(step.row_tile)) {
            let pixel = map.pixel(step.row_tile, row);
            for run in &map.chunks[step.chunk] {
                let len = map.lanes_of(run, step.column_tile);
                // In a cut column tile a run of an idle segment has no lane.
                let element = map.element(step.column_tile, pixel, run);
                if let Some(first) = element.filter(|_| len != 0) {
                    let target = &mut codes[run.lane..run.lane + len];
                    self.read_slice(&self.codes[first..first + len], target, step.slice);
                    state.counts.activation_reads += len as u64;
                }
            }
        }
    }

    /// One bit slice of codes; the top one keeps the sign.
    fn read_slice(&self, codes: &[i16], target: &mut [i16], slice: usize) {
        let bits = self.arch.activation_bits_per_step as usize;
        if self.mapping.slices == 1 {
            target.copy_from_slice(codes);
            return;
        }
        let mask = if slice + 1 == self.mapping.slices { -1 } else { (1 << bits) - 1 };
        for (target, &code) in target.iter_mut().zip(codes) {
            *target = (code >> (slice * bits)) & mask;
        }
    }

    fn fetch_trits(&self, state: &mut State, step: StepIndex) {
        let planes = self.mapping.planes(step.pass);
        state.fetched.trits.fill(0);
        let mut lanes_used = 0;
        for run in &self.mapping.chunks[step.chunk] {
            let len = self.mapping.lanes_of(run, step.column_tile);
            for (branch, plane) in planes.clone().enumerate() {
                self.fetch_run(&mut state.fetched.trits, step, run, len, branch, plane);
            }
            lanes_used += len;
        }
        let columns = self.mapping.active_columns(step.column_tile);
        // A lane of a dense layer meets all columns, one of a depthwise layer only its own.
        let meets = if self.mapping.is_dense() { columns } else { 1 };
        let trits = (lanes_used * meets * planes.len()) as u64;
        state.counts.products += trits * self.mapping.active_rows(step.row_tile) as u64;
        if step.slice == 0 {
            state.counts.weight_reads += trits;
        }
    }

    fn fetch_run(
        &self,
        trits: &mut [i16],
        step: StepIndex,
        run: &Run,
        len: usize,
        branch: usize,
        plane: usize,
    ) {
        let (map, arch) = (&self.mapping, self.arch);
        let (weights, fan_in) = (&self.planes[plane], map.work().fan_in());
        if map.is_dense() {
            for column in 0..map.active_columns(step.column_tile) {
                let at = (column * arch.branches + branch) * arch.lanes + run.lane;
                let first = map.channel(step.column_tile, column, 0) * fan_in + run.k;
                trits[at..at + len].copy_from_slice(&weights[first..first + len]);
            }
            return;
        }
        for offset in 0..len {
            let (column, channel) = map.depthwise_place(step.column_tile, run, offset);
            let at = (column * arch.branches + branch) * arch.lanes + run.lane + offset;
            trits[at] = weights[channel * fan_in + run.k];
        }
    }

    /// The chunk reaches the row and column wires; the memories' registers are loaded anew right after.
    pub(super) fn load_bus(&self, state: &mut State) {
        std::mem::swap(&mut state.bus, &mut state.fetched);
        if let Some(step) = state.bus.step {
            self.clock_bus(state, step);
        }
    }

    /// `clock_gating = idle`: the wires that a step enters get their clocks.
    pub(super) fn clock_bus(&self, state: &mut State, step: StepIndex) {
        if self.arch.clock_gating == ClockGating::Idle {
            let rows = self.mapping.active_rows(step.row_tile) * self.arch.lanes;
            let bits = u64::from(self.arch.activation_bits_per_step);
            let clocked = &mut state.counts.flip_flop_cycles;
            clocked.activation_bus += rows as u64 * bits;
            clocked.weight_bus += self.trit_flip_flops(step);
        }
    }

    /// Flip-flops of the active columns' trits in branches that have a plane.
    pub(super) fn trit_flip_flops(&self, step: StepIndex) -> u64 {
        let columns = self.mapping.active_columns(step.column_tile);
        (columns * self.mapping.planes(step.pass).len() * self.arch.lanes * 2) as u64
    }
}
