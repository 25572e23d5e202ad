//! The integer network computed by candle.
//!
//! An implementation of its own, to be compared bit for bit with the others: dot products are
//! matrix products of gathered pixels with planes, and every number is an integer held in a float
//! that represents it exactly. Planes are multiplied in f32 while 255·K < 2^24, else in f64;
//! everything after the accumulators is f64, where integers below 2^53 are exact, so are
//! multiplying by a power of two and rounding down.
//!
//! Tensors are matrices here, one row a pixel: picture after picture, row after row.

use candle_core::{DType, Device, Tensor};
use tridot_sim::limits;
use tridot_sim::network::{
    Input, Layer, Network, Operator, Pads, Requantize, Shape, TensorId, Window,
};

use crate::Error;

mod dot;
mod gather;

use gather::Gather;

/// Integers below this are exact in f64.
const EXACT: u64 = 1 << 53;

// The limits of a network keep every intermediate result exact: a sum over branches with bias and
// rounding constant, and a merged accumulator, whose digits weigh at most twice the weight. The
// product of multiplier and merged accumulator is y without its bias, and y has been checked.
const _: () = {
    let accumulator = (limits::MAX_FAN_IN as u64) << limits::MAX_ACTIVATION_BITS;
    let branches = (limits::MAX_BRANCHES as u64) << (*limits::SCALE_BITS.end() - 1);
    let bias_and_rounding = (1 << limits::MAX_Y_BITS) + (1 << *limits::SHIFT.end());
    assert!(accumulator * branches + bias_and_rounding < EXACT);
    assert!(accumulator << *limits::FIXED_BITS.end() < EXACT);
};

/// Computes `n` pictures (u8, NHWC, one after the other) and returns every tensor by
/// [`TensorId`]: 0 holds the input codes, i + 1 the output of layer i; NHWC, picture after picture.
pub fn run(network: &Network, pictures: &[u8], n: usize) -> Result<Vec<Vec<i64>>, Error> {
    let shape = network.input.tensor.shape;
    if n.checked_mul(shape.elements()) != Some(pictures.len()) {
        let limit = format!("{n} pictures of {shape}");
        return Err(Error::limit("pictures", "the pixel values", limit, pictures.len()));
    }
    if n == 0 {
        return Ok(vec![Vec::new(); network.layers.len() + 1]);
    }
    let mut tensors = vec![input_codes(&network.input, pictures)?];
    for layer in &network.layers {
        tensors.push(Step { network, layer, tensors: &tensors, n }.output()?);
    }
    tensors.iter().map(integers).collect()
}

/// Looks every pixel up in the table of its channel.
fn input_codes(input: &Input, pictures: &[u8]) -> Result<Tensor, Error> {
    let channels = input.tensor.shape.channels;
    let entries: Vec<f32> = input.tables.iter().flatten().map(|&code| code.into()).collect();
    let entries = Tensor::new(entries, &Device::Cpu)?;
    let firsts = (0_u32..).step_by(256).take(channels).cycle();
    let indices: Vec<u32> =
        firsts.zip(pictures).map(|(first, &pixel)| first + u32::from(pixel)).collect();
    let indices = Tensor::new(indices, &Device::Cpu)?;
    Ok(entries.index_select(&indices, 0)?.reshape(((), channels))?)
}

/// The values of a tensor, which are integers.
#[expect(clippy::cast_possible_truncation, reason = "integers below 2^53")]
fn integers(tensor: &Tensor) -> Result<Vec<i64>, Error> {
    let values = tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    Ok(values.into_iter().map(|value| value as i64).collect())
}

/// `clamp((y + 2^(shift−1)) >> shift, low, high)` of y in f64, as codes in f32.
fn requantize(y: &Tensor, requantize: Requantize) -> Result<Tensor, Error> {
    let step = (1_u64 << requantize.shift) as f64;
    let rounded = y.affine(1.0, step / 2.0)?.affine(1.0 / step, 0.0)?.floor()?;
    let clamped = rounded.clamp(f64::from(requantize.low), f64::from(requantize.high))?;
    Ok(clamped.to_dtype(DType::F32)?)
}

/// One layer and all tensors before it.
#[derive(Clone, Copy)]
struct Step<'a> {
    network: &'a Network,
    layer: &'a Layer,
    tensors: &'a [Tensor],
    n: usize,
}

impl Step<'_> {
    fn input(&self, idx: usize) -> &Tensor {
        let TensorId(id) = self.layer.inputs[idx];
        &self.tensors[id]
    }

    fn input_shape(&self) -> Shape {
        self.network.input_of(self.layer).shape
    }

    /// Which pixels of the input the windows of the output read.
    fn gather(&self, window: Window, pads: Pads) -> Gather {
        Gather { input: self.input_shape(), output: self.layer.output.shape, window, pads }
    }

    /// The layer's output: codes in f32, or y in f64.
    fn output(self) -> Result<Tensor, Error> {
        let times = |idx: usize, multiplier: i32| -> Result<Tensor, Error> {
            let codes = self.input(idx).to_dtype(DType::F64)?;
            Ok(codes.affine(multiplier.into(), 0.0)?)
        };
        let input = self.input(0);
        let channels = self.input_shape().channels;
        match &self.layer.operator {
            Operator::Dot(dot) => dot::output(self, dot),
            Operator::Add { multipliers, requantize } => {
                let y = (times(0, multipliers[0])? + times(1, multipliers[1])?)?;
                self::requantize(&y, *requantize)
            }
            Operator::Rescale { multiplier, requantize } => {
                self::requantize(&times(0, *multiplier)?, *requantize)
            }
            Operator::AveragePool { window, multiplier, requantize } => {
                self.pooled(*window, Pads::default(), 0.0, |taps| {
                    let sum = taps.to_dtype(DType::F64)?.sum(1)?;
                    self::requantize(&sum.affine(f64::from(*multiplier), 0.0)?, *requantize)
                })
            }
            // A padded tap is below every code; each window has a tap that is not padded.
            Operator::MaxPool { window, pads } => {
                self.pooled(*window, *pads, f32::NEG_INFINITY, |taps| Ok(taps.max(1)?))
            }
            Operator::Split { first, channels } => {
                Ok(input.narrow(1, *first, *channels)?.contiguous()?)
            }
            Operator::Concat => {
                let inputs: Vec<&Tensor> =
                    (0..self.layer.inputs.len()).map(|idx| self.input(idx)).collect();
                Ok(Tensor::cat(&inputs, 1)?)
            }
            Operator::Shuffle { groups } => {
                let grouped = input.reshape(((), *groups, channels / groups))?;
                Ok(grouped.transpose(1, 2)?.contiguous()?.reshape(((), channels))?)
            }
            Operator::Subsample { stride_height, stride_width } => {
                let window = Window {
                    stride_height: *stride_height,
                    stride_width: *stride_width,
                    ..Window::square(1, 1)
                };
                self.pooled(window, Pads::default(), 0.0, |taps| Ok(taps.squeeze(1)?))
            }
            Operator::ChannelPad { before, after } => Ok(input.pad_with_zeros(1, *before, *after)?),
        }
    }

    /// Applies a function to the gathered taps (pixels × taps × channels) of every output pixel.
    fn pooled(
        &self,
        window: Window,
        pads: Pads,
        padding: f32,
        reduce: impl Fn(&Tensor) -> Result<Tensor, Error>,
    ) -> Result<Tensor, Error> {
        let gather = self.gather(window, pads);
        let source = gather.source(self.input(0), padding)?;
        let parts: Vec<Tensor> = gather
            .pieces(self.n)
            .map(|pixels| reduce(&gather.taps(&source, pixels)?))
            .collect::<Result<_, Error>>()?;
        Ok(Tensor::cat(&parts, 0)?)
    }
}

#[cfg(test)]
mod tests;
