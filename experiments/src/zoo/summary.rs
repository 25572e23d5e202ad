//! What came out of a training, and what it cost: the file beside a trained network.

use serde::{Deserialize, Serialize};

/// What came out, and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    /// The version of its form: 1.
    pub(crate) format: u32,
    /// The topology's name.
    pub(crate) network: String,
    /// The data set's name.
    pub(crate) data: String,
    /// Of the float network behind it, on the test set.
    pub(crate) float_accuracy_percent: Option<f64>,
    /// Of the integer network, on the test set.
    pub(crate) integer_accuracy_percent: f64,
    /// Pictures of the test set.
    pub(crate) samples: u64,
    /// Of the training, all stages together; 0 where the network was quantized without any.
    pub(crate) epochs: usize,
    /// What the epochs took together, on the machine that they ran on.
    pub(crate) hours: f64,
    /// Of all that is random.
    pub(crate) seed: u64,
}
