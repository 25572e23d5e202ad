//! The formulae at their ends, and one small network by hand.

use super::*;
use crate::network::{
    Description, Digits, Dot, DotOutput, Input, Layer, Operator, Pads, Provenance, Requantize,
    Sign, TensorId, TensorType, Window,
};

#[test]
fn ceil_log2_at_powers_and_beside_them() {
    for (n, log) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1 << 20, 20), ((1 << 20) + 1, 21)] {
        assert_eq!(ceil_log2(n), log);
    }
}

#[test]
fn one_term_needs_no_adder() {
    assert_eq!(integer_dot_product(1, 8, 4), 32);
    assert_eq!(ternary_dot_product(1, 4, 16), 16 * 5);
}

#[test]
fn nothing_costs_nothing() {
    assert_eq!(integer_dot_product(0, 8, 8), 0);
    assert_eq!(ternary_dot_product(0, 8, 16), 0);
}

fn tensor(shape: Shape, bits: u32) -> TensorType {
    TensorType { shape, bits, sign: Sign::Unsigned, scale: 1.0 }
}

fn layer(name: &str, input: usize, dot: Dot, output: TensorType) -> Layer {
    let inputs = vec![TensorId(input)];
    Layer { name: name.to_owned(), inputs, operator: Operator::Dot(dot), output }
}

/// 2×2 pixels of 2 channels at 4 bits; a `dbq` 1×1 convolution to 2 channels at 3 bits; a `fixed`
/// linear layer to one value.
fn network() -> Network {
    let output = DotOutput::Requantize(Requantize { shift: 8, low: 0, high: 7 });
    // Trits (branch 0, branch 1): channel 0 (+1, −1), (−1, 0); channel 1 (0, 0), (0, +1).
    let codes = vec![2, 3, 4, 7];
    let pointwise = Dot {
        geometry: Geometry::Convolution { window: Window::square(1, 1), pads: Pads::default() },
        weights: Weights::Dbq { branches: 2, codes },
        multipliers: vec![3, 2, 3, 2],
        bias: vec![0, 0],
        output,
    };
    let linear = Dot {
        geometry: Geometry::Linear,
        weights: Weights::Fixed { bits: 5, values: vec![15, 0, -7, 1, 0, 0, 2, 3] },
        multipliers: vec![1],
        bias: vec![0],
        output,
    };
    let shape = Shape::new(2, 2, 2);
    Network::new(Description {
        name: "by-hand".to_owned(),
        digits: Digits::Csd,
        scale_bits: 12,
        input: Input { tensor: tensor(shape, 4), tables: vec![[0; 256]; 2] },
        layers: vec![
            layer("pointwise", 0, pointwise, tensor(shape, 3)),
            layer("linear", 1, linear, tensor(Shape::new(1, 1, 1), 3)),
        ],
        provenance: Provenance::default(),
    })
    .unwrap()
}

#[test]
fn a_network_by_hand() {
    let complexity = of_network(&network());
    // D = 2, b_x = 4: 1·(4 + 1) + 12·(4 + 1 + 1) = 77 a branch; 2 branches, 2 channels, 4 pixels.
    // Non-zero trits: channel 0 has 2 and 1, channel 1 has 0 and 1; n = 1 costs 12·(4 + 1) = 60.
    // 4 weights of 2 trits of 2 bits; 8 inputs of 4 bits.
    let pointwise = Measures {
        computational_full_adders: 77 * 2 * 2 * 4,
        sparse_full_adders: Some((77 + 60 + 60) * 4),
        representational_bits: 16 + 32,
        storage_bits: 16,
        macs: 16,
        weights: 4,
    };
    // D = 8, b_w = 5, b_x = 3: 8·15 + 7·(3 + 5 + 3 − 1) = 190. Five weights are not zero:
    // 5·15 + 4·(3 + 5 + 3 − 1) = 115. 8 weights of 5 bits; 8 inputs of 3 bits.
    let linear = Measures {
        computational_full_adders: 190,
        sparse_full_adders: Some(115),
        representational_bits: 40 + 24,
        storage_bits: 40,
        macs: 8,
        weights: 8,
    };
    let names: Vec<_> = complexity.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["pointwise", "linear"]);
    assert_eq!(complexity.layers[0].measures, pointwise);
    assert_eq!(complexity.layers[1].measures, linear);
    assert_eq!(complexity.total, pointwise.plus(&linear).unwrap());
}

fn shape_of(input: Shape, output: Shape) -> LayerShape<'static> {
    LayerShape { name: "linear", geometry: Geometry::Linear, input, output }
}

const TERNARY: Precision = Precision::Ternary { branches: 1, activation_bits: 8, scale_bits: 16 };

#[test]
fn the_largest_layer_does_not_overflow_and_a_larger_one_is_refused() {
    let widest = Precision::Uniform { weight_bits: 32, activation_bits: 32 };
    let side = Shape::new(1, 1, limits::MAX_FAN_IN);
    let largest = shape_of(side, Shape::new(1 << 12, 1 << 12, 1));
    let one = of_shapes(&[largest], widest).unwrap();
    // 2^24 outputs of 2^20·2^10 + (2^20 − 1)·(32 + 32 + 20 − 1).
    let expected = (1_u64 << 24) * ((1 << 30) + ((1 << 20) - 1) * 83);
    assert_eq!(one.total.computational_full_adders, expected);
    let error = of_shapes(&vec![largest; 1 << 10], widest).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer `linear`: the sum of a measure so far does not fit 64 bits"
    );
    let longer = shape_of(Shape::new(1, 2, limits::MAX_FAN_IN), Shape::new(1, 1, 1));
    assert!(
        of_shapes(&[longer], TERNARY).unwrap_err().to_string().contains("length of a dot product")
    );
    let huge = shape_of(Shape::new(usize::MAX, 2, 2), Shape::new(1, 1, 1));
    assert!(of_shapes(&[huge], TERNARY).is_err());
}

#[test]
fn impossible_precisions_are_refused() {
    let layer = shape_of(Shape::new(1, 1, 4), Shape::new(1, 1, 2));
    for precision in [
        Precision::Uniform { weight_bits: 0, activation_bits: 8 },
        Precision::Uniform { weight_bits: 8, activation_bits: 33 },
        Precision::Ternary { branches: 6, activation_bits: 8, scale_bits: 16 },
        Precision::Ternary { branches: 1, activation_bits: 8, scale_bits: 19 },
    ] {
        assert!(of_shapes(&[layer], precision).is_err());
    }
}
