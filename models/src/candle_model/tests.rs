use tridot_sim::network::{
    Description, Digits, Dot, DotOutput, Geometry, Provenance, Sign, TensorType, Weights,
};

use super::*;

fn codes_8_bit(shape: Shape) -> TensorType {
    TensorType { shape, bits: 8, sign: Sign::Signed, scale: 1.0 }
}

/// A network whose input codes are the pixels minus 128, and one layer after another.
fn network(input: Shape, digits: Digits, layers: Vec<(Operator, Vec<usize>, Shape)>) -> Network {
    let mut table = [0; 256];
    for (code, pixel) in table.iter_mut().zip(-128..) {
        *code = pixel;
    }
    let layer = |(i, (operator, inputs, shape)): (usize, (Operator, Vec<usize>, Shape))| {
        let raw = matches!(&operator, Operator::Dot(Dot { output: DotOutput::Raw, .. }));
        let output = TensorType { bits: if raw { 48 } else { 8 }, ..codes_8_bit(shape) };
        let inputs = inputs.into_iter().map(TensorId).collect();
        Layer { name: format!("layer{i}"), inputs, operator, output }
    };
    Network::new(Description {
        name: "hand".to_owned(),
        digits,
        scale_bits: 16,
        input: Input { tensor: codes_8_bit(input), tables: vec![table; input.channels] },
        layers: layers.into_iter().enumerate().map(layer).collect(),
        provenance: Provenance::default(),
    })
    .unwrap()
}

/// The tensors of some input codes, one list after another.
fn tensors(network: &Network, codes: &[i64]) -> Vec<Vec<i64>> {
    let pixels: Vec<u8> = codes.iter().map(|code| u8::try_from(code + 128).unwrap()).collect();
    let n = codes.len() / network.input.tensor.shape.elements();
    let tensors = run(network, &pixels, n).unwrap();
    assert_eq!(tensors[0], codes);
    tensors
}

/// What one layer of one input makes of some input codes.
fn output(operator: Operator, input: Shape, output: Shape, codes: &[i64]) -> Vec<i64> {
    let network = network(input, Digits::Csd, vec![(operator, vec![0], output)]);
    tensors(&network, codes).swap_remove(1)
}

/// `(y + 1) >> 1`, to 8 bits.
const HALVE: Requantize = Requantize { shift: 1, low: -128, high: 127 };

fn code(trits: &[i8]) -> u8 {
    trits.iter().rev().fold(0, |code, &trit| 3 * code + (trit + 1).cast_unsigned())
}

#[test]
fn rounding_is_half_up_and_clamps() {
    let halves: Vec<i64> = vec![-128, -5, -3, -2, -1, 0, 1, 2, 3, 127];
    let rescale = |multiplier, requantize| {
        let shape = Shape::new(1, 10, 1);
        output(Operator::Rescale { multiplier, requantize }, shape, shape, &halves)
    };
    // −5/2 = −2.5 becomes −2, −0.5 becomes 0, 0.5 becomes 1.
    assert_eq!(rescale(1, HALVE), [-64, -2, -1, -1, 0, 0, 1, 1, 2, 64]);
    assert_eq!(rescale(-1, HALVE), [64, 3, 2, 1, 1, 0, 0, -1, -1, -63]);
    let clamped = Requantize { low: -1, high: 3, ..HALVE };
    assert_eq!(rescale(4, clamped), [-1, -1, -1, -1, -1, 0, 2, 3, 3, 3]);
    // −128·2^14 at shift 40 is −1.9·10^(−6): nothing is left, not even −1.
    let deep = Requantize { shift: 40, ..HALVE };
    assert_eq!(rescale(1 << 14, deep), [0; 10]);
}

#[test]
fn a_convolution_with_four_pads_and_two_strides() {
    // 2×3 pixels, kernel 2×2, one row above, one column right, strides 1 down and 2 across:
    //   0 0 0 0        output (0, 0): rows 0–1, columns 0–1;  (0, 1): columns 2–3
    //   1 2 3 0
    //   4 5 6 0
    let window = Window { kernel_height: 2, kernel_width: 2, stride_height: 1, stride_width: 2 };
    let pads = Pads { top: 1, right: 1, ..Pads::default() };
    // Branch 0: + 0 / 0 −; branch 1: 0 + / + +.
    let codes = [[1, 0], [0, 1], [0, 1], [-1, 1]].map(|trits| code(&trits)).to_vec();
    let dot = Dot {
        geometry: Geometry::Convolution { window, pads },
        weights: Weights::Dbq { branches: 2, codes },
        multipliers: vec![10, -4],
        bias: vec![3],
        output: DotOutput::Requantize(HALVE),
    };
    // acc_0: 0 − 2, 0 − 0, 1 − 5, 3 − 0;  acc_1: 0+1+2, 0+3+0, 2+4+5, 0+6+0.
    // y: −20−12+3 = −29, −12+3 = −9, −40−44+3 = −81, 30−24+3 = 9; halves −14.5, −4.5, −40.5, 4.5.
    let (input, wanted) = (Shape::new(2, 3, 1), Shape::new(2, 2, 1));
    let got = output(Operator::Dot(dot), input, wanted, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(got, [-14, -4, -40, 5]);
}

#[test]
fn a_depthwise_layer_of_integers_in_both_digit_forms() {
    // Channel 0: 7·left + (−3)·right; channel 1: −127·left + 90·right; two pictures of 1×3 pixels.
    let dot = Dot {
        geometry: Geometry::Depthwise {
            window: Window { kernel_width: 2, ..Window::square(1, 1) },
            pads: Pads::default(),
        },
        weights: Weights::Fixed { bits: 8, values: vec![7, -3, -127, 90] },
        multipliers: vec![1, 2],
        bias: vec![1, -1000],
        output: DotOutput::Raw,
    };
    let (input, shape) = (Shape::new(1, 3, 2), Shape::new(1, 2, 2));
    for digits in [Digits::Csd, Digits::SignMagnitude] {
        let layers = vec![(Operator::Dot(dot.clone()), vec![0], shape)];
        let network = network(input, digits, layers);
        let got = tensors(&network, &[1, 2, 3, 4, 5, 6, -128, 127, 0, 0, 10, -100]);
        // 7 − 9 + 1; 2·(−254 + 360) − 1000; 21 − 15 + 1; 2·(−508 + 540) − 1000;
        // −896 + 1; 2·(−16129) − 1000; −30 + 1; 2·(−9000) − 1000.
        assert_eq!(got[1], [-1, -788, 7, -936, -895, -33258, -29, -19000]);
    }
}

#[test]
fn a_linear_layer_reads_the_picture_in_order() {
    let dot = Dot {
        geometry: Geometry::Linear,
        weights: Weights::Fixed { bits: 16, values: vec![1, 10, 100, 1000, -32767, 0, 0, 32767] },
        multipliers: vec![1, 3],
        bias: vec![0, 5],
        output: DotOutput::Raw,
    };
    let shapes = (Shape::new(1, 2, 2), Shape::new(1, 1, 2));
    // 1 + 20 + 300 + 4000; 3·32767·(4 − 1) + 5.
    assert_eq!(output(Operator::Dot(dot), shapes.0, shapes.1, &[1, 2, 3, 4]), [4321, 294_908]);
}

#[test]
fn long_dot_products_stay_exact() {
    // 255·K reaches 2^24 from K = 65,794 on; −128·70,000 times 1 and 32767.
    let channels = 70;
    let input = Shape::new(25, 40, channels);
    let fan_in = input.elements();
    let mut values = vec![1; fan_in];
    values[fan_in - 1] = 2;
    let dot = Dot {
        geometry: Geometry::Linear,
        weights: Weights::Fixed { bits: 8, values },
        multipliers: vec![32767],
        bias: vec![1],
        output: DotOutput::Raw,
    };
    let got = output(Operator::Dot(dot), input, Shape::new(1, 1, 1), &vec![-127; fan_in]);
    assert_eq!(got, [-127 * 70_001 * 32767 + 1]);
}

#[test]
fn pooling_counts_or_ignores() {
    let input = Shape::new(2, 2, 1);
    // Padded taps are no zeros: the largest of negative codes is negative.
    let max = Operator::MaxPool { window: Window::square(2, 1), pads: Pads::all(1) };
    let got = output(max, input, Shape::new(3, 3, 1), &[-4, -3, -2, -1]);
    assert_eq!(got, [-4, -3, -3, -2, -1, -1, -2, -1, -1]);
    let average = |multiplier| Operator::AveragePool {
        window: Window::square(2, 1),
        multiplier,
        requantize: Requantize { shift: 2, low: -128, high: 127 },
    };
    // (−10 + 2) >> 2 = −2; (20 + 2) >> 2 = 5.
    assert_eq!(output(average(1), input, Shape::new(1, 1, 1), &[-4, -3, -2, -1]), [-2]);
    assert_eq!(output(average(-2), input, Shape::new(1, 1, 1), &[-4, -3, -2, -1]), [5]);
}

#[test]
fn moves_change_nothing() {
    let input = Shape::new(1, 1, 6);
    let codes = [10, 11, 12, 13, 14, 15];
    // Output i·2 + j is input j·3 + i.
    let shuffled = output(Operator::Shuffle { groups: 2 }, input, input, &codes);
    assert_eq!(shuffled, [10, 13, 11, 14, 12, 15]);
    let split = Operator::Split { first: 2, channels: 3 };
    assert_eq!(output(split, input, Shape::new(1, 1, 3), &codes), [12, 13, 14]);
    let padded = Operator::ChannelPad { before: 1, after: 2 };
    let wanted = [0, 10, 11, 12, 13, 14, 15, 0, 0];
    assert_eq!(output(padded, input, Shape::new(1, 1, 9), &codes), wanted);
    let subsampled = Operator::Subsample { stride_height: 2, stride_width: 3 };
    let shapes = (Shape::new(3, 4, 1), Shape::new(2, 2, 1));
    let codes: Vec<i64> = (0..12).collect();
    assert_eq!(output(subsampled, shapes.0, shapes.1, &codes), [0, 3, 8, 11]);
}

#[test]
fn adds_and_concatenations_take_their_inputs_in_order() {
    let (pair, single) = (Shape::new(1, 1, 2), Shape::new(1, 1, 1));
    let layers = vec![
        (Operator::Split { first: 1, channels: 1 }, vec![0], single),
        (Operator::Split { first: 0, channels: 1 }, vec![0], single),
        (Operator::Concat, vec![1, 2], pair),
        (Operator::Add { multipliers: [1, -10], requantize: HALVE }, vec![3, 0], pair),
    ];
    // Two pictures: (5, −2) becomes (−2, 5), and −2 − 50 and 5 + 20 are halved.
    let got = tensors(&network(pair, Digits::Csd, layers), &[5, -2, 0, 7]);
    assert_eq!(got[3], [-2, 5, 7, 0]);
    assert_eq!(got[4], [-26, 13, 4, -35]);
}

#[test]
fn pictures_of_another_size_are_refused_and_none_are_fine() {
    let shape = Shape::new(1, 1, 2);
    let layers = vec![(Operator::Shuffle { groups: 1 }, vec![0], shape)];
    let network = network(shape, Digits::Csd, layers);
    assert_eq!(run(&network, &[], 0).unwrap(), vec![Vec::<i64>::new(); 2]);
    assert_eq!(
        run(&network, &[1, 2, 3], 2).unwrap_err().to_string(),
        "pictures: the pixel values must be 2 pictures of 1×1×2, got 3"
    );
}
