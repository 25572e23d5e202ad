//! Worst cases: which codes a tensor can hold, and which bits accumulators and y need.

use super::{Description, Dot, DotOutput, Geometry, Layer, Operator, Weights};
use crate::{Error, limits};

/// The codes that a tensor can hold: `low ≤ 0 ≤ high`, since code 0 pads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodeRange {
    /// Smallest code.
    pub low: i64,
    /// Largest code.
    pub high: i64,
}

impl CodeRange {
    fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// The range of this quantity times a number.
    fn times(self, factor: i128) -> (i128, i128) {
        let ends = (i128::from(self.low) * factor, i128::from(self.high) * factor);
        (ends.0.min(ends.1), ends.0.max(ends.1))
    }
}

/// Two's-complement bits that the worst case over all inputs needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Widths {
    /// For the final value of an accumulator: of each branch (`dbq`), or merged over all planes (`fixed`).
    pub accumulator_bits: u32,
    /// For y, before and after the rounding constant is added.
    pub y_bits: u32,
}

/// Two's-complement bits that hold every integer between the two.
fn bits_of(low: i128, high: i128) -> u32 {
    let bits = |v: i128| 129 - if v < 0 { v.leading_ones() } else { v.leading_zeros() };
    bits(low).max(bits(high))
}

/// The code range of every tensor, by id.
pub(super) fn code_ranges(network: &Description) -> Vec<CodeRange> {
    let codes = network.input.tables.iter().flatten();
    let (low, high) = codes.fold((0, 0), |(low, high), &code| (code.min(low), code.max(high)));
    let mut ranges = vec![CodeRange { low: i64::from(low), high: i64::from(high) }];
    for layer in &network.layers {
        let range = match &layer.operator {
            Operator::Dot(Dot { output: DotOutput::Raw, .. }) => {
                let most = 1_i64 << (layer.output.bits - 1);
                CodeRange { low: -most, high: most - 1 }
            }
            Operator::Dot(Dot { output: DotOutput::Requantize(requantize), .. })
            | Operator::Add { requantize, .. }
            | Operator::Rescale { requantize, .. }
            | Operator::AveragePool { requantize, .. } => {
                CodeRange { low: i64::from(requantize.low), high: i64::from(requantize.high) }
            }
            Operator::MaxPool { .. }
            | Operator::Split { .. }
            | Operator::Concat
            | Operator::Shuffle { .. }
            | Operator::Subsample { .. }
            | Operator::ChannelPad { .. } => layer
                .inputs
                .iter()
                .map(|id| ranges[id.0])
                .reduce(CodeRange::union)
                .expect("validation has asked for an input"),
        };
        ranges.push(range);
    }
    ranges
}

/// The widths of every dot-product layer; refuses a layer whose y needs more than [`limits::MAX_Y_BITS`].
pub(super) fn all(
    network: &Description,
    ranges: &[CodeRange],
) -> Result<Vec<Option<Widths>>, Error> {
    network.layers.iter().map(|layer| layer_widths(network, layer, ranges)).collect()
}

fn layer_widths(
    network: &Description,
    layer: &Layer,
    ranges: &[CodeRange],
) -> Result<Option<Widths>, Error> {
    let input = |i: usize| ranges[layer.inputs[i].0];
    let shift = match &layer.operator {
        Operator::Dot(dot) => return dot_widths(network, layer, dot, input(0)).map(Some),
        Operator::Add { multipliers, requantize } => {
            let (a, b) =
                (input(0).times(multipliers[0].into()), input(1).times(multipliers[1].into()));
            Some((a.0 + b.0, a.1 + b.1, requantize))
        }
        Operator::Rescale { multiplier, requantize } => {
            let (low, high) = input(0).times((*multiplier).into());
            Some((low, high, requantize))
        }
        Operator::AveragePool { window, multiplier, requantize } => {
            let (low, high) = input(0).times(i128::from(*multiplier) * window.taps() as i128);
            Some((low, high, requantize))
        }
        Operator::MaxPool { .. }
        | Operator::Split { .. }
        | Operator::Concat
        | Operator::Shuffle { .. }
        | Operator::Subsample { .. }
        | Operator::ChannelPad { .. } => None,
    };
    if let Some((low, high, requantize)) = shift {
        let bits = bits_of(low, high + (1_i128 << (requantize.shift - 1)));
        y_fits(layer, None, bits)?;
    }
    Ok(None)
}

fn y_fits(layer: &Layer, channel: Option<usize>, bits: u32) -> Result<(), Error> {
    if bits <= limits::MAX_Y_BITS {
        return Ok(());
    }
    let channel = channel.map_or(String::new(), |channel| format!(", channel {channel}"));
    let limit = format!("at most {}", limits::MAX_Y_BITS);
    Err(Error::limit(
        format!("layer `{}`{channel}", layer.name),
        "the bits that y needs",
        limit,
        bits,
    ))
}

/// The worst case is taken over the actual weights: y is linear in every input code, so each code
/// stands at the end of its range that its own coefficient favours.
fn dot_widths(
    network: &Description,
    layer: &Layer,
    dot: &Dot,
    range: CodeRange,
) -> Result<Widths, Error> {
    let fan_in = network.fan_in(layer, dot);
    let per_channel = dot.weights.multipliers_per_channel();
    let mut widths = Widths { accumulator_bits: 1, y_bits: 1 };
    for (channel, &bias) in dot.bias.iter().enumerate() {
        let weights = channel * fan_in..(channel + 1) * fan_in;
        let multipliers = &dot.multipliers[channel * per_channel..(channel + 1) * per_channel];
        let (accumulator_bits, y) = match &dot.weights {
            Weights::Dbq { codes, .. } => dbq_channel(&codes[weights], multipliers, range),
            Weights::Fixed { values, .. } => fixed_channel(&values[weights], multipliers[0], range),
        };
        let (low, high) = (y.0 + i128::from(bias), y.1 + i128::from(bias));
        let rounding = match dot.output {
            DotOutput::Requantize(requantize) => 1_i128 << (requantize.shift - 1),
            DotOutput::Raw => 0,
        };
        let y_bits = bits_of(low, high + rounding);
        y_fits(layer, Some(channel), y_bits)?;
        if matches!(dot.output, DotOutput::Raw) && layer.output.bits < y_bits {
            let place = format!("layer `{}`, channel {channel}", layer.name);
            let limit = format!("at least the {y_bits} that y needs");
            return Err(Error::limit(
                place,
                "the bits of the raw output",
                limit,
                layer.output.bits,
            ));
        }
        widths.accumulator_bits = widths.accumulator_bits.max(accumulator_bits);
        widths.y_bits = widths.y_bits.max(y_bits);
    }
    Ok(widths)
}

type Span = (i128, i128);

fn add(span: Span, other: Span) -> Span {
    (span.0 + other.0, span.1 + other.1)
}

fn dbq_channel(codes: &[u8], multipliers: &[i32], range: CodeRange) -> (u32, Span) {
    let mut accumulators = vec![(0, 0); multipliers.len()];
    let mut y = (0, 0);
    for &code in codes {
        let mut rest = code;
        let mut coefficient = 0;
        for (accumulator, &multiplier) in accumulators.iter_mut().zip(multipliers) {
            let trit = i128::from(rest % 3) - 1;
            rest /= 3;
            *accumulator = add(*accumulator, range.times(trit));
            coefficient += trit * i128::from(multiplier);
        }
        y = add(y, range.times(coefficient));
    }
    let bits = accumulators.into_iter().map(|(low, high)| bits_of(low, high)).max().unwrap_or(1);
    (bits, y)
}

fn fixed_channel(values: &[i16], multiplier: i32, range: CodeRange) -> (u32, Span) {
    let accumulator =
        values.iter().fold((0, 0), |span, &value| add(span, range.times(value.into())));
    let ends = (accumulator.0 * i128::from(multiplier), accumulator.1 * i128::from(multiplier));
    (bits_of(accumulator.0, accumulator.1), (ends.0.min(ends.1), ends.0.max(ends.1)))
}

impl Geometry {
    /// Whether the layer runs channel by channel.
    pub const fn is_depthwise(&self) -> bool {
        matches!(self, Self::Depthwise { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_twos_complement() {
        for (low, high, bits) in
            [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-128, 127, 8), (-129, 0, 9), (0, 255, 9)]
        {
            assert_eq!(bits_of(low, high), bits);
        }
    }

    #[test]
    fn a_dbq_channel_by_hand() {
        // Two weights (+1, −1) and (0, +1); x in 0…255; m = (10, 3).
        // acc_0 in 0…255, acc_1 in −255…255; coefficients of y: 10 − 3 = 7 and 3.
        let codes = [2, 1 + 3 * 2];
        let range = CodeRange { low: 0, high: 255 };
        assert_eq!(dbq_channel(&codes, &[10, 3], range), (9, (0, 2550)));
    }

    #[test]
    fn a_fixed_channel_by_hand() {
        let range = CodeRange { low: -128, high: 127 };
        // 3·x − 2·z: −128·3 − 127·2 … 127·3 + 128·2, times −1.
        assert_eq!(fixed_channel(&[3, -2], -1, range), (11, (-637, 638)));
    }
}
