//! A topology as the PyTorch side reads it: layers with all sizes, as JSON.

use serde_json::{Value, json};
use tridot_models::topology::{Activation, Bias, Topology, TopologyLayer, TopologyOperator};
use tridot_sim::network::{Geometry, Pads, Shape, Window};

/// Everything that the step of a network depends on.
pub(super) fn of(topology: &Topology) -> Value {
    json!({
        "input": shape(topology.input),
        "classes": topology.classes,
        "mean": topology.normalization.mean,
        "std": topology.normalization.std,
        "layers": topology.layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn layer(layer: &TopologyLayer) -> Value {
    let mut value = operator(&layer.operator);
    value["inputs"] = layer.inputs.iter().map(|id| id.0).collect();
    value["shape"] = shape(layer.shape);
    value
}

fn operator(operator: &TopologyOperator) -> Value {
    match operator {
        TopologyOperator::Dot { geometry, bias, batch_norm, activation } => {
            let (op, window, pads) = match *geometry {
                Geometry::Convolution { window, pads } => ("convolution", window, pads),
                Geometry::Depthwise { window, pads } => ("depthwise", window, pads),
                Geometry::Linear => ("linear", Window::square(1, 1), Pads::default()),
            };
            let mut value = windowed(op, window, pads);
            // A bias before batch norm is not trained: batch norm would undo it.
            value["bias"] = (batch_norm.is_none() && *bias != Bias::Absent).into();
            value["epsilon"] = json!(batch_norm.as_ref().map(|norm| norm.epsilon));
            value["activation"] = name(*activation).into();
            value
        }
        TopologyOperator::Add { activation } => {
            json!({ "op": "add", "activation": name(*activation) })
        }
        TopologyOperator::AveragePool { window } => {
            windowed("average_pool", *window, Pads::default())
        }
        TopologyOperator::MaxPool { window, pads } => windowed("max_pool", *window, *pads),
        TopologyOperator::Split { first, .. } => json!({ "op": "split", "first": first }),
        TopologyOperator::Concat => json!({ "op": "concat" }),
        TopologyOperator::Shuffle { groups } => json!({ "op": "shuffle", "groups": groups }),
        TopologyOperator::Subsample { stride_height, stride_width } => {
            json!({ "op": "subsample", "stride": [stride_height, stride_width] })
        }
        TopologyOperator::ChannelPad { before, after } => {
            json!({ "op": "channel_pad", "before": before, "after": after })
        }
    }
}

fn windowed(op: &str, window: Window, pads: Pads) -> Value {
    json!({
        "op": op,
        "kernel": [window.kernel_height, window.kernel_width],
        "stride": [window.stride_height, window.stride_width],
        "pads": [pads.top, pads.left, pads.bottom, pads.right],
    })
}

fn name(activation: Activation) -> &'static str {
    match activation {
        Activation::Identity => "identity",
        Activation::Relu => "relu",
        Activation::Relu6 => "relu6",
    }
}

fn shape(shape: Shape) -> Value {
    json!([shape.height, shape.width, shape.channels])
}
