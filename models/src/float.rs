//! A topology with its trained float parameters, and what it computes.

use crate::topology::Topology;

/// A topology and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatNetwork {
    /// The layers.
    pub topology: Topology,
    /// By layer index: the parameters of dot-product layers, none for the others.
    pub parameters: Vec<Option<LayerParameters>>,
}

/// The parameters of one dot-product layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerParameters {
    /// Weight k of output channel c is element c·K + k; K order: kernel row, kernel column, input channel.
    pub weights: Vec<f32>,
    /// One per output channel; zeros where the layer has none.
    pub bias: Vec<f32>,
    /// Batch norm, where the layer has one.
    pub batch_norm: Option<BatchNormParameters>,
}

/// One value per output channel each.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormParameters {
    /// γ.
    pub gamma: Vec<f32>,
    /// β.
    pub beta: Vec<f32>,
    /// Running mean.
    pub mean: Vec<f32>,
    /// Running variance.
    pub variance: Vec<f32>,
    /// ε.
    pub epsilon: f64,
}
