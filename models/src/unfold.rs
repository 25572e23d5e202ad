//! Float weights again, out of an integer network: to train them behind other quantizers.
//!
//! An integer network has batch norm folded into multipliers and biases. What a layer computes is
//! `w·x + b` in real numbers: w the weights times multiplier, shift and the ratio of both tensors' scales.
//! [`float_network`] puts batch norm back where the topology has it, without a change of the function:
//! of mean μ and variance v of `w·x` on pictures, γ = √(v + ε), β = b + μ, the running statistics μ and v.
//!
//! How large the weights of a filter in front of batch norm are says nothing about the function, and in a
//! folded network it is what training left over; it matters to quantizers of one scale per layer. Each
//! filter is scaled to the variance that training from scratch begins with, 2/K of K inputs.

use rayon::prelude::*;
use tridot_sim::network::{Dot, DotOutput, Layer, Network, Operator, TensorId, Weights};

use crate::Error;
use crate::float::{BatchNormParameters, FloatNetwork, LayerParameters, Operand, dot_sums};
use crate::topology::{Bias, DotLayer, Topology, TopologyOperator};

/// The float network of the same topology that computes what `network` does but for its rounding of
/// activations. `pixels` are pictures to measure batch norm on, u8 NHWC.
pub fn float_network(
    network: &Network,
    topology: Topology,
    pixels: &[u8],
) -> Result<FloatNetwork, Error> {
    let layers = matched(network, &topology)?;
    let mut parameters = vec![None; topology.layers.len()];
    for dot in topology.dot_layers() {
        parameters[dot.layer_idx] = Some(real(network, layers[dot.layer_idx], &dot)?);
    }
    let mut float = FloatNetwork { topology: topology.folded(), parameters };
    float.check()?;
    let moments = moments(&float, &topology, pixels)?;
    float.topology = topology;
    for (layer_idx, moments) in moments {
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

/// The layers of an integer network that are those of the topology, without what the exporter adds.
fn matched<'a>(network: &'a Network, topology: &Topology) -> Result<Vec<&'a Layer>, Error> {
    let refused = |what: &str, wanted: &dyn std::fmt::Display, got: &dyn std::fmt::Display| {
        let place = format!("integer network `{}`", network.name);
        Error::limit(place, what, format!("{wanted}, as in network `{}`", topology.name), got)
    };
    let is_own = |layer: &&Layer| !matches!(layer.operator, Operator::Rescale { .. });
    let layers: Vec<&Layer> = network.layers.iter().filter(is_own).collect();
    let input = network.input.tensor.shape;
    if input != topology.input {
        return Err(refused("its input", &topology.input, &input));
    }
    if layers.len() != topology.layers.len() {
        return Err(refused("the number of layers", &topology.layers.len(), &layers.len()));
    }
    for (layer, wanted) in layers.iter().zip(&topology.layers) {
        if layer.name != wanted.name {
            let names = [&wanted.name, &layer.name].map(|name| format!("`{name}`"));
            return Err(refused("a layer's name", &names[0], &names[1]));
        }
        let place = |what: &str| format!("{what} of layer `{}`", layer.name);
        if layer.output.shape != wanted.shape {
            return Err(refused(&place("the output"), &wanted.shape, &layer.output.shape));
        }
        let is_like = match (&layer.operator, &wanted.operator) {
            (Operator::Dot(dot), TopologyOperator::Dot { geometry, .. }) => {
                dot.geometry == *geometry
            }
            (Operator::Dot(_), _) | (_, TopologyOperator::Dot { .. }) => false,
            _ => true,
        };
        if !is_like {
            return Err(refused(&place("the operator"), &"the same", &"another"));
        }
    }
    Ok(layers)
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

/// Sum and sum of squares.
type Sums = Vec<[f64; 2]>;

/// Mean and variance of a channel's dot products.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moments {
    mean: f64,
    variance: f64,
}

/// Those of each layer that has batch norm in `topology`, by layer index.
fn moments(
    folded: &FloatNetwork,
    topology: &Topology,
    pixels: &[u8],
) -> Result<Vec<(usize, Vec<Moments>)>, Error> {
    let has_norm = |dot: &DotLayer<'_>| {
        matches!(dot.layer.operator, TopologyOperator::Dot { batch_norm: Some(_), .. })
    };
    let normal: Vec<DotLayer<'_>> = topology.dot_layers().filter(has_norm).collect();
    let of_chunk = |chunk: &[u8]| -> Vec<Sums> {
        let mut sums: Vec<Sums> =
            normal.iter().map(|dot| vec![[0.0; 2]; dot.output.channels]).collect();
        folded.run(chunk, &mut |id: TensorId, values: &mut [f32]| {
            let readers = normal.iter().zip(&mut sums);
            for (dot, sums) in readers.filter(|(dot, _)| dot.layer.inputs[0] == id) {
                let weights = &folded.parameters[dot.layer_idx].as_ref().expect("checked").weights;
                let operand = Operand { values, shape: dot.input };
                let products = dot_sums(&dot.geometry, weights, operand, dot.output);
                for pixel in products.chunks_exact(sums.len()) {
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        let value = f64::from(value);
                        *sum = [sum[0] + value, sum[1] + value * value];
                    }
                }
            }
        });
        sums
    };
    let chunks: Vec<&[u8]> = folded.chunks(pixels)?.collect();
    let by_chunk: Vec<Vec<Sums>> = chunks.into_par_iter().map(of_chunk).collect();
    let pictures = (pixels.len() / topology.input.elements()) as f64;
    let of_layer = |(i, dot): (usize, &DotLayer<'_>)| {
        let count = pictures * dot.output.pixels() as f64;
        let channel = |c: usize| {
            let of_channel = by_chunk.iter().map(|sums| sums[i][c]);
            let [sum, squares] = of_channel.fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
            let mean = sum / count;
            Moments { mean, variance: (squares / count - mean * mean).max(0.0) }
        };
        (dot.layer_idx, (0..dot.output.channels).map(channel).collect())
    };
    Ok(normal.iter().enumerate().map(of_layer).collect())
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
