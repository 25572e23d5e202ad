//! Random networks: every operator, scheme and odd size, small enough to run in a millisecond.
//!
//! A network grows by units, each of which reads the latest tensor and makes a new latest one, so that
//! every tensor is read. Multipliers and shifts are chosen from estimates of y, so that codes spread.

use tridot_sim::network::{
    Accuracy, Description, Digits, Geometry, Input, Layer, Network, Operator, Pads, Provenance,
    Requantize, Shape, Sign, TensorId, TensorType, Window,
};

use crate::random::Random;

mod dot;
mod histogram;

/// Ternary products of one picture that a layer may ask for.
const MAX_PRODUCTS: usize = 400_000;

/// The network of a seed.
pub(crate) fn network(seed: u64) -> Network {
    let mut random = Random::new(seed, 0);
    let shape = input_shape(&mut random);
    let tensor = activation(&mut random, shape);
    let tables = (0..shape.channels).map(|_| table(&mut random, &tensor)).collect();
    let network = Description {
        name: format!("random{seed}"),
        digits: *random.pick(&[Digits::Csd, Digits::SignMagnitude]),
        scale_bits: u32::try_from(random.size(2, 18)).unwrap(),
        input: Input { tensor, tables },
        layers: Vec::new(),
        provenance: provenance(seed, shape.channels),
    };
    let mut grower = Grower { random, network };
    for _ in 0..grower.random.size(1, 4) {
        grower.unit();
    }
    if grower.random.percent(60) || grower.network.layers.is_empty() {
        grower.last_dot();
    }
    Network::new(grower.network)
        .unwrap_or_else(|error| panic!("seed {seed}: the generator made a bad network: {error}"))
}

/// Texts that need escapes, and numbers of many digits.
fn provenance(seed: u64, channels: usize) -> Provenance {
    Provenance {
        data: Some("\"noise\"".to_owned()),
        seed,
        plan: "format = 1\n# ä\n".to_owned(),
        mean: (0..channels).map(|channel| channel as f64 / 7.0).collect(),
        std: (0..channels).map(|channel| 1.0 / (channel as f64 + 3.0)).collect(),
        integer_accuracy: Some(Accuracy { samples: 10, correct: 9 }),
        ..Provenance::default()
    }
}

/// A picture for a network: noise, or flat with some noise.
pub(crate) fn picture(network: &Network, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed, 1);
    let noisy = if random.percent(70) { 100 } else { 20 };
    let flat = random.byte();
    let pixels = network.input.tensor.shape.elements();
    (0..pixels).map(|_| if random.percent(noisy) { random.byte() } else { flat }).collect()
}

fn input_shape(random: &mut Random) -> Shape {
    match random.below(4) {
        0 => Shape::new(1, 1, random.size(1, 150)),
        1 => Shape::new(random.size(1, 3), random.size(1, 3), random.size(1, 40)),
        _ => {
            Shape::new(random.size(2, 11), random.size(2, 11), *random.pick(&[1, 2, 3, 3, 4, 5, 7]))
        }
    }
}

fn activation(random: &mut Random, shape: Shape) -> TensorType {
    let signed = random.percent(40);
    let bits = if random.percent(30) { 8 } else { random.size(1 + usize::from(signed), 8) };
    TensorType {
        shape,
        bits: u32::try_from(bits).unwrap(),
        sign: if signed { Sign::Signed } else { Sign::Unsigned },
        scale: random.between(1, 1_000_000) as f64 / 3e5,
    }
}

fn code_limits(tensor: &TensorType) -> (i32, i32) {
    match tensor.sign {
        Sign::Unsigned => (0, (1 << tensor.bits) - 1),
        Sign::Signed => (-(1 << (tensor.bits - 1)), (1 << (tensor.bits - 1)) - 1),
    }
}

/// Codes that rise with the pixel, or any codes at all.
fn table(random: &mut Random, tensor: &TensorType) -> [i16; 256] {
    let (low, high) = code_limits(tensor);
    let any = random.percent(30);
    std::array::from_fn(|pixel| {
        let pixel = i64::try_from(pixel).unwrap();
        let rising = i64::from(low) + i64::from(high - low) * pixel / 255;
        let code = if any { random.between(low.into(), high.into()) } else { rising };
        i16::try_from(code).unwrap()
    })
}

/// A network that grows.
struct Grower {
    random: Random,
    network: Description,
}

impl Grower {
    fn latest(&self) -> TensorId {
        TensorId(self.network.layers.len())
    }

    fn tensor(&self, id: TensorId) -> TensorType {
        *self.network.tensor(id)
    }

    fn push(&mut self, inputs: &[TensorId], operator: Operator, output: TensorType) -> TensorId {
        let number = self.network.layers.len();
        // Some names look like names of tensors in a file.
        let name = match number % 3 {
            0 => format!("{number}.codes"),
            1 => format!("layer {number}"),
            _ => format!("{number}é.bias"),
        };
        self.network.layers.push(Layer { name, inputs: inputs.to_vec(), operator, output });
        self.latest()
    }

    fn unit(&mut self) {
        match self.random.below(13) {
            0..=3 => {
                let geometry = self.geometry(self.tensor(self.latest()).shape);
                self.dot(self.latest(), geometry, None);
            }
            4 => self.residual(),
            5 => self.branches(),
            6 => self.shortcut(),
            7 => self.max_pool(),
            8 => self.average_pool(),
            9 => {
                let shape = self.tensor(self.latest()).shape;
                let output = activation(&mut self.random, shape);
                self.rescale(self.latest(), output);
            }
            10 => self.shuffle(),
            11 => self.joined(),
            _ => {
                let tensor = self.tensor(self.latest());
                let (before, after) = (self.random.below(4), self.random.below(4));
                let channels = before + tensor.shape.channels + after;
                let output = with_channels(tensor, channels);
                self.push(&[self.latest()], Operator::ChannelPad { before, after }, output);
            }
        }
    }

    /// Same shape, then added.
    fn residual(&mut self) {
        let input = self.latest();
        let tensor = self.tensor(input);
        let window = Window::square(*self.random.pick(&[1, 3]), 1);
        let pads = Pads::all(window.kernel_height / 2);
        let geometry = if self.random.percent(50) {
            Geometry::Depthwise { window, pads }
        } else {
            Geometry::Convolution { window, pads }
        };
        let output = activation(&mut self.random, tensor.shape);
        let other = self.dot(input, geometry, Some(output));
        self.add(input, other);
    }

    /// The channels split in two or three, some of the pieces worked on, joined, shuffled.
    fn branches(&mut self) {
        let input = self.latest();
        let tensor = self.tensor(input);
        if tensor.shape.channels == 1 {
            return self.joined();
        }
        let mut pieces = Vec::new();
        let mut first = 0;
        while first < tensor.shape.channels {
            let channels = self.random.size(1, tensor.shape.channels - first);
            let channels = if pieces.len() == 2 { tensor.shape.channels - first } else { channels };
            let output = with_channels(tensor, channels);
            pieces.push(self.push(&[input], Operator::Split { first, channels }, output));
            first += channels;
        }
        let worked = self.random.below(pieces.len());
        let output = self.tensor(pieces[worked]);
        let geometry =
            Geometry::Convolution { window: Window::square(1, 1), pads: Pads::default() };
        pieces[worked] = self.dot(pieces[worked], geometry, Some(output));
        if pieces.len() == 1 {
            return;
        }
        pieces.reverse();
        self.push(&pieces, Operator::Concat, tensor);
        if self.random.percent(70) {
            self.shuffle();
        }
    }

    /// A strided convolution beside subsampling and channel padding, then added.
    fn shortcut(&mut self) {
        let input = self.latest();
        let tensor = self.tensor(input);
        let (stride_height, stride_width) = (self.random.size(1, 3), self.random.size(1, 3));
        let height = tensor.shape.height.div_ceil(stride_height);
        let width = tensor.shape.width.div_ceil(stride_width);
        let subsampled = TensorType { shape: Shape { height, width, ..tensor.shape }, ..tensor };
        let subsample = Operator::Subsample { stride_height, stride_width };
        let short = self.push(&[input], subsample, subsampled);
        let (before, after) = (self.random.below(3), self.random.below(3));
        let padded = with_channels(subsampled, before + tensor.shape.channels + after);
        let short = self.push(&[short], Operator::ChannelPad { before, after }, padded);
        let kernel = *self.random.pick(&[1, 3]);
        let window =
            Window { kernel_height: kernel, kernel_width: kernel, stride_height, stride_width };
        let geometry = Geometry::Convolution { window, pads: Pads::all(kernel / 2) };
        let output = activation(&mut self.random, padded.shape);
        let long = self.dot(input, geometry, Some(output));
        self.add(short, long);
    }

    /// A tensor beside a rescaled other one of the same type, and perhaps itself again.
    fn joined(&mut self) {
        let input = self.latest();
        let tensor = self.tensor(input);
        let other = self.rescale(input, tensor);
        let mut inputs = vec![other, input];
        if self.random.percent(30) {
            inputs.push(other);
        }
        let output = with_channels(tensor, inputs.len() * tensor.shape.channels);
        self.push(&inputs, Operator::Concat, output);
    }

    fn shuffle(&mut self) {
        let tensor = self.tensor(self.latest());
        let channels = tensor.shape.channels;
        let divisors: Vec<_> = (1..=channels).filter(|&g| channels.is_multiple_of(g)).collect();
        let groups = *self.random.pick(&divisors);
        self.push(&[self.latest()], Operator::Shuffle { groups }, tensor);
    }

    fn max_pool(&mut self) {
        let tensor = self.tensor(self.latest());
        let window = self.window(3);
        let pads = self.pads(window);
        let (window, shape) = fitting(tensor.shape, window, pads);
        let output = TensorType { shape, ..tensor };
        self.push(&[self.latest()], Operator::MaxPool { window, pads }, output);
    }

    fn average_pool(&mut self) {
        let tensor = self.tensor(self.latest());
        let mut window = self.window(3);
        if self.random.percent(40) {
            window.kernel_height = tensor.shape.height;
            window.kernel_width = tensor.shape.width;
        }
        window.kernel_height = window.kernel_height.min(tensor.shape.height);
        window.kernel_width = window.kernel_width.min(tensor.shape.width);
        let (window, shape) = fitting(tensor.shape, window, Pads::default());
        let output = activation(&mut self.random, shape);
        let multiplier = self.multiplier();
        let spread = typical(&tensor) * window.taps() as f64 * f64::from(multiplier).abs();
        let requantize = self.requantize(spread, &output);
        let operator = Operator::AveragePool { window, multiplier, requantize };
        self.push(&[self.latest()], operator, output);
    }

    fn rescale(&mut self, input: TensorId, output: TensorType) -> TensorId {
        let tensor = self.tensor(input);
        let multiplier = self.multiplier();
        let spread = typical(&tensor) * f64::from(multiplier).abs();
        let requantize = self.requantize(spread, &output);
        self.push(&[input], Operator::Rescale { multiplier, requantize }, output)
    }

    fn add(&mut self, a: TensorId, b: TensorId) -> TensorId {
        let (first, second) = (self.tensor(a), self.tensor(b));
        let multipliers = [self.multiplier(), self.multiplier()];
        let spread = typical(&first) * f64::from(multipliers[0]).abs()
            + typical(&second) * f64::from(multipliers[1]).abs();
        let output = activation(&mut self.random, first.shape);
        let requantize = self.requantize(spread, &output);
        self.push(&[a, b], Operator::Add { multipliers, requantize }, output)
    }

    /// Mostly positive and large, as an exporter makes them; now and then zero, or the least there is.
    fn multiplier(&mut self) -> i32 {
        let most = (1_i64 << (self.network.scale_bits - 1)) - 1;
        let multiplier = match self.random.below(20) {
            0 => 0,
            1 => -most - 1,
            2..=4 => self.random.between(-most, most),
            _ => self.random.between(most / 2, most).max(1),
        };
        i32::try_from(multiplier).unwrap()
    }

    /// A shift that brings values of this spread to about half of the output's codes.
    fn requantize(&mut self, spread: f64, output: &TensorType) -> Requantize {
        let (low, high) = code_limits(output);
        let ideal = (spread / (f64::from(high) * 0.6)).max(1.0).log2();
        let shift = rounded(ideal) + self.random.between(-1, 1);
        let (narrow_low, narrow_high) = (self.random.percent(25), self.random.percent(25));
        Requantize {
            shift: u32::try_from(shift.clamp(1, 40)).unwrap(),
            low: if narrow_low { low / 2 } else { low },
            high: if narrow_high { (high + 1) / 2 } else { high },
        }
    }
}

/// The integer below an estimate, which is far below 2^63.
#[expect(clippy::cast_possible_truncation, reason = "an estimate needs no more")]
fn rounded(estimate: f64) -> i64 {
    estimate as i64
}

/// A code of typical magnitude.
fn typical(tensor: &TensorType) -> f64 {
    f64::from(code_limits(tensor).1).max(1.0) * 0.5
}

fn with_channels(tensor: TensorType, channels: usize) -> TensorType {
    TensorType { shape: Shape { channels, ..tensor.shape }, ..tensor }
}

/// The window cut down to the padded picture, and the shape that it leaves.
fn fitting(shape: Shape, mut window: Window, pads: Pads) -> (Window, Shape) {
    let height = shape.height + pads.top + pads.bottom;
    let width = shape.width + pads.left + pads.right;
    window.kernel_height = window.kernel_height.min(height);
    window.kernel_width = window.kernel_width.min(width);
    let shape = Shape {
        height: (height - window.kernel_height) / window.stride_height + 1,
        width: (width - window.kernel_width) / window.stride_width + 1,
        ..shape
    };
    (window, shape)
}
