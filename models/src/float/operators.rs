//! Each operator on a few pictures at once, one thread.

use tridot_sim::network::{Geometry, Pads, Shape, Window};

use super::{Affine, LayerParameters};
use crate::kernels;
use crate::topology::{Activation, TopologyLayer, TopologyOperator};

/// A tensor of some pictures, NHWC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a> {
    /// `pictures · shape.elements()` values.
    pub(crate) values: &'a [f32],
    /// Of one picture.
    pub(crate) shape: Shape,
}

impl<'a> Operand<'a> {
    fn n_pictures(self) -> usize {
        self.values.len() / self.shape.elements()
    }

    fn pictures(self) -> std::slice::ChunksExact<'a, f32> {
        self.values.chunks_exact(self.shape.elements())
    }
}

/// Rows of the im2col matrix that are multiplied at once: at K = 576, 0.6 MB.
const BLOCK_PIXELS: usize = 256;

/// The tensor that a layer makes.
pub(crate) fn evaluate(
    layer: &TopologyLayer,
    parameters: Option<&LayerParameters>,
    inputs: &[Operand<'_>],
) -> Vec<f32> {
    let input = inputs[0];
    match &layer.operator {
        TopologyOperator::Dot { geometry, activation, .. } => {
            let parameters = parameters.expect("a dot-product layer has been checked for weights");
            let mut values = dot_sums(geometry, &parameters.weights, input, layer.shape);
            finish(&mut values, &parameters.affine(), *activation);
            values
        }
        TopologyOperator::Add { activation } => {
            let sum = |(a, b): (&f32, &f32)| activation.apply(a + b);
            input.values.iter().zip(inputs[1].values).map(sum).collect()
        }
        TopologyOperator::AveragePool { window } => average_pool(*window, input, layer.shape),
        TopologyOperator::MaxPool { window, pads } => max_pool(*window, *pads, input, layer.shape),
        TopologyOperator::Split { .. }
        | TopologyOperator::Concat
        | TopologyOperator::Shuffle { .. }
        | TopologyOperator::Subsample { .. }
        | TopologyOperator::ChannelPad { .. } => moved(&layer.operator, inputs, layer.shape),
    }
}

impl Activation {
    fn apply(self, value: f32) -> f32 {
        match self {
            // What is no number stays none, so that it shows.
            Self::Relu if value < 0.0 => 0.0,
            Self::Identity | Self::Relu => value,
            Self::Relu6 => value.clamp(0.0, 6.0),
        }
    }
}

/// Bias and batch norm per channel, then the activation, in place.
pub(crate) fn finish(values: &mut [f32], affine: &[Affine], activation: Activation) {
    #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
    let (gains, offsets): (Vec<f32>, Vec<f32>) =
        affine.iter().map(|a| (a.gain as f32, a.offset as f32)).unzip();
    for pixel in values.chunks_exact_mut(affine.len()) {
        for ((value, gain), offset) in pixel.iter_mut().zip(&gains).zip(&offsets) {
            *value = activation.apply(*value * gain + offset);
        }
    }
}

/// The dot products alone: no bias, no batch norm, no activation.
pub(crate) fn dot_sums(
    geometry: &Geometry,
    weights: &[f32],
    input: Operand<'_>,
    output: Shape,
) -> Vec<f32> {
    let mut out = vec![0.0; input.n_pictures() * output.elements()];
    match geometry {
        Geometry::Linear => {
            kernels::products(&mut out, input.values, weights, input.shape.elements());
        }
        Geometry::Convolution { window, pads } => {
            let plain = *window == Window::square(1, 1) && *pads == Pads::default();
            if plain {
                kernels::products(&mut out, input.values, weights, input.shape.channels);
            } else {
                convolution(
                    Taps { window: *window, pads: *pads },
                    weights,
                    input,
                    output,
                    &mut out,
                );
            }
        }
        Geometry::Depthwise { window, pads } => {
            depthwise(Taps { window: *window, pads: *pads }, weights, input, output, &mut out);
        }
    }
    out
}

/// Which pixels lie under the kernel.
#[derive(Clone, Copy)]
struct Taps {
    window: Window,
    pads: Pads,
}

impl Taps {
    /// The input row under a kernel row, unless it is a pad.
    fn row(self, input: Shape, out_row: usize, kernel_row: usize) -> Option<usize> {
        let row = (out_row * self.window.stride_height + kernel_row).checked_sub(self.pads.top)?;
        (row < input.height).then_some(row)
    }

    /// The input column under a kernel column, unless it is a pad.
    fn column(self, input: Shape, out_column: usize, kernel_column: usize) -> Option<usize> {
        let column =
            (out_column * self.window.stride_width + kernel_column).checked_sub(self.pads.left)?;
        (column < input.width).then_some(column)
    }
}

/// Blocks of pixels through im2col and a matrix product.
fn convolution(taps: Taps, weights: &[f32], input: Operand<'_>, output: Shape, out: &mut [f32]) {
    let fan_in = taps.window.taps() * input.shape.channels;
    let mut columns = vec![0.0; BLOCK_PIXELS * fan_in];
    let mut first = 0;
    for block in out.chunks_mut(BLOCK_PIXELS * output.channels) {
        let pixels = block.len() / output.channels;
        for (i, vector) in columns.chunks_exact_mut(fan_in).take(pixels).enumerate() {
            gather(taps, input, output, first + i, vector);
        }
        kernels::products(block, &columns[..pixels * fan_in], weights, fan_in);
        first += pixels;
    }
}

/// The inputs of one output pixel in K order, zeros at pads. Pixels count through all pictures.
fn gather(taps: Taps, input: Operand<'_>, output: Shape, pixel: usize, vector: &mut [f32]) {
    let channels = input.shape.channels;
    let picture = input.values.split_at(pixel / output.pixels() * input.shape.elements()).1;
    let (out_row, out_column) = (pixel % output.pixels() / output.width, pixel % output.width);
    let kernel_width = taps.window.kernel_width;
    for (kernel_row, run) in vector.chunks_exact_mut(kernel_width * channels).enumerate() {
        let Some(row) = taps.row(input.shape, out_row, kernel_row) else {
            run.fill(0.0);
            continue;
        };
        // The taps of a kernel row are neighbours in memory: one copy between the pads.
        let left = out_column * taps.window.stride_width;
        let before = taps.pads.left.saturating_sub(left).min(kernel_width);
        let end = (input.shape.width + taps.pads.left).saturating_sub(left).min(kernel_width);
        run[..before * channels].fill(0.0);
        run[end.max(before) * channels..].fill(0.0);
        if before < end {
            let start = (row * input.shape.width + left + before - taps.pads.left) * channels;
            run[before * channels..end * channels]
                .copy_from_slice(&picture[start..start + (end - before) * channels]);
        }
    }
}

/// Tap by tap, all channels of a pixel at once.
fn depthwise(taps: Taps, weights: &[f32], input: Operand<'_>, output: Shape, out: &mut [f32]) {
    let (channels, n_taps) = (output.channels, taps.window.taps());
    let mut by_tap = vec![0.0; weights.len()];
    for (i, weight) in weights.iter().enumerate() {
        by_tap[i % n_taps * channels + i / n_taps] = *weight;
    }
    for (picture, out) in input.pictures().zip(out.chunks_exact_mut(output.elements())) {
        for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
            let (out_row, out_column) = (pixel / output.width, pixel % output.width);
            each_tap(taps, input.shape, out_row, out_column, |tap, source| {
                let inputs = &picture[source..source + channels];
                let weights = &by_tap[tap * channels..(tap + 1) * channels];
                for ((sum, x), w) in out.iter_mut().zip(inputs).zip(weights) {
                    *sum += x * w;
                }
            });
        }
    }
}

/// Calls with the tap and the first element of the input pixel under it, pads left out, in K order.
fn each_tap(
    taps: Taps,
    input: Shape,
    out_row: usize,
    out_column: usize,
    mut call: impl FnMut(usize, usize),
) {
    for kernel_row in 0..taps.window.kernel_height {
        let Some(row) = taps.row(input, out_row, kernel_row) else { continue };
        for kernel_column in 0..taps.window.kernel_width {
            if let Some(column) = taps.column(input, out_column, kernel_column) {
                let tap = kernel_row * taps.window.kernel_width + kernel_column;
                call(tap, (row * input.width + column) * input.channels);
            }
        }
    }
}

fn average_pool(window: Window, input: Operand<'_>, output: Shape) -> Vec<f32> {
    let taps = Taps { window, pads: Pads::default() };
    let share = 1.0 / window.taps() as f32;
    pool(taps, input, output, 0.0, |sum, x| sum + x, |sum| sum * share)
}

fn max_pool(window: Window, pads: Pads, input: Operand<'_>, output: Shape) -> Vec<f32> {
    pool(Taps { window, pads }, input, output, f32::NEG_INFINITY, f32::max, |most| most)
}

fn pool(
    taps: Taps,
    input: Operand<'_>,
    output: Shape,
    start: f32,
    fold: impl Fn(f32, f32) -> f32,
    end: impl Fn(f32) -> f32,
) -> Vec<f32> {
    let channels = output.channels;
    let mut out = vec![start; input.n_pictures() * output.elements()];
    for (picture, out) in input.pictures().zip(out.chunks_exact_mut(output.elements())) {
        for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
            let (out_row, out_column) = (pixel / output.width, pixel % output.width);
            each_tap(taps, input.shape, out_row, out_column, |_, source| {
                for (value, x) in out.iter_mut().zip(&picture[source..source + channels]) {
                    *value = fold(*value, *x);
                }
            });
        }
    }
    for value in &mut out {
        *value = end(*value);
    }
    out
}

/// The operators that move values and change none.
fn moved(operator: &TopologyOperator, inputs: &[Operand<'_>], output: Shape) -> Vec<f32> {
    let input = inputs[0];
    let channels = input.shape.channels;
    let mut out = Vec::with_capacity(input.n_pictures() * output.elements());
    match *operator {
        TopologyOperator::Split { first, channels: taken } => {
            for pixel in input.values.chunks_exact(channels) {
                out.extend_from_slice(&pixel[first..first + taken]);
            }
        }
        TopologyOperator::Concat => {
            for pixel in 0..input.values.len() / channels {
                for operand in inputs {
                    let channels = operand.shape.channels;
                    out.extend_from_slice(&operand.values[pixel * channels..][..channels]);
                }
            }
        }
        TopologyOperator::Shuffle { groups } => {
            let of_group = channels / groups;
            for pixel in input.values.chunks_exact(channels) {
                out.extend((0..channels).map(|c| pixel[c % groups * of_group + c / groups]));
            }
        }
        TopologyOperator::Subsample { stride_height, stride_width } => {
            for picture in input.pictures() {
                for row in (0..input.shape.height).step_by(stride_height) {
                    for column in (0..input.shape.width).step_by(stride_width) {
                        let start = (row * input.shape.width + column) * channels;
                        out.extend_from_slice(&picture[start..start + channels]);
                    }
                }
            }
        }
        TopologyOperator::ChannelPad { before, .. } => {
            for pixel in input.values.chunks_exact(channels) {
                let end = out.len() + output.channels;
                out.resize(out.len() + before, 0.0);
                out.extend_from_slice(pixel);
                out.resize(end, 0.0);
            }
        }
        TopologyOperator::Dot { .. }
        | TopologyOperator::Add { .. }
        | TopologyOperator::AveragePool { .. }
        | TopologyOperator::MaxPool { .. } => unreachable!("it changes values"),
    }
    out
}
