//! What the buses carry: chunks of codes and of trits, laid out for the loops of [`super::terms`].
//!
//! Lanes lie in bit-reversed order, so that the two terms of an adder lie half a level apart at every level; the trees of a row
//! (column q, branch b: q·branches + b) lie side by side.

use crate::arch::{Architecture, ClockGating, ZeroTrits};
use crate::mapping::Mapping;

use super::terms::{load, load_where};

/// Where lane n lies: its bits reversed.
pub(super) fn reversed(n: usize, bits: u32) -> usize {
    if bits == 0 { 0 } else { n.reverse_bits() >> (usize::BITS - bits) }
}

/// Place of every lane.
pub(super) fn places(lanes: usize) -> Vec<usize> {
    (0..lanes).map(|lane| reversed(lane, lanes.ilog2())).collect()
}

/// The trits of a column tile: of each pass, of each chunk, lane by lane, tree by tree.
pub(super) struct Trits {
    pub(super) column_tile: usize,
    of_chunks: Vec<i16>,
    /// Words of a chunk.
    words: usize,
}

impl Trits {
    pub(super) fn new(
        map: &Mapping,
        arch: &Architecture,
        planes: &[Vec<i8>],
        places: &[usize],
        column_tile: usize,
    ) -> Self {
        let trees = arch.columns * arch.branches;
        let words = arch.lanes * trees;
        let mut of_chunks = vec![0; map.passes * map.chunks.len() * words];
        let mut chunks = of_chunks.chunks_exact_mut(words);
        let fan_in = map.work().fan_in();
        for pass in 0..map.passes {
            for runs in &map.chunks {
                let chunk = chunks.next().expect("one of each pass and chunk");
                for run in runs {
                    for offset in 0..map.lanes_of(run, column_tile) {
                        let lane = &mut chunk[places[run.lane + offset] * trees..][..trees];
                        let mut put = |column: usize, weight: usize| {
                            let branches = &mut lane[column * arch.branches..];
                            for (trit, plane) in branches.iter_mut().zip(map.planes(pass)) {
                                *trit = planes[plane][weight].into();
                            }
                        };
                        if map.is_dense() {
                            for column in 0..map.active_columns(column_tile) {
                                let channel = map.channel(column_tile, column, 0);
                                put(column, channel * fan_in + run.k + offset);
                            }
                        } else {
                            let (column, channel) = map.depthwise_place(column_tile, run, offset);
                            put(column, channel * fan_in + run.k);
                        }
                    }
                }
            }
        }
        Self { column_tile, of_chunks, words }
    }

    fn chunk(&self, map: &Mapping, pass: usize, chunk: usize) -> &[i16] {
        &self.of_chunks[(pass * map.chunks.len() + chunk) * self.words..][..self.words]
    }
}

/// The codes of a row tile: of each active row, of each chunk, lane by lane.
pub(super) fn gather(
    map: &Mapping,
    lanes: usize,
    codes: &[i16],
    places: &[usize],
    (column_tile, row_tile): (usize, usize),
    gathered: &mut Vec<i16>,
) {
    let rows = map.active_rows(row_tile);
    gathered.clear();
    gathered.resize(rows * map.chunks.len() * lanes, 0);
    let mut chunks = gathered.chunks_exact_mut(lanes);
    for row in 0..rows {
        let pixel = map.pixel(row_tile, row);
        for runs in &map.chunks {
            let chunk = chunks.next().expect("one of each row and chunk");
            for run in runs {
                let len = map.lanes_of(run, column_tile);
                let Some(first) = map.element(column_tile, pixel, run).filter(|_| len != 0) else {
                    continue;
                };
                for (&place, &code) in places[run.lane..].iter().zip(&codes[first..first + len]) {
                    chunk[place] = code;
                }
            }
        }
    }
}

/// The trit registers of the columns, and which trees and operands a step's clock reaches.
pub(super) struct Columns {
    pub(super) trits: Vec<i16>,
    /// −1 where a word's tree is clocked, else 0. All −1 without clock gating.
    pub(super) clocked: Vec<i16>,
    /// Columns and branches that are clocked.
    active: (usize, usize),
    /// Whether all trees are clocked.
    pub(super) all_clocked: bool,
    /// `gate`: −1 where a word's trit is not zero and its tree is clocked.
    pub(super) loads: Vec<i16>,
}

impl Columns {
    pub(super) fn reset(arch: &Architecture) -> Self {
        let words = arch.lanes * arch.columns * arch.branches;
        let loads = match arch.zero_trits {
            ZeroTrits::None => 0,
            ZeroTrits::Gate => words,
        };
        Self {
            trits: vec![0; words],
            clocked: vec![-1; words],
            active: (arch.columns, arch.branches),
            all_clocked: true,
            loads: vec![0; loads],
        }
    }

    /// A pass of a column tile begins: its columns and branches get clocks.
    pub(super) fn begin(
        &mut self,
        map: &Mapping,
        arch: &Architecture,
        column_tile: usize,
        pass: usize,
    ) {
        let active = match arch.clock_gating {
            ClockGating::None => (arch.columns, arch.branches),
            ClockGating::Idle => (map.active_columns(column_tile), map.planes(pass).len()),
        };
        if active == self.active {
            return;
        }
        self.active = active;
        self.all_clocked = active == (arch.columns, arch.branches);
        for (i, clocked) in self.clocked.iter_mut().enumerate() {
            let tree = i % (arch.columns * arch.branches);
            let is_active = tree / arch.branches < active.0 && tree % arch.branches < active.1;
            *clocked = if is_active { -1 } else { 0 };
        }
    }

    /// A chunk's trits reach the columns; returns what toggles.
    pub(super) fn load(&mut self, trits: &Trits, map: &Mapping, pass: usize, chunk: usize) -> u64 {
        let new = trits.chunk(map, pass, chunk);
        let toggles = if self.all_clocked {
            load(&mut self.trits, new, 2)
        } else {
            load_where(&mut self.trits, new, &self.clocked, 2)
        };
        let words = self.loads.iter_mut().zip(&self.trits).zip(&self.clocked);
        for ((loads, &trit), &clocked) in words {
            *loads = if trit == 0 { 0 } else { clocked };
        }
        // With `gate` the operand stage's trit registers see the same.
        if self.loads.is_empty() { toggles } else { 2 * toggles }
    }
}
