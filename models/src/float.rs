//! A topology with its trained float parameters, and what it computes.

use rayon::prelude::*;
use tridot_sim::network::{Accuracy, TensorId};

use crate::Error;
use crate::topology::{Topology, TopologyOperator};

mod operators;

pub(crate) use operators::{Operand, dot_sums, evaluate, finish};

/// A topology and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatNetwork {
    /// The layers.
    pub topology: Topology,
    /// By layer index: the parameters of dot-product layers, none for the others.
    pub parameters: Vec<Option<LayerParameters>>,
}

/// The parameters of one dot-product layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerParameters {
    /// Weight k of output channel c is element c·K + k; K order: kernel row, kernel column, input channel.
    pub weights: Vec<f32>,
    /// One per output channel; zeros where the layer has none.
    pub bias: Vec<f32>,
    /// Batch norm, where the layer has one.
    pub batch_norm: Option<BatchNormParameters>,
}

/// One value per output channel each.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormParameters {
    /// γ.
    pub gamma: Vec<f32>,
    /// β.
    pub beta: Vec<f32>,
    /// Running mean.
    pub mean: Vec<f32>,
    /// Running variance.
    pub variance: Vec<f32>,
    /// ε.
    pub epsilon: f64,
}

/// What bias and batch norm do to the dot product of one output channel: `gain · sum + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// γ/√(variance + ε), or 1.
    pub gain: f64,
    /// (bias − mean)·gain + β, or the bias.
    pub offset: f64,
}

impl LayerParameters {
    /// Bias and batch norm folded, per output channel.
    pub fn affine(&self) -> Vec<Affine> {
        let Some(norm) = &self.batch_norm else {
            let offset = |&bias: &f32| Affine { gain: 1.0, offset: f64::from(bias) };
            return self.bias.iter().map(offset).collect();
        };
        let channel = |(c, &bias): (usize, &f32)| {
            let gain =
                f64::from(norm.gamma[c]) / (f64::from(norm.variance[c]) + norm.epsilon).sqrt();
            let centred = f64::from(bias) - f64::from(norm.mean[c]);
            Affine { gain, offset: centred * gain + f64::from(norm.beta[c]) }
        };
        self.bias.iter().enumerate().map(channel).collect()
    }
}

/// Elements of the largest tensor that the pictures of one chunk may have together: 4 MiB of `f32`.
const CHUNK_ELEMENTS: usize = 1 << 20;

impl FloatNetwork {
    /// Refuses parameters that do not fit the topology, and any that is NaN or infinite.
    pub fn check(&self) -> Result<(), Error> {
        let layers = &self.topology.layers;
        if self.parameters.len() != layers.len() {
            let limit = format!("{} (one a layer)", layers.len());
            let value = self.parameters.len();
            return Err(Error::limit(
                "float network",
                "the number of parameter sets",
                limit,
                value,
            ));
        }
        for (layer, parameters) in layers.iter().zip(&self.parameters) {
            let place = format!("layer `{}`", layer.name);
            let TopologyOperator::Dot { geometry, batch_norm, .. } = &layer.operator else {
                continue;
            };
            let Some(parameters) = parameters else {
                return Err(Error::malformed(place, "a dot-product layer without weights"));
            };
            if batch_norm.is_some() != parameters.batch_norm.is_some() {
                let reason = "batch norm in one of network file and parameters, not in both";
                return Err(Error::malformed(place, reason));
            }
            let input = self.topology.shape(layer.inputs[0]);
            check_layer(&place, parameters, layer.shape.channels, geometry.fan_in(input))?;
        }
        Ok(())
    }

    /// The output of the last layer for each picture, one after the other.
    ///
    /// `pixels` are whole pictures, u8 NHWC. Runs on rayon's threads; the result does not depend on
    /// how many there are.
    pub fn forward(&self, pixels: &[u8]) -> Result<Vec<f32>, Error> {
        self.check()?;
        let chunks: Vec<&[u8]> = self.chunks(pixels)?.collect();
        let outputs: Vec<Vec<f32>> =
            chunks.into_par_iter().map(|chunk| self.run(chunk, &mut |_, _| {})).collect();
        Ok(outputs.concat())
    }

    /// How many of the pictures have their label as the largest output; the first of equals counts.
    pub fn accuracy(&self, pixels: &[u8], labels: &[u16]) -> Result<Accuracy, Error> {
        self.correct(&self.forward(pixels)?, labels)
    }

    /// How many of the outputs have their label as the largest.
    pub(crate) fn correct(&self, outputs: &[f32], labels: &[u16]) -> Result<Accuracy, Error> {
        let classes = self.topology.classes;
        if labels.len() != outputs.len() / classes {
            let limit = format!("{} (one a picture)", outputs.len() / classes);
            return Err(Error::limit("data", "the number of labels", limit, labels.len()));
        }
        let guesses = outputs.chunks_exact(classes).map(largest);
        let correct =
            guesses.zip(labels).filter(|(guess, label)| *guess == usize::from(**label)).count();
        Ok(Accuracy { samples: labels.len() as u64, correct: correct as u64 })
    }

    /// Cuts whole pictures into pieces that one thread runs at once; only the topology decides where.
    pub(crate) fn chunks<'a>(&self, pixels: &'a [u8]) -> Result<std::slice::Chunks<'a, u8>, Error> {
        let bytes = self.topology.input.elements();
        if pixels.is_empty() || !pixels.len().is_multiple_of(bytes) {
            let limit = format!("a positive multiple of the {bytes} of a picture");
            return Err(Error::limit("data", "the number of pixel bytes", limit, pixels.len()));
        }
        Ok(pixels.chunks(bytes * self.pictures_per_chunk()))
    }

    fn pictures_per_chunk(&self) -> usize {
        let largest = self.topology.layers.iter().map(|layer| layer.shape.elements()).max();
        (CHUNK_ELEMENTS / largest.unwrap_or(1).max(1)).clamp(1, 32)
    }

    /// The normalized input tensor of whole pictures.
    pub(crate) fn input(&self, pixels: &[u8]) -> Vec<f32> {
        let tables = self.topology.normalization.tables();
        let channels = tables.len();
        let mut values = Vec::with_capacity(pixels.len());
        for pixel in pixels.chunks_exact(channels) {
            #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
            values.extend(
                tables.iter().zip(pixel).map(|(table, &value)| table[usize::from(value)] as f32),
            );
        }
        values
    }

    /// Runs whole pictures on this thread and returns the last tensor.
    ///
    /// `visit` sees every tensor as soon as it is made, the input first, and may change its values.
    pub(crate) fn run(
        &self,
        pixels: &[u8],
        visit: &mut dyn FnMut(TensorId, &mut [f32]),
    ) -> Vec<f32> {
        let mut input = self.input(pixels);
        visit(TensorId::INPUT, &mut input);
        let mut tensors = vec![input];
        let last_reader = last_readers(&self.topology);
        for (layer_idx, layer) in self.topology.layers.iter().enumerate() {
            let operand =
                |&id: &TensorId| Operand { values: &tensors[id.0], shape: self.topology.shape(id) };
            let inputs: Vec<Operand<'_>> = layer.inputs.iter().map(operand).collect();
            let parameters = self.parameters[layer_idx].as_ref();
            let mut output = evaluate(layer, parameters, &inputs);
            visit(TensorId::of_layer(layer_idx), &mut output);
            tensors.push(output);
            for id in &layer.inputs {
                if last_reader[id.0] == layer_idx {
                    tensors[id.0] = Vec::new();
                }
            }
        }
        tensors.pop().expect("the input is a tensor")
    }
}

impl crate::topology::Normalization {
    /// Per channel, the real number of each of the 256 values of a pixel.
    pub(crate) fn tables(&self) -> Vec<[f64; 256]> {
        let table = |(mean, std): (&f64, &f64)| {
            std::array::from_fn(|pixel| (pixel as f64 / 255.0 - mean) / std)
        };
        self.mean.iter().zip(&self.std).map(table).collect()
    }
}

/// By tensor: the index of the last layer that reads it (0 for the output, which none reads).
pub(crate) fn last_readers(topology: &Topology) -> Vec<usize> {
    let mut readers = vec![0; topology.layers.len() + 1];
    for (layer_idx, layer) in topology.layers.iter().enumerate() {
        for id in &layer.inputs {
            readers[id.0] = layer_idx;
        }
    }
    readers
}

/// The index of the first of the largest values.
pub(crate) fn largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if values[best] < *value {
            best = i;
        }
    }
    best
}

fn check_layer(
    place: &str,
    parameters: &LayerParameters,
    channels: usize,
    fan_in: usize,
) -> Result<(), Error> {
    let mut sets = vec![
        ("weight", &parameters.weights, channels * fan_in),
        ("bias", &parameters.bias, channels),
    ];
    if let Some(norm) = &parameters.batch_norm {
        sets.extend([
            ("batch-norm weight", &norm.gamma, channels),
            ("batch-norm bias", &norm.beta, channels),
            ("running mean", &norm.mean, channels),
            ("running variance", &norm.variance, channels),
        ]);
    }
    for (what, values, wanted) in sets {
        if values.len() != wanted {
            let what = format!("the number of values of its {what}");
            return Err(Error::limit(place, what, wanted.to_string(), values.len()));
        }
        if let Some(i) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::limit(place, format!("{what} {i}"), "finite", values[i]));
        }
    }
    if let Some(norm) = &parameters.batch_norm {
        let positive = |&variance: &f32| 0.0 < f64::from(variance) + norm.epsilon;
        if let Some(c) = norm.variance.iter().position(|variance| !positive(variance)) {
            let what = format!("running variance {c} plus epsilon");
            return Err(Error::limit(place, what, "positive", norm.variance[c]));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
