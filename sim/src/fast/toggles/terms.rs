//! Registers and nets side by side: each loop gives many of them their next values and counts the bits that change.
//!
//! Written so that the compiler makes vector code of it on any machine: words of one width all through, sums among them.

/// Words whose bits are counted in one word, which 16 bits hold: 2048 · 16 < 2^16.
const BLOCK: usize = 2048;

/// A word that holds every term of a tree.
pub(super) trait Term: Copy + Default {
    fn wide(self) -> i64;

    /// `held[i]` ← `codes[i]·trits[i]`; returns the bits that change, of the lowest `bits` of each.
    fn multiply(held: &mut [Self], codes: &[i16], trits: &[i16], bits: u32) -> u64;

    /// `held[i]` ← `terms[i]` + `terms[i + n]`, n = half the terms; returns the bits that change.
    fn add_halves(held: &mut [Self], terms: &[Self], bits: u32) -> u64;
}

macro_rules! term {
    ($term:ident, $word:ident, $update:ident, $total:expr) => {
        /// `held[i]` ← f(`held[i]`, `a[i]`, `b[i]`); returns the bits that change.
        #[inline]
        fn $update<A: Copy, B: Copy>(
            held: &mut [$term],
            (a, b): (&[A], &[B]),
            bits: u32,
            f: impl Fn($term, A, B) -> $term,
        ) -> u64 {
            let mask = $word::MAX >> ($word::BITS - bits);
            let blocks = held.chunks_mut(BLOCK).zip(a.chunks(BLOCK)).zip(b.chunks(BLOCK));
            let mut toggles = 0;
            for ((held, a), b) in blocks {
                let mut ones: $word = 0;
                for ((held, &a), &b) in held.iter_mut().zip(a).zip(b) {
                    let new = f(*held, a, b);
                    let differ = (*held ^ new).cast_unsigned() & mask;
                    *held = new;
                    let pairs = differ.wrapping_sub(differ >> 1 & ($word::MAX / 3));
                    let fours =
                        (pairs & ($word::MAX / 5)).wrapping_add(pairs >> 2 & ($word::MAX / 5));
                    let bytes = fours.wrapping_add(fours >> 4) & ($word::MAX / 17);
                    ones = ones.wrapping_add($total(bytes));
                }
                toggles += u64::from(ones);
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

term!(i16, u16, update_i16, |bytes: u16| bytes.wrapping_add(bytes >> 8) & 0x1f);
term!(i32, u32, update_i32, |bytes: u32| {
    let halves = bytes.wrapping_add(bytes >> 16);
    halves.wrapping_add(halves >> 8) & 0x3f
});

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
        24 => repeat_by::<24>(out, codes),
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
    fn bits_are_counted_in_blocks_of_any_length() {
        for len in [0, 1, 7, 8, 9, 600, 2048, 2049, 5000] {
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
        let mut held = vec![0_i16; 2048];
        assert_eq!(load(&mut held, &[-1; 2048], 16), 2048 * 16);
        assert_eq!(load_where(&mut held, &[0; 2048], &[0; 2048], 16), 0);
    }

    #[test]
    fn signs_are_copied_past_the_64th_bit() {
        assert_eq!(differing(0, -1, 66), 66);
        assert_eq!(differing(0, -1, 48), 48);
        assert_eq!(differing(5, 4, 66), 1);
    }
}
