//! The gradient by a window's inputs as windows over the gradient by its outputs.
//!
//! Input row `y` of the padded picture lies under output row `o` with kernel row `k` where
//! `o · stride + k = y`. With `y = q · stride + phase` these are `k = phase + stride · t` and `o = q − t`
//! for `t = 0, 1, …`: a window of the outputs `q − T + 1 … q` of its own for each phase, its taps in
//! reverse. The same holds for columns, so that a stride of 2 has four phases.

use std::ops::Range;

use super::factor::{Connection, Factor};
use super::lanes::InstructionSet;
use super::taps::Taps;

/// One side of a phase: rows or columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Side {
    /// Kernel rows in the order in which outputs meet them.
    taps: Vec<usize>,
    /// The q of the input rows that exist.
    steps: Range<usize>,
    /// The input row of the first.
    first: usize,
}

/// The phases of one side.
fn sides(kernel: usize, stride: usize, before: usize, size: usize) -> Vec<Side> {
    let side = |phase: usize| {
        let taps = (phase..kernel).step_by(stride).rev().collect();
        // Input row y − before ≥ 0 and below size.
        let start = before.saturating_sub(phase).div_ceil(stride);
        let end = (size + before).saturating_sub(phase).div_ceil(stride).max(start);
        let first = (start * stride + phase).saturating_sub(before);
        Side { taps, steps: start..end, first }
    };
    (0..stride).map(side).collect()
}

/// The input pixels whose gradients are sums over the same taps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Phase {
    /// The weights of these taps.
    pub(super) factor: Factor,
    /// How many kernel rows and columns they are.
    pub(super) taps: [usize; 2],
    /// Steps of rows, as in the module's description.
    pub(super) rows: Range<usize>,
    /// Steps of columns.
    pub(super) columns: Range<usize>,
    /// The first input pixel.
    pub(super) first: [usize; 2],
}

/// All phases of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Phases {
    /// Those with any taps.
    pub(super) all: Vec<Phase>,
    /// Whether there are input pixels without any taps.
    pub(super) leaves_out: bool,
    /// Rows and columns of outputs before a step that any phase looks at.
    pub(super) before: [usize; 2],
    /// Steps of rows and of columns, of all phases together.
    pub(super) steps: [usize; 2],
}

impl Phases {
    /// Those of a layer, with its weights packed.
    pub(super) fn new(
        set: InstructionSet,
        taps: &Taps,
        connection: Connection,
        weights: &[f32],
    ) -> Self {
        let (window, pads, input) = (taps.window, taps.pads, taps.input);
        let rows = sides(window.kernel_height, window.stride_height, pads.top, input.height);
        let columns = sides(window.kernel_width, window.stride_width, pads.left, input.width);
        let mut phases = Phases {
            all: Vec::new(),
            leaves_out: false,
            before: [&rows, &columns].map(|sides| most(sides, |side| side.taps.len()) - 1),
            steps: [&rows, &columns].map(|sides| most(sides, |side| side.steps.end)),
        };
        for (row, column) in rows.iter().flat_map(|row| columns.iter().map(move |c| (row, c))) {
            let chosen: Vec<usize> = row
                .taps
                .iter()
                .flat_map(|r| column.taps.iter().map(move |c| r * window.kernel_width + c))
                .collect();
            if chosen.is_empty() {
                phases.leaves_out = true;
            } else if !row.steps.is_empty() && !column.steps.is_empty() {
                phases.all.push(Phase {
                    factor: Factor::transposed(set, taps, connection, weights, &chosen),
                    taps: [row.taps.len(), column.taps.len()],
                    rows: row.steps.clone(),
                    columns: column.steps.clone(),
                    first: [row.first, column.first],
                });
            }
        }
        phases
    }
}

fn most(sides: &[Side], of: impl Fn(&Side) -> usize) -> usize {
    sides.iter().map(of).max().expect("a stride is at least 1")
}
