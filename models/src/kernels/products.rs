//! Matrix products in register tiles: sums over inputs where they lie, and sums of outer products.
//!
//! A tile is some output pixels × one or two vectors of columns; its sums stay in registers. Inputs are
//! broadcast from where they are, run by run, so that a convolution over a padded picture needs no
//! im2col; the other factor is packed into [`Panels`] or read as it lies.
#![expect(unsafe_code, reason = "vector intrinsics on raw pointers")]
#![expect(clippy::inline_always, reason = "inlined into functions that enable the instructions")]
#![expect(clippy::needless_range_loop, reason = "the index names a register of several arrays")]

use rayon::prelude::*;

use super::Into;
use super::lanes::{InstructionSet, Lanes, compiled};

/// Where the inputs under some outputs lie: `lines × columns` outputs, each over `runs` runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// Lines of outputs.
    pub(super) lines: usize,
    /// Outputs of a line.
    pub(super) columns: usize,
    /// From the inputs of an output to those of the one below it.
    pub(super) line_stride: usize,
    /// From the inputs of an output to those of the next one in its line.
    pub(super) column_stride: usize,
    /// Stretches of inputs under an output.
    pub(super) runs: usize,
    /// From one to the next.
    pub(super) run_stride: usize,
    /// Inputs of each, one after the other.
    pub(super) run: usize,
}

impl View {
    /// Vectors of `depth` inputs, one after the other.
    pub(super) fn vectors(n: usize, depth: usize) -> Self {
        Self {
            lines: 1,
            columns: n,
            line_stride: 0,
            column_stride: depth,
            runs: 1,
            run_stride: 0,
            run: depth,
        }
    }

    /// Inputs under an output.
    pub(super) fn depth(&self) -> usize {
        self.runs * self.run
    }

    /// The elements that are looked at, from the first.
    pub(super) fn extent(&self) -> usize {
        if self.lines * self.columns * self.depth() == 0 {
            return 0;
        }
        (self.lines - 1) * self.line_stride
            + (self.columns - 1) * self.column_stride
            + (self.runs - 1) * self.run_stride
            + self.run
    }
}

/// Where outputs lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// From an output to the one below it.
    pub(super) line_stride: usize,
    /// From an output to the next one in its line.
    pub(super) column_stride: usize,
}

impl Grid {
    pub(super) fn extent(&self, view: &View, channels: usize) -> usize {
        if view.lines * view.columns == 0 {
            return 0;
        }
        (view.lines - 1) * self.line_stride + (view.columns - 1) * self.column_stride + channels
    }
}

/// A `depth × columns` matrix as tiles read it: panels of two vectors of columns, the last perhaps of
/// one, row after row, zeros where no column is left.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panels {
    values: Vec<f32>,
    depth: usize,
    columns: usize,
    /// Columns of a vector.
    width: usize,
}

/// One panel.
#[derive(Debug, Clone, Copy)]
struct Panel {
    /// Where its first row starts.
    start: usize,
    first_column: usize,
    /// Two vectors or one.
    is_double: bool,
    /// Columns of its last vector.
    last: usize,
}

/// From this many numbers on, panels are packed by several threads.
const PACKED_ALONE: usize = 1 << 15;

impl Panels {
    /// Packs the matrix whose row `r` starts at `start(r)` of `values` and has a column every `stride`.
    pub(super) fn pack(
        set: InstructionSet,
        [depth, columns]: [usize; 2],
        values: &[f32],
        stride: usize,
        start: impl Fn(usize) -> usize + Sync,
    ) -> Self {
        let mut panels = Self::zeros(set, depth, columns);
        let width = panels.width;
        let fill = |(panel_idx, panel): (usize, &mut [f32])| {
            let first = panel_idx * 2 * width;
            let lanes = panel.len() / depth;
            let n = lanes.min(columns - first);
            for (row, out) in panel.chunks_exact_mut(lanes).enumerate() {
                let from = &values[start(row) + first * stride..];
                if stride == 1 {
                    out[..n].copy_from_slice(&from[..n]);
                } else {
                    for (out, value) in out[..n].iter_mut().zip(from.iter().step_by(stride)) {
                        *out = *value;
                    }
                }
            }
        };
        let whole = (2 * width * depth).max(1);
        if panels.values.len() < PACKED_ALONE {
            panels.values.chunks_mut(whole).enumerate().for_each(fill);
        } else {
            panels.values.par_chunks_mut(whole).enumerate().for_each(fill);
        }
        panels
    }

    /// Of a matrix of zeros.
    pub(super) fn zeros(set: InstructionSet, depth: usize, columns: usize) -> Self {
        let width = set.width();
        let values = vec![0.0; columns.div_ceil(width) * width * depth];
        Self { values, depth, columns, width }
    }

    fn panels(&self) -> impl Iterator<Item = Panel> + use<> {
        let Self { depth, columns, width, .. } = *self;
        (0..columns.div_ceil(2 * width)).map(move |i| {
            let first_column = i * 2 * width;
            let left = columns - first_column;
            let is_double = width < left;
            let last = if is_double { left.min(2 * width) - width } else { left };
            Panel { start: first_column * depth, first_column, is_double, last }
        })
    }

    /// Adds another matrix.
    pub(super) fn add(&mut self, other: &Self) {
        assert_eq!(self.values.len(), other.values.len(), "matrices of equal sizes are added");
        for (sum, value) in self.values.iter_mut().zip(&other.values) {
            *sum += value;
        }
    }

    /// Writes the matrix column by column, `stride` from one to the next.
    pub(super) fn unpack_columns(&self, out: &mut [f32], stride: usize) {
        for panel in self.panels() {
            let lanes = if panel.is_double { 2 * self.width } else { self.width };
            let n = lanes.min(self.columns - panel.first_column);
            let rows = &self.values[panel.start..panel.start + self.depth * lanes];
            for column in 0..n {
                let start = (panel.first_column + column) * stride;
                let out = &mut out[start..start + self.depth];
                for (out, row) in out.iter_mut().zip(rows.chunks_exact(lanes)) {
                    *out = row[column];
                }
            }
        }
    }
}

/// Where a tile of a product starts, and how far its neighbours are.
#[derive(Clone, Copy)]
struct DotTile {
    x: *const f32,
    weights: *const f32,
    out: *mut f32,
    out_stride: usize,
    last: usize,
}

compiled! {
    /// `out[output][column] = Σ_row x[under output][row] · panels[row][column]`, or that added.
    pub(super) fn dot(x: &[f32], view: View, panels: &Panels, out: &mut [f32], grid: Grid, into: Into)
        = dot_body::<Lanes>
}

#[inline(always)]
fn dot_body<L: Lanes>(
    x: &[f32],
    view: View,
    panels: &Panels,
    out: &mut [f32],
    grid: Grid,
    into: Into,
) {
    assert_eq!(panels.width, L::WIDTH, "packed for this instruction set");
    assert_eq!(panels.depth, view.depth(), "one row of weights an input");
    assert!(view.extent() <= x.len(), "inputs lie in their slice");
    assert!(grid.extent(&view, panels.columns) <= out.len(), "outputs lie in their slice");
    for panel in panels.panels() {
        for line in 0..view.lines {
            // SAFETY: asserted above; panels have `depth` rows of whole vectors.
            unsafe {
                let tile = DotTile {
                    x: x.as_ptr().add(line * view.line_stride),
                    weights: panels.values.as_ptr().add(panel.start),
                    out: out.as_mut_ptr().add(line * grid.line_stride + panel.first_column),
                    out_stride: grid.column_stride,
                    last: panel.last,
                };
                if panel.is_double {
                    dot_line::<L, 2>(tile, &view, into);
                } else {
                    dot_line::<L, 1>(tile, &view, into);
                }
            }
        }
    }
}

/// Calls with tiles along `$n` places, the largest that fit first.
macro_rules! tiles {
    ($n:expr, $most:expr, $call:ident::<$lanes:ident, $vectors:ident>, |$at:ident| $tile:expr, $view:expr, $last:expr) => {
        let mut $at = 0;
        tiles!(@ 16 $n, $most, $call::<$lanes, $vectors>, $at, $tile, $view, $last);
        tiles!(@ 8 $n, $most, $call::<$lanes, $vectors>, $at, $tile, $view, $last);
        tiles!(@ 4 $n, $most, $call::<$lanes, $vectors>, $at, $tile, $view, $last);
        tiles!(@ 2 $n, $most, $call::<$lanes, $vectors>, $at, $tile, $view, $last);
        tiles!(@ 1 $n, $most, $call::<$lanes, $vectors>, $at, $tile, $view, $last);
        debug_assert_eq!($at, $n, "every place has its tile");
    };
    (@ $size:literal $n:expr, $most:expr, $call:ident::<$lanes:ident, $vectors:ident>, $at:ident, $tile:expr, $view:expr, $last:expr) => {
        if $size <= $most {
            while $size <= $n - $at {
                $call::<$lanes, $size, $vectors>($tile, $view, $last);
                $at += $size;
            }
        }
    };
}

#[inline(always)]
unsafe fn dot_line<L: Lanes, const V: usize>(tile: DotTile, view: &View, into: Into) {
    let most = if V == 1 { L::ROWS_OF_ONE } else { L::ROWS_OF_TWO };
    // SAFETY: passed on.
    unsafe {
        tiles!(
            view.columns,
            most,
            dot_tile::<L, V>,
            |at| DotTile {
                x: tile.x.add(at * view.column_stride),
                out: tile.out.add(at * tile.out_stride),
                ..tile
            },
            view,
            into
        );
    }
}

#[inline(always)]
unsafe fn dot_tile<L: Lanes, const P: usize, const V: usize>(
    tile: DotTile,
    view: &View,
    into: Into,
) {
    // SAFETY: passed on: all addresses lie in the extents that the caller asserted.
    unsafe {
        let mut sums = [[L::zero(); V]; P];
        let mut weights = tile.weights;
        for run_idx in 0..view.runs {
            let run = tile.x.add(run_idx * view.run_stride);
            for k in 0..view.run {
                let mut row = [L::zero(); V];
                for v in 0..V {
                    row[v] = L::load(weights.add(v * L::WIDTH));
                }
                for p in 0..P {
                    let x = L::splat(run.add(p * view.column_stride + k).read());
                    for v in 0..V {
                        sums[p][v] = L::multiply_add(x, row[v], sums[p][v]);
                    }
                }
                weights = weights.add(V * L::WIDTH);
            }
        }
        for p in 0..P {
            for v in 0..V {
                let to = tile.out.add(p * tile.out_stride + v * L::WIDTH);
                let n = if v + 1 < V { L::WIDTH } else { tile.last };
                let mut sum = sums[p][v];
                if into == Into::Add {
                    sum = L::add(sum, L::load_up_to(to, n));
                }
                L::store_up_to(to, sum, n);
            }
        }
    }
}

compiled! {
    /// `sums[row][column] += Σ_outputs x[under output][row] · gradient[output][column]`.
    pub(super) fn outer(x: &[f32], view: View, gradient: &[f32], grid: Grid, sums: &mut Panels)
        = outer_body::<Lanes>
}

#[inline(always)]
fn outer_body<L: Lanes>(x: &[f32], view: View, gradient: &[f32], grid: Grid, sums: &mut Panels) {
    assert_eq!(sums.width, L::WIDTH, "packed for this instruction set");
    assert_eq!(sums.depth, view.depth(), "one row of sums an input");
    assert!(view.extent() <= x.len(), "inputs lie in their slice");
    assert!(grid.extent(&view, sums.columns) <= gradient.len(), "gradients lie in their slice");
    for panel in sums.panels() {
        let lanes = if panel.is_double { 2 * L::WIDTH } else { L::WIDTH };
        for run_idx in 0..view.runs {
            // SAFETY: asserted above; sums have `depth` rows of whole vectors.
            unsafe {
                let run = OuterTile {
                    x: x.as_ptr().add(run_idx * view.run_stride),
                    gradient: gradient.as_ptr().add(panel.first_column),
                    sums: sums.values.as_mut_ptr().add(panel.start + run_idx * view.run * lanes),
                    last: panel.last,
                };
                if panel.is_double {
                    outer_run::<L, 2>(run, &view, grid);
                } else {
                    outer_run::<L, 1>(run, &view, grid);
                }
            }
        }
    }
}

/// Where a tile of outer products starts.
#[derive(Clone, Copy)]
struct OuterTile {
    x: *const f32,
    gradient: *const f32,
    sums: *mut f32,
    last: usize,
}

#[inline(always)]
unsafe fn outer_run<L: Lanes, const V: usize>(tile: OuterTile, view: &View, grid: Grid) {
    let most = if V == 1 { L::ROWS_OF_ONE } else { L::ROWS_OF_TWO };
    // SAFETY: passed on.
    unsafe {
        tiles!(
            view.run,
            most,
            outer_tile::<L, V>,
            |at| OuterTile { x: tile.x.add(at), sums: tile.sums.add(at * V * L::WIDTH), ..tile },
            view,
            grid
        );
    }
}

#[inline(always)]
unsafe fn outer_tile<L: Lanes, const J: usize, const V: usize>(
    tile: OuterTile,
    view: &View,
    grid: Grid,
) {
    // SAFETY: passed on: all addresses lie in the extents that the caller asserted.
    unsafe {
        let mut sums = [[L::zero(); V]; J];
        for j in 0..J {
            for v in 0..V {
                sums[j][v] = L::load(tile.sums.add((j * V + v) * L::WIDTH));
            }
        }
        for line in 0..view.lines {
            let mut x = tile.x.add(line * view.line_stride);
            let mut gradient = tile.gradient.add(line * grid.line_stride);
            for _ in 0..view.columns {
                let mut row = [L::zero(); V];
                for v in 0..V {
                    let n = if v + 1 < V { L::WIDTH } else { tile.last };
                    row[v] = L::load_up_to(gradient.add(v * L::WIDTH), n);
                }
                for j in 0..J {
                    let x = L::splat(x.add(j).read());
                    for v in 0..V {
                        sums[j][v] = L::multiply_add(x, row[v], sums[j][v]);
                    }
                }
                x = x.wrapping_add(view.column_stride);
                gradient = gradient.wrapping_add(grid.column_stride);
            }
        }
        for j in 0..J {
            for v in 0..V {
                L::store(tile.sums.add((j * V + v) * L::WIDTH), sums[j][v]);
            }
        }
    }
}
