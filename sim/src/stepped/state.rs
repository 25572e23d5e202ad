//! All registers of the machine, as plain data. A stage whose tag is none holds nothing of meaning.

use crate::arch::Architecture;
use crate::counts::Counts;
use crate::mapping::{Mapping, StepIndex};

use super::{Nets, ToggleCounting};

/// A chunk on its way to the engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The step it belongs to.
    pub step: Option<StepIndex>,
    /// Slices of codes: lane n of row r at `r·lanes + n`.
    pub codes: Vec<i16>,
    /// Trits: lane n of branch b of column q at `(q·branches + b)·lanes + n`.
    pub trits: Vec<i16>,
}

/// Sums of the trees; a register of the tree holds its exact sum in place of the terms it has still to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// The step it belongs to.
    pub step: Option<StepIndex>,
    /// Segment g of branch b of the engine in row r, column q at `((r·columns + q)·branches + b)·segments + g`.
    pub values: Vec<i32>,
}

/// What is handed to the scaler at once: one pass of a `dbq` tile, or a whole `fixed` tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round {
    /// Which output channels.
    pub column_tile: usize,
    /// Which output pixels.
    pub row_tile: usize,
    /// The pass that ends it.
    pub pass: usize,
}

/// The accumulators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accumulators {
    /// The round that is complete and must move at the next edge.
    pub complete: Option<Round>,
    /// Two's complement of `accumulator_bits`, in the order of [`Sums::values`].
    pub values: Vec<i64>,
}

/// The shadow bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bank {
    /// The round whose values are still being taken.
    pub round: Option<Round>,
    /// Takes that have been made of it.
    pub taken: usize,
    /// In the order of [`Sums::values`].
    pub values: Vec<i64>,
}

/// What the scalers of all columns take in one cycle: values of one output, or whole outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Take {
    /// The round it is taken of.
    pub round: Round,
    /// First output of the column; output i is row i / segments, segment i % segments (active ones).
    pub first_output: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// First value of the output: branch.
    pub first_value: usize,
    /// Number of values of each output.
    pub values: usize,
    /// Whether y starts as bias.
    pub starts: bool,
    /// Whether these are the last values of the outputs.
    pub ends: bool,
}

/// A stage of the scalers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// What it works on.
    pub take: Option<Take>,
    /// Product sum, then y, then the output: of output i of column q at `q·outputs + i`.
    pub values: Vec<i64>,
}

/// All registers, the output memory, and what happened so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Index of the next edge.
    pub edge: u64,
    /// The step whose addresses the memories see.
    pub feeder: Option<StepIndex>,
    /// Output registers of the memories.
    pub fetched: Chunk,
    /// Row and column wires.
    pub bus: Chunk,
    /// Operand registers (`zero_trits = gate`): the codes stand in them wherever the trit is not zero.
    pub operand: Chunk,
    /// Tree registers, the one next to the leaves first. Without any, one entry that is a wire.
    pub tree: Vec<Sums>,
    /// Accumulators.
    pub accumulators: Accumulators,
    /// Shadow bank.
    pub shadow: Bank,
    /// Partial y: segment g of row r of column q at `(r·segments + g)·columns + q`.
    pub partial: Vec<i64>,
    /// Scaler stages, the first first.
    pub scaler: Vec<Beat>,
    /// Terms of the trees and nets, where toggles are counted. [`State::bus`] and [`State::accumulators`] then hold what
    /// gets no clock, [`State::operand`] the trits of its stage alone, and [`State::tree`] steps, its last entry sums.
    pub nets: Option<Nets>,
    /// The output memory: all images, NHWC.
    pub outputs: Vec<i64>,
    /// The edge that wrote each output.
    pub written_at: Vec<u64>,
    /// How many outputs are written.
    pub written: usize,
    /// What happened so far.
    pub counts: Counts,
}

impl State {
    pub(super) fn reset(
        arch: &Architecture,
        mapping: &Mapping,
        tree_stages: usize,
        counting: ToggleCounting,
    ) -> Self {
        let sums = arch.engines() * arch.branches * mapping.segments;
        let chunk = Chunk {
            step: None,
            codes: vec![0; arch.rows * arch.lanes],
            trits: vec![0; arch.columns * arch.branches * arch.lanes],
        };
        let outputs = usize::try_from(mapping.work().outputs()).expect("outputs are in memory");
        Self {
            edge: 0,
            feeder: None,
            fetched: chunk.clone(),
            bus: chunk.clone(),
            operand: chunk,
            tree: vec![Sums { step: None, values: vec![0; sums] }; tree_stages.max(1)],
            accumulators: Accumulators { complete: None, values: vec![0; sums] },
            shadow: Bank { round: None, taken: 0, values: vec![0; sums] },
            partial: vec![0; arch.engines() * mapping.segments],
            scaler: vec![
                Beat { take: None, values: vec![0; arch.columns * arch.multipliers] };
                arch.scaler_stages
            ],
            nets: match counting {
                ToggleCounting::Off => None,
                ToggleCounting::On => Some(Nets::reset(arch, mapping)),
            },
            outputs: vec![0; outputs],
            written_at: vec![0; outputs],
            written: 0,
            counts: Counts::default(),
        }
    }

    /// Whether a complete round finds the shadow bank full at this edge, after the scaler's take.
    pub(super) const fn is_frozen(&self) -> bool {
        self.accumulators.complete.is_some() && self.shadow.round.is_some()
    }
}
