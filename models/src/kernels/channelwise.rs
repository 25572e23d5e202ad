//! Depthwise products: every channel with its own weights, vectors of channels at once.
#![expect(unsafe_code, reason = "vector intrinsics on raw pointers")]
#![expect(clippy::inline_always, reason = "inlined into functions that enable the instructions")]

use super::Into;
use super::lanes::{Lanes, compiled};
use super::products::{Grid, View};

/// Weights, or sums of their gradients, by tap, then channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ByTap {
    pub(super) values: Vec<f32>,
    pub(super) channels: usize,
}

impl ByTap {
    /// Chosen taps of weights by channel, then tap.
    pub(super) fn pack(
        weights: &[f32],
        [n_taps, channels]: [usize; 2],
        chosen: impl Iterator<Item = usize>,
    ) -> Self {
        let of_tap = |tap| (0..channels).map(move |channel| weights[channel * n_taps + tap]);
        Self { values: chosen.flat_map(of_tap).collect(), channels }
    }

    /// Taps of a run of a window's view.
    fn taps(&self, view: &View) -> usize {
        let taps = view.run / self.channels;
        assert_eq!(self.values.len(), view.runs * view.run, "one weight a tap and channel");
        assert_eq!(view.run, taps * self.channels, "runs are whole pixels");
        taps
    }
}

/// One vector of channels of a whole view.
#[derive(Clone, Copy)]
struct Column<'a> {
    x: *const f32,
    by_tap: *const f32,
    channels: usize,
    /// Channels of this vector.
    n: usize,
    view: &'a View,
    grid: Grid,
    /// Taps of a run.
    taps: usize,
}

compiled! {
    /// `out[output][c] = Σ_tap x[under output][tap][c] · weights[tap][c]`, or that added.
    pub(super) fn dot(x: &[f32], view: View, weights: &ByTap, out: &mut [f32], grid: Grid, into: Into)
        = dot_body::<Lanes>
}

#[inline(always)]
fn dot_body<L: Lanes>(
    x: &[f32],
    view: View,
    weights: &ByTap,
    out: &mut [f32],
    grid: Grid,
    into: Into,
) {
    let (channels, taps) = (weights.channels, weights.taps(&view));
    assert!(view.extent() <= x.len(), "inputs lie in their slice");
    assert!(grid.extent(&view, channels) <= out.len(), "outputs lie in their slice");
    for first in (0..channels).step_by(L::WIDTH) {
        let n = (channels - first).min(L::WIDTH);
        // SAFETY: asserted above.
        unsafe {
            let by_tap = weights.values.as_ptr().add(first);
            let x = x.as_ptr().add(first);
            let column = Column { x, by_tap, channels, n, view: &view, grid, taps };
            let out = out.as_mut_ptr().add(first);
            if (view.runs, taps) == (3, 3) {
                dot_square::<L, 3>(column, out, into);
            } else if (view.runs, taps) == (2, 2) {
                dot_square::<L, 2>(column, out, into);
            } else {
                dot_any::<L>(column, out, into);
            }
        }
    }
}

#[inline(always)]
unsafe fn dot_square<L: Lanes, const K: usize>(column: Column<'_>, out: *mut f32, into: Into) {
    let Column { channels, n, view, .. } = column;
    // SAFETY: passed on.
    unsafe {
        let mut weights = [[L::zero(); K]; K];
        for (row, weights) in weights.iter_mut().enumerate() {
            for (tap, weight) in weights.iter_mut().enumerate() {
                *weight = L::load_up_to(column.by_tap.add((row * K + tap) * channels), n);
            }
        }
        for line in 0..view.lines {
            for i in 0..view.columns {
                let x = column.x.add(line * view.line_stride + i * view.column_stride);
                let to = out.add(line * column.grid.line_stride + i * column.grid.column_stride);
                let mut sum = if into == Into::Add { L::load_up_to(to, n) } else { L::zero() };
                for (row, weights) in weights.iter().enumerate() {
                    for (tap, weight) in weights.iter().enumerate() {
                        let x = L::load_up_to(x.add(row * view.run_stride + tap * channels), n);
                        sum = L::multiply_add(x, *weight, sum);
                    }
                }
                L::store_up_to(to, sum, n);
            }
        }
    }
}

#[inline(always)]
unsafe fn dot_any<L: Lanes>(column: Column<'_>, out: *mut f32, into: Into) {
    let Column { channels, n, view, taps, .. } = column;
    // SAFETY: passed on.
    unsafe {
        for line in 0..view.lines {
            for i in 0..view.columns {
                let x = column.x.add(line * view.line_stride + i * view.column_stride);
                let to = out.add(line * column.grid.line_stride + i * column.grid.column_stride);
                let mut sum = if into == Into::Add { L::load_up_to(to, n) } else { L::zero() };
                for tap in 0..view.runs * taps {
                    let x = x.add(tap / taps * view.run_stride + tap % taps * channels);
                    let weight = L::load_up_to(column.by_tap.add(tap * channels), n);
                    sum = L::multiply_add(L::load_up_to(x, n), weight, sum);
                }
                L::store_up_to(to, sum, n);
            }
        }
    }
}

compiled! {
    /// `sums[tap][c] += Σ_outputs x[under output][tap][c] · gradient[output][c]`.
    pub(super) fn outer(x: &[f32], view: View, gradient: &[f32], grid: Grid, sums: &mut ByTap)
        = outer_body::<Lanes>
}

#[inline(always)]
fn outer_body<L: Lanes>(x: &[f32], view: View, gradient: &[f32], grid: Grid, sums: &mut ByTap) {
    let (channels, taps) = (sums.channels, sums.taps(&view));
    assert!(view.extent() <= x.len(), "inputs lie in their slice");
    assert!(grid.extent(&view, channels) <= gradient.len(), "gradients lie in their slice");
    for first in (0..channels).step_by(L::WIDTH) {
        let n = (channels - first).min(L::WIDTH);
        // SAFETY: asserted above; what is written is borrowed exclusively.
        unsafe {
            let to = sums.values.as_mut_ptr().add(first);
            let x = x.as_ptr().add(first);
            let column = Column { x, by_tap: to, channels, n, view: &view, grid, taps };
            let gradient = gradient.as_ptr().add(first);
            if (view.runs, taps) == (3, 3) {
                outer_square::<L, 3>(column, gradient, to);
            } else {
                outer_any::<L>(column, gradient, to);
            }
        }
    }
}

#[inline(always)]
unsafe fn outer_square<L: Lanes, const K: usize>(
    column: Column<'_>,
    gradient: *const f32,
    to: *mut f32,
) {
    let Column { channels, n, view, .. } = column;
    // SAFETY: passed on.
    unsafe {
        let mut sums = [[L::zero(); K]; K];
        for line in 0..view.lines {
            for i in 0..view.columns {
                let x = column.x.add(line * view.line_stride + i * view.column_stride);
                let at = line * column.grid.line_stride + i * column.grid.column_stride;
                let gradient = L::load_up_to(gradient.add(at), n);
                for (row, sums) in sums.iter_mut().enumerate() {
                    for (tap, sum) in sums.iter_mut().enumerate() {
                        let x = L::load_up_to(x.add(row * view.run_stride + tap * channels), n);
                        *sum = L::multiply_add(x, gradient, *sum);
                    }
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (tap, sum) in sums.iter().enumerate() {
                let to = to.add((row * K + tap) * channels);
                L::store_up_to(to, L::add(L::load_up_to(to, n), *sum), n);
            }
        }
    }
}

#[inline(always)]
unsafe fn outer_any<L: Lanes>(column: Column<'_>, gradient: *const f32, to: *mut f32) {
    let Column { channels, n, view, taps, .. } = column;
    // SAFETY: passed on.
    unsafe {
        for tap in 0..view.runs * taps {
            let x = column.x.add(tap / taps * view.run_stride + tap % taps * channels);
            let to = to.add(tap * channels);
            let mut sum = L::load_up_to(to, n);
            for line in 0..view.lines {
                for i in 0..view.columns {
                    let x = x.add(line * view.line_stride + i * view.column_stride);
                    let at = line * column.grid.line_stride + i * column.grid.column_stride;
                    let gradient = L::load_up_to(gradient.add(at), n);
                    sum = L::multiply_add(L::load_up_to(x, n), gradient, sum);
                }
            }
            L::store_up_to(to, sum, n);
        }
    }
}
