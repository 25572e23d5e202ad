//! Batch-norm statistics behind quantized weights and activations.

use std::collections::BTreeSet;

use rayon::prelude::*;
use tridot_sim::network::{Shape, TensorId};

use super::formats::Format;
use crate::Error;
use crate::float::{FloatNetwork, Operand, dot_sums, evaluate, finish, last_readers};
use crate::moments::{Moments, Sums};
use crate::topology::TopologyOperator;

/// Bytes of the tensors that a layer-by-layer pass holds at once; fewer pictures take part beyond it.
const TENSOR_BYTES: usize = 1 << 29;

/// A tensor of all pictures, chunk by chunk.
type Chunks = Vec<Vec<f32>>;

/// Whether any layer has batch norm.
pub(super) fn is_present(network: &FloatNetwork) -> bool {
    network.parameters.iter().flatten().any(|parameters| parameters.batch_norm.is_some())
}

/// How many pictures a layer-by-layer pass can hold.
pub(super) fn most_pictures(network: &FloatNetwork) -> usize {
    let last_reader = last_readers(&network.topology);
    let elements = |id: usize| network.topology.shape(TensorId(id)).elements();
    let mut held = elements(0);
    let mut most = held;
    for (layer_idx, layer) in network.topology.layers.iter().enumerate() {
        held += elements(layer_idx + 1);
        most = most.max(held);
        let read: BTreeSet<usize> = layer.inputs.iter().map(|id| id.0).collect();
        let done = read.into_iter().filter(|&id| last_reader[id] == layer_idx);
        held -= done.map(elements).sum::<usize>();
    }
    (TENSOR_BYTES / (4 * most)).max(1)
}

/// The network with mean and variance of each batch norm moved by `share` from their own towards those
/// measured on the pictures, layer by layer, with every tensor before it in its codes.
///
/// The weights of `network` are quantized already; `formats` are by tensor id, none for raw values.
pub(super) fn re_estimated(
    network: &FloatNetwork,
    formats: &[Option<Format>],
    pixels: &[u8],
    share: f64,
) -> Result<FloatNetwork, Error> {
    let mut network = network.clone();
    let last_reader = last_readers(&network.topology);
    let mut input: Chunks = network.chunks(pixels)?.map(|chunk| network.input(chunk)).collect();
    quantize(&mut input, formats[0]);
    let mut tensors = vec![input];
    for layer_idx in 0..network.topology.layers.len() {
        let mut output = layer_output(&mut network, layer_idx, &tensors, share);
        quantize(&mut output, formats[layer_idx + 1]);
        tensors.push(output);
        for id in &network.topology.layers[layer_idx].inputs {
            if last_reader[id.0] == layer_idx {
                tensors[id.0] = Vec::new();
            }
        }
    }
    Ok(network)
}

fn quantize(tensor: &mut Chunks, format: Option<Format>) {
    if let Some(format) = format {
        tensor.par_iter_mut().for_each(|chunk| format.round(chunk));
    }
}

/// Computes a layer on all chunks; if it has batch norm, measures and moves that first.
fn layer_output(
    network: &mut FloatNetwork,
    layer_idx: usize,
    tensors: &[Chunks],
    share: f64,
) -> Chunks {
    let layer = network.topology.layers[layer_idx].clone();
    let shapes: Vec<Shape> = layer.inputs.iter().map(|&id| network.topology.shape(id)).collect();
    let operands = |chunk: usize| -> Vec<Operand<'_>> {
        let ids = layer.inputs.iter().zip(&shapes);
        ids.map(|(id, &shape)| Operand { values: &tensors[id.0][chunk], shape }).collect()
    };
    let chunks = 0..tensors[layer.inputs[0].0].len();
    let TopologyOperator::Dot { geometry, activation, batch_norm: Some(_), .. } = &layer.operator
    else {
        let parameters = network.parameters[layer_idx].as_ref();
        let output = |chunk: usize| evaluate(&layer, parameters, &operands(chunk));
        return chunks.into_par_iter().map(output).collect();
    };
    let parameters = network.parameters[layer_idx].as_mut().expect("a checked network has weights");
    let weights = &parameters.weights;
    let sums = |chunk: usize| dot_sums(geometry, weights, operands(chunk)[0], layer.shape);
    let mut output: Chunks = chunks.into_par_iter().map(sums).collect();
    let moments = channel_moments(&output, layer.shape.channels);
    let norm = parameters.batch_norm.as_mut().expect("a checked network has batch norm here");
    for (c, moment) in moments.iter().enumerate() {
        let mean = moment.mean + f64::from(parameters.bias[c]);
        norm.mean[c] = between(norm.mean[c], mean, share);
        norm.variance[c] = between(norm.variance[c], moment.variance, share);
    }
    let affine = parameters.affine();
    output.par_iter_mut().for_each(|chunk| finish(chunk, &affine, *activation));
    output
}

fn between(own: f32, measured: f64, share: f64) -> f32 {
    let own = f64::from(own);
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    let value = (own + (measured - own) * share) as f32;
    value
}

/// Summed in f64 chunk after chunk.
fn channel_moments(chunks: &Chunks, channels: usize) -> Vec<Moments> {
    let sums = |chunk: &Vec<f32>| {
        let mut sums = Sums::new(channels);
        sums.add(chunk);
        sums
    };
    let by_chunk: Vec<Sums> = chunks.par_iter().map(sums).collect();
    let mut total = Sums::new(channels);
    for sums in &by_chunk {
        total.merge(sums);
    }
    total.moments()
}

/// Mean cross-entropy of the pictures, every tensor in its codes.
pub(super) fn loss(
    network: &FloatNetwork,
    formats: &[Option<Format>],
    pixels: &[u8],
    labels: &[u16],
) -> Result<f64, Error> {
    let classes = network.topology.classes;
    let chunks: Vec<&[u8]> = network.chunks(pixels)?.collect();
    let outputs: Vec<Vec<f32>> =
        chunks.into_par_iter().map(|chunk| super::run_quantized(network, formats, chunk)).collect();
    let losses = outputs.concat();
    let losses = losses.chunks_exact(classes).zip(labels);
    let sum: f64 = losses.map(|(values, &label)| cross_entropy(values, label.into())).sum();
    Ok(sum / labels.len() as f64)
}

/// −ln softmax(values)[label]; infinite where a value is no number.
fn cross_entropy(values: &[f32], label: usize) -> f64 {
    let most = values.iter().fold(f64::NEG_INFINITY, |most, &v| most.max(v.into()));
    let sum: f64 = values.iter().map(|&v| (f64::from(v) - most).exp()).sum();
    let loss = sum.ln() + most - f64::from(values[label]);
    if loss.is_nan() { f64::INFINITY } else { loss }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_by_hand() {
        // softmax(0, ln 3) = (1/4, 3/4).
        let values = [0.0, 3.0_f32.ln()];
        assert!((cross_entropy(&values, 0) - 4.0_f64.ln()).abs() < 1e-6);
        assert!((cross_entropy(&values, 1) - (4.0_f64 / 3.0).ln()).abs() < 1e-6);
        assert!(cross_entropy(&[1.0, f32::NAN], 0).is_infinite());
    }
}
