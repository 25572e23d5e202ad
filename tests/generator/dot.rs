//! Random dot-product layers.

use tridot_sim::network::{
    Dot, DotOutput, Geometry, Operator, Pads, Shape, Sign, TensorId, TensorType, Weights, Window,
};

use super::{Grower, MAX_PRODUCTS, activation, code_limits, fitting, rounded, typical};
use crate::random::Random;

impl Grower {
    /// A kernel of up to `most` by `most`, mostly square; strides of one to three.
    pub(super) fn window(&mut self, most: usize) -> Window {
        let kernel_height = self.random.size(1, most);
        let square = self.random.percent(60);
        let kernel_width = if square { kernel_height } else { self.random.size(1, most) };
        let stride_height = *self.random.pick(&[1, 1, 2, 2, 3]);
        let same = self.random.percent(70);
        let stride_width = if same { stride_height } else { self.random.size(1, 3) };
        Window { kernel_height, kernel_width, stride_height, stride_width }
    }

    /// None, all alike or each its own; always smaller than the kernel.
    pub(super) fn pads(&mut self, window: Window) -> Pads {
        let (height, width) = (window.kernel_height, window.kernel_width);
        match self.random.below(3) {
            0 => Pads::default(),
            1 => Pads { top: height / 2, left: width / 2, bottom: height / 2, right: width / 2 },
            _ => Pads {
                top: self.random.below(height),
                left: self.random.below(width),
                bottom: self.random.below(height),
                right: self.random.below(width),
            },
        }
    }

    /// A geometry that fits the input.
    pub(super) fn geometry(&mut self, input: Shape) -> Geometry {
        let kind = self.random.below(10);
        if kind == 0 {
            return Geometry::Linear;
        }
        let window = self.window(5);
        let pads = self.pads(window);
        let height = input.height + pads.top + pads.bottom;
        let width = input.width + pads.left + pads.right;
        let fits = window.kernel_height <= height && window.kernel_width <= width;
        let (window, pads) =
            if fits { (window, pads) } else { (Window::square(1, 1), Pads::default()) };
        if kind < 7 {
            Geometry::Convolution { window, pads }
        } else {
            Geometry::Depthwise { window, pads }
        }
    }

    /// A last layer, most often linear, half of them raw.
    pub(super) fn last_dot(&mut self) {
        let input = self.latest();
        let shape = self.tensor(input).shape;
        let geometry =
            if self.random.percent(70) { Geometry::Linear } else { self.geometry(shape) };
        let id = self.dot(input, geometry, None);
        if self.random.percent(50) {
            let layer = self.network.layers.last_mut().expect("just pushed");
            let Operator::Dot(dot) = &mut layer.operator else { unreachable!("just pushed") };
            dot.output = DotOutput::Raw;
            let layer_idx = id.layer().expect("a layer's tensor");
            self.network.layers[layer_idx].output.sign = Sign::Signed;
            self.network.layers[layer_idx].output.bits = 48;
        }
    }

    /// A dot-product layer; where no output is given, its channels, bits and sign are random.
    pub(super) fn dot(
        &mut self,
        input: TensorId,
        geometry: Geometry,
        output: Option<TensorType>,
    ) -> TensorId {
        let source = self.tensor(input);
        let output = output.unwrap_or_else(|| self.dot_output(source.shape, geometry));
        let channels = output.shape.channels;
        let fan_in = geometry.fan_in(source.shape);
        let weights = self.weights(channels * fan_in);
        let (multipliers, spread) = self.dot_multipliers(&weights, channels, fan_in, &source);
        let around = rounded(spread * 0.5);
        let bias = (0..channels).map(|_| self.random.between(-around, around)).collect();
        let requantize = self.requantize(spread, &output);
        let output_form = DotOutput::Requantize(requantize);
        let dot = Dot { geometry, weights, multipliers, bias, output: output_form };
        self.push(&[input], Operator::Dot(dot), output)
    }

    fn dot_output(&mut self, input: Shape, geometry: Geometry) -> TensorType {
        let pixels = match geometry {
            Geometry::Linear => Shape::new(1, 1, 1),
            Geometry::Convolution { window, pads } | Geometry::Depthwise { window, pads } => {
                fitting(input, window, pads).1
            }
        };
        let wanted = match self.random.below(5) {
            0..=1 => self.random.size(1, 6),
            2..=3 => self.random.size(7, 24),
            _ => self.random.size(25, 140),
        };
        let products = geometry.fan_in(input) * pixels.pixels() * 4;
        let channels = if geometry.is_depthwise() {
            input.channels
        } else {
            let channels = wanted.min(MAX_PRODUCTS / products).max(1);
            // Mostly odd: no vector or tile of a power of two divides it.
            if self.random.percent(50) && 2 < channels { (channels - 1) | 1 } else { channels }
        };
        activation(&mut self.random, Shape { channels, ..pixels })
    }

    fn weights(&mut self, len: usize) -> Weights {
        if self.random.percent(60) {
            let branches = u32::try_from(self.random.size(1, 5)).unwrap();
            let zeros = *self.random.pick(&[0, 33, 70, 95]);
            let codes = (0..len).map(|_| self.code(branches, zeros)).collect();
            return Weights::Dbq { branches, codes };
        }
        let bits = if self.random.percent(30) { 8 } else { self.random.size(2, 16) };
        let bits = u32::try_from(bits).unwrap();
        let most = (1_i64 << (bits - 1)) - 1;
        // Now and then no weight needs all the bits, and even none at all.
        let largest = match self.random.below(12) {
            0 => 0,
            1..=2 => self.random.between(0, most),
            _ => most,
        };
        let value = |random: &mut Random| match random.below(10) {
            0 => 0,
            1 => largest,
            2 => -largest,
            _ => random.between(-largest, largest),
        };
        let values = (0..len).map(|_| i16::try_from(value(&mut self.random)).unwrap()).collect();
        Weights::Fixed { bits, values }
    }

    fn code(&mut self, branches: u32, percent_zero: usize) -> u8 {
        let mut code = 0;
        for _ in 0..branches {
            let zero = self.random.percent(percent_zero);
            code = code * 3 + if zero { 1 } else { 2 * self.random.below(2) };
        }
        u8::try_from(code).unwrap()
    }

    /// Multipliers, and a typical |y|. Where y might outgrow its 48 bits, multipliers are smaller.
    fn dot_multipliers(
        &mut self,
        weights: &Weights,
        channels: usize,
        fan_in: usize,
        source: &TensorType,
    ) -> (Vec<i32>, f64) {
        let per_channel = weights.multipliers_per_channel();
        let largest = match weights {
            Weights::Dbq { branches, .. } => f64::from(*branches),
            Weights::Fixed { bits, .. } => f64::from(1 << (bits - 1)),
        };
        let code = f64::from(code_limits(source).1 + 1);
        let room = 2_f64.powi(46) / (largest * code * fan_in as f64);
        let room = i32::try_from(rounded(room)).unwrap_or(i32::MAX);
        let multipliers: Vec<i32> = (0..channels * per_channel)
            .map(|i| self.multiplier().clamp(-room, room) >> (i % per_channel).min(3))
            .collect();
        let most = multipliers.iter().map(|m| f64::from(*m).abs()).fold(1.0, f64::max);
        let weight = if per_channel == 1 { largest * 0.5 } else { 0.8 };
        (multipliers, most * weight * typical(source) * (fan_in as f64).sqrt())
    }
}
