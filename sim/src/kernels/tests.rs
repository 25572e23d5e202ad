//! Every backend against plain sums written here, over random single layers.
#![expect(clippy::cast_possible_wrap, reason = "test layers are small")]

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::network::{
    Description, Digits, Dot, Geometry, Input, Pads, Provenance, Requantize, Shape, TensorType,
    Weights, Window,
};

/// Small numbers from a seed (a linear congruential generator: nothing here depends on its quality).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, low: i64, high: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + i64::try_from((self.0 >> 33) % (high - low + 1).unsigned_abs()).unwrap()
    }

    fn size(&mut self, low: usize, high: usize) -> usize {
        usize::try_from(self.roll(low as i64, high as i64)).unwrap()
    }
}

fn tensor(shape: Shape, bits: u32, sign: Sign) -> TensorType {
    TensorType { shape, bits, sign, scale: 1.0 }
}

fn limits(tensor: &TensorType) -> (i64, i64) {
    match tensor.sign {
        Sign::Unsigned => (0, (1 << tensor.bits) - 1),
        Sign::Signed => (-(1 << (tensor.bits - 1)), (1 << (tensor.bits - 1)) - 1),
    }
}

fn random_type(dice: &mut Dice, shape: Shape) -> TensorType {
    if dice.roll(0, 1) == 0 {
        tensor(shape, u32::try_from(dice.roll(1, 8)).unwrap(), Sign::Unsigned)
    } else {
        tensor(shape, u32::try_from(dice.roll(2, 8)).unwrap(), Sign::Signed)
    }
}

/// A shift, and a clamp inside the tensor's codes.
fn requantize(dice: &mut Dice, output: &TensorType, shifts: (i64, i64)) -> Requantize {
    let (low, high) = limits(output);
    let shift = u32::try_from(dice.roll(shifts.0, shifts.1)).unwrap();
    let (low, high) =
        if dice.roll(0, 3) == 0 { (dice.roll(low, 0), dice.roll(0, high)) } else { (low, high) };
    Requantize { shift, low: i32::try_from(low).unwrap(), high: i32::try_from(high).unwrap() }
}

fn network(input: TensorType, layers: Vec<Layer>, dice: &mut Dice) -> Network {
    let (low, high) = limits(&input);
    let channels = input.shape.channels;
    let mut table = || std::array::from_fn(|_| i16::try_from(dice.roll(low, high)).unwrap());
    let tables = (0..channels).map(|_| table()).collect();
    Network::new(Description {
        name: "test".into(),
        digits: Digits::Csd,
        scale_bits: 18,
        input: Input { tensor: input, tables },
        layers,
        provenance: Provenance::default(),
    })
    .unwrap()
}

fn layer(inputs: &[usize], operator: Operator, output: TensorType) -> Layer {
    let inputs = inputs.iter().map(|&id| TensorId(id)).collect();
    Layer { name: "layer".into(), inputs, operator, output }
}

fn end(y: i64, requantize: Requantize) -> i64 {
    let half = 1_i64 << (requantize.shift - 1);
    ((y + half) >> requantize.shift).clamp(requantize.low.into(), requantize.high.into())
}

/// One code of a tensor, 0 outside it.
fn code(codes: &[i64], shape: Shape, row: i64, column: i64, channel: usize) -> Option<i64> {
    let inside =
        (0..shape.height as i64).contains(&row) && (0..shape.width as i64).contains(&column);
    inside.then(|| {
        let pixel = usize::try_from(row).unwrap() * shape.width + usize::try_from(column).unwrap();
        codes[pixel * shape.channels + channel]
    })
}

/// The taps under the window of an output pixel, as (row, column).
fn taps(window: Window, pads: Pads, pixel: usize, width: usize) -> Vec<(i64, i64)> {
    let top = (pixel / width * window.stride_height) as i64 - pads.top as i64;
    let left = (pixel % width * window.stride_width) as i64 - pads.left as i64;
    let columns =
        |row| (0..window.kernel_width as i64).map(move |column| (top + row, left + column));
    (0..window.kernel_height as i64).flat_map(columns).collect()
}

/// A dot-product layer by its definition: real weights in place of planes, y in i128.
fn plain_dot(dot: &Dot, input: &[i64], from: Shape, to: Shape) -> Vec<i64> {
    let fan_in = dot.geometry.fan_in(from);
    let mut out = Vec::new();
    for pixel in 0..to.pixels() {
        for channel in 0..to.channels {
            let x: Vec<i64> = match dot.geometry {
                Geometry::Linear => input.to_vec(),
                Geometry::Convolution { window, pads } => taps(window, pads, pixel, to.width)
                    .into_iter()
                    .flat_map(|(row, column)| {
                        (0..from.channels)
                            .map(move |c| code(input, from, row, column, c).unwrap_or(0))
                    })
                    .collect(),
                Geometry::Depthwise { window, pads } => taps(window, pads, pixel, to.width)
                    .into_iter()
                    .map(|(row, column)| code(input, from, row, column, channel).unwrap_or(0))
                    .collect(),
            };
            let mut y = i128::from(dot.bias[channel]);
            for (k, &x) in x.iter().enumerate() {
                let idx = channel * fan_in + k;
                let coefficient: i64 = match &dot.weights {
                    Weights::Fixed { values, .. } => {
                        i64::from(values[idx]) * i64::from(dot.multipliers[channel])
                    }
                    Weights::Dbq { branches, .. } => (0..*branches)
                        .map(|j| {
                            let m = dot.multipliers[channel * *branches as usize + j as usize];
                            i64::from(m) * i64::from(dot.weights.trit(j, idx, Digits::Csd))
                        })
                        .sum(),
                };
                y += i128::from(coefficient) * i128::from(x);
            }
            let y = i64::try_from(y).unwrap();
            out.push(match dot.output {
                DotOutput::Raw => y,
                DotOutput::Requantize(requantize) => end(y, requantize),
            });
        }
    }
    out
}

fn pixels_of(dice: &mut Dice, shape: Shape) -> Vec<u8> {
    (0..shape.elements()).map(|_| u8::try_from(dice.roll(0, 255)).unwrap()).collect()
}

/// Asserts that every backend's last tensor is this function of the input's codes.
fn assert_output(network: &Network, dice: &mut Dice, plain: impl Fn(&[Vec<i64>]) -> Vec<i64>) {
    for backend in Backend::available() {
        let prepared = Prepared::new(network, backend).unwrap();
        let mut scratch = Scratch::new(&prepared);
        for _ in 0..2 {
            let pixels = pixels_of(dice, network.input.tensor.shape);
            let tensors = prepared.tensors(&mut scratch, &pixels).unwrap();
            let channels = network.input.tables.len();
            let codes: Vec<i64> = (0..pixels.len())
                .map(|i| network.input.tables[i % channels][usize::from(pixels[i])].into())
                .collect();
            assert_eq!(tensors[0], codes, "{backend}, input");
            assert_eq!(*tensors.last().unwrap(), plain(&tensors), "{backend}");
            assert_eq!(prepared.run(&mut scratch, &pixels).unwrap(), tensors.last().unwrap());
        }
    }
}

fn for_random_seeds(cases: u32, test: impl Fn(&mut Dice)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&any::<u64>(), |seed| {
            test(&mut Dice(seed));
            Ok(())
        })
        .unwrap();
}

fn random_window(dice: &mut Dice, input: Shape) -> (Window, Pads, usize, usize) {
    let side = |dice: &mut Dice, size: usize| {
        let kernel = dice.size(1, 4);
        let (mut before, after) = (dice.size(0, kernel - 1), dice.size(0, kernel - 1));
        if before + size + after < kernel {
            before = kernel - 1;
        }
        let kernel = kernel.min(before + size + after);
        let stride = dice.size(1, 3);
        (kernel, stride, before.min(kernel - 1), after.min(kernel - 1))
    };
    let (kernel_height, stride_height, top, bottom) = side(dice, input.height);
    let (kernel_width, stride_width, left, right) = side(dice, input.width);
    let window = Window { kernel_height, kernel_width, stride_height, stride_width };
    let height = (top + input.height + bottom - kernel_height) / stride_height + 1;
    let width = (left + input.width + right - kernel_width) / stride_width + 1;
    (window, Pads { top, left, bottom, right }, height, width)
}

fn random_weights(dice: &mut Dice, count: usize, bits: (i64, i64)) -> Weights {
    if dice.roll(0, 2) != 0 {
        let branches = u32::try_from(dice.roll(1, 5)).unwrap();
        let top = 3_i64.pow(branches) - 1;
        let codes = (0..count).map(|_| u8::try_from(dice.roll(0, top)).unwrap()).collect();
        return Weights::Dbq { branches, codes };
    }
    let bits = u32::try_from(dice.roll(bits.0, bits.1)).unwrap();
    let top = (1 << (bits - 1)) - 1;
    let values = (0..count).map(|_| i16::try_from(dice.roll(-top, top)).unwrap()).collect();
    Weights::Fixed { bits, values }
}

fn random_dot(dice: &mut Dice, input: &TensorType, depthwise: bool) -> Layer {
    let from = input.shape;
    let channels = if depthwise { from.channels } else { dice.size(1, 40) };
    let (geometry, to) = if !depthwise && dice.roll(0, 3) == 0 {
        (Geometry::Linear, Shape::new(1, 1, channels))
    } else {
        let (window, pads, height, width) = random_window(dice, from);
        let geometry = if depthwise {
            Geometry::Depthwise { window, pads }
        } else {
            Geometry::Convolution { window, pads }
        };
        (geometry, Shape::new(height, width, channels))
    };
    let weights = random_weights(dice, channels * geometry.fan_in(from), (2, 16));
    let scale_bits = dice.roll(2, 18);
    let most = 1 << (scale_bits - 1);
    let multipliers = (0..channels * weights.multipliers_per_channel())
        .map(|_| i32::try_from(dice.roll(-most, most - 1)).unwrap())
        .collect();
    let bias = (0..channels).map(|_| dice.roll(-1 << 30, 1 << 30)).collect();
    let raw = dice.roll(0, 3) == 0;
    let output = if raw { tensor(to, 48, Sign::Signed) } else { random_type(dice, to) };
    let end = if raw {
        DotOutput::Raw
    } else {
        let shifts = if dice.roll(0, 1) == 0 { (1, 40) } else { (scale_bits, scale_bits + 8) };
        DotOutput::Requantize(requantize(dice, &output, shifts))
    };
    let dot = Dot { geometry, weights, multipliers, bias, output: end };
    layer(&[0], Operator::Dot(dot), output)
}

/// The other tests run every backend of this machine; this one says which those are.
#[test]
fn backends_that_this_machine_lacks_are_named_and_refused() {
    let input = tensor(Shape::new(1, 1, 1), 8, Sign::Unsigned);
    let requantize = Requantize { shift: 1, low: 0, high: 255 };
    let rescale = Operator::Rescale { multiplier: 2, requantize };
    let network = network(input, vec![layer(&[0], rescale, input)], &mut Dice(0));
    for backend in Backend::ALL {
        let prepared = Prepared::new(&network, backend);
        assert_eq!(prepared.is_ok(), Backend::available().contains(&backend));
        if prepared.is_err() {
            println!("skipped: this machine cannot run the kernels of {backend}");
        }
    }
    assert_eq!(Backend::available()[0], Backend::best());
}

#[test]
fn dot_products_equal_plain_sums() {
    for_random_seeds(300, |dice| {
        let shape = Shape::new(dice.size(1, 9), dice.size(1, 9), dice.size(1, 24));
        let input = random_type(dice, shape);
        let depthwise = dice.roll(0, 2) == 0;
        let layer = random_dot(dice, &input, depthwise);
        let dot = layer.dot().unwrap().clone();
        let to = layer.output.shape;
        let network = network(input, vec![layer], dice);
        assert_output(&network, dice, |tensors| plain_dot(&dot, &tensors[0], shape, to));
    });
}

/// A linear layer over a picture of this many values, all weights and codes at the ends of their ranges.
fn extreme(fan_in: usize, weight: i16, code: i16, input: (u32, Sign)) {
    let height = if fan_in.is_multiple_of(1000) { 1000 } else { 1 };
    let input = tensor(Shape::new(height, fan_in / height, 1), input.0, input.1);
    let to = Shape::new(1, 1, 9);
    let values = vec![weight; 9 * fan_in];
    let geometry = Geometry::Linear;
    let weights = Weights::Fixed { bits: 16, values };
    let dot = Dot {
        geometry,
        weights,
        multipliers: vec![1; 9],
        bias: vec![-5; 9],
        output: DotOutput::Raw,
    };
    let layer = layer(&[0], Operator::Dot(dot), tensor(to, 48, Sign::Signed));
    let mut description = network(input, vec![layer], &mut Dice(0)).into_description();
    description.input.tables = vec![[code; 256]];
    let network = Network::new(description).unwrap();
    let y = fan_in as i64 * i64::from(weight) * i64::from(code) - 5;
    assert_output(&network, &mut Dice(1), |_| vec![y; 9]);
}

#[test]
fn sums_beyond_32_bits_are_exact() {
    // 257 · 32767 · 255 just fits, 258 does not, nor does low byte 127 after 70,000 codes.
    for fan_in in [257, 258, 5000, 70_000] {
        for weight in [i16::MAX, -i16::MAX, 0x7e7f] {
            extreme(fan_in, weight, 255, (8, Sign::Unsigned));
            extreme(fan_in, weight, -128, (8, Sign::Signed));
        }
    }
}

#[test]
fn sums_of_bytes_are_widened_in_time() {
    // Two products of weight 1 and code 255 fill a 16-bit sum after 64 steps of 4 codes: 256 and 257 codes.
    for fan_in in [255, 256, 257, 260, 511, 512, 513, 1025] {
        for weight in [1, -1, 2, -2, 7] {
            extreme(fan_in, weight, 255, (8, Sign::Unsigned));
            extreme(fan_in, weight, 127, (8, Sign::Signed));
            extreme(fan_in, weight, -128, (8, Sign::Signed));
        }
    }
}

#[test]
fn the_vector_unit_equals_its_definition() {
    for_random_seeds(200, |dice| {
        let shape = Shape::new(dice.size(1, 7), dice.size(1, 7), dice.size(1, 80));
        let input = random_type(dice, shape);
        let output = random_type(dice, shape);
        let requantize = requantize(dice, &output, (1, 40));
        let [a, b] = [0; 2].map(|_| i32::try_from(dice.roll(-1 << 17, (1 << 17) - 1)).unwrap());
        let rescale = Operator::Rescale { multiplier: a, requantize };
        let other = Layer { name: "other".into(), ..layer(&[0], rescale, output) };
        let add = Operator::Add { multipliers: [a, b], requantize };
        let layers = vec![other, layer(&[0, 1], add, output)];
        let network = network(input, layers, dice);
        assert_output(&network, dice, |tensors| {
            let rescaled: Vec<_> =
                tensors[0].iter().map(|x| end(x * i64::from(a), requantize)).collect();
            assert_eq!(tensors[1], rescaled);
            let sum = |(x, z): (&i64, &i64)| end(x * i64::from(a) + z * i64::from(b), requantize);
            tensors[0].iter().zip(&tensors[1]).map(sum).collect()
        });
    });
}

#[test]
fn pools_equal_their_definition() {
    for_random_seeds(200, |dice| {
        let shape = Shape::new(dice.size(1, 9), dice.size(1, 9), dice.size(1, 80));
        let input = random_type(dice, shape);
        let (window, pads, height, width) = random_window(dice, shape);
        let to = Shape { height, width, ..shape };
        let average = pads == Pads::default();
        let (operator, output) = if average {
            let output = random_type(dice, to);
            let requantize = requantize(dice, &output, (1, 40));
            let multiplier = i32::try_from(dice.roll(-1 << 17, (1 << 17) - 1)).unwrap();
            (Operator::AveragePool { window, multiplier, requantize }, output)
        } else {
            (Operator::MaxPool { window, pads }, TensorType { shape: to, ..input })
        };
        let network = network(input, vec![layer(&[0], operator.clone(), output)], dice);
        assert_output(&network, dice, |tensors| {
            let mut out = Vec::new();
            for pixel in 0..to.pixels() {
                for c in 0..to.channels {
                    let taps = taps(window, pads, pixel, width).into_iter();
                    let mut codes = taps.filter_map(|(y, x)| code(&tensors[0], shape, y, x, c));
                    out.push(
                        if let Operator::AveragePool { multiplier, requantize, .. } = operator {
                            end(codes.sum::<i64>() * i64::from(multiplier), requantize)
                        } else {
                            codes.by_ref().max().unwrap()
                        },
                    );
                }
            }
            out
        });
    });
}

#[test]
fn moves_put_every_code_where_it_belongs() {
    for_random_seeds(100, |dice| {
        let (groups, per_group) = (dice.size(1, 4), dice.size(1, 9));
        let channels = groups * per_group;
        let shape = Shape::new(dice.size(1, 7), dice.size(1, 7), channels);
        let input = random_type(dice, shape);
        let of = |shape: Shape| TensorType { shape, ..input };
        let with = |channels: usize| Shape { channels, ..shape };
        let count = dice.size(1, channels);
        let first = dice.size(0, channels - count);
        let (before, after) = (dice.size(0, 3), dice.size(0, 3));
        let (stride_height, stride_width) = (dice.size(1, 3), dice.size(1, 3));
        let all = 2 * channels + count;
        let padded = before + all + after;
        let (height, width) =
            (shape.height.div_ceil(stride_height), shape.width.div_ceil(stride_width));
        let operators = vec![
            (vec![0], Operator::Shuffle { groups }, shape),
            (vec![0], Operator::Split { first, channels: count }, with(count)),
            (vec![0, 2, 1], Operator::Concat, with(all)),
            (vec![3], Operator::ChannelPad { before, after }, with(padded)),
            (
                vec![4],
                Operator::Subsample { stride_height, stride_width },
                Shape::new(height, width, padded),
            ),
        ];
        let layers = operators.into_iter().enumerate().map(|(i, (inputs, operator, shape))| {
            Layer { name: format!("layer {i}"), ..layer(&inputs, operator, of(shape)) }
        });
        let network = network(input, layers.collect(), dice);
        assert_output(&network, dice, |tensors| {
            let mut out = Vec::new();
            for pixel in 0..height * width {
                let row = pixel / width * stride_height;
                let from = row * shape.width + pixel % width * stride_width;
                let pixel = &tensors[0][from * channels..][..channels];
                out.extend(vec![0; before]);
                out.extend(pixel);
                out.extend(&pixel[first..first + count]);
                // Channel shuffle reads the channels as a matrix of groups and transposes it.
                out.extend((0..channels).map(|c| pixel[c % groups * per_group + c / groups]));
                out.extend(vec![0; after]);
            }
            out
        });
    });
}

#[test]
fn wrong_pictures_and_foreign_buffers_are_refused() {
    let small = |width: usize| {
        let input = tensor(Shape::new(1, width, 1), 8, Sign::Unsigned);
        let requantize = Requantize { shift: 1, low: 0, high: 255 };
        let rescale = Operator::Rescale { multiplier: 2, requantize };
        let layers = vec![layer(&[0], rescale, input)];
        Prepared::new(&network(input, layers, &mut Dice(0)), Backend::Portable).unwrap()
    };
    let (prepared, other) = (small(3), small(4));
    let mut scratch = Scratch::new(&prepared);
    let error = prepared.run(&mut scratch, &[0; 4]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "picture: the number of values must be 3 (one a pixel and channel), got 4"
    );
    let error = prepared.run(&mut Scratch::new(&other), &[0; 3]).unwrap_err();
    assert_eq!(error.to_string(), "kernels: the scratch was made for another network");
}
