//! Convolutions and products on this crate's kernels.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Tensor};
use tridot_sim::network::Shape;

use super::{cut, values};
use crate::Error;
use crate::kernels::Into;
use crate::kernels::buffers::Buffers;
use crate::kernels::lanes::InstructionSet;
use crate::kernels::taps::Taps;
use crate::kernels::values::Values;
use crate::kernels::window::{Connection, InputGradient, Layer};

pub(super) fn apply(
    x: &Tensor,
    weights: &Tensor,
    taps: Taps,
    connection: Connection,
) -> std::result::Result<Tensor, Error> {
    Ok(x.contiguous()?.apply_op2(&weights.contiguous()?, Forward { taps, connection })?)
}

#[derive(Debug, Clone, Copy)]
struct Forward {
    taps: Taps,
    connection: Connection,
}

impl Forward {
    fn layer<'a>(&'a self, weights: &'a [f32]) -> Layer<'a> {
        let Self { taps, connection } = self;
        Layer { set: InstructionSet::best(), taps, connection: *connection, weights }
    }
}

impl CustomOp2 for Forward {
    fn name(&self) -> &'static str {
        "dot products"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, candle_core::Shape)> {
        let (x, weights) = (values(x, x_layout)?, values(weights, weights_layout)?);
        let n = x.len() / self.taps.input.elements();
        let Shape { height, width, channels } = self.taps.output;
        let mut out = vec![0.0; n * self.taps.output.elements()];
        // Batch norm that is an operator of its own adds its moments itself.
        let _moments = self.layer(weights).forward(&Values::Plain(x), &mut out);
        Ok((CpuStorage::F32(out), (n, height, width, channels).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let wanted = if x.track_op() { Wanted::Both } else { Wanted::Weights };
        let backward = Backward { forward: *self, wanted };
        let joined = x.apply_op3_no_bwd(weights, &gradient.contiguous()?, &backward)?;
        Ok(match wanted {
            Wanted::Weights => (None, Some(joined.reshape(weights.shape())?)),
            Wanted::Both => {
                let mut parts = cut(&joined, &[x, weights])?.into_iter();
                (parts.next(), parts.next())
            }
        })
    }
}

/// Of the gradients by input and weights: what nobody trains needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Weights,
    Both,
}

/// Both gradients at once, one after the other: an operator has one output.
struct Backward {
    forward: Forward,
    wanted: Wanted,
}

impl CustomOp3 for Backward {
    fn name(&self) -> &'static str {
        "gradients of dot products"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, candle_core::Shape)> {
        let (x, weights) = (values(x, x_layout)?, values(weights, weights_layout)?);
        let gradient = Values::Plain(values(gradient, gradient_layout)?);
        let inputs = if self.wanted == Wanted::Both { x.len() } else { 0 };
        let mut out = vec![0.0; inputs + weights.len()];
        let (by_input, by_weight) = out.split_at_mut(inputs);
        let place = (self.wanted == Wanted::Both).then_some(InputGradient {
            values: by_input,
            into: Into::Overwrite,
            after: None,
        });
        let mut buffers = Buffers::default();
        let layer = self.forward.layer(weights);
        layer.backward(&Values::Plain(x), &gradient, by_weight, place, &mut buffers);
        let n = out.len();
        Ok((CpuStorage::F32(out), n.into()))
    }
}
