//! Vectors of `f32`, and the instruction sets that have them.
#![expect(unsafe_code, reason = "vector intrinsics on raw pointers")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;

/// An instruction set that the kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// AVX-512 (F, VL, BW, DQ).
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// Plain Rust.
    Portable,
}

/// An instruction set that this machine has: there is no value of any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InstructionSet(Kind);

impl InstructionSet {
    /// Those that this machine has, fastest first.
    pub(crate) fn available() -> Vec<Self> {
        let all = [Kind::Avx512, Kind::Avx2, Kind::Portable];
        all.into_iter().filter(|kind| is_available(*kind)).map(Self).collect()
    }

    /// The fastest that this machine has.
    pub(crate) fn best() -> Self {
        Self::available()[0]
    }

    /// Which it is.
    pub(crate) fn kind(self) -> Kind {
        self.0
    }

    /// Its name in files.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Kind::Avx512 => "x86-64 with AVX-512",
            Kind::Avx2 => "x86-64 with AVX2",
            Kind::Portable => "portable",
        }
    }

    /// Numbers of one of its vectors.
    pub(super) fn width(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => Avx512::WIDTH,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => Avx2::WIDTH,
            #[cfg(not(target_arch = "x86_64"))]
            Kind::Avx512 | Kind::Avx2 => unreachable!("this machine has no such set"),
            Kind::Portable => Portable::WIDTH,
        }
    }
}

fn is_available(kind: Kind) -> bool {
    match kind {
        Kind::Portable => true,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => {
            is_available(Kind::Avx2)
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
        }
        #[cfg(not(target_arch = "x86_64"))]
        Kind::Avx2 | Kind::Avx512 => false,
    }
}

/// Vectors of `WIDTH` numbers.
///
/// # Safety
///
/// Every function needs the instruction set that the type stands for, and is to be inlined into a
/// function that enables it. Pointers are valid for the numbers that are read or written; no alignment
/// is asked.
pub(super) trait Lanes {
    /// Numbers of a vector.
    const WIDTH: usize;
    /// Rows of a register tile of two vectors.
    const ROWS_OF_TWO: usize;
    /// Rows of a register tile of one vector.
    const ROWS_OF_ONE: usize;
    type Vector: Copy;

    unsafe fn zero() -> Self::Vector;
    unsafe fn splat(value: f32) -> Self::Vector;
    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn store(to: *mut f32, vector: Self::Vector);
    /// The first `n < WIDTH` numbers, zeros after them.
    unsafe fn load_first(from: *const f32, n: usize) -> Self::Vector;
    /// The first `n < WIDTH` numbers.
    unsafe fn store_first(to: *mut f32, vector: Self::Vector, n: usize);
    /// The first `n ≤ WIDTH` numbers, zeros after them.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "inlined into functions that enable the instructions")]
    unsafe fn load_up_to(from: *const f32, n: usize) -> Self::Vector {
        // SAFETY: passed on.
        unsafe { if n == Self::WIDTH { Self::load(from) } else { Self::load_first(from, n) } }
    }
    /// The first `n ≤ WIDTH` numbers.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "inlined into functions that enable the instructions")]
    unsafe fn store_up_to(to: *mut f32, vector: Self::Vector, n: usize) {
        // SAFETY: passed on.
        unsafe {
            if n == Self::WIDTH {
                Self::store(to, vector);
            } else {
                Self::store_first(to, vector, n);
            }
        }
    }
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a · b + c`, rounded once or twice.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// Defines a function that runs another one as it is compiled for an instruction set:
/// `compiled! { fn name(set, argument: Type, …) -> Type = body }`, where `body` is generic over
/// [`Lanes`] (`= body::<Lanes>`) or not, and always inlined.
macro_rules! compiled {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)?
        = $body:ident::<Lanes>) => {
        compiled! { @ $(#[$meta])* $vis $name [$($arg: $type),*] [$($result)?]
            [$body::<$crate::kernels::lanes::Avx512>]
            [$body::<$crate::kernels::lanes::Avx2>]
            [$body::<$crate::kernels::lanes::Portable>] }
    };
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)?
        = $body:ident) => {
        compiled! { @ $(#[$meta])* $vis $name [$($arg: $type),*] [$($result)?]
            [$body] [$body] [$body] }
    };
    (@ $(#[$meta:meta])* $vis:vis $name:ident [$($arg:ident: $type:ty),*] [$($result:ty)?]
        [$($avx512:tt)*] [$($avx2:tt)*] [$($portable:tt)*]) => {
        $(#[$meta])*
        #[expect(unsafe_code, reason = "calls functions that need an instruction set")]
        $vis fn $name(set: $crate::kernels::lanes::InstructionSet, $($arg: $type),*) $(-> $result)? {
            use $crate::kernels::lanes::Kind;
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq")]
            fn on_avx512($($arg: $type),*) $(-> $result)? { $($avx512)*($($arg),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn on_avx2($($arg: $type),*) $(-> $result)? { $($avx2)*($($arg),*) }
            match set.kind() {
                // SAFETY: an `InstructionSet` is one that the machine has.
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512 => unsafe { on_avx512($($arg),*) },
                // SAFETY: an `InstructionSet` is one that the machine has.
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 => unsafe { on_avx2($($arg),*) },
                #[cfg(not(target_arch = "x86_64"))]
                InstructionSet::Avx512 | Kind::Avx2 => unreachable!("asserted above"),
                Kind::Portable => $($portable)*($($arg),*),
            }
        }
    };
}
pub(super) use compiled;
