//! Dot products over all input channels: register tiles of pixels × vectors of output channels.
//!
//! The image is padded, so each kernel row under a window is one contiguous run of bytes, read 4 at a time
//! and broadcast; all planes of a channel share the broadcast. A group of channel vectors, with all its
//! planes, walks over all pixels before the next one, so its weights stay in the nearest cache.
#![expect(unsafe_code, reason = "vector primitives on raw pointers")]

use super::lanes::{Lanes, Line, MAX_LANES, MAX_TILE_VECTORS, Sums, Tile};
use super::scale::{Scale, Sink};

/// How output pixels lie over the image, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) step_x: usize,
    pub(super) step_y: usize,
}

impl Walk {
    pub(super) fn pixels(self) -> usize {
        self.width * self.height
    }

    /// Offset of the last pixel's window.
    pub(super) fn last(self) -> usize {
        (self.height - 1) * self.step_y + (self.width - 1) * self.step_x
    }

    pub(super) fn start(self) -> Offsets {
        Offsets { walk: self, x: 0, row: 0, offset: 0 }
    }
}

/// Runs through the offsets of all windows in raster order.
#[derive(Debug, Clone)]
pub(super) struct Offsets {
    walk: Walk,
    x: usize,
    row: usize,
    offset: usize,
}

impl Offsets {
    #[inline(always)]
    pub(super) fn take(&mut self) -> usize {
        let offset = self.offset;
        self.x += 1;
        self.offset += self.walk.step_x;
        if self.x == self.walk.width {
            self.x = 0;
            self.row += self.walk.step_y;
            self.offset = self.row;
        }
        offset
    }
}

/// A packed dense layer.
#[derive(Debug)]
pub(super) struct Dense {
    pub(super) walk: Walk,
    /// Kernel rows, and the bytes between two of them.
    pub(super) rows: usize,
    pub(super) row_stride: usize,
    /// Steps of 4 bytes in a kernel row.
    pub(super) steps: usize,
    /// Whether codes and weights are i16, two a step, or u8 and i8, four a step.
    pub(super) words: bool,
    /// Steps after which 16-bit sums must be widened.
    pub(super) block: usize,
    /// Channel vectors of a group.
    pub(super) group: usize,
    /// `[group][row][step][channel vector of the group][plane][lane][4 bytes]`.
    pub(super) weights: Vec<Line>,
}

impl Dense {
    /// Bytes of the image that are read.
    fn reach(&self) -> usize {
        self.walk.last() + (self.rows - 1) * self.row_stride + 4 * self.steps
    }
}

/// Computes the layer over its image.
///
/// # Safety
///
/// The machine has the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn run<L: Lanes>(
    layer: &Dense,
    scale: &Scale,
    image: &[u8],
    sink: &mut Sink<'_>,
) {
    assert!(L::LANES == scale.lanes, "packed for another instruction set");
    assert!(layer.reach() <= image.len(), "the last window lies inside the image");
    let vectors = scale.channel_vectors() * scale.planes;
    let weight_bytes = layer.rows * layer.steps * vectors * L::LANES * 4;
    assert!(weight_bytes <= layer.weights.len() * Line::BYTES, "all weights are packed");
    let mut first = 0;
    while first < scale.channel_vectors() {
        let count = layer.group.min(scale.channel_vectors() - first);
        let job = Job { layer, scale, image, first, count };
        // SAFETY: lengths as asserted above; the groups before this one end where it begins.
        unsafe { L::group(job, sink) };
        first += count;
    }
}

/// One group of channel vectors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) layer: &'a Dense,
    pub(super) scale: &'a Scale,
    image: &'a [u8],
    first: usize,
    pub(super) count: usize,
}

impl Job<'_> {
    /// # Safety
    ///
    /// As [`run`], which has asserted the lengths of image and weights; the group has B planes and V vectors.
    #[inline(always)]
    pub(super) unsafe fn walk<
        L: Lanes,
        const WORDS: bool,
        const B: usize,
        const V: usize,
        const P: usize,
    >(
        self,
        sink: &mut Sink<'_>,
    ) {
        const { assert!(P * V <= MAX_TILE_VECTORS && V.is_multiple_of(B) && L::LANES <= MAX_LANES) };
        let mut tile = Tile([0; MAX_TILE_VECTORS * MAX_LANES]);
        let mut offsets = self.layer.walk.start();
        let mut pixel = 0;
        while pixel + P <= self.layer.walk.pixels() {
            // SAFETY: passed on; the walk gives offsets of windows only.
            unsafe {
                self.tile::<L, WORDS, V, P>(&mut offsets, &mut tile);
                self.finish::<L, B, V>(&tile, pixel, P, sink);
            }
            pixel += P;
        }
        while pixel < self.layer.walk.pixels() {
            // SAFETY: as above.
            unsafe {
                self.tile::<L, WORDS, V, 1>(&mut offsets, &mut tile);
                self.finish::<L, B, V>(&tile, pixel, 1, sink);
            }
            pixel += 1;
        }
    }

    /// # Safety
    ///
    /// As [`Job::walk`]; at least P windows are left.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const WORDS: bool, const V: usize, const P: usize>(
        self,
        offsets: &mut Offsets,
        tile: &mut Tile,
    ) {
        let layer = self.layer;
        let narrow = L::ISA.narrow && !WORDS;
        let vectors_before = self.first * self.scale.planes;
        // SAFETY: `run` has asserted that the image reaches to the end of the last window, the weights to the
        // end of the last group; a tile has room for P·V vectors; the instruction set is the caller's duty.
        unsafe {
            let mut w = layer.weights.as_ptr().cast::<u8>();
            w = w.add(layer.rows * layer.steps * vectors_before * L::LANES * 4);
            let mut windows = [self.image.as_ptr(); P];
            for window in &mut windows {
                *window = window.add(offsets.take());
            }
            let mut sums = [[L::zero(); V]; P];
            let mut room = layer.block;
            let mut empty = true;
            for row in 0..layer.rows {
                let mut done = 0;
                while done < layer.steps {
                    let steps = if narrow { room.min(layer.steps - done) } else { layer.steps };
                    let mut x = windows;
                    for x in &mut x {
                        *x = x.add(row * layer.row_stride + 4 * done);
                    }
                    // Two steps a turn: the loop's own instructions would take slots from the sums.
                    for pair in 0..steps / 2 {
                        step::<L, WORDS, V, P>(&mut sums, &x, w, 2 * pair);
                        step::<L, WORDS, V, P>(&mut sums, &x, w, 2 * pair + 1);
                    }
                    if steps % 2 == 1 {
                        step::<L, WORDS, V, P>(&mut sums, &x, w, steps - 1);
                    }
                    w = w.add(steps * V * L::LANES * 4);
                    done += steps;
                    if narrow {
                        room -= steps;
                        if room == 0 {
                            flush::<L, WORDS, V, P>(&sums, tile, empty);
                            empty = false;
                            sums = [[L::zero(); V]; P];
                            room = layer.block;
                        }
                    }
                }
            }
            flush::<L, WORDS, V, P>(&sums, tile, empty);
        }
    }

    /// # Safety
    ///
    /// As [`run`].
    #[inline(always)]
    unsafe fn finish<L: Lanes, const B: usize, const V: usize>(
        self,
        tile: &Tile,
        pixel: usize,
        pixels: usize,
        sink: &mut Sink<'_>,
    ) {
        for vector in 0..V / B {
            let sums = Sums { sums: &tile.0[vector * B * L::LANES..], pitch: V * L::LANES, pixels };
            // SAFETY: passed on.
            unsafe { self.scale.finish::<L, B>(sums, self.first + vector, pixel, sink) };
        }
    }
}

/// One step of all pixels and vectors of a tile.
///
/// # Safety
///
/// The instruction set of `L`; the windows and the weights reach beyond this step.
#[inline(always)]
unsafe fn step<L: Lanes, const WORDS: bool, const V: usize, const P: usize>(
    sums: &mut [[L::Total; V]; P],
    windows: &[*const u8; P],
    weights: *const u8,
    step: usize,
) {
    // SAFETY: passed on.
    unsafe {
        let mut x = [L::x(windows[0].add(4 * step)); P];
        for p in 1..P {
            x[p] = L::x(windows[p].add(4 * step));
        }
        for v in 0..V {
            let w = L::w(weights.add((step * V + v) * L::LANES * 4));
            for p in 0..P {
                sums[p][v] = if WORDS {
                    L::word_step(sums[p][v], x[p], w)
                } else {
                    L::byte_step(sums[p][v], x[p], w)
                };
            }
        }
    }
}

/// Moves the sums of a tile's registers to its memory, and adds them there unless it is `empty`.
///
/// # Safety
///
/// As [`run`].
#[inline(always)]
unsafe fn flush<L: Lanes, const WORDS: bool, const V: usize, const P: usize>(
    sums: &[[L::Total; V]; P],
    tile: &mut Tile,
    empty: bool,
) {
    // SAFETY: `Job::walk` asserts that P·V vectors fit a tile; the instruction set is the caller's duty.
    unsafe {
        let to = tile.0.as_mut_ptr();
        for p in 0..P {
            for v in 0..V {
                let sums = if WORDS { sums[p][v] } else { L::widen(sums[p][v]) };
                let to = to.add((p * V + v) * L::LANES);
                if empty {
                    L::put(sums, to);
                } else {
                    L::add(sums, to);
                }
            }
        }
    }
}

/// Chooses the register tile of a group: planes, channel vectors => pixels.
///
/// Each is a function of its own with the attributes of its instruction set: the compiler's time
/// grows faster than the length of a function.
macro_rules! tiles {
    ($attributes:tt $lanes:ty, $words:literal, $job:ident, $sink:ident;
     $($planes:literal, $count:literal => $pixels:literal;)*) => {
        match ($job.scale.planes, $job.count) {
            $(($planes, $count) => {
                dense::tile!($attributes $lanes, $words, $planes, $count, $pixels, $job, $sink);
            })*
            _ => unreachable!("a group has one to five vectors"),
        }
    };
}
pub(super) use tiles;

/// One register tile, as a function.
macro_rules! tile {
    ([$(#[$attribute:meta])*] $lanes:ty, $words:literal,
     $planes:literal, $count:literal, $pixels:literal, $job:ident, $sink:ident) => {{
        $(#[$attribute])*
        #[inline(never)]
        unsafe fn walk(job: Job<'_>, sink: &mut Sink<'_>) {
            // SAFETY: passed on.
            unsafe { job.walk::<$lanes, $words, $planes, { $planes * $count }, $pixels>(sink) };
        }
        walk($job, $sink);
    }};
}
pub(super) use tile;
