//! Toggles from the data and the tile structure: without a clock, since what is frozen keeps its value, so that the bits
//! of each register and net follow from the sequence of its values. TIMING.md, section 9.

use crate::Error;
use crate::arch::{Architecture, ClockGating};
use crate::counts::{ToggleCounts, Toggles};
use crate::mapping::{Mapping, Work};
use crate::network::{Dot, Network, Sign};
use crate::outcome::{LayerOutcome, Outcome};

mod row;
mod scaler;
mod terms;
mod wires;

use row::{Accumulation, Depths, Row};
use scaler::{Round, Scaler};
use terms::Term;
use wires::{Columns, Trits, gather, places};

/// Which tiles of a layer are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sampling {
    /// All.
    #[default]
    All,
    /// One of each n tiles that follow each other, by the rule of TIMING.md, section 9; of 0 or 1: all.
    OneOf(u32),
}

impl Sampling {
    /// The tiles that are counted, in order.
    fn tiles(self, tiles: u64) -> Vec<u64> {
        let Self::OneOf(block @ 2..) = self else { return (0..tiles).collect() };
        let block = u64::from(block);
        // A step of 0.618 blocks spreads the places evenly and meets no period of rows or images.
        let stride = 618 * block / 1000;
        let place = |i: u64| i * block + i * stride % block;
        (0..tiles.div_ceil(block)).map(place).filter(|&tile| tile < tiles).collect()
    }
}

/// Toggles of a dot-product layer; `codes` are the input codes of all images, NHWC.
pub fn layer_toggles(
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    images: usize,
    codes: &[i64],
    sampling: Sampling,
) -> Result<ToggleCounts, Error> {
    let layer = &network.layers[layer_idx];
    let place = format!("layer `{}`", layer.name);
    let (Some(dot), Some(work)) = (layer.dot(), Work::of(network, layer_idx, images)) else {
        return Err(Error::malformed(place, "is no dot-product layer"));
    };
    let map = Mapping::new(&work, arch)?;
    let codes = checked(&work, codes, &place)?;
    let plane =
        |j| (0..dot.weights.len()).map(|i| dot.weights.trit(j, i, network.digits)).collect();
    let site = Site {
        arch,
        dot,
        depths: Depths::new(&map, arch),
        map,
        planes: (0..work.planes).map(plane).collect(),
        codes,
        places: places(arch.lanes),
    };
    let top_bits = arch.activation_bits_per_step + 1 + arch.lanes.ilog2();
    Ok(if top_bits <= i16::BITS {
        site.count::<i16>(sampling)
    } else {
        site.count::<i32>(sampling)
    })
}

/// The counts of a whole network, with toggles: `inputs[i]` are the codes of layer i's (first) input, all images one after the
/// other; those of a layer on the vector unit are not read.
pub fn network_with_toggles(
    network: &Network,
    arch: &Architecture,
    images: usize,
    inputs: &[&[i64]],
    sampling: Sampling,
) -> Result<Outcome, Error> {
    if inputs.len() != network.layers.len() {
        let limit = format!("one for each of {} layers", network.layers.len());
        return Err(Error::limit("toggles", "the number of inputs", limit, inputs.len()));
    }
    let layer = |(layer_idx, codes): (usize, &&[i64])| {
        layer_with_toggles(network, layer_idx, arch, images, codes, sampling)
    };
    let layers = inputs.iter().enumerate().map(layer).collect::<Result<_, _>>()?;
    Ok(Outcome { images, layers })
}

/// Any layer of a network, with toggles where it is a dot-product layer; see [`network_with_toggles`].
pub fn layer_with_toggles(
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    images: usize,
    codes: &[i64],
    sampling: Sampling,
) -> Result<LayerOutcome, Error> {
    let mut outcome = super::layer(network, layer_idx, arch, images)?;
    if network.layers[layer_idx].dot().is_some() {
        outcome.toggles = Some(layer_toggles(network, layer_idx, arch, images, codes, sampling)?);
    }
    Ok(outcome)
}

/// Codes as words; refuses a wrong number, and codes that the tensor's bits cannot hold.
fn checked(work: &Work, codes: &[i64], place: &str) -> Result<Vec<i16>, Error> {
    let elements = work.input.elements();
    if codes.len() != elements.saturating_mul(work.images) {
        let limit = format!("{elements} for each of {} images", work.images);
        return Err(Error::limit(place, "the number of input codes", limit, codes.len()));
    }
    let span = 1_i64 << work.activation_bits;
    let low = if work.activation_sign == Sign::Signed { -span / 2 } else { 0 };
    let allowed = low..low + span;
    let word = |&code: &i64| {
        let word = i16::try_from(code).ok().filter(|_| allowed.contains(&code));
        let limit = || format!("between {low} and {}", low + span - 1);
        word.ok_or_else(|| Error::limit(place, "an input code", limit(), code))
    };
    codes.iter().map(word).collect()
}

/// A layer with its data on an architecture.
struct Site<'a> {
    arch: &'a Architecture,
    dot: &'a Dot,
    map: Mapping,
    depths: Depths,
    planes: Vec<Vec<i8>>,
    codes: Vec<i16>,
    /// Where each lane lies.
    places: Vec<usize>,
}

/// Everything that holds a value.
struct Registers<T> {
    columns: Columns,
    rows: Vec<Row<T>>,
    scaler: Scaler,
}

/// What is made anew for a tile, in buffers that are kept.
struct Buffers {
    trits: Option<Trits>,
    codes: Vec<i16>,
    slice: Vec<i16>,
}

impl Site<'_> {
    fn count<T: Term>(&self, sampling: Sampling) -> ToggleCounts {
        let tiles = (self.map.column_tiles * self.map.row_tiles) as u64;
        let counted = sampling.tiles(tiles);
        let mut buffers =
            Buffers { trits: None, codes: Vec::new(), slice: vec![0; self.arch.lanes] };
        let mut registers = self.reset::<T>();
        let mut toggles = Toggles::default();
        let mut before = None;
        for &tile in &counted {
            // A tile that follows no counted one follows its predecessor, which counts for nothing.
            if let Some(previous) = tile.checked_sub(1).filter(|_| sampling != Sampling::All)
                && before != Some(previous)
            {
                registers = self.reset();
                self.tile(previous, &mut registers, &mut buffers, &mut Toggles::default());
            }
            self.tile(tile, &mut registers, &mut buffers, &mut toggles);
            before = Some(tile);
        }
        ToggleCounts { counted: toggles, tiles_counted: counted.len() as u64, tiles }
    }

    fn reset<T: Term>(&self) -> Registers<T> {
        let row = |_| Row::reset(&self.map, self.arch, self.depths);
        Registers {
            columns: Columns::reset(self.arch),
            rows: (0..self.arch.rows).map(row).collect(),
            scaler: Scaler::reset(&self.map, self.arch),
        }
    }

    /// The steps and takes of a tile.
    fn tile<T: Term>(
        &self,
        tile: u64,
        registers: &mut Registers<T>,
        buffers: &mut Buffers,
        toggles: &mut Toggles,
    ) {
        let (map, arch) = (&self.map, self.arch);
        let tile = usize::try_from(tile).expect("tiles are numbered in memory's words");
        let (column_tile, row_tile) = (tile / map.row_tiles, tile % map.row_tiles);
        let trits = match buffers.trits.take().filter(|trits| trits.column_tile == column_tile) {
            Some(trits) => trits,
            None => Trits::new(map, arch, &self.planes, &self.places, column_tile),
        };
        let at = (column_tile, row_tile);
        gather(map, arch.lanes, &self.codes, &self.places, at, &mut buffers.codes);
        for pass in 0..map.passes {
            registers.columns.begin(map, arch, column_tile, pass);
            for chunk in 0..map.chunks.len() {
                toggles.weight_bus += registers.columns.load(&trits, map, pass, chunk);
                for slice in 0..map.slices {
                    let step = Step { column_tile, row_tile, pass, chunk, slice };
                    self.step(step, registers, buffers, toggles);
                }
            }
            if pass + 1 == map.passes || !map.work().merged {
                let Registers { rows, scaler, .. } = &mut *registers;
                let round = Round { column_tile, row_tile, pass };
                let site = (map, arch, self.dot);
                scaler.take(site, round, |row| &rows[row].accumulators, toggles);
            }
        }
        buffers.trits = Some(trits);
    }

    /// The trits are on the columns; a slice of the codes reaches the rows.
    fn step<T: Term>(
        &self,
        step: Step,
        registers: &mut Registers<T>,
        buffers: &mut Buffers,
        toggles: &mut Toggles,
    ) {
        let (map, arch, depths) = (&self.map, self.arch, self.depths);
        let bits = arch.activation_bits_per_step;
        let (columns, lanes) = (&registers.columns, arch.lanes);
        let active_rows = map.active_rows(step.row_tile);
        let accumulation = self.accumulation(step);
        for (row_idx, row) in registers.rows.iter_mut().enumerate() {
            let clocked = row_idx < active_rows || arch.clock_gating == ClockGating::None;
            if clocked {
                if row_idx < active_rows {
                    let at = (row_idx * map.chunks.len() + step.chunk) * lanes;
                    self.slice(step.slice, &buffers.codes[at..at + lanes], &mut buffers.slice);
                } else {
                    buffers.slice.fill(0);
                }
                row.load(&buffers.slice, bits, arch.columns * arch.branches, toggles);
                row.load_operands(columns, bits, toggles);
            }
            row.follow(columns, depths, bits, toggles);
            if clocked {
                row.advance(columns, depths, bits, toggles);
                row.accumulate(columns, depths, accumulation, toggles);
            }
        }
    }

    /// One bit slice of each code; the top one keeps the sign.
    fn slice(&self, slice: usize, codes: &[i16], out: &mut [i16]) {
        if self.map.slices == 1 {
            out.copy_from_slice(codes);
            return;
        }
        let bits = self.arch.activation_bits_per_step as usize;
        let is_top = slice + 1 == self.map.slices;
        let mask = if is_top { -1 } else { (1_i16 << bits) - 1 };
        for (out, &code) in out.iter_mut().zip(codes) {
            *out = (code >> (slice * bits)) & mask;
        }
    }

    fn accumulation(&self, step: Step) -> Accumulation {
        let (map, arch) = (&self.map, self.arch);
        let merged = map.work().merged;
        let starts_pass = step.chunk == 0 && step.slice == 0;
        let keep = match (starts_pass, merged && step.pass != 0) {
            (false, _) => 1,
            (true, false) => 0,
            (true, true) => 1 << arch.branches,
        };
        let slice = u32::try_from(step.slice).expect("at most 8 slices");
        Accumulation {
            keep,
            shift: slice * arch.activation_bits_per_step,
            merged: merged.then(|| map.planes(step.pass).len()),
            branches: arch.branches,
            columns: arch.columns,
            clocked_columns: match arch.clock_gating {
                ClockGating::None => arch.columns,
                ClockGating::Idle => map.active_columns(step.column_tile),
            },
            bits: arch.accumulator_bits,
        }
    }
}

/// A place in the loops.
#[derive(Clone, Copy)]
struct Step {
    column_tile: usize,
    row_tile: usize,
    pass: usize,
    chunk: usize,
    slice: usize,
}
