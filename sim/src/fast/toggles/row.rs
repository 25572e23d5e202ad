//! One row of engines: code register, operands, leaves, adder trees, accumulators.

use crate::arch::{Architecture, ZeroTrits};
use crate::counts::Toggles;
use crate::mapping::Mapping;

use super::terms::{Term, load, load_where, repeat};
use super::wires::Columns;

/// Depths of the trees for a layer.
#[derive(Clone, Copy)]
pub(super) struct Depths {
    /// The first level with a register: nets up to it follow the buses.
    register: usize,
    /// The level whose sums the accumulators take.
    tap: usize,
    /// The last level that toggles.
    top: usize,
}

impl Depths {
    pub(super) fn new(map: &Mapping, arch: &Architecture) -> Self {
        let levels = arch.lanes.ilog2() as usize;
        let stage = arch.tree_levels_per_stage;
        let tap = levels - map.segments.ilog2() as usize;
        // Past the tap, nets are alive up to the next register.
        let top = if tap == levels { levels } else { levels.min(stage * (1 + tap / stage)) };
        Self { register: stage.min(levels), tap, top }
    }
}

/// What a step does with what reaches the accumulators.
#[derive(Clone, Copy)]
pub(super) struct Accumulation {
    /// What the old value is multiplied with: 0 to load, 1 to add, 2^branches at a further pass of `fixed`.
    pub(super) keep: i64,
    /// Bits by which the sums are shifted.
    pub(super) shift: u32,
    /// `fixed`: how many branches are merged; none for `dbq`.
    pub(super) merged: Option<usize>,
    pub(super) branches: usize,
    /// Columns of the array, and those that are clocked.
    pub(super) columns: usize,
    pub(super) clocked_columns: usize,
    /// Width of an accumulator.
    pub(super) bits: u32,
}

pub(super) struct Row<T> {
    /// Code register, and the same once for each tree.
    codes: Vec<i16>,
    repeated: Vec<i16>,
    operands: Vec<i16>,
    /// Leaves, then level by level.
    levels: Vec<Vec<T>>,
    /// The first tree register.
    register: Vec<T>,
    /// Segment (bits reversed) by segment, tree by tree.
    pub(super) accumulators: Vec<i64>,
}

impl<T: Term> Row<T> {
    pub(super) fn reset(map: &Mapping, arch: &Architecture, depths: Depths) -> Self {
        let trees = arch.columns * arch.branches;
        let words = arch.lanes * trees;
        Self {
            codes: vec![0; arch.lanes],
            repeated: vec![0; words],
            operands: match arch.zero_trits {
                ZeroTrits::None => Vec::new(),
                ZeroTrits::Gate => vec![0; words],
            },
            levels: (0..=depths.top).map(|level| vec![T::default(); words >> level]).collect(),
            register: vec![T::default(); words >> depths.register],
            accumulators: vec![0; map.segments * trees],
        }
    }

    /// A chunk reaches the row, whose register is clocked.
    pub(super) fn load(&mut self, codes: &[i16], bits: u32, trees: usize, toggles: &mut Toggles) {
        toggles.activation_bus += load(&mut self.codes, codes, bits);
        repeat(&mut self.repeated, &self.codes, trees);
    }

    /// Operands are loaded, where there are any, in a row that is clocked.
    pub(super) fn load_operands(&mut self, columns: &Columns, bits: u32, toggles: &mut Toggles) {
        if !self.operands.is_empty() {
            toggles.operand += load_where(&mut self.operands, &self.repeated, &columns.loads, bits);
        }
    }

    /// Leaves and the levels before the first register follow the buses.
    pub(super) fn follow(
        &mut self,
        columns: &Columns,
        depths: Depths,
        bits: u32,
        toggles: &mut Toggles,
    ) {
        let codes = if self.operands.is_empty() { &self.repeated } else { &self.operands };
        toggles.leaves += T::multiply(&mut self.levels[0], codes, &columns.trits, bits + 1);
        let mut width = bits + 1;
        for level in 1..=depths.register.min(depths.top) {
            width += 1;
            let (below, above) = self.levels.split_at_mut(level);
            toggles.tree[level - 1] += T::add_halves(&mut above[0], &below[level - 1], width);
        }
    }

    /// The first register is loaded where it is clocked; the levels behind it follow.
    pub(super) fn advance(
        &mut self,
        columns: &Columns,
        depths: Depths,
        bits: u32,
        toggles: &mut Toggles,
    ) {
        if depths.top <= depths.register {
            return;
        }
        let sums = &self.levels[depths.register];
        if columns.all_clocked {
            self.register.copy_from_slice(sums);
        } else {
            for ((held, &sum), &clocked) in self.register.iter_mut().zip(sums).zip(&columns.clocked)
            {
                if clocked != 0 {
                    *held = sum;
                }
            }
        }
        let mut width = bits + 1;
        for level in 1..=depths.top {
            width += 1;
            if level <= depths.register {
                continue;
            }
            let (below, above) = self.levels.split_at_mut(level);
            let terms =
                if level == depths.register + 1 { &self.register } else { &below[level - 1] };
            toggles.tree[level - 1] += T::add_halves(&mut above[0], terms, width);
        }
    }

    /// The sums reach the accumulators of the trees that are clocked.
    pub(super) fn accumulate(
        &mut self,
        columns: &Columns,
        depths: Depths,
        step: Accumulation,
        toggles: &mut Toggles,
    ) {
        let sums = &self.levels[depths.tap];
        let unused = 64 - step.bits;
        let replace = |held: &mut i64, new: i64| {
            let differ = ((*held ^ new) << unused).cast_unsigned();
            *held = new;
            u64::from(differ.count_ones())
        };
        let Some(merged) = step.merged else {
            let trees = self.accumulators.iter_mut().zip(sums).zip(&columns.clocked);
            for ((held, &sum), _) in trees.filter(|(_, clocked)| **clocked != 0) {
                let new = held.wrapping_mul(step.keep).wrapping_add(sum.wide() << step.shift);
                toggles.accumulators += replace(held, new);
            }
            return;
        };
        let engines = self.accumulators.chunks_exact_mut(step.branches);
        let engines = engines.zip(sums.chunks_exact(step.branches)).enumerate();
        for (_, (held, sums)) in engines.filter(|(i, _)| i % step.columns < step.clocked_columns) {
            let sums = sums[..merged].iter().enumerate();
            let sum: i64 = sums.map(|(branch, sum)| sum.wide() << branch).sum();
            let new = held[0].wrapping_mul(step.keep).wrapping_add(sum << step.shift);
            toggles.accumulators += replace(&mut held[0], new);
        }
    }
}
