//! What sequencer and memories show the array for one layer, as text for the harness.

use std::fmt::Write as _;

use super::bus::Bus;
use super::count_bits;
use crate::Error;
use crate::arch::Architecture;
use crate::mapping::{CodeSource, Mapping, StepIndex, Work};
use crate::network::{Digits, Dot, DotOutput, Network, Sign, Weights};

/// Bytes of a stimulus.
pub const MAX_STIMULUS_BYTES: usize = 1 << 30;

/// The stimulus of a dot-product layer of a network for `images` pictures, whose input codes follow each
/// other in `codes`. The head of `sim/rtl/harness.cpp` says what its lines mean.
///
/// Refuses a layer that the architecture cannot run, codes that the layer cannot have, and a text above
/// [`MAX_STIMULUS_BYTES`].
pub fn stimulus(
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    images: usize,
    codes: &[i64],
) -> Result<String, Error> {
    let layer = &network.layers[layer_idx];
    let place = format!("layer `{}`", layer.name);
    let (Some(dot), Some(work)) = (layer.dot(), Work::of(network, layer_idx, images)) else {
        return Err(Error::malformed(place, "is no dot-product layer"));
    };
    let elements = images.saturating_mul(work.input.elements());
    if images == 0 || codes.len() != elements {
        let limit = format!("{} for each of at least 1 image", work.input.elements());
        return Err(Error::limit(place, "the number of input codes", limit, codes.len()));
    }
    let offset = match work.activation_sign {
        Sign::Unsigned => 0,
        Sign::Signed => 1 << (work.activation_bits - 1),
    };
    let range = -offset..(1 << work.activation_bits) - offset;
    if let Some(code) = codes.iter().find(|&code| !range.contains(code)) {
        let limit = format!("between {} and {}", range.start, range.end - 1);
        return Err(Error::limit(place, "an input code", limit, code));
    }
    let mapping = Mapping::new(&work, arch)?;
    let writer = Writer { arch, dot, digits: network.digits, mapping: &mapping, codes };
    let bytes = mapping.steps().saturating_mul(writer.step_bytes());
    if MAX_STIMULUS_BYTES as u64 <= bytes {
        let limit = format!("below {MAX_STIMULUS_BYTES}");
        return Err(Error::limit(place, "the bytes of its stimulus", limit, bytes));
    }
    Ok(writer.text())
}

/// The last step of each round, in order: where accumulators go to the scaler.
pub(super) fn rounds(mapping: &Mapping) -> Vec<StepIndex> {
    let ends = |step: &StepIndex| {
        let last_pass = step.pass + 1 == mapping.passes;
        mapping.ends_pass(*step) && (last_pass || !mapping.work().merged)
    };
    steps(mapping).filter(ends).collect()
}

fn steps(mapping: &Mapping) -> impl Iterator<Item = StepIndex> + '_ {
    std::iter::successors(Some(StepIndex::default()), |&step| mapping.next(step))
}

struct Writer<'a> {
    arch: &'a Architecture,
    dot: &'a Dot,
    digits: Digits,
    mapping: &'a Mapping,
    codes: &'a [i64],
}

impl Writer<'_> {
    /// Bytes of the line of one step, a few more than it takes.
    fn step_bytes(&self) -> u64 {
        let arch = self.arch;
        let codes = arch.rows * arch.lanes * arch.activation_bits_per_step as usize;
        let trits = arch.columns * arch.branches * arch.lanes * 2;
        ((codes + trits) / 4 + 32) as u64
    }

    fn text(&self) -> String {
        let (arch, map, work) = (self.arch, self.mapping, self.mapping.work());
        let rounds = rounds(map);
        // Every round waits for all values of the one before it, at worst one a cycle.
        let values = arch.rows * map.segments * arch.branches;
        let limit = map.steps() + (rounds.len() * values) as u64 + 256;
        let (raw, shift, low, high) = match self.dot.output {
            DotOutput::Raw => (1, 1, 0, 0),
            DotOutput::Requantize(end) => (0, end.shift, end.low, end.high),
        };
        let (segmented, merged) = (u8::from(map.segments != 1), u8::from(work.merged));
        let (row_bits, segment_bits) = (count_bits(arch.rows), count_bits(arch.segments()));
        let mut text = format!(
            "limit {limit} {}\nlayer {segmented} {merged} {raw} {shift} {low} {high}\n\
             array {} {} {row_bits} {segment_bits}\nrounds {}\n",
            work.outputs(),
            arch.columns,
            arch.multipliers,
            rounds.len()
        );
        for &round in &rounds {
            self.round(&mut text, round);
        }
        writeln!(text, "steps {}", map.steps()).expect("text has room");
        for step in steps(map) {
            self.step(&mut text, step);
        }
        text
    }

    fn round(&self, text: &mut String, round: StepIndex) {
        let (arch, map) = (self.arch, self.mapping);
        let merged = map.work().merged;
        let planes = map.planes(round.pass);
        let values = if merged { 1 } else { planes.len() };
        let starts = u8::from(merged || round.pass == 0);
        let ends = u8::from(round.pass + 1 == map.passes);
        let (columns, segments) =
            (map.active_columns(round.column_tile), map.active_segments(round.column_tile));
        let (mut scales, mut biases) = (Bus::default(), Bus::default());
        for column in 0..arch.columns {
            for segment in 0..arch.segments() {
                let active = column < columns && segment < segments;
                let channel = active.then(|| map.channel(round.column_tile, column, segment));
                biases.push(channel.map_or(0, |channel| self.dot.bias[channel]), 48);
                for value in 0..arch.branches {
                    let scale = channel.filter(|_| value < values).map_or(0, |channel| {
                        self.dot.multipliers[match self.dot.weights {
                            Weights::Fixed { .. } => channel,
                            Weights::Dbq { branches, .. } => {
                                channel * branches as usize + planes.start + value
                            }
                        }]
                    });
                    scales.push(scale.into(), arch.scale_bits as usize);
                }
            }
        }
        let rows = map.active_rows(round.row_tile);
        let (scales, biases) = (scales.hex(), biases.hex());
        writeln!(text, "{values} {rows} {segments} {starts} {ends} {columns} {scales} {biases}")
            .expect("text has room");
    }

    fn step(&self, text: &mut String, step: StepIndex) {
        let (arch, map, work) = (self.arch, self.mapping, self.mapping.work());
        let bits = arch.activation_bits_per_step as usize;
        let top = step.slice + 1 == map.slices;
        let signed = u8::from(top && work.activation_sign == Sign::Signed);
        let opens_pass = step.chunk == 0 && step.slice == 0;
        let first = u8::from(opens_pass && (step.pass == 0 || !work.merged));
        let widen = u8::from(opens_pass && step.pass != 0 && work.merged);
        let last_pass = step.pass + 1 == map.passes;
        let last = u8::from(map.ends_pass(step) && (last_pass || !work.merged));
        let mut codes = Bus::default();
        for row in 0..arch.rows {
            for lane in 0..arch.lanes {
                let code = match map.code_source(step, row, lane) {
                    CodeSource::Idle | CodeSource::Padding => 0,
                    CodeSource::Element(element) => self.codes[element],
                };
                codes.push(code >> (step.slice * bits), bits);
            }
        }
        let mut trits = Bus::default();
        for column in 0..arch.columns {
            for branch in 0..arch.branches {
                for lane in 0..arch.lanes {
                    trits.push(self.trit(step, column, branch, lane).into(), 2);
                }
            }
        }
        let (shift, codes, trits) = (step.slice * bits, codes.hex(), trits.hex());
        writeln!(text, "{signed} {first} {widen} {last} {shift} {codes} {trits}")
            .expect("text has room");
    }

    fn trit(&self, step: StepIndex, column: usize, branch: usize, lane: usize) -> i8 {
        let Some(plane) = self.mapping.planes(step.pass).nth(branch) else { return 0 };
        let Some((channel, k)) = self.mapping.trit_source(step, column, lane) else { return 0 };
        let weight = channel * self.mapping.work().fan_in() + k;
        self.dot.weights.trit(u32::try_from(plane).expect("at most 17"), weight, self.digits)
    }
}
