use super::*;
use crate::network::{Input, Provenance, Sign, TensorId, TensorType};

const WIDE: Requantize = Requantize { shift: 1, low: -128, high: 127 };

fn tensor(shape: Shape) -> TensorType {
    TensorType { shape, bits: 8, sign: Sign::Signed, scale: 1.0 }
}

/// A pixel p stands for code p − 100.
fn signed_input(shape: Shape) -> Input {
    let table = std::array::from_fn(|pixel| (i16::try_from(pixel).unwrap() - 100).clamp(-128, 127));
    Input { tensor: tensor(shape), tables: vec![table; shape.channels] }
}

fn layer(inputs: &[usize], operator: Operator, shape: Shape) -> Layer {
    let inputs = inputs.iter().map(|&id| TensorId(id)).collect();
    Layer { name: String::new(), inputs, operator, output: tensor(shape) }
}

/// Runs layers over a picture of these codes and returns every tensor.
fn run_codes(shape: Shape, codes: &[i64], mut layers: Vec<Layer>) -> Vec<Vec<i64>> {
    for (i, layer) in layers.iter_mut().enumerate() {
        layer.name = format!("layer{i}");
    }
    let network = Network::new(Description {
        name: "test".to_owned(),
        digits: Digits::Csd,
        scale_bits: 16,
        input: signed_input(shape),
        layers,
        provenance: Provenance::default(),
    });
    let pixels: Vec<u8> = codes.iter().map(|&code| u8::try_from(code + 100).unwrap()).collect();
    run(&network.unwrap(), &pixels).unwrap()
}

/// Runs one layer of one input.
fn one(shape: Shape, codes: &[i64], operator: Operator, output: Shape) -> Vec<i64> {
    run_codes(shape, codes, vec![layer(&[0], operator, output)]).remove(1)
}

/// A layer of fixed integers with m = 1, whose raw output is the weighted sum.
fn raw(geometry: Geometry, values: &[i16], channels: usize) -> Operator {
    Operator::Dot(Dot {
        geometry,
        weights: Weights::Fixed { bits: 8, values: values.to_vec() },
        multipliers: vec![1; channels],
        bias: vec![0; channels],
        output: DotOutput::Raw,
    })
}

fn run_raw(shape: Shape, codes: &[i64], operator: Operator, output: Shape) -> Vec<i64> {
    let mut layer = layer(&[0], operator, output);
    layer.output.bits = 40;
    run_codes(shape, codes, vec![layer]).remove(1)
}

#[test]
fn rounding_is_half_up_for_either_sign_and_then_clamps() {
    // y = 3·a, shift 1: (y + 1) >> 1. −9 → −8 >> 1 = −4; −3 → −1; 3 → 2; 9 → 5.
    let requantize = Requantize { low: -4, high: 4, ..WIDE };
    let shape = Shape::new(1, 6, 1);
    let operator = Operator::Rescale { multiplier: 3, requantize };
    let out = one(shape, &[-3, -1, 0, 1, 3, -50], operator, shape);
    assert_eq!(out, [-4, -1, 0, 2, 4, -4]);
}

#[test]
fn add_multiplies_each_operand_by_its_own() {
    // (5·a − 2·b + 2) >> 2, b = −a (rescale by −2, shift 1): 7·a: 14 → 4, −14 → −3.
    let shape = Shape::new(1, 2, 1);
    let negate = layer(&[0], Operator::Rescale { multiplier: -2, requantize: WIDE }, shape);
    let requantize = Requantize { shift: 2, ..WIDE };
    let add = layer(&[0, 1], Operator::Add { multipliers: [5, -2], requantize }, shape);
    let tensors = run_codes(shape, &[2, -2], vec![negate, add]);
    assert_eq!(tensors, [vec![2, -2], vec![-2, 2], vec![4, -3]]);
}

#[test]
fn a_convolution_pads_four_sides_differently_and_strides() {
    // Codes 1…6 on 2×3; one kernel of 2×3 with weights 1, 10, 100 / 2, 20, 80; pads top 1, left 2,
    // bottom 0, right 1; stride 1 down and 3 across: outputs at padded columns 0 and 3.
    let window = Window { kernel_height: 2, kernel_width: 3, stride_height: 1, stride_width: 3 };
    let pads = Pads { top: 1, left: 2, bottom: 0, right: 1 };
    let values = [1, 10, 100, 2, 20, 80];
    let operator = raw(Geometry::Convolution { window, pads }, &values, 1);
    let out = run_raw(Shape::new(2, 3, 1), &[1, 2, 3, 4, 5, 6], operator, Shape::new(2, 2, 1));
    // Row 0 sees padding above: 80·1; 2·2 + 20·3. Row 1: 100·1 + 80·4; 1·2 + 10·3 + 2·5 + 20·6.
    assert_eq!(out, [80, 64, 420, 162]);
}

#[test]
fn k_runs_over_row_column_channel_and_weights_over_output_channels() {
    // 1×2 picture of 2 channels, kernel 1×2: x = (1, 2, 3, 4). Channel 0 weights 1, 5, 25, 125;
    // channel 1 weights −1, 0, 0, 1.
    let window = Window { kernel_height: 1, kernel_width: 2, stride_height: 1, stride_width: 1 };
    let geometry = Geometry::Convolution { window, pads: Pads::default() };
    let operator = raw(geometry, &[1, 5, 25, 125, -1, 0, 0, 1], 2);
    let out = run_raw(Shape::new(1, 2, 2), &[1, 2, 3, 4], operator, Shape::new(1, 1, 2));
    assert_eq!(out, [1 + 10 + 75 + 500, 3]);
}

#[test]
fn a_linear_layer_reads_nhwc_order() {
    // 2×1 picture of 2 channels, x = (1, 2, 3, 4), as the convolution above.
    let operator = raw(Geometry::Linear, &[1, 5, 25, 125], 1);
    let out = run_raw(Shape::new(2, 1, 2), &[1, 2, 3, 4], operator, Shape::new(1, 1, 1));
    assert_eq!(out, [586]);
}

#[test]
fn depthwise_reads_its_own_channel() {
    // 1×2 picture of 2 channels: channel 0 is (1, 3), channel 1 is (2, 4).
    let window = Window { kernel_height: 1, kernel_width: 2, stride_height: 1, stride_width: 1 };
    let geometry = Geometry::Depthwise { window, pads: Pads { right: 1, ..Pads::default() } };
    let operator = raw(geometry, &[1, 10, -1, 100], 2);
    let out = run_raw(Shape::new(1, 2, 2), &[1, 2, 3, 4], operator, Shape::new(1, 2, 2));
    assert_eq!(out, [1 + 30, -2 + 400, 3, -4]);
}

#[test]
fn dbq_scales_each_branch_and_adds_the_bias() {
    // Weights: +1 and −1 in branch 0, 0 and +1 in branch 1: acc = (x0 − x1, x1) = (5 − 2, 2).
    // y = 7·3 + 4·2 + 11 = 40; shift 4: (40 + 8) >> 4 = 3.
    let codes = vec![2 + 3, 3 * 2];
    let requantize = Requantize { shift: 4, ..WIDE };
    let operator = Operator::Dot(Dot {
        geometry: Geometry::Linear,
        weights: Weights::Dbq { branches: 2, codes },
        multipliers: vec![7, 4],
        bias: vec![11],
        output: DotOutput::Requantize(requantize),
    });
    assert_eq!(one(Shape::new(1, 1, 2), &[5, 2], operator, Shape::new(1, 1, 1)), [3]);
}

#[test]
fn average_pool_multiplies_the_windows_sum() {
    // Windows of 1×2, stride 2, over −1, −2, 5, 6, 9: sums −3 and 11, m = 3, shift 2:
    // (−9 + 2) >> 2 = −2; (33 + 2) >> 2 = 8. The 9 falls outside.
    let window = Window { kernel_height: 1, kernel_width: 2, stride_height: 1, stride_width: 2 };
    let requantize = Requantize { shift: 2, ..WIDE };
    let operator = Operator::AveragePool { window, multiplier: 3, requantize };
    let out = one(Shape::new(1, 5, 1), &[-1, -2, 5, 6, 9], operator, Shape::new(1, 2, 1));
    assert_eq!(out, [-2, 8]);
}

#[test]
fn max_pool_ignores_padding_even_if_all_codes_are_negative() {
    let operator = Operator::MaxPool { window: Window::square(2, 1), pads: Pads::all(1) };
    let out = one(Shape::new(1, 2, 1), &[-7, -5], operator, Shape::new(2, 3, 1));
    assert_eq!(out, [-7, -5, -5, -7, -5, -5]);
}

#[test]
fn moves_take_the_codes_they_name() {
    let shape = Shape::new(1, 1, 6);
    let codes = [1, 2, 3, 4, 5, 6];
    // Two groups of three: output channel i·2 + j is input channel j·3 + i.
    assert_eq!(one(shape, &codes, Operator::Shuffle { groups: 2 }, shape), [1, 4, 2, 5, 3, 6]);
    let split = Operator::Split { first: 1, channels: 3 };
    assert_eq!(one(shape, &codes, split, Shape::new(1, 1, 3)), [2, 3, 4]);
    let pad = Operator::ChannelPad { before: 1, after: 2 };
    assert_eq!(one(shape, &codes, pad, Shape::new(1, 1, 9)), [0, 1, 2, 3, 4, 5, 6, 0, 0]);
    let subsample = Operator::Subsample { stride_height: 2, stride_width: 3 };
    let out = one(Shape::new(3, 4, 1), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], subsample, {
        Shape::new(2, 2, 1)
    });
    assert_eq!(out, [0, 3, 8, 11]);
}

#[test]
fn concat_joins_channels_pixel_by_pixel() {
    let shape = Shape::new(1, 2, 2);
    let split = layer(&[0], Operator::Split { first: 1, channels: 1 }, Shape::new(1, 2, 1));
    let concat = layer(&[1, 0], Operator::Concat, Shape::new(1, 2, 3));
    let tensors = run_codes(shape, &[1, 2, 3, 4], vec![split, concat]);
    assert_eq!(tensors[2], [2, 1, 2, 4, 3, 4]);
}

#[test]
fn a_picture_of_another_size_is_refused() {
    let shape = Shape::new(1, 2, 1);
    let rescale = layer(&[0], Operator::Rescale { multiplier: 2, requantize: WIDE }, shape);
    let network = Network::new(Description {
        name: "test".to_owned(),
        digits: Digits::Csd,
        scale_bits: 16,
        input: signed_input(shape),
        layers: vec![Layer { name: "only".to_owned(), ..rescale }],
        provenance: Provenance::default(),
    })
    .unwrap();
    let error = run(&network, &[1, 2, 3]).unwrap_err().to_string();
    assert_eq!(error, "picture: the number of pixel values must be 2 (1×2×1), got 3");
}
