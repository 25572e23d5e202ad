//! What the host writes into registers and memories for one layer.

use std::fmt::Write as _;

use super::bus::Bus;
use crate::Error;
use crate::arch::{Architecture, Chunking};
use crate::mapping::{Mapping, StepIndex, Work};
use crate::network::{Digits, Dot, DotOutput, Network, Sign, Weights};

/// Bytes of the largest image, as text.
pub const MAX_IMAGE_BYTES: usize = 1 << 30;

/// Edges of the longest run: its counters have 32 bits.
const MAX_EDGES: u64 = u32::MAX as u64;

/// Words of each memory: powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Codes of the activation memory.
    pub codes: usize,
    /// Words of trits.
    pub trits: usize,
    /// Words of multipliers.
    pub scales: usize,
    /// Words of biases.
    pub biases: usize,
    /// Outputs.
    pub outputs: usize,
}

impl Sizes {
    /// What small layers need, so that one simulator runs them all.
    pub const SMALL: Self =
        Self { codes: 4096, trits: 4096, scales: 256, biases: 256, outputs: 4096 };

    /// Sizes that hold both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            codes: self.codes.max(other.codes),
            trits: self.trits.max(other.trits),
            scales: self.scales.max(other.scales),
            biases: self.biases.max(other.biases),
            outputs: self.outputs.max(other.outputs),
        }
    }
}

/// Registers and memories of a dot-product layer with its input, in the form of `$readmemh` files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The registers of `tridot_layer`.
    registers: Vec<u32>,
    /// Input codes of all images, NHWC, two's complement.
    codes: Vec<u8>,
    /// A word a column tile, pass and chunk.
    trits: Vec<String>,
    /// A word a column tile and round of a tile.
    scales: Vec<String>,
    /// A word a column tile.
    biases: Vec<String>,
    /// Outputs of all images.
    pub outputs: usize,
    /// More edges than the layer can take.
    pub limit: u64,
}

impl Image {
    /// The image of a layer of a network for `images` pictures, whose input codes follow each other in `codes`.
    ///
    /// Refuses a layer of the vector unit, which the RTL has not, one that the architecture cannot run, codes that the
    /// layer cannot have, and an image above [`MAX_IMAGE_BYTES`].
    pub fn new(
        network: &Network,
        layer_idx: usize,
        arch: &Architecture,
        images: usize,
        codes: &[i64],
    ) -> Result<Self, Error> {
        let layer = &network.layers[layer_idx];
        let place = format!("layer `{}`", layer.name);
        let (Some(dot), Some(work)) = (layer.dot(), Work::of(network, layer_idx, images)) else {
            return Err(Error::malformed(place, "is of the vector unit, which the RTL has not"));
        };
        let codes = checked(&place, &work, codes)?;
        let mapping = Mapping::new(&work, arch)?;
        let writer = Writer { arch, dot, digits: network.digits, mapping: &mapping };
        let bytes = writer.bytes();
        if MAX_IMAGE_BYTES as u64 <= bytes {
            let limit = format!("below {MAX_IMAGE_BYTES}");
            return Err(Error::limit(place, "the bytes of its memory image", limit, bytes));
        }
        let limit = writer.most_edges();
        if MAX_EDGES <= limit {
            return Err(Error::limit(place, "the edges of its run", "below 2^32", limit));
        }
        let tiles = 0..mapping.column_tiles;
        Ok(Self {
            registers: writer.registers(),
            codes,
            trits: writer.trits(),
            scales: tiles.clone().flat_map(|tile| writer.scales(tile)).collect(),
            biases: tiles.map(|tile| writer.biases(tile)).collect(),
            outputs: usize::try_from(work.outputs()).expect("their bytes are counted above"),
            limit,
        })
    }

    /// The smallest memories that hold the layer.
    pub fn sizes(&self) -> Sizes {
        let size = |words: usize| words.next_power_of_two().max(2);
        Sizes {
            codes: size(self.codes.len()),
            trits: size(self.trits.len()),
            scales: size(self.scales.len()),
            biases: size(self.biases.len()),
            outputs: size(self.outputs),
        }
    }

    /// Name and text of each file, for `$readmemh`: one word a line from address 0.
    pub fn files(&self) -> [(&'static str, String); 5] {
        let lines =
            |words: &[String]| words.iter().fold(String::new(), |text, word| text + word + "\n");
        let hex = |text: &mut String, digits: usize, word: u32| {
            writeln!(text, "{word:0digits$x}").expect("text has room");
        };
        let (mut registers, mut codes) = (String::new(), String::new());
        self.registers.iter().for_each(|&word| hex(&mut registers, 8, word));
        self.codes.iter().for_each(|&code| hex(&mut codes, 2, code.into()));
        [
            ("layer.hex", registers),
            ("codes.hex", codes),
            ("trits.hex", lines(&self.trits)),
            ("scales.hex", lines(&self.scales)),
            ("biases.hex", lines(&self.biases)),
        ]
    }
}

/// The codes of a layer's input as bytes of two's complement.
fn checked(place: &str, work: &Work, codes: &[i64]) -> Result<Vec<u8>, Error> {
    let elements = work.images.saturating_mul(work.input.elements());
    if work.images == 0 || codes.len() != elements {
        let limit = format!("{} for each of at least 1 image", work.input.elements());
        return Err(Error::limit(place, "the number of input codes", limit, codes.len()));
    }
    let offset = match work.activation_sign {
        Sign::Unsigned => 0,
        Sign::Signed => 1 << (work.activation_bits - 1),
    };
    let range = -offset..(1 << work.activation_bits) - offset;
    let byte = |&code: &i64| {
        if !range.contains(&code) {
            let limit = format!("between {} and {}", range.start, range.end - 1);
            return Err(Error::limit(place, "an input code", limit, code));
        }
        Ok(code.to_le_bytes()[0])
    };
    codes.iter().map(byte).collect()
}

struct Writer<'a> {
    arch: &'a Architecture,
    dot: &'a Dot,
    digits: Digits,
    mapping: &'a Mapping,
}

impl Writer<'_> {
    /// Bytes of all files, a few more than they take.
    fn bytes(&self) -> u64 {
        let (arch, map, work) = (self.arch, self.mapping, self.mapping.work());
        let word = |bits: usize| (bits / 4 + 2) as u64;
        let per_column = arch.segments() * (arch.branches * arch.scale_bits as usize);
        let product = |numbers: &[usize]| {
            numbers.iter().fold(1, |product: u64, &n| product.saturating_mul(n as u64))
        };
        let parts = [
            product(&[work.images, work.input.elements(), 3]),
            product(&[work.images, work.output.elements(), 13]),
            product(&[map.column_tiles, map.passes, map.chunks.len()])
                .saturating_mul(word(arch.columns * arch.branches * arch.lanes * 2)),
            product(&[map.column_tiles, map.passes])
                .saturating_mul(word(arch.columns * per_column)),
            product(&[map.column_tiles]).saturating_mul(word(arch.columns * arch.segments() * 48)),
        ];
        parts.iter().fold(0, |sum: u64, &part| sum.saturating_add(part))
    }

    /// Every round waits for all values of the one before it, at worst one a cycle.
    fn most_edges(&self) -> u64 {
        let (arch, map) = (self.arch, self.mapping);
        let rounds = (map.column_tiles * map.row_tiles * map.passes) as u64;
        let values = (arch.rows * map.segments * arch.branches) as u64;
        map.steps().saturating_add(rounds.saturating_mul(values)).saturating_add(256)
    }

    /// In the order of `tridot_layer`.
    fn registers(&self) -> Vec<u32> {
        let (arch, map, work) = (self.arch, self.mapping, self.mapping.work());
        let depthwise = work.geometry.is_depthwise();
        let per_tap = if depthwise { map.is_diagonal() } else { arch.chunking == Chunking::Tap };
        let (raw, shift, low, high) = match self.dot.output {
            DotOutput::Raw => (true, 1, 0, 0),
            DotOutput::Requantize(end) => (false, end.shift, end.low, end.high),
        };
        let signed = work.activation_sign == Sign::Signed;
        let flags = [depthwise, per_tap, map.segments != 1, work.merged, signed, raw];
        let flags = flags.iter().rev().fold(0, |word, &flag| word << 1 | i64::from(flag));
        let (window, pads) = (map.window(), map.pads());
        let wide = |n: usize| i64::try_from(n).expect("within the limits of a network");
        let [height, width, channels] =
            [work.input.height, work.input.width, work.input.channels].map(wide);
        let [step_y, step_x] = [window.stride_height, window.stride_width].map(wide);
        let (top, left) = (wide(pads.top), wide(pads.left));
        // From one pixel to the next, from the last of a line to the next line, from an image to the next.
        let step = step_x * channels;
        let line = step_y * width * channels - (wide(work.output.width) - 1) * step;
        let image = (height - (wide(work.output.height) - 1) * step_y) * width * channels
            - (wide(work.output.width) - 1) * step;
        let words = [
            flags,
            shift.into(),
            low.into(),
            high.into(),
            wide(map.slices),
            work.planes.max(1).into(),
            height,
            width,
            channels,
            wide(window.kernel_height),
            wide(window.kernel_width),
            wide(work.output.height),
            wide(work.output.width),
            wide(work.output.channels),
            wide(work.pixels()),
            -top,
            -left,
            step_y,
            step_x,
            channels,
            (width + 1 - wide(window.kernel_width)) * channels,
            -(top * width + left) * channels,
            step,
            line,
            image,
        ];
        // Addresses and negative numbers wrap.
        words.iter().map(|&word| (word & 0xffff_ffff).try_into().expect("32 bits")).collect()
    }

    /// A word of trits for each column tile, pass and chunk.
    fn trits(&self) -> Vec<String> {
        let map = self.mapping;
        let mut words = Vec::with_capacity(map.column_tiles * map.passes * map.chunks.len());
        for column_tile in 0..map.column_tiles {
            for pass in 0..map.passes {
                for chunk in 0..map.chunks.len() {
                    let step = StepIndex { column_tile, pass, chunk, ..StepIndex::default() };
                    words.push(self.trit_word(step));
                }
            }
        }
        words
    }

    /// Two bits a trit; lane n of branch b of column q at ((q·branches + b)·lanes + n)·2.
    fn trit_word(&self, step: StepIndex) -> String {
        let arch = self.arch;
        let mut trits = Bus::default();
        for column in 0..arch.columns {
            for branch in 0..arch.branches {
                for lane in 0..arch.lanes {
                    trits.push(self.trit(step, column, branch, lane).into(), 2);
                }
            }
        }
        trits.hex()
    }

    fn trit(&self, step: StepIndex, column: usize, branch: usize, lane: usize) -> i8 {
        let Some(plane) = self.mapping.planes(step.pass).nth(branch) else { return 0 };
        let Some((channel, k)) = self.mapping.trit_source(step, column, lane) else { return 0 };
        let weight = channel * self.mapping.work().fan_in() + k;
        self.dot.weights.trit(u32::try_from(plane).expect("at most 17"), weight, self.digits)
    }

    /// The output channel of a column and segment of a column tile, if there is one.
    fn channel(&self, column_tile: usize, column: usize, segment: usize) -> Option<usize> {
        let map = self.mapping;
        let active =
            column < map.active_columns(column_tile) && segment < map.active_segments(column_tile);
        active.then(|| map.channel(column_tile, column, segment))
    }

    /// A word of multipliers for each round of a tile: m of value v, segment g, column q at
    /// ((q·segments + g)·branches + v)·`scale_bits`.
    fn scales(&self, column_tile: usize) -> Vec<String> {
        let (arch, map) = (self.arch, self.mapping);
        let rounds = if map.work().merged { 1 } else { map.passes };
        let word = |round: usize| {
            let planes = map.planes(round);
            let mut scales = Bus::default();
            for column in 0..arch.columns {
                for segment in 0..arch.segments() {
                    let channel = self.channel(column_tile, column, segment);
                    for value in 0..arch.branches {
                        let index = channel.and_then(|channel| match self.dot.weights {
                            Weights::Fixed { .. } => (value == 0).then_some(channel),
                            Weights::Dbq { branches, .. } => (value < planes.len())
                                .then(|| channel * branches as usize + planes.start + value),
                        });
                        let scale = index.map_or(0, |index| self.dot.multipliers[index]);
                        scales.push(scale.into(), arch.scale_bits as usize);
                    }
                }
            }
            scales.hex()
        };
        (0..rounds).map(word).collect()
    }

    /// A word of biases: of segment g, column q at (q·segments + g)·48.
    fn biases(&self, column_tile: usize) -> String {
        let mut biases = Bus::default();
        for column in 0..self.arch.columns {
            for segment in 0..self.arch.segments() {
                let channel = self.channel(column_tile, column, segment);
                biases.push(channel.map_or(0, |channel| self.dot.bias[channel]), 48);
            }
        }
        biases.hex()
    }
}
