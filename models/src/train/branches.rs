//! Where branch scales and zeros of a quantized network stand in training.

use tridot_sim::network::Weights;

use super::model::Model;
use crate::Error;
use crate::layers::WeightQuantizer;

/// A layer of ternary branches, with hard weights.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerBranches {
    /// Its name.
    pub layer: String,
    /// Of each branch, largest first: its scale over the root mean square of the layer's weights when its
    /// quantized training began; the mean over output channels where each has its own.
    pub relative_scales: Vec<f64>,
    /// Of each branch: trits that are 0, of 100.
    pub zero_trits_percent: Vec<f64>,
}

/// All layers of ternary branches; none of a float network.
pub(super) fn branches(model: &Model) -> Result<Vec<LayerBranches>, Error> {
    let Some(quantization) = &model.quantization else { return Ok(Vec::new()) };
    let layers = &model.float.topology.layers;
    let mut all = Vec::new();
    for ((quantizer, parameters), layer) in
        quantization.weights.iter().zip(&model.float.parameters).zip(layers)
    {
        let (Some(quantizer), Some(parameters)) = (quantizer, parameters) else { continue };
        let WeightQuantizer::Dbq { branches, weight_scale, .. } = quantizer else { continue };
        let n_branches = *branches as usize;
        let place = format!("layer `{}`", layer.name);
        let hard = quantizer.hard(&place, &parameters.weights, layer.shape.channels)?;
        let mean = |branch: usize| {
            let of_branch = hard.scales.iter().skip(branch).step_by(n_branches);
            of_branch.sum::<f64>() / layer.shape.channels as f64
        };
        let Weights::Dbq { codes, .. } = &hard.weights else { continue };
        let mut zeros = vec![0_u64; n_branches];
        for k in 0..codes.len() {
            for (zeros, trit) in zeros.iter_mut().zip(hard.terms(k)) {
                *zeros += u64::from(trit == 0.0);
            }
        }
        all.push(LayerBranches {
            layer: layer.name.clone(),
            relative_scales: (0..n_branches)
                .map(|branch| mean(branch) / f64::from(*weight_scale))
                .collect(),
            zero_trits_percent: zeros
                .iter()
                .map(|&zeros| 100.0 * zeros as f64 / codes.len() as f64)
                .collect(),
        });
    }
    Ok(all)
}
