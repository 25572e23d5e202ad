//! Parts of pictures, resized: a triangle filter as wide as what becomes one pixel, so that nothing
//! between the kept pixels is lost.
//!
//! Sums of f32 in a fixed order and f64 positions: every machine computes the same bytes.

use tridot_sim::network::Shape;

/// A picture of any size, HWC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raster<'a> {
    pub(crate) shape: Shape,
    pub(crate) pixels: &'a [u8],
}

/// What happens to the rows, or to the columns: of `length` from `start` on are made `size`, and of
/// these `kept` from `first` on are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) start: usize,
    pub(crate) length: usize,
    pub(crate) size: usize,
    pub(crate) first: usize,
    pub(crate) kept: usize,
}

impl Axis {
    /// All of a part, as so many.
    pub(crate) fn part(start: usize, length: usize, size: usize) -> Self {
        Self { start, length, size, first: 0, kept: size }
    }

    /// The middle of the whole after a resize.
    fn middle(length: usize, size: usize, kept: usize) -> Self {
        Self { start: 0, length, size, first: (size - kept) / 2, kept }
    }
}

/// Rows and columns of a picture as a network is tested on it.
///
/// It is resized, with its proportions, until it just covers a rectangle of 8/7 of the network's height
/// and width (256 for 224: a ratio of 0.875), and the middle is cut out. One that has the network's size
/// already is taken as it is.
pub(crate) fn tested(from: Shape, to: Shape) -> [Axis; 2] {
    if (from.height, from.width) == (to.height, to.width) {
        return [Axis::part(0, from.height, to.height), Axis::part(0, from.width, to.width)];
    }
    let covered = |side: usize| (16 * side + 7) / 14;
    let (height, width) = (covered(to.height), covered(to.width));
    // Which side just covers: cross products compare height / from.height with width / from.width.
    let (height, width) = if height * from.width < width * from.height {
        (from.height * width / from.width, width)
    } else {
        (height, from.width * height / from.height)
    };
    [Axis::middle(from.height, height, to.height), Axis::middle(from.width, width, to.width)]
}

/// Which pixels make one, and their shares.
struct Taps {
    first: usize,
    shares: Vec<f32>,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions lie within a picture, shares within 0 and 1"
)]
fn taps(axis: Axis) -> Vec<Taps> {
    let scale = axis.length as f64 / axis.size as f64;
    let reach = scale.max(1.0);
    let one = |idx: usize| {
        let center = (idx as f64 + 0.5) * scale;
        let low = (center - reach + 0.5).max(0.0) as usize;
        let high = ((center + reach + 0.5) as usize).min(axis.length);
        let weights: Vec<f64> = (low..high)
            .map(|i| (1.0 - ((i as f64 + 0.5 - center) / reach).abs()).max(0.0))
            .collect();
        let sum: f64 = weights.iter().sum();
        let shares = weights.into_iter().map(|weight| (weight / sum) as f32).collect();
        Taps { first: axis.start + low, shares }
    };
    (axis.first..axis.first + axis.kept).map(one).collect()
}

/// Makes `rows.kept` × `columns.kept` pixels of a picture, HWC, over all of `out`; `line` is scratch.
pub(crate) fn resize(
    from: Raster<'_>,
    [rows, columns]: [Axis; 2],
    line: &mut Vec<f32>,
    out: &mut [u8],
) {
    let channels = from.shape.channels;
    let (row_taps, column_taps) = (taps(rows), taps(columns));
    // Only the columns that something is made of.
    let left = column_taps.iter().map(|taps| taps.first).min().unwrap_or(0);
    let right = column_taps.iter().map(|taps| taps.first + taps.shares.len()).max().unwrap_or(0);
    let stride = from.shape.width * channels;
    for (taps, out) in row_taps.iter().zip(out.chunks_exact_mut(columns.kept * channels)) {
        line.clear();
        line.resize((right - left) * channels, 0.0);
        for (row, &share) in (taps.first..).zip(&taps.shares) {
            let start = row * stride + left * channels;
            let pixels = &from.pixels[start..start + line.len()];
            for (sum, &pixel) in line.iter_mut().zip(pixels) {
                *sum += share * f32::from(pixel);
            }
        }
        if channels == 3 {
            across::<3>(&column_taps, left, line, out);
        } else {
            for channel in 0..channels {
                let values: Vec<f32> =
                    line.iter().skip(channel).step_by(channels).copied().collect();
                let mut made = vec![0; columns.kept];
                across::<1>(&column_taps, left, &values, &mut made);
                let places = out.iter_mut().skip(channel).step_by(channels);
                places.zip(made).for_each(|(place, made)| *place = made);
            }
        }
    }
}

/// One line of pixels from a line of sums.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn across<const C: usize>(taps: &[Taps], left: usize, line: &[f32], out: &mut [u8]) {
    for (taps, out) in taps.iter().zip(out.chunks_exact_mut(C)) {
        let start = (taps.first - left) * C;
        let pixels = line[start..start + taps.shares.len() * C].chunks_exact(C);
        let mut sums = [0.5_f32; C];
        for (&share, pixel) in taps.shares.iter().zip(pixels) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += share * value;
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum.clamp(0.0, 255.0) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(shape: Shape, pixels: &[u8], axes: [Axis; 2]) -> Vec<u8> {
        let mut out = vec![0; axes[0].kept * axes[1].kept * shape.channels];
        resize(Raster { shape, pixels }, axes, &mut Vec::new(), &mut out);
        out
    }

    #[test]
    fn a_line_by_hand() {
        let shape = Shape::new(1, 4, 1);
        let one = Axis::part(0, 1, 1);
        let line = [0, 40, 80, 200];
        assert_eq!(resized(shape, &line, [one, Axis::part(0, 4, 4)]), line);
        // Halved: tents of width 4 around 1 and 3. The left one: pixels at ±0.5 weigh 3/4, at 1.5 1/4,
        // 0.75·0 + 0.75·40 + 0.25·80 over 1.75 = 28.6; the right one (0.25·40 + 0.75·280)/1.75 = 125.7.
        assert_eq!(resized(shape, &line, [one, Axis::part(0, 4, 2)]), [29, 126]);
        // A part of two, doubled: centres at 0.25, 0.75, … of 40 and 80.
        assert_eq!(resized(shape, &line, [one, Axis::part(1, 2, 4)]), [40, 50, 70, 80]);
        // The same on two rows, one of them kept, and in three channels.
        let rows = Axis { start: 0, length: 2, size: 2, first: 1, kept: 1 };
        let two: Vec<u8> = [[9; 4], line].concat().iter().flat_map(|&v| [v, v, v / 2]).collect();
        let made = resized(Shape::new(2, 4, 3), &two, [rows, Axis::part(0, 4, 2)]);
        assert_eq!(made, [29, 29, 14, 126, 126, 63]);
    }

    #[test]
    fn tested_pictures_cover_256_of_which_the_middle_224_are_kept() {
        let to = Shape::new(224, 224, 3);
        // 500 · 256 / 375 = 341.3.
        let wide = tested(Shape::new(375, 500, 3), to);
        assert_eq!(wide, [Axis::middle(375, 256, 224), Axis::middle(500, 341, 224)]);
        assert_eq!((wide[0].first, wide[1].first), (16, 58));
        let tall = tested(Shape::new(500, 375, 3), to);
        assert_eq!(tall, [Axis::middle(500, 341, 224), Axis::middle(375, 256, 224)]);
        assert_eq!(tested(to, to), [Axis::part(0, 224, 224); 2]);
        // A strip of one pixel still has its proportions: 1000 times as wide as high.
        let strip = tested(Shape::new(1, 1000, 3), to);
        assert_eq!(strip[1], Axis::middle(1000, 256_000, 224));
    }

    #[test]
    fn an_even_picture_stays_even_at_any_size() {
        let shape = Shape::new(37, 53, 3);
        let pixels = [10, 128, 255].repeat(37 * 53);
        for size in [1, 5, 32, 64, 300] {
            let to = Shape::new(size, size + 3, 3);
            let made = resized(shape, &pixels, tested(shape, to));
            assert_eq!(made, [10, 128, 255].repeat(size * (size + 3)), "{size}");
        }
    }
}
