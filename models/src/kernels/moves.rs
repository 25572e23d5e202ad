//! The gradients of operators that move values and change none.

use rayon::prelude::*;
use tridot_sim::network::Shape;

use super::Into;
use crate::topology::TopologyOperator;

/// Copies or adds a run of values.
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
    pub(crate) fn backward(&self, gradient: &mut [f32], out: &[f32], into: Into) {
        gradient
            .par_chunks_mut(self.input.elements())
            .zip(out.par_chunks(self.output.elements()))
            .for_each(|(gradient, out)| self.picture(gradient, out, into));
    }

    fn picture(&self, gradient: &mut [f32], out: &[f32], into: Into) {
        let (channels, out_channels) = (self.input.channels, self.output.channels);
        let pixels = gradient.chunks_exact_mut(channels).zip(out.chunks_exact(out_channels));
        match *self.operator {
            TopologyOperator::Split { first, channels: taken } => {
                for (gradient, out) in pixels {
                    if into == Into::Overwrite {
                        gradient.fill(0.0);
                    }
                    put(&mut gradient[first..first + taken], out, into);
                }
            }
            TopologyOperator::Concat => {
                for (gradient, out) in pixels {
                    put(gradient, &out[self.first_channel..self.first_channel + channels], into);
                }
            }
            TopologyOperator::Shuffle { groups } => {
                let of_group = channels / groups;
                for (gradient, out) in pixels {
                    for (c, value) in out.iter().enumerate() {
                        let source = c % groups * of_group + c / groups;
                        put(&mut gradient[source..=source], &[*value], into);
                    }
                }
            }
            TopologyOperator::ChannelPad { before, .. } => {
                for (gradient, out) in pixels {
                    put(gradient, &out[before..before + channels], into);
                }
            }
            TopologyOperator::Subsample { stride_height, stride_width } => {
                if into == Into::Overwrite {
                    gradient.fill(0.0);
                }
                for (pixel, out) in out.chunks_exact(channels).enumerate() {
                    let row = pixel / self.output.width * stride_height;
                    let column = pixel % self.output.width * stride_width;
                    let start = (row * self.input.width + column) * channels;
                    put(&mut gradient[start..start + channels], out, Into::Add);
                }
            }
            TopologyOperator::Dot { .. }
            | TopologyOperator::Add { .. }
            | TopologyOperator::AveragePool { .. }
            | TopologyOperator::MaxPool { .. } => unreachable!("it changes values"),
        }
    }
}
