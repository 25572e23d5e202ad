//! Which pictures make a batch, and how they are changed: decided by seed, stage, epoch and index.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rayon::prelude::*;
use tridot_sim::network::Shape;

use super::plan::Augmentation;
use crate::data::Pictures;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    HeldBack = 1,
    Order = 2,
    Picture = 3,
    Weights = 4,
}

fn generator(seed: u64, purpose: Purpose, [a, b]: [u64; 2], stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, a, b]) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(stream);
    generator
}

/// The indices of all training pictures in random order: those held back, and the others.
pub(super) fn split(n: usize, held_back: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut order, &mut generator(seed, Purpose::HeldBack, [0, 0], 0));
    let mut rest = order.split_off(held_back.min(n));
    order.sort_unstable();
    rest.sort_unstable();
    (order, rest)
}

/// The pictures of an epoch in its order.
pub(super) fn order(pictures: &[usize], seed: u64, stage: usize, epoch: usize) -> Vec<usize> {
    let mut order = pictures.to_vec();
    let place = [stage as u64, epoch as u64];
    shuffle(&mut order, &mut generator(seed, Purpose::Order, place, 0));
    order
}

/// Uniform numbers from −1 to 1 for the weights of a layer.
pub(super) fn initial_weights(n: usize, seed: u64, layer_idx: usize) -> Vec<f32> {
    let mut generator = generator(seed, Purpose::Weights, [0, 0], layer_idx as u64);
    (0..n).map(|_| (generator.next_u32() >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

/// Fisher and Yates.
fn shuffle(order: &mut [usize], generator: &mut ChaCha8Rng) {
    for i in (1..order.len()).rev() {
        order.swap(i, below(generator, i + 1));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
fn below(generator: &mut ChaCha8Rng, n: usize) -> usize {
    (generator.next_u64() % n as u64) as usize
}

/// Where a batch is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) seed: u64,
    pub(super) stage: usize,
    pub(super) epoch: usize,
}

/// The pixels of a batch, changed, and its labels.
pub(super) fn batch(
    pictures: &Pictures,
    indices: &[usize],
    place: Place,
    augmentation: Augmentation,
) -> (Vec<u8>, Vec<u8>) {
    let elements = pictures.shape.elements();
    let mut pixels = vec![0; indices.len() * elements];
    pixels.par_chunks_mut(elements).zip(indices).for_each(|(pixels, &picture_idx)| {
        let source = pictures.picture(picture_idx);
        let epoch = [place.stage as u64, place.epoch as u64];
        let mut dice = generator(place.seed, Purpose::Picture, epoch, picture_idx as u64);
        let side = 2 * augmentation.crop + 1;
        let shift = [below(&mut dice, side), below(&mut dice, side)];
        let flipped = augmentation.flip && below(&mut dice, 2) == 1;
        changed(pictures.shape, source, pixels, shift, augmentation.crop, flipped);
    });
    (pixels, indices.iter().map(|&i| pictures.labels[i]).collect())
}

/// A crop of the picture with `pad` black pixels around it, from row and column `shift`, perhaps
/// left and right exchanged.
fn changed(
    shape: Shape,
    source: &[u8],
    out: &mut [u8],
    shift: [usize; 2],
    pad: usize,
    flipped: bool,
) {
    let channels = shape.channels;
    for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
        let (row, column) = (pixel / shape.width, pixel % shape.width);
        let column = if flipped { shape.width - 1 - column } else { column };
        let (row, column) = (row + shift[0], column + shift[1]);
        let inside =
            pad <= row && pad <= column && row - pad < shape.height && column - pad < shape.width;
        if inside {
            let start = ((row - pad) * shape.width + column - pad) * channels;
            out.copy_from_slice(&source[start..start + channels]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_and_a_flip_by_hand() {
        let source: Vec<u8> = (1..=6).collect(); // 2 × 3
        let shape = Shape::new(2, 3, 1);
        let crop = |shift, flipped| {
            let mut out = vec![0; 6];
            changed(shape, &source, &mut out, shift, 1, flipped);
            out
        };
        assert_eq!(crop([1, 1], false), source);
        assert_eq!(crop([0, 1], false), [0, 0, 0, 1, 2, 3]);
        assert_eq!(crop([1, 2], false), [2, 3, 0, 5, 6, 0]);
        assert_eq!(crop([1, 1], true), [3, 2, 1, 6, 5, 4]);
    }

    #[test]
    fn an_epoch_has_every_picture_once_and_its_own_order() {
        let (held, rest) = split(50, 20, 1);
        let mut all = [held, rest.clone()].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..50));
        let orders: Vec<Vec<usize>> = (0..3).map(|epoch| order(&rest, 1, 0, epoch)).collect();
        assert!(orders[0] != orders[1] && orders[1] != orders[2]);
        assert_eq!(orders[1], order(&rest, 1, 0, 1));
        for mut order in orders {
            order.sort_unstable();
            assert_eq!(order, rest);
        }
    }
}
