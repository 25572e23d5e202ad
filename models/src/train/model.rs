//! What training changes: the parameters of a network, in one order.

use crate::Error;
use crate::float::FloatNetwork;
use crate::layers::{LEAST_CLIP, Quantization};
use crate::topology::{Bias, TopologyOperator};

/// A float network and, once they are set, the quantizers around its weights and tensors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    /// The parameters behind the quantizers.
    pub(crate) float: FloatNetwork,
    /// None while everything is a real number.
    pub(crate) quantization: Option<Quantization>,
}

/// Kinds of parameters: how fast they are trained, and whether weight decay pulls at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// They alone decay.
    Weights,
    /// γ, β and biases.
    Norms,
    /// Branch scales.
    Scales,
    /// The largest values of tensors.
    Clips,
}

/// Parameters that are trained together.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    /// Unique, e.g. `layer1.0.conv1.weight`.
    pub(crate) name: String,
    /// The parameters.
    pub(crate) values: &'a mut [f32],
    /// Of which kind they are.
    pub(crate) group: Group,
    /// Values are kept at or above it after a step.
    pub(crate) least: Option<f32>,
    /// What their gradient is multiplied by.
    pub(crate) gradient_scale: f32,
}

impl<'a> Slot<'a> {
    fn new(group: Group, name: String, values: &'a mut [f32]) -> Self {
        Self { name, values, group, least: None, gradient_scale: 1.0 }
    }
}

/// The gradients of one layer's parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LayerGradients {
    /// By weight.
    pub(crate) weights: Vec<f32>,
    /// By bias or, behind batch norm, by β.
    pub(crate) offsets: Vec<f32>,
    /// By γ; empty without batch norm.
    pub(crate) gammas: Vec<f32>,
    /// By branch scale; empty without branches.
    pub(crate) scales: Vec<f32>,
}

/// The gradients of all parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gradients {
    /// By layer index.
    pub(crate) layers: Vec<Option<LayerGradients>>,
    /// By clip.
    pub(crate) clips: Vec<f32>,
}

impl Model {
    /// Whether a layer has a bias that is trained: batch norm would undo it.
    pub(crate) fn trains_bias(&self, layer_idx: usize) -> bool {
        let operator = &self.float.topology.layers[layer_idx].operator;
        matches!(
            operator,
            TopologyOperator::Dot { bias: Bias::Optional | Bias::Present, batch_norm: None, .. }
        )
    }

    /// All parameters, in the order of [`Self::in_order`].
    pub(crate) fn slots(&mut self) -> Vec<Slot<'_>> {
        let trains_bias: Vec<bool> =
            (0..self.float.parameters.len()).map(|i| self.trains_bias(i)).collect();
        let mut slots = Vec::new();
        let (mut quantizers, clips) = match &mut self.quantization {
            Some(quantization) => {
                (quantization.weights.iter_mut(), Some(&mut quantization.tensors.clips))
            }
            None => ([].iter_mut(), None),
        };
        for (layer_idx, parameters) in self.float.parameters.iter_mut().enumerate() {
            let quantizer = quantizers.next();
            let layer = &self.float.topology.layers[layer_idx];
            let Some(parameters) = parameters else { continue };
            let n_weights = parameters.weights.len();
            let name = |of: &str| format!("{}.{of}", layer.name);
            slots.push(Slot::new(Group::Weights, name("weight"), &mut parameters.weights));
            if trains_bias[layer_idx] {
                slots.push(Slot::new(Group::Norms, name("bias"), &mut parameters.bias));
            }
            if let Some(norm) = &mut parameters.batch_norm {
                slots.push(Slot::new(Group::Norms, name("gamma"), &mut norm.gamma));
                slots.push(Slot::new(Group::Norms, name("beta"), &mut norm.beta));
            }
            let quantizer = quantizer.and_then(Option::as_mut);
            if let Some((scales, least, gradient_scale)) =
                quantizer.and_then(|quantizer| quantizer.trained_scales(n_weights))
            {
                let scales = Slot::new(Group::Scales, name("alpha"), scales);
                slots.push(Slot { least: Some(least), gradient_scale, ..scales });
            }
        }
        if let Some(clips) = clips {
            let clips = Slot::new(Group::Clips, "clips".to_owned(), clips);
            slots.push(Slot { least: Some(LEAST_CLIP), ..clips });
        }
        slots
    }

    /// Gradients in the order of [`Self::slots`].
    pub(crate) fn in_order(&self, gradients: Gradients) -> Vec<Vec<f32>> {
        let mut ordered = Vec::new();
        for (layer_idx, layer) in gradients.layers.into_iter().enumerate() {
            let Some(LayerGradients { weights, offsets, gammas, scales }) = layer else { continue };
            ordered.push(weights);
            if !gammas.is_empty() {
                ordered.extend([gammas, offsets]);
            } else if self.trains_bias(layer_idx) {
                ordered.push(offsets);
            }
            if !scales.is_empty() {
                ordered.push(scales);
            }
        }
        if self.quantization.is_some() {
            ordered.push(gradients.clips);
        }
        ordered
    }

    /// The first parameter that is no number, as the place of a refusal.
    pub(crate) fn check_finite(&mut self) -> Result<(), Error> {
        for slot in self.slots() {
            if let Some(i) = slot.values.iter().position(|value| !value.is_finite()) {
                let what = format!("`{}` {i}", slot.name);
                return Err(Error::limit("parameters", what, "finite", slot.values[i]));
            }
        }
        Ok(())
    }
}
