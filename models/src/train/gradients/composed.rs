//! A training step of candle operators on this crate's kernels: NHWC, `f32`.

use candle_core::{DType, Device, Tensor, Var};
use tridot_sim::network::Geometry;

use super::super::model::Model;
use super::twin::cross_entropy;
use crate::operators;
use crate::topology::{Activation, TopologyLayer, TopologyOperator};

/// Gradients with their names, in the order of the slots.
pub(super) fn gradients(
    model: &mut Model,
    pixels: &[u8],
    labels: &[u16],
) -> Vec<(String, Vec<f32>)> {
    let variable = |slot: super::Slot<'_>| {
        let values = Tensor::from_slice(slot.values, slot.values.len(), &Device::Cpu).unwrap();
        (slot.name, Var::from_tensor(&values).unwrap())
    };
    let variables: Vec<(String, Var)> = model.slots().into_iter().map(variable).collect();
    let topology = &model.float.topology;
    let mut tensors = vec![input(model, pixels, labels.len())];
    for layer in &topology.layers {
        let inputs: Vec<&Tensor> = layer.inputs.iter().map(|id| &tensors[id.0]).collect();
        let named = |what: &str| {
            let name = format!("{}.{what}", layer.name);
            let found = variables.iter().find(|variable| variable.0 == name);
            found.unwrap_or_else(|| panic!("{name}")).1.as_tensor().clone()
        };
        let out = composed(layer, &inputs, &named);
        tensors.push(out);
    }
    let loss = cross_entropy(tensors.last().unwrap(), labels);
    let gradients = loss.backward().unwrap();
    let gradient = |(name, variable): (String, Var)| {
        let gradient = gradients.get(&variable).unwrap().flatten_all().unwrap();
        (name, gradient.to_vec1().unwrap())
    };
    variables.into_iter().map(gradient).collect()
}

fn input(model: &Model, pixels: &[u8], n: usize) -> Tensor {
    let topology = &model.float.topology;
    let shape = (n, topology.input.height, topology.input.width, topology.input.channels);
    let tables = topology.normalization.tables();
    let value = |(i, &pixel): (usize, &u8)| tables[i % topology.input.channels][usize::from(pixel)];
    let values: Vec<f64> = pixels.iter().enumerate().map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap()
}

fn composed(layer: &TopologyLayer, inputs: &[&Tensor], named: &dyn Fn(&str) -> Tensor) -> Tensor {
    let x = inputs[0];
    match layer.operator {
        TopologyOperator::Dot { .. } => dot(layer, x, named),
        TopologyOperator::Add { activation } => {
            let sum = (x + inputs[1]).unwrap();
            match activation {
                Activation::Identity => sum,
                Activation::Relu => {
                    sum.gt(0.0).unwrap().where_cond(&sum, &sum.zeros_like().unwrap()).unwrap()
                }
                Activation::Relu6 => unreachable!("no family adds with it"),
            }
        }
        TopologyOperator::AveragePool { window } => operators::average_pool(x, window).unwrap(),
        TopologyOperator::MaxPool { window, pads } => operators::max_pool(x, window, pads).unwrap(),
        TopologyOperator::Split { first, channels } => x.narrow(3, first, channels).unwrap(),
        TopologyOperator::Concat => Tensor::cat(inputs, 3).unwrap(),
        TopologyOperator::Shuffle { groups } => {
            let shape = x.dims4().unwrap();
            let x = x.reshape((shape.0, shape.1, shape.2, groups, shape.3 / groups)).unwrap();
            x.transpose(3, 4).unwrap().reshape(shape).unwrap()
        }
        TopologyOperator::Subsample { stride_height, stride_width } => {
            let every = |x: &Tensor, side: usize, stride: usize, n: usize| {
                let indices: Vec<u32> = (0..n).map(|i| (i * stride) as u32).collect();
                x.index_select(&Tensor::new(indices, &Device::Cpu).unwrap(), side).unwrap()
            };
            let x = every(x, 1, stride_height, layer.shape.height);
            every(&x, 2, stride_width, layer.shape.width)
        }
        TopologyOperator::ChannelPad { before, after } => {
            x.pad_with_zeros(3, before, after).unwrap()
        }
    }
}

fn dot(layer: &TopologyLayer, x: &Tensor, named: &dyn Fn(&str) -> Tensor) -> Tensor {
    let TopologyOperator::Dot { geometry, batch_norm, activation, .. } = &layer.operator else {
        unreachable!("called for such")
    };
    let (channels, inputs) = (layer.shape.channels, x.dim(3).unwrap());
    let weights = named("weight");
    let sums = match *geometry {
        Geometry::Convolution { window, pads } => {
            let shape = (channels, window.kernel_height, window.kernel_width, inputs);
            operators::convolution(x, &weights.reshape(shape).unwrap(), window, pads)
        }
        Geometry::Depthwise { window, pads } => {
            let shape = (channels, window.kernel_height, window.kernel_width);
            operators::depthwise(x, &weights.reshape(shape).unwrap(), window, pads)
        }
        Geometry::Linear => {
            let x = x.flatten_from(1).unwrap();
            let weights = weights.reshape((channels, x.dim(1).unwrap())).unwrap();
            let sums = operators::linear(&x, &weights).unwrap();
            Ok(sums.reshape((x.dim(0).unwrap(), 1, 1, channels)).unwrap())
        }
    };
    let sums = sums.unwrap();
    match batch_norm {
        None => sums.broadcast_add(&named("bias")).unwrap(),
        Some(norm) => {
            let (gamma, beta) = (named("gamma"), named("beta"));
            operators::batch_norm(&sums, &gamma, &beta, norm.epsilon, *activation).unwrap()
        }
    }
}
