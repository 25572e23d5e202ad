//! From a quantized network to the integer [`Network`]: batch norm, branch scales and tensor scales
//! folded into multipliers, biases and shifts.

use tridot_sim::network::{
    Description, Dot, DotOutput, Input, Layer, Network, Operator, Requantize, Sign, TensorId,
    TensorType,
};

use crate::Error;
use crate::calibrate::{Format, QuantizedNetwork, QuantizedWeights, moves};
use crate::topology::{Activation, TopologyLayer, TopologyOperator};

mod fold;

use fold::{Fold, Span, Terms};

/// How large a layer's worst-case rounding error may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundingLimit {
    /// At most one step of its output.
    OneStep,
    /// Any.
    None,
}

/// An integer network and how each of its layers was scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The network.
    pub network: Network,
    /// By layer index of the network.
    pub layers: Vec<LayerReport>,
}

/// How a layer was scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerReport {
    /// Its name.
    pub name: String,
    /// Its right shift; none for moves and for the raw output.
    pub shift: Option<u32>,
    /// The most that rounding its multipliers and biases can change a value before the last
    /// rounding, over all inputs and output channels, in steps of its output; none for moves and for
    /// the raw output, which has no steps.
    pub rounding_error: Option<f64>,
}

/// Makes the integer network.
///
/// The shift of a layer is the largest with which its multipliers have the plan's `scale_bits` and
/// its sums 48 bits. Refuses a layer whose worst-case rounding error is above the limit.
pub fn network(quantized: &QuantizedNetwork, limit: RoundingLimit) -> Result<Exported, Error> {
    let input = input(quantized);
    let mut builder = Builder {
        quantized,
        ids: vec![TensorId::INPUT],
        spans: vec![table_span(&input)],
        layers: Vec::new(),
        reports: Vec::new(),
    };
    for (layer_idx, layer) in quantized.float.topology.layers.iter().enumerate() {
        builder.layer(layer_idx, layer)?;
    }
    if limit == RoundingLimit::OneStep {
        check_rounding(&builder.reports)?;
    }
    let description = Description {
        name: quantized.float.topology.name.clone(),
        digits: quantized.plan.digits,
        scale_bits: quantized.plan.scale_bits,
        input,
        layers: builder.layers,
        provenance: quantized.provenance.clone(),
    };
    Ok(Exported { network: Network::new(description)?, layers: builder.reports })
}

fn check_rounding(reports: &[LayerReport]) -> Result<(), Error> {
    for report in reports {
        if let Some(error) = report.rounding_error.filter(|&error| 1.0 < error) {
            let place = format!("layer `{}`", report.name);
            let what = "the worst rounding error in output steps";
            let limit = "at most 1 (more scale_bits or a scale per channel lowers it)";
            return Err(Error::limit(place, what, limit, format!("{error:.3}")));
        }
    }
    Ok(())
}

fn input(quantized: &QuantizedNetwork) -> Input {
    let topology = &quantized.float.topology;
    let format = quantized.formats[0].expect("only the output can be raw");
    let code = |x: f64| i16::try_from(format.code(x)).expect("input codes have 8 bits");
    let tables = topology.normalization.tables();
    Input {
        tensor: format.tensor(topology.input),
        tables: tables.into_iter().map(|table| table.map(code)).collect(),
    }
}

fn table_span(input: &Input) -> Span {
    let codes = input.tables.iter().flatten().map(|&code| i64::from(code));
    codes.fold(Span::default(), |span, code| span.union(Span { low: code, high: code }))
}

impl Format {
    fn tensor(self, shape: tridot_sim::network::Shape) -> TensorType {
        TensorType { shape, bits: self.kind.bits, sign: self.kind.sign, scale: self.scale }
    }

    /// The shift and the clamps of a layer that puts out this format after an activation.
    fn requantize(self, shift: u32, activation: Activation) -> Requantize {
        let (low, high) = self.kind.code_limits();
        let (low, high) = match activation {
            Activation::Identity => (low, high),
            Activation::Relu => (0, high),
            Activation::Relu6 => (0, high.min(self.code(6.0))),
        };
        Requantize { shift, low, high }
    }
}

struct Builder<'a> {
    quantized: &'a QuantizedNetwork,
    /// By tensor id of the topology: the tensor of the network.
    ids: Vec<TensorId>,
    /// By tensor id of the network: the codes it can hold.
    spans: Vec<Span>,
    layers: Vec<Layer>,
    reports: Vec<LayerReport>,
}

/// What a layer of the network is, besides its name and inputs.
struct Made {
    operator: Operator,
    output: TensorType,
    span: Span,
    shift: Option<u32>,
    rounding_error: Option<f64>,
}

impl Builder<'_> {
    fn layer(&mut self, layer_idx: usize, layer: &TopologyLayer) -> Result<(), Error> {
        let mut inputs: Vec<TensorId> = layer.inputs.iter().map(|id| self.ids[id.0]).collect();
        if moves(layer) {
            for (i, id) in inputs.iter_mut().enumerate() {
                *id = self.rescaled(layer_idx, i, *id)?;
            }
        }
        let made = match &layer.operator {
            TopologyOperator::Dot { .. } => self.dot(layer_idx, layer, inputs[0])?,
            TopologyOperator::Add { activation } => {
                let add =
                    |m: &[i32], requantize| Operator::Add { multipliers: [m[0], m[1]], requantize };
                self.combination(layer_idx, &layer.name, &inputs, 1, *activation, add)?
            }
            &TopologyOperator::AveragePool { window } => {
                let pool = |m: &[i32], requantize| Operator::AveragePool {
                    window,
                    multiplier: m[0],
                    requantize,
                };
                let none = Activation::Identity;
                self.combination(layer_idx, &layer.name, &inputs, window.taps(), none, pool)?
            }
            TopologyOperator::MaxPool { .. }
            | TopologyOperator::Split { .. }
            | TopologyOperator::Concat
            | TopologyOperator::Shuffle { .. }
            | TopologyOperator::Subsample { .. }
            | TopologyOperator::ChannelPad { .. } => self.moved(layer_idx, layer, &inputs),
        };
        let id = self.push(layer.name.clone(), inputs, made);
        self.ids.push(id);
        Ok(())
    }

    fn push(&mut self, name: String, inputs: Vec<TensorId>, made: Made) -> TensorId {
        let Made { operator, output, span, shift, rounding_error } = made;
        self.reports.push(LayerReport { name: name.clone(), shift, rounding_error });
        self.layers.push(Layer { name, inputs, operator, output });
        self.spans.push(span);
        TensorId(self.layers.len())
    }

    fn format(&self, layer_idx: usize) -> Option<Format> {
        self.quantized.formats[layer_idx + 1]
    }

    fn scale(&self, id: TensorId) -> f64 {
        id.layer().map_or_else(
            || self.quantized.formats[0].expect("only the output can be raw").scale,
            |layer_idx| self.layers[layer_idx].output.scale,
        )
    }

    /// The input of a layer that moves data, in that layer's format: itself, or rescaled.
    fn rescaled(
        &mut self,
        layer_idx: usize,
        input: usize,
        id: TensorId,
    ) -> Result<TensorId, Error> {
        let topology = &self.quantized.float.topology;
        let layer = &topology.layers[layer_idx];
        let source = layer.inputs[input];
        if self.quantized.formats[source.0] == self.format(layer_idx) {
            return Ok(id);
        }
        let name = format!("{}.rescale{input}", layer.name);
        let rescale = |m: &[i32], requantize| Operator::Rescale { multiplier: m[0], requantize };
        let none = Activation::Identity;
        let mut made = self.combination(layer_idx, &name, &[id], 1, none, rescale)?;
        made.output.shape = topology.shape(source);
        Ok(self.push(name, vec![id], made))
    }

    fn moved(&self, layer_idx: usize, layer: &TopologyLayer, inputs: &[TensorId]) -> Made {
        let operator = match layer.operator {
            TopologyOperator::MaxPool { window, pads } => Operator::MaxPool { window, pads },
            TopologyOperator::Split { first, channels } => Operator::Split { first, channels },
            TopologyOperator::Concat => Operator::Concat,
            TopologyOperator::Shuffle { groups } => Operator::Shuffle { groups },
            TopologyOperator::Subsample { stride_height, stride_width } => {
                Operator::Subsample { stride_height, stride_width }
            }
            TopologyOperator::ChannelPad { before, after } => {
                Operator::ChannelPad { before, after }
            }
            TopologyOperator::Dot { .. }
            | TopologyOperator::Add { .. }
            | TopologyOperator::AveragePool { .. } => unreachable!("it changes codes"),
        };
        let spans = inputs.iter().map(|id| self.spans[id.0]);
        Made {
            operator,
            output: self.format(layer_idx).expect("moves are not raw").tensor(layer.shape),
            span: spans.fold(Span::default(), Span::union),
            shift: None,
            rounding_error: None,
        }
    }

    /// Residual add, average pool or rescale: a weighted sum of `taps` codes of each input.
    fn combination(
        &self,
        layer_idx: usize,
        name: &str,
        inputs: &[TensorId],
        taps: usize,
        activation: Activation,
        build: impl Fn(&[i32], Requantize) -> Operator,
    ) -> Result<Made, Error> {
        let layer = &self.quantized.float.topology.layers[layer_idx];
        let format = self.format(layer_idx).expect("only a dot-product layer is raw");
        let multipliers: Vec<f64> =
            inputs.iter().map(|&id| self.scale(id) / (taps as f64 * format.scale)).collect();
        let window_taps = i64::try_from(taps).expect("a window has at most 2^20 taps");
        let summed = inputs.iter().map(|id| self.spans[id.0].times(window_taps)).collect();
        let fold = Fold {
            place: format!("layer `{name}`"),
            terms: Terms::Inputs(summed),
            multipliers,
            biases: vec![0.0],
        };
        let folded = fold.requantized(self.quantized.plan.scale_bits)?;
        let requantize = format.requantize(folded.shift.unsigned_abs(), activation);
        let operator = build(&folded.multipliers, requantize);
        Ok(made(operator, format.tensor(layer.shape), requantize, folded.rounding_error))
    }

    fn dot(&self, layer_idx: usize, layer: &TopologyLayer, input: TensorId) -> Result<Made, Error> {
        let TopologyOperator::Dot { geometry, activation, .. } = layer.operator else {
            unreachable!("called for dot-product layers")
        };
        let missing = "a quantized network has weights for its dot-product layers";
        let weights = self.quantized.weights[layer_idx].as_ref().expect(missing);
        let parameters = self.quantized.float.parameters[layer_idx].as_ref().expect(missing);
        let format = self.format(layer_idx);
        let output_scale = format.map_or(1.0, |format| format.scale);
        let affine = parameters.affine();
        let per_channel = weights.weights.multipliers_per_channel();
        let ratio = self.scale(input) / output_scale;
        let multiplier = |(i, alpha): (usize, &f64)| alpha * affine[i / per_channel].gain * ratio;
        let fold = Fold {
            place: format!("layer `{}`", layer.name),
            terms: Terms::Weights { weights, span: self.spans[input.0] },
            multipliers: weights.scales.iter().enumerate().map(multiplier).collect(),
            biases: affine.iter().map(|affine| affine.offset / output_scale).collect(),
        };
        let dot = |folded: &mut fold::Folded, output| {
            Operator::Dot(Dot {
                geometry,
                weights: weights.weights.clone(),
                multipliers: std::mem::take(&mut folded.multipliers),
                bias: std::mem::take(&mut folded.biases),
                output,
            })
        };
        let scale_bits = self.quantized.plan.scale_bits;
        let Some(format) = format else {
            let mut folded = fold.raw(scale_bits)?;
            let scale = (-f64::from(folded.shift)).exp2();
            let output =
                TensorType { shape: layer.shape, bits: folded.bits, sign: Sign::Signed, scale };
            let operator = dot(&mut folded, DotOutput::Raw);
            let span = Span::default();
            return Ok(Made { operator, output, span, shift: None, rounding_error: None });
        };
        let mut folded = fold.requantized(scale_bits)?;
        let requantize = format.requantize(folded.shift.unsigned_abs(), activation);
        let error = folded.rounding_error;
        let operator = dot(&mut folded, DotOutput::Requantize(requantize));
        Ok(made(operator, format.tensor(layer.shape), requantize, error))
    }
}

fn made(operator: Operator, output: TensorType, requantize: Requantize, error: f64) -> Made {
    let span = Span { low: requantize.low.into(), high: requantize.high.into() };
    let (shift, rounding_error) = (Some(requantize.shift), Some(error));
    Made { operator, output, span, shift, rounding_error }
}

#[cfg(test)]
mod tests;
