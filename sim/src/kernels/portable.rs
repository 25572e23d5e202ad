//! Plain Rust, written so that a compiler finds the vector instructions that every machine has.
#![expect(unsafe_code, reason = "vector primitives on raw pointers")]

use super::dense::{self, Dense};
use super::depthwise::{self, Depthwise};
use super::lanes::{Isa, Lanes, ScaleAt, Shift};
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
    const ISA: Isa = Isa { lanes: LANES, bytes: false, narrow: false };
    const LARGE_TILES: bool = false;
    type Sums = [i32; LANES];
    type X = [i16; 2];
    type Pairs = [i16; 2 * LANES];
    type W = [i16; 2 * LANES];

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
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
        std::array::from_fn(|i| i16::from(if i % 2 == 0 { tap[i / 2] } else { next[i / 2] }))
    }

    #[inline(always)]
    unsafe fn byte_step(_: Self::Sums, _: Self::X, _: Self::W) -> Self::Sums {
        unreachable!("packed as words")
    }

    #[inline(always)]
    unsafe fn word_step(sums: Self::Sums, x: Self::X, w: Self::W) -> Self::Sums {
        std::array::from_fn(|lane| multiply_add(sums[lane], x, [w[2 * lane], w[2 * lane + 1]]))
    }

    #[inline(always)]
    unsafe fn pair_step(sums: Self::Sums, x: Self::Pairs, w: Self::W) -> Self::Sums {
        std::array::from_fn(|lane| {
            let pair = |v: [i16; 2 * LANES]| [v[2 * lane], v[2 * lane + 1]];
            multiply_add(sums[lane], pair(x), pair(w))
        })
    }

    #[inline(always)]
    unsafe fn widen(sums: Self::Sums) -> Self::Sums {
        sums
    }

    #[inline(always)]
    unsafe fn put(sums: Self::Sums, to: *mut i32) {
        // SAFETY: the caller gives LANES writable sums.
        unsafe { to.cast::<[i32; LANES]>().write(sums) }
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Sums, to: *mut i32) {
        // SAFETY: the caller gives LANES readable and writable sums.
        unsafe {
            let to = to.cast::<[i32; LANES]>();
            let old = to.read();
            to.write(std::array::from_fn(|lane| old[lane].wrapping_add(sums[lane])));
        }
    }

    #[inline(always)]
    unsafe fn codes(sums: *const i32, scale: ScaleAt<'_>, shift: Shift, to: *mut u8) {
        // SAFETY: the caller gives as many sums as there are multipliers, and LANES writable codes.
        let (sums, to) = unsafe {
            (
                std::slice::from_raw_parts(sums, scale.multipliers.len()),
                std::slice::from_raw_parts_mut(to, LANES),
            )
        };
        for (lane, to) in to.iter_mut().enumerate() {
            *to = shift.code(scale.y(sums, lane, LANES));
        }
    }
}

#[inline(always)]
fn multiply_add(sum: i32, x: [i16; 2], w: [i16; 2]) -> i32 {
    let product = |i: usize| i32::from(x[i]) * i32::from(w[i]);
    sum.wrapping_add(product(0).wrapping_add(product(1)))
}
