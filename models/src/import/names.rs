//! What a checkpoint calls the parameters of each layer.

use tridot_sim::network::Geometry;

use crate::topology::{DotLayer, Naming, Topology, TopologyOperator};

/// The names of one dot-product layer and of the batch norm after it, without `.weight` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DotNames {
    pub(super) layer: String,
    /// None where there is no batch norm or the checkpoint has folded it.
    pub(super) norm: Option<String>,
}

/// The names of the dot-product layers, in order.
pub(super) fn of(topology: &Topology, naming: Naming) -> Vec<DotNames> {
    let mut counts = Counts::default();
    let name = |dot: DotLayer<'_>| {
        let TopologyOperator::Dot { batch_norm, .. } = &dot.layer.operator else {
            unreachable!("dot_layers gives no others");
        };
        match naming {
            Naming::Layer => DotNames {
                layer: dot.layer.name.clone(),
                norm: batch_norm.as_ref().map(|norm| norm.name.clone()),
            },
            Naming::Keras => counts.keras(&dot.geometry, batch_norm.is_some()),
            Naming::Sequence => counts.sequence(&dot.geometry),
        }
    };
    topology.dot_layers().map(name).collect()
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
