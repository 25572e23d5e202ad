//! The backward pass of a training step.

use rayon::prelude::*;
use tridot_sim::network::{Pads, TensorId};

use super::forward::{Affine, Tape, activation_of, tail_of, taps_of};
use super::model::{Gradients, LayerGradients, Model};
use crate::Error;
use crate::kernels::buffers::Buffers;
use crate::kernels::finish::{self, AffineTail};
use crate::kernels::gather::Taps;
use crate::kernels::moves::Move;
use crate::kernels::{Into, convolution, depthwise, pool};
use crate::topology::{TopologyLayer, TopologyOperator};

/// Gradients by tensor, as far as they are known.
struct ByTensor {
    gradients: Vec<Option<Vec<f32>>>,
    buffers: Buffers,
}

impl ByTensor {
    /// A place for a contribution to a tensor's gradient.
    fn place(&mut self, id: TensorId, length: usize) -> (&mut [f32], Into) {
        let place = &mut self.gradients[id.0];
        let into = if place.is_some() { Into::Add } else { Into::Overwrite };
        (place.get_or_insert_with(|| self.buffers.take(length)), into)
    }

    /// Adds a contribution.
    fn add(&mut self, id: TensorId, values: &[f32]) {
        match self.place(id, values.len()) {
            (sums, Into::Overwrite) => sums.copy_from_slice(values),
            (sums, Into::Add) => finish::add(sums, values),
        }
    }

    /// Adds a contribution whose buffer is no longer needed.
    fn hand_over(&mut self, id: TensorId, values: Vec<f32>) {
        if self.gradients[id.0].is_none() {
            self.gradients[id.0] = Some(values);
        } else {
            self.add(id, &values);
            self.buffers.give(values);
        }
    }
}

impl Tape {
    /// The gradients of all parameters, from that by the last tensor of the forward pass.
    pub(crate) fn backward(
        &mut self,
        model: &Model,
        output: &[f32],
        temperature: f64,
    ) -> Result<Gradients, Error> {
        let layers = &model.float.topology.layers;
        let mut by_tensor = ByTensor {
            gradients: vec![None; layers.len() + 1],
            buffers: std::mem::take(&mut self.buffers),
        };
        by_tensor.add(TensorId(layers.len()), output);
        let clip_indices = model.quantization.as_ref().map(|q| q.tensors.clip_indices());
        let n_clips = model.quantization.as_ref().map_or(0, |q| q.tensors.clips.len());
        let mut clips = vec![0.0; n_clips];
        let mut gradients: Vec<Option<LayerGradients>> = vec![None; layers.len()];
        for (layer_idx, layer) in layers.iter().enumerate().rev() {
            let id = TensorId::of_layer(layer_idx);
            let Some(gradient) = by_tensor.gradients[id.0].take() else { continue };
            let by_clip = if matches!(layer.operator, TopologyOperator::Dot { .. }) {
                let (of_layer, by_clip) =
                    self.dot_backward(model, layer_idx, gradient, &mut by_tensor);
                gradients[layer_idx] = Some(of_layer);
                by_clip
            } else {
                self.combined(model, layer_idx, gradient, &mut by_tensor)
            };
            if let Some(clip) = clip_indices.as_ref().and_then(|indices| indices[id.0]) {
                clips[clip] += by_clip;
            }
        }
        for gradient in by_tensor.gradients.into_iter().flatten() {
            by_tensor.buffers.give(gradient);
        }
        self.buffers = by_tensor.buffers;
        let layers = through_quantizers(model, temperature, gradients)?;
        #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
        let clips = clips.into_iter().map(|clip: f64| clip as f32).collect();
        Ok(Gradients { layers, clips })
    }

    /// A dot-product layer: the gradients of its parameters and of its clip.
    fn dot_backward(
        &self,
        model: &Model,
        layer_idx: usize,
        mut gradient: Vec<f32>,
        by_tensor: &mut ByTensor,
    ) -> (LayerGradients, f64) {
        let layer = &model.float.topology.layers[layer_idx];
        let TopologyOperator::Dot { geometry, activation, .. } = &layer.operator else {
            unreachable!("called for dot-product layers")
        };
        let affine = self.affine[layer_idx].as_ref().expect("the forward pass has been here");
        let tail = tail_of(*activation, self.codes[layer_idx + 1]);
        let sums = &self.sums[layer_idx];
        let (mut of_layer, clip) = affine.backward(sums, &mut gradient, tail);
        let input = layer.inputs[0];
        let (taps, is_depthwise) =
            taps_of(geometry, model.float.topology.shape(input), layer.shape);
        let backward = if is_depthwise { depthwise::backward } else { convolution::backward };
        let (values, weights) = (&self.tensors[input.0], &self.weights[layer_idx]);
        of_layer.weights = vec![0.0; weights.len()];
        let place = (input != TensorId::INPUT).then(|| by_tensor.place(input, values.len()));
        backward(&taps, values, weights, &gradient, &mut of_layer.weights, place);
        by_tensor.buffers.give(gradient);
        (of_layer, clip)
    }

    /// A layer without weights; returns the gradient of its clip.
    fn combined(
        &self,
        model: &Model,
        layer_idx: usize,
        mut gradient: Vec<f32>,
        by_tensor: &mut ByTensor,
    ) -> f64 {
        let layer = &model.float.topology.layers[layer_idx];
        let codes = self.codes[layer_idx + 1];
        let is_add = matches!(layer.operator, TopologyOperator::Add { .. });
        let mut clip = 0.0;
        if codes.is_some() || is_add {
            let mut values = by_tensor.buffers.take(gradient.len());
            self.combine(model, layer, &mut values);
            let tail = tail_of(activation_of(&layer.operator), codes);
            clip = finish::tail_backward(&values, &mut gradient, tail);
            by_tensor.buffers.give(values);
        }
        if is_add {
            by_tensor.add(layer.inputs[0], &gradient);
            by_tensor.hand_over(layer.inputs[1], gradient);
        } else {
            self.spread(model, layer, &gradient, by_tensor);
            by_tensor.buffers.give(gradient);
        }
        clip
    }

    /// Pools and moves: the gradients of their inputs.
    fn spread(
        &self,
        model: &Model,
        layer: &TopologyLayer,
        gradient: &[f32],
        by_tensor: &mut ByTensor,
    ) {
        let mut first_channel = 0;
        for &id in &layer.inputs {
            let (input, output) = (model.float.topology.shape(id), layer.shape);
            let values = &self.tensors[id.0];
            let (place, into) = by_tensor.place(id, values.len());
            match layer.operator {
                TopologyOperator::AveragePool { window } => {
                    let taps = Taps { window, pads: Pads::default(), input, output };
                    pool::average_backward(&taps, place, gradient, into);
                }
                TopologyOperator::MaxPool { window, pads } => {
                    let taps = Taps { window, pads, input, output };
                    pool::max_backward(&taps, values, place, gradient, into);
                }
                TopologyOperator::Split { .. }
                | TopologyOperator::Concat
                | TopologyOperator::Shuffle { .. }
                | TopologyOperator::Subsample { .. }
                | TopologyOperator::ChannelPad { .. } => {
                    let moved = Move { operator: &layer.operator, input, first_channel, output };
                    moved.backward(place, gradient, into);
                }
                TopologyOperator::Dot { .. } | TopologyOperator::Add { .. } => {
                    unreachable!("it has been dealt with")
                }
            }
            first_channel += input.channels;
        }
    }
}

impl Affine {
    /// Turns the gradient by a layer's output into that by its sums; returns those of bias or batch
    /// norm, and of the clip.
    #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
    fn backward(
        &self,
        sums: &[f32],
        gradient: &mut [f32],
        tail: finish::Tail,
    ) -> (LayerGradients, f64) {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let zeros = vec![0.0; self.gains.len()];
        let centers = self.statistics.as_ref().map_or(zeros, |s| narrow(&s.means));
        let (gains, offsets) = (&self.gains, &self.offsets);
        let found = AffineTail { gains, offsets, centers: &centers, tail }.backward(sums, gradient);
        let mut of_layer =
            LayerGradients { offsets: narrow(&found.sums), ..LayerGradients::default() };
        if let Some(statistics) = &self.statistics {
            let rows = statistics.rows as f64;
            let channels = 0..gains.len();
            let slopes: Vec<f64> = channels
                .clone()
                .map(|c| {
                    let inverse = statistics.inverse[c];
                    -f64::from(gains[c]) * inverse * inverse * found.products[c] / rows
                })
                .collect();
            let constant = |c: usize| {
                (-f64::from(gains[c]) * found.sums[c] / rows - slopes[c] * statistics.means[c])
                    as f32
            };
            let constants: Vec<f32> = channels.map(constant).collect();
            let coefficients = [&gains[..], &narrow(&slopes), &constants];
            finish::through_statistics(gradient, sums, coefficients);
            let by_gamma = found.products.iter().zip(&statistics.inverse);
            of_layer.gammas =
                by_gamma.map(|(product, inverse)| (product * inverse) as f32).collect();
        }
        (of_layer, found.clip)
    }
}

/// From the gradients of quantized weights to those of the weights and branch scales behind them.
fn through_quantizers(
    model: &Model,
    temperature: f64,
    gradients: Vec<Option<LayerGradients>>,
) -> Result<Vec<Option<LayerGradients>>, Error> {
    let Some(quantization) = &model.quantization else { return Ok(gradients) };
    let of_layer = |(layer_idx, gradients): (usize, Option<LayerGradients>)| {
        let (Some(mut gradients), Some(quantizer)) = (gradients, &quantization.weights[layer_idx])
        else {
            return Ok(None);
        };
        let parameters = model.float.parameters[layer_idx].as_ref();
        let parameters = parameters.expect("a layer with a quantizer has weights");
        let by_weight = std::mem::take(&mut gradients.weights);
        (gradients.weights, gradients.scales) =
            quantizer.backward(&parameters.weights, temperature, by_weight)?;
        Ok(Some(gradients))
    };
    gradients.into_par_iter().enumerate().map(of_layer).collect()
}
