//! Four numbers at once, as far as the compiler finds vectors for them.
#![expect(unsafe_code, reason = "reads and writes through raw pointers")]
#![expect(clippy::inline_always, reason = "the body of the innermost loops")]

use super::Lanes;

/// Plain Rust.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernels) struct Portable;

const WIDTH: usize = 4;

impl Lanes for Portable {
    const WIDTH: usize = WIDTH;
    const ROWS_OF_TWO: usize = 4;
    const ROWS_OF_ONE: usize = 8;
    type Vector = [f32; WIDTH];

    #[inline(always)]
    unsafe fn zero() -> [f32; WIDTH] {
        [0.0; WIDTH]
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; WIDTH] {
        [value; WIDTH]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; WIDTH] {
        // SAFETY: passed on.
        unsafe { from.cast::<[f32; WIDTH]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, vector: [f32; WIDTH]) {
        // SAFETY: passed on.
        unsafe { to.cast::<[f32; WIDTH]>().write_unaligned(vector) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> [f32; WIDTH] {
        let mut vector = [0.0; WIDTH];
        for (i, value) in vector.iter_mut().enumerate().take(n) {
            // SAFETY: passed on.
            *value = unsafe { from.add(i).read() };
        }
        vector
    }

    #[inline(always)]
    unsafe fn store_first(to: *mut f32, vector: [f32; WIDTH], n: usize) {
        for (i, value) in vector.into_iter().enumerate().take(n) {
            // SAFETY: passed on.
            unsafe { to.add(i).write(value) };
        }
    }

    #[inline(always)]
    unsafe fn add(a: [f32; WIDTH], b: [f32; WIDTH]) -> [f32; WIDTH] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    unsafe fn multiply_add(a: [f32; WIDTH], b: [f32; WIDTH], c: [f32; WIDTH]) -> [f32; WIDTH] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
}
