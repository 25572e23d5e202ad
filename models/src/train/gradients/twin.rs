//! A training step in plain candle: NCHW, `f64`, candle's convolution, the rest in primitive operations.
//! It shares with the tape the topology, the parameters, and what the quantizers are: which tensors
//! have codes of which width, and integers of fixed weights.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor, Var};
use tridot_sim::network::{Geometry, Pads, TensorId, Window};

use super::super::forward::Tape;
use super::super::model::Model;
use crate::kernels::finish::Codes;
use crate::kernels::lanes::InstructionSet;
use crate::layers::WeightQuantizer;
use crate::topology::{Activation, TopologyLayer, TopologyOperator};

pub(super) struct Twin<'a> {
    model: &'a Model,
    temperature: f64,
    /// By the name of its slot.
    variables: BTreeMap<String, Var>,
}

fn constant(value: f64) -> Tensor {
    Tensor::new(value, &Device::Cpu).unwrap()
}

fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap()
}

/// 1 where `a < b`, else 0; no gradient goes through.
fn below(a: &Tensor, b: &Tensor) -> Tensor {
    a.broadcast_lt(b).unwrap().to_dtype(DType::F64).unwrap().detach()
}

/// `values` where `mask` is 1, and `other` where it is 0.
fn choose(mask: &Tensor, values: &Tensor, other: f64) -> Tensor {
    let rest = mask.affine(-other, other).unwrap();
    ((values * mask).unwrap() + rest).unwrap()
}

/// Candle's own derivative of `relu` at 0 is 1; here and in the tape it is 0.
fn activated(x: &Tensor, activation: Activation) -> Tensor {
    let high = match activation {
        Activation::Identity => return x.clone(),
        Activation::Relu => f64::INFINITY,
        Activation::Relu6 => 6.0,
    };
    let x = choose(&below(&constant(0.0), x), x, 0.0);
    if high.is_infinite() { x } else { choose(&below(&x, &constant(high)), &x, high) }
}

/// The same values, through which no gradient goes where they are changed: straight through.
fn straight(x: &Tensor, values: &Tensor) -> Tensor {
    (x + (values - x).unwrap().detach()).unwrap()
}

/// Every so many-th row or column from the first on.
fn every(x: &Tensor, side: usize, first: usize, stride: usize, n: usize) -> Tensor {
    let indices: Vec<u32> = (0..n).map(|i| (first + i * stride) as u32).collect();
    x.index_select(&Tensor::new(indices, &Device::Cpu).unwrap(), side).unwrap()
}

fn padded(x: &Tensor, pads: Pads) -> Tensor {
    let x = x.pad_with_zeros(2, pads.top, pads.bottom).unwrap();
    x.pad_with_zeros(3, pads.left, pads.right).unwrap()
}

impl<'a> Twin<'a> {
    /// Takes a model for its slots, and leaves it as it is.
    pub(super) fn new(model: &'a mut Model, temperature: f64) -> Self {
        let mut variables = BTreeMap::new();
        for slot in model.slots() {
            let values = tensor(slot.values, &[slot.values.len()]);
            variables.insert(slot.name, Var::from_tensor(&values).unwrap());
        }
        Self { model, temperature, variables }
    }

    /// Loss, and gradients by name. With a tape that has seen the same pictures, each layer reads what
    /// the tape's did, and must come to what the tape's came to.
    pub(super) fn run(
        &self,
        pixels: &[u8],
        labels: &[u16],
        tape: Option<&Tape>,
    ) -> (f64, BTreeMap<String, Vec<f64>>) {
        let topology = &self.model.float.topology;
        let mut tensors = vec![self.input(pixels, labels.len())];
        for (layer_idx, layer) in topology.layers.iter().enumerate() {
            let inputs: Vec<&Tensor> = layer.inputs.iter().map(|id| &tensors[id.0]).collect();
            let out = self.layer(layer_idx, layer, &inputs);
            let id = TensorId::of_layer(layer_idx);
            let out = self.rounded(id, out);
            tensors.push(match tape {
                None => out,
                Some(tape) => straight(&out, &self.tapes(tape, id, &out)),
            });
        }
        let loss = cross_entropy(tensors.last().unwrap(), labels);
        let gradients = loss.backward().unwrap();
        let gradient = |(name, variable): (&String, &Var)| {
            let values = gradients.get(variable).map_or_else(
                || vec![0.0; variable.elem_count()],
                |gradient| gradient.flatten_all().unwrap().to_vec1().unwrap(),
            );
            (name.clone(), values)
        };
        (loss.to_scalar().unwrap(), self.variables.iter().map(gradient).collect())
    }

    fn input(&self, pixels: &[u8], n: usize) -> Tensor {
        let topology = &self.model.float.topology;
        let shape = topology.input;
        let pixels = Tensor::from_slice(
            pixels,
            (n, shape.height, shape.width, shape.channels),
            &Device::Cpu,
        );
        let x = (pixels.unwrap().to_dtype(DType::F64).unwrap() / 255.0).unwrap();
        let mean = Tensor::new(&topology.normalization.mean[..], &Device::Cpu).unwrap();
        let std = Tensor::new(&topology.normalization.std[..], &Device::Cpu).unwrap();
        let x = x.broadcast_sub(&mean).unwrap().broadcast_div(&std).unwrap();
        self.rounded(TensorId::INPUT, x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap())
    }

    /// The tape's tensor: the same but for rounding, which moves few values by one code at most.
    fn tapes(&self, tape: &Tape, id: TensorId, own: &Tensor) -> Tensor {
        let (n, c, h, w) = own.dims4().unwrap();
        let values = tape.values(id);
        let mut found = vec![0.0; values.len()];
        values.copy(tape.set, 0, &mut found);
        let found = tensor(&found, &[n, h, w, c]).permute((0, 3, 1, 2)).unwrap();
        let name = self.model.float.topology.layers[id.0 - 1].name.as_str();
        let distance = (&found - own).unwrap().abs().unwrap().flatten_all().unwrap();
        let distance: Vec<f64> = distance.to_vec1().unwrap();
        let size = own.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        let codes = self.model.quantization.as_ref();
        let codes = codes.and_then(|q| q.tensors.codes(&self.model.float.topology)[id.0]);
        let code = codes.map_or(0.0, |codes| f64::from(codes.scale));
        let near = 1e-4 * size;
        let furthest = distance.iter().copied().fold(0.0, f64::max);
        assert!(furthest <= code + near, "{name}: {furthest}, more than a code of {code}");
        let moved = distance.iter().filter(|distance| near < **distance).count();
        assert!(moved * 200 <= distance.len() + 200, "{name}: {moved} of {}", distance.len());
        found
    }

    /// A tensor's values as its codes have them, if it has any; the scale is a share of its clip.
    fn rounded(&self, id: TensorId, x: Tensor) -> Tensor {
        let Some(quantization) = &self.model.quantization else { return x };
        let codes = quantization.tensors.codes(&self.model.float.topology)[id.0];
        let Some(Codes { scale, low, high }) = codes else { return x };
        let (low, high) = (f64::from(low), f64::from(high));
        let scale = match quantization.tensors.clip_indices()[id.0] {
            None => constant(f64::from(scale)),
            Some(clip) => {
                let clip = self.variables["clips"].narrow(0, clip, 1).unwrap();
                (clip.squeeze(0).unwrap() / high).unwrap()
            }
        };
        let code = x.broadcast_div(&scale).unwrap();
        // At a limit the gradient still goes through: what is outside is strictly beyond it.
        let inside = below(&code, &constant(low)).affine(-1.0, 1.0).unwrap();
        let code = choose(&inside, &code, low);
        let inside = below(&constant(high), &code).affine(-1.0, 1.0).unwrap();
        let code = choose(&inside, &code, high);
        let rounded = straight(&code, &half_to_even(&code));
        rounded.broadcast_mul(&scale).unwrap()
    }

    fn layer(&self, layer_idx: usize, layer: &TopologyLayer, inputs: &[&Tensor]) -> Tensor {
        let x = inputs[0];
        match layer.operator {
            TopologyOperator::Dot { .. } => self.dot(layer_idx, layer, x),
            TopologyOperator::Add { activation } => {
                activated(&(x + inputs[1]).unwrap(), activation)
            }
            TopologyOperator::AveragePool { .. } => {
                assert_eq!((layer.shape.height, layer.shape.width), (1, 1), "global alone is used");
                x.mean_keepdim((2, 3)).unwrap()
            }
            TopologyOperator::MaxPool { window, pads } => max_pool(layer, x, window, pads),
            TopologyOperator::Split { first, channels } => x.narrow(1, first, channels).unwrap(),
            TopologyOperator::Concat => Tensor::cat(inputs, 1).unwrap(),
            TopologyOperator::Shuffle { groups } => {
                let shape = x.dims4().unwrap();
                let x = x.reshape((shape.0, groups, shape.1 / groups, shape.2, shape.3)).unwrap();
                x.transpose(1, 2).unwrap().reshape(shape).unwrap()
            }
            TopologyOperator::Subsample { stride_height, stride_width } => {
                let x = every(x, 2, 0, stride_height, layer.shape.height);
                every(&x, 3, 0, stride_width, layer.shape.width)
            }
            TopologyOperator::ChannelPad { before, after } => {
                x.pad_with_zeros(1, before, after).unwrap()
            }
        }
    }

    fn variable(&self, layer: &TopologyLayer, what: &str) -> Tensor {
        self.variables[&format!("{}.{what}", layer.name)].as_tensor().clone()
    }

    /// Sums over weights as they are or as the quantizers have them, batch norm or bias, activation.
    fn dot(&self, layer_idx: usize, layer: &TopologyLayer, x: &Tensor) -> Tensor {
        let TopologyOperator::Dot { geometry, batch_norm, activation, .. } = &layer.operator else {
            unreachable!("called for such")
        };
        let weights = self.weights(layer_idx, layer);
        let channels = layer.shape.channels;
        let sums = match *geometry {
            Geometry::Convolution { window, pads } | Geometry::Depthwise { window, pads } => {
                let in_channels = x.dim(1).unwrap();
                let groups = if geometry.is_depthwise() { in_channels } else { 1 };
                let kernel =
                    (channels, window.kernel_height, window.kernel_width, in_channels / groups);
                let kernel = weights.reshape(kernel).unwrap().permute((0, 3, 1, 2)).unwrap();
                let kernel = kernel.contiguous().unwrap();
                assert_eq!(window.stride_height, window.stride_width, "candle has one stride");
                padded(x, pads).conv2d(&kernel, 0, window.stride_height, 1, groups).unwrap()
            }
            Geometry::Linear => {
                let x = x.flatten_from(1).unwrap();
                let weights = weights.reshape((channels, x.dim(1).unwrap())).unwrap();
                let sums = x.matmul(&weights.t().unwrap()).unwrap();
                sums.reshape((x.dim(0).unwrap(), channels, 1, 1)).unwrap()
            }
        };
        let per_channel = |what| self.variable(layer, what).reshape((1, channels, 1, 1)).unwrap();
        let out = match batch_norm {
            None => sums.broadcast_add(&per_channel("bias")).unwrap(),
            Some(norm) => {
                let centred = sums.broadcast_sub(&sums.mean_keepdim((0, 2, 3)).unwrap()).unwrap();
                let variance = centred.sqr().unwrap().mean_keepdim((0, 2, 3)).unwrap();
                let deviation = (variance + norm.epsilon).unwrap().sqrt().unwrap();
                let normal = centred.broadcast_div(&deviation).unwrap();
                let scaled = normal.broadcast_mul(&per_channel("gamma")).unwrap();
                scaled.broadcast_add(&per_channel("beta")).unwrap()
            }
        };
        activated(&out, *activation)
    }

    fn weights(&self, layer_idx: usize, layer: &TopologyLayer) -> Tensor {
        let weights = self.variable(layer, "weight");
        let quantizer =
            self.model.quantization.as_ref().and_then(|q| q.weights[layer_idx].as_ref());
        match quantizer {
            None => weights,
            Some(fixed @ (WeightQuantizer::Fixed { .. } | WeightQuantizer::Baseline { .. })) => {
                let plain = &self.model.float.parameters[layer_idx].as_ref().unwrap().weights;
                let channels = layer.shape.channels;
                let integers = fixed
                    .forward(InstructionSet::best(), "", plain, channels, self.temperature)
                    .unwrap();
                straight(&weights, &tensor(&integers, &[plain.len()]))
            }
            Some(WeightQuantizer::Dbq { branches, scales, weight_scale }) => {
                let sets = scales.len() / *branches as usize;
                let alpha = self.variable(layer, "alpha").reshape((sets, *branches as usize));
                let slope = self.temperature / f64::from(*weight_scale);
                soft(&weights, &alpha.unwrap(), slope)
            }
        }
    }
}

/// `q_1 + Σ_i (q_{i+1} − q_i) · σ(slope · (w − t_i))` with the sums of ±α as levels, set by set.
fn soft(weights: &Tensor, alpha: &Tensor, slope: f64) -> Tensor {
    let (sets, branches) = alpha.dims2().unwrap();
    let weights = weights.reshape((sets, ())).unwrap();
    let of_set = |set: usize| {
        let alpha = alpha.get(set).unwrap();
        let numbers: Vec<f64> = alpha.to_vec1().unwrap();
        let code = |i: usize| -> Vec<f64> {
            (0..branches as u32).map(|j| (i / 3_usize.pow(j) % 3) as f64 - 1.0).collect()
        };
        let mut codes: Vec<Vec<f64>> = (0..3_usize.pow(branches as u32)).map(code).collect();
        let level = |code: &[f64]| code.iter().zip(&numbers).map(|(c, a)| c * a).sum::<f64>();
        codes.sort_by(|a, b| level(a).total_cmp(&level(b)));
        let codes = Tensor::new(codes, &Device::Cpu).unwrap();
        let levels = codes.matmul(&alpha.unsqueeze(1).unwrap()).unwrap().squeeze(1).unwrap();
        let n = levels.dim(0).unwrap();
        let (lower, upper) =
            (levels.narrow(0, 0, n - 1).unwrap(), levels.narrow(0, 1, n - 1).unwrap());
        let thresholds = ((&lower + &upper).unwrap() / 2.0).unwrap();
        let w = weights.get(set).unwrap().unsqueeze(1).unwrap();
        let z = (w.broadcast_sub(&thresholds).unwrap() * -slope).unwrap();
        let sigmoid = (z.exp().unwrap() + 1.0).unwrap().recip().unwrap();
        let steps =
            sigmoid.broadcast_mul(&(upper - lower).unwrap()).unwrap().sum(D::Minus1).unwrap();
        steps.broadcast_add(&levels.get(0).unwrap()).unwrap()
    };
    Tensor::cat(&(0..sets).map(of_set).collect::<Vec<_>>(), 0).unwrap()
}

/// To the nearest integer, as the tape's addition of a large number does it.
fn half_to_even(x: &Tensor) -> Tensor {
    let values: Vec<f64> = x.flatten_all().unwrap().to_vec1().unwrap();
    let rounded: Vec<f64> = values.iter().map(|value| value.round_ties_even()).collect();
    Tensor::from_vec(rounded, x.dims(), &Device::Cpu).unwrap()
}

/// Inputs are not negative, so pads of −1 are never a maximum.
fn max_pool(layer: &TopologyLayer, x: &Tensor, window: Window, pads: Pads) -> Tensor {
    let x = (padded(&(x + 1.0).unwrap(), pads) - 1.0).unwrap();
    let mut most: Option<Tensor> = None;
    for row in 0..window.kernel_height {
        for column in 0..window.kernel_width {
            let tap = every(&x, 2, row, window.stride_height, layer.shape.height);
            let tap = every(&tap, 3, column, window.stride_width, layer.shape.width);
            most = Some(match most {
                None => tap,
                Some(most) => {
                    // The first of equals has the gradient.
                    let is_more = below(&most, &tap);
                    let is_not = is_more.affine(-1.0, 1.0).unwrap();
                    ((tap * is_more).unwrap() + (most * is_not).unwrap()).unwrap()
                }
            });
        }
    }
    most.unwrap()
}

/// The mean of −ln softmax(logits)[label].
pub(super) fn cross_entropy(logits: &Tensor, labels: &[u16]) -> Tensor {
    let logits = logits.flatten_from(1).unwrap();
    let classes = logits.dim(1).unwrap();
    let most = logits.max_keepdim(1).unwrap().detach();
    let centred = logits.broadcast_sub(&most).unwrap();
    let sums = centred.exp().unwrap().sum_keepdim(1).unwrap().log().unwrap();
    let by_class = centred.broadcast_sub(&sums).unwrap();
    let mut chosen = vec![0.0; labels.len() * classes];
    for (i, &label) in labels.iter().enumerate() {
        chosen[i * classes + usize::from(label)] = -1.0 / labels.len() as f64;
    }
    let chosen = Tensor::from_vec(chosen, (labels.len(), classes), &Device::Cpu).unwrap();
    let chosen = chosen.to_dtype(logits.dtype()).unwrap();
    (by_class * chosen).unwrap().sum_all().unwrap()
}
