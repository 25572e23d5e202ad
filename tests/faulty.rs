//! A fourth integer interpreter, with faults to plant: what a comparison is worth is what it finds.
//!
//! Written apart from the reference: a function per output element, integers of 128 bits, weights taken
//! as whole numbers where the definition allows it.

use tridot_sim::network::{
    Dot, DotOutput, Geometry, Network, Operator, Pads, Requantize, Shape, Weights, Window,
};

/// The operators that scale and round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scaler {
    Dot,
    Add,
    Rescale,
    AveragePool,
}

/// The operators that look through a padded window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Windowed {
    Convolution,
    Depthwise,
    MaxPool,
}

/// A side of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Top,
    Left,
    Bottom,
    Right,
}

/// One off-by-one, or its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None: equal to the reference.
    None,
    /// The rounding constant is 2^(s−1) − 1.
    Rounding(Scaler),
    /// No rounding constant at all.
    Truncation(Scaler),
    /// The low clamp is one too high.
    LowClamp(Scaler),
    /// The high clamp is one too low.
    HighClamp(Scaler),
    /// The shift is one too small.
    Shift(Scaler),
    /// Top or left: the window starts one early. Bottom or right: the last line counts as padding.
    Pad(Windowed, Side),
    /// The window starts one stride phase late, down.
    StridePhaseDown(Windowed),
    /// The window starts one stride phase late, across.
    StridePhaseAcross(Windowed),
    /// K runs over columns before rows.
    TapOrder,
    /// K runs over taps fastest, channels slowest.
    ChannelOrder,
    /// A linear layer reads channel by channel.
    LinearOrder,
    /// The last term of every dot product is left out.
    LastTerm,
    /// Depthwise: channel c reads channel c + 1.
    DepthwiseChannel,
    /// Padding holds code 1.
    PaddingCode,
    /// Max pool counts padding as code 0.
    MaxPoolPadding,
    /// The last tap of an average pool is left out.
    AveragePoolTap,
    /// The bias is one too large.
    Bias,
    /// The bias of the next channel.
    BiasChannel,
    /// Trit 0 of plane 0 is one too large.
    Trit,
    /// Branches j and j + 1 exchange multipliers.
    BranchOrder,
    /// The second operand of an add gets the first one's multiplier.
    AddOperand,
    /// Pixel p takes the code of p + 1.
    TableIndex,
    /// A split starts one channel late.
    SplitFirst,
    /// A split's last channel is the one before it.
    SplitLast,
    /// The inverse shuffle.
    ShuffleOrder,
    /// Concat from the last input to the first.
    ConcatOrder,
    /// Subsampling keeps the second pixel of a stride, down.
    SubsampleDown,
    /// Subsampling keeps the second pixel of a stride, across.
    SubsampleAcross,
    /// Channel padding puts one channel too few before.
    ChannelPadBefore,
}

/// Every fault.
pub(crate) fn all_faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::TapOrder,
        Fault::ChannelOrder,
        Fault::LinearOrder,
        Fault::LastTerm,
        Fault::DepthwiseChannel,
        Fault::PaddingCode,
        Fault::MaxPoolPadding,
        Fault::AveragePoolTap,
        Fault::Bias,
        Fault::BiasChannel,
        Fault::Trit,
        Fault::BranchOrder,
        Fault::AddOperand,
        Fault::TableIndex,
        Fault::SplitFirst,
        Fault::SplitLast,
        Fault::ShuffleOrder,
        Fault::ConcatOrder,
        Fault::SubsampleDown,
        Fault::SubsampleAcross,
        Fault::ChannelPadBefore,
    ];
    for scaler in [Scaler::Dot, Scaler::Add, Scaler::Rescale, Scaler::AveragePool] {
        let ends =
            [Fault::Rounding, Fault::Truncation, Fault::LowClamp, Fault::HighClamp, Fault::Shift];
        faults.extend(ends.map(|fault| fault(scaler)));
    }
    for windowed in [Windowed::Convolution, Windowed::Depthwise, Windowed::MaxPool] {
        let sides = [Side::Top, Side::Left, Side::Bottom, Side::Right];
        faults.extend(sides.map(|side| Fault::Pad(windowed, side)));
        faults.extend([Fault::StridePhaseDown(windowed), Fault::StridePhaseAcross(windowed)]);
    }
    faults
}

/// Every tensor of one picture by id, computed with the fault.
pub(crate) fn run(network: &Network, pixels: &[u8], fault: Fault) -> Vec<Vec<i64>> {
    let channels = network.input.tensor.shape.channels;
    let late = u8::from(fault == Fault::TableIndex);
    let code = |(i, &pixel): (usize, &u8)| {
        i64::from(network.input.tables[i % channels][usize::from(pixel.wrapping_add(late))])
    };
    let mut tensors: Vec<Vec<i64>> = vec![pixels.iter().enumerate().map(code).collect()];
    for layer in &network.layers {
        let sources: Vec<Source<'_>> = layer
            .inputs
            .iter()
            .map(|id| Source { shape: network.tensor(*id).shape, codes: &tensors[id.0] })
            .collect();
        let machine = Machine { fault, sources, shape: layer.output.shape };
        let elements = 0..layer.output.shape.elements();
        tensors.push(elements.map(|i| machine.element(&layer.operator, i)).collect());
    }
    tensors
}

struct Source<'a> {
    shape: Shape,
    codes: &'a [i64],
}

impl Source<'_> {
    /// The code at signed coordinates, if it lies in a picture of this height and width.
    fn within(&self, y: i128, x: i128, channel: usize, height: i128, width: i128) -> Option<i128> {
        if y < 0 || x < 0 || height <= y || width <= x {
            return None;
        }
        let pixel = y * self.shape.width as i128 + x;
        let index = usize::try_from(pixel).unwrap() * self.shape.channels + channel;
        Some(self.codes[index].into())
    }

    fn at(&self, y: usize, x: usize, channel: usize) -> i128 {
        // Faults may look past the picture: its last line answers.
        let (y, x) = (y.min(self.shape.height - 1), x.min(self.shape.width - 1));
        self.codes[(y * self.shape.width + x) * self.shape.channels + channel].into()
    }
}

/// One layer at work.
struct Machine<'a> {
    fault: Fault,
    sources: Vec<Source<'a>>,
    shape: Shape,
}

impl Machine<'_> {
    /// The output element of this index, NHWC order.
    fn element(&self, operator: &Operator, index: usize) -> i64 {
        let (pixel, c) = (index / self.shape.channels, index % self.shape.channels);
        let (y, x) = (pixel / self.shape.width, pixel % self.shape.width);
        let source = &self.sources[0];
        let value = match operator {
            Operator::Dot(dot) => self.dot(dot, y, x, c),
            Operator::Add { multipliers: [m_a, m_b], requantize } => {
                let m_b = if self.fault == Fault::AddOperand { m_a } else { m_b };
                let b = self.sources[1].at(y, x, c);
                let sum = i128::from(*m_a) * source.at(y, x, c) + i128::from(*m_b) * b;
                self.scale(sum, *requantize, Scaler::Add)
            }
            Operator::Rescale { multiplier, requantize } => {
                let product = i128::from(*multiplier) * source.at(y, x, c);
                self.scale(product, *requantize, Scaler::Rescale)
            }
            Operator::AveragePool { window, multiplier, requantize } => {
                let n_taps = window.taps() - usize::from(self.fault == Fault::AveragePoolTap);
                let tap = |t: usize| {
                    let (ky, kx) = (t / window.kernel_width, t % window.kernel_width);
                    source.at(y * window.stride_height + ky, x * window.stride_width + kx, c)
                };
                let sum: i128 = (0..n_taps).map(tap).sum();
                self.scale(i128::from(*multiplier) * sum, *requantize, Scaler::AveragePool)
            }
            Operator::MaxPool { window, pads } => {
                let padding =
                    if self.fault == Fault::MaxPoolPadding { 0 } else { i128::from(i64::MIN) };
                let look = Look { kind: Windowed::MaxPool, window: *window, pads: *pads, y, x };
                let tap = |t| self.tap(&look, t, c).unwrap_or(padding);
                (0..window.taps()).map(tap).max().unwrap()
            }
            Operator::Split { .. }
            | Operator::Concat
            | Operator::Shuffle { .. }
            | Operator::Subsample { .. }
            | Operator::ChannelPad { .. } => self.moved(operator, y, x, c),
        };
        i64::try_from(value).unwrap()
    }

    fn moved(&self, operator: &Operator, y: usize, x: usize, c: usize) -> i128 {
        let source = &self.sources[0];
        let channels = source.shape.channels;
        match *operator {
            Operator::Split { first, channels: taken } => {
                let late = usize::from(self.fault == Fault::SplitFirst);
                let early = self.fault == Fault::SplitLast && c + 1 == taken;
                let channel = (first + c + late).min(channels - 1);
                source.at(y, x, channel.saturating_sub(usize::from(early)))
            }
            Operator::Concat => {
                let mut rest = c;
                let mut order: Vec<_> = self.sources.iter().collect();
                if self.fault == Fault::ConcatOrder {
                    order.reverse();
                }
                for source in order {
                    if rest < source.shape.channels {
                        return source.at(y, x, rest);
                    }
                    rest -= source.shape.channels;
                }
                unreachable!("the inputs have the output's channels")
            }
            Operator::Shuffle { groups } => {
                // Input channel j·(C/g) + i goes to output channel i·g + j; groups of C/g invert it.
                let inverse = self.fault == Fault::ShuffleOrder;
                let groups = if inverse { channels / groups } else { groups };
                source.at(y, x, (c % groups) * (channels / groups) + c / groups)
            }
            Operator::Subsample { stride_height, stride_width } => {
                let down = usize::from(self.fault == Fault::SubsampleDown);
                let across = usize::from(self.fault == Fault::SubsampleAcross);
                source.at(y * stride_height + down, x * stride_width + across, c)
            }
            Operator::ChannelPad { before, .. } => {
                let early = usize::from(self.fault == Fault::ChannelPadBefore);
                let before = before.saturating_sub(early);
                let real = (before..before + channels).contains(&c);
                if real { source.at(y, x, c - before) } else { 0 }
            }
            Operator::Dot(_)
            | Operator::Add { .. }
            | Operator::Rescale { .. }
            | Operator::AveragePool { .. }
            | Operator::MaxPool { .. } => unreachable!("not a move"),
        }
    }

    /// Rounded by Euclidean division, which floors for a positive divisor.
    fn scale(&self, y: i128, end: Requantize, scaler: Scaler) -> i128 {
        let is = |fault: fn(Scaler) -> Fault| self.fault == fault(scaler);
        let shift = end.shift - u32::from(is(Fault::Shift));
        let divisor = 2_i128.pow(shift);
        let half = divisor / 2 - i128::from(is(Fault::Rounding));
        let half = if is(Fault::Truncation) { 0 } else { half };
        let low = i128::from(end.low) + i128::from(is(Fault::LowClamp));
        let high = i128::from(end.high) - i128::from(is(Fault::HighClamp));
        (y + half).div_euclid(divisor).min(high).max(low)
    }

    /// The code under a tap; none where padded.
    fn tap(&self, look: &Look, tap: usize, channel: usize) -> Option<i128> {
        let source = &self.sources[0];
        let is = |side| i128::from(self.fault == Fault::Pad(look.kind, side));
        let down = i128::from(self.fault == Fault::StridePhaseDown(look.kind));
        let across = i128::from(self.fault == Fault::StridePhaseAcross(look.kind));
        let (ky, kx) = (tap / look.window.kernel_width, tap % look.window.kernel_width);
        let y = (look.y * look.window.stride_height + ky) as i128 + down;
        let x = (look.x * look.window.stride_width + kx) as i128 + across;
        let y = y - look.pads.top as i128 - is(Side::Top);
        let x = x - look.pads.left as i128 - is(Side::Left);
        let height = source.shape.height as i128 - is(Side::Bottom);
        let width = source.shape.width as i128 - is(Side::Right);
        source.within(y, x, channel, height, width)
    }

    /// Term k's operand of output channel c.
    fn operand(&self, geometry: &Geometry, y: usize, x: usize, c: usize, k: usize) -> i128 {
        let source = &self.sources[0];
        let shape = source.shape;
        let padding = i128::from(self.fault == Fault::PaddingCode);
        match *geometry {
            Geometry::Linear if self.fault == Fault::LinearOrder => {
                let (channel, pixel) = (k / shape.pixels(), k % shape.pixels());
                source.codes[pixel * shape.channels + channel].into()
            }
            Geometry::Linear => source.codes[k].into(),
            Geometry::Convolution { window, pads } => {
                let look = Look { kind: Windowed::Convolution, window, pads, y, x };
                let (tap, channel) = if self.fault == Fault::ChannelOrder {
                    (k % window.taps(), k / window.taps())
                } else {
                    (k / shape.channels, k % shape.channels)
                };
                self.tap(&look, self.tap_order(window, tap), channel).unwrap_or(padding)
            }
            Geometry::Depthwise { window, pads } => {
                let look = Look { kind: Windowed::Depthwise, window, pads, y, x };
                let late = usize::from(self.fault == Fault::DepthwiseChannel);
                let channel = (c + late) % shape.channels;
                self.tap(&look, self.tap_order(window, k), channel).unwrap_or(padding)
            }
        }
    }

    fn tap_order(&self, window: Window, tap: usize) -> usize {
        if self.fault == Fault::TapOrder {
            let (kx, ky) = (tap / window.kernel_height, tap % window.kernel_height);
            return ky * window.kernel_width + kx;
        }
        tap
    }

    fn dot(&self, dot: &Dot, y: usize, x: usize, c: usize) -> i128 {
        let all = dot.geometry.fan_in(self.sources[0].shape);
        let fan_in = all - usize::from(self.fault == Fault::LastTerm);
        let operands: Vec<i128> =
            (0..fan_in).map(|k| self.operand(&dot.geometry, y, x, c, k)).collect();
        let wrong_trit = |k: usize| i128::from(self.fault == Fault::Trit && c == 0 && k == 0);
        let bias_of = (c + usize::from(self.fault == Fault::BiasChannel)) % dot.bias.len();
        let mut sum = i128::from(dot.bias[bias_of]) + i128::from(self.fault == Fault::Bias);
        match &dot.weights {
            Weights::Fixed { values, .. } => {
                let weight = |k: usize| i128::from(values[c * all + k]) + wrong_trit(k);
                let merged: i128 = operands.iter().enumerate().map(|(k, x)| weight(k) * x).sum();
                sum += i128::from(dot.multipliers[c]) * merged;
            }
            Weights::Dbq { branches, codes } => {
                let branches = *branches as usize;
                let mut power = 1;
                for branch in 0..branches {
                    let trit = |k: usize| {
                        let wrong = if branch == 0 { wrong_trit(k) } else { 0 };
                        i128::from(codes[c * all + k] / power % 3) - 1 + wrong
                    };
                    let acc: i128 = operands.iter().enumerate().map(|(k, x)| trit(k) * x).sum();
                    let late = usize::from(self.fault == Fault::BranchOrder);
                    let m = dot.multipliers[c * branches + (branch + late) % branches];
                    sum += i128::from(m) * acc;
                    power = power.wrapping_mul(3);
                }
            }
        }
        match dot.output {
            DotOutput::Raw => sum,
            DotOutput::Requantize(requantize) => self.scale(sum, requantize, Scaler::Dot),
        }
    }
}

/// A window over an output pixel.
struct Look {
    kind: Windowed,
    window: Window,
    pads: Pads,
    y: usize,
    x: usize,
}
