//! The float network that a quantized one learns from.

use super::forward::Tape;
use super::model::Model;
use crate::Error;
use crate::float::{FloatNetwork, LayerParameters};
use crate::topology::Topology;

/// A float network that is no longer trained, with batch norm folded into weights and biases.
#[derive(Debug)]
pub(crate) struct Teacher {
    model: Model,
    tape: Tape,
}

impl Teacher {
    /// Knows what `float` knows, by its running statistics.
    pub(crate) fn new(float: &FloatNetwork) -> Self {
        let parameters = float.parameters.iter().map(|layer| layer.as_ref().map(folded)).collect();
        Self::with_parameters(&float.topology, parameters)
    }

    /// Of folded parameters, as [`Self::parameters`] gives them.
    pub(crate) fn with_parameters(
        topology: &Topology,
        parameters: Vec<Option<LayerParameters>>,
    ) -> Self {
        let float = FloatNetwork { topology: topology.folded(), parameters };
        Self { model: Model { float, quantization: None }, tape: Tape::default() }
    }

    /// By layer index: folded weights and biases.
    pub(crate) fn parameters(&self) -> &[Option<LayerParameters>] {
        &self.model.float.parameters
    }

    /// The last tensor of whole pictures.
    pub(super) fn logits(&mut self, pixels: &[u8]) -> Result<&[f32], Error> {
        self.tape.forward(&self.model, pixels, 1.0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn folded(parameters: &LayerParameters) -> LayerParameters {
    let affine = parameters.affine();
    let filters = parameters.weights.chunks_exact(parameters.weights.len() / affine.len());
    let scaled = filters.zip(&affine).flat_map(|(filter, affine)| {
        filter.iter().map(|&weight| (f64::from(weight) * affine.gain) as f32)
    });
    LayerParameters {
        weights: scaled.collect(),
        bias: affine.iter().map(|affine| affine.offset as f32).collect(),
        batch_norm: None,
    }
}
