//! The backward pass of a training step.
//!
//! Gradients are known tensor by tensor, last layer first. What a layer needs of the gradient of its
//! output as a whole, its sums per channel, is summed as soon as that gradient is known, picture by
//! picture while it is in the cache ([`Pass::complete`]); then the layer's own backward pass makes the
//! gradient by its sums of it on the way into its kernels.

use std::rc::Rc;
use std::sync::Mutex;

use rayon::prelude::*;
use tridot_sim::network::{Pads, TensorId};

use super::forward::{Normal, Tape, activation_of, tail_of, taps_of};
use super::model::{Gradients, LayerGradients, Model};
use crate::Error;
use crate::kernels::buffers::Buffers;
use crate::kernels::finish::{self, Tail};
use crate::kernels::lanes::InstructionSet;
use crate::kernels::moves::Move;
use crate::kernels::sums::AffineSums;
use crate::kernels::taps::Taps;
use crate::kernels::values::{PerChannel, Through, Values};
use crate::kernels::window::{After, InputGradient, Layer};
use crate::kernels::{Into, PIECES, add, pool};
use crate::topology::{TopologyLayer, TopologyOperator};

/// Gradients by tensor, as far as they are known. Tensors that are added have one gradient together.
struct ByTensor {
    set: InstructionSet,
    gradients: Vec<Option<Rc<Vec<f32>>>>,
    buffers: Buffers,
}

impl ByTensor {
    /// A place for a contribution to a tensor's gradient; put it back with [`Self::put`].
    fn take(&mut self, id: TensorId, length: usize) -> (Vec<f32>, Into) {
        match self.gradients[id.0].take() {
            Some(gradient) => (self.own(gradient), Into::Add),
            None => (self.buffers.take(length), Into::Overwrite),
        }
    }

    /// A gradient, or where others share it, a copy.
    fn own(&mut self, gradient: Rc<Vec<f32>>) -> Vec<f32> {
        Rc::try_unwrap(gradient).unwrap_or_else(|shared| {
            let mut copy = self.buffers.take(shared.len());
            copy.copy_from_slice(&shared);
            copy
        })
    }

    fn put(&mut self, id: TensorId, gradient: Vec<f32>) {
        self.gradients[id.0] = Some(Rc::new(gradient));
    }

    /// Adds a contribution that others share.
    fn share(&mut self, id: TensorId, values: &Rc<Vec<f32>>) {
        if self.gradients[id.0].is_none() {
            self.gradients[id.0] = Some(Rc::clone(values));
            return;
        }
        let (mut sums, _) = self.take(id, values.len());
        let block = values.len().div_ceil(PIECES).max(1);
        sums.par_chunks_mut(block)
            .zip(values.par_chunks(block))
            .for_each(|(sums, values)| finish::add_to(self.set, sums, values));
        self.put(id, sums);
    }

    /// Takes a gradient that is no longer needed here.
    fn give(&mut self, gradient: Rc<Vec<f32>>) {
        if let Ok(gradient) = Rc::try_unwrap(gradient) {
            self.buffers.give(gradient);
        }
    }
}

/// What one backward pass knows of the network.
struct Pass<'a> {
    tape: &'a Tape,
    model: &'a Model,
    /// By tensor id: layers that read it.
    readers: Vec<usize>,
    /// By layer index, piece by piece: sums over the gradient of its output; none for layers that need
    /// none.
    sums: Vec<Option<Vec<Mutex<AffineSums>>>>,
    /// By layer index, piece by piece: the gradient by the clip of layers without weights.
    clips: Vec<Vec<Mutex<f64>>>,
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
            set: self.set,
            gradients: vec![None; layers.len() + 1],
            buffers: std::mem::take(&mut self.buffers),
        };
        by_tensor.put(TensorId(layers.len()), output.to_vec());
        let clip_indices = model.quantization.as_ref().map(|q| q.tensors.clip_indices());
        let n_clips = model.quantization.as_ref().map_or(0, |q| q.tensors.clips.len());
        let mut clips = vec![0.0; n_clips];
        let mut gradients: Vec<Option<LayerGradients>> = vec![None; layers.len()];
        let pass = Pass::new(self, model);
        let mut left = pass.readers.clone();
        let mut is_complete = vec![false; layers.len() + 1];
        for (layer_idx, layer) in layers.iter().enumerate().rev() {
            let id = TensorId::of_layer(layer_idx);
            for input in &layer.inputs {
                left[input.0] -= 1;
            }
            let Some(gradient) = by_tensor.gradients[id.0].take() else { continue };
            let gradient = pass.completed(layer_idx, gradient, &mut is_complete, &mut by_tensor);
            let by_clip = if matches!(layer.operator, TopologyOperator::Dot { .. }) {
                let input = layer.inputs[0];
                let is_last = left[input.0] == 0 && pass.completes_in_parts(input);
                let (of_layer, by_clip) =
                    pass.dot_backward(layer_idx, &gradient, is_last, &mut by_tensor);
                if is_last {
                    pass.mark(input, &mut is_complete);
                }
                gradients[layer_idx] = Some(of_layer);
                by_clip
            } else {
                pass.spread(layer, &gradient, &mut by_tensor);
                sum_of(&pass.clips[layer_idx])
            };
            by_tensor.give(gradient);
            if let Some(clip) = clip_indices.as_ref().and_then(|indices| indices[id.0]) {
                clips[clip] += by_clip;
            }
        }
        for gradient in std::mem::take(&mut by_tensor.gradients).into_iter().flatten() {
            by_tensor.give(gradient);
        }
        self.buffers = by_tensor.buffers;
        let layers = through_quantizers(self.set, model, temperature, gradients)?;
        #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
        let clips = clips.into_iter().map(|clip: f64| clip as f32).collect();
        Ok(Gradients { layers, clips })
    }
}

fn sum_of(parts: &[Mutex<f64>]) -> f64 {
    parts.iter().map(|part| *part.lock().expect("no thread panics while it adds")).sum()
}

impl<'a> Pass<'a> {
    fn new(tape: &'a Tape, model: &'a Model) -> Self {
        let layers = &model.float.topology.layers;
        let mut readers = vec![0; layers.len() + 1];
        for input in layers.iter().flat_map(|layer| &layer.inputs) {
            readers[input.0] += 1;
        }
        let sums = layers.iter().map(|layer| {
            let is_dot = matches!(layer.operator, TopologyOperator::Dot { .. });
            let none = || Mutex::new(AffineSums::new(layer.shape.channels));
            is_dot.then(|| (0..PIECES).map(|_| none()).collect())
        });
        let clips = layers.iter().map(|_| (0..PIECES).map(|_| Mutex::new(0.0)).collect());
        Self { tape, model, readers, sums: sums.collect(), clips: clips.collect() }
    }

    fn normal(&self, layer_idx: usize) -> &'a Normal {
        self.tape.normal[layer_idx].as_ref().expect("the forward pass has been here")
    }

    fn layer(&self, id: TensorId) -> Option<(usize, &'a TopologyLayer)> {
        let layer_idx = id.0.checked_sub(1)?;
        Some((layer_idx, &self.model.float.topology.layers[layer_idx]))
    }

    /// What follows a layer without weights.
    fn tail(&self, layer_idx: usize) -> Tail {
        let layer = &self.model.float.topology.layers[layer_idx];
        tail_of(activation_of(&layer.operator), self.tape.codes[layer_idx + 1])
    }

    /// Notes that the gradient of a tensor went through [`Self::complete`], and so did those of what
    /// is added to it.
    fn mark(&self, id: TensorId, is_complete: &mut [bool]) {
        is_complete[id.0] = true;
        if let Some((_, layer)) = self.layer(id)
            && matches!(layer.operator, TopologyOperator::Add { .. })
        {
            for input in self.own_operands(layer) {
                is_complete[input.0] = true;
            }
        }
    }

    /// Operands of an addition that nothing else reads, and that come from sums.
    fn own_operands(&self, layer: &TopologyLayer) -> impl Iterator<Item = TensorId> {
        layer.inputs.iter().copied().filter(|id| {
            let from_sums =
                self.layer(*id).is_some_and(|(layer_idx, _)| self.sums[layer_idx].is_some());
            from_sums && self.readers[id.0] == 1
        })
    }

    /// Whether [`Self::complete`] takes any whole pixels of a tensor, not only whole pictures.
    fn completes_in_parts(&self, id: TensorId) -> bool {
        self.layer(id).is_some_and(|(layer_idx, layer)| match layer.operator {
            TopologyOperator::Dot { .. } | TopologyOperator::Add { .. } => true,
            TopologyOperator::AveragePool { .. }
            | TopologyOperator::MaxPool { .. }
            | TopologyOperator::Split { .. }
            | TopologyOperator::Concat
            | TopologyOperator::Shuffle { .. }
            | TopologyOperator::Subsample { .. }
            | TopologyOperator::ChannelPad { .. } => self.tail(layer_idx) == Tail::NONE,
        })
    }

    /// A gradient that went through [`Self::complete`].
    fn completed(
        &self,
        layer_idx: usize,
        gradient: Rc<Vec<f32>>,
        is_complete: &mut [bool],
        by_tensor: &mut ByTensor,
    ) -> Rc<Vec<f32>> {
        let id = TensorId::of_layer(layer_idx);
        if is_complete[id.0] {
            return gradient;
        }
        let mut own = by_tensor.own(gradient);
        let picture = self.model.float.topology.layers[layer_idx].shape.elements();
        let of_piece = (own.len() / picture).div_ceil(PIECES);
        own.par_chunks_mut(of_piece * picture).enumerate().for_each(|(piece_idx, values)| {
            for (i, values) in values.chunks_exact_mut(picture).enumerate() {
                self.complete(id, piece_idx, (piece_idx * of_piece + i) * picture, values);
            }
        });
        self.mark(id, is_complete);
        Rc::new(own)
    }

    /// Called once for all whole pixels of a tensor when their gradients are known: adds up what its
    /// layer needs, and leads the gradient through the tail of a layer without weights.
    fn complete(&self, id: TensorId, piece_idx: usize, start: usize, gradient: &mut [f32]) {
        let Some((layer_idx, layer)) = self.layer(id) else { return };
        if self.sums[layer_idx].is_some() {
            self.add_sums(layer_idx, piece_idx, start, gradient);
            return;
        }
        let tail = self.tail(layer_idx);
        let is_add = matches!(layer.operator, TopologyOperator::Add { .. });
        if tail != Tail::NONE {
            let clip = self.through_tail(layer_idx, layer, start, gradient, tail);
            *self.clips[layer_idx][piece_idx].lock().expect("no thread panics while it adds") +=
                clip;
        }
        if is_add {
            for operand in self.own_operands(layer) {
                self.add_sums(operand.0 - 1, piece_idx, start, gradient);
            }
        }
    }

    fn add_sums(&self, layer_idx: usize, piece_idx: usize, start: usize, gradient: &[f32]) {
        let normal = self.normal(layer_idx);
        let parts = self.sums[layer_idx].as_ref().expect("only asked for where sums are");
        let mut part = parts[piece_idx].lock().expect("no thread panics while it adds");
        let sums = &self.tape.sums[layer_idx][start..start + gradient.len()];
        part.add(self.tape.set, (&normal.affine, &normal.centers), sums, gradient);
    }

    /// The gradient of some whole pixels through the tail of a layer without weights.
    fn through_tail(
        &self,
        layer_idx: usize,
        layer: &TopologyLayer,
        start: usize,
        gradient: &mut [f32],
        tail: Tail,
    ) -> f64 {
        let set = self.tape.set;
        let range = start..start + gradient.len();
        if tail.codes.is_none() {
            // An activation is flat where its output is one of its limits.
            let out = &self.tape.tensors[layer_idx + 1][range];
            return finish::tail_backward(set, out, gradient, tail);
        }
        let mut values = vec![0.0; gradient.len()];
        if matches!(layer.operator, TopologyOperator::Add { .. }) {
            let [a, b] = [layer.inputs[0], layer.inputs[1]].map(|id| self.tape.values(id));
            add::sum(set, start, &mut values, (&a, &b), Tail::NONE);
        } else {
            self.tape.combine_pictures(self.model, layer, start, &mut values);
        }
        finish::tail_backward(set, &values, gradient, tail)
    }

    /// A dot-product layer: the gradients of its parameters and of its clip.
    fn dot_backward(
        &self,
        layer_idx: usize,
        gradient: &[f32],
        is_last: bool,
        by_tensor: &mut ByTensor,
    ) -> (LayerGradients, f64) {
        let topology = &self.model.float.topology;
        let layer = &topology.layers[layer_idx];
        let TopologyOperator::Dot { geometry, .. } = &layer.operator else {
            unreachable!("called for dot-product layers")
        };
        let normal = self.normal(layer_idx);
        let mut found = AffineSums::new(layer.shape.channels);
        for part in self.sums[layer_idx].as_ref().expect("the layer has weights") {
            found.merge(&part.lock().expect("no thread panics while it adds"));
        }
        let (mut of_layer, through) = normal.backward(&found);
        let input = layer.inputs[0];
        let (taps, connection) = taps_of(geometry, topology.shape(input), layer.shape);
        let weights = &self.tape.weights[layer_idx];
        let kernel = Layer { set: self.tape.set, taps: &taps, connection, weights };
        let sums = &self.tape.sums[layer_idx];
        let affine = &normal.affine;
        let gradient = match &through {
            None => Values::Plain(gradient),
            Some(through) => Values::Gradient { gradient, sums, affine, through },
        };
        of_layer.weights = vec![0.0; weights.len()];
        let values = self.tape.values(input);
        if input == TensorId::INPUT {
            let buffers = &mut by_tensor.buffers;
            kernel.backward(&values, &gradient, &mut of_layer.weights, None, buffers);
        } else {
            let (mut place, into) = by_tensor.take(input, values.len());
            let after = |piece_idx: usize, start: usize, gradient: &mut [f32]| {
                self.complete(input, piece_idx, start, gradient);
            };
            let after: Option<&After<'_>> = if is_last { Some(&after) } else { None };
            let input_gradient = Some(InputGradient { values: &mut place, into, after });
            let buffers = &mut by_tensor.buffers;
            kernel.backward(&values, &gradient, &mut of_layer.weights, input_gradient, buffers);
            by_tensor.put(input, place);
        }
        (of_layer, found.clip())
    }

    /// A layer without weights: the gradients of its inputs.
    fn spread(&self, layer: &TopologyLayer, gradient: &Rc<Vec<f32>>, by_tensor: &mut ByTensor) {
        if matches!(layer.operator, TopologyOperator::Add { .. }) {
            layer.inputs.iter().for_each(|input| by_tensor.share(*input, gradient));
            return;
        }
        let mut first_channel = 0;
        for &id in &layer.inputs {
            let (input, output) = (self.model.float.topology.shape(id), layer.shape);
            let (mut place, into) = by_tensor.take(id, self.tape.values(id).len());
            match layer.operator {
                TopologyOperator::AveragePool { window } => {
                    let taps = Taps { window, pads: Pads::default(), input, output };
                    pool::average_backward(&taps, &mut place, gradient, into);
                }
                TopologyOperator::MaxPool { window, pads } => {
                    let taps = Taps { window, pads, input, output };
                    pool::max_backward(&taps, &self.tape.tensors[id.0], &mut place, gradient, into);
                }
                TopologyOperator::Split { .. }
                | TopologyOperator::Concat
                | TopologyOperator::Shuffle { .. }
                | TopologyOperator::Subsample { .. }
                | TopologyOperator::ChannelPad { .. } => {
                    let moved = Move { operator: &layer.operator, input, first_channel, output };
                    moved.backward(self.tape.set, &mut place, gradient, into);
                }
                TopologyOperator::Dot { .. } | TopologyOperator::Add { .. } => {
                    unreachable!("it has been dealt with")
                }
            }
            by_tensor.put(id, place);
            first_channel += input.channels;
        }
    }
}

impl Normal {
    /// The gradients of bias or batch norm, and how the gradient by the output becomes that by the
    /// sums; none where they are the same.
    #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
    pub(crate) fn backward(&self, found: &AffineSums) -> (LayerGradients, Option<Through>) {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let mut of_layer =
            LayerGradients { offsets: narrow(found.sums()), ..LayerGradients::default() };
        let Some(statistics) = &self.statistics else {
            if self.affine.tail == Tail::NONE {
                return (of_layer, None);
            }
            let zeros = PerChannel::new(&vec![0.0; self.gains.len()]);
            let scales = PerChannel::new(&self.gains);
            return (of_layer, Some(Through { scales, slopes: zeros.clone(), constants: zeros }));
        };
        let rows = statistics.rows as f64;
        let channels = 0..self.gains.len();
        let slope = |c: usize| {
            let inverse = statistics.inverse[c];
            -f64::from(self.gains[c]) * inverse * inverse * found.products()[c] / rows
        };
        let slopes: Vec<f64> = channels.clone().map(slope).collect();
        let constant = |c: usize| {
            (-f64::from(self.gains[c]) * found.sums()[c] / rows - slopes[c] * statistics.means[c])
                as f32
        };
        let constants: Vec<f32> = channels.map(constant).collect();
        let by_gamma = found.products().iter().zip(&statistics.inverse);
        of_layer.gammas = by_gamma.map(|(product, inverse)| (product * inverse) as f32).collect();
        let through = Through {
            scales: PerChannel::new(&self.gains),
            slopes: PerChannel::new(&narrow(&slopes)),
            constants: PerChannel::new(&constants),
        };
        (of_layer, Some(through))
    }
}

/// From the gradients of quantized weights to those of the weights and branch scales behind them.
fn through_quantizers(
    set: InstructionSet,
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
            quantizer.backward(set, &parameters.weights, temperature, by_weight)?;
        Ok(Some(gradients))
    };
    gradients.into_par_iter().enumerate().map(of_layer).collect()
}
