//! Float weights again, out of an integer network: to quantize them otherwise, or to train them so.
//!
//! An integer network has batch norm folded into multipliers and biases. What a layer computes is
//! `w·x + b` in real numbers: w the weights times multiplier, shift and the ratio of both tensors' scales.
//! [`Unfolded`] puts batch norm back where the topology has it, and what a layer computes stays:
//! of mean μ and variance v of `w·x` on pictures, γ = √(v + ε), β = b + μ, the running statistics μ and v.
//! What a float network has none of is gone: the rounding of activations, and their clips.
//!
//! How large the weights of a filter in front of batch norm are says nothing about the function, and in a
//! folded network it is what training left over; it matters to quantizers of one scale per layer. Each
//! filter is scaled to the variance that training from scratch begins with, 2/K of K inputs.

use rayon::prelude::*;
use tridot_sim::network::{Dot, DotOutput, Layer, Network, TensorId, Weights};

use crate::Error;
use crate::float::{BatchNormParameters, FloatNetwork, LayerParameters, Operand, dot_sums};
use crate::moments::{Moments, Sums};
use crate::topology::{Bias, DotLayer, Topology, TopologyOperator};

mod matched;

/// An integer network in real numbers, batch norm still folded.
#[derive(Debug)]
pub struct Unfolded {
    /// What it shall become one of.
    topology: Topology,
    folded: FloatNetwork,
}

/// Pictures' chunks whose sums are held at once.
const CHUNKS_AT_ONCE: usize = 32;

impl Unfolded {
    /// Refuses an integer network that is not one of the topology.
    pub fn new(network: &Network, topology: Topology) -> Result<Self, Error> {
        let layers = matched::layers(network, &topology)?;
        let mut parameters = vec![None; topology.layers.len()];
        for dot in topology.dot_layers() {
            parameters[dot.layer_idx] = Some(real(network, layers[dot.layer_idx], &dot)?);
        }
        let folded = FloatNetwork { topology: topology.folded(), parameters };
        folded.check()?;
        Ok(Self { topology, folded })
    }

    /// Whether there is batch norm to put back, for which pictures are needed.
    pub fn has_batch_norm(&self) -> bool {
        normalized(&self.topology).next().is_some()
    }

    /// Bytes of a picture.
    pub fn picture_bytes(&self) -> usize {
        self.topology.input.elements()
    }

    /// With batch norm as it is on these pictures, u8 NHWC.
    pub fn float_network(self, pixels: &[u8]) -> Result<FloatNetwork, Error> {
        let Self { topology, folded } = self;
        let measured = measured(&folded, &topology, pixels)?;
        let mut float = FloatNetwork { topology, parameters: folded.parameters };
        for (layer_idx, moments) in measured {
            let TopologyOperator::Dot { batch_norm: Some(norm), .. } =
                &float.topology.layers[layer_idx].operator
            else {
                unreachable!("measured in front of batch norm")
            };
            let parameters = float.parameters[layer_idx].as_mut().expect("measured on its weights");
            normalize(parameters, &moments, norm.epsilon);
        }
        float.check()?;
        Ok(float)
    }
}

/// The layers with batch norm.
fn normalized(topology: &Topology) -> impl Iterator<Item = DotLayer<'_>> {
    topology.dot_layers().filter(|dot| {
        matches!(dot.layer.operator, TopologyOperator::Dot { batch_norm: Some(_), .. })
    })
}

/// Weights and biases of a dot-product layer in real numbers.
#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn real(network: &Network, layer: &Layer, wanted: &DotLayer<'_>) -> Result<LayerParameters, Error> {
    let dot = layer.dot().expect("matched with a dot-product layer");
    let unit = match dot.output {
        DotOutput::Requantize(requantize) => {
            layer.output.scale * (-f64::from(requantize.shift)).exp2()
        }
        DotOutput::Raw => layer.output.scale,
    };
    let fan_in = wanted.fan_in();
    let scale = unit / network.input_of(layer).scale;
    let weight = |k: usize| (multiple(dot, k / fan_in, k, network) as f64 * scale) as f32;
    let bias: Vec<f32> = dot.bias.iter().map(|&bias| (bias as f64 * unit) as f32).collect();
    let has_none = matches!(
        wanted.layer.operator,
        TopologyOperator::Dot { bias: Bias::Absent, batch_norm: None, .. }
    );
    if has_none && let Some(c) = bias.iter().position(|&bias| bias != 0.0) {
        let place = format!("layer `{}`", layer.name);
        return Err(Error::limit(place, format!("bias {c}"), "0: it has none", bias[c]));
    }
    let weights = (0..dot.weights.len()).map(weight).collect();
    Ok(LayerParameters { weights, bias, batch_norm: None })
}

/// What a code of 1 at weight `k` of output channel `c` adds to y.
fn multiple(dot: &Dot, c: usize, k: usize, network: &Network) -> i64 {
    let per_channel = dot.weights.multipliers_per_channel();
    let multipliers = &dot.multipliers[c * per_channel..][..per_channel];
    match &dot.weights {
        Weights::Fixed { values, .. } => i64::from(values[k]) * i64::from(multipliers[0]),
        Weights::Dbq { .. } => (0..)
            .zip(multipliers)
            .map(|(plane, &m)| i64::from(dot.weights.trit(plane, k, network.digits)) * i64::from(m))
            .sum(),
    }
}

/// Mean and variance of each channel's dot products where the topology has batch norm, by layer index.
fn measured(
    folded: &FloatNetwork,
    topology: &Topology,
    pixels: &[u8],
) -> Result<Vec<(usize, Vec<Moments>)>, Error> {
    let layers: Vec<DotLayer<'_>> = normalized(topology).collect();
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    let nothing =
        || -> Vec<Sums> { layers.iter().map(|dot| Sums::new(dot.output.channels)).collect() };
    let of_chunk = |chunk: &&[u8]| {
        let mut sums = nothing();
        folded.run(chunk, &mut |id: TensorId, values: &mut [f32]| {
            let readers = layers.iter().zip(&mut sums);
            for (dot, sums) in readers.filter(|(dot, _)| dot.layer.inputs[0] == id) {
                let weights = &folded.parameters[dot.layer_idx].as_ref().expect("checked").weights;
                let operand = Operand { values, shape: dot.input };
                sums.add(&dot_sums(&dot.geometry, weights, operand, dot.output));
            }
        });
        sums
    };
    let mut totals = nothing();
    let chunks: Vec<&[u8]> = folded.chunks(pixels)?.collect();
    for some in chunks.chunks(CHUNKS_AT_ONCE) {
        let by_chunk: Vec<Vec<Sums>> = some.par_iter().map(of_chunk).collect();
        for sums in by_chunk {
            totals.iter_mut().zip(&sums).for_each(|(total, sums)| total.merge(sums));
        }
    }
    Ok(layers.iter().map(|dot| dot.layer_idx).zip(totals.iter().map(Sums::moments)).collect())
}

/// Puts batch norm behind folded weights and biases, and scales the filters.
#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn normalize(parameters: &mut LayerParameters, moments: &[Moments], epsilon: f64) {
    let channels = moments.len();
    let fan_in = parameters.weights.len() / channels;
    let mut norm = BatchNormParameters {
        gamma: Vec::with_capacity(channels),
        beta: Vec::with_capacity(channels),
        mean: Vec::with_capacity(channels),
        variance: Vec::with_capacity(channels),
        epsilon,
    };
    let filters = parameters.weights.chunks_exact_mut(fan_in);
    for ((filter, bias), moments) in filters.zip(&mut parameters.bias).zip(moments) {
        let squares: f64 = filter.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
        // A filter of zeros stays one.
        let factor = if squares == 0.0 { 1.0 } else { (2.0 / squares).sqrt() };
        for weight in filter {
            *weight = (f64::from(*weight) * factor) as f32;
        }
        let variance = (moments.variance * factor * factor) as f32;
        norm.gamma.push(((f64::from(variance) + epsilon).sqrt() / factor) as f32);
        norm.beta.push((f64::from(*bias) + moments.mean) as f32);
        norm.mean.push((moments.mean * factor) as f32);
        norm.variance.push(variance);
        *bias = 0.0;
    }
    parameters.batch_norm = Some(norm);
}

#[cfg(test)]
mod tests;
