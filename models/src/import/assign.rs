//! Tensors of a checkpoint to parameters of layers.

use std::collections::BTreeSet;

use tridot_sim::network::Geometry;

use super::names::{self, DotNames};
use super::{Checkpoint, CheckpointTensor};
use crate::Error;
use crate::float::{BatchNormParameters, FloatNetwork, LayerParameters};
use crate::topology::{BatchNorm, Bias, DotLayer, Naming, Topology, TopologyOperator};

/// How many names of each kind a refusal lists; it counts all.
const LISTED: usize = 3;

/// Puts the tensors of a checkpoint into a topology. Refuses, in one line that counts all and
/// lists the first, tensors that are missing, left over or of the wrong shape.
///
/// Weights come as OIHW, depthwise ones as `[channels, 1, height, width]`, linear ones as
/// `[out, in]`, where `in` flattens the input tensor as the tool of that naming does, or as the
/// equivalent convolution `[out, channels, height, width]`.
pub fn float_network(checkpoint: &Checkpoint, topology: Topology) -> Result<FloatNetwork, Error> {
    let layers = assignments(&topology, checkpoint.naming(&topology));
    let faults = Faults::of(checkpoint, &layers);
    if !faults.is_none() {
        let place = format!("network `{}`", topology.name);
        return Err(Error::malformed(place, format!("the checkpoint does not fit: {faults}")));
    }
    let mut parameters = vec![None; topology.layers.len()];
    for layer in layers {
        parameters[layer.dot.layer_idx] = Some(layer.parameters(checkpoint)?);
    }
    Ok(FloatNetwork { topology, parameters })
}

/// The indices of the topologies whose tensor names and shapes are exactly those of the checkpoint.
pub fn identify(checkpoint: &Checkpoint, topologies: &[Topology]) -> Vec<usize> {
    let fits = |&idx: &usize| {
        let layers = assignments(&topologies[idx], checkpoint.naming(&topologies[idx]));
        Faults::of(checkpoint, &layers).is_none()
    };
    (0..topologies.len()).filter(fits).collect()
}

/// A tensor that a topology asks for.
struct Wanted {
    name: String,
    /// Any of these.
    shapes: Vec<Vec<usize>>,
    required: bool,
}

/// A dot-product layer and what decides its tensors.
struct Assignment<'a> {
    dot: DotLayer<'a>,
    names: DotNames,
    naming: Naming,
    bias: Bias,
    /// None where the checkpoint has folded it.
    batch_norm: Option<&'a BatchNorm>,
}

fn assignments(topology: &Topology, naming: Naming) -> Vec<Assignment<'_>> {
    let assign = |(dot, names)| {
        let (dot, names): (DotLayer<'_>, DotNames) = (dot, names);
        let TopologyOperator::Dot { bias, batch_norm, .. } = &dot.layer.operator else {
            unreachable!("dot_layers gives no others");
        };
        // Where batch norm has been folded, what it added is in the bias.
        let folded = batch_norm.is_some() && names.norm.is_none();
        let bias = if folded { Bias::Present } else { *bias };
        let batch_norm = if folded { None } else { batch_norm.as_ref() };
        Assignment { dot, names, naming, bias, batch_norm }
    };
    topology.dot_layers().zip(names::of(topology, naming)).map(assign).collect()
}

impl Assignment<'_> {
    fn weight_name(&self) -> String {
        format!("{}.weight", self.names.layer)
    }

    fn bias_name(&self) -> String {
        format!("{}.bias", self.names.layer)
    }

    /// γ, β, running mean and running variance.
    fn norm_names(&self) -> Option<[String; 4]> {
        let norm = self.names.norm.as_ref()?;
        Some(["weight", "bias", "running_mean", "running_var"].map(|part| format!("{norm}.{part}")))
    }

    fn weight_shapes(&self) -> Vec<Vec<usize>> {
        let (out, input) = (self.dot.output.channels, self.dot.input);
        match self.dot.geometry {
            Geometry::Convolution { window, .. } => {
                vec![vec![out, input.channels, window.kernel_height, window.kernel_width]]
            }
            Geometry::Depthwise { window, .. } => {
                vec![vec![out, 1, window.kernel_height, window.kernel_width]]
            }
            Geometry::Linear => vec![
                vec![out, input.elements()],
                vec![out, input.channels, input.height, input.width],
            ],
        }
    }

    fn wanted(&self) -> Vec<Wanted> {
        let per_channel =
            |name| Wanted { name, shapes: vec![vec![self.dot.output.channels]], required: true };
        let mut wanted =
            vec![Wanted { name: self.weight_name(), shapes: self.weight_shapes(), required: true }];
        match self.bias {
            Bias::Absent => {}
            Bias::Optional => {
                wanted.push(Wanted { required: false, ..per_channel(self.bias_name()) });
            }
            Bias::Present => wanted.push(per_channel(self.bias_name())),
        }
        wanted.extend(self.norm_names().into_iter().flatten().map(per_channel));
        wanted
    }

    fn parameters(&self, checkpoint: &Checkpoint) -> Result<LayerParameters, Error> {
        let bias = checkpoint.tensors.get(&self.bias_name());
        Ok(LayerParameters {
            weights: self.weights(found(checkpoint, &self.weight_name())),
            bias: bias
                .map_or_else(|| vec![0.0; self.dot.output.channels], |bias| bias.values.clone()),
            batch_norm: self.batch_norm_parameters(checkpoint)?,
        })
    }

    /// The weights in K order: kernel row, kernel column, input channel.
    fn weights(&self, tensor: &CheckpointTensor) -> Vec<f32> {
        let (taps, channels) = match self.dot.geometry {
            Geometry::Convolution { window, .. } => (window.taps(), self.dot.input.channels),
            Geometry::Depthwise { window, .. } => (window.taps(), 1),
            Geometry::Linear => (self.dot.input.pixels(), self.dot.input.channels),
        };
        // PyTorch flattens channel by channel, Keras and TensorFlow Lite pixel by pixel.
        if tensor.shape.len() == 2 && self.naming != Naming::Layer {
            return tensor.values.clone();
        }
        let mut weights = Vec::with_capacity(tensor.values.len());
        for filter in tensor.values.chunks_exact(taps * channels) {
            for tap in 0..taps {
                weights.extend(filter.iter().skip(tap).step_by(taps));
            }
        }
        weights
    }

    fn batch_norm_parameters(
        &self,
        checkpoint: &Checkpoint,
    ) -> Result<Option<BatchNormParameters>, Error> {
        let (Some(batch_norm), Some(names)) = (self.batch_norm, self.norm_names()) else {
            return Ok(None);
        };
        let [gamma, beta, mean, variance] =
            names.each_ref().map(|name| found(checkpoint, name).values.clone());
        if let Some(idx) = variance.iter().position(|&variance| variance < 0.0) {
            let place = format!("tensor `{}`", names[3]);
            return Err(Error::limit(place, format!("element {idx}"), "at least 0", variance[idx]));
        }
        Ok(Some(BatchNormParameters { gamma, beta, mean, variance, epsilon: batch_norm.epsilon }))
    }
}

fn found<'a>(checkpoint: &'a Checkpoint, name: &str) -> &'a CheckpointTensor {
    checkpoint.tensors.get(name).expect("a checkpoint without faults has all required tensors")
}

/// Where a checkpoint and a topology differ.
struct Faults {
    missing: Vec<String>,
    left_over: Vec<String>,
    wrong: Vec<String>,
}

impl Faults {
    fn of(checkpoint: &Checkpoint, layers: &[Assignment<'_>]) -> Self {
        let mut faults = Self { missing: Vec::new(), left_over: Vec::new(), wrong: Vec::new() };
        let mut known = BTreeSet::new();
        for Wanted { name, shapes, required } in layers.iter().flat_map(Assignment::wanted) {
            match checkpoint.tensors.get(&name) {
                None if required => faults.missing.push(format!("`{name}`")),
                Some(tensor) if !shapes.contains(&tensor.shape) => {
                    let (is, must) = (&tensor.shape, &shapes[0]);
                    faults.wrong.push(format!("`{name}` is {is:?}, must be {must:?}"));
                }
                _ => {}
            }
            known.insert(name);
        }
        let left_over = checkpoint.tensors.keys().filter(|name| !known.contains(*name));
        faults.left_over.extend(left_over.map(|name| format!("`{name}`")));
        faults
    }

    fn is_none(&self) -> bool {
        self.missing.is_empty() && self.left_over.is_empty() && self.wrong.is_empty()
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            (&self.missing, "missing"),
            (&self.left_over, "left over"),
            (&self.wrong, "of the wrong shape"),
        ];
        let mut separator = "";
        for (names, what) in kinds.into_iter().filter(|(names, _)| !names.is_empty()) {
            let noun = if names.len() == 1 { "tensor" } else { "tensors" };
            let listed = names[..names.len().min(LISTED)].join(", ");
            let more = if LISTED < names.len() { ", …" } else { "" };
            write!(f, "{separator}{} {noun} {what} ({listed}{more})", names.len())?;
            separator = "; ";
        }
        Ok(())
    }
}
