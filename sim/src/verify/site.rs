//! One output with all that it is made from, and what it would be if something were wrong.

use super::Kind;
use super::hypotheses::Guess;
use crate::network::{Digits, Dot, DotOutput, Requantize, Shape, Sign};
use crate::vectors::Vectors;

/// What is multiplied at one k: the code, 0 where the tap is padding, and the trit of each plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Code.
    pub code: i64,
    /// Trits, plane 0 first.
    pub trits: Vec<i8>,
}

pub(super) struct Site<'a> {
    dot: &'a Dot,
    vectors: &'a Vectors,
    channel: usize,
    /// What the scaler takes.
    pub(super) accumulators: &'a [i64],
    stale: &'a [i64],
    pub(super) products: Vec<Product>,
}

impl<'a> Site<'a> {
    pub(super) fn new(dot: &'a Dot, digits: Digits, vectors: &'a Vectors, index: usize) -> Self {
        let taken = index * vectors.values..(index + 1) * vectors.values;
        Self {
            dot,
            vectors,
            channel: vectors.place(index)[3],
            accumulators: &vectors.accumulators[taken.clone()],
            stale: &vectors.stale[taken],
            products: products(dot, digits, vectors, index),
        }
    }

    pub(super) fn multipliers(&self) -> &'a [i32] {
        let n = self.vectors.values;
        &self.dot.multipliers[self.channel * n..][..n]
    }

    pub(super) fn bias(&self) -> i64 {
        self.dot.bias[self.channel]
    }

    pub(super) fn y(&self, accumulators: &[i64]) -> i64 {
        with_bias(self.bias(), scaled(self.multipliers(), accumulators))
    }

    /// The output if the accumulators were these.
    fn output(&self, accumulators: &[i64]) -> i64 {
        self.end(self.y(accumulators))
    }

    fn end(&self, y: i64) -> i64 {
        match self.dot.output {
            DotOutput::Raw => y,
            DotOutput::Requantize(end) => clamped(rounded(y, end.shift), end),
        }
    }

    /// What the scaler would take if products were these; all of them are the array's width.
    fn sums(&self, product: impl Fn(usize, &Product, usize) -> i64) -> Vec<i64> {
        let planes = self.vectors.mapping.work().planes as usize;
        let sum = |plane| {
            let products = self.products.iter().enumerate();
            products.map(|(k, operands)| product(k, operands, plane)).sum::<i64>()
        };
        let sums: Vec<i64> = (0..planes).map(sum).collect();
        self.merged(&sums)
    }

    fn merged(&self, sums: &[i64]) -> Vec<i64> {
        if self.vectors.mapping.work().merged {
            return vec![sums.iter().enumerate().map(|(plane, &sum)| sum << plane).sum()];
        }
        sums.to_vec()
    }

    /// The sums if trit k met the code of another k.
    fn exchanged(&self, other: impl Fn(usize) -> Option<usize>) -> Vec<i64> {
        self.sums(|k, operands, plane| {
            let code = other(k).and_then(|k| self.products.get(k)).map_or(0, |other| other.code);
            code * i64::from(operands.trits[plane])
        })
    }

    /// The sums if only these k took part.
    fn only(&self, takes_part: impl Fn(usize) -> bool) -> Vec<i64> {
        self.exchanged(|k| takes_part(k).then_some(k))
    }

    /// Accumulators under every hypothesis about them.
    fn sets(&self) -> Vec<(Kind, Vec<i64>)> {
        let (n, lanes) = (self.products.len(), self.vectors.lanes);
        let work = self.vectors.mapping.work();
        let range = 1_i64 << work.activation_bits;
        let other_sign = |code: i64| match work.activation_sign {
            Sign::Signed => code.rem_euclid(range),
            Sign::Unsigned => code - if range / 2 <= code { range } else { 0 },
        };
        let last_chunk = (n - 1) / lanes * lanes;
        let pair = |k: usize| Some(k ^ 1);
        let first_pair = |k: usize| Some(if k % lanes < 2 { k ^ 1 } else { k });
        let reversed = |k: usize| Some(k / lanes * lanes + lanes - 1 - k % lanes);
        let negated: Vec<i64> = self.accumulators.iter().map(|sum| -sum).collect();
        let mut sets = vec![
            (Kind::Sign, negated),
            (Kind::Sign, self.sums(|_, p, j| other_sign(p.code) * i64::from(p.trits[j]))),
            (Kind::Sign, self.sums(|_, p, j| p.code * i64::from(p.trits[j].abs()))),
            (Kind::Stale, self.stale.to_vec()),
            (Kind::Products, self.only(|k| k + 1 != n)),
            (Kind::Products, self.only(|k| k != 0)),
            (Kind::Products, self.only(|k| k % lanes != lanes - 1)),
            (Kind::Products, self.only(|k| !k.is_multiple_of(lanes))),
            (Kind::Products, self.only(|k| k < last_chunk)),
            (Kind::Products, self.only(|k| lanes <= k)),
            (Kind::Products, self.exchanged(|k| Some(k + 1))),
            (Kind::Products, self.exchanged(|k| k.checked_sub(1))),
            (Kind::Order, self.exchanged(pair)),
            (Kind::Order, self.exchanged(first_pair)),
            (Kind::Order, self.exchanged(reversed)),
        ];
        sets.extend(self.passes().into_iter().map(|set| (Kind::Pass, set)));
        sets
    }

    /// Accumulators with a pass missing.
    fn passes(&self) -> Vec<Vec<i64>> {
        let work = self.vectors.mapping.work();
        let planes = work.planes as usize;
        let branches = self.vectors.branches;
        if !work.merged {
            let of = |keeps: &dyn Fn(usize) -> bool| {
                let sums = self.accumulators.iter().enumerate();
                sums.map(|(plane, &sum)| if keeps(plane) { sum } else { 0 }).collect()
            };
            let firsts = (1..planes).map(|n| of(&|plane| plane < n));
            return firsts.chain((1..planes).map(|n| of(&|plane| n <= plane))).collect();
        }
        let sums: Vec<i64> = (0..planes)
            .map(|plane| {
                self.products.iter().map(|p| p.code * i64::from(p.trits[plane])).sum::<i64>()
            })
            .collect();
        let sum = |sums: &[i64], width: usize| {
            sums.iter().enumerate().map(|(i, &sum)| sum << (i % width)).sum::<i64>()
        };
        let (low, high) = sums.split_at(branches.min(planes));
        vec![
            vec![sum(high, 64)],
            vec![sum(high, 64) << branches],
            vec![sum(low, 64)],
            vec![sum(&sums, branches)],
        ]
    }

    /// What one of the accumulators would be.
    pub(super) fn accumulators(&self, value: usize) -> Vec<Guess> {
        let sets = self.sets().into_iter().map(|(kind, set)| (kind, Some(set[value])));
        let expected = self.accumulators[value];
        let wraps = [8, 16, self.vectors.accumulator_bits - 1]
            .map(|bits| (Kind::Saturation, Some(expected << (64 - bits) >> (64 - bits))));
        let clamps = [8, 16].map(|bits| {
            let most = (1_i64 << (bits - 1)) - 1;
            (Kind::Saturation, Some(expected.clamp(-most - 1, most)))
        });
        sets.chain(wraps).chain(clamps).collect()
    }

    /// What the output would be.
    pub(super) fn outputs(&self) -> Vec<Guess> {
        let mut guesses: Vec<Guess> = Vec::new();
        if let DotOutput::Requantize(end) = self.dot.output {
            guesses.extend(endings(self.y(self.accumulators), end));
        }
        let sets = self.sets();
        guesses.extend(sets.iter().map(|(kind, set)| (*kind, Some(self.output(set)))));
        guesses.extend(self.signs().map(|output| (Kind::Sign, Some(output))));
        guesses.extend(self.scales().map(|output| (Kind::Scale, Some(output))));
        guesses.extend(self.biases().map(|output| (Kind::Bias, output)));
        guesses
    }

    fn signs(&self) -> impl Iterator<Item = i64> + '_ {
        let negated = (0..self.vectors.values).map(|value| {
            let mut accumulators = self.accumulators.to_vec();
            accumulators[value] = -accumulators[value];
            self.output(&accumulators)
        });
        let magnitudes: Vec<i32> = self.multipliers().iter().map(|m| m.abs()).collect();
        let unsigned = self.end(with_bias(self.bias(), scaled(&magnitudes, self.accumulators)));
        negated.chain([unsigned, -self.output(self.accumulators)])
    }

    fn scales(&self) -> impl Iterator<Item = i64> + '_ {
        let n = self.vectors.values;
        let with = |m: Vec<i32>| self.end(with_bias(self.bias(), scaled(&m, self.accumulators)));
        let own = self.multipliers();
        let turned = |by: usize| (0..n).map(|j| own[(j + by) % n]).collect::<Vec<_>>();
        let of = |j: usize| vec![own[j]; n];
        let channels = self.dot.multipliers.len() / n;
        let next = |by: usize| {
            let channel = (self.channel + by) % channels;
            self.dot.multipliers[channel * n..][..n].to_vec()
        };
        let reversed = own.iter().rev().copied().collect();
        // The first of each pass for all of it, and the scales of a pass turned around.
        let branches = self.vectors.branches;
        let first = (0..n).map(|j| own[j - j % branches]).collect();
        let in_pass = own.chunks(branches).flat_map(|pass| pass.iter().rev().copied()).collect();
        [
            first,
            in_pass,
            turned(1),
            turned(n - 1),
            of(0),
            of(n - 1),
            reversed,
            next(1),
            next(channels - 1),
        ]
        .into_iter()
        .map(with)
    }

    fn biases(&self) -> impl Iterator<Item = Option<i64>> + '_ {
        let sum = scaled(self.multipliers(), self.accumulators);
        let own = self.bias();
        let passes = i64::try_from(self.vectors.mapping.passes).expect("at most 17");
        let channel = |at: Option<usize>| at.and_then(|at| self.dot.bias.get(at)).copied();
        let before = channel(self.channel.checked_sub(1));
        [
            Some(0),
            Some(-own),
            Some(2 * own),
            Some(passes * own),
            channel(Some(self.channel + 1)),
            before,
        ]
        .into_iter()
        .map(move |bias| bias.map(|bias| self.end(with_bias(bias, sum))))
    }

    /// What would be here if another place's output were: a neighbour's, or that of another layout.
    pub(super) fn permuted(&self, index: usize, outputs: &[i64]) -> Vec<Guess> {
        let shape = self.vectors.mapping.work().output;
        let [image, row, column, channel] = self.vectors.place(index);
        let at = |row: usize, column: usize, channel: usize| {
            let inside = row < shape.height && column < shape.width && channel < shape.channels;
            inside.then(|| {
                let pixel = (image * shape.height + row) * shape.width + column;
                outputs[pixel * shape.channels + channel]
            })
        };
        let less = |n: usize| n.wrapping_sub(1);
        // A dump in the order of channels, rows, columns.
        let rest = index % shape.elements();
        let (plane, pixel) = (rest / shape.pixels(), rest % shape.pixels());
        [
            at(row, column, channel + 1),
            at(row, column, less(channel)),
            at(row, column, channel ^ 1),
            at(row, column + 1, channel),
            at(row, less(column), channel),
            at(row + 1, column, channel),
            at(less(row), column, channel),
            at(column, row, channel),
            at(pixel / shape.width, pixel % shape.width, plane),
        ]
        .map(|output| (Kind::Order, output))
        .to_vec()
    }
}

/// What rounding, shift and clamp could have made of y.
fn endings(y: i64, end: Requantize) -> Vec<Guess> {
    let Requantize { shift, low, high } = end;
    let (low, high) = (i64::from(low), i64::from(high));
    let clamp = |value: i64| clamped(value, end);
    let value = rounded(y, shift);
    let half = 1_i64 << (shift - 1);
    let floor = y >> shift;
    let toward_zero = y / (1 << shift);
    let half_down = (y + half - 1) >> shift;
    let half_even = if (y + half) & ((1 << shift) - 1) == 0 { value & !1 } else { value };
    let half_away = if y < 0 { -rounded(-y, shift) } else { value };
    let ceiling = (y + (1 << shift) - 1) >> shift;
    let rounding = [floor, toward_zero, half_away, half_even, half_down, ceiling]
        .map(|value| (Kind::Rounding, Some(clamp(value))));
    let saturation = [
        value,
        value << 56 >> 56,
        value & 0xff,
        value.max(low),
        value.min(high),
        value.clamp(low + i64::from(low < high), high),
        value.clamp(low, high - i64::from(low < high)),
        value.clamp(0, high.max(0)),
        value.clamp(-high.abs(), high.abs()),
        value.clamp(-128, 127),
        value.clamp(0, 255),
    ]
    .map(|value| (Kind::Saturation, Some(value)));
    let least = if shift == 1 { y } else { rounded(y, shift - 1) };
    let shifts =
        [least, rounded(y, shift + 1), (y + half) >> (shift - 1), (y + half) >> (shift + 1)]
            .map(|value| (Kind::Shift, Some(clamp(value))));
    [&rounding[..], &saturation, &shifts].concat()
}

/// What is wrong may be large; what is right fits 48 bits.
fn scaled(multipliers: &[i32], accumulators: &[i64]) -> i64 {
    let products = multipliers.iter().zip(accumulators);
    products.fold(0, |sum: i64, (&m, &taken)| sum.wrapping_add(taken.wrapping_mul(m.into())))
}

/// y in its 48 bits.
fn with_bias(bias: i64, sum: i64) -> i64 {
    bias.wrapping_add(sum) << 16 >> 16
}

/// y / 2^shift, half up.
fn rounded(y: i64, shift: u32) -> i64 {
    (y + (1 << (shift - 1))) >> shift
}

fn clamped(value: i64, end: Requantize) -> i64 {
    value.clamp(end.low.into(), end.high.into())
}

/// The operands of each k of an output.
fn products(dot: &Dot, digits: Digits, vectors: &Vectors, index: usize) -> Vec<Product> {
    let (map, work) = (&vectors.mapping, vectors.mapping.work());
    let (window, pads) = (map.window(), map.pads());
    let [image, row, column, channel] = vectors.place(index);
    let Shape { height, width, channels } = work.input;
    let depthwise = work.geometry.is_depthwise();
    let fan_in = work.fan_in();
    let product = |k: usize| {
        let (tap, from) = if depthwise { (k, channel) } else { (k / channels, k % channels) };
        let y = row * window.stride_height + tap / window.kernel_width;
        let x = column * window.stride_width + tap % window.kernel_width;
        let place = y.checked_sub(pads.top).zip(x.checked_sub(pads.left));
        let code = place.filter(|&(y, x)| y < height && x < width).map_or(0, |(y, x)| {
            vectors.codes[((image * height + y) * width + x) * channels + from]
        });
        let trit = |plane| dot.weights.trit(plane, channel * fan_in + k, digits);
        Product { code, trits: (0..work.planes).map(trit).collect() }
    };
    (0..fan_in).map(product).collect()
}
