//! What the epochs of a training came to.

/// An epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub stage: usize,
    /// Counted from 1, in its stage.
    pub epoch: usize,
    /// Mean over its batches.
    pub loss: f64,
    /// Of its batches, as they were trained.
    pub training_accuracy_percent: f64,
    /// Of held-back training pictures after it, with hard weights; none where none are held back.
    pub held_back_accuracy_percent: Option<f64>,
    /// Of its last step.
    pub learning_rate: f64,
    /// Of the soft quantizer in its last step; none in a float stage.
    pub temperature: Option<f64>,
    /// Layers of ternary branches; none in a float stage.
    pub layers: Vec<Layer>,
}

/// A layer of ternary branches after an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Of each branch, largest first: scale over the root mean square of the layer's weights at the start.
    pub relative_scales: Vec<f64>,
    /// Of each branch: trits that are 0, of 100.
    pub zero_trits_percent: Vec<f64>,
}
