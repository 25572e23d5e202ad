//! Convolutions of single pixels and linear layers: products over all pixels of a batch, block by block.

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::Buffers;
use super::factor::Factor;
use super::finish::{Moments, Values};
use super::products::{self, Grid, Panels, View};
use super::window::{InputGradient, Layer, add_up};
use super::{Into, piece};

/// Elements of the inputs or outputs of a block, at most: a quarter of a second-level cache.
const BLOCK_ELEMENTS: usize = 1 << 16;
/// From so many weights on, threads share weights, not pictures: sums for each piece of the pictures
/// would cost more than the pictures.
const MANY_WEIGHTS: usize = 1 << 14;
/// Inputs and outputs of a tile of such weights, and pixels that are summed at once.
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
    if layer.weights.len() < MANY_WEIGHTS {
        few_weights(layer, input, gradient, weight_gradient, input_gradient);
        return;
    }
    let mut inputs = Vec::new();
    let input = whole(layer, input, layer.taps.fan_in(), &mut inputs, buffers);
    let mut gradients = Vec::new();
    let gradient = whole(layer, gradient, layer.taps.output.channels, &mut gradients, buffers);
    if let Some(place) = input_gradient {
        by_inputs(layer, &Values::Plain(gradient), place);
    }
    by_weights(layer, input, gradient, weight_gradient);
    buffers.give(inputs);
    buffers.give(gradients);
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
    let pixels = piece(values.len() / channels) * channels;
    let copy = |(i, out): (usize, &mut [f32])| values.copy(layer.set, i * pixels, out);
    buffer.par_chunks_mut(pixels).enumerate().for_each(copy);
    buffer
}

/// The weights by input, then output: what gradients by outputs are multiplied with.
fn transposed(layer: &Layer<'_>) -> Panels {
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    Panels::pack(layer.set, [outputs, inputs], layer.weights, 1, |row| row * inputs)
}

/// The gradient by the inputs alone.
fn by_inputs(layer: &Layer<'_>, gradient: &Values<'_>, place: InputGradient<'_>) {
    let InputGradient { values, into, after } = place;
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    let weights = transposed(layer);
    let (n_pixels, block) = (values.len() / inputs, block_pixels(inputs, outputs));
    let of_piece = piece(n_pixels);
    let work = |(piece_idx, values): (usize, &mut [f32])| {
        let mut scratch = Vec::new();
        for (block_idx, values) in values.chunks_mut(block * inputs).enumerate() {
            let first = piece_idx * of_piece + block_idx * block;
            let n = values.len() / inputs;
            let range = [first * outputs, n * outputs];
            let gradient = at_hand(layer, gradient, range, &mut scratch);
            let view = View::vectors(n, outputs);
            products::dot(layer.set, gradient, view, &weights, values, pixels(inputs), into);
            if let Some(after) = after {
                after(piece_idx, first * inputs, values);
            }
        }
    };
    values.par_chunks_mut(of_piece * inputs).enumerate().for_each(work);
}

/// The gradient by the weights alone: tiles of inputs × outputs, each over all pixels.
fn by_weights(layer: &Layer<'_>, input: &[f32], gradient: &[f32], weight_gradient: &mut [f32]) {
    let (inputs, outputs) = (layer.taps.fan_in(), layer.taps.output.channels);
    let cut = |n: usize| (0..n).step_by(TILE).map(move |start| start..(start + TILE).min(n));
    let tiles: Vec<[Range<usize>; 2]> = cut(outputs)
        .flat_map(|columns| cut(inputs).map(move |rows| [rows, columns.clone()]))
        .collect();
    let sums = |[rows, columns]: &[Range<usize>; 2]| {
        let mut sums = Panels::zeros(layer.set, rows.len(), columns.len());
        // Channels of a tile side by side: pixels that are a power of two apart would fall on each
        // other in the cache.
        let [mut x, mut outputs_gradient] =
            [rows, columns].map(|range| vec![0.0; TILE_PIXELS * range.len()]);
        let blocks = input.chunks(TILE_PIXELS * inputs).zip(gradient.chunks(TILE_PIXELS * outputs));
        for (input, gradient) in blocks {
            let n = input.len() / inputs;
            pick(&mut x, input, inputs, rows);
            pick(&mut outputs_gradient, gradient, outputs, columns);
            let view = View::vectors(n, rows.len());
            let grid = pixels(columns.len());
            products::outer(layer.set, &x, view, &outputs_gradient, grid, &mut sums);
        }
        sums
    };
    let parts: Vec<Panels> = tiles.par_iter().map(sums).collect();
    for ([rows, columns], part) in tiles.iter().zip(&parts) {
        part.unpack_columns(&mut weight_gradient[columns.start * inputs + rows.start..], inputs);
    }
}

/// Copies a range of the channels of some pixels.
fn pick(out: &mut [f32], values: &[f32], channels: usize, range: &Range<usize>) {
    for (out, values) in out.chunks_exact_mut(range.len()).zip(values.chunks_exact(channels)) {
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
        let mut sums = Factor::zeros(layer.set, layer.taps, layer.connection);
        let (mut x_scratch, mut gradient_scratch) = (Vec::new(), Vec::new());
        let end = ((piece_idx + 1) * of_piece).min(n_pixels);
        for (block_idx, first) in (piece_idx * of_piece..end).step_by(block).enumerate() {
            let n = (end - first).min(block);
            let x = at_hand(layer, input, [first * inputs, n * inputs], &mut x_scratch);
            let range = [first * outputs, n * outputs];
            let gradient = at_hand(layer, gradient, range, &mut gradient_scratch);
            let view = View { run: inputs, ..View::vectors(n, inputs) };
            sums.add_outer(layer.set, (x, view), (gradient, pixels(outputs)));
            if let (Some(InputGradient { values, into, after }), Some(weights)) =
                (&mut place, &weights)
            {
                let start = block_idx * block * inputs;
                let values = &mut values[start..start + n * inputs];
                let view = View::vectors(n, outputs);
                let grid = pixels(inputs);
                products::dot(layer.set, gradient, view, weights, values, grid, *into);
                if let Some(after) = after {
                    after(piece_idx, first * inputs, values);
                }
            }
        }
        sums
    };
    let parts: Vec<Factor> = match input_gradient {
        Some(InputGradient { values, into, after }) => values
            .par_chunks_mut(of_piece * inputs)
            .enumerate()
            .map(|(i, values)| work(i, Some(InputGradient { values, into, after })))
            .collect(),
        None => (0..n_pixels.div_ceil(of_piece)).into_par_iter().map(|i| work(i, None)).collect(),
    };
    add_up(parts).unpack(layer.taps, weight_gradient);
}
