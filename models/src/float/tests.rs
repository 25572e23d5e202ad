use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tridot_sim::network::{Geometry, Pads, Shape, Window};

use super::*;
use crate::topology::{Activation, TopologyLayer};

/// A network with every operator, odd sizes and four different pads.
pub(crate) const EVERYTHING: &str = r#"
format = 1
name = "everything"
input = { height = 13, width = 11, channels = 3 }
classes = 5
normalization = { mean = [0.5, 0.4, 0.3], std = [0.25, 0.3, 0.2] }
batch_norm = "separate"
epsilon = 1e-3

[[block]]
name = "a"
layers = [
  { op = "convolution", name = "conv", channels = 6, kernel = [3, 4], stride = [2, 1], pads = { top = 2, left = 1, bottom = 0, right = 3 }, norm = "bn", activation = "relu6" },
  { op = "max_pool", name = "max", kernel = 3, stride = 2, pad = 1 },
  { op = "split", name = "left", first = 0, channels = 2 },
  { op = "split", name = "right", inputs = ["max"], first = 2, channels = 4 },
  { op = "depthwise", name = "dw", kernel = [3, 2], stride = 1, pads = { top = 0, left = 1, bottom = 2, right = 0 }, norm = "dw_bn" },
  { op = "convolution", name = "linear_pw", channels = 3, kernel = 1, norm = "pw_bn" },
  { op = "concat", name = "mixed", inputs = ["left", "linear_pw"] },
  { op = "convolution", name = "relu_pw", inputs = ["right"], channels = 7, kernel = 1, norm = "relu_bn", activation = "relu" },
  { op = "concat", name = "concat", inputs = ["mixed", "relu_pw"] },
  { op = "shuffle", name = "shuffle", groups = 4 },
]

[[block]]
name = "b"
layers = [
  { op = "convolution", name = "conv1", channels = 12, kernel = 3, pad = 1, norm = "bn1", activation = "relu" },
  { op = "convolution", name = "conv2", channels = 12, kernel = 3, pad = 1 },
  { op = "add", name = "add", inputs = ["conv2", "input"], activation = "relu" },
  { op = "subsample", name = "subsample", stride = 2 },
  { op = "channel_pad", name = "padded", before = 1, after = 2 },
  { op = "convolution", name = "strided", inputs = ["add"], channels = 15, kernel = 3, stride = 2, pad = 1, norm = "bn3" },
  { op = "add", name = "sum", inputs = ["strided", "padded"] },
  { op = "average_pool", name = "pool", kernel = 2, stride = 1 },
  { op = "linear", name = "linear", channels = "classes" },
]
"#;

/// Numbers from −1 to 1.
pub(crate) fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| generator.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
}

pub(crate) fn random_pixels(network: &FloatNetwork, n: usize, seed: u64) -> Vec<u8> {
    let values = random(n * network.topology.input.elements(), seed);
    values.into_iter().map(|x| ((x + 1.0) * 127.9) as u8).collect()
}

/// Weights as He and others start with, every batch norm different from the identity.
pub(crate) fn random_network(topology: Topology, seed: u64) -> FloatNetwork {
    let scaled = |values: Vec<f32>, by: f32, plus: f32| -> Vec<f32> {
        values.into_iter().map(|x| x * by + plus).collect()
    };
    let parameters = |(i, layer): (usize, &TopologyLayer)| {
        let TopologyOperator::Dot { geometry, batch_norm, .. } = &layer.operator else {
            return None;
        };
        let channels = layer.shape.channels;
        let fan_in = geometry.fan_in(topology.shape(layer.inputs[0]));
        let part = |part: u64, n: usize| random(n, seed * 1000 + i as u64 * 10 + part);
        let spread = (6.0 / fan_in as f32).sqrt();
        let batch_norm = batch_norm.as_ref().map(|norm| BatchNormParameters {
            gamma: scaled(part(1, channels), 0.4, 0.9),
            beta: scaled(part(2, channels), 0.3, 0.1),
            mean: scaled(part(3, channels), 0.2, 0.0),
            variance: scaled(part(4, channels), 0.4, 1.0),
            epsilon: norm.epsilon,
        });
        let weights = scaled(part(0, channels * fan_in), spread, 0.0);
        Some(LayerParameters { weights, bias: scaled(part(5, channels), 0.1, 0.0), batch_norm })
    };
    let parameters = topology.layers.iter().enumerate().map(parameters).collect();
    FloatNetwork { topology, parameters }
}

/// A tensor of one picture in f64.
struct Twin {
    shape: Shape,
    values: Vec<f64>,
}

impl Twin {
    fn at(&self, row: usize, column: usize, channel: usize) -> f64 {
        self.values[(row * self.shape.width + column) * self.shape.channels + channel]
    }

    /// None at a pad.
    fn tap(
        &self,
        window: Window,
        pads: Pads,
        at: [usize; 2],
        tap: [usize; 2],
    ) -> Option<[usize; 2]> {
        let row = (at[0] * window.stride_height + tap[0]).checked_sub(pads.top)?;
        let column = (at[1] * window.stride_width + tap[1]).checked_sub(pads.left)?;
        (row < self.shape.height && column < self.shape.width).then_some([row, column])
    }
}

fn taps(window: Window) -> impl Iterator<Item = [usize; 2]> {
    (0..window.kernel_height).flat_map(move |i| (0..window.kernel_width).map(move |j| [i, j]))
}

/// Every output value from its definition.
fn twin(layer: &TopologyLayer, parameters: Option<&LayerParameters>, inputs: &[&Twin]) -> Twin {
    let (shape, x) = (layer.shape, inputs[0]);
    let mut values = Vec::new();
    for row in 0..shape.height {
        for column in 0..shape.width {
            for channel in 0..shape.channels {
                values.push(twin_value(layer, parameters, inputs, x, [row, column, channel]));
            }
        }
    }
    Twin { shape, values }
}

fn twin_value(
    layer: &TopologyLayer,
    parameters: Option<&LayerParameters>,
    inputs: &[&Twin],
    x: &Twin,
    [row, column, c]: [usize; 3],
) -> f64 {
    let channels = x.shape.channels;
    let none = Pads::default();
    match &layer.operator {
        TopologyOperator::Dot { geometry, activation, .. } => {
            let sum = twin_dot(geometry, parameters.unwrap(), x, [row, column, c]);
            twin_activation(*activation, twin_norm(parameters.unwrap(), c, sum))
        }
        TopologyOperator::Add { activation } => {
            twin_activation(*activation, x.at(row, column, c) + inputs[1].at(row, column, c))
        }
        TopologyOperator::AveragePool { window } => {
            let values = taps(*window).filter_map(|tap| x.tap(*window, none, [row, column], tap));
            values.map(|[i, j]| x.at(i, j, c)).sum::<f64>() / window.taps() as f64
        }
        TopologyOperator::MaxPool { window, pads } => {
            let values = taps(*window).filter_map(|tap| x.tap(*window, *pads, [row, column], tap));
            values.map(|[i, j]| x.at(i, j, c)).fold(f64::NEG_INFINITY, f64::max)
        }
        TopologyOperator::Split { first, .. } => x.at(row, column, first + c),
        TopologyOperator::Concat => {
            let mut rest = c;
            for input in inputs {
                if rest < input.shape.channels {
                    return input.at(row, column, rest);
                }
                rest -= input.shape.channels;
            }
            unreachable!("the channels are those of the inputs")
        }
        TopologyOperator::Shuffle { groups } => {
            x.at(row, column, c % groups * (channels / groups) + c / groups)
        }
        TopologyOperator::Subsample { stride_height, stride_width } => {
            x.at(row * stride_height, column * stride_width, c)
        }
        TopologyOperator::ChannelPad { before, .. } => {
            if (*before..before + channels).contains(&c) {
                x.at(row, column, c - before)
            } else {
                0.0
            }
        }
    }
}

fn twin_dot(geometry: &Geometry, parameters: &LayerParameters, x: &Twin, at: [usize; 3]) -> f64 {
    let [row, column, c] = at;
    let fan_in = geometry.fan_in(x.shape);
    let weight = |k: usize| f64::from(parameters.weights[c * fan_in + k]);
    let (window, pads) = match geometry {
        Geometry::Linear => return (0..fan_in).map(|k| x.values[k] * weight(k)).sum(),
        Geometry::Convolution { window, pads } | Geometry::Depthwise { window, pads } => {
            (*window, *pads)
        }
    };
    let mut sum = 0.0;
    for (i, tap) in taps(window).enumerate() {
        let Some([row, column]) = x.tap(window, pads, [row, column], tap) else { continue };
        if geometry.is_depthwise() {
            sum += x.at(row, column, c) * weight(i);
        } else {
            let n = x.shape.channels;
            sum += (0..n).map(|k| x.at(row, column, k) * weight(i * n + k)).sum::<f64>();
        }
    }
    sum
}

fn twin_norm(parameters: &LayerParameters, c: usize, sum: f64) -> f64 {
    let biased = sum + f64::from(parameters.bias[c]);
    let Some(norm) = &parameters.batch_norm else { return biased };
    let of = |values: &[f32]| f64::from(values[c]);
    (biased - of(&norm.mean)) / (of(&norm.variance) + norm.epsilon).sqrt() * of(&norm.gamma)
        + of(&norm.beta)
}

fn twin_activation(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
    }
}

#[test]
fn every_operator_equals_its_definition() {
    let network = random_network(Topology::from_toml(EVERYTHING).unwrap(), 1);
    network.check().unwrap();
    let pixels = random_pixels(&network, 3, 2);
    let mut tensors = Vec::new();
    network.run(&pixels, &mut |_, values| tensors.push(values.to_vec()));
    let bytes = network.topology.input.elements();
    for picture in 0..3 {
        let input = &pixels[picture * bytes..][..bytes];
        let norm = &network.topology.normalization;
        let real =
            |(i, &p): (usize, &u8)| (f64::from(p) / 255.0 - norm.mean[i % 3]) / norm.std[i % 3];
        let values = input.iter().enumerate().map(real).collect();
        let mut twins = vec![Twin { shape: network.topology.input, values }];
        for (i, layer) in network.topology.layers.iter().enumerate() {
            let inputs: Vec<&Twin> = layer.inputs.iter().map(|id| &twins[id.0]).collect();
            let made = twin(layer, network.parameters[i].as_ref(), &inputs);
            twins.push(made);
        }
        for (id, twin) in twins.iter().enumerate() {
            let n = twin.values.len();
            assert_eq!(tensors[id].len(), 3 * n, "tensor {id}");
            for (&got, &wanted) in tensors[id][picture * n..][..n].iter().zip(&twin.values) {
                let error = (f64::from(got) - wanted).abs();
                assert!(error <= 1e-4 * (1.0 + wanted.abs()), "tensor {id}: {got} for {wanted}");
            }
        }
    }
}

#[test]
fn one_and_three_threads_give_the_same_bits() {
    let network = random_network(Topology::from_toml(EVERYTHING).unwrap(), 3);
    let pixels = random_pixels(&network, 101, 4);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let outputs = pool.install(|| network.forward(&pixels).unwrap());
        outputs.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(with(1), with(3));
    assert_eq!(with(1).len(), 101 * 5);
}

#[test]
fn wrong_parameters_are_refused_with_layer_and_index() {
    let network = random_network(Topology::from_toml(EVERYTHING).unwrap(), 5);
    let refused = |change: fn(&mut LayerParameters)| {
        let mut network = network.clone();
        change(network.parameters[0].as_mut().unwrap());
        network.forward(&random_pixels(&network, 1, 0)).unwrap_err().to_string()
    };
    assert_eq!(
        refused(|p| p.weights[7] = f32::NAN),
        "layer `a.conv`: weight 7 must be finite, got NaN"
    );
    assert_eq!(
        refused(|p| p.batch_norm.as_mut().unwrap().variance[2] = -0.5),
        "layer `a.conv`: running variance 2 plus epsilon must be positive, got -0.5"
    );
    assert_eq!(
        refused(|p| p.bias.truncate(4)),
        "layer `a.conv`: the number of values of its bias must be 6, got 4"
    );
    let error = network.forward(&[0; 430]).unwrap_err().to_string();
    let wanted =
        "data: the number of pixel bytes must be a positive multiple of the 429 of a picture";
    assert_eq!(error, format!("{wanted}, got 430"));
}

#[test]
fn the_first_of_the_largest_outputs_is_the_class() {
    assert_eq!(largest(&[1.0, 3.0, 3.0, 2.0]), 1);
    assert_eq!(largest(&[f32::NEG_INFINITY, f32::NEG_INFINITY]), 0);
}
