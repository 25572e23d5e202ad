//! Quantized layers in training: weights as sums of scaled ternary branches or as integers, tensors
//! as codes with learned clips. What they compute at the end is what the exporter folds.

use tridot_sim::network::TensorId;

use crate::Error;
use crate::calibrate::{self, Format, Kind, QuantizedNetwork, moves};
use crate::float::FloatNetwork;
use crate::kernels::finish::Codes;
use crate::scheme::{Alpha, Plan, Scheme};
use crate::topology::Topology;

mod weights;

pub(crate) use weights::WeightQuantizer;

use weights::NO_SPREAD;

/// The quantizers of all layers and tensors of a network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quantization {
    /// How it was asked for.
    pub(crate) plan: Plan,
    /// By layer index; none for layers without weights.
    pub(crate) weights: Vec<Option<WeightQuantizer>>,
    /// Those of the tensors.
    pub(crate) tensors: TensorQuantizers,
}

/// Width, sign and clip of every tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TensorQuantizers {
    /// By tensor id; none for the raw output.
    kinds: Vec<Option<Kind>>,
    /// By tensor id: the tensor whose clip it shares.
    roots: Vec<usize>,
    /// The scale of the input's codes, which pixels decide.
    input_scale: f64,
    /// The largest value of each root but the input, in their order; trained and positive.
    pub(crate) clips: Vec<f32>,
}

/// The least clip of a tensor: a positive number far below any activation.
pub(crate) const LEAST_CLIP: f32 = 1e-6;

impl TensorQuantizers {
    fn new(measured: calibrate::TensorFormats) -> Self {
        let mut quantizers = Self {
            kinds: measured.formats.iter().map(|format| format.map(|format| format.kind)).collect(),
            roots: measured.roots,
            input_scale: measured.formats[0].expect("only the output can be raw").scale,
            clips: Vec::new(),
        };
        let clip = |root: usize| {
            let format = measured.formats[root].expect("a raw tensor has no clip");
            #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
            let clip = (format.scale * f64::from(format.kind.code_limits().1)) as f32;
            clip.max(LEAST_CLIP)
        };
        quantizers.clips = quantizers.clipped().into_iter().map(clip).collect();
        quantizers
    }

    /// So many codes that rounding does not show.
    #[cfg(test)]
    pub(crate) fn widen_codes(&mut self) {
        self.kinds.iter_mut().flatten().for_each(|kind| kind.bits = 20);
    }

    /// The tensors with a clip of their own.
    pub(crate) fn clipped(&self) -> Vec<usize> {
        let has_own = |&id: &usize| self.roots[id] == id && self.kinds[id].is_some();
        (1..self.kinds.len()).filter(has_own).collect()
    }

    /// By tensor id: the index of its clip; none for the input and what has its format, and for raw values.
    pub(crate) fn clip_indices(&self) -> Vec<Option<usize>> {
        let clipped = self.clipped();
        let index = |id: usize| {
            self.kinds[id]?;
            clipped.binary_search(&self.roots[id]).ok()
        };
        (0..self.kinds.len()).map(index).collect()
    }

    /// The format of every tensor at the present clips.
    pub(crate) fn formats(&self) -> Vec<Option<Format>> {
        let clips = self.clip_indices();
        let format = |(kind, clip): (&Option<Kind>, Option<usize>)| {
            let kind = (*kind)?;
            let most = f64::from(kind.code_limits().1);
            let scale = clip.map_or(self.input_scale, |i| f64::from(self.clips[i]) / most);
            Some(Format { kind, scale })
        };
        self.kinds.iter().zip(clips).map(format).collect()
    }

    /// By tensor id: the codes that its layer rounds to; none where values are codes already, or raw.
    pub(crate) fn codes(&self, topology: &Topology) -> Vec<Option<Codes>> {
        let mut codes: Vec<Option<Codes>> = self.formats().into_iter().map(as_codes).collect();
        for (layer_idx, layer) in topology.layers.iter().enumerate() {
            let id = TensorId::of_layer(layer_idx);
            let has_its_format = |input: &TensorId| self.roots[input.0] == self.roots[id.0];
            if moves(layer) && layer.inputs.iter().all(has_its_format) {
                codes[id.0] = None;
            }
        }
        codes
    }
}

#[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
fn as_codes(format: Option<Format>) -> Option<Codes> {
    let Format { kind, scale } = format?;
    let (low, high) = kind.code_limits();
    Some(Codes { scale: scale as f32, low: low as f32, high: high as f32 })
}

impl Quantization {
    /// Quantizers for a trained float network: branch scales by least squares, clips from `pixels`.
    pub(crate) fn new(float: &FloatNetwork, plan: &Plan, pixels: &[u8]) -> Result<Self, Error> {
        float.check()?;
        let schemes = plan.schemes(&float.topology)?;
        let quantizer = |(layer_idx, scheme): (usize, Option<Scheme>)| {
            let (Some(scheme), Some(parameters)) = (scheme, &float.parameters[layer_idx]) else {
                return Ok(None);
            };
            let channels = float.topology.layers[layer_idx].shape.channels;
            WeightQuantizer::new(&parameters.weights, channels, scheme, plan.alpha).map(Some)
        };
        let weights = schemes.into_iter().enumerate().map(quantizer).collect::<Result<_, Error>>();
        let tensors = TensorQuantizers::new(calibrate::measure(float, plan, pixels)?);
        Ok(Self { plan: plan.clone(), weights: weights?, tensors })
    }

    /// The quantizers of a plan, to be filled with what a checkpoint holds.
    pub(crate) fn unmeasured(
        topology: &Topology,
        plan: &Plan,
        formats: calibrate::TensorFormats,
    ) -> Result<Self, Error> {
        let quantizer = |(layer_idx, scheme): (usize, Option<Scheme>)| {
            Some(match scheme? {
                Scheme::Fixed { bits } => WeightQuantizer::Fixed { bits },
                Scheme::Baseline(kind) => {
                    let scales = kind.start(&[]);
                    WeightQuantizer::Baseline { kind, scales, weight_scale: NO_SPREAD }
                }
                Scheme::Dbq { branches } => {
                    let sets = match plan.alpha {
                        Alpha::Layer => 1,
                        Alpha::Channel => topology.layers[layer_idx].shape.channels,
                    };
                    let scales = vec![0.0; sets * branches as usize];
                    WeightQuantizer::Dbq { branches, scales, weight_scale: NO_SPREAD }
                }
            })
        };
        Ok(Self {
            plan: plan.clone(),
            weights: plan.schemes(topology)?.into_iter().enumerate().map(quantizer).collect(),
            tensors: TensorQuantizers::new(formats),
        })
    }

    /// The network as the hardware will compute it, but in real numbers.
    pub(crate) fn hard(&self, float: &FloatNetwork) -> Result<QuantizedNetwork, Error> {
        let mut float = float.clone();
        let mut weights = vec![None; self.weights.len()];
        for (layer_idx, quantizer) in self.weights.iter().enumerate() {
            let (Some(quantizer), Some(parameters)) =
                (quantizer, float.parameters[layer_idx].as_mut())
            else {
                continue;
            };
            let layer = &float.topology.layers[layer_idx];
            let place = format!("layer `{}`", layer.name);
            let hard = quantizer.hard(&place, &parameters.weights, layer.shape.channels)?;
            parameters.weights = hard.real();
            weights[layer_idx] = Some(hard);
        }
        Ok(QuantizedNetwork {
            float,
            weights,
            formats: self.tensors.formats(),
            plan: self.plan.clone(),
            provenance: tridot_sim::network::Provenance::default(),
        })
    }
}
