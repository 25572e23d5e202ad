//! Mutants of any file.

use super::driver::{Mutant, Touched};
use crate::random::Random;

/// The file cut at every length, or at `most` random ones if there are more.
pub(crate) fn truncations(random: &mut Random, file: &[u8], most: usize) -> Vec<Mutant> {
    let lengths: Vec<usize> = if file.len() <= most {
        (0..file.len()).collect()
    } else {
        (0..most).map(|_| random.below(file.len())).collect()
    };
    let mutant = |length: usize| Mutant {
        what: format!("cut to {length} bytes"),
        touched: Touched::Structure,
        bytes: file[..length].to_vec(),
    };
    lengths.into_iter().map(mutant).collect()
}

/// One to four random bits of the file flipped, anywhere.
pub(crate) fn flip_bits(random: &mut Random, file: &[u8]) -> Mutant {
    let mut bytes = file.to_vec();
    let mut flips = Vec::new();
    for _ in 0..random.size(1, 4) {
        let (at, bit) = (random.below(bytes.len()), random.below(8));
        bytes[at] ^= 1 << bit;
        flips.push(format!("bit {bit} of byte {at}"));
    }
    let what = format!("flipped {}", flips.join(", "));
    Mutant { what, touched: Touched::Payload, bytes }
}

/// A random piece removed, repeated elsewhere, or replaced by a piece of another file.
pub(crate) fn splice(random: &mut Random, file: &[u8], other: &[u8]) -> Mutant {
    let piece = |random: &mut Random, len: usize| {
        let begin = random.below(len);
        begin..random.size(begin, len.min(begin + 64))
    };
    let mut bytes = file.to_vec();
    let taken = piece(random, bytes.len());
    let what = match random.below(3) {
        0 => {
            bytes.drain(taken.clone());
            format!("removed bytes {taken:?}")
        }
        1 => {
            let at = random.below(bytes.len());
            let copy = bytes[taken.clone()].to_vec();
            bytes.splice(at..at, copy);
            format!("repeated bytes {taken:?} at {at}")
        }
        _ => {
            let from = piece(random, other.len());
            bytes.splice(taken.clone(), other[from.clone()].iter().copied());
            format!("bytes {taken:?} replaced by bytes {from:?} of another file")
        }
    };
    Mutant { what, touched: Touched::Structure, bytes }
}
