//! The operators of training as candle operators, for models that are not a [`crate::topology`].
//!
//! Tensors are NHWC, one picture after the other. On the CPU, `f32` is computed by this crate's kernels,
//! forward and backward; on other devices and for other types the same functions are composed of
//! candle's own operators. Operators read their sizes from the tensors and refuse such as do not fit.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use tridot_models::operators;
//! use tridot_sim::network::{Pads, Window};
//!
//! // One picture of 1×3 pixels with one channel; two taps of weight 10 and 1.
//! let x = Var::from_slice(&[1_f32, 2.0, 3.0], (1, 1, 3, 1), &Device::Cpu)?;
//! let weights = Var::from_slice(&[10_f32, 1.0], (1, 1, 2, 1), &Device::Cpu)?;
//! let window = Window { kernel_height: 1, kernel_width: 2, stride_height: 1, stride_width: 1 };
//! let y = operators::convolution(&x, &weights, window, Pads::default())?;
//! assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [12.0, 23.0]);
//! let gradients = y.sum_all()?.backward()?;
//! let by_weight = gradients.get(&weights).expect("the loss depends on them");
//! assert_eq!(by_weight.flatten_all()?.to_vec1::<f32>()?, [1.0 + 2.0, 2.0 + 3.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use candle_core::{CpuStorage, DType, Layout, Tensor};
use tridot_sim::network::{Pads, Shape, Window};

use crate::Error;
use crate::kernels::taps::Taps;
use crate::kernels::window::Connection;
use crate::topology::{Activation, window};

mod dot;
mod normal;
mod plain;
mod pool;

#[cfg(test)]
mod tests;

/// Convolution of pictures `[n, height, width, channels]` with weights `[outputs, rows, columns, channels]`.
pub fn convolution(
    x: &Tensor,
    weights: &Tensor,
    window: Window,
    pads: Pads,
) -> Result<Tensor, Error> {
    let taps = taps("convolution", x, window, pads)?;
    let kernel = [window.kernel_height, window.kernel_width, taps.input.channels];
    let outputs = weights.dims().first().copied().unwrap_or(0);
    sized("convolution", "the shape of the weights", weights, &[&[outputs][..], &kernel].concat())?;
    let taps = Taps { output: Shape { channels: outputs, ..taps.output }, ..taps };
    if is_ours(&[x, weights]) {
        return dot::apply(x, weights, taps, Connection::Dense);
    }
    Ok(plain::convolution(x, weights, &taps)?)
}

/// Depthwise convolution of pictures `[n, height, width, channels]` with weights `[channels, rows, columns]`.
pub fn depthwise(
    x: &Tensor,
    weights: &Tensor,
    window: Window,
    pads: Pads,
) -> Result<Tensor, Error> {
    let taps = taps("depthwise convolution", x, window, pads)?;
    let kernel = [taps.input.channels, window.kernel_height, window.kernel_width];
    sized("depthwise convolution", "the shape of the weights", weights, &kernel)?;
    if is_ours(&[x, weights]) {
        return dot::apply(x, weights, taps, Connection::Depthwise);
    }
    Ok(plain::depthwise(x, weights, &taps)?)
}

/// Products of vectors `[n, inputs]` with weights `[outputs, inputs]`.
pub fn linear(x: &Tensor, weights: &Tensor) -> Result<Tensor, Error> {
    let (n, inputs) = x.dims2()?;
    let outputs = weights.dims().first().copied().unwrap_or(0);
    sized("linear", "the shape of the weights", weights, &[outputs, inputs])?;
    if !is_ours(&[x, weights]) {
        return Ok(x.matmul(&weights.t()?)?);
    }
    let x = x.reshape((n, 1, 1, inputs))?;
    let taps = taps("linear", &x, Window::square(1, 1), Pads::default())?;
    let taps = Taps { output: Shape::new(1, 1, outputs), ..taps };
    Ok(dot::apply(&x, weights, taps, Connection::Dense)?.reshape((n, outputs))?)
}

/// Batch norm over pictures `[n, height, width, channels]` by their own statistics, then an activation:
/// `activation(γ · (x − mean) / √(variance + ε) + β)`. At its limits an activation has slope 0.
pub fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    epsilon: f64,
    activation: Activation,
) -> Result<Tensor, Error> {
    let (_, _, _, channels) = x.dims4()?;
    sized("batch norm", "the shape of γ", gamma, &[channels])?;
    sized("batch norm", "the shape of β", beta, &[channels])?;
    if !(epsilon.is_finite() && 0.0 < epsilon) {
        return Err(Error::limit("batch norm", "ε", "finite and positive", epsilon));
    }
    if is_ours(&[x, gamma, beta]) {
        return normal::apply(x, gamma, beta, epsilon, activation);
    }
    Ok(plain::batch_norm(x, gamma, beta, epsilon, activation)?)
}

/// The mean under each window; nothing is padded.
pub fn average_pool(x: &Tensor, window: Window) -> Result<Tensor, Error> {
    let taps = taps("average pool", x, window, Pads::default())?;
    if is_ours(&[x]) {
        return pool::apply(x, taps, pool::Kind::Average);
    }
    Ok(plain::average_pool(x, &taps)?)
}

/// The largest value under each window; padded taps are ignored. The first of equals has the gradient.
pub fn max_pool(x: &Tensor, window: Window, pads: Pads) -> Result<Tensor, Error> {
    let taps = taps("max pool", x, window, pads)?;
    if is_ours(&[x]) {
        return pool::apply(x, taps, pool::Kind::Max);
    }
    Ok(plain::max_pool(x, &taps)?)
}

/// Whether our kernels compute it.
fn is_ours(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|tensor| tensor.device().is_cpu() && tensor.dtype() == DType::F32)
}

/// The window over pictures; as many outputs as input channels.
fn taps(place: &str, x: &Tensor, window: Window, pads: Pads) -> Result<Taps, Error> {
    let (n, height, width, channels) = x.dims4()?;
    for (what, size) in [("pictures", n), ("channels", channels)] {
        if size == 0 {
            return Err(Error::limit(place, format!("the number of {what}"), "at least 1", size));
        }
    }
    let input = Shape { height, width, channels };
    Ok(Taps { window, pads, input, output: window::output(place, input, window, pads)? })
}

fn sized(place: &str, what: &str, tensor: &Tensor, wanted: &[usize]) -> Result<(), Error> {
    if tensor.dims() == wanted && !wanted.contains(&0) {
        return Ok(());
    }
    Err(Error::limit(
        place,
        what,
        format!("{wanted:?}, none of them 0"),
        format!("{:?}", tensor.dims()),
    ))
}

/// The values of a tensor that lies in one piece, as all do that operators are applied to.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    let CpuStorage::F32(all) = storage else {
        candle_core::bail!("an operator for f32 on the CPU")
    };
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("an operator for tensors that lie in one piece")
    };
    Ok(&all[start..end])
}

/// What a backward operator wrote one after the other, cut into the shapes of the arguments.
fn cut(joined: &Tensor, arguments: &[&Tensor]) -> candle_core::Result<Vec<Tensor>> {
    let mut start = 0;
    let mut part = |argument: &&Tensor| {
        let n = argument.elem_count();
        start += n;
        joined.narrow(0, start - n, n)?.reshape(argument.shape())
    };
    arguments.iter().map(&mut part).collect()
}
