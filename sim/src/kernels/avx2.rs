//! AVX2: `vpmaddubsw` of u8 codes × i8 weights into 16-bit sums, `vpmaddwd` of i16 × i16 into 32-bit ones.
#![expect(unsafe_code, reason = "vector intrinsics on raw pointers")]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi64_si128, _mm_cvtsi128_si32, _mm_loadl_epi64, _mm_unpacklo_epi8,
    _mm256_add_epi16, _mm256_add_epi32, _mm256_add_epi64, _mm256_blend_epi32,
    _mm256_castsi256_si128, _mm256_cvtepu8_epi16, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_epi32, _mm256_min_epi32, _mm256_mul_epi32,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_sll_epi64, _mm256_sra_epi32, _mm256_srl_epi64, _mm256_srli_epi64,
    _mm256_storeu_si256,
};

use super::dense::{self, Dense, Job, tiles};
use super::depthwise::{self, Depthwise};
use super::lanes::{Codes, Isa, Lanes, ScaleAt, Shift, Sums};
use super::scale::{Scale, Sink};

const LANES: usize = 8;

/// Eight channels; sums of byte steps are sixteen 16-bit numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2;

pub(super) fn dense(layer: &Dense, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
    #[target_feature(enable = "avx2")]
    fn enabled(layer: &Dense, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
        // SAFETY: AVX2 is enabled here.
        unsafe { dense::run::<Avx2>(layer, scale, image, sink) }
    }
    assert!(is_x86_feature_detected!("avx2"));
    // SAFETY: asserted just above.
    unsafe { enabled(layer, scale, image, sink) }
}

pub(super) fn depthwise(layer: &Depthwise, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
    #[target_feature(enable = "avx2")]
    fn enabled(layer: &Depthwise, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
        // SAFETY: AVX2 is enabled here.
        unsafe { depthwise::run::<Avx2>(layer, scale, image, sink) }
    }
    assert!(is_x86_feature_detected!("avx2"));
    // SAFETY: asserted just above.
    unsafe { enabled(layer, scale, image, sink) }
}

impl Lanes for Avx2 {
    const ISA: Isa = Isa { lanes: LANES, bytes: true, narrow: true, planar: false };
    const DEPTHWISE_PIXELS: usize = 2;
    type Total = __m256i;
    type X = __m256i;
    type Pairs = __m256i;
    type W = __m256i;

    #[target_feature(enable = "avx2")]
    unsafe fn group(job: Job<'_>, sink: &mut Sink<'_>) {
        // SAFETY: passed on.
        unsafe {
            if job.layer.words {
                tiles! {
                [#[target_feature(enable = "avx2")]] Avx2, true, job, sink;
                1, 1 => 4;
                1, 2 => 4;
                1, 3 => 3;
                1, 4 => 2;
                2, 1 => 4;
                2, 2 => 2;
                }
            } else {
                tiles! {
                [#[target_feature(enable = "avx2")]] Avx2, false, job, sink;
                1, 1 => 4;
                1, 2 => 4;
                1, 3 => 3;
                1, 4 => 2;
                2, 1 => 4;
                2, 2 => 2;
                3, 1 => 3;
                4, 1 => 2;
                5, 1 => 2;
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn x(from: *const u8) -> __m256i {
        // SAFETY: the caller has AVX2 and gives 4 readable bytes.
        unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn w(from: *const u8) -> __m256i {
        // SAFETY: the caller has AVX2 and gives 32 readable bytes.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn pairs(tap: *const u8, next: *const u8) -> __m256i {
        // SAFETY: the caller has AVX2 and gives 8 readable bytes at both.
        unsafe {
            let (tap, next) = (_mm_loadl_epi64(tap.cast()), _mm_loadl_epi64(next.cast()));
            _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(tap, next))
        }
    }

    #[inline(always)]
    unsafe fn byte_step(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_epi16(sums, _mm256_maddubs_epi16(x, w)) }
    }

    #[inline(always)]
    unsafe fn word_step(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_epi32(sums, _mm256_madd_epi16(x, w)) }
    }

    #[inline(always)]
    unsafe fn pair_step(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
        // SAFETY: passed on.
        unsafe { Self::word_step(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn widen(sums: __m256i) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_madd_epi16(sums, _mm256_set1_epi16(1)) }
    }

    #[inline(always)]
    unsafe fn put(sums: __m256i, to: *mut i32) {
        // SAFETY: the caller has AVX2 and gives 8 writable sums.
        unsafe { _mm256_storeu_si256(to.cast(), sums) }
    }

    #[inline(always)]
    unsafe fn add(sums: __m256i, to: *mut i32) {
        // SAFETY: the caller has AVX2 and gives 8 readable and writable sums.
        unsafe {
            let old = _mm256_loadu_si256(to.cast());
            _mm256_storeu_si256(to.cast(), _mm256_add_epi32(old, sums));
        }
    }

    /// y in two vectors of 64 bits, even and odd lanes. The bits of an arithmetic shift by up to 32 that
    /// stay are the same as of a logical one: even lanes shift them down, odd lanes up, to their places. What
    /// is left of a larger shift follows in 32 bits.
    #[target_feature(enable = "avx2")]
    unsafe fn codes<const B: usize>(sums: Sums<'_>, scale: ScaleAt<'_>, shift: Shift, out: Codes) {
        assert!(scale.multipliers.len() == B * LANES && scale.bias.len() == LANES);
        assert!((sums.pixels - 1) * sums.pitch + B * LANES <= sums.sums.len());
        // SAFETY: the caller has the instruction set and gives 8 writable codes a pixel; the other lengths are
        // asserted above.
        unsafe {
            let bias: *const __m256i = scale.bias.as_ptr().cast();
            let bias = (_mm256_loadu_si256(bias), _mm256_loadu_si256(bias.add(1)));
            let mut m = [(bias.0, bias.0); B];
            for plane in 0..B {
                let both = _mm256_loadu_si256(scale.multipliers.as_ptr().add(plane * LANES).cast());
                m[plane] = (both, _mm256_srli_epi64(both, 32));
            }
            let by = shift.shift.min(32);
            let (down, up, rest) = (count(by), count(32 - by), count(shift.shift - by));
            let (low, high) = (_mm256_set1_epi32(shift.low), _mm256_set1_epi32(shift.high));
            for pixel in 0..sums.pixels {
                let (mut even, mut odd) = bias;
                for plane in 0..B {
                    let sums = sums.sums.as_ptr().add(pixel * sums.pitch + plane * LANES);
                    let sums = _mm256_loadu_si256(sums.cast());
                    even = _mm256_add_epi64(even, _mm256_mul_epi32(sums, m[plane].0));
                    let sums = _mm256_srli_epi64(sums, 32);
                    odd = _mm256_add_epi64(odd, _mm256_mul_epi32(sums, m[plane].1));
                }
                let (even, odd) = (_mm256_srl_epi64(even, down), _mm256_sll_epi64(odd, up));
                let y = _mm256_blend_epi32(even, odd, 0b1010_1010);
                let y = _mm256_sra_epi32(y, rest);
                let y = _mm256_min_epi32(_mm256_max_epi32(y, low), high);
                // Byte 0 of every lane to the front of its half.
                let bytes = _mm256_shuffle_epi8(y, _mm256_set1_epi64x(0x0c08_0400));
                let low = _mm_cvtsi128_si32(_mm256_castsi256_si128(bytes));
                let high = _mm_cvtsi128_si32(_mm256_extracti128_si256(bytes, 1));
                out.to.add(pixel * out.pitch).cast::<[i32; 2]>().write_unaligned([low, high]);
            }
        }
    }
}

#[inline(always)]
fn count(bits: u32) -> __m128i {
    // SAFETY: SSE2 is part of the architecture.
    unsafe { _mm_cvtsi64_si128(bits.into()) }
}
