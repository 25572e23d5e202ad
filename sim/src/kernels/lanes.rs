//! The vector primitives that an instruction set gives the drivers, and what the drivers share.
#![expect(unsafe_code, reason = "the primitives are unsafe to call")]

use super::dense::Job;
use super::scale::Sink;

/// A cache line of packed weights: vectors never straddle two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u8; Line::BYTES]);

impl Line {
    pub(super) const BYTES: usize = 64;
    pub(super) const ZERO: Self = Self([0; Self::BYTES]);
}

/// Bytes readable beyond every tensor and image, so that whole vectors may be read at its end.
pub(super) const SLACK: usize = 64;

/// Pixels × vectors of the largest register tile of any instruction set.
pub(super) const MAX_TILE_VECTORS: usize = 24;
/// Pixels of a register tile, at most.
pub(super) const MAX_TILE_PIXELS: usize = 8;
/// Output channels of a vector, at most.
pub(super) const MAX_LANES: usize = 16;

/// 32-bit sums of a register tile: pixel by pixel, vector by vector, lane by lane.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Tile(pub(super) [i32; MAX_TILE_VECTORS * MAX_LANES]);

/// What a driver must know of an instruction set when it packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Isa {
    /// Output channels of a vector.
    pub(super) lanes: usize,
    /// Whether there is a step of u8 codes × i8 weights.
    pub(super) bytes: bool,
    /// Whether the sums of byte steps are 16 bits wide, two a lane.
    pub(super) narrow: bool,
    /// Whether the two weights of a word step lie LANES apart, not side by side.
    pub(super) planar: bool,
}

/// The arithmetic shift and the clamp at the end of a layer, in biased codes (0 … 255).
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift {
    pub(super) shift: u32,
    pub(super) low: i32,
    pub(super) high: i32,
    /// Whether y >> shift surely fits 31 bits, so that it may be clamped as an i32.
    pub(super) fits: bool,
}

/// Where the multipliers and biases of one vector of channels lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaleAt<'a> {
    /// `[plane][lane]`.
    pub(super) multipliers: &'a [i32],
    /// Even lanes, then odd ones; rounding constant and output bias are in it.
    pub(super) bias: &'a [i64],
}

/// The 32-bit sums of one vector of channels of some pixels, `pitch` sums apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums<'a> {
    pub(super) sums: &'a [i32],
    pub(super) pitch: usize,
    pub(super) pixels: usize,
}

/// Where their codes go, `pitch` bytes apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes {
    pub(super) to: *mut u8,
    pub(super) pitch: usize,
}

/// Vectors of `LANES` 32-bit lanes, a lane an output channel.
///
/// A step multiplies the 4 bytes of one pixel's `X` with the 4 bytes of every lane of `W`: four u8 codes
/// × i8 weights, or two i16 × i16, and adds the products to the lane.
///
/// # Safety
///
/// Every function needs the instruction set that the type stands for, and is to be inlined into a function
/// that enables it. Pointers must be valid for the stated bytes; no alignment is asked.
pub(super) trait Lanes {
    const ISA: Isa;
    const LANES: usize = Self::ISA.lanes;
    /// Pixels of a depthwise tile: 1 or 2.
    const DEPTHWISE_PIXELS: usize;
    /// Sums of one vector of channels.
    type Total: Copy;
    /// One pixel's 4 bytes.
    type X: Copy;
    /// Two taps of each lane's own channel, as i16.
    type Pairs: Copy;
    /// 4 bytes a lane.
    type W: Copy;

    /// Computes a group of a dense layer with [`Job::walk`], in the tiles that suit the registers.
    unsafe fn group(job: Job<'_>, sink: &mut Sink<'_>);
    unsafe fn zero() -> Self::Total;
    /// Reads 4 bytes.
    unsafe fn x(from: *const u8) -> Self::X;
    /// Reads 4·LANES bytes.
    unsafe fn w(from: *const u8) -> Self::W;
    /// Reads LANES bytes of each tap.
    unsafe fn pairs(tap: *const u8, next: *const u8) -> Self::Pairs;
    unsafe fn byte_step(sums: Self::Total, x: Self::X, w: Self::W) -> Self::Total;
    unsafe fn word_step(sums: Self::Total, x: Self::X, w: Self::W) -> Self::Total;
    unsafe fn pair_step(sums: Self::Total, x: Self::Pairs, w: Self::W) -> Self::Total;
    /// 16-bit sums, two a lane, as 32-bit sums; nothing where sums are 32 bits wide.
    unsafe fn widen(sums: Self::Total) -> Self::Total;
    /// Writes LANES 32-bit sums.
    unsafe fn put(sums: Self::Total, to: *mut i32);
    /// Adds LANES 32-bit sums to memory.
    unsafe fn add(sums: Self::Total, to: *mut i32);
    /// Scales the sums `[plane][lane]` of one vector of channels of some pixels to LANES codes a pixel.
    /// Only for a shift that `fits`; there are B planes of sums and multipliers, and LANES biases.
    unsafe fn codes<const B: usize>(sums: Sums<'_>, scale: ScaleAt<'_>, shift: Shift, out: Codes);
}
