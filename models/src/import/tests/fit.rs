//! Tensors to layers.

use tridot_sim::network::{Geometry, Pads, Shape, TensorId, Window};

use super::super::*;
use crate::topology::{
    Activation, BatchNorm, Bias, Naming, Normalization, Topology, TopologyLayer, TopologyOperator,
};

/// A convolution with batch norm, a depthwise one, and a linear layer over a 2×2×3 tensor.
fn topology(naming: Naming) -> Topology {
    let (window, pads) = (Window { kernel_width: 3, ..Window::square(2, 1) }, Pads::default());
    let norm = BatchNorm { name: "norm".to_owned(), epsilon: 1e-3 };
    let dot = |geometry, bias, batch_norm| TopologyOperator::Dot {
        geometry,
        bias,
        batch_norm,
        activation: Activation::Relu,
    };
    let layer = |idx, name: &str, operator, shape| TopologyLayer {
        name: name.to_owned(),
        inputs: vec![TensorId(idx)],
        operator,
        shape,
    };
    let convolution = Geometry::Convolution { window, pads };
    let depthwise = Geometry::Depthwise { window: Window::square(1, 1), pads };
    Topology {
        name: "small".to_owned(),
        input: Shape::new(3, 4, 2),
        classes: 2,
        normalization: Normalization { mean: vec![0.0; 2], std: vec![1.0; 2] },
        naming,
        layers: vec![
            layer(0, "first", dot(convolution, Bias::Optional, Some(norm)), Shape::new(2, 2, 3)),
            layer(1, "second", dot(depthwise, Bias::Absent, None), Shape::new(2, 2, 3)),
            layer(2, "third", dot(Geometry::Linear, Bias::Present, None), Shape::new(1, 1, 2)),
        ],
    }
}

/// A tensor whose element i is i.
fn counting(shape: &[usize]) -> CheckpointTensor {
    let n = u16::try_from(shape.iter().product::<usize>()).unwrap();
    CheckpointTensor { shape: shape.to_vec(), values: (0..n).map(f32::from).collect() }
}

fn checkpoint(tensors: &[(&str, &[usize])]) -> Checkpoint {
    let tensors = tensors.iter().map(|(name, shape)| ((*name).to_owned(), counting(shape)));
    Checkpoint { tensors: tensors.collect(), ..Checkpoint::default() }
}

const SOUND: [(&str, &[usize]); 8] = [
    ("first.weight", &[3, 2, 2, 3]),
    ("norm.weight", &[3]),
    ("norm.bias", &[3]),
    ("norm.running_mean", &[3]),
    ("norm.running_var", &[3]),
    ("second.weight", &[3, 1, 1, 1]),
    ("third.weight", &[2, 12]),
    ("third.bias", &[2]),
];

fn dot(network: &crate::float::FloatNetwork, layer_idx: usize) -> &crate::float::LayerParameters {
    network.parameters[layer_idx].as_ref().unwrap()
}

#[test]
fn weights_come_out_in_k_order() {
    let network = float_network(&checkpoint(&SOUND), topology(Naming::Layer)).unwrap();
    let first = dot(&network, 0);
    // Filter 1 of 3×2×2×3 OIHW begins at 12; its element (i, h, w) is 12 + 6i + 3h + w.
    let expected =
        [12, 18, 13, 19, 14, 20, 15, 21, 16, 22, 17, 23].map(|value: u8| f32::from(value));
    assert_eq!(first.weights[12..24], expected);
    assert_eq!(first.bias, [0.0; 3]);
    let norm = first.batch_norm.as_ref().unwrap();
    assert_eq!((&norm.gamma[..], &norm.variance[..]), (&[0.0, 1.0, 2.0][..], &[0.0, 1.0, 2.0][..]));
    assert_eq!(norm.epsilon.to_bits(), 1e-3f64.to_bits());
    assert_eq!(dot(&network, 1).weights, [0.0, 1.0, 2.0]);
    assert!(dot(&network, 1).batch_norm.is_none());
    // PyTorch flattens 2×2×3 channel by channel: element (c, pixel) is 4c + pixel.
    let expected = [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].map(|value: u8| f32::from(value));
    assert_eq!(dot(&network, 2).weights[..12], expected);
}

#[test]
fn a_linear_layer_may_be_stored_as_the_convolution_that_it_is() {
    let mut tensors = SOUND;
    tensors[6].1 = &[2, 3, 2, 2];
    let stored_so = float_network(&checkpoint(&tensors), topology(Naming::Layer)).unwrap();
    let flat = float_network(&checkpoint(&SOUND), topology(Naming::Layer)).unwrap();
    assert_eq!(stored_so, flat);
}

#[test]
fn keras_numbers_layers_by_kind_and_flattens_pixel_by_pixel() {
    let tensors = [
        ("conv2d.weight", SOUND[0].1),
        ("conv2d.bias", &[3]),
        ("batch_normalization.weight", &[3]),
        ("batch_normalization.bias", &[3]),
        ("batch_normalization.running_mean", &[3]),
        ("batch_normalization.running_var", &[3]),
        ("depthwise_conv2d.weight", SOUND[5].1),
        ("dense.weight", &[2, 12]),
        ("dense.bias", &[2]),
    ];
    let network = float_network(&checkpoint(&tensors), topology(Naming::Keras)).unwrap();
    assert_eq!(dot(&network, 0).bias, [0.0, 1.0, 2.0]);
    assert_eq!(dot(&network, 2).weights, counting(&[2, 12]).values);
}

#[test]
fn a_sequence_has_folded_its_batch_norm() {
    let tensors = [
        ("00_conv.weight", SOUND[0].1),
        ("00_conv.bias", &[3]),
        ("01_dw.weight", SOUND[5].1),
        ("02_conv.weight", &[2, 12]),
        ("02_conv.bias", &[2]),
    ];
    let network = float_network(&checkpoint(&tensors), topology(Naming::Sequence)).unwrap();
    assert_eq!(dot(&network, 0).bias, [0.0, 1.0, 2.0]);
    assert!(dot(&network, 0).batch_norm.is_none());
    let without_bias = float_network(&checkpoint(&tensors[2..]), topology(Naming::Sequence));
    let message = "network `small`: the checkpoint does not fit: \
                   2 tensors missing (`00_conv.weight`, `00_conv.bias`)";
    assert_eq!(without_bias.unwrap_err().to_string(), message);
}

#[test]
fn all_that_does_not_fit_is_counted_and_the_first_named() {
    let tensors: [(&str, &[usize]); 5] = [
        ("first.weight", &[3, 2, 3, 2]),
        ("norm.weight", &[3]),
        ("second.bias", &[3]),
        ("third.bias", &[3]),
        ("fourth", &[]),
    ];
    let refusal = float_network(&checkpoint(&tensors), topology(Naming::Layer)).unwrap_err();
    let message = "network `small`: the checkpoint does not fit: 5 tensors missing (`norm.bias`, \
        `norm.running_mean`, `norm.running_var`, …); 2 tensors left over (`fourth`, `second.bias`); \
        2 tensors of the wrong shape (`first.weight` is [3, 2, 3, 2], must be [3, 2, 2, 3], \
        `third.bias` is [3], must be [2])";
    assert_eq!(refusal.to_string(), message);
}

#[test]
fn a_negative_variance_is_named() {
    let mut checkpoint = checkpoint(&SOUND);
    checkpoint.tensors.get_mut("norm.running_var").unwrap().values[1] = -0.5;
    let refusal = float_network(&checkpoint, topology(Naming::Layer)).unwrap_err();
    let message = "tensor `norm.running_var`: element 1 must be at least 0, got -0.5";
    assert_eq!(refusal.to_string(), message);
}

#[test]
fn names_and_shapes_identify_a_topology() {
    let other = Topology { input: Shape::new(3, 4, 1), ..topology(Naming::Layer) };
    let topologies = [topology(Naming::Keras), topology(Naming::Layer), other];
    assert_eq!(identify(&checkpoint(&SOUND), &topologies), [1]);
    assert!(identify(&checkpoint(&SOUND[1..]), &topologies).is_empty());
}
