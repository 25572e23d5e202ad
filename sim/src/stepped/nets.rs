//! What toggles are counted on beside the registers of [`State`](super::State): operand and tree registers as the
//! hardware has them, and nets. TIMING.md, section 9.

use crate::arch::{Architecture, ZeroTrits};
use crate::counts::Toggles;
use crate::mapping::Mapping;

/// Whether a run holds every term of the trees and counts toggles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ToggleCounting {
    /// Exact sums stand for whole trees: outputs, time and all other counts are the same, and it is faster.
    #[default]
    Off,
    /// Every register and net is held, and what toggles is counted.
    On,
}

/// Registers and nets of every engine, and what toggled so far.
///
/// Lane or adder i of branch b of the engine in row r, column q is at `((r·columns + q)·branches + b)·n + i`, n of them a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nets {
    /// Operand registers (`zero_trits = gate`), n = lanes; else empty.
    pub operands: Vec<i16>,
    /// Leaf terms, n = lanes.
    pub leaves: Vec<i32>,
    /// Entry l − 1: outputs of the adders of level l, n = lanes/2^l.
    pub levels: Vec<Vec<i32>>,
    /// Tree registers, the one next to the leaves first; each holds the sums of its level.
    pub registers: Vec<Vec<i32>>,
    /// Accumulator values at the multipliers: multiplier k of column q at `q·multipliers + k`.
    pub scaler_operands: Vec<i64>,
    /// Their other inputs, m, likewise.
    pub scaler_scales: Vec<i64>,
    /// Products of the multipliers, likewise.
    pub scaler_products: Vec<i64>,
    /// Outputs of the adders of the partial y: adder i of column q at `q·multipliers + i`.
    pub scaler_y: Vec<i64>,
    /// What toggled so far.
    pub toggles: Toggles,
}

impl Nets {
    pub(super) fn reset(arch: &Architecture, mapping: &Mapping) -> Self {
        let trees = arch.engines() * arch.branches;
        let level = |level: usize| vec![0; trees * (arch.lanes >> level)];
        let stages = 0..arch.tree_stages(mapping.segments);
        let multipliers = vec![0; arch.columns * arch.multipliers];
        Self {
            operands: match arch.zero_trits {
                ZeroTrits::None => Vec::new(),
                ZeroTrits::Gate => vec![0; arch.leaves()],
            },
            leaves: level(0),
            levels: (1..=arch.tree_levels()).map(level).collect(),
            registers: stages.map(|stage| level(stage_level(arch, mapping, stage))).collect(),
            scaler_operands: multipliers.clone(),
            scaler_scales: multipliers.clone(),
            scaler_products: multipliers.clone(),
            scaler_y: multipliers,
            toggles: Toggles::default(),
        }
    }
}

/// The level at which a layer's steps leave the tree.
pub(super) fn tap(arch: &Architecture, mapping: &Mapping) -> usize {
    (arch.lanes / mapping.segments).ilog2() as usize
}

/// The level whose sums a tree register of the layer holds, from 0 next to the leaves.
pub(super) fn stage_level(arch: &Architecture, mapping: &Mapping, stage: usize) -> usize {
    ((stage + 1) * arch.tree_levels_per_stage).min(tap(arch, mapping))
}

/// The highest level that follows the leaves: past the tap, that of the next register, which loads nothing.
pub(super) fn top_level(arch: &Architecture, mapping: &Mapping) -> usize {
    let (tap, levels) = (tap(arch, mapping), arch.tree_levels());
    if tap == levels {
        return levels;
    }
    let stage = arch.tree_levels_per_stage;
    ((tap / stage + 1) * stage).min(levels)
}
