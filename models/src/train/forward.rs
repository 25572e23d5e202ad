//! The forward pass of a training step: a tape over the topology's layers.

use rayon::prelude::*;
use tridot_sim::network::{Geometry, Pads, Shape, TensorId, Window};

use super::model::Model;
use crate::Error;
use crate::float::{LayerParameters, Operand, evaluate};
use crate::kernels::add;
use crate::kernels::buffers::Buffers;
use crate::kernels::finish::{self, Codes, Tail};
use crate::kernels::lanes::InstructionSet;
use crate::kernels::moves::{self, Moved};
use crate::kernels::sums::Moments;
use crate::kernels::taps::Taps;
use crate::kernels::values::{Affine, PerChannel, Values};
use crate::kernels::window::{Connection, Layer};
use crate::topology::{Activation, Topology, TopologyLayer, TopologyOperator};

/// What a training step keeps of its forward pass, and memory for the next one.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(super) set: InstructionSet,
    /// By tensor id: as the next layers read it; empty where they read the sums of its layer through
    /// what follows these.
    pub(super) tensors: Vec<Vec<f32>>,
    /// By layer index: the sums of dot-product layers, before anything else; empty for others.
    pub(super) sums: Vec<Vec<f32>>,
    /// By layer index: what follows the sums; none for layers without weights.
    pub(super) normal: Vec<Option<Normal>>,
    /// By layer index: the weights that were used; empty for layers without.
    pub(super) weights: Vec<Vec<f32>>,
    /// By tensor id: what its layer rounds to.
    pub(super) codes: Vec<Option<Codes>>,
    pub(super) buffers: Buffers,
}

impl Default for Tape {
    fn default() -> Self {
        Self::new(InstructionSet::best())
    }
}

/// `gain · sum + offset` per channel with the tail after it, and the statistics behind it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Normal {
    /// As many as channels.
    pub(crate) gains: Vec<f32>,
    pub(crate) affine: Affine,
    /// None without batch norm.
    pub(super) statistics: Option<Statistics>,
    /// Means, or 0: what products of gradients are taken from.
    pub(crate) centers: PerChannel,
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

/// The geometry of a dot-product layer as taps, and what its outputs see.
pub(super) fn taps_of(geometry: &Geometry, input: Shape, output: Shape) -> (Taps, Connection) {
    let plain = (Window::square(1, 1), Pads::default());
    let (window, pads, input, connection) = match *geometry {
        Geometry::Convolution { window, pads } => (window, pads, input, Connection::Dense),
        Geometry::Depthwise { window, pads } => (window, pads, input, Connection::Depthwise),
        Geometry::Linear => {
            (plain.0, plain.1, Shape::new(1, 1, input.elements()), Connection::Dense)
        }
    };
    (Taps { window, pads, input, output }, connection)
}

/// The activation as a clamp, and the rounding after it.
pub(crate) fn tail_of(activation: Activation, codes: Option<Codes>) -> Tail {
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

/// Whether a tensor is read by nothing but layers that finish sums on the way.
fn is_read_finished(topology: &Topology, id: TensorId) -> bool {
    let finishes = |layer: &TopologyLayer| {
        matches!(layer.operator, TopologyOperator::Dot { .. } | TopologyOperator::Add { .. })
            || moves::reads_whole_pixels(&layer.operator)
    };
    let mut readers = topology.layers.iter().filter(|layer| layer.inputs.contains(&id)).peekable();
    readers.peek().is_some() && readers.all(finishes)
}

impl Tape {
    /// With kernels of one instruction set.
    pub(crate) fn new(set: InstructionSet) -> Self {
        Self {
            set,
            tensors: Vec::new(),
            sums: Vec::new(),
            normal: Vec::new(),
            weights: Vec::new(),
            codes: Vec::new(),
            buffers: Buffers::default(),
        }
    }

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
        self.weights = weights(self.set, model, temperature)?;
        self.codes = match &model.quantization {
            Some(quantization) => quantization.tensors.codes(topology),
            None => vec![None; topology.layers.len() + 1],
        };
        let n_pictures = pixels.len() / topology.input.elements();
        let mut input = self.buffers.take(pixels.len());
        read_input(self.set, model, pixels, self.codes[0], &mut input);
        self.tensors.push(input);
        for (layer_idx, layer) in topology.layers.iter().enumerate() {
            let elements = n_pictures * layer.shape.elements();
            let tensor = if matches!(layer.operator, TopologyOperator::Dot { .. }) {
                self.dot(model, layer_idx, elements)?
            } else {
                self.sums.push(Vec::new());
                self.normal.push(None);
                let mut out = self.buffers.take(elements);
                let tail = tail_of(activation_of(&layer.operator), self.codes[layer_idx + 1]);
                self.combine(model, layer, &mut out, tail);
                out
            };
            self.tensors.push(tensor);
        }
        Ok(self.tensors.last().expect("the input is a tensor"))
    }

    fn recycle(&mut self) {
        for buffer in self.tensors.drain(..).chain(self.sums.drain(..)) {
            self.buffers.give(buffer);
        }
        self.normal.clear();
    }

    /// A tensor, as far as it is known.
    pub(super) fn values(&self, id: TensorId) -> Values<'_> {
        let values = &self.tensors[id.0];
        match id.0.checked_sub(1).and_then(|layer_idx| self.normal[layer_idx].as_ref()) {
            Some(normal) if values.is_empty() => {
                Values::Finished(&self.sums[id.0 - 1], &normal.affine)
            }
            Some(_) | None => Values::Plain(values),
        }
    }

    /// A dot-product layer: its sums and what follows them; returns its tensor, or nothing where
    /// others read the sums.
    fn dot(&mut self, model: &Model, layer_idx: usize, elements: usize) -> Result<Vec<f32>, Error> {
        let topology = &model.float.topology;
        let layer = &topology.layers[layer_idx];
        let TopologyOperator::Dot { geometry, activation, .. } = &layer.operator else {
            unreachable!("called for dot-product layers")
        };
        let (taps, connection) = taps_of(geometry, topology.shape(layer.inputs[0]), layer.shape);
        let mut sums = self.buffers.take(elements);
        let weights = &self.weights[layer_idx];
        let kernel = Layer { set: self.set, taps: &taps, connection, weights };
        let moments = kernel.forward(&self.values(layer.inputs[0]), &mut sums);
        let parameters = model.float.parameters[layer_idx].as_ref();
        let parameters = parameters.expect("a checked network has weights here");
        let tail = tail_of(*activation, self.codes[layer_idx + 1]);
        let rows = elements / layer.shape.channels;
        let normal = normal_of(&layer.name, parameters, &moments, rows, tail)?;
        let out = if is_read_finished(topology, TensorId::of_layer(layer_idx)) {
            Vec::new()
        } else {
            let mut out = self.buffers.take(elements);
            let values = Values::Finished(&sums, &normal.affine);
            values.copy_all(self.set, layer.shape.channels, &mut out);
            out
        };
        self.sums.push(sums);
        self.normal.push(Some(normal));
        Ok(out)
    }

    /// What a layer without weights makes of its inputs.
    fn combine(&self, model: &Model, layer: &TopologyLayer, out: &mut [f32], tail: Tail) {
        let elements = layer.shape.elements();
        if let TopologyOperator::Add { .. } = layer.operator {
            let [a, b] = [layer.inputs[0], layer.inputs[1]].map(|id| self.values(id));
            add::forward(self.set, elements, out, (&a, &b), tail);
            return;
        }
        out.par_chunks_mut(elements).enumerate().for_each(|(picture_idx, out)| {
            self.combine_pictures(model, layer, picture_idx * elements, out);
            if tail != Tail::NONE {
                finish::tail(self.set, out, tail);
            }
        });
    }

    /// Some whole pictures of a layer that pools or moves, from element `start` on, before its tail.
    pub(super) fn combine_pictures(
        &self,
        model: &Model,
        layer: &TopologyLayer,
        start: usize,
        out: &mut [f32],
    ) {
        let elements = layer.shape.elements();
        let pools = matches!(
            layer.operator,
            TopologyOperator::AveragePool { .. } | TopologyOperator::MaxPool { .. }
        );
        for (i, out) in out.chunks_exact_mut(elements).enumerate() {
            let picture_idx = start / elements + i;
            let moved = |id: &TensorId| {
                let shape = model.float.topology.shape(*id);
                let start = picture_idx * shape.elements();
                Moved { values: self.values(*id), start, shape }
            };
            if pools {
                let id = layer.inputs[0];
                let Moved { start, shape, .. } = moved(&id);
                let values = &self.tensors[id.0][start..start + shape.elements()];
                out.copy_from_slice(&evaluate(layer, None, &[Operand { values, shape }]));
            } else {
                let inputs: Vec<Moved<'_>> = layer.inputs.iter().map(moved).collect();
                moves::forward(self.set, &layer.operator, &inputs, layer.shape, out);
            }
        }
    }
}

/// The weights that each layer computes with.
fn weights(set: InstructionSet, model: &Model, temperature: f64) -> Result<Vec<Vec<f32>>, Error> {
    let layers = &model.float.topology.layers;
    let of_layer = |(layer_idx, parameters): (usize, &Option<LayerParameters>)| {
        let Some(parameters) = parameters else { return Ok(Vec::new()) };
        let quantizer = model.quantization.as_ref().and_then(|q| q.weights[layer_idx].as_ref());
        let Some(quantizer) = quantizer else { return Ok(parameters.weights.clone()) };
        let layer = &layers[layer_idx];
        let place = format!("layer `{}`", layer.name);
        quantizer.forward(set, &place, &parameters.weights, layer.shape.channels, temperature)
    };
    model.float.parameters.par_iter().enumerate().map(of_layer).collect()
}

/// Pixels through the normalization, rounded to the input's codes.
fn read_input(
    set: InstructionSet,
    model: &Model,
    pixels: &[u8],
    codes: Option<Codes>,
    out: &mut [f32],
) {
    let topology = &model.float.topology;
    #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
    let mut tables: Vec<[f32; 256]> =
        topology.normalization.tables().iter().map(|table| table.map(|x| x as f32)).collect();
    for table in &mut tables {
        finish::tail(set, table, tail_of(Activation::Identity, codes));
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
pub(crate) fn normal_of(
    name: &str,
    parameters: &LayerParameters,
    moments: &Moments,
    rows: usize,
    tail: Tail,
) -> Result<Normal, Error> {
    let channels = parameters.bias.len();
    let [totals, squares] = moments.totals();
    if let Some(c) = squares.iter().position(|square| !square.is_finite()) {
        let what = format!("the squared sums of output channel {c}");
        return Err(Error::limit(format!("layer `{name}`"), what, "finite", squares[c]));
    }
    let Some(norm) = &parameters.batch_norm else {
        let gains = vec![1.0; channels];
        let offsets = PerChannel::new(&parameters.bias);
        let affine = Affine { gains: PerChannel::new(&gains), offsets, tail };
        let centers = PerChannel::new(&vec![0.0; channels]);
        return Ok(Normal { gains, affine, statistics: None, centers });
    };
    let means: Vec<f64> = totals.iter().map(|total| total / rows as f64).collect();
    let variance = |(square, mean): (&f64, &f64)| (square / rows as f64 - mean * mean).max(0.0);
    let variances: Vec<f64> = squares.iter().zip(&means).map(variance).collect();
    let inverse: Vec<f64> =
        variances.iter().map(|variance| 1.0 / (variance + norm.epsilon).sqrt()).collect();
    let gains: Vec<f32> =
        norm.gamma.iter().zip(&inverse).map(|(&g, i)| (f64::from(g) * i) as f32).collect();
    let offset = |c: usize| (f64::from(norm.beta[c]) - means[c] * f64::from(gains[c])) as f32;
    let offsets: Vec<f32> = (0..channels).map(offset).collect();
    let centers: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
    let affine =
        Affine { gains: PerChannel::new(&gains), offsets: PerChannel::new(&offsets), tail };
    let statistics = Some(Statistics { means, variances, inverse, rows });
    Ok(Normal { gains, affine, statistics, centers: PerChannel::new(&centers) })
}

/// How far running statistics move towards those of a batch.
const RUNNING_SHARE: f64 = 0.1;

impl Tape {
    /// Moves the running statistics of all batch norms towards those of the last forward pass.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    pub(crate) fn update_running(&self, model: &mut Model) {
        for (normal, parameters) in self.normal.iter().zip(&mut model.float.parameters) {
            let (Some(Normal { statistics: Some(statistics), .. }), Some(parameters)) =
                (normal, parameters)
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
