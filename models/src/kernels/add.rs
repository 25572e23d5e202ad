//! Residual additions: of two tensors as they lie or as they are finished on the way.

use rayon::prelude::*;

use super::finish::{Tail, add_to, tail as tail_in_place};
use super::lanes::InstructionSet;
use super::values::Values;

/// `out = tail(a + b)`. Tensors are cut into blocks of whole pictures.
pub(crate) fn forward(
    set: InstructionSet,
    picture: usize,
    out: &mut [f32],
    (a, b): (&Values<'_>, &Values<'_>),
    tail: Tail,
) {
    let block = |(i, out): (usize, &mut [f32])| sum(set, i * picture, out, (a, b), tail);
    out.par_chunks_mut(picture).enumerate().for_each(block);
}

/// The sums of some whole pixels from element `start` on.
pub(crate) fn sum(
    set: InstructionSet,
    start: usize,
    out: &mut [f32],
    (a, b): (&Values<'_>, &Values<'_>),
    tail: Tail,
) {
    a.copy(set, start, out);
    if let Some(values) = b.in_place(start..start + out.len()) {
        add_to(set, out, values);
    } else {
        let mut values = vec![0.0; out.len()];
        b.copy(set, start, &mut values);
        add_to(set, out, &values);
    }
    if tail != Tail::NONE {
        tail_in_place(set, out, tail);
    }
}
