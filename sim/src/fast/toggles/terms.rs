//! Registers and nets side by side: each loop gives many of them their next values and counts the bits that change.
//!
//! Written so that the compiler makes vector code of it on any machine: bits are counted in bytes inside whole words, and bytes
//! are added up before they can overflow.

/// Words of a vector; the compiler's vectors divide it.
const WORDS: usize = 8;
/// A byte counts at most 8 bits a word: 31 of them fit.
const WORDS_BEFORE_OVERFLOW: usize = 31;

/// A word that holds every term of a tree.
pub(super) trait Term: Copy + Default {
    fn wide(self) -> i64;

    /// `held[i]` ← `codes[i]·trits[i]`; returns the bits that change, of the lowest `bits` of each.
    fn multiply(held: &mut [Self], codes: &[i16], trits: &[i16], bits: u32) -> u64;

    /// `held[i]` ← `terms[i]` + `terms[i + n]`, n = half the terms; returns the bits that change.
    fn add_halves(held: &mut [Self], terms: &[Self], bits: u32) -> u64;
}

macro_rules! term {
    ($term:ident, $word:ident, $update:ident) => {
        /// `held[i]` ← f(`held[i]`, `a[i]`, `b[i]`); returns the bits that change.
        #[inline]
        fn $update<A: Copy, B: Copy>(
            held: &mut [$term],
            (a, b): (&[A], &[B]),
            bits: u32,
            f: impl Fn($term, A, B) -> $term,
        ) -> u64 {
            let mask = $word::MAX >> ($word::BITS - bits);
            let (a, b) = (&a[..held.len()], &b[..held.len()]);
            let change = |held: &mut $term, a: A, b: B| {
                let new = f(*held, a, b);
                let differ = (*held ^ new).cast_unsigned() & mask;
                *held = new;
                differ
            };
            let (held, held_rest) = held.as_chunks_mut::<WORDS>();
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WORDS>(), b.as_chunks::<WORDS>());
            let mut toggles = 0;
            let blocks = held
                .chunks_mut(WORDS_BEFORE_OVERFLOW)
                .zip(a.chunks(WORDS_BEFORE_OVERFLOW))
                .zip(b.chunks(WORDS_BEFORE_OVERFLOW));
            for ((held, a), b) in blocks {
                let mut bytes = [0; WORDS];
                for ((held, a), b) in held.iter_mut().zip(a).zip(b) {
                    for (i, bytes) in bytes.iter_mut().enumerate() {
                        let differ = change(&mut held[i], a[i], b[i]);
                        let pairs = differ.wrapping_sub(differ >> 1 & ($word::MAX / 3));
                        let fours = (pairs & ($word::MAX / 5)) + (pairs >> 2 & ($word::MAX / 5));
                        *bytes += (fours + (fours >> 4)) & ($word::MAX / 17);
                    }
                }
                let words = bytes.into_iter().flat_map($word::to_ne_bytes);
                toggles += words.map(u64::from).sum::<u64>();
            }
            for ((held, &a), &b) in held_rest.iter_mut().zip(a_rest).zip(b_rest) {
                toggles += u64::from(change(held, a, b).count_ones());
            }
            toggles
        }

        impl Term for $term {
            fn wide(self) -> i64 {
                self.into()
            }

            fn multiply(held: &mut [Self], codes: &[i16], trits: &[i16], bits: u32) -> u64 {
                $update(held, (codes, trits), bits, |_, code, trit| {
                    Self::from(code).wrapping_mul(Self::from(trit))
                })
            }

            fn add_halves(held: &mut [Self], terms: &[Self], bits: u32) -> u64 {
                let halves = terms.split_at(held.len());
                $update(held, halves, bits, |_, a, b| a.wrapping_add(b))
            }
        }
    };
}

term!(i16, u16, update_i16);
term!(i32, u32, update_i32);

/// `held` ← `new`; returns the bits that change.
pub(super) fn load(held: &mut [i16], new: &[i16], bits: u32) -> u64 {
    update_i16(held, (new, new), bits, |_, new, _| new)
}

/// `held` ← `new` where `loads` is −1, and not where it is 0; returns the bits that change.
pub(super) fn load_where(held: &mut [i16], new: &[i16], loads: &[i16], bits: u32) -> u64 {
    update_i16(held, (new, loads), bits, |held, new, loads| (new & loads) | (held & !loads))
}

/// Each code as often as there are trees: `out[i]` ← `codes[i / trees]`.
pub(super) fn repeat(out: &mut [i16], codes: &[i16], trees: usize) {
    match trees {
        1 => out.copy_from_slice(codes),
        2 => repeat_by::<2>(out, codes),
        4 => repeat_by::<4>(out, codes),
        8 => repeat_by::<8>(out, codes),
        16 => repeat_by::<16>(out, codes),
        32 => repeat_by::<32>(out, codes),
        _ => {
            for (out, &code) in out.chunks_exact_mut(trees).zip(codes) {
                out.fill(code);
            }
        }
    }
}

fn repeat_by<const N: usize>(out: &mut [i16], codes: &[i16]) {
    for (out, &code) in out.as_chunks_mut::<N>().0.iter_mut().zip(codes) {
        *out = [code; N];
    }
}

/// Bits in which two wide words differ; past the 64th they are copies of the sign.
pub(super) fn differing(before: i64, after: i64, bits: u32) -> u64 {
    let differ = u128::from((before ^ after).cast_unsigned());
    let copies = if (before < 0) == (after < 0) { 0 } else { u128::MAX << 64 };
    u64::from(((differ | copies) & (u128::MAX >> (128 - bits))).count_ones())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_in_vectors_blocks_and_rests() {
        for len in [0, 1, 7, 8, 9, 248, 249, 600] {
            let new: Vec<i16> =
                (0..len).map(|i| i16::try_from(i * 97 % 511).unwrap() - 255).collect();
            let ones: u32 = new.iter().map(|&word| (word & 0x1ff).count_ones()).sum();
            let mut held = vec![0; new.len()];
            assert_eq!(load(&mut held, &new, 9), u64::from(ones));
            assert_eq!(held, new);
            assert_eq!(load(&mut held, &new, 9), 0);
            let mut held = vec![0_i32; new.len()];
            let ones: u32 = new.iter().map(|&word| (-i32::from(word) & 0x7ffff).count_ones()).sum();
            let trits = vec![-1; new.len()];
            assert_eq!(i32::multiply(&mut held, &new, &trits, 19), u64::from(ones));
        }
    }

    #[test]
    fn every_bit_of_a_full_block_counts() {
        let mut held = vec![0_i16; 31 * 8];
        assert_eq!(load(&mut held, &[-1; 31 * 8], 16), 31 * 8 * 16);
        assert_eq!(load_where(&mut held, &[0; 31 * 8], &[0; 31 * 8], 16), 0);
    }

    #[test]
    fn signs_are_copied_past_the_64th_bit() {
        assert_eq!(differing(0, -1, 66), 66);
        assert_eq!(differing(0, -1, 48), 48);
        assert_eq!(differing(5, 4, 66), 1);
    }
}
