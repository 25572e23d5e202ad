//! Convolutions, depthwise convolutions and linear layers over whole batches, and their gradients.
//!
//! A picture goes band by band: some lines of outputs, with what lies under them copied into a frame of
//! zeros that stays in the cache. What the copy makes of the values on the way ([`Values`]) costs no
//! further pass over memory. Layers whose windows are single pixels need no frame (`pointwise.rs`).

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::Buffers;
pub(crate) use super::factor::Connection;
use super::factor::Factor;
use super::frame::Frame;
use super::lanes::InstructionSet;
use super::phases::{Phase, Phases};
use super::products::{Grid, View};
use super::sums::Moments;
use super::taps::Taps;
use super::values::Values;
use super::{Into, piece, pointwise};

/// A layer with weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer<'a> {
    /// What it is compiled for.
    pub(crate) set: InstructionSet,
    /// Its window.
    pub(crate) taps: &'a Taps,
    /// What its outputs see.
    pub(crate) connection: Connection,
    /// By output channel, then tap, then input channel.
    pub(crate) weights: &'a [f32],
}

/// Called with the index of a piece, the first element of some whole pixels, and their gradients, as
/// soon as these are known.
pub(crate) type After<'a> = dyn Fn(usize, usize, &mut [f32]) + Sync + 'a;

/// Where the gradient by a layer's inputs goes.
pub(crate) struct InputGradient<'a> {
    /// By input.
    pub(crate) values: &'a mut [f32],
    /// What to do with what is there.
    pub(crate) into: Into,
    /// What to do then.
    pub(crate) after: Option<&'a After<'a>>,
}

/// Elements that a band of inputs may have: half a megabyte stays in a second-level cache.
const BAND_ELEMENTS: usize = 1 << 17;

impl Layer<'_> {
    fn is_pointwise(&self) -> bool {
        self.taps.is_plain() && self.connection == Connection::Dense
    }

    /// The sums of all outputs, and their moments.
    pub(crate) fn forward(&self, input: &Values<'_>, out: &mut [f32]) -> Moments {
        let factor = Factor::forward(self.set, self.taps, self.connection, self.weights);
        let (in_elements, out_elements) = (self.taps.input.elements(), self.taps.output.elements());
        let pictures = piece(input.len() / in_elements);
        let of_piece = |(piece_idx, out): (usize, &mut [f32])| {
            let first = piece_idx * pictures * in_elements;
            if self.is_pointwise() {
                pointwise::forward(self, &factor, input, first, out)
            } else {
                self.forward_piece(&factor, input, first, out)
            }
        };
        let pieces = out.par_chunks_mut(pictures * out_elements).enumerate().map(of_piece);
        Moments::of_parts(self.taps.output.channels, &pieces.collect::<Vec<_>>())
    }

    fn forward_piece(
        &self,
        factor: &Factor,
        input: &Values<'_>,
        first: usize,
        out: &mut [f32],
    ) -> Moments {
        let (taps, set) = (self.taps, self.set);
        let frame = input_frame(taps);
        let out_row = taps.output.width * taps.output.channels;
        let mut moments = Moments::new(taps.output.channels);
        let lines = band_lines(taps, &frame);
        let mut scratch = vec![0.0; rows_under(taps, 0..lines).len() * frame.row()];
        for (i, out) in out.chunks_exact_mut(taps.output.elements()).enumerate() {
            let picture = first + i * taps.input.elements();
            for (band_idx, out) in out.chunks_mut(lines * out_row).enumerate() {
                let band = band_idx * lines..band_idx * lines + out.len() / out_row;
                frame.fill(set, (input, picture), rows_under(taps, band.clone()), &mut scratch);
                let view = view_of(taps, &frame, band.len());
                factor.dot(set, (&scratch, view), (out, grid_of(taps)), Into::Overwrite);
                moments.add(set, out);
            }
        }
        moments
    }

    /// The gradients by weights and, where there is a place for it, by the inputs.
    pub(crate) fn backward(
        &self,
        input: &Values<'_>,
        gradient: &Values<'_>,
        weight_gradient: &mut [f32],
        input_gradient: Option<InputGradient<'_>>,
        buffers: &mut Buffers,
    ) {
        if self.is_pointwise() {
            pointwise::backward(self, input, gradient, weight_gradient, input_gradient, buffers);
            return;
        }
        let in_elements = self.taps.input.elements();
        let pictures = piece(input.len() / in_elements);
        let phases = input_gradient
            .is_some()
            .then(|| Phases::new(self.set, self.taps, self.connection, self.weights));
        let work = Backward { layer: self, input, gradient, phases };
        let parts: Vec<Factor> = if let Some(InputGradient { values, into, after }) = input_gradient
        {
            let pieces = values.par_chunks_mut(pictures * in_elements).enumerate();
            let work = |(i, values): (usize, &mut [f32])| {
                let range = i * pictures..i * pictures + values.len() / in_elements;
                work.piece(i, range, Some(InputGradient { values, into, after }))
            };
            pieces.map(work).collect()
        } else {
            let n = input.len() / in_elements;
            let range = |i: usize| i * pictures..((i + 1) * pictures).min(n);
            let pieces = (0..n.div_ceil(pictures)).into_par_iter();
            pieces.map(|i| work.piece(i, range(i), None)).collect()
        };
        add_up(parts, Factor::add).unpack(self.taps, weight_gradient);
    }
}

/// The sum of all parts, in their order.
pub(super) fn add_up<T>(parts: Vec<T>, add: impl Fn(&mut T, &T)) -> T {
    let mut parts = parts.into_iter();
    let mut sum = parts.next().expect("a batch has pictures");
    parts.for_each(|part| add(&mut sum, &part));
    sum
}

/// The frame around a layer's inputs.
fn input_frame(taps: &Taps) -> Frame {
    Frame {
        height: taps.input.height,
        width: taps.input.width,
        channels: taps.input.channels,
        top: taps.pads.top,
        left: taps.pads.left,
        full_width: (taps.output.width - 1) * taps.window.stride_width + taps.window.kernel_width,
    }
}

/// The frame's rows under some lines of outputs.
fn rows_under(taps: &Taps, lines: Range<usize>) -> Range<usize> {
    let stride = taps.window.stride_height;
    lines.start * stride..(lines.end - 1) * stride + taps.window.kernel_height
}

/// Lines of outputs that are computed at once.
fn band_lines(taps: &Taps, frame: &Frame) -> usize {
    let lines = BAND_ELEMENTS / (frame.row() * taps.window.stride_height);
    // A short band would copy its neighbours' rows again and again.
    lines.max(4 * taps.window.kernel_height).min(taps.output.height)
}

/// Where the inputs of a band's outputs lie in the frame.
fn view_of(taps: &Taps, frame: &Frame, lines: usize) -> View {
    let (window, channels) = (taps.window, taps.input.channels);
    View {
        lines,
        columns: taps.output.width,
        line_stride: window.stride_height * frame.row(),
        column_stride: window.stride_width * channels,
        runs: window.kernel_height,
        run_stride: frame.row(),
        run: window.kernel_width * channels,
    }
}

fn grid_of(taps: &Taps) -> Grid {
    let channels = taps.output.channels;
    Grid { line_stride: taps.output.width * channels, column_stride: channels }
}

/// The backward pass of a layer with frames.
struct Backward<'a> {
    layer: &'a Layer<'a>,
    input: &'a Values<'a>,
    gradient: &'a Values<'a>,
    /// None where nobody asks for the gradient by the inputs.
    phases: Option<Phases>,
}

/// What a piece works in.
struct Scratch {
    input: Vec<f32>,
    gradient: Vec<f32>,
    gradient_frame: Frame,
    /// Rows and columns before the first output.
    before: [usize; 2],
}

impl Backward<'_> {
    /// Some pictures: the sums of the weights' gradients.
    fn piece(
        &self,
        piece_idx: usize,
        pictures: Range<usize>,
        mut input_gradient: Option<InputGradient<'_>>,
    ) -> Factor {
        let Layer { set, taps, connection, .. } = *self.layer;
        let frame = input_frame(taps);
        let lines = band_lines(taps, &frame);
        let mut scratch = self.scratch(&frame, lines);
        let mut sums = Factor::zeros(set, taps, connection);
        let in_elements = taps.input.elements();
        for (i, picture) in pictures.enumerate() {
            let mut place = input_gradient.as_mut().map(|gradient| {
                let values = &mut gradient.values[i * in_elements..(i + 1) * in_elements];
                (values, gradient.into)
            });
            if let (Some((values, Into::Overwrite)), Some(phases)) = (&mut place, &self.phases)
                && phases.leaves_out
            {
                values.fill(0.0);
            }
            for start in (0..taps.output.height).step_by(lines) {
                let band = start..(start + lines).min(taps.output.height);
                self.band(&frame, &mut scratch, picture, band, &mut sums, place.as_mut());
            }
            if let Some(InputGradient { values, after: Some(after), .. }) = &mut input_gradient {
                let values = &mut values[i * in_elements..(i + 1) * in_elements];
                after(piece_idx, picture * in_elements, values);
            }
        }
        sums
    }

    fn scratch(&self, frame: &Frame, lines: usize) -> Scratch {
        let taps = self.layer.taps;
        let (before, steps) = match &self.phases {
            Some(phases) => (phases.before, phases.steps),
            None => ([0; 2], [0; 2]),
        };
        let gradient_frame = Frame {
            height: taps.output.height,
            width: taps.output.width,
            channels: taps.output.channels,
            top: before[0],
            left: before[1],
            full_width: before[1] + taps.output.width.max(steps[1]),
        };
        // The last band has the steps beyond the last output, too.
        let most_lines = lines + steps[0].saturating_sub(taps.output.height);
        Scratch {
            input: vec![0.0; rows_under(taps, 0..lines).len() * frame.row()],
            gradient: vec![0.0; (before[0] + most_lines) * gradient_frame.row()],
            gradient_frame,
            before,
        }
    }

    /// Some lines of outputs of a picture.
    fn band(
        &self,
        frame: &Frame,
        scratch: &mut Scratch,
        picture: usize,
        band: Range<usize>,
        sums: &mut Factor,
        place: Option<&mut (&mut [f32], Into)>,
    ) {
        let Layer { set, taps, .. } = *self.layer;
        let input_rows = rows_under(taps, band.clone());
        let values = (self.input, picture * taps.input.elements());
        frame.fill(set, values, input_rows, &mut scratch.input);
        let is_last = band.end == taps.output.height;
        let steps = match &self.phases {
            Some(phases) if is_last => band.start..band.end.max(phases.steps[0]),
            Some(_) | None => band.clone(),
        };
        // Row r of the frame is output r − before.
        let rows = steps.start..steps.end + scratch.before[0];
        let values = (self.gradient, picture * taps.output.elements());
        scratch.gradient_frame.fill(set, values, rows, &mut scratch.gradient);
        let row = scratch.gradient_frame.row();
        let channels = taps.output.channels;
        let outputs = &scratch.gradient[scratch.before[0] * row + scratch.before[1] * channels..];
        let grid = Grid { line_stride: row, column_stride: channels };
        let view = view_of(taps, frame, band.len());
        sums.add_outer(set, (&scratch.input, view), (outputs, grid));
        if let (Some((values, into)), Some(phases)) = (place, &self.phases) {
            for phase in &phases.all {
                self.phase(phase, scratch, steps.clone(), values, *into);
            }
        }
    }

    /// The input pixels of a phase in some steps of rows.
    fn phase(
        &self,
        phase: &Phase,
        scratch: &Scratch,
        steps: Range<usize>,
        values: &mut [f32],
        into: Into,
    ) {
        let (window, input) = (self.layer.taps.window, self.layer.taps.input);
        let rows = phase.rows.start.max(steps.start)..phase.rows.end.min(steps.end);
        if rows.is_empty() {
            return;
        }
        let [row, channels] = [scratch.gradient_frame.row(), scratch.gradient_frame.channels];
        let skipped = [0, 1].map(|side| scratch.before[side] + 1 - phase.taps[side]);
        let start = (skipped[0] + rows.start - steps.start) * row
            + (skipped[1] + phase.columns.start) * channels;
        let view = View {
            lines: rows.len(),
            columns: phase.columns.len(),
            line_stride: row,
            column_stride: channels,
            runs: phase.taps[0],
            run_stride: row,
            run: phase.taps[1] * channels,
        };
        let grid = Grid {
            line_stride: window.stride_height * input.width * input.channels,
            column_stride: window.stride_width * input.channels,
        };
        let first_row = phase.first[0] + (rows.start - phase.rows.start) * window.stride_height;
        let first = (first_row * input.width + phase.first[1]) * input.channels;
        let inputs = (&scratch.gradient[start..], view);
        phase.factor.dot(self.layer.set, inputs, (&mut values[first..], grid), into);
    }
}
