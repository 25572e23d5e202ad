//! Plain Rust, written so that a compiler finds the vector instructions that every machine has.
#![expect(unsafe_code, reason = "vector primitives on raw pointers")]

use super::dense::{self, Dense, Job, tiles};
use super::depthwise::{self, Depthwise};
use super::lanes::{Codes, Isa, Lanes, ScaleAt, Shift, Sums};
use super::scale::{Scale, Sink};

const LANES: usize = 8;

/// Eight channels of 32-bit sums; i16 × i16 steps only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

pub(super) fn dense(layer: &Dense, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
    // SAFETY: these lanes need no instruction set.
    unsafe { dense::run::<Portable>(layer, scale, image, sink) }
}

pub(super) fn depthwise(layer: &Depthwise, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
    // SAFETY: these lanes need no instruction set.
    unsafe { depthwise::run::<Portable>(layer, scale, image, sink) }
}

impl Lanes for Portable {
    const ISA: Isa = Isa { lanes: LANES, bytes: false, narrow: false, planar: true };
    const DEPTHWISE_PIXELS: usize = 1;
    type Total = [i32; LANES];
    type X = [i16; 2];
    type Pairs = [i16; 2 * LANES];
    type W = [i16; 2 * LANES];

    #[inline(always)]
    unsafe fn group(job: Job<'_>, sink: &mut Sink<'_>) {
        // SAFETY: passed on.
        unsafe {
            tiles! {
                [] Portable, true, job, sink;
                1, 1 => 1;
                1, 2 => 1;
                1, 3 => 1;
                1, 4 => 1;
                2, 1 => 1;
                2, 2 => 1;
                3, 1 => 1;
                4, 1 => 1;
                5, 1 => 1;
            }
        }
    }

    #[inline(always)]
    unsafe fn zero() -> Self::Total {
        [0; LANES]
    }

    #[inline(always)]
    unsafe fn x(from: *const u8) -> Self::X {
        // SAFETY: the caller gives 4 readable bytes.
        unsafe { from.cast::<[i16; 2]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn w(from: *const u8) -> Self::W {
        // SAFETY: the caller gives 4·LANES readable bytes.
        unsafe { from.cast::<[i16; 2 * LANES]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn pairs(tap: *const u8, next: *const u8) -> Self::Pairs {
        // SAFETY: the caller gives LANES readable bytes at both.
        let (tap, next) = unsafe {
            (
                tap.cast::<[u8; LANES]>().read_unaligned(),
                next.cast::<[u8; LANES]>().read_unaligned(),
            )
        };
        std::array::from_fn(|i| i16::from(if i < LANES { tap[i] } else { next[i - LANES] }))
    }

    #[inline(always)]
    unsafe fn byte_step(_: Self::Total, _: Self::X, _: Self::W) -> Self::Total {
        unreachable!("packed as words")
    }

    #[inline(always)]
    unsafe fn word_step(sums: Self::Total, x: Self::X, w: Self::W) -> Self::Total {
        multiply_add(sums, std::array::from_fn(|i| x[i / LANES]), w)
    }

    #[inline(always)]
    unsafe fn pair_step(sums: Self::Total, x: Self::Pairs, w: Self::W) -> Self::Total {
        multiply_add(sums, x, w)
    }

    #[inline(always)]
    unsafe fn widen(sums: Self::Total) -> Self::Total {
        sums
    }

    #[inline(always)]
    unsafe fn put(sums: Self::Total, to: *mut i32) {
        // SAFETY: the caller gives LANES writable sums.
        unsafe { to.cast::<[i32; LANES]>().write(sums) }
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Total, to: *mut i32) {
        // SAFETY: the caller gives LANES readable and writable sums.
        unsafe {
            let to = to.cast::<[i32; LANES]>();
            let old = to.read();
            to.write(std::array::from_fn(|lane| old[lane].wrapping_add(sums[lane])));
        }
    }

    #[inline(always)]
    unsafe fn codes<const B: usize>(sums: Sums<'_>, scale: ScaleAt<'_>, shift: Shift, out: Codes) {
        for pixel in 0..sums.pixels {
            let sums = &sums.sums[pixel * sums.pitch..][..B * LANES];
            // SAFETY: the caller gives LANES writable codes a pixel.
            let to =
                unsafe { std::slice::from_raw_parts_mut(out.to.add(pixel * out.pitch), LANES) };
            for (lane, to) in to.iter_mut().enumerate() {
                *to = shift.code(scale.y(sums, lane, LANES));
            }
        }
    }
}

/// Two products a lane, LANES apart: the form in which compilers find `pmaddwd`.
#[inline(always)]
fn multiply_add(sums: [i32; LANES], x: [i16; 2 * LANES], w: [i16; 2 * LANES]) -> [i32; LANES] {
    let mut out = sums;
    for lane in 0..LANES {
        let first = i32::from(x[lane]) * i32::from(w[lane]);
        let second = i32::from(x[LANES + lane]) * i32::from(w[LANES + lane]);
        out[lane] = out[lane].wrapping_add(first.wrapping_add(second));
    }
    out
}
