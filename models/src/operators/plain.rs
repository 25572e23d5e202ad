//! The same operators of candle's own: for other devices and types.

use candle_core::{Result, Tensor};
use tridot_sim::network::{Pads, Window};

use crate::kernels::taps::Taps;
use crate::topology::Activation;

/// By candle's convolution, over a picture that is padded, and cut to what windows reach: its backward
/// pass fails where strides leave different rests in height and width.
pub(super) fn convolution(x: &Tensor, weights: &Tensor, taps: &Taps) -> Result<Tensor> {
    let Window { stride_height, stride_width, .. } = taps.window;
    if stride_height != stride_width {
        candle_core::bail!(
            "candle's convolution has one stride, got {stride_height} and {stride_width}"
        );
    }
    let x = reached(x, taps)?.permute((0, 3, 1, 2))?.contiguous()?;
    let weights = weights.permute((0, 3, 1, 2))?.contiguous()?;
    x.conv2d(&weights, 0, stride_height, 1, 1)?.permute((0, 2, 3, 1))?.contiguous()
}

/// Tap by tap: candle would compute channel by channel.
pub(super) fn depthwise(x: &Tensor, weights: &Tensor, taps: &Taps) -> Result<Tensor> {
    let x = padded(x, taps.pads)?;
    let mut sum: Option<Tensor> = None;
    for tap in 0..taps.window.taps() {
        let (row, column) = (tap / taps.window.kernel_width, tap % taps.window.kernel_width);
        let by_channel = weights.narrow(1, row, 1)?.narrow(2, column, 1)?.flatten_all()?;
        let product = under(&x, taps, tap)?.broadcast_mul(&by_channel)?;
        sum = Some(match sum {
            None => product,
            Some(sum) => (sum + product)?,
        });
    }
    Ok(sum.expect("a window has taps"))
}

pub(super) fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    epsilon: f64,
    activation: Activation,
) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim((0, 1, 2))?)?;
    let deviation = (centred.sqr()?.mean_keepdim((0, 1, 2))? + epsilon)?.sqrt()?;
    let z = centred.broadcast_div(&deviation)?.broadcast_mul(gamma)?.broadcast_add(beta)?;
    // Candle's own `relu` has slope 1 at 0.
    let low = |z: &Tensor| z.gt(0.0)?.where_cond(z, &z.zeros_like()?);
    match activation {
        Activation::Identity => Ok(z),
        Activation::Relu => low(&z),
        Activation::Relu6 => {
            let z = low(&z)?;
            let limit = (z.ones_like()? * 6.0)?;
            z.lt(6.0)?.where_cond(&z, &limit)
        }
    }
}

pub(super) fn average_pool(x: &Tensor, taps: &Taps) -> Result<Tensor> {
    let mut sum = under(x, taps, 0)?;
    for tap in 1..taps.window.taps() {
        sum = (sum + under(x, taps, tap)?)?;
    }
    sum / taps.window.taps() as f64
}

pub(super) fn max_pool(x: &Tensor, taps: &Taps) -> Result<Tensor> {
    // Added to the padded picture: 0 inside, and outside what is never the largest.
    let outside = (padded(&x.ones_like()?.detach(), taps.pads)?.affine(1.0, -1.0)? * 1e30)?;
    let x = (padded(x, taps.pads)? + outside)?;
    let mut most = under(&x, taps, 0)?;
    for tap in 1..taps.window.taps() {
        let other = under(&x, taps, tap)?;
        most = other.gt(&most)?.where_cond(&other, &most)?;
    }
    Ok(most)
}

fn padded(x: &Tensor, pads: Pads) -> Result<Tensor> {
    x.pad_with_zeros(1, pads.top, pads.bottom)?.pad_with_zeros(2, pads.left, pads.right)
}

/// The padded picture as far as windows reach.
fn reached(x: &Tensor, taps: &Taps) -> Result<Tensor> {
    let window = taps.window;
    let rows = (taps.output.height - 1) * window.stride_height + window.kernel_height;
    let columns = (taps.output.width - 1) * window.stride_width + window.kernel_width;
    padded(x, taps.pads)?.narrow(1, 0, rows)?.narrow(2, 0, columns)
}

/// The pixels of the padded picture under one tap of the window, output by output.
fn under(x: &Tensor, taps: &Taps, tap: usize) -> Result<Tensor> {
    let window = taps.window;
    let (row, column) = (tap / window.kernel_width, tap % window.kernel_width);
    let every = |first: usize, stride: usize, n: usize| {
        let indices = (0..n).map(|i| u32::try_from(first + i * stride));
        let indices: Vec<u32> = indices.collect::<std::result::Result<_, _>>()?;
        Tensor::new(indices, x.device())
    };
    let rows = every(row, window.stride_height, taps.output.height)?;
    let columns = every(column, window.stride_width, taps.output.width)?;
    x.index_select(&rows, 1)?.index_select(&columns, 2)
}
