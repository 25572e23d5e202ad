//! Convolutions of single pixels and linear layers: products over all pixels of a batch, block by block.

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::Buffers;
use super::factor::Factor;
use super::lanes::{InstructionSet, compiled};
use super::products::{self, Grid, Panels, View};
use super::sums::Moments;
use super::values::Values;
use super::window::{InputGradient, Layer, add_up};
use super::{Into, PIECES, piece};

/// Elements of the inputs or outputs of a block, at most: a quarter of a second-level cache.
const BLOCK_ELEMENTS: usize = 1 << 16;
/// Inputs and outputs of a tile of weights, and pixels that its gradient is summed over at once.
const TILE: usize = 64;
const TILE_PIXELS: usize = 64;

fn block_pixels(inputs: usize, outputs: usize) -> usize {
    (BLOCK_ELEMENTS / inputs.max(outputs)).clamp(32, 1024)
}

/// Pixels one after the other.
fn pixels(channels: usize) -> Grid {
    Grid { line_stride: 0, column_stride: channels }
}

/// Values of whole pixels: where they lie, or copied.
fn at_hand<'a>(
    layer: &Layer<'_>,
    values: &Values<'a>,
    [start, length]: [usize; 2],
    scratch: &'a mut Vec<f32>,
) -> &'a [f32] {
    if let Some(values) = values.in_place(start..start + length) {
        return values;
    }
    scratch.resize(length, 0.0);
    values.copy(layer.set, start, scratch);
    scratch
}

/// The sums of a piece of the outputs, whose inputs start at element `first`, and their moments.
pub(super) fn forward(
    layer: &Layer<'_>,
    factor: &Factor,
    input: &Values<'_>,
    first: usize,
    out: &mut [f32],
) -> Moments {
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    let block = block_pixels(inputs, outputs);
    let (mut moments, mut scratch) = (Moments::new(outputs), Vec::new());
    for (block_idx, out) in out.chunks_mut(block * outputs).enumerate() {
        let n = out.len() / outputs;
        let start = first + block_idx * block * inputs;
        let x = at_hand(layer, input, [start, n * inputs], &mut scratch);
        let view = View::vectors(n, inputs);
        factor.dot(layer.set, (x, view), (out, pixels(outputs)), Into::Overwrite);
        moments.add(layer.set, out);
    }
    moments
}

/// The gradients by weights and, where there is a place for it, by the inputs.
pub(super) fn backward(
    layer: &Layer<'_>,
    input: &Values<'_>,
    gradient: &Values<'_>,
    weight_gradient: &mut [f32],
    input_gradient: Option<InputGradient<'_>>,
    buffers: &mut Buffers,
) {
    if !has_many_weights(layer, input.len()) {
        few_weights(layer, input, gradient, weight_gradient, input_gradient);
        return;
    }
    let mut inputs = Vec::new();
    let input = whole(layer, input, layer.taps.fan_in(), &mut inputs, buffers);
    let mut gradients = Vec::new();
    let gradient = whole(layer, gradient, layer.taps.output.channels, &mut gradients, buffers);
    if let Some(place) = input_gradient {
        by_inputs(layer, gradient, place);
    }
    by_weights(layer, input, gradient, weight_gradient);
    buffers.give(inputs);
    buffers.give(gradients);
}

/// Whether threads should share weights, not pixels: sums for every piece of the pixels are written and
/// added up, while sharing weights writes and reads inputs and outputs a few times more.
fn has_many_weights(layer: &Layer<'_>, input_elements: usize) -> bool {
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    let n_pixels = input_elements / inputs;
    4 * n_pixels * (inputs + outputs) < 3 * PIECES * layer.weights.len()
}

/// All values, where they lie or written into a buffer.
fn whole<'a>(
    layer: &Layer<'_>,
    values: &Values<'a>,
    channels: usize,
    buffer: &'a mut Vec<f32>,
    buffers: &mut Buffers,
) -> &'a [f32] {
    if let Some(values) = values.in_place(0..values.len()) {
        return values;
    }
    *buffer = buffers.take(values.len());
    values.copy_all(layer.set, channels, buffer);
    buffer
}

/// The weights as the gradient by the inputs needs them.
fn transposed(layer: &Layer<'_>) -> Factor {
    Factor::transposed(layer.set, layer.taps, layer.connection, layer.weights, &[0])
}

/// The gradient by the inputs of some pixels of a piece, the first of which is input element `start`.
fn block_by_inputs(
    layer: &Layer<'_>,
    weights: &Factor,
    gradient: &[f32],
    [piece_idx, start]: [usize; 2],
    InputGradient { values, into, after }: InputGradient<'_>,
) {
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    let view = View::vectors(values.len() / inputs, outputs);
    weights.dot(layer.set, (gradient, view), (values, pixels(inputs)), into);
    if let Some(after) = after {
        after(piece_idx, start, values);
    }
}

/// The gradient by the inputs alone.
fn by_inputs(layer: &Layer<'_>, gradient: &[f32], place: InputGradient<'_>) {
    let InputGradient { values, into, after } = place;
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    let weights = transposed(layer);
    let (of_piece, block) = (piece(values.len() / inputs), block_pixels(inputs, outputs));
    let work = |(piece_idx, values): (usize, &mut [f32])| {
        for (block_idx, values) in values.chunks_mut(block * inputs).enumerate() {
            let first = piece_idx * of_piece + block_idx * block;
            let gradient = &gradient[first * outputs..];
            let place = InputGradient { values, into, after };
            block_by_inputs(layer, &weights, gradient, [piece_idx, first * inputs], place);
        }
    };
    values.par_chunks_mut(of_piece * inputs).enumerate().for_each(work);
}

/// The gradient by the weights alone: ranges of inputs × ranges of outputs, each over all pixels.
fn by_weights(layer: &Layer<'_>, input: &[f32], gradient: &[f32], weight_gradient: &mut [f32]) {
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    let count = |range: usize| inputs.div_ceil(range) * outputs.div_ceil(range);
    let range = [4 * TILE, 2 * TILE].into_iter().find(|&range| PIECES <= count(range));
    let (of_inputs, of_outputs) =
        (cut(0..inputs, range.unwrap_or(TILE)), cut(0..outputs, range.unwrap_or(TILE)));
    let pairs: Vec<[&Range<usize>; 2]> = of_outputs
        .iter()
        .flat_map(|columns| of_inputs.iter().map(move |rows| [rows, columns]))
        .collect();
    let sums = |[rows, columns]: &[&Range<usize>; 2]| {
        let mut sums = WeightSums::new(layer.set, [inputs, outputs], [rows, columns]);
        let block = block_pixels(inputs, outputs);
        let blocks = input.chunks(block * inputs).zip(gradient.chunks(block * outputs));
        blocks.for_each(|(input, gradient)| sums.add_outer(input, gradient));
        sums
    };
    let parts: Vec<WeightSums> = pairs.par_iter().map(sums).collect();
    for part in &parts {
        part.unpack(weight_gradient);
    }
}

/// A range in pieces of `size`.
fn cut(range: Range<usize>, size: usize) -> Vec<Range<usize>> {
    range.clone().step_by(size).map(|start| start..(start + size).min(range.end)).collect()
}

/// Sums of the gradients of a range of inputs × a range of outputs, tile by tile.
///
/// The channels of a tile are copied side by side before they are multiplied: pixels that are a power of
/// two apart would fall on each other in the cache.
struct WeightSums {
    set: InstructionSet,
    /// Inputs and outputs of a pixel.
    channels: [usize; 2],
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
    /// By column range, then row range.
    tiles: Vec<Panels>,
    input: Vec<Vec<f32>>,
    gradient: Vec<Vec<f32>>,
}

impl WeightSums {
    fn new(set: InstructionSet, channels: [usize; 2], [rows, columns]: [&Range<usize>; 2]) -> Self {
        let (rows, columns) = (cut(rows.clone(), TILE), cut(columns.clone(), TILE));
        let tile = |columns: &Range<usize>| {
            let columns = columns.len();
            rows.iter().map(move |rows| Panels::zeros(set, rows.len(), columns))
        };
        let scratch = |ranges: &[Range<usize>]| {
            ranges.iter().map(|range| vec![0.0; TILE_PIXELS * range.len()]).collect()
        };
        Self {
            tiles: columns.iter().flat_map(tile).collect(),
            input: scratch(&rows),
            gradient: scratch(&columns),
            set,
            channels,
            rows,
            columns,
        }
    }

    /// Adds the products of some pixels.
    fn add_outer(&mut self, input: &[f32], gradient: &[f32]) {
        let Self { set, channels: [inputs, outputs], .. } = *self;
        let blocks = input.chunks(TILE_PIXELS * inputs).zip(gradient.chunks(TILE_PIXELS * outputs));
        for (input, gradient) in blocks {
            let n = input.len() / inputs;
            for (out, range) in self.input.iter_mut().zip(&self.rows) {
                pick(set, out, input, inputs, range);
            }
            for (out, range) in self.gradient.iter_mut().zip(&self.columns) {
                pick(set, out, gradient, outputs, range);
            }
            let (rows, columns) = (self.input.iter().zip(&self.rows), &self.columns);
            let pairs = self
                .gradient
                .iter()
                .zip(columns)
                .flat_map(|column| rows.clone().map(move |row| (row, column)));
            for (sums, ((x, rows), (gradient, columns))) in self.tiles.iter_mut().zip(pairs) {
                let view = View::vectors(n, rows.len());
                products::outer(set, x, view, gradient, pixels(columns.len()), sums);
            }
        }
    }

    /// Adds other sums of the same weights.
    fn add(&mut self, other: &Self) {
        self.tiles.iter_mut().zip(&other.tiles).for_each(|(sums, other)| sums.add(other));
    }

    /// Writes the sums into a layer's weights.
    fn unpack(&self, weights: &mut [f32]) {
        let inputs = self.channels[0];
        let places = self.columns.iter().flat_map(|columns| {
            self.rows.iter().map(move |rows| columns.start * inputs + rows.start)
        });
        for (tile, place) in self.tiles.iter().zip(places) {
            tile.unpack_columns(&mut weights[place..], inputs);
        }
    }
}

compiled! {
    /// Copies a range of the channels of some pixels.
    fn pick(out: &mut [f32], values: &[f32], channels: usize, range: &Range<usize>) = pick_body
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for an instruction set")]
fn pick_body(out: &mut [f32], values: &[f32], channels: usize, range: &Range<usize>) {
    let pixels = values.chunks_exact(channels);
    if range.len() == TILE {
        // A length that the compiler knows is copied without a call.
        for (out, values) in out.as_chunks_mut::<TILE>().0.iter_mut().zip(pixels) {
            *out = *values[range.start..].first_chunk().expect("the range lies in the pixel");
        }
        return;
    }
    for (out, values) in out.chunks_exact_mut(range.len()).zip(pixels) {
        out.copy_from_slice(&values[range.clone()]);
    }
}

/// Both gradients, block by block, with sums of the weights' gradients for each piece of the pixels.
fn few_weights(
    layer: &Layer<'_>,
    input: &Values<'_>,
    gradient: &Values<'_>,
    weight_gradient: &mut [f32],
    input_gradient: Option<InputGradient<'_>>,
) {
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    let (n_pixels, block) = (input.len() / inputs, block_pixels(inputs, outputs));
    let of_piece = piece(n_pixels);
    let weights = input_gradient.is_some().then(|| transposed(layer));
    let work = |piece_idx: usize, mut place: Option<InputGradient<'_>>| {
        let mut sums = WeightSums::new(layer.set, [inputs, outputs], [&(0..inputs), &(0..outputs)]);
        let (mut x_scratch, mut gradient_scratch) = (Vec::new(), Vec::new());
        let end = ((piece_idx + 1) * of_piece).min(n_pixels);
        for (block_idx, first) in (piece_idx * of_piece..end).step_by(block).enumerate() {
            let n = (end - first).min(block);
            let x = at_hand(layer, input, [first * inputs, n * inputs], &mut x_scratch);
            let range = [first * outputs, n * outputs];
            let gradient = at_hand(layer, gradient, range, &mut gradient_scratch);
            sums.add_outer(x, gradient);
            if let (Some(InputGradient { values, into, after }), Some(weights)) =
                (&mut place, &weights)
            {
                let start = block_idx * block * inputs;
                let values = &mut values[start..start + n * inputs];
                let place = InputGradient { values, into: *into, after: *after };
                block_by_inputs(layer, weights, gradient, [piece_idx, first * inputs], place);
            }
        }
        sums
    };
    let parts: Vec<WeightSums> = match input_gradient {
        Some(InputGradient { values, into, after }) => values
            .par_chunks_mut(of_piece * inputs)
            .enumerate()
            .map(|(i, values)| work(i, Some(InputGradient { values, into, after })))
            .collect(),
        None => (0..n_pixels.div_ceil(of_piece)).into_par_iter().map(|i| work(i, None)).collect(),
    };
    add_up(parts, WeightSums::add).unpack(weight_gradient);
}
