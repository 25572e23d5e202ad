//! AVX-512 with VNNI: `vpdpbusd` of u8 codes × i8 weights and `vpdpwssd` of i16 × i16, both into 32-bit sums.
#![expect(unsafe_code, reason = "vector intrinsics on raw pointers")]

use std::arch::x86_64::{
    __m128i, __m512i, _mm_cvtsi64_si128, _mm_loadu_si128, _mm_storeu_si128, _mm_unpackhi_epi8,
    _mm_unpacklo_epi8, _mm256_set_m128i, _mm512_add_epi32, _mm512_add_epi64, _mm512_cvtepi32_epi8,
    _mm512_cvtepu8_epi16, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_loadu_si512,
    _mm512_mask_blend_epi32, _mm512_max_epi32, _mm512_min_epi32, _mm512_mul_epi32,
    _mm512_set1_epi32, _mm512_setzero_si512, _mm512_sll_epi64, _mm512_sra_epi32, _mm512_srl_epi64,
    _mm512_srli_epi64, _mm512_storeu_si512,
};

use super::dense::{self, Dense, Job, tiles};
use super::depthwise::{self, Depthwise};
use super::lanes::{Codes, Isa, Lanes, ScaleAt, Shift, Sums};
use super::scale::{Scale, Sink};

const LANES: usize = 16;

/// Sixteen channels of 32-bit sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512Vnni;

fn assert_available() {
    assert!(
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
    );
}

pub(super) fn dense(layer: &Dense, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vnni")]
    fn enabled(layer: &Dense, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
        // SAFETY: the instruction set is enabled here.
        unsafe { dense::run::<Avx512Vnni>(layer, scale, image, sink) }
    }
    assert_available();
    // SAFETY: asserted just above.
    unsafe { enabled(layer, scale, image, sink) }
}

pub(super) fn depthwise(layer: &Depthwise, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vnni")]
    fn enabled(layer: &Depthwise, scale: &Scale, image: &[u8], sink: &mut Sink<'_>) {
        // SAFETY: the instruction set is enabled here.
        unsafe { depthwise::run::<Avx512Vnni>(layer, scale, image, sink) }
    }
    assert_available();
    // SAFETY: asserted just above.
    unsafe { enabled(layer, scale, image, sink) }
}

impl Lanes for Avx512Vnni {
    const ISA: Isa = Isa { lanes: LANES, bytes: true, narrow: false, planar: false };
    const DEPTHWISE_PIXELS: usize = 2;
    type Total = __m512i;
    type X = __m512i;
    type Pairs = __m512i;
    type W = __m512i;

    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vnni")]
    unsafe fn group(job: Job<'_>, sink: &mut Sink<'_>) {
        // SAFETY: passed on.
        unsafe {
            if job.layer.words {
                tiles! {
                [#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vnni")]] Avx512Vnni, true, job, sink;
                1, 1 => 8;
                1, 2 => 8;
                1, 3 => 6;
                1, 4 => 6;
                2, 1 => 8;
                2, 2 => 6;
                }
            } else {
                tiles! {
                [#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vnni")]] Avx512Vnni, false, job, sink;
                1, 1 => 8;
                1, 2 => 8;
                1, 3 => 6;
                1, 4 => 6;
                2, 1 => 8;
                2, 2 => 6;
                3, 1 => 6;
                4, 1 => 6;
                5, 1 => 4;
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn x(from: *const u8) -> __m512i {
        // SAFETY: the caller has AVX-512 and gives 4 readable bytes.
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn w(from: *const u8) -> __m512i {
        // SAFETY: the caller has AVX-512 and gives 64 readable bytes.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn pairs(tap: *const u8, next: *const u8) -> __m512i {
        // SAFETY: the caller has AVX-512 and gives 16 readable bytes at both.
        unsafe {
            let (tap, next) = (_mm_loadu_si128(tap.cast()), _mm_loadu_si128(next.cast()));
            let (low, high) = (_mm_unpacklo_epi8(tap, next), _mm_unpackhi_epi8(tap, next));
            _mm512_cvtepu8_epi16(_mm256_set_m128i(high, low))
        }
    }

    #[inline(always)]
    unsafe fn byte_step(sums: __m512i, x: __m512i, w: __m512i) -> __m512i {
        // SAFETY: the caller has AVX-512 VNNI.
        unsafe { _mm512_dpbusd_epi32(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn word_step(sums: __m512i, x: __m512i, w: __m512i) -> __m512i {
        // SAFETY: the caller has AVX-512 VNNI.
        unsafe { _mm512_dpwssd_epi32(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn pair_step(sums: __m512i, x: __m512i, w: __m512i) -> __m512i {
        // SAFETY: passed on.
        unsafe { Self::word_step(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn widen(sums: __m512i) -> __m512i {
        sums
    }

    #[inline(always)]
    unsafe fn put(sums: __m512i, to: *mut i32) {
        // SAFETY: the caller has AVX-512 and gives 16 writable sums.
        unsafe { _mm512_storeu_si512(to.cast(), sums) }
    }

    #[inline(always)]
    unsafe fn add(sums: __m512i, to: *mut i32) {
        // SAFETY: the caller has AVX-512 and gives 16 readable and writable sums.
        unsafe {
            let old = _mm512_loadu_si512(to.cast());
            _mm512_storeu_si512(to.cast(), _mm512_add_epi32(old, sums));
        }
    }

    /// As in `avx2.rs`, twice as wide.
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vnni")]
    unsafe fn codes<const B: usize>(sums: Sums<'_>, scale: ScaleAt<'_>, shift: Shift, out: Codes) {
        assert!(scale.multipliers.len() == B * LANES && scale.bias.len() == LANES);
        assert!((sums.pixels - 1) * sums.pitch + B * LANES <= sums.sums.len());
        // SAFETY: the caller has the instruction set and gives 16 writable codes a pixel; the other lengths are
        // asserted above.
        unsafe {
            let bias: *const __m512i = scale.bias.as_ptr().cast();
            let bias = (_mm512_loadu_si512(bias), _mm512_loadu_si512(bias.add(1)));
            let mut m = [(bias.0, bias.0); B];
            for plane in 0..B {
                let both = _mm512_loadu_si512(scale.multipliers.as_ptr().add(plane * LANES).cast());
                m[plane] = (both, _mm512_srli_epi64(both, 32));
            }
            let by = shift.shift.min(32);
            let (down, up, rest) = (count(by), count(32 - by), count(shift.shift - by));
            let (low, high) = (_mm512_set1_epi32(shift.low), _mm512_set1_epi32(shift.high));
            for pixel in 0..sums.pixels {
                let (mut even, mut odd) = bias;
                for plane in 0..B {
                    let sums = sums.sums.as_ptr().add(pixel * sums.pitch + plane * LANES);
                    let sums = _mm512_loadu_si512(sums.cast());
                    even = _mm512_add_epi64(even, _mm512_mul_epi32(sums, m[plane].0));
                    let sums = _mm512_srli_epi64(sums, 32);
                    odd = _mm512_add_epi64(odd, _mm512_mul_epi32(sums, m[plane].1));
                }
                let (even, odd) = (_mm512_srl_epi64(even, down), _mm512_sll_epi64(odd, up));
                let y = _mm512_mask_blend_epi32(0b1010_1010_1010_1010, even, odd);
                let y = _mm512_sra_epi32(y, rest);
                let y = _mm512_min_epi32(_mm512_max_epi32(y, low), high);
                _mm_storeu_si128(out.to.add(pixel * out.pitch).cast(), _mm512_cvtepi32_epi8(y));
            }
        }
    }
}

#[inline(always)]
fn count(bits: u32) -> __m128i {
    // SAFETY: SSE2 is part of the architecture.
    unsafe { _mm_cvtsi64_si128(bits.into()) }
}
