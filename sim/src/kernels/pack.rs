//! From the weights of a Network to what the drivers read.
//!
//! The kernels work on biased codes: a signed code plus 2^(bits−1), so that every code is a u8. What the
//! bias adds to y is known from the weights alone, and is taken out of the layer's own bias:
//! Σ m·w·x = Σ m·w·(x + zero) − zero·Σ m·w, where `zero` is also the byte that pads.

use super::dense::{Dense, Walk};
use super::depthwise::Depthwise;
use super::image::Image;
use super::lanes::{Isa, Line, Shift};
use super::scale::Scale;
use super::wide::Wide;
use crate::network::{CodeRange, Dot, DotOutput, Geometry, Pads, Shape, Weights, Widths, Window};

/// Fewest byte steps between two widenings at which they are faster than i16 steps.
const MIN_BLOCK: i64 = 6;

/// How many weights the planes of a layer are read as, and which.
#[derive(Debug, Clone, Copy)]
enum Terms<'a> {
    /// The trits of a `dbq` layer.
    Trits { codes: &'a [u8], branches: usize },
    /// The integers of a `fixed` layer.
    Whole(&'a [i16]),
    /// The same as low and high bytes, w = low + 256·high with −128 ≤ low < 128.
    Halves(&'a [i16]),
}

impl Terms<'_> {
    fn planes(self) -> usize {
        match self {
            Self::Trits { branches, .. } => branches,
            Self::Whole(_) => 1,
            Self::Halves(_) => 2,
        }
    }

    fn weight(self, plane: usize, weight_idx: usize) -> i16 {
        match self {
            Self::Trits { codes, .. } => {
                i16::from(codes[weight_idx]) / 3_i16.pow(plane as u32) % 3 - 1
            }
            Self::Whole(values) => values[weight_idx],
            Self::Halves(values) => {
                let low = i16::from(values[weight_idx] as i8);
                if plane == 0 {
                    low
                } else {
                    ((i32::from(values[weight_idx]) - i32::from(low)) >> 8) as i16
                }
            }
        }
    }

    fn multiplier(self, multipliers: &[i32], channel: usize, plane: usize) -> i32 {
        match self {
            Self::Trits { branches, .. } => multipliers[channel * branches + plane],
            Self::Whole(_) => multipliers[channel],
            Self::Halves(_) => multipliers[channel] << (8 * plane),
        }
    }

    /// Largest Σ|w| of a plane of a channel, and largest |w|.
    fn magnitudes(self, channels: usize, fan_in: usize) -> (i64, i64) {
        let (mut most_sum, mut most) = (0, 0);
        for plane in 0..self.planes() {
            for channel in 0..channels {
                let mut sum = 0;
                for k in 0..fan_in {
                    let weight = i64::from(self.weight(plane, channel * fan_in + k)).abs();
                    sum += weight;
                    most = most.max(weight);
                }
                most_sum = most_sum.max(sum);
            }
        }
        (most_sum, most)
    }
}

/// A dot-product layer, ready to run.
#[derive(Debug)]
pub(super) struct DotPlan {
    pub(super) image: Image,
    pub(super) work: Work,
}

/// What runs it.
#[derive(Debug)]
pub(super) enum Work {
    Dense(Dense, Scale),
    Depthwise(Depthwise, Scale),
    Wide(Wide),
}

/// What the packing of a dot-product layer depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct DotSite<'a> {
    pub(super) dot: &'a Dot,
    pub(super) input: Shape,
    pub(super) output: Shape,
    /// What was added to the input's codes, and to the output's.
    pub(super) input_zero: u8,
    pub(super) output_zero: u8,
    pub(super) range: CodeRange,
    pub(super) widths: Widths,
}

impl DotSite<'_> {
    /// Packs the layer for an instruction set.
    pub(super) fn plan(&self, isa: Isa) -> DotPlan {
        let channels = self.output.channels;
        let fan_in = self.dot.geometry.fan_in(self.input);
        let most_code = self.range.high + i64::from(self.input_zero);
        let fits = |terms: &Terms<'_>| {
            terms.magnitudes(channels, fan_in).0 * most_code <= i64::from(i32::MAX)
        };
        let candidates = match &self.dot.weights {
            Weights::Dbq { branches, codes } => {
                vec![Terms::Trits { codes, branches: *branches as usize }]
            }
            Weights::Fixed { values, .. } => vec![Terms::Whole(values), Terms::Halves(values)],
        };
        match candidates.into_iter().find(fits) {
            None => self.wide(),
            Some(terms) if self.dot.geometry.is_depthwise() => self.depthwise(terms, isa),
            Some(terms) => self.dense(terms, isa, most_code),
        }
    }

    /// The window over the padded input; a linear layer's covers a single row of one wide pixel.
    fn window(&self) -> (Window, Pads, Shape) {
        match self.dot.geometry {
            Geometry::Convolution { window, pads } | Geometry::Depthwise { window, pads } => {
                (window, pads, self.input)
            }
            Geometry::Linear => {
                (Window::square(1, 1), Pads::default(), Shape::new(1, 1, self.input.elements()))
            }
        }
    }

    fn walk(&self, window: Window, image: &Image) -> Walk {
        Walk {
            width: self.output.width,
            height: self.output.height,
            step_x: window.stride_width * image.pixel_bytes(),
            step_y: window.stride_height * image.row_bytes(),
        }
    }

    fn dense(&self, terms: Terms<'_>, isa: Isa, most_code: i64) -> DotPlan {
        let (window, pads, input) = self.window();
        let fan_in = window.taps() * input.channels;
        let (_, most_weight) = terms.magnitudes(self.output.channels, fan_in);
        // A 16-bit sum takes in two products a step.
        let block = i64::from(i16::MAX) / (2 * most_weight * most_code).max(1);
        let words = !isa.bytes || 127 < most_weight || isa.narrow && block < MIN_BLOCK;
        let image = Image::new(input, pads, self.input_zero, words);
        let planes = terms.planes();
        let run = window.kernel_width * input.channels;
        let layer = Dense {
            walk: self.walk(window, &image),
            rows: window.kernel_height,
            row_stride: image.row_bytes(),
            steps: run.div_ceil(if words { 2 } else { 4 }),
            words,
            block: usize::try_from(block).expect("not negative"),
            group: (4 / planes).max(1),
            weights: Vec::new(),
        };
        let weights = dense_weights(&layer, terms, self.output.channels, run, isa);
        let scale = self.scale(terms, fan_in, isa);
        DotPlan { image, work: Work::Dense(Dense { weights, ..layer }, scale) }
    }

    fn depthwise(&self, terms: Terms<'_>, isa: Isa) -> DotPlan {
        let (window, pads, input) = self.window();
        let image = Image::new(input, pads, self.input_zero, false);
        let mut taps = Vec::with_capacity(window.taps() + 1);
        for row in 0..window.kernel_height {
            for column in 0..window.kernel_width {
                taps.push(row * image.row_bytes() + column * image.pixel_bytes());
            }
        }
        let taps = taps.chunks(2).map(|pair| [pair[0], *pair.last().expect("not empty")]).collect();
        let layer = Depthwise { walk: self.walk(window, &image), taps, weights: Vec::new() };
        let scale = self.scale(terms, window.taps(), isa);
        let weights = depthwise_weights(&layer, terms, &scale, window.taps(), isa);
        DotPlan { image, work: Work::Depthwise(Depthwise { weights, ..layer }, scale) }
    }

    fn wide(&self) -> DotPlan {
        let (window, pads, input) = self.window();
        let image = Image::new(input, pads, self.input_zero, false);
        let Weights::Fixed { values, .. } = &self.dot.weights else {
            unreachable!("sums of trits fit 32 bits");
        };
        let fan_in = self.dot.geometry.fan_in(self.input);
        let terms = Terms::Whole(values);
        let layer = Wide {
            walk: self.walk(window, &image),
            rows: window.kernel_height,
            row_stride: image.row_bytes(),
            taps: window.kernel_width,
            pixel: image.pixel_bytes(),
            depthwise: self.dot.geometry.is_depthwise(),
            channels: self.output.channels,
            weights: values.clone(),
            multipliers: self.dot.multipliers.clone(),
            bias: (0..self.output.channels)
                .map(|channel| self.bias(terms, channel, fan_in))
                .collect(),
            shift: self.shift(),
        };
        DotPlan { image, work: Work::Wide(layer) }
    }

    /// The bias of y over biased codes: rounding constant and the output's own bias included.
    fn bias(&self, terms: Terms<'_>, channel: usize, fan_in: usize) -> i64 {
        let mut coefficient = 0;
        for plane in 0..terms.planes() {
            let weights = channel * fan_in..(channel + 1) * fan_in;
            let sum: i64 = weights.map(|idx| i64::from(terms.weight(plane, idx))).sum();
            coefficient += sum * i64::from(terms.multiplier(&self.dot.multipliers, channel, plane));
        }
        let rounding = match self.dot.output {
            DotOutput::Raw => 0,
            DotOutput::Requantize(end) => {
                (1 << (end.shift - 1)) + (i64::from(self.output_zero) << end.shift)
            }
        };
        self.dot.bias[channel] - i64::from(self.input_zero) * coefficient + rounding
    }

    fn shift(&self) -> Option<Shift> {
        match self.dot.output {
            DotOutput::Raw => None,
            DotOutput::Requantize(end) => Some(Shift {
                shift: end.shift,
                low: end.low + i32::from(self.output_zero),
                high: end.high + i32::from(self.output_zero),
                // 31 bits and the output's bias, at most 128, still are 32 bits.
                fits: self.widths.y_bits <= end.shift + 31,
            }),
        }
    }

    fn scale(&self, terms: Terms<'_>, fan_in: usize, isa: Isa) -> Scale {
        let (channels, planes, lanes) = (self.output.channels, terms.planes(), isa.lanes);
        let vectors = channels.div_ceil(lanes);
        let mut multipliers = vec![0; vectors * planes * lanes];
        let mut bias = vec![0; vectors * lanes];
        for channel in 0..channels {
            let (vector, lane) = (channel / lanes, channel % lanes);
            for plane in 0..planes {
                multipliers[(vector * planes + plane) * lanes + lane] =
                    terms.multiplier(&self.dot.multipliers, channel, plane);
            }
            bias[vector * lanes + lane % 2 * (lanes / 2) + lane / 2] =
                self.bias(terms, channel, fan_in);
        }
        Scale { channels, planes, lanes, multipliers, bias, shift: self.shift() }
    }
}

/// Writes weights one after the other into lines.
#[derive(Debug)]
struct Writer {
    lines: Vec<Line>,
    at: usize,
}

impl Writer {
    fn new(bytes: usize) -> Self {
        Self { lines: vec![Line::ZERO; bytes.div_ceil(Line::BYTES)], at: 0 }
    }

    /// One step of one vector: 2 words or 4 bytes a lane.
    fn vector(&mut self, isa: Isa, words: bool, weight: impl Fn(usize, usize) -> i16) {
        if !words {
            for i in 0..4 * isa.lanes {
                self.byte(weight(i / 4, i % 4) as u8);
            }
            return;
        }
        for i in 0..2 * isa.lanes {
            let (lane, element) =
                if isa.planar { (i % isa.lanes, i / isa.lanes) } else { (i / 2, i % 2) };
            for byte in weight(lane, element).to_ne_bytes() {
                self.byte(byte);
            }
        }
    }

    fn byte(&mut self, byte: u8) {
        self.lines[self.at / Line::BYTES].0[self.at % Line::BYTES] = byte;
        self.at += 1;
    }
}

fn dense_weights(
    layer: &Dense,
    terms: Terms<'_>,
    channels: usize,
    run: usize,
    isa: Isa,
) -> Vec<Line> {
    let planes = terms.planes();
    let vectors = channels.div_ceil(isa.lanes);
    let elements = if layer.words { 2 } else { 4 };
    let mut writer = Writer::new(layer.rows * layer.steps * vectors * planes * isa.lanes * 4);
    let mut put = |row: usize, step: usize, vector: usize, plane: usize| {
        writer.vector(isa, layer.words, |lane, element| {
            let channel = vector * isa.lanes + lane;
            let k = step * elements + element;
            let weight_idx = (channel * layer.rows + row) * run + k;
            if channel < channels && k < run { terms.weight(plane, weight_idx) } else { 0 }
        });
    };
    for first in (0..vectors).step_by(layer.group) {
        for row in 0..layer.rows {
            for step in 0..layer.steps {
                for vector in first..vectors.min(first + layer.group) {
                    (0..planes).for_each(|plane| put(row, step, vector, plane));
                }
            }
        }
    }
    writer.lines
}

fn depthwise_weights(
    layer: &Depthwise,
    terms: Terms<'_>,
    scale: &Scale,
    taps: usize,
    isa: Isa,
) -> Vec<Line> {
    let vectors = scale.channel_vectors();
    let mut writer = Writer::new(vectors * layer.taps.len() * scale.planes * scale.lanes * 4);
    for vector in 0..vectors {
        for pair in 0..layer.taps.len() {
            for plane in 0..scale.planes {
                writer.vector(isa, true, |lane, element| {
                    let (channel, tap) = (vector * isa.lanes + lane, 2 * pair + element);
                    let inside = channel < scale.channels && tap < taps;
                    if inside { terms.weight(plane, channel * taps + tap) } else { 0 }
                });
            }
        }
    }
    writer.lines
}
