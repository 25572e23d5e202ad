//! The fast model: the stepped model's counts, from the tile structure alone. TIMING.md, sections 5 and 6.
//!
//! A layer has at most four kinds of tile, full or cut short in rows and in columns, and all tiles have
//! the same rounds; so a layer of any size costs the same few operations.

use crate::Error;
use crate::arch::{Architecture, Chunking, ClockGating, DepthwiseMode, FlipFlops, ZeroTrits};
use crate::counts::Counts;
use crate::limits::MAX_Y_BITS;
use crate::mapping::{VectorWork, Work};
use crate::network::{Geometry, Network, Pads, Window};
use crate::outcome::{LayerOutcome, Outcome};
use crate::units::Cycles;

mod lift;
mod toggles;

pub use lift::{Lift, lift};
pub use toggles::{Sampling, layer_toggles, layer_with_toggles, network_with_toggles};

/// Tiles that are alike.
struct Tiles {
    count: u64,
    /// Rows with a pixel.
    rows: u64,
    /// Columns with a channel.
    columns: u64,
    /// Segments with a channel.
    segments: u64,
}

/// A layer cut for an architecture: every number that the counts are made of.
struct Cut<'a> {
    work: &'a Work,
    arch: &'a Architecture,
    /// The last kind is that of the last tile.
    tiles: Vec<Tiles>,
    row_tiles: u64,
    column_tiles: u64,
    /// Σ over column tiles of columns with a channel.
    columns: u64,
    /// Segments of the tree.
    segments: u64,
    /// Chunks · slices: steps of a pass.
    steps_per_pass: u64,
    passes: u64,
    slices: u64,
    /// Steps of a round.
    steps_per_round: u64,
    /// Values per output of each round of a tile.
    rounds: Vec<u64>,
}

impl<'a> Cut<'a> {
    fn new(work: &'a Work, arch: &'a Architecture) -> Self {
        let pixels = work.pixels() as u64;
        let channels = work.output.channels as u64;
        let lanes = arch.lanes as u64;
        let taps = match work.geometry {
            Geometry::Convolution { window, .. } | Geometry::Depthwise { window, .. } => {
                window.taps()
            }
            Geometry::Linear => work.input.pixels(),
        } as u64;
        let (per_tile, segments, chunks) = match (work.geometry.is_depthwise(), arch.depthwise) {
            (false, _) => {
                let chunks = match arch.chunking {
                    Chunking::Flat => (work.fan_in() as u64).div_ceil(lanes),
                    Chunking::Tap => taps * (work.input.channels as u64).div_ceil(lanes),
                };
                (arch.columns as u64, 1, chunks)
            }
            (true, DepthwiseMode::Column) => (1, 1, taps.div_ceil(lanes)),
            (true, DepthwiseMode::Segments(segments)) => (segments as u64, segments as u64, 1),
            (true, DepthwiseMode::Diagonal) => (lanes.min(arch.columns as u64), 1, taps),
        };
        let slices = u64::from(work.activation_bits.div_ceil(arch.activation_bits_per_step));
        let planes = u64::from(work.planes);
        let passes = planes.div_ceil(arch.branches as u64).max(1);
        let steps_per_pass = chunks * slices;
        let full = arch.branches as u64;
        let (rounds, steps_per_round) = if work.merged {
            (vec![1], steps_per_pass * passes)
        } else {
            ((0..passes).map(|i| full.min(planes - i * full)).collect(), steps_per_pass)
        };
        let tiles = kinds(channels, per_tile, pixels, arch.rows as u64)
            .map(|(count, rows, channels)| Tiles {
                count,
                rows,
                columns: if segments == 1 { channels } else { 1 },
                segments: if segments == 1 { 1 } else { channels },
            })
            .collect();
        Self {
            work,
            arch,
            tiles,
            row_tiles: pixels.div_ceil(arch.rows as u64),
            column_tiles: channels.div_ceil(per_tile),
            columns: if segments == 1 { channels } else { channels.div_ceil(per_tile) },
            segments,
            steps_per_pass,
            passes,
            slices,
            steps_per_round,
            rounds,
        }
    }

    /// Cycles in which the scaler takes a round's values of a tile.
    fn takes(&self, tiles: &Tiles, values: u64) -> u64 {
        let outputs = tiles.rows * tiles.segments;
        let multipliers = self.arch.multipliers as u64;
        if multipliers < 2 * values {
            outputs * values.div_ceil(multipliers)
        } else {
            outputs.div_ceil(multipliers / values)
        }
    }

    /// Σ over all rounds of all tiles.
    fn sum(&self, of: impl Fn(&Tiles, u64) -> u64) -> u64 {
        let tile = |tiles: &Tiles| -> u64 { self.rounds.iter().map(|&p| of(tiles, p)).sum() };
        self.tiles.iter().map(|tiles| tiles.count * tile(tiles)).sum()
    }

    /// Adds everything that belongs to time.
    fn time(&self, counts: &mut Counts) {
        let arch = self.arch;
        let late = |takes: u64| takes.saturating_sub(self.steps_per_round);
        let last_tile = self.tiles.last().expect("a layer has a tile");
        let last = self.takes(last_tile, *self.rounds.last().expect("a tile has a round"));
        // Each round's takes outlast the steps of the next, if at all; after the last there is none.
        let stalls = self.sum(|tiles, values| late(self.takes(tiles, values))) - late(last);
        let stages = arch.operand_stages()
            + arch.tree_stages(usize::try_from(self.segments).expect("at most the lanes"))
            + arch.scaler_stages;
        let tiles = self.row_tiles * self.column_tiles;
        counts.steps = tiles * self.passes * self.steps_per_pass;
        counts.stall_scaler = Cycles(stalls);
        counts.empty = Cycles(4 + stages as u64 + last);
        counts.cycles = Cycles(counts.steps) + counts.stall_scaler + counts.empty;
        counts.moves = tiles * self.rounds.len() as u64;
        counts.scaler_cycles = Cycles(self.sum(|tiles, values| self.takes(tiles, values)));
    }

    /// Adds everything that belongs to work done.
    fn work(&self, counts: &mut Counts) {
        let (work, arch) = (self.work, self.arch);
        let pixels = work.pixels() as u64;
        let planes = u64::from(work.planes);
        let outputs = work.outputs();
        let fan_in = work.fan_in() as u64;
        counts.products = outputs * fan_in * planes * self.slices;
        let turns = self.passes * self.slices;
        counts.activation_reads = turns
            * if work.geometry.is_depthwise() {
                taps_inside(work) * work.input.channels as u64
            } else {
                taps_inside(work) * work.input.channels as u64 * self.column_tiles
            };
        counts.weight_reads = self.row_tiles * work.output.channels as u64 * fan_in * planes;
        counts.busy_engine_steps = pixels * self.columns * self.passes * self.steps_per_pass;
        counts.idle_engine_steps = counts.steps * arch.engines() as u64 - counts.busy_engine_steps;
        counts.output_writes = outputs;
        counts.scaler_operations = outputs * if work.merged { 1 } else { planes };
        if arch.zero_trits == ZeroTrits::Gate {
            let rows = match arch.clock_gating {
                ClockGating::None => arch.rows as u64 * self.row_tiles,
                ClockGating::Idle => pixels,
            };
            counts.operand_loads = work.nonzero_trits * rows * self.slices;
        }
        counts.flip_flop_cycles = match arch.clock_gating {
            ClockGating::None => {
                let slice = u64::from(arch.activation_bits_per_step);
                FlipFlops {
                    operand: counts.operand_loads * slice,
                    ..all_clocked(arch, counts.cycles)
                }
            }
            ClockGating::Idle => self.clocked_at_work(counts),
        };
    }

    fn clocked_at_work(&self, counts: &Counts) -> FlipFlops {
        let (work, arch) = (self.work, self.arch);
        let (pixels, lanes) = (work.pixels() as u64, arch.lanes as u64);
        let slice = u64::from(arch.activation_bits_per_step);
        let planes = u64::from(work.planes);
        // Each pixel meets each column that has a channel.
        let pairs = pixels * self.columns;
        let accumulators = self.segments * u64::from(arch.accumulator_bits);
        let (in_steps, in_moves) = if work.merged { (self.passes, 1) } else { (planes, planes) };
        let segments = usize::try_from(self.segments).expect("at most the lanes");
        let registers = 1 + arch.operand_stages() as u64;
        let takes_per_output: u64 =
            self.rounds.iter().map(|p| p.div_ceil(arch.multipliers as u64)).sum();
        let takes = self.sum(|tiles, values| tiles.columns * self.takes(tiles, values));
        let steps_per_tile = self.passes * self.steps_per_pass;
        FlipFlops {
            activation_bus: pixels * self.column_tiles * steps_per_tile * lanes * slice,
            weight_bus: self.row_tiles
                * self.columns
                * self.steps_per_pass
                * planes
                * 2
                * lanes
                * registers,
            operand: counts.operand_loads * slice,
            tree: pairs * self.steps_per_pass * planes * arch.tree_flip_flops(segments),
            accumulator: pairs * self.steps_per_pass * in_steps * accumulators,
            shadow: pairs * in_moves * accumulators,
            scaler: takes * arch.scaler_flip_flops(),
            partial: work.outputs() * takes_per_output * u64::from(MAX_Y_BITS),
        }
    }
}

/// Kinds of tile as (number, rows, channels); the last is the kind of the last tile.
fn kinds(
    channels: u64,
    per_tile: u64,
    pixels: u64,
    rows: u64,
) -> impl Iterator<Item = (u64, u64, u64)> {
    let parts = |total: u64, part: u64| {
        let rest = total % part;
        [(total / part, part), (u64::from(rest != 0), rest)].into_iter().filter(|kind| kind.0 != 0)
    };
    parts(channels, per_tile).flat_map(move |(column_tiles, channels)| {
        parts(pixels, rows).map(move |(row_tiles, rows)| (column_tiles * row_tiles, rows, channels))
    })
}

/// Σ over output pixels of the batch of taps that lie inside the picture.
fn taps_inside(work: &Work) -> u64 {
    let (window, pads): (Window, Pads) = match work.geometry {
        Geometry::Linear => return (work.input.pixels() * work.images) as u64,
        Geometry::Convolution { window, pads } | Geometry::Depthwise { window, pads } => {
            (window, pads)
        }
    };
    let inside = |outputs: usize, kernel: usize, stride: usize, pad: usize, size: usize| -> usize {
        (0..outputs)
            .map(|at| {
                let first = (at * stride).max(pad);
                (at * stride + kernel).min(pad + size).saturating_sub(first)
            })
            .sum()
    };
    let (input, output) = (work.input, work.output);
    let rows =
        inside(output.height, window.kernel_height, window.stride_height, pads.top, input.height);
    let columns =
        inside(output.width, window.kernel_width, window.stride_width, pads.left, input.width);
    (rows * columns * work.images) as u64
}

/// The counts of a dot-product layer; refuses one that the architecture cannot run.
///
/// [`crate::limits`] keep all counts far below 2^64 for batches whose outputs fit a memory.
pub fn dot_layer(work: &Work, arch: &Architecture) -> Result<Counts, Error> {
    work.fits(arch)?;
    let cut = Cut::new(work, arch);
    let mut counts = Counts::default();
    cut.time(&mut counts);
    cut.work(&mut counts);
    crate::bounds::of(work, arch).assert_held_by(&counts);
    Ok(counts)
}

/// Every flip-flop at every edge, but the operand registers, which have clock gates of their own.
fn all_clocked(arch: &Architecture, Cycles(cycles): Cycles) -> FlipFlops {
    let all = arch.flip_flops();
    FlipFlops {
        activation_bus: all.activation_bus * cycles,
        weight_bus: all.weight_bus * cycles,
        operand: 0,
        tree: all.tree * cycles,
        accumulator: all.accumulator * cycles,
        shadow: all.shadow * cycles,
        scaler: all.scaler * cycles,
        partial: all.partial * cycles,
    }
}

/// The counts of a layer on the vector unit: the array rests, but without clock gating it has its clock.
pub fn vector_layer(work: &VectorWork, arch: &Architecture) -> Counts {
    let groups = work.elements.div_ceil(arch.vector_lanes as u64);
    let cycles = Cycles(groups + arch.vector_latency_cycles);
    Counts {
        cycles,
        vector_cycles: cycles,
        vector_elements: work.elements,
        vector_multiplies: work.multiplies,
        vector_adds: work.adds,
        vector_reads: work.reads,
        vector_writes: work.writes,
        flip_flop_cycles: match arch.clock_gating {
            ClockGating::None => all_clocked(arch, cycles),
            ClockGating::Idle => FlipFlops::default(),
        },
        ..Counts::default()
    }
}

/// Any layer of a network, for a batch of images.
pub fn layer(
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    images: usize,
) -> Result<LayerOutcome, Error> {
    let name = network.layers[layer_idx].name.clone();
    if let Some(work) = Work::of(network, layer_idx, images) {
        let counts = dot_layer(&work, arch)?;
        return Ok(LayerOutcome {
            name,
            counts,
            toggles: None,
            bounds: Some(crate::bounds::of(&work, arch)),
        });
    }
    let work = VectorWork::of(network, layer_idx, images).expect("it is no dot-product layer");
    Ok(LayerOutcome { name, counts: vector_layer(&work, arch), toggles: None, bounds: None })
}

/// A whole network, layer after layer, for a batch of images.
pub fn network(network: &Network, arch: &Architecture, images: usize) -> Result<Outcome, Error> {
    let layers = (0..network.layers.len()).map(|i| layer(network, i, arch, images));
    Ok(Outcome { images, layers: layers.collect::<Result<_, _>>()? })
}
