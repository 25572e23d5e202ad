//! Which pictures make a batch: decided by seed, stage, epoch and index.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tridot_sim::network::Shape;

use super::augment::augmented;
use super::plan::{Augmentation, Stage};
use crate::Error;
use crate::data::{self, Made, Opened, Pictures, Raster, Scratch, Source, Work};
use crate::random::{below, shuffle};

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    HeldBack = 1,
    Order = 2,
    Picture = 3,
    Weights = 4,
    StandIn = 5,
    Calibration = 6,
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

/// At most `n` of the pictures in random order, for a look at them before the first epoch.
pub(super) fn some(pictures: &[usize], seed: u64, n: usize) -> Vec<usize> {
    let mut chosen = order(pictures, seed, usize::MAX, 0);
    chosen.truncate(n);
    chosen
}

/// Uniform numbers from −1 to 1 for the weights of a layer.
pub(super) fn initial_weights(n: usize, seed: u64, layer_idx: usize) -> Vec<f32> {
    let mut generator = generator(seed, Purpose::Weights, [0, 0], layer_idx as u64);
    (0..n).map(|_| (generator.next_u32() >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

/// Where a batch is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) seed: u64,
    pub(super) stage: usize,
    pub(super) epoch: usize,
}

/// How often a picture that cannot be read is replaced by another before all is given up: as at most
/// a small share is unreadable, some other fault is to blame then.
const STAND_INS: usize = 100;

/// Hands over the batches of these pictures in order, changed; the next ones are made meanwhile.
///
/// A picture that cannot be read is replaced by another of the same epoch, so that every batch is full
/// and no other picture changes.
pub(super) fn for_each(
    source: Source<'_>,
    order: &[usize],
    place: Place,
    stage: &Stage,
    each: &mut dyn FnMut(&Pictures) -> Result<(), Error>,
) -> Result<(), Error> {
    let epoch = [place.stage as u64, place.epoch as u64];
    let make = |position: usize, scratch: &mut Scratch, out: &mut [u8]| {
        let stream = order[position] as u64;
        let mut dice = generator(place.seed, Purpose::Picture, epoch, stream);
        let mut others = generator(place.seed, Purpose::StandIn, epoch, stream);
        let mut made = Made { label: None, damaged: Vec::new() };
        let mut picture_idx = order[position];
        while made.label.is_none() {
            match source.open(picture_idx, scratch)? {
                Ok(opened) => {
                    augmented(opened, source.shape(), stage.augmentation, &mut dice, out);
                    made.label = Some(source.labels()[picture_idx]);
                }
                Err(reason) if made.damaged.len() < STAND_INS => {
                    made.damaged.push((picture_idx, reason));
                    picture_idx = order[below(&mut others, order.len())];
                }
                // More than most sets may have: counting them refuses it, or the batch is refused.
                Err(_) => return Ok(made),
            }
        }
        Ok(made)
    };
    let work = Work { source, pictures: order.len(), batch: stage.batch, make: &make };
    data::batches(&work, &mut |batch| {
        if batch.len() < stage.batch {
            let reason = "too few can be read to replace those that cannot";
            return Err(Error::malformed("training pictures", reason));
        }
        each(batch)
    })
}

/// Pictures of a network's own size, one after the other, changed as those of a batch are.
pub(super) fn changed(
    pixels: &[u8],
    shape: Shape,
    augmentation: Augmentation,
    seed: u64,
) -> Vec<u8> {
    let mut out = vec![0; pixels.len()];
    let mut line = Vec::new();
    let pictures =
        pixels.chunks_exact(shape.elements()).zip(out.chunks_exact_mut(shape.elements()));
    for (stream, (pixels, out)) in (0..).zip(pictures) {
        let mut dice = generator(seed, Purpose::Calibration, [0; 2], stream);
        let opened = Opened { raster: Raster { shape, pixels }, line: &mut line };
        augmented(opened, shape, augmentation, &mut dice, out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_pictures_are_changed_as_those_of_a_batch_are() {
        let shape = Shape::new(4, 4, 1);
        let pixels: Vec<u8> = (1..=64).collect();
        let plain = Augmentation::default();
        assert_eq!(changed(&pixels, shape, plain, 0), pixels);
        let flip = Augmentation { flip: true, ..plain };
        let flipped = changed(&pixels, shape, flip, 0);
        for (before, after) in pixels.chunks(4).zip(flipped.chunks(4)) {
            let mirrored: Vec<u8> = before.iter().rev().copied().collect();
            assert!(after == before || after == mirrored);
        }
        let crop = Augmentation { crop: 2, ..plain };
        let cropped = changed(&pixels, shape, crop, 0);
        assert!(cropped.contains(&0), "a crop of four pictures has black pixels");
        assert_eq!(cropped, changed(&pixels, shape, crop, 0));
        assert_ne!(cropped, changed(&pixels, shape, crop, 1));
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
