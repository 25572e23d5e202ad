//! How a picture is changed before it is trained on.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;
use tridot_sim::network::Shape;

use super::plan::{Augmentation, ResizedCrop};
use crate::data::{self, Axis, Opened};
use crate::random::below;

/// The picture as it is trained on: a crop, perhaps with left and right exchanged.
pub(super) fn augmented(
    opened: Opened<'_>,
    shape: Shape,
    augmentation: Augmentation,
    dice: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    if let Some(resized) = augmentation.resized_crop {
        let axes = resized_crop(opened.raster.shape, shape, resized, dice);
        data::resize(opened.raster, axes, opened.line, out);
        if augmentation.flip && below(dice, 2) == 1 {
            mirror(shape, out);
        }
        return;
    }
    let side = 2 * augmentation.crop + 1;
    let shift = [below(dice, side), below(dice, side)];
    let flipped = augmentation.flip && below(dice, 2) == 1;
    if opened.raster.shape == shape {
        changed(shape, opened.raster.pixels, out, shift, augmentation.crop, flipped);
    } else {
        let mut picture = vec![0; shape.elements()];
        opened.tested(shape, &mut picture);
        changed(shape, &picture, out, shift, augmentation.crop, flipped);
    }
}

/// How often a part is drawn before the middle is taken: parts with the proportions of a strip do not
/// fit every picture.
const DRAWS: usize = 10;

/// Rows and columns of a part of random area, proportions and place.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides are compared with those of the picture"
)]
fn resized_crop(from: Shape, to: Shape, ranges: ResizedCrop, dice: &mut ChaCha8Rng) -> [Axis; 2] {
    let [least, most] = ranges.aspect;
    for _ in 0..DRAWS {
        let [low, high] = ranges.area;
        let area = from.pixels() as f64 * (low + (high - low) * uniform(dice));
        let aspect = least * power(most / least, dice.next_u32());
        let width = (area * aspect).sqrt().round() as usize;
        let height = (area / aspect).sqrt().round() as usize;
        if (1..=from.width).contains(&width) && (1..=from.height).contains(&height) {
            let left = below(dice, from.width - width + 1);
            let top = below(dice, from.height - height + 1);
            return [Axis::part(top, height, to.height), Axis::part(left, width, to.width)];
        }
    }
    let (height, width) = (from.height as f64, from.width as f64);
    let middle = |length: usize, most: f64, size: usize| {
        let kept = (most.round() as usize).clamp(1, length);
        Axis::part((length - kept) / 2, kept, size)
    };
    [middle(from.height, width / least, to.height), middle(from.width, height * most, to.width)]
}

/// From 0 to below 1.
fn uniform(dice: &mut ChaCha8Rng) -> f64 {
    f64::from(dice.next_u32()) / 4_294_967_296.0
}

/// `base` to the power of `exponent` / 2³², by square roots and products alone, which every machine
/// computes alike.
fn power(base: f64, exponent: u32) -> f64 {
    let (mut root, mut result) = (base, 1.0);
    for bit in (0..u32::BITS).rev() {
        root = root.sqrt();
        if exponent >> bit & 1 == 1 {
            result *= root;
        }
    }
    result
}

/// Exchanges left and right.
fn mirror(shape: Shape, pixels: &mut [u8]) {
    let channels = shape.channels;
    for row in pixels.chunks_exact_mut(shape.width * channels) {
        for column in 0..shape.width / 2 {
            let (left, right) = row.split_at_mut((shape.width - 1 - column) * channels);
            left[column * channels..(column + 1) * channels]
                .swap_with_slice(&mut right[..channels]);
        }
    }
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
    out.fill(0);
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
    use rand_chacha::rand_core::SeedableRng as _;

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
    fn a_mirrored_picture_by_hand() {
        let mut pixels: Vec<u8> = (1..=12).collect(); // 2 × 3, two channels
        mirror(Shape::new(2, 3, 2), &mut pixels);
        assert_eq!(pixels, [5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8]);
        let mut pixels: Vec<u8> = (1..=8).collect(); // 1 × 4
        mirror(Shape::new(1, 4, 2), &mut pixels);
        assert_eq!(pixels, [7, 8, 5, 6, 3, 4, 1, 2]);
    }

    #[test]
    fn powers_are_those_of_the_logarithm() {
        for (base, share) in [(16.0 / 9.0, 0.25), (16.0 / 9.0, 0.999), (100.0, 0.5), (1.0, 0.3)] {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "below 2³²"
            )]
            let exponent = (share * 4_294_967_296.0) as u32;
            let wanted = f64::powf(base, share);
            assert!((power(base, exponent) / wanted - 1.0).abs() < 1e-8, "{base}, {share}");
        }
    }

    /// 2,000 parts of a picture of 500 × 375 pixels: where they lie, and how they are distributed.
    #[test]
    fn resized_crops_have_the_areas_and_proportions_of_their_ranges() {
        let (from, to) = (Shape::new(375, 500, 3), Shape::new(224, 192, 3));
        let ranges = ResizedCrop::default();
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let (mut areas, mut upright, mut corners) = (Vec::new(), 0, 0);
        for _ in 0..2000 {
            let [rows, columns] = resized_crop(from, to, ranges, &mut dice);
            assert_eq!((rows.size, rows.kept, columns.size, columns.kept), (224, 224, 192, 192));
            assert!(rows.start + rows.length <= 375 && columns.start + columns.length <= 500);
            let area = (rows.length * columns.length) as f64 / from.pixels() as f64;
            let aspect = columns.length as f64 / rows.length as f64;
            // Sides are rounded to pixels.
            assert!((0.079..=1.0).contains(&area), "{area}");
            assert!((0.74..=1.35).contains(&aspect), "{aspect}");
            areas.push(area);
            upright += usize::from(aspect < 1.0);
            corners += usize::from(rows.start < 20 && columns.start < 20);
        }
        // Uniform in area but for large parts that do not fit; as often upright as not, nearly: upright
        // ones fit less often into a wide picture.
        areas.sort_by(f64::total_cmp);
        assert!((0.4..0.54).contains(&areas[1000]), "{}", areas[1000]);
        assert!((800..1050).contains(&upright), "{upright}");
        assert!(20 < corners, "{corners}");
    }

    #[test]
    fn a_strip_that_no_part_fits_gives_its_middle() {
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let ranges = ResizedCrop { area: [1.0, 1.0], aspect: [0.5, 2.0] };
        let to = Shape::new(8, 8, 3);
        let [rows, columns] = resized_crop(Shape::new(10, 100, 3), to, ranges, &mut dice);
        assert_eq!([rows, columns], [Axis::part(0, 10, 8), Axis::part(40, 20, 8)]);
        let [rows, columns] = resized_crop(Shape::new(100, 10, 3), to, ranges, &mut dice);
        assert_eq!([rows, columns], [Axis::part(40, 20, 8), Axis::part(0, 10, 8)]);
    }
}
