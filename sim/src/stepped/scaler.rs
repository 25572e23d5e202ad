//! The scalers: take values of the shadow bank, multiply, add to y, round and shift, clamp, write.

use super::engine::wrap;
use super::{Beat, Job, Round, State, Take};
use crate::arch::ClockGating;
use crate::limits::MAX_Y_BITS;
use crate::network::{DotOutput, Weights};

/// The parts of the scaler's work, in order.
#[derive(Clone, Copy)]
enum Part {
    Multiply,
    Add,
    RoundAndShift,
    Clamp,
}

const PARTS: [Part; 4] = [Part::Multiply, Part::Add, Part::RoundAndShift, Part::Clamp];

impl Job<'_> {
    /// The output memory takes what the last stage holds.
    pub(super) fn write(&self, state: &mut State) {
        let beat = state.scaler.last().expect("at least one stage");
        let Some(take) = beat.take.filter(|take| take.ends) else { return };
        for (column, values) in self.columns_of(take, &beat.values).enumerate() {
            for (i, &value) in values.iter().enumerate() {
                let (pixel, channel) = self.place(take, column, i);
                let at = pixel * self.mapping.work().output.channels + channel;
                state.outputs[at] = value;
                state.written_at[at] = state.edge;
                state.written += 1;
                state.counts.output_writes += 1;
            }
        }
    }

    /// The values of each active column.
    fn columns_of<'v>(&self, take: Take, values: &'v [i64]) -> std::slice::ChunksExact<'v, i64> {
        let columns = self.mapping.active_columns(take.round.column_tile);
        values[..columns * take.outputs].chunks_exact(take.outputs)
    }

    /// Row and segment of output i of a take.
    fn row_and_segment(&self, take: Take, i: usize) -> (usize, usize) {
        let segments = self.mapping.active_segments(take.round.column_tile);
        let output = take.first_output + i;
        (output / segments, output % segments)
    }

    /// Output pixel and channel of output i of a column.
    fn place(&self, take: Take, column: usize, i: usize) -> (usize, usize) {
        let (row, segment) = self.row_and_segment(take, i);
        let Round { column_tile, row_tile, .. } = take.round;
        (self.mapping.pixel(row_tile, row), self.mapping.channel(column_tile, column, segment))
    }

    /// All stages shift; each does its part; the first takes from the shadow bank.
    pub(super) fn advance_scaler(&self, state: &mut State) {
        state.scaler.rotate_right(1);
        state.scaler[0].take = self.next_take(state);
        let stages = state.scaler.len();
        for stage in 0..stages {
            // The last stage does all parts that remain; stages past the fourth only carry.
            let end = if stage + 1 == stages { PARTS.len() } else { (stage + 1).min(PARTS.len()) };
            for &part in &PARTS[stage.min(end)..end] {
                self.work(part, stage, state);
            }
        }
    }

    /// The next values in the bank, which is free after the last of them.
    fn next_take(&self, state: &mut State) -> Option<Take> {
        let round = state.shadow.round?;
        let Round { column_tile, row_tile, pass } = round;
        let rows = self.mapping.active_rows(row_tile);
        let outputs = rows * self.mapping.active_segments(column_tile);
        let (values, multipliers) = (self.values(pass), self.arch.multipliers);
        let (first_output, first_value, at_once) = if 2 * values <= multipliers {
            let at_once = multipliers / values;
            (state.shadow.taken * at_once, 0, at_once)
        } else {
            let takes = values.div_ceil(multipliers);
            (state.shadow.taken / takes, state.shadow.taken % takes * multipliers, 1)
        };
        let taken = multipliers.min(values - first_value);
        let last_value = first_value + taken == values;
        let take = Take {
            round,
            first_output,
            outputs: at_once.min(outputs - first_output),
            first_value,
            values: taken,
            starts: first_value == 0 && (pass == 0 || self.mapping.work().merged),
            ends: last_value && pass + 1 == self.mapping.passes,
        };
        state.shadow.taken += 1;
        if last_value && first_output + take.outputs == outputs {
            state.shadow.round = None;
        }
        self.count(state, take);
        Some(take)
    }

    fn count(&self, state: &mut State, take: Take) {
        let columns = self.mapping.active_columns(take.round.column_tile) as u64;
        let outputs = columns * take.outputs as u64;
        state.counts.scaler_cycles.0 += 1;
        state.counts.scaler_operations += outputs * take.values as u64;
        if self.arch.clock_gating == ClockGating::Idle {
            let clocked = &mut state.counts.flip_flop_cycles;
            clocked.scaler += columns * self.arch.scaler_flip_flops();
            clocked.partial += outputs * u64::from(MAX_Y_BITS);
        }
    }

    fn work(&self, part: Part, stage: usize, state: &mut State) {
        let Some(take) = state.scaler[stage].take else { return };
        let columns = self.mapping.active_columns(take.round.column_tile);
        for column in 0..columns {
            for i in 0..take.outputs {
                let at = column * take.outputs + i;
                match part {
                    Part::Multiply => {
                        state.scaler[stage].values[at] = self.multiply(state, take, column, i);
                    }
                    Part::Add => self.add(state, stage, take, column, i),
                    Part::RoundAndShift => self.round_and_shift(&mut state.scaler[stage], at),
                    Part::Clamp => self.clamp(&mut state.scaler[stage], at),
                }
            }
        }
        match part {
            Part::Multiply => self.toggle_multipliers(state, take),
            Part::Add => {
                self.add_nothing(state, take);
                self.toggle_adders(state, stage, take);
            }
            Part::RoundAndShift | Part::Clamp => {}
        }
    }

    /// Σ m·acc over the values of one output.
    fn multiply(&self, state: &State, take: Take, column: usize, i: usize) -> i64 {
        let product = |value| {
            let (accumulator, multiplier) = self.factors(state, take, column, i, value);
            accumulator.wrapping_mul(multiplier)
        };
        (0..take.values).map(product).fold(0, i64::wrapping_add)
    }

    /// Accumulator and m of a value of output i; a column without a channel has no m.
    pub(super) fn factors(
        &self,
        state: &State,
        take: Take,
        column: usize,
        i: usize,
        value: usize,
    ) -> (i64, i64) {
        let (row, segment) = self.row_and_segment(take, i);
        let Round { column_tile, pass, .. } = take.round;
        let (branches, segments) = (self.arch.branches, self.mapping.segments);
        let branch = take.first_value + value;
        let engine = row * self.arch.columns + column;
        let accumulator = state.shadow.values[(engine * branches + branch) * segments + segment];
        if self.mapping.active_columns(column_tile) <= column {
            return (accumulator, 0);
        }
        let channel = self.mapping.channel(column_tile, column, segment);
        let multiplier = match &self.dot.weights {
            Weights::Fixed { .. } => self.dot.multipliers[channel],
            Weights::Dbq { branches, .. } => {
                let plane = self.mapping.planes(pass).start + branch;
                self.dot.multipliers[channel * *branches as usize + plane]
            }
        };
        (accumulator, multiplier.into())
    }

    fn add(&self, state: &mut State, stage: usize, take: Take, column: usize, i: usize) {
        let (row, segment) = self.row_and_segment(take, i);
        let (_, channel) = self.place(take, column, i);
        let at = (row * self.mapping.segments + segment) * self.arch.columns + column;
        let before = if take.starts { self.dot.bias[channel] } else { state.partial[at] };
        let value = &mut state.scaler[stage].values[column * take.outputs + i];
        *value = wrap(before.wrapping_add(*value), MAX_Y_BITS);
        state.partial[at] = *value;
    }

    /// A column without a channel has neither bias nor m: its partial y begins as 0 and stays so.
    fn add_nothing(&self, state: &mut State, take: Take) {
        let idle = self.mapping.active_columns(take.round.column_tile)..self.taken_columns(take);
        if !take.starts || idle.is_empty() {
            return;
        }
        for (column, i) in idle.flat_map(|column| (0..take.outputs).map(move |i| (column, i))) {
            let (row, segment) = self.row_and_segment(take, i);
            let at = (row * self.mapping.segments + segment) * self.arch.columns + column;
            state.partial[at] = 0;
        }
    }

    fn round_and_shift(&self, beat: &mut Beat, at: usize) {
        if let DotOutput::Requantize(requantize) = self.dot.output {
            let half = 1 << (requantize.shift - 1);
            beat.values[at] = (beat.values[at] + half) >> requantize.shift;
        }
    }

    fn clamp(&self, beat: &mut Beat, at: usize) {
        if let DotOutput::Requantize(requantize) = self.dot.output {
            let (low, high) = (requantize.low.into(), requantize.high.into());
            beat.values[at] = beat.values[at].clamp(low, high);
        }
    }
}
