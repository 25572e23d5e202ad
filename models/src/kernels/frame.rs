//! A picture with zeros around it: what a window needs to run without looking where it is.

use std::ops::Range;

use super::lanes::{InstructionSet, compiled};
use super::values::Values;

/// How a picture lies in its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Rows of the picture.
    pub(super) height: usize,
    /// Pixels of a row.
    pub(super) width: usize,
    /// Channels of a pixel.
    pub(super) channels: usize,
    /// Rows of zeros above it.
    pub(super) top: usize,
    /// Pixels of zeros to its left.
    pub(super) left: usize,
    /// Pixels of a row of the frame: fewer than those before and of the picture cut it.
    pub(super) full_width: usize,
}

impl Frame {
    /// Elements of a row of the frame.
    pub(super) fn row(&self) -> usize {
        self.full_width * self.channels
    }

    /// Writes rows of the frame, one after the other, around the picture whose first element is
    /// `picture`. The zeros beside the picture are those that `out` has.
    pub(super) fn fill(
        &self,
        set: InstructionSet,
        (values, picture): (&Values<'_>, usize),
        rows: Range<usize>,
        out: &mut [f32],
    ) {
        fill(set, self, values, picture, rows, out);
    }
}

compiled! {
    fn fill(frame: &Frame, values: &Values<'_>, picture: usize, rows: Range<usize>, out: &mut [f32])
        = fill_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn fill_body(
    frame: &Frame,
    values: &Values<'_>,
    picture: usize,
    rows: Range<usize>,
    out: &mut [f32],
) {
    let [left, right] =
        [frame.left, frame.left + frame.width].map(|column| column.min(frame.full_width));
    let inside = left * frame.channels..right * frame.channels;
    for (row, out) in rows.zip(out.chunks_exact_mut(frame.row())) {
        if frame.top <= row && row < frame.top + frame.height {
            let start = picture + (row - frame.top) * frame.width * frame.channels;
            values.read(start, &mut out[inside.clone()]);
        } else {
            out.fill(0.0);
        }
    }
}
