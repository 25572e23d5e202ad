//! The registers and nets of the RTL that the stepped model holds, by their paths.

use super::{Source, has_operands};
use crate::arch::Architecture;
use crate::limits::MAX_Y_BITS;
use crate::mapping::Mapping;

/// What a signal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Busy,
    Cycles,
    Stalls,
    Enable,
    Move,
    Complete,
    Full,
    StepCodes,
    StepTrits,
    Codes,
    Trits,
    Bank,
    /// Of a column: the partial y of its rows and segments.
    Partials(usize),
    /// Of the tree of this index.
    Leaves(usize),
    /// Of this level of a tree: what the adders put out.
    Sums(usize, usize),
    /// Of a tree: the register of this stage.
    Held(usize, usize),
    /// Of a tree: the operand register of this lane.
    Operand(usize, usize),
    /// Of an engine, branch and segment.
    Accumulator(usize),
}

/// A signal of the RTL.
#[derive(Debug)]
pub(super) struct Signal {
    /// Scopes and name, apart by dots.
    pub(super) path: String,
    pub(super) bits: usize,
    what: What,
}

/// All signals of a layer on an architecture, those of a scope together.
pub(super) fn signals(arch: &Architecture, mapping: &Mapping) -> Vec<Signal> {
    let slice = arch.activation_bits_per_step as usize;
    let (codes, trits) =
        (arch.rows * arch.lanes * slice, arch.columns * arch.branches * arch.lanes * 2);
    let sums = arch.engines() * arch.branches * arch.segments();
    let machine = "tridot_top.machine";
    let mut all = Vec::new();
    let mut add = |path: String, bits: usize, what: What| {
        all.push(Signal { path: format!("{machine}.{path}"), bits, what });
    };
    add("busy".to_owned(), 1, What::Busy);
    add("cycles".to_owned(), 32, What::Cycles);
    add("stalls".to_owned(), 32, What::Stalls);
    add("step_codes".to_owned(), codes, What::StepCodes);
    add("step_trits".to_owned(), trits, What::StepTrits);
    add("core.enable".to_owned(), 1, What::Enable);
    add("core.move".to_owned(), 1, What::Move);
    add("core.complete".to_owned(), 1, What::Complete);
    add("core.full".to_owned(), 1, What::Full);
    add("core.bank".to_owned(), sums * arch.accumulator_bits as usize, What::Bank);
    add("core.array.codes".to_owned(), codes, What::Codes);
    add("core.array.trits".to_owned(), trits, What::Trits);
    for column in 0..arch.columns {
        for row in 0..arch.rows {
            let engine = format!("core.array.column[{column}].row[{row}].engine");
            add_engine(arch, mapping, (row, column), &engine, &mut add);
        }
    }
    for column in 0..arch.columns {
        let path = format!("core.scaler.column[{column}].scaler.partials");
        let bits = arch.rows * arch.segments() * MAX_Y_BITS as usize;
        add(path, bits, What::Partials(column));
    }
    all
}

/// The trees and accumulators of an engine.
fn add_engine(
    arch: &Architecture,
    mapping: &Mapping,
    (row, column): (usize, usize),
    engine: &str,
    add: &mut impl FnMut(String, usize, What),
) {
    let slice = arch.activation_bits_per_step as usize;
    let leaf = slice + 1;
    let tap = (arch.lanes / mapping.segments).ilog2() as usize;
    for branch in 0..arch.branches {
        let tree = (row * arch.columns + column) * arch.branches + branch;
        let scope = format!("{engine}.branch[{branch}]");
        add(format!("{scope}.leaves"), arch.lanes * leaf, What::Leaves(tree));
        if has_operands(arch) {
            for lane in 0..arch.lanes {
                let path = format!("{scope}.lane[{lane}].gated.operand");
                add(path, slice, What::Operand(tree, lane));
            }
        }
        for level in 1..=tap {
            let bits = (arch.lanes >> level) * (leaf + level);
            add(format!("{scope}.tree.level[{level}].sums"), bits, What::Sums(tree, level));
            let registered =
                level.is_multiple_of(arch.tree_levels_per_stage) || level == arch.tree_levels();
            if registered {
                let stage = (level - 1) / arch.tree_levels_per_stage;
                add(format!("{scope}.tree.level[{level}].held"), bits, What::Held(tree, stage));
            }
        }
    }
    for segment in 0..mapping.segments {
        for branch in 0..arch.branches {
            let tree = (row * arch.columns + column) * arch.branches + branch;
            let path = format!("{engine}.accumulate[{segment}].branch_of[{branch}].accumulator");
            let bits = arch.accumulator_bits as usize;
            add(path, bits, What::Accumulator(tree * mapping.segments + segment));
        }
    }
}

impl Signal {
    /// The bits, most significant first, as digits.
    pub(super) fn read(&self, source: &Source<'_>) -> Vec<u8> {
        let Source { arch, state, nets, .. } = source;
        let lanes = arch.lanes;
        let number = |value: u64| packed([value.cast_signed()].into_iter(), self.bits);
        let of_tree = |values: &[i32], tree: usize, width: usize| {
            let each = self.bits / width;
            packed(values[tree * width..][..width].iter().map(|&value| value.into()), each)
        };
        let narrow =
            |values: &[i16], each: usize| packed(values.iter().map(|&value| value.into()), each);
        let slice = arch.activation_bits_per_step as usize;
        match self.what {
            What::Busy => number(u64::from(state.edge != 0 && state.written < state.outputs.len())),
            What::Cycles => number(state.edge),
            What::Stalls => number(state.counts.stall_scaler.0),
            What::Enable => number(source.enable.into()),
            What::Move => number(source.moves.into()),
            What::Complete => number(state.accumulators.complete.is_some().into()),
            What::Full => number(state.shadow.round.is_some().into()),
            What::StepCodes => narrow(&source.fetched.0, slice),
            What::StepTrits => narrow(&source.fetched.1, 2),
            What::Codes => narrow(&state.bus.codes, slice),
            What::Trits => narrow(&state.bus.trits, 2),
            What::Bank => self.bank(source),
            What::Partials(column) => partials(source, column),
            What::Leaves(tree) => of_tree(&nets.leaves, tree, lanes),
            What::Sums(tree, level) => of_tree(&nets.levels[level - 1], tree, lanes >> level),
            What::Held(tree, stage) => {
                let width = nets.registers[stage].len() / (arch.engines() * arch.branches);
                of_tree(&nets.registers[stage], tree, width)
            }
            What::Operand(tree, lane) => {
                packed([nets.operands[tree * lanes + lane].into()].into_iter(), self.bits)
            }
            What::Accumulator(at) => packed([state.accumulators.values[at]].into_iter(), self.bits),
        }
    }

    /// Column by column; segments that the layer does not use hold 0.
    fn bank(&self, source: &Source<'_>) -> Vec<u8> {
        let Source { arch, mapping, state, .. } = source;
        let (segments, branches) = (mapping.segments, arch.branches);
        let mut values = Vec::new();
        for column in 0..arch.columns {
            for row in 0..arch.rows {
                for branch in 0..branches {
                    let tree = (row * arch.columns + column) * branches + branch;
                    let own = &state.shadow.values[tree * segments..][..segments];
                    values.extend_from_slice(own);
                    values.resize(values.len() + arch.segments() - segments, 0);
                }
            }
        }
        let count = values.len();
        packed(values.into_iter(), self.bits / count)
    }
}

/// Row by row; segments that the layer does not use hold 0.
fn partials(source: &Source<'_>, column: usize) -> Vec<u8> {
    let Source { arch, mapping, state, .. } = source;
    let segments = mapping.segments;
    let of = |at: usize| match at % arch.segments() {
        segment if segment < segments => {
            let row = at / arch.segments();
            state.partial[(row * segments + segment) * arch.columns + column]
        }
        _ => 0,
    };
    packed((0..arch.rows * arch.segments()).map(of), MAX_Y_BITS as usize)
}

/// Values of so many bits each, the first at the least significant end.
fn packed(values: impl DoubleEndedIterator<Item = i64>, bits: usize) -> Vec<u8> {
    let digits =
        |value: i64| (0..bits).rev().map(move |bit| b'0' + u8::from(value >> bit & 1 == 1));
    values.rev().flat_map(digits).collect()
}
