//! What a checkpoint calls the parameters of each layer.

use crate::topology::{Naming, Topology, TopologyOperator};
use tridot_sim::network::Geometry;

/// The names of one dot-product layer and of the batch norm after it, without `.weight` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DotNames {
    pub(super) layer: String,
    /// None where there is no batch norm or the checkpoint has folded it.
    pub(super) norm: Option<String>,
}

/// By layer index: the names of dot-product layers, none for the others.
pub(super) fn of(topology: &Topology) -> Vec<Option<DotNames>> {
    let mut counts = Counts::default();
    topology
        .layers
        .iter()
        .map(|layer| {
            let TopologyOperator::Dot { geometry, batch_norm, .. } = &layer.operator else {
                return None;
            };
            Some(match topology.naming {
                Naming::Layer => DotNames {
                    layer: layer.name.clone(),
                    norm: batch_norm.as_ref().map(|norm| norm.name.clone()),
                },
                Naming::Keras => counts.keras(geometry, batch_norm.is_some()),
                Naming::Sequence => counts.sequence(geometry),
            })
        })
        .collect()
}

/// How many layers of each kind came before.
#[derive(Debug, Default)]
struct Counts {
    convolutions: usize,
    depthwise: usize,
    linear: usize,
    norms: usize,
}

impl Counts {
    fn keras(&mut self, geometry: &Geometry, has_norm: bool) -> DotNames {
        let layer = match geometry {
            Geometry::Convolution { .. } => numbered("conv2d", &mut self.convolutions),
            Geometry::Depthwise { .. } => numbered("depthwise_conv2d", &mut self.depthwise),
            Geometry::Linear => numbered("dense", &mut self.linear),
        };
        let norm = has_norm.then(|| numbered("batch_normalization", &mut self.norms));
        DotNames { layer, norm }
    }

    fn sequence(&mut self, geometry: &Geometry) -> DotNames {
        let (kind, count) = match geometry {
            Geometry::Depthwise { .. } => ("dw", &mut self.depthwise),
            Geometry::Convolution { .. } => ("conv", &mut self.convolutions),
            Geometry::Linear => ("conv", &mut self.linear),
        };
        *count += 1;
        let position = self.depthwise + self.convolutions + self.linear - 1;
        DotNames { layer: format!("{position:02}_{kind}"), norm: None }
    }
}

/// `name`, `name_1`, `name_2`, …
fn numbered(name: &str, count: &mut usize) -> String {
    *count += 1;
    if *count == 1 { name.to_owned() } else { format!("{name}_{}", *count - 1) }
}
