//! The forward pass of a training step: a tape over the topology's layers.

use rayon::prelude::*;
use tridot_sim::network::{Geometry, Pads, Shape, TensorId, Window};

use super::model::Model;
use crate::Error;
use crate::float::{LayerParameters, Operand, evaluate};
use crate::kernels::buffers::Buffers;
use crate::kernels::finish::{self, Codes, Tail};
use crate::kernels::gather::Taps;
use crate::kernels::{convolution, depthwise};
use crate::topology::{Activation, TopologyLayer, TopologyOperator};

/// What a training step keeps of its forward pass, and memory for the next one.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// By tensor id: as the next layers read it.
    pub(super) tensors: Vec<Vec<f32>>,
    /// By layer index: the sums of dot-product layers, before anything else; empty for others.
    pub(super) sums: Vec<Vec<f32>>,
    /// By layer index: what follows the sums; none for layers without weights.
    pub(super) affine: Vec<Option<Affine>>,
    /// By layer index: the weights that were used; empty for layers without.
    pub(super) weights: Vec<Vec<f32>>,
    /// By tensor id: what its layer rounds to.
    pub(super) codes: Vec<Option<Codes>>,
    pub(super) buffers: Buffers,
}

/// `gain · sum + offset` per channel, and the statistics behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affine {
    pub(super) gains: Vec<f32>,
    pub(super) offsets: Vec<f32>,
    /// None without batch norm.
    pub(super) statistics: Option<Statistics>,
}

/// Of the sums of a batch, per channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statistics {
    pub(super) means: Vec<f64>,
    pub(super) variances: Vec<f64>,
    /// 1/√(variance + ε).
    pub(super) inverse: Vec<f64>,
    /// Sums per channel.
    pub(super) rows: usize,
}

/// The geometry of a dot-product layer as taps, and whether it is depthwise.
pub(super) fn taps_of(geometry: &Geometry, input: Shape, output: Shape) -> (Taps, bool) {
    let plain = (Window::square(1, 1), Pads::default());
    let (window, pads, input, is_depthwise) = match *geometry {
        Geometry::Convolution { window, pads } => (window, pads, input, false),
        Geometry::Depthwise { window, pads } => (window, pads, input, true),
        Geometry::Linear => (plain.0, plain.1, Shape::new(1, 1, input.elements()), false),
    };
    (Taps { window, pads, input, output }, is_depthwise)
}

/// The activation as a clamp, and the rounding after it.
pub(super) fn tail_of(activation: Activation, codes: Option<Codes>) -> Tail {
    let (low, high) = match activation {
        Activation::Identity => (f32::NEG_INFINITY, f32::INFINITY),
        Activation::Relu => (0.0, f32::INFINITY),
        Activation::Relu6 => (0.0, 6.0),
    };
    Tail { low, high, codes }
}

/// The activation of an operator; the identity where it has none.
pub(super) fn activation_of(operator: &TopologyOperator) -> Activation {
    match operator {
        TopologyOperator::Dot { activation, .. } | TopologyOperator::Add { activation } => {
            *activation
        }
        TopologyOperator::AveragePool { .. }
        | TopologyOperator::MaxPool { .. }
        | TopologyOperator::Split { .. }
        | TopologyOperator::Concat
        | TopologyOperator::Shuffle { .. }
        | TopologyOperator::Subsample { .. }
        | TopologyOperator::ChannelPad { .. } => Activation::Identity,
    }
}

impl Tape {
    /// Runs a batch of whole pictures; returns the last tensor.
    ///
    /// Batch norm uses the statistics of the batch. Weights are quantized softly at `temperature`.
    pub(crate) fn forward(
        &mut self,
        model: &Model,
        pixels: &[u8],
        temperature: f64,
    ) -> Result<&[f32], Error> {
        let topology = &model.float.topology;
        self.recycle();
        self.weights = weights(model, temperature)?;
        self.codes = match &model.quantization {
            Some(quantization) => quantization.tensors.codes(topology),
            None => vec![None; topology.layers.len() + 1],
        };
        let n_pictures = pixels.len() / topology.input.elements();
        let mut input = self.buffers.take(pixels.len());
        read_input(model, pixels, self.codes[0], &mut input);
        self.tensors.push(input);
        for (layer_idx, layer) in topology.layers.iter().enumerate() {
            let mut out = self.buffers.take(n_pictures * layer.shape.elements());
            let codes = self.codes[layer_idx + 1];
            if matches!(layer.operator, TopologyOperator::Dot { .. }) {
                self.dot(model, layer_idx, &mut out)?;
            } else {
                self.sums.push(Vec::new());
                self.affine.push(None);
                self.combine(model, layer, &mut out);
                if codes.is_some() {
                    finish::tail(&mut out, tail_of(activation_of(&layer.operator), codes));
                }
            }
            self.tensors.push(out);
        }
        Ok(self.tensors.last().expect("the input is a tensor"))
    }

    fn recycle(&mut self) {
        for buffer in self.tensors.drain(..).chain(self.sums.drain(..)) {
            self.buffers.give(buffer);
        }
        self.affine.clear();
    }

    fn dot(&mut self, model: &Model, layer_idx: usize, out: &mut [f32]) -> Result<(), Error> {
        let layer = &model.float.topology.layers[layer_idx];
        let TopologyOperator::Dot { geometry, activation, .. } = &layer.operator else {
            unreachable!("called for dot-product layers")
        };
        let input_shape = model.float.topology.shape(layer.inputs[0]);
        let (taps, is_depthwise) = taps_of(geometry, input_shape, layer.shape);
        let forward = if is_depthwise { depthwise::forward } else { convolution::forward };
        let mut sums = self.buffers.take(out.len());
        forward(&taps, &mut sums, &self.tensors[layer.inputs[0].0], &self.weights[layer_idx]);
        let parameters = model.float.parameters[layer_idx].as_ref();
        let parameters = parameters.expect("a checked network has weights here");
        let affine = affine_of(parameters, &sums);
        if let Some(c) = affine.offsets.iter().position(|offset| !offset.is_finite()) {
            let place = format!("layer `{}`", layer.name);
            let what = format!("the sums of output channel {c}");
            return Err(Error::limit(place, what, "finite", affine.offsets[c]));
        }
        let tail = tail_of(*activation, self.codes[layer_idx + 1]);
        finish::affine(out, &sums, &affine.gains, &affine.offsets, tail);
        self.sums.push(sums);
        self.affine.push(Some(affine));
        Ok(())
    }

    /// What a layer without weights makes of its inputs, before rounding.
    pub(super) fn combine<'a>(&'a self, model: &Model, layer: &TopologyLayer, out: &mut [f32]) {
        let inputs: Vec<(&'a [f32], Shape)> = layer
            .inputs
            .iter()
            .map(|&id: &TensorId| (&self.tensors[id.0][..], model.float.topology.shape(id)))
            .collect();
        let elements = layer.shape.elements();
        out.par_chunks_mut(elements).enumerate().for_each(|(picture_idx, out)| {
            let operand = |(values, shape): (&'a [f32], Shape)| {
                let elements = shape.elements();
                let range = picture_idx * elements..(picture_idx + 1) * elements;
                Operand { values: &values[range], shape }
            };
            if let TopologyOperator::Add { activation } = layer.operator {
                let tail = tail_of(activation, None);
                let [a, b] = [operand(inputs[0]).values, operand(inputs[1]).values];
                for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                    *out = (a + b).max(tail.low).min(tail.high);
                }
                return;
            }
            let operands: Vec<Operand<'_>> = inputs.iter().copied().map(operand).collect();
            out.copy_from_slice(&evaluate(layer, None, &operands));
        });
    }
}

/// The weights that each layer computes with.
fn weights(model: &Model, temperature: f64) -> Result<Vec<Vec<f32>>, Error> {
    let layers = &model.float.topology.layers;
    let of_layer = |(layer_idx, parameters): (usize, &Option<LayerParameters>)| {
        let Some(parameters) = parameters else { return Ok(Vec::new()) };
        let quantizer = model.quantization.as_ref().and_then(|q| q.weights[layer_idx].as_ref());
        let Some(quantizer) = quantizer else { return Ok(parameters.weights.clone()) };
        let layer = &layers[layer_idx];
        let place = format!("layer `{}`", layer.name);
        quantizer.forward(&place, &parameters.weights, layer.shape.channels, temperature)
    };
    model.float.parameters.par_iter().enumerate().map(of_layer).collect()
}

/// Pixels through the normalization, rounded to the input's codes.
fn read_input(model: &Model, pixels: &[u8], codes: Option<Codes>, out: &mut [f32]) {
    let topology = &model.float.topology;
    #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
    let mut tables: Vec<[f32; 256]> =
        topology.normalization.tables().iter().map(|table| table.map(|x| x as f32)).collect();
    for table in &mut tables {
        finish::tail(table, tail_of(Activation::Identity, codes));
    }
    let (channels, elements) = (tables.len(), topology.input.elements());
    out.par_chunks_mut(elements).zip(pixels.par_chunks(elements)).for_each(|(out, pixels)| {
        for (out, pixel) in out.chunks_exact_mut(channels).zip(pixels.chunks_exact(channels)) {
            for ((out, &value), table) in out.iter_mut().zip(pixel).zip(&tables) {
                *out = table[usize::from(value)];
            }
        }
    });
}

/// Batch norm by the statistics of the sums, or the bias.
#[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
fn affine_of(parameters: &LayerParameters, sums: &[f32]) -> Affine {
    let channels = parameters.bias.len();
    let Some(norm) = &parameters.batch_norm else {
        let gains = vec![1.0; channels];
        return Affine { gains, offsets: parameters.bias.clone(), statistics: None };
    };
    let rows = sums.len() / channels;
    let [totals, squares] = finish::moments(sums, channels);
    let means: Vec<f64> = totals.iter().map(|total| total / rows as f64).collect();
    let variance = |(square, mean): (&f64, &f64)| {
        let variance = square / rows as f64 - mean * mean;
        // `max` would hide NaN.
        if variance < 0.0 { 0.0 } else { variance }
    };
    let variances: Vec<f64> = squares.iter().zip(&means).map(variance).collect();
    let inverse: Vec<f64> =
        variances.iter().map(|variance| 1.0 / (variance + norm.epsilon).sqrt()).collect();
    let gains: Vec<f32> =
        norm.gamma.iter().zip(&inverse).map(|(&g, i)| (f64::from(g) * i) as f32).collect();
    let offset = |c: usize| (f64::from(norm.beta[c]) - means[c] * f64::from(gains[c])) as f32;
    let offsets = (0..channels).map(offset).collect();
    let statistics = Some(Statistics { means, variances, inverse, rows });
    Affine { gains, offsets, statistics }
}

/// How far running statistics move towards those of a batch.
const RUNNING_SHARE: f64 = 0.1;

impl Tape {
    /// Moves the running statistics of all batch norms towards those of the last forward pass.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    pub(crate) fn update_running(&self, model: &mut Model) {
        for (affine, parameters) in self.affine.iter().zip(&mut model.float.parameters) {
            let (Some(Affine { statistics: Some(statistics), .. }), Some(parameters)) =
                (affine, parameters)
            else {
                continue;
            };
            let norm = parameters.batch_norm.as_mut().expect("it has statistics");
            // As PyTorch: the running variance estimates that of all pictures.
            let unbiased = statistics.rows as f64 / (statistics.rows as f64 - 1.0).max(1.0);
            let blend = |old: f32, new: f64| {
                (f64::from(old) * (1.0 - RUNNING_SHARE) + new * RUNNING_SHARE) as f32
            };
            for c in 0..norm.mean.len() {
                let mean = statistics.means[c] + f64::from(parameters.bias[c]);
                norm.mean[c] = blend(norm.mean[c], mean);
                norm.variance[c] = blend(norm.variance[c], statistics.variances[c] * unbiased);
            }
        }
    }
}
