//! Pooling on this crate's kernels.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Tensor};
use rayon::prelude::*;
use tridot_sim::network::{Shape, TensorId};

use super::values;
use crate::Error;
use crate::float::{Operand, evaluate};
use crate::kernels::taps::Taps;
use crate::kernels::{Into, pool};
use crate::topology::{TopologyLayer, TopologyOperator};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Average,
    Max,
}

pub(super) fn apply(x: &Tensor, taps: Taps, kind: Kind) -> std::result::Result<Tensor, Error> {
    Ok(x.contiguous()?.apply_op1(Pool { taps, kind })?)
}

#[derive(Debug, Clone, Copy)]
struct Pool {
    taps: Taps,
    kind: Kind,
}

impl Pool {
    /// As the float network has it.
    fn layer(&self) -> TopologyLayer {
        let Taps { window, pads, output, .. } = self.taps;
        let operator = match self.kind {
            Kind::Average => TopologyOperator::AveragePool { window },
            Kind::Max => TopologyOperator::MaxPool { window, pads },
        };
        let inputs = vec![TensorId::INPUT];
        TopologyLayer { name: String::new(), inputs, operator, shape: output }
    }
}

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Average => "average pool",
            Kind::Max => "max pool",
        }
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, candle_core::Shape)> {
        let x = values(x, layout)?;
        let (shape, layer) = (self.taps.input, self.layer());
        let n = x.len() / shape.elements();
        let Shape { height, width, channels } = self.taps.output;
        let mut out = vec![0.0; n * self.taps.output.elements()];
        out.par_chunks_mut(self.taps.output.elements())
            .zip(x.par_chunks(shape.elements()))
            .for_each(|(out, values)| {
                out.copy_from_slice(&evaluate(&layer, None, &[Operand { values, shape }]));
            });
        Ok((CpuStorage::F32(out), (n, height, width, channels).into()))
    }

    fn bwd(&self, x: &Tensor, _out: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        x.apply_op2_no_bwd(&gradient.contiguous()?, &Backward(*self)).map(Some)
    }
}

struct Backward(Pool);

impl CustomOp2 for Backward {
    fn name(&self) -> &'static str {
        "gradient of a pool"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, candle_core::Shape)> {
        let (x, gradient) = (values(x, x_layout)?, values(gradient, gradient_layout)?);
        let mut out = vec![0.0; x.len()];
        let Pool { taps, kind } = &self.0;
        match kind {
            Kind::Average => pool::average_backward(taps, &mut out, gradient, Into::Overwrite),
            Kind::Max => pool::max_backward(taps, x, &mut out, gradient, Into::Overwrite),
        }
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }
}
