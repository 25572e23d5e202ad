//! The weights of a window's products, or sums of their gradients: dense or depthwise.

use super::Into;
use super::channelwise::{self, ByTap};
use super::lanes::InstructionSet;
use super::products::{self, Grid, Panels, View};
use super::taps::Taps;

/// What inputs are multiplied with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Factor {
    /// Every input of a window with every output channel.
    Dense(Panels),
    /// Every channel for itself.
    Depthwise(ByTap),
}

/// Whether an output channel sees all input channels or its own alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// All: convolutions and linear layers.
    Dense,
    /// Its own.
    Depthwise,
}

impl Factor {
    /// Sums of the gradients of a layer's weights, none yet.
    pub(super) fn zeros(set: InstructionSet, taps: &Taps, connection: Connection) -> Self {
        let channels = taps.output.channels;
        match connection {
            Connection::Dense => Self::Dense(Panels::zeros(set, taps.fan_in(), channels)),
            Connection::Depthwise => Self::Depthwise(ByTap {
                values: vec![0.0; taps.window.taps() * channels],
                channels,
            }),
        }
    }

    /// The weights of a layer, by output channel, then tap, then input channel.
    pub(super) fn forward(
        set: InstructionSet,
        taps: &Taps,
        connection: Connection,
        weights: &[f32],
    ) -> Self {
        let (n_taps, channels) = (taps.window.taps(), taps.output.channels);
        match connection {
            Connection::Dense => {
                let fan_in = taps.fan_in();
                Self::Dense(Panels::pack(set, [fan_in, channels], weights, fan_in, |row| row))
            }
            Connection::Depthwise => {
                Self::Depthwise(ByTap::pack(weights, [n_taps, channels], 0..n_taps))
            }
        }
    }

    /// The weights of chosen taps, as the gradient by the inputs needs them: outputs' gradients are
    /// multiplied tap by tap in this order.
    pub(super) fn transposed(
        set: InstructionSet,
        taps: &Taps,
        connection: Connection,
        weights: &[f32],
        chosen: &[usize],
    ) -> Self {
        let (n_taps, outputs) = (taps.window.taps(), taps.output.channels);
        match connection {
            Connection::Dense => {
                let inputs = taps.input.channels;
                let start =
                    |row: usize| ((row % outputs) * n_taps + chosen[row / outputs]) * inputs;
                Self::Dense(Panels::pack(set, [chosen.len() * outputs, inputs], weights, 1, start))
            }
            Connection::Depthwise => {
                let chosen = chosen.iter().copied();
                Self::Depthwise(ByTap::pack(weights, [n_taps, outputs], chosen))
            }
        }
    }

    /// The products' sums under every output.
    pub(super) fn dot(
        &self,
        set: InstructionSet,
        (x, view): (&[f32], View),
        (out, grid): (&mut [f32], Grid),
        into: Into,
    ) {
        match self {
            Self::Dense(panels) => products::dot(set, x, view, panels, out, grid, into),
            Self::Depthwise(by_tap) => channelwise::dot(set, x, view, by_tap, out, grid, into),
        }
    }

    /// Adds the products of inputs and outputs' gradients.
    pub(super) fn add_outer(
        &mut self,
        set: InstructionSet,
        (x, view): (&[f32], View),
        (gradient, grid): (&[f32], Grid),
    ) {
        match self {
            Self::Dense(sums) => products::outer(set, x, view, gradient, grid, sums),
            Self::Depthwise(sums) => channelwise::outer(set, x, view, gradient, grid, sums),
        }
    }

    /// Adds other sums of the same layer.
    pub(super) fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Dense(sums), Self::Dense(other)) => sums.add(other),
            (Self::Depthwise(sums), Self::Depthwise(other)) => {
                for (sum, value) in sums.values.iter_mut().zip(&other.values) {
                    *sum += value;
                }
            }
            (Self::Dense(_), Self::Depthwise(_)) | (Self::Depthwise(_), Self::Dense(_)) => {
                unreachable!("sums of one layer are of one kind")
            }
        }
    }

    /// Writes the sums in the order of a layer's weights.
    pub(super) fn unpack(&self, taps: &Taps, weights: &mut [f32]) {
        match self {
            Self::Dense(sums) => sums.unpack_columns(weights, taps.fan_in()),
            Self::Depthwise(sums) => {
                let n_taps = taps.window.taps();
                for (i, weight) in weights.iter_mut().enumerate() {
                    *weight = sums.values[i % n_taps * sums.channels + i / n_taps];
                }
            }
        }
    }
}
