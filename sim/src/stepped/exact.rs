//! The array's edge with every register and net held, for toggles. TIMING.md, section 9.

use super::nets::{Nets, stage_level, tap, top_level};
use super::{Job, State, Take};
use crate::arch::{ClockGating, ZeroTrits};
use crate::limits::MAX_Y_BITS;
use crate::mapping::StepIndex;

/// Bits of a trit.
const TRIT_BITS: u32 = 2;

impl Job<'_> {
    /// Accumulators, tree, operands and bus, the last first; then the nets settle.
    pub(super) fn advance_exactly(&self, state: &mut State, nets: &mut Nets) {
        if self.tree_stages == 0 {
            // Without tree registers the leaves are the sums, in the same cycle.
            state.tree[0].step = self.leaf_step(state);
            self.accumulate_exactly(state, nets);
        } else {
            self.accumulate_exactly(state, nets);
            self.load_tree(state, nets);
        }
        if self.arch.zero_trits == ZeroTrits::Gate {
            self.load_operands_exactly(state, nets);
        }
        self.load_bus_exactly(state, nets);
        self.settle(state, nets);
    }

    /// The step whose codes and trits the leaves see.
    fn leaf_step(&self, state: &State) -> Option<StepIndex> {
        match self.arch.zero_trits {
            ZeroTrits::None => state.bus.step,
            ZeroTrits::Gate => state.operand.step,
        }
    }

    fn is_row_clocked(&self, step: StepIndex, row: usize) -> bool {
        match self.arch.clock_gating {
            ClockGating::None => true,
            ClockGating::Idle => row < self.mapping.active_rows(step.row_tile),
        }
    }

    fn is_column_clocked(&self, step: StepIndex, column: usize) -> bool {
        match self.arch.clock_gating {
            ClockGating::None => true,
            ClockGating::Idle => column < self.mapping.active_columns(step.column_tile),
        }
    }

    fn is_branch_clocked(&self, step: StepIndex, branch: usize) -> bool {
        match self.arch.clock_gating {
            ClockGating::None => true,
            ClockGating::Idle => branch < self.mapping.planes(step.pass).len(),
        }
    }

    /// Every tree of the array in order, and whether a step clocks it.
    fn trees(&self, step: StepIndex) -> impl Iterator<Item = (Tree, bool)> {
        let (columns, branches) = (self.arch.columns, self.arch.branches);
        (0..self.arch.engines() * branches).map(move |i| {
            let (engine, branch) = (i / branches, i % branches);
            let (row, column) = (engine / columns, engine % columns);
            let clocked = self.is_row_clocked(step, row)
                && self.is_column_clocked(step, column)
                && self.is_branch_clocked(step, branch);
            (Tree { row, column, branch }, clocked)
        })
    }

    /// The last tree registers, masked where they may hold an old sum, reach the accumulators.
    fn accumulate_exactly(&self, state: &mut State, nets: &mut Nets) {
        let last = state.tree.last_mut().expect("there is at least a wire");
        let Some(step) = last.step else { return };
        let segments = self.mapping.segments;
        let sums = nets.registers.last().unwrap_or(&nets.leaves);
        let groups = last.values.chunks_exact_mut(segments).zip(sums.chunks_exact(segments));
        for ((values, sums), (_, clocked)) in groups.zip(self.trees(step)) {
            if clocked {
                values.copy_from_slice(sums);
            } else {
                values.fill(0);
            }
        }
        let before = state.accumulators.values.clone();
        self.accumulate(state);
        let groups = state.accumulators.values.chunks_exact_mut(segments);
        let trees = groups.zip(before.chunks_exact(segments)).zip(self.trees(step));
        for ((values, before), (tree, clocked)) in trees {
            let loads = if self.mapping.work().merged {
                tree.branch == 0
                    && self.is_row_clocked(step, tree.row)
                    && self.is_column_clocked(step, tree.column)
            } else {
                clocked
            };
            if !loads {
                values.copy_from_slice(before);
                continue;
            }
            for (&value, &before) in values.iter().zip(before) {
                nets.toggles.accumulators += toggled(before, value, self.arch.accumulator_bits);
            }
        }
    }

    /// Each tree register of a clocked tree loads the sums of its level.
    fn load_tree(&self, state: &mut State, nets: &mut Nets) {
        state.tree.rotate_right(1);
        state.tree[0].step = self.leaf_step(state);
        for (stage, register) in nets.registers.iter_mut().enumerate() {
            let Some(step) = state.tree[stage].step else { continue };
            let level = stage_level(self.arch, &self.mapping, stage);
            let width = self.arch.lanes >> level;
            let sums = nets.levels[level - 1].chunks_exact(width);
            for ((held, sums), (_, clocked)) in
                register.chunks_exact_mut(width).zip(sums).zip(self.trees(step))
            {
                if clocked {
                    held.copy_from_slice(sums);
                }
            }
        }
        if let Some(step) = state.tree[0].step {
            self.clock_trees(state, step);
        }
    }

    fn load_operands_exactly(&self, state: &mut State, nets: &mut Nets) {
        state.operand.step = state.bus.step;
        let Some(step) = state.bus.step else { return };
        let (lanes, branches) = (self.arch.lanes, self.arch.branches);
        let mut loads = 0;
        for (operands, (tree, clocked)) in
            nets.operands.chunks_exact_mut(lanes).zip(self.trees(step))
        {
            if !clocked {
                continue;
            }
            let codes = &state.bus.codes[tree.row * lanes..][..lanes];
            let trits = &state.bus.trits[(tree.column * branches + tree.branch) * lanes..][..lanes];
            let lanes = operands.iter_mut().zip(codes).zip(trits);
            for ((operand, &code), _) in lanes.filter(|(_, trit)| **trit != 0) {
                let bits = self.arch.activation_bits_per_step;
                nets.toggles.operand += toggled((*operand).into(), code.into(), bits);
                *operand = code;
                loads += 1;
            }
        }
        self.count_operand_loads(state, step, loads);
        nets.toggles.weight_bus +=
            self.load_trits(step, &mut state.operand.trits, &state.bus.trits);
    }

    fn load_bus_exactly(&self, state: &mut State, nets: &mut Nets) {
        state.bus.step = state.fetched.step;
        let Some(step) = state.bus.step else { return };
        let (lanes, bits) = (self.arch.lanes, self.arch.activation_bits_per_step);
        let rows = state.bus.codes.chunks_exact_mut(lanes);
        for (row, (held, codes)) in rows.zip(state.fetched.codes.chunks_exact(lanes)).enumerate() {
            if self.is_row_clocked(step, row) {
                for (held, &code) in held.iter_mut().zip(codes) {
                    nets.toggles.activation_bus += toggled((*held).into(), code.into(), bits);
                    *held = code;
                }
            }
        }
        nets.toggles.weight_bus +=
            self.load_trits(step, &mut state.bus.trits, &state.fetched.trits);
        self.clock_bus(state, step);
    }

    /// Loads the trit registers of clocked columns and branches; returns what toggled.
    fn load_trits(&self, step: StepIndex, held: &mut [i16], trits: &[i16]) -> u64 {
        let (lanes, branches) = (self.arch.lanes, self.arch.branches);
        let mut toggles = 0;
        for (i, (held, trits)) in
            held.chunks_exact_mut(lanes).zip(trits.chunks_exact(lanes)).enumerate()
        {
            if self.is_column_clocked(step, i / branches)
                && self.is_branch_clocked(step, i % branches)
            {
                for (held, &trit) in held.iter_mut().zip(trits) {
                    toggles += toggled((*held).into(), trit.into(), TRIT_BITS);
                    *held = trit;
                }
            }
        }
        toggles
    }

    /// After the edge: leaves and sums follow the registers.
    fn settle(&self, state: &State, nets: &mut Nets) {
        self.settle_leaves(state, nets);
        let (stage, tap) = (self.arch.tree_levels_per_stage, tap(self.arch, &self.mapping));
        let mut bits = self.arch.activation_bits_per_step + 1;
        for level in 1..=top_level(self.arch, &self.mapping) {
            bits += 1;
            let (lower, upper) = nets.levels.split_at_mut(level - 1);
            let below = level - 1;
            let terms = if below != 0 && below <= tap && below.is_multiple_of(stage) {
                &nets.registers[below / stage - 1]
            } else {
                lower.last().unwrap_or(&nets.leaves)
            };
            let mask = mask(bits);
            let mut toggles = 0;
            for (sum, terms) in upper[0].iter_mut().zip(terms.chunks_exact(2)) {
                let new = terms[0] + terms[1];
                toggles += u64::from(((*sum ^ new).cast_unsigned() & mask).count_ones());
                *sum = new;
            }
            nets.toggles.tree[level - 1] += toggles;
        }
    }

    fn settle_leaves(&self, state: &State, nets: &mut Nets) {
        let (lanes, branches) = (self.arch.lanes, self.arch.branches);
        let row_trees = self.arch.columns * branches;
        let mask = mask(self.arch.activation_bits_per_step + 1);
        for (i, leaves) in nets.leaves.chunks_exact_mut(lanes).enumerate() {
            let (codes, trits) = match self.arch.zero_trits {
                ZeroTrits::None => (&state.bus.codes[i / row_trees * lanes..], &state.bus.trits),
                ZeroTrits::Gate => (&nets.operands[i * lanes..], &state.operand.trits),
            };
            let trits = &trits[i % row_trees * lanes..][..lanes];
            let mut toggles = 0;
            for ((leaf, &code), &trit) in leaves.iter_mut().zip(&codes[..lanes]).zip(trits) {
                let new = i32::from(code * trit);
                toggles += u64::from(((*leaf ^ new).cast_unsigned() & mask).count_ones());
                *leaf = new;
            }
            nets.toggles.leaves += toggles;
        }
    }

    /// Columns that the scaler clocks in a take.
    pub(super) fn taken_columns(&self, take: Take) -> usize {
        match self.arch.clock_gating {
            ClockGating::None => self.arch.columns,
            ClockGating::Idle => self.mapping.active_columns(take.round.column_tile),
        }
    }

    /// The take's values reach the multipliers.
    pub(super) fn toggle_multipliers(&self, state: &mut State, take: Take) {
        let Some(mut nets) = state.nets.take() else { return };
        let (accumulator_bits, scale_bits) = (self.arch.accumulator_bits, self.arch.scale_bits);
        for column in 0..self.taken_columns(take) {
            for place in 0..self.arch.multipliers {
                let at = column * self.arch.multipliers + place;
                let (output, value) = (place / take.values, place % take.values);
                // A multiplier without a value gets 0, and keeps its m.
                let (operand, multiplier) = if output < take.outputs {
                    self.factors(state, take, column, output, value)
                } else {
                    (0, nets.scaler_scales[at])
                };
                let product = operand.wrapping_mul(multiplier);
                let (toggles, product_bits) = (&mut nets.toggles, accumulator_bits + scale_bits);
                let held_operand = std::mem::replace(&mut nets.scaler_operands[at], operand);
                toggles.scaler_operand += toggled(held_operand, operand, accumulator_bits);
                let held_scale = std::mem::replace(&mut nets.scaler_scales[at], multiplier);
                toggles.scaler_scale += toggled(held_scale, multiplier, scale_bits);
                for bit in 0..scale_bits {
                    let [before, after] = [(held_operand, held_scale), (operand, multiplier)].map(
                        |(operand, scale)| {
                            (i128::from(operand) << bit) * i128::from(scale >> bit & 1)
                        },
                    );
                    let differ = (before ^ after) & ((1 << product_bits) - 1);
                    toggles.scaler_partial_products += u64::from(differ.count_ones());
                }
                let held = std::mem::replace(&mut nets.scaler_products[at], product);
                toggles.scaler_product += toggled(held, product, product_bits);
            }
        }
        state.nets = Some(nets);
    }

    /// The adders of the partial y have done a take, whose y the stage holds.
    pub(super) fn toggle_adders(&self, state: &mut State, stage: usize, take: Take) {
        let Some(nets) = &mut state.nets else { return };
        let active = self.mapping.active_columns(take.round.column_tile);
        for column in 0..self.taken_columns(take) {
            for output in 0..take.outputs {
                let y = if column < active {
                    state.scaler[stage].values[column * take.outputs + output]
                } else {
                    0
                };
                let held = &mut nets.scaler_y[column * self.arch.multipliers + output];
                nets.toggles.scaler_y += toggled(*held, y, MAX_Y_BITS);
                *held = y;
            }
        }
    }
}

/// A branch of an engine.
#[derive(Clone, Copy)]
struct Tree {
    row: usize,
    column: usize,
    branch: usize,
}

/// The lowest bits of a word.
const fn mask(bits: u32) -> u32 {
    u32::MAX >> (32 - bits)
}

/// How many of the lowest bits differ; bits past the 64th are copies of the sign.
pub(super) fn toggled(before: i64, after: i64, bits: u32) -> u64 {
    let differ = before ^ after;
    let sign = u64::from(differ < 0) * u64::from(bits.saturating_sub(64));
    let shift = 64_u32.saturating_sub(bits);
    u64::from((differ.cast_unsigned() << shift).count_ones()) + sign
}
