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

/// Of each branch, largest first in each set: the mean over the sets. A network that is exported has scale 0 where a
/// channel has no trit in a branch, these have not.
fn relative(scales: &[f32], n_branches: usize, unit: f32) -> Vec<f64> {
    let mut means = vec![0.0; n_branches];
    let n_sets = scales.len() / n_branches;
    for set in scales.chunks_exact(n_branches) {
        let mut set = set.to_vec();
        set.sort_by(|a, b| b.total_cmp(a));
        for (mean, scale) in means.iter_mut().zip(set) {
            *mean += f64::from(scale) / (f64::from(unit) * n_sets as f64);
        }
    }
    means
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
        let WeightQuantizer::Dbq { branches, scales, weight_scale } = quantizer else { continue };
        let n_branches = *branches as usize;
        let place = format!("layer `{}`", layer.name);
        let hard = quantizer.hard(&place, &parameters.weights, layer.shape.channels)?;
        let Weights::Dbq { codes, .. } = &hard.weights else { continue };
        let mut zeros = vec![0_u64; n_branches];
        for k in 0..codes.len() {
            for (zeros, trit) in zeros.iter_mut().zip(hard.terms(k)) {
                *zeros += u64::from(trit == 0.0);
            }
        }
        all.push(LayerBranches {
            layer: layer.name.clone(),
            relative_scales: relative(scales, n_branches, *weight_scale),
            zero_trits_percent: zeros
                .iter()
                .map(|&zeros| 100.0 * zeros as f64 / codes.len() as f64)
                .collect(),
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_those_that_are_trained() {
        // Two sets in any order; the second branch of the first set may have no trit: its scale counts.
        assert_eq!(relative(&[1.0, 4.0, 2.0, 1.0], 2, 0.5), [6.0, 2.0]);
        assert_eq!(relative(&[0.5], 1, 0.25), [2.0]);
    }
}
