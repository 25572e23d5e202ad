//! The JSON of a network file: a [`Network`] without its numbers.

use serde::{Deserialize, Serialize};

use super::FORMAT;
use crate::network::{
    Digits, DotOutput, Geometry, Layer, Network, Operator, Pads, Provenance, Requantize, TensorId,
    TensorType, Weights, Window,
};

/// The metadata key `tridot`, as it stands in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDescription {
    pub(super) format: u32,
    pub(super) name: String,
    pub(super) digits: Digits,
    pub(super) scale_bits: u32,
    pub(super) input: TensorType,
    pub(super) layers: Vec<RawLayer>,
    pub(super) provenance: Provenance,
}

/// A layer without its weights, multipliers and bias.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLayer {
    pub(super) name: String,
    pub(super) inputs: Vec<TensorId>,
    pub(super) operator: RawOperator,
    pub(super) output: TensorType,
}

/// An operator; a dot product also says which bits it needs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawOperator {
    Dot {
        geometry: Geometry,
        weights: RawWeights,
        output: DotOutput,
        accumulator_bits: u32,
        y_bits: u32,
    },
    Add {
        multipliers: [i32; 2],
        requantize: Requantize,
    },
    Rescale {
        multiplier: i32,
        requantize: Requantize,
    },
    AveragePool {
        window: Window,
        multiplier: i32,
        requantize: Requantize,
    },
    MaxPool {
        window: Window,
        pads: Pads,
    },
    Split {
        first: usize,
        channels: usize,
    },
    Concat {},
    Shuffle {
        groups: usize,
    },
    Subsample {
        stride_height: usize,
        stride_width: usize,
    },
    ChannelPad {
        before: usize,
        after: usize,
    },
}

/// The scheme of a dot product's weights.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawWeights {
    Dbq { branches: u32 },
    Fixed { bits: u32 },
}

impl RawDescription {
    pub(super) fn of(network: &Network) -> Self {
        let layers = network.layers.iter().enumerate();
        Self {
            format: FORMAT,
            name: network.name.clone(),
            digits: network.digits,
            scale_bits: network.scale_bits,
            input: network.input.tensor,
            layers: layers.map(|(i, layer)| RawLayer::of(network, i, layer)).collect(),
            provenance: network.provenance.clone(),
        }
    }
}

impl RawLayer {
    fn of(network: &Network, layer_idx: usize, layer: &Layer) -> Self {
        let operator = match &layer.operator {
            Operator::Dot(dot) => {
                let widths = network.widths(layer_idx).expect("a dot product has widths");
                RawOperator::Dot {
                    geometry: dot.geometry,
                    weights: match dot.weights {
                        Weights::Dbq { branches, .. } => RawWeights::Dbq { branches },
                        Weights::Fixed { bits, .. } => RawWeights::Fixed { bits },
                    },
                    output: dot.output,
                    accumulator_bits: widths.accumulator_bits,
                    y_bits: widths.y_bits,
                }
            }
            &Operator::Add { multipliers, requantize } => {
                RawOperator::Add { multipliers, requantize }
            }
            &Operator::Rescale { multiplier, requantize } => {
                RawOperator::Rescale { multiplier, requantize }
            }
            &Operator::AveragePool { window, multiplier, requantize } => {
                RawOperator::AveragePool { window, multiplier, requantize }
            }
            &Operator::MaxPool { window, pads } => RawOperator::MaxPool { window, pads },
            &Operator::Split { first, channels } => RawOperator::Split { first, channels },
            Operator::Concat => RawOperator::Concat {},
            &Operator::Shuffle { groups } => RawOperator::Shuffle { groups },
            &Operator::Subsample { stride_height, stride_width } => {
                RawOperator::Subsample { stride_height, stride_width }
            }
            &Operator::ChannelPad { before, after } => RawOperator::ChannelPad { before, after },
        };
        Self {
            name: layer.name.clone(),
            inputs: layer.inputs.clone(),
            operator,
            output: layer.output,
        }
    }
}
