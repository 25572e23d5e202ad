//! Sixteen numbers at once.
#![expect(unsafe_code, reason = "vector intrinsics on raw pointers")]
#![expect(clippy::inline_always, reason = "inlined into functions that enable the instructions")]

use std::arch::x86_64::{
    __m512, __mmask16, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::Lanes;

/// AVX-512.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernels) struct Avx512;

fn first(n: usize) -> __mmask16 {
    debug_assert!(n < Avx512::WIDTH, "whole vectors are not masked");
    (1 << n) - 1
}

impl Lanes for Avx512 {
    const WIDTH: usize = 16;
    const ROWS_OF_TWO: usize = 8;
    const ROWS_OF_ONE: usize = 16;
    type Vector = __m512;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: passed on.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: passed on.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: passed on.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, vector: __m512) {
        // SAFETY: passed on.
        unsafe { _mm512_storeu_ps(to, vector) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> __m512 {
        // SAFETY: passed on.
        unsafe { _mm512_maskz_loadu_ps(first(n), from) }
    }

    #[inline(always)]
    unsafe fn store_first(to: *mut f32, vector: __m512, n: usize) {
        // SAFETY: passed on.
        unsafe { _mm512_mask_storeu_ps(to, first(n), vector) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: passed on.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: passed on.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
}
