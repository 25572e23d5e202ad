//! Layer × architecture → ordered tiles, passes, chunks and slices. TIMING.md, section 3.

use crate::Error;
use crate::arch::{Architecture, Chunking, DepthwiseMode};
use crate::network::{Geometry, Pads, Shape, Window};

mod vector;
mod work;

pub use vector::VectorWork;
pub use work::Work;

/// Which lanes, columns and segments meet in a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Every column reads all lanes.
    Dense,
    /// Column 0 alone, all lanes one channel.
    Column,
    /// Column 0 alone; segment g is lanes `g·width ..` and serves channel g of the tile.
    Segments { width: usize },
    /// Column q reads lane q alone.
    Diagonal,
}

/// Consecutive lanes of a chunk that read consecutive channels of one tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// First lane.
    pub lane: usize,
    /// How many lanes.
    pub len: usize,
    /// Tap: row of the kernel.
    pub kernel_row: usize,
    /// Tap: column of the kernel.
    pub kernel_column: usize,
    /// Input channel of the first lane; for depthwise layers counted from the tile's first channel.
    pub channel: usize,
    /// k of the first lane. Depthwise: the tap, and the same for all lanes of the run.
    pub k: usize,
}

/// The position of a step in the loops, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StepIndex {
    /// Which output channels.
    pub column_tile: usize,
    /// Which output pixels.
    pub row_tile: usize,
    /// Which planes.
    pub pass: usize,
    /// Which part of K.
    pub chunk: usize,
    /// Which bits of the activations.
    pub slice: usize,
}

/// Where a lane of a row takes its code from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeSource {
    /// The lane or the row has nothing to do: code 0.
    Idle,
    /// A padded tap: code 0, no read.
    Padding,
    /// Element of the input codes, all images in one slice, NHWC.
    Element(usize),
}

/// The ordered work of one dot-product layer on an architecture.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    work: Work,
    style: Style,
    window: Window,
    pads: Pads,
    rows: usize,
    /// Chunks of every tile, as runs of lanes.
    pub chunks: Vec<Vec<Run>>,
    /// Output channels of a full column tile.
    pub channels_per_tile: usize,
    /// Number of column tiles.
    pub column_tiles: usize,
    /// Number of row tiles.
    pub row_tiles: usize,
    /// Passes of a tile.
    pub passes: usize,
    /// Planes of a full pass: the branches.
    branches: usize,
    /// Bit slices of a chunk.
    pub slices: usize,
    /// Segments that the tree is split into: 1 unless the layer is depthwise in mode `segments`.
    pub segments: usize,
}

/// A linear layer is a convolution whose kernel covers the picture.
fn window_of(work: &Work) -> (Window, Pads) {
    match work.geometry {
        Geometry::Convolution { window, pads } | Geometry::Depthwise { window, pads } => {
            (window, pads)
        }
        Geometry::Linear => {
            let window = Window {
                kernel_height: work.input.height,
                kernel_width: work.input.width,
                stride_height: 1,
                stride_width: 1,
            };
            (window, Pads::default())
        }
    }
}

impl Mapping {
    /// Maps a layer; refuses one that the architecture cannot run.
    pub fn new(work: &Work, arch: &Architecture) -> Result<Self, Error> {
        work.fits(arch)?;
        let (window, pads) = window_of(work);
        let style = match (work.geometry.is_depthwise(), arch.depthwise) {
            (false, _) => Style::Dense,
            (true, DepthwiseMode::Column) => Style::Column,
            (true, DepthwiseMode::Segments(n)) => Style::Segments { width: arch.lanes / n },
            (true, DepthwiseMode::Diagonal) => Style::Diagonal,
        };
        let channels_per_tile = match style {
            Style::Dense => arch.columns,
            Style::Column => 1,
            Style::Segments { width } => arch.lanes / width,
            Style::Diagonal => arch.lanes.min(arch.columns),
        };
        let segments = if let Style::Segments { .. } = style { channels_per_tile } else { 1 };
        Ok(Self {
            chunks: chunks(work, arch, style, window, channels_per_tile),
            channels_per_tile,
            column_tiles: work.output.channels.div_ceil(channels_per_tile),
            row_tiles: work.pixels().div_ceil(arch.rows),
            passes: (work.planes as usize).div_ceil(arch.branches).max(1),
            branches: arch.branches,
            slices: work.activation_bits.div_ceil(arch.activation_bits_per_step) as usize,
            segments,
            work: work.clone(),
            style,
            window,
            pads,
            rows: arch.rows,
        })
    }

    /// What is mapped.
    pub const fn work(&self) -> &Work {
        &self.work
    }

    /// Kernel and stride; those of a linear layer cover the picture.
    pub(crate) const fn window(&self) -> Window {
        self.window
    }

    /// Padding; none for a linear layer.
    pub(crate) const fn pads(&self) -> Pads {
        self.pads
    }

    /// Number of steps.
    pub fn steps(&self) -> u64 {
        [self.row_tiles, self.passes, self.chunks.len(), self.slices]
            .iter()
            .fold(self.column_tiles as u64, |steps, &n| steps * n as u64)
    }

    /// The step after this one, in the order of the loops.
    pub fn next(&self, step: StepIndex) -> Option<StepIndex> {
        let StepIndex { column_tile, row_tile, pass, chunk, slice } = step;
        if slice + 1 < self.slices {
            return Some(StepIndex { slice: slice + 1, ..step });
        }
        if chunk + 1 < self.chunks.len() {
            return Some(StepIndex { chunk: chunk + 1, slice: 0, ..step });
        }
        if pass + 1 < self.passes {
            return Some(StepIndex { pass: pass + 1, chunk: 0, slice: 0, ..step });
        }
        let next = StepIndex { column_tile, row_tile: row_tile + 1, ..StepIndex::default() };
        if next.row_tile < self.row_tiles {
            return Some(next);
        }
        let next = StepIndex { column_tile: column_tile + 1, ..StepIndex::default() };
        (next.column_tile < self.column_tiles).then_some(next)
    }

    /// Whether this is the last step of its pass.
    pub fn ends_pass(&self, step: StepIndex) -> bool {
        step.chunk + 1 == self.chunks.len() && step.slice + 1 == self.slices
    }

    /// Rows with a pixel: rows `0 ..` of the array.
    pub fn active_rows(&self, row_tile: usize) -> usize {
        self.rows.min(self.work.pixels() - row_tile * self.rows)
    }

    /// Output channels of a column tile.
    pub fn active_channels(&self, column_tile: usize) -> usize {
        let first = column_tile * self.channels_per_tile;
        self.channels_per_tile.min(self.work.output.channels - first)
    }

    /// Columns with a channel: columns `0 ..` of the array.
    pub fn active_columns(&self, column_tile: usize) -> usize {
        match self.style {
            Style::Dense | Style::Diagonal => self.active_channels(column_tile),
            Style::Column | Style::Segments { .. } => 1,
        }
    }

    /// Segments with a channel in each active column.
    pub fn active_segments(&self, column_tile: usize) -> usize {
        self.active_channels(column_tile) / self.active_columns(column_tile)
    }

    /// The output channel of a column and segment; both active.
    pub const fn channel(&self, column_tile: usize, column: usize, segment: usize) -> usize {
        // One of the two is always 0: only column 0 has segments.
        column_tile * self.channels_per_tile + column + segment
    }

    /// The output pixel of a row, all images counted through.
    pub const fn pixel(&self, row_tile: usize, row: usize) -> usize {
        row_tile * self.rows + row
    }

    /// The planes of a pass, from branch 0 on.
    pub fn planes(&self, pass: usize) -> std::ops::Range<usize> {
        let turn = if self.work.merged { self.passes - 1 - pass } else { pass };
        let first = turn * self.branches;
        first..(first + self.branches).min(self.work.planes as usize)
    }

    /// The input channel from which the runs of a column tile count.
    pub const fn base_channel(&self, column_tile: usize) -> usize {
        match self.style {
            Style::Dense => 0,
            Style::Column | Style::Segments { .. } | Style::Diagonal => {
                column_tile * self.channels_per_tile
            }
        }
    }

    /// How many lanes of a run have a channel in this column tile.
    pub fn lanes_of(&self, run: &Run, column_tile: usize) -> usize {
        match self.style {
            Style::Dense => run.len,
            Style::Column | Style::Segments { .. } | Style::Diagonal => {
                run.len.min(self.active_channels(column_tile).saturating_sub(run.channel))
            }
        }
    }

    /// The first input element of a run for an output pixel, or none where the tap is padding.
    pub fn element(&self, column_tile: usize, pixel: usize, run: &Run) -> Option<usize> {
        let Shape { height, width, channels } = self.work.input;
        let (of_image, of_row) = (self.work.output.pixels(), self.work.output.width);
        let (image, rest) = (pixel / of_image, pixel % of_image);
        let y = (rest / of_row) * self.window.stride_height + run.kernel_row;
        let x = (rest % of_row) * self.window.stride_width + run.kernel_column;
        let (y, x) = (y.checked_sub(self.pads.top)?, x.checked_sub(self.pads.left)?);
        let inside = y < height && x < width;
        let channel = self.base_channel(column_tile) + run.channel;
        inside.then(|| ((image * height + y) * width + x) * channels + channel)
    }

    /// Where a lane of a row takes its code from.
    pub fn code_source(&self, step: StepIndex, row: usize, lane: usize) -> CodeSource {
        if self.active_rows(step.row_tile) <= row {
            return CodeSource::Idle;
        }
        let Some((run, offset)) = self.run_of(step, lane) else {
            return CodeSource::Idle;
        };
        match self.element(step.column_tile, self.pixel(step.row_tile, row), run) {
            None => CodeSource::Padding,
            Some(first) => CodeSource::Element(first + offset),
        }
    }

    /// The run that a lane belongs to, and its place there; none for a lane without work.
    fn run_of(&self, step: StepIndex, lane: usize) -> Option<(&Run, usize)> {
        let runs = &self.chunks[step.chunk];
        let run = &runs[runs.partition_point(|run| run.lane <= lane).checked_sub(1)?];
        let offset = lane - run.lane;
        (offset < self.lanes_of(run, step.column_tile)).then_some((run, offset))
    }

    /// The output channel and k of the trit on a lane of a column; none for trit 0 by rule.
    pub fn trit_source(
        &self,
        step: StepIndex,
        column: usize,
        lane: usize,
    ) -> Option<(usize, usize)> {
        if self.active_columns(step.column_tile) <= column {
            return None;
        }
        let (run, offset) = self.run_of(step, lane)?;
        if self.is_dense() {
            return Some((self.channel(step.column_tile, column, 0), run.k + offset));
        }
        let (only, channel) = self.depthwise_place(step.column_tile, run, offset);
        (column == only).then_some((channel, run.k))
    }

    /// The one column that a lane of a depthwise layer's run feeds, and the channel there.
    pub const fn depthwise_place(
        &self,
        column_tile: usize,
        run: &Run,
        offset: usize,
    ) -> (usize, usize) {
        // Only in mode `diagonal` has a run more than one lane; lane q feeds column q.
        (offset, self.base_channel(column_tile) + run.channel + offset)
    }

    /// Whether column q reads lane q alone.
    pub(crate) const fn is_diagonal(&self) -> bool {
        matches!(self.style, Style::Diagonal)
    }

    /// Whether all columns read whole runs with consecutive k: they can be copied.
    pub const fn is_dense(&self) -> bool {
        matches!(self.style, Style::Dense)
    }
}

fn chunks(
    work: &Work,
    arch: &Architecture,
    style: Style,
    window: Window,
    channels_per_tile: usize,
) -> Vec<Vec<Run>> {
    let taps = (0..window.kernel_height)
        .flat_map(|row| (0..window.kernel_width).map(move |column| (row, column)));
    let run = |lane, len, (kernel_row, kernel_column), channel, k| Run {
        lane,
        len,
        kernel_row,
        kernel_column,
        channel,
        k,
    };
    let tap_run = |lane, tap: usize, channel, len| {
        let place = (tap / window.kernel_width, tap % window.kernel_width);
        run(lane, len, place, channel, tap)
    };
    match style {
        Style::Dense => dense_chunks(taps, work.input.channels, arch, run),
        Style::Column => {
            let taps: Vec<usize> = (0..window.taps()).collect();
            taps.chunks(arch.lanes)
                .map(|taps| {
                    taps.iter().enumerate().map(|(i, &tap)| tap_run(i, tap, 0, 1)).collect()
                })
                .collect()
        }
        Style::Segments { width } => {
            let lane = |g: usize, tap: usize| tap_run(g * width + tap, tap, g, 1);
            let segment = |g| (0..window.taps()).map(move |tap| lane(g, tap));
            vec![(0..channels_per_tile).flat_map(segment).collect()]
        }
        Style::Diagonal => {
            (0..window.taps()).map(|tap| vec![tap_run(0, tap, 0, channels_per_tile)]).collect()
        }
    }
}

/// Cuts K into chunks of lanes, and these into runs of one tap each.
fn dense_chunks(
    taps: impl Iterator<Item = (usize, usize)>,
    channels: usize,
    arch: &Architecture,
    run: impl Fn(usize, usize, (usize, usize), usize, usize) -> Run,
) -> Vec<Vec<Run>> {
    let mut chunks: Vec<Vec<Run>> = Vec::new();
    let mut used = arch.lanes;
    for (tap_idx, tap) in taps.enumerate() {
        if arch.chunking == Chunking::Tap {
            used = arch.lanes;
        }
        let mut channel = 0;
        while channel < channels {
            if used == arch.lanes {
                chunks.push(Vec::new());
                used = 0;
            }
            let len = (arch.lanes - used).min(channels - channel);
            let last = chunks.last_mut().expect("a chunk was begun");
            last.push(run(used, len, tap, channel, tap_idx * channels + channel));
            used += len;
            channel += len;
        }
    }
    chunks
}

#[cfg(test)]
mod tests;
