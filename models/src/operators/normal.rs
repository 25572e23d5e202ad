//! Batch norm with an activation on this crate's kernels.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Tensor};
use rayon::prelude::*;

use super::{cut, values};
use crate::Error;
use crate::float::{BatchNormParameters, LayerParameters};
use crate::kernels;
use crate::kernels::lanes::InstructionSet;
use crate::kernels::sums::{AffineSums, Moments};
use crate::kernels::values::Values;
use crate::topology::Activation;
use crate::train::{Normal, normal_of, tail_of};

pub(super) fn apply(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    epsilon: f64,
    activation: Activation,
) -> std::result::Result<Tensor, Error> {
    let forward = Forward { epsilon, activation, normal: OnceLock::new() };
    Ok(x.contiguous()?.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, forward)?)
}

/// Elements of each piece of a tensor: whole pixels.
fn piece(elements: usize, channels: usize) -> usize {
    kernels::piece(elements / channels) * channels
}

struct Forward {
    epsilon: f64,
    activation: Activation,
    /// What the forward pass found, for the backward one.
    normal: OnceLock<Normal>,
}

impl Forward {
    fn normal(&self, x: &[f32], gamma: &[f32], beta: &[f32]) -> std::result::Result<Normal, Error> {
        let (set, channels) = (InstructionSet::best(), gamma.len());
        let of_piece = |values: &[f32]| {
            let mut moments = Moments::new(channels);
            moments.add(set, values);
            moments
        };
        let parts: Vec<Moments> = x.par_chunks(piece(x.len(), channels)).map(of_piece).collect();
        let moments = Moments::of_parts(channels, &parts);
        let parameters = LayerParameters {
            weights: Vec::new(),
            bias: vec![0.0; channels],
            batch_norm: Some(BatchNormParameters {
                gamma: gamma.to_vec(),
                beta: beta.to_vec(),
                mean: Vec::new(),
                variance: Vec::new(),
                epsilon: self.epsilon,
            }),
        };
        let tail = tail_of(self.activation, None);
        normal_of("batch norm", &parameters, &moments, x.len() / channels, tail)
    }
}

impl CustomOp3 for Forward {
    fn name(&self) -> &'static str {
        "batch norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, candle_core::Shape)> {
        let x = values(x, x_layout)?;
        let (gamma, beta) = (values(gamma, gamma_layout)?, values(beta, beta_layout)?);
        let normal = self.normal(x, gamma, beta).map_err(candle_core::Error::wrap)?;
        let mut out = vec![0.0; x.len()];
        let finished = Values::Finished(x, &normal.affine);
        finished.copy_all(InstructionSet::best(), gamma.len(), &mut out);
        let _first = self.normal.set(normal);
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(normal) = self.normal.get() else {
            candle_core::bail!("batch norm: no forward pass before the backward one")
        };
        let joined = x.apply_op2_no_bwd(&gradient.contiguous()?, &Backward(normal))?;
        let mut parts = cut(&joined, &[x, gamma, beta])?.into_iter();
        Ok((parts.next(), parts.next(), parts.next()))
    }
}

/// The gradients by x, γ and β, one after the other.
struct Backward<'a>(&'a Normal);

impl CustomOp2 for Backward<'_> {
    fn name(&self) -> &'static str {
        "gradients of batch norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, candle_core::Shape)> {
        let (x, gradient) = (values(x, x_layout)?, values(gradient, gradient_layout)?);
        let (set, channels) = (InstructionSet::best(), self.0.gains.len());
        let (affine, piece) = (&self.0.affine, piece(x.len(), channels));
        let of_piece = |(values, gradient): (&[f32], &[f32])| {
            let mut sums = AffineSums::new(channels);
            sums.add(set, (affine, &self.0.centers), values, gradient);
            sums
        };
        let pieces = x.par_chunks(piece).zip(gradient.par_chunks(piece));
        let parts: Vec<AffineSums> = pieces.map(of_piece).collect();
        let mut sums = AffineSums::new(channels);
        for part in &parts {
            sums.merge(part);
        }
        let (parameters, through) = self.0.backward(&sums);
        let through = through.expect("batch norm leads through its statistics");
        let mut out = vec![0.0; x.len()];
        let by_x = Values::Gradient { gradient, sums: x, affine, through: &through };
        by_x.copy_all(set, channels, &mut out);
        out.extend(parameters.gammas);
        out.extend(parameters.offsets);
        let n = out.len();
        Ok((CpuStorage::F32(out), n.into()))
    }
}
