//! The operators without weights, on biased codes.

use crate::network::{Pads, Requantize, Shape, Window};

/// An operator of the vector unit, ready to run.
#[derive(Debug)]
pub(super) enum VectorPlan {
    Add(Add),
    /// The code of every code.
    Rescale(Box<[u8; 256]>),
    AveragePool(AveragePool),
    MaxPool {
        input: Shape,
        output: Shape,
        window: Window,
        pads: Pads,
    },
    Split {
        channels: usize,
        first: usize,
        count: usize,
    },
    /// Channels of each input.
    Concat(Vec<usize>),
    Shuffle {
        channels: usize,
        groups: usize,
    },
    Subsample {
        input: Shape,
        stride_height: usize,
        stride_width: usize,
    },
    ChannelPad {
        before: usize,
        channels: usize,
        after: usize,
        zero: u8,
    },
}

impl VectorPlan {
    /// Computes the output's codes from the inputs'.
    pub(super) fn run(&self, inputs: &[&[u8]], out: &mut [u8]) {
        let input = inputs[0];
        match self {
            Self::Add(add) => add.run(input, inputs[1], out),
            Self::Rescale(table) => {
                for (out, &code) in out.iter_mut().zip(input) {
                    *out = table[usize::from(code)];
                }
            }
            Self::AveragePool(pool) => pool.run(input, out),
            Self::MaxPool { input: shape, output, window, pads } => {
                max_pool(input, *shape, *window, *pads, out, *output);
            }
            Self::Split { channels, first, count } => {
                for (out, pixel) in out.chunks_exact_mut(*count).zip(input.chunks_exact(*channels))
                {
                    out.copy_from_slice(&pixel[*first..*first + *count]);
                }
            }
            Self::Concat(channels) => concat(inputs, channels, out),
            Self::Shuffle { channels, groups } => shuffle(input, *channels, *groups, out),
            Self::Subsample { input: shape, stride_height, stride_width } => {
                let rows = input.chunks_exact(shape.width * shape.channels).step_by(*stride_height);
                let pixels =
                    rows.flat_map(|row| row.chunks_exact(shape.channels).step_by(*stride_width));
                for (out, pixel) in out.chunks_exact_mut(shape.channels).zip(pixels) {
                    out.copy_from_slice(pixel);
                }
            }
            Self::ChannelPad { before, channels, after, zero } => {
                let pixels = out.chunks_exact_mut(before + channels + after);
                for (out, pixel) in pixels.zip(input.chunks_exact(*channels)) {
                    out[..*before].fill(*zero);
                    out[*before..before + channels].copy_from_slice(pixel);
                    out[before + channels..].fill(*zero);
                }
            }
        }
    }
}

/// What is added to codes to make them biased.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zeros {
    pub(super) input: i64,
    pub(super) output: i64,
}

/// clamp((y + 2^(shift−1)) >> shift, low, high) as a biased code.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn end(y: i64, requantize: Requantize, zero: i64) -> u8 {
    let rounded = (y + (1 << (requantize.shift - 1))) >> requantize.shift;
    (rounded.clamp(requantize.low.into(), requantize.high.into()) + zero) as u8
}

/// Residual add.
#[derive(Debug)]
pub(super) struct Add {
    multipliers: [i32; 2],
    /// What the inputs' biases put into y.
    excess: i64,
    requantize: Requantize,
    zero: i64,
}

impl Add {
    pub(super) fn new(
        multipliers: [i32; 2],
        requantize: Requantize,
        input_zeros: [i64; 2],
        zero: i64,
    ) -> Self {
        let excess =
            i64::from(multipliers[0]) * input_zeros[0] + i64::from(multipliers[1]) * input_zeros[1];
        Self { multipliers, excess, requantize, zero }
    }

    /// With 18-bit multipliers and biased codes, |y| is below 2^28: up to a shift of 30, the rounding constant
    /// included, it fits an i32.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range by the shift's bound, and clamped to a byte"
    )]
    fn run(&self, a: &[u8], b: &[u8], out: &mut [u8]) {
        let [m_a, m_b] = self.multipliers;
        if 30 < self.requantize.shift {
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                let y = i64::from(m_a * i32::from(a)) + i64::from(m_b * i32::from(b));
                *out = end(y - self.excess, self.requantize, self.zero);
            }
            return;
        }
        let Requantize { shift, low, high } = self.requantize;
        let constant = (1 << (shift - 1)) - self.excess as i32;
        let zero = self.zero as i32;
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            let y = m_a * i32::from(a) + m_b * i32::from(b) + constant;
            *out = ((y >> shift).clamp(low, high) + zero) as u8;
        }
    }
}

/// The table of y = m·a.
pub(super) fn rescale(multiplier: i32, requantize: Requantize, zeros: Zeros) -> Box<[u8; 256]> {
    let mut table = Box::new([0; 256]);
    for (biased, code) in (0..).zip(table.iter_mut()) {
        *code = end(i64::from(multiplier) * (biased - zeros.input), requantize, zeros.output);
    }
    table
}

/// Average pool: y = m · the window's sum.
#[derive(Debug)]
pub(super) struct AveragePool {
    pub(super) input: Shape,
    pub(super) output: Shape,
    pub(super) window: Window,
    pub(super) multiplier: i32,
    pub(super) requantize: Requantize,
    pub(super) zeros: Zeros,
}

impl AveragePool {
    #[expect(clippy::cast_possible_wrap, reason = "a window has at most 2^20 taps")]
    fn run(&self, input: &[u8], out: &mut [u8]) {
        let excess = self.window.taps() as i64 * self.zeros.input;
        let channels = self.input.channels;
        let mut sums = [0_u32; CHUNK];
        for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
            let row = pixel / self.output.width * self.window.stride_height;
            let column = pixel % self.output.width * self.window.stride_width;
            for (first, out) in (0..).step_by(CHUNK).zip(out.chunks_mut(CHUNK)) {
                let sums = &mut sums[..out.len()];
                sums.fill(0);
                for row in row..row + self.window.kernel_height {
                    for column in column..column + self.window.kernel_width {
                        let at = (row * self.input.width + column) * channels + first;
                        for (sum, &code) in sums.iter_mut().zip(&input[at..]) {
                            *sum += u32::from(code);
                        }
                    }
                }
                for (out, &sum) in out.iter_mut().zip(&*sums) {
                    let y = i64::from(self.multiplier) * (i64::from(sum) - excess);
                    *out = end(y, self.requantize, self.zeros.output);
                }
            }
        }
    }
}

/// Channels whose sums are held at once.
const CHUNK: usize = 64;

fn max_pool(input: &[u8], shape: Shape, window: Window, pads: Pads, out: &mut [u8], output: Shape) {
    // Padded taps are ignored, so a window is what of it lies on the picture; pads are smaller than the
    // kernel, so something always does.
    let taps = |place: usize, stride: usize, kernel: usize, before: usize, size: usize| {
        let start = place * stride;
        start.saturating_sub(before)..(start + kernel).saturating_sub(before).min(size)
    };
    for (pixel, out) in out.chunks_exact_mut(shape.channels).enumerate() {
        let (row, column) = (pixel / output.width, pixel % output.width);
        out.fill(0);
        for row in taps(row, window.stride_height, window.kernel_height, pads.top, shape.height) {
            for column in
                taps(column, window.stride_width, window.kernel_width, pads.left, shape.width)
            {
                let at = (row * shape.width + column) * shape.channels;
                for (out, &code) in out.iter_mut().zip(&input[at..]) {
                    *out = code.max(*out);
                }
            }
        }
    }
}

fn concat(inputs: &[&[u8]], channels: &[usize], out: &mut [u8]) {
    let all = channels.iter().sum();
    let mut first = 0;
    for (input, &count) in inputs.iter().zip(channels) {
        for (out, pixel) in out.chunks_exact_mut(all).zip(input.chunks_exact(count)) {
            out[first..first + count].copy_from_slice(pixel);
        }
        first += count;
    }
}

fn shuffle(input: &[u8], channels: usize, groups: usize, out: &mut [u8]) {
    for (out, pixel) in out.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
        for (i, out) in out.chunks_exact_mut(groups).enumerate() {
            for (j, out) in out.iter_mut().enumerate() {
                *out = pixel[j * (channels / groups) + i];
            }
        }
    }
}
