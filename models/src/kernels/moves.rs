//! Operators that move values and change none, and their gradients.
#![expect(clippy::inline_always, reason = "compiled for an instruction set")]

use rayon::prelude::*;
use tridot_sim::network::Shape;

use super::Into;
use super::lanes::{InstructionSet, compiled};
use super::values::Values;
use crate::topology::TopologyOperator;

/// Some pixels of a tensor that are read from element `start` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved<'a> {
    /// The tensor.
    pub(crate) values: Values<'a>,
    /// Where the picture starts.
    pub(crate) start: usize,
    /// Of a picture.
    pub(crate) shape: Shape,
}

/// Whether an operator takes its inputs pixel by pixel, so that they may be finished on the way.
pub(crate) fn reads_whole_pixels(operator: &TopologyOperator) -> bool {
    matches!(
        operator,
        TopologyOperator::Concat
            | TopologyOperator::ChannelPad { .. }
            | TopologyOperator::Subsample { .. }
    )
}

/// One picture of an operator that moves. Operators that do not [`reads_whole_pixels`] need plain values.
pub(crate) fn forward(
    set: InstructionSet,
    operator: &TopologyOperator,
    inputs: &[Moved<'_>],
    output: Shape,
    out: &mut [f32],
) {
    let Moved { values, start, shape } = inputs[0];
    let plain = || {
        let values = values.in_place(start..start + shape.elements());
        values.expect("tensors are plain where parts of pixels are read")
    };
    match *operator {
        TopologyOperator::Concat => {
            let mut first = 0;
            for Moved { values, start, shape } in inputs {
                let out = &mut out[first..];
                values.copy_pixels(set, *start, shape.channels, out, output.channels);
                first += shape.channels;
            }
        }
        TopologyOperator::ChannelPad { before, .. } => {
            out.fill(0.0);
            values.copy_pixels(set, start, shape.channels, &mut out[before..], output.channels);
        }
        TopologyOperator::Subsample { stride_height, stride_width } => {
            for (pixel, out) in out.chunks_exact_mut(shape.channels).enumerate() {
                let row = pixel / output.width * stride_height;
                let column = pixel % output.width * stride_width;
                values.copy(set, start + (row * shape.width + column) * shape.channels, out);
            }
        }
        TopologyOperator::Split { first, channels } => {
            let pixels = out.chunks_exact_mut(channels).zip(plain().chunks_exact(shape.channels));
            for (out, values) in pixels {
                out.copy_from_slice(&values[first..first + channels]);
            }
        }
        TopologyOperator::Shuffle { groups } => {
            shuffle(set, out, plain(), shape.channels, groups);
        }
        TopologyOperator::Dot { .. }
        | TopologyOperator::Add { .. }
        | TopologyOperator::AveragePool { .. }
        | TopologyOperator::MaxPool { .. } => unreachable!("it changes values"),
    }
}

compiled! {
    /// Channel `c` of a group becomes channel `c · groups` behind that of the group before.
    fn shuffle(out: &mut [f32], values: &[f32], channels: usize, groups: usize) = shuffle_body
}

#[inline(always)]
fn shuffle_body(out: &mut [f32], values: &[f32], channels: usize, groups: usize) {
    let of_group = channels / groups;
    for (out, values) in out.chunks_exact_mut(channels).zip(values.chunks_exact(channels)) {
        if groups == 2 {
            let (first, second) = values.split_at(of_group);
            for (pair, (a, b)) in
                out.as_chunks_mut::<2>().0.iter_mut().zip(first.iter().zip(second))
            {
                *pair = [*a, *b];
            }
            continue;
        }
        for (group, values) in values.chunks_exact(of_group).enumerate() {
            for (out, value) in out[group..].iter_mut().step_by(groups).zip(values) {
                *out = *value;
            }
        }
    }
}

/// Copies or adds a run of values.
#[inline(always)]
fn put(sums: &mut [f32], values: &[f32], into: Into) {
    match into {
        Into::Overwrite => sums.copy_from_slice(values),
        Into::Add => {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value;
            }
        }
    }
}

/// Where a move is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move<'a> {
    /// What it does.
    pub(crate) operator: &'a TopologyOperator,
    /// Of the input whose gradient is wanted.
    pub(crate) input: Shape,
    /// Its first channel in a concat's output.
    pub(crate) first_channel: usize,
    /// Of the output.
    pub(crate) output: Shape,
}

impl Move<'_> {
    /// The gradient by an input, from that by the output.
    pub(crate) fn backward(
        &self,
        set: InstructionSet,
        gradient: &mut [f32],
        out: &[f32],
        into: Into,
    ) {
        gradient
            .par_chunks_mut(self.input.elements())
            .zip(out.par_chunks(self.output.elements()))
            .for_each(|(gradient, out)| backward_picture(set, self, gradient, out, into));
    }
}

compiled! {
    fn backward_picture(place: &Move<'_>, gradient: &mut [f32], out: &[f32], into: Into)
        = backward_body
}

#[inline(always)]
fn backward_body(place: &Move<'_>, gradient: &mut [f32], out: &[f32], into: Into) {
    let (channels, out_channels) = (place.input.channels, place.output.channels);
    if let TopologyOperator::Subsample { stride_height, stride_width } = *place.operator {
        if into == Into::Overwrite {
            gradient.fill(0.0);
        }
        for (pixel, out) in out.chunks_exact(channels).enumerate() {
            let row = pixel / place.output.width * stride_height;
            let column = pixel % place.output.width * stride_width;
            let start = (row * place.input.width + column) * channels;
            put(&mut gradient[start..start + channels], out, Into::Add);
        }
        return;
    }
    let pixels = gradient.chunks_exact_mut(channels).zip(out.chunks_exact(out_channels));
    match *place.operator {
        TopologyOperator::Split { first, channels: taken } => {
            for (gradient, out) in pixels {
                if into == Into::Overwrite {
                    gradient[..first].fill(0.0);
                    gradient[first + taken..].fill(0.0);
                }
                put(&mut gradient[first..first + taken], out, into);
            }
        }
        TopologyOperator::Concat => {
            for (gradient, out) in pixels {
                put(gradient, &out[place.first_channel..place.first_channel + channels], into);
            }
        }
        TopologyOperator::ChannelPad { before, .. } => {
            for (gradient, out) in pixels {
                put(gradient, &out[before..before + channels], into);
            }
        }
        TopologyOperator::Shuffle { groups } => {
            for (gradient, out) in pixels {
                unshuffle(gradient, out, groups, into);
            }
        }
        TopologyOperator::Subsample { .. }
        | TopologyOperator::Dot { .. }
        | TopologyOperator::Add { .. }
        | TopologyOperator::AveragePool { .. }
        | TopologyOperator::MaxPool { .. } => unreachable!("it changes values, or is dealt with"),
    }
}

/// A pixel's gradient before a shuffle.
#[inline(always)]
fn unshuffle(gradient: &mut [f32], out: &[f32], groups: usize, into: Into) {
    let of_group = gradient.len() / groups;
    if groups == 2 {
        let (first, second) = gradient.split_at_mut(of_group);
        let pairs = out.as_chunks::<2>().0;
        for ((a, b), pair) in first.iter_mut().zip(second).zip(pairs) {
            let old = if into == Into::Add { [*a, *b] } else { [0.0; 2] };
            (*a, *b) = (old[0] + pair[0], old[1] + pair[1]);
        }
        return;
    }
    for (group, gradient) in gradient.chunks_exact_mut(of_group).enumerate() {
        for (sum, value) in gradient.iter_mut().zip(out[group..].iter().step_by(groups)) {
            *sum = if into == Into::Add { *sum + value } else { *value };
        }
    }
}
