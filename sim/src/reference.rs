//! The plain integer reference: what a network's outputs are, by definition.
//!
//! Plain loops over planes, no time, no shared code with any other implementation: this file is
//! meant to be read beside the formulas of [`crate::network`].

use crate::Error;
use crate::network::{
    Description, Digits, Dot, DotOutput, Geometry, Layer, Network, Operator, Pads, Requantize,
    Shape, Weights, Window, signed_digits,
};

/// Computes every tensor of one picture, by tensor id: 0 is the input's codes.
///
/// `pixels` are u8 in NHWC order, as many as the input tensor has elements.
pub fn run(network: &Network, pixels: &[u8]) -> Result<Vec<Vec<i64>>, Error> {
    let shape = network.input.tensor.shape;
    if pixels.len() != shape.elements() {
        let limit = format!("{} ({shape})", shape.elements());
        return Err(Error::limit("picture", "the number of pixel values", limit, pixels.len()));
    }
    let mut tensors = vec![input_codes(network, pixels)];
    for layer in &network.layers {
        let inputs: Vec<Operand<'_>> = layer
            .inputs
            .iter()
            .map(|&id| Operand { shape: network.tensor(id).shape, codes: &tensors[id.0] })
            .collect();
        let output = run_layer(network, layer, &inputs);
        tensors.push(output);
    }
    Ok(tensors)
}

/// An input of a layer.
struct Operand<'a> {
    shape: Shape,
    codes: &'a [i64],
}

impl Operand<'_> {
    fn at(&self, row: usize, column: usize, channel: usize) -> i64 {
        self.codes[(row * self.shape.width + column) * self.shape.channels + channel]
    }

    /// The code under tap (`tap_row`, `tap_column`) of the window of an output pixel; none if padded.
    fn under(&self, place: &Place, tap: (usize, usize), channel: usize) -> Option<i64> {
        let row = place.row * place.window.stride_height + tap.0;
        let column = place.column * place.window.stride_width + tap.1;
        let row = row.checked_sub(place.pads.top)?;
        let column = column.checked_sub(place.pads.left)?;
        (row < self.shape.height && column < self.shape.width)
            .then(|| self.at(row, column, channel))
    }
}

/// An output pixel and the window that it looks through.
struct Place {
    window: Window,
    pads: Pads,
    row: usize,
    column: usize,
}

impl Place {
    /// The taps of the window in K order: row by row.
    fn taps(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Window { kernel_height, kernel_width, .. } = self.window;
        (0..kernel_height).flat_map(move |row| (0..kernel_width).map(move |column| (row, column)))
    }
}

fn input_codes(network: &Description, pixels: &[u8]) -> Vec<i64> {
    let tables = &network.input.tables;
    pixels
        .iter()
        .enumerate()
        .map(|(i, &pixel)| i64::from(tables[i % tables.len()][usize::from(pixel)]))
        .collect()
}

fn run_layer(network: &Description, layer: &Layer, inputs: &[Operand<'_>]) -> Vec<i64> {
    let first = &inputs[0];
    let shape = layer.output.shape;
    match &layer.operator {
        Operator::Dot(dot) => dot_layer(dot, network.digits, first, shape),
        Operator::Add { multipliers, requantize } => {
            let [m_a, m_b] = multipliers.map(i64::from);
            let pairs = first.codes.iter().zip(inputs[1].codes);
            pairs.map(|(a, b)| requantized(m_a * a + m_b * b, *requantize)).collect()
        }
        Operator::Rescale { multiplier, requantize } => {
            let m = i64::from(*multiplier);
            first.codes.iter().map(|a| requantized(m * a, *requantize)).collect()
        }
        Operator::AveragePool { window, multiplier, requantize } => {
            let m = i64::from(*multiplier);
            each_element(shape, |row, column, channel| {
                let place = Place { window: *window, pads: Pads::default(), row, column };
                let taps = place.taps().filter_map(|tap| first.under(&place, tap, channel));
                requantized(m * taps.sum::<i64>(), *requantize)
            })
        }
        Operator::MaxPool { window, pads } => each_element(shape, |row, column, channel| {
            let place = Place { window: *window, pads: *pads, row, column };
            let taps = place.taps().filter_map(|tap| first.under(&place, tap, channel));
            taps.max().expect("pads are smaller than the kernel, so a tap lies in the picture")
        }),
        Operator::Split { first: skipped, .. } => {
            each_element(shape, |row, column, channel| first.at(row, column, skipped + channel))
        }
        Operator::Concat => concat(inputs, shape),
        Operator::Shuffle { groups } => {
            let per_group = shape.channels / groups;
            each_element(shape, |row, column, channel| {
                let (i, j) = (channel / groups, channel % groups);
                first.at(row, column, j * per_group + i)
            })
        }
        Operator::Subsample { stride_height, stride_width } => {
            each_element(shape, |row, column, channel| {
                first.at(row * stride_height, column * stride_width, channel)
            })
        }
        Operator::ChannelPad { before, .. } => {
            each_element(shape, |row, column, channel| match channel.checked_sub(*before) {
                Some(channel) if channel < first.shape.channels => first.at(row, column, channel),
                Some(_) | None => 0,
            })
        }
    }
}

/// A tensor in NHWC order from a function of row, column and channel.
fn each_element(shape: Shape, value: impl Fn(usize, usize, usize) -> i64) -> Vec<i64> {
    let mut tensor = Vec::with_capacity(shape.elements());
    for row in 0..shape.height {
        for column in 0..shape.width {
            for channel in 0..shape.channels {
                tensor.push(value(row, column, channel));
            }
        }
    }
    tensor
}

fn concat(inputs: &[Operand<'_>], shape: Shape) -> Vec<i64> {
    let mut tensor = Vec::with_capacity(shape.elements());
    for pixel in 0..shape.pixels() {
        for input in inputs {
            let channels = input.shape.channels;
            tensor.extend_from_slice(&input.codes[pixel * channels..(pixel + 1) * channels]);
        }
    }
    tensor
}

/// `clamp((y + 2^(shift−1)) >> shift, low, high)`.
fn requantized(y: i64, end: Requantize) -> i64 {
    let rounded = (y + (1 << (end.shift - 1))) >> end.shift;
    rounded.clamp(i64::from(end.low), i64::from(end.high))
}

fn dot_layer(dot: &Dot, digits: Digits, input: &Operand<'_>, shape: Shape) -> Vec<i64> {
    let planes = decode_planes(&dot.weights, digits);
    let fan_in = dot.geometry.fan_in(input.shape);
    let output = |channel: usize, x: &[i16]| {
        let weights = channel * fan_in..(channel + 1) * fan_in;
        let acc = planes.iter().map(|plane| dot_product(&plane[weights.clone()], x));
        finish(dot, channel, acc)
    };
    let mut tensor = Vec::with_capacity(shape.elements());
    let mut x = Vec::with_capacity(fan_in);
    match dot.geometry {
        Geometry::Linear => {
            x.extend(input.codes.iter().map(|&code| narrow(code)));
            tensor.extend((0..shape.channels).map(|channel| output(channel, &x)));
        }
        Geometry::Convolution { window, pads } => {
            for pixel in 0..shape.pixels() {
                let (row, column) = (pixel / shape.width, pixel % shape.width);
                let place = Place { window, pads, row, column };
                gather(&mut x, input, &place, 0..input.shape.channels);
                tensor.extend((0..shape.channels).map(|channel| output(channel, &x)));
            }
        }
        Geometry::Depthwise { window, pads } => {
            for pixel in 0..shape.pixels() {
                let (row, column) = (pixel / shape.width, pixel % shape.width);
                let place = Place { window, pads, row, column };
                for channel in 0..shape.channels {
                    gather(&mut x, input, &place, channel..channel + 1);
                    tensor.push(output(channel, &x));
                }
            }
        }
    }
    tensor
}

/// The trits of every plane, each in the order of the weights.
fn decode_planes(weights: &Weights, digits: Digits) -> Vec<Vec<i16>> {
    let n_planes = weights.planes(digits);
    match weights {
        Weights::Dbq { .. } => (0..n_planes)
            .map(|j| (0..weights.len()).map(|k| weights.trit(j, k, digits).into()).collect())
            .collect(),
        Weights::Fixed { values, .. } => {
            let mut planes = vec![Vec::with_capacity(values.len()); n_planes as usize];
            for &value in values {
                for (plane, digit) in planes.iter_mut().zip(signed_digits(value, digits)) {
                    plane.push(i16::from(digit));
                }
            }
            planes
        }
    }
}

/// The inputs of one dot product in K order: kernel row, kernel column, channel; code 0 where padded.
fn gather(x: &mut Vec<i16>, input: &Operand<'_>, place: &Place, channels: std::ops::Range<usize>) {
    x.clear();
    for tap in place.taps() {
        let codes = channels.clone().map(|channel| input.under(place, tap, channel).unwrap_or(0));
        x.extend(codes.map(narrow));
    }
}

fn narrow(code: i64) -> i16 {
    i16::try_from(code).expect("only the last tensor has codes of more than 8 bits")
}

/// `Σ_k trit[k] · x[k]`. At most 2^20 codes of 8 bits: below 2^28, so that nothing wraps in 32 bits.
fn dot_product(trits: &[i16], x: &[i16]) -> i64 {
    let products = trits.iter().zip(x).map(|(&trit, &code)| i32::from(trit) * i32::from(code));
    products.fold(0_i32, i32::wrapping_add).into()
}

/// From the accumulators, one a plane, to the output.
fn finish(dot: &Dot, channel: usize, acc: impl Iterator<Item = i64>) -> i64 {
    let y = match dot.weights {
        Weights::Dbq { branches, .. } => {
            let first = channel * branches as usize;
            let m = dot.multipliers[first..].iter().copied().map(i64::from);
            acc.zip(m).map(|(acc, m)| m * acc).sum::<i64>()
        }
        Weights::Fixed { .. } => {
            let merged: i64 = acc.enumerate().map(|(j, acc)| acc * (1 << j)).sum();
            i64::from(dot.multipliers[channel]) * merged
        }
    };
    let y = y + dot.bias[channel];
    match dot.output {
        DotOutput::Requantize(requantize) => requantized(y, requantize),
        DotOutput::Raw => y,
    }
}

#[cfg(test)]
mod tests;
