//! Pictures made by code: a data set to learn, and pictures for networks without one.
//!
//! Only additions, multiplications, divisions and roundings of f64 are used, which every machine
//! computes alike, so the same seed gives the same bytes everywhere.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tridot_sim::network::Shape;

use super::{DataSet, Pictures};
use crate::Error;

const CLASSES: usize = 10;
const SHAPE: Shape = Shape::new(32, 32, 3);
/// Bytes of the pictures that [`picture_like`] makes at once, at most: 512 MiB.
pub const MAX_PICTURE_BYTES: usize = 1 << 29;
/// Five orientations, each fine and coarse.
const ORIENTATIONS: usize = 5;
/// Standard deviation of the noise of a pixel, in steps of 255.
const NOISE: f64 = 14.0;

/// What a stream of random numbers is for; pictures of different purposes share no number.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Training = 1,
    Test = 2,
    PictureLike = 3,
}

/// Ten classes of 32×32 colour pictures that a small convolutional network can tell apart and a
/// linear classifier of the pixels cannot.
///
/// A class is the grain of a striped patch: one of five orientations (36° apart, ±8° at random),
/// fine (wavelength 3.6 to 4.6 pixels) or coarse (6.8 to 8.8). Place, size, colours, contrast and
/// phase of the stripes, a smaller patch of any other grain, a shaded background and noise are
/// drawn at random, alike for all classes: as the phase is uniform, the mean picture of every
/// class is the same. Picture i has label i mod 10 and depends on the seed and i alone, not on how
/// many are made.
pub fn synthetic(seed: u64, n_training: usize, n_test: usize) -> DataSet {
    DataSet {
        name: "synthetic",
        classes: CLASSES,
        calibration: striped_pictures(seed, Purpose::Training, n_training),
        test: striped_pictures(seed, Purpose::Test, n_test),
    }
}

/// Whether a network of this input and so many outputs can be about the pictures of [`synthetic`].
pub fn synthetic_fits(shape: Shape, classes: usize) -> bool {
    shape == SHAPE && classes == CLASSES
}

/// Pictures of any shape with the statistics that matter for ranges: smooth regions, edges, fine
/// detail, correlated channels, the whole of 0 to 255. They show nothing; every label is 0 and
/// means nothing. Picture i depends on the seed, the shape and i alone.
///
/// Refuses more than [`MAX_PICTURE_BYTES`] in all before it makes any.
pub fn picture_like(shape: Shape, seed: u64, n: usize) -> Result<Pictures, Error> {
    if shape.elements().checked_mul(n).is_none_or(|bytes| MAX_PICTURE_BYTES < bytes) {
        let most = MAX_PICTURE_BYTES / shape.elements().max(1);
        let limit = format!("at most {most}, as {shape} pictures fill {MAX_PICTURE_BYTES} bytes");
        return Err(Error::limit("synthetic pictures", "their number", limit, n));
    }
    let mut pictures = Pictures::with_capacity(shape, n);
    for picture_idx in 0..n {
        let mut dice = Dice::new(seed, Purpose::PictureLike, picture_idx);
        push_picture_like(&mut dice, shape, &mut pictures.pixels);
        pictures.labels.push(0);
    }
    Ok(pictures)
}

fn striped_pictures(seed: u64, purpose: Purpose, n: usize) -> Pictures {
    let mut pictures = Pictures::with_capacity(SHAPE, n);
    for picture_idx in 0..n {
        let mut dice = Dice::new(seed, purpose, picture_idx);
        let class = picture_idx % CLASSES;
        push_striped(&mut dice, class, &mut pictures.pixels);
        pictures.labels.push(u16::try_from(class).expect("below 10"));
    }
    pictures
}

fn push_striped(dice: &mut Dice, class: usize, pixels: &mut Vec<u8>) {
    let background = Background::draw(dice, 70.0..185.0);
    let distractor_class = (class + 1 + dice.below(CLASSES - 1)) % CLASSES;
    let patches =
        [Patch::draw(dice, class, 8.0..13.0), Patch::draw(dice, distractor_class, 3.0..5.0)];
    for row in 0..SHAPE.height {
        for column in 0..SHAPE.width {
            let (x, y) = (column as f64, row as f64);
            let [patch, distractor] = patches.each_ref().map(|patch| patch.at(x, y));
            for channel in 0..SHAPE.channels {
                let value = background.at(channel, x / 32.0, y / 32.0)
                    + patch[channel]
                    + distractor[channel]
                    + NOISE * dice.noise();
                pixels.push(to_pixel(value));
            }
        }
    }
}

/// A colour that changes evenly over the picture.
struct Background {
    level: [f64; 3],
    slope: [[f64; 2]; 3],
}

impl Background {
    fn draw(dice: &mut Dice, levels: std::ops::Range<f64>) -> Self {
        let level = std::array::from_fn(|_| dice.uniform(levels.clone()));
        let slope = std::array::from_fn(|_| std::array::from_fn(|_| dice.uniform(-40.0..40.0)));
        Self { level, slope }
    }

    /// x and y from 0 to 1.
    fn at(&self, channel: usize, x: f64, y: f64) -> f64 {
        let [slope_x, slope_y] = self.slope[channel];
        self.level[channel] + slope_x * (x - 0.5) + slope_y * (y - 0.5)
    }
}

/// A round patch of stripes.
struct Patch {
    center: [f64; 2],
    radius: f64,
    /// Waves a pixel, along x and y.
    frequency: [f64; 2],
    /// In turns.
    phase: f64,
    /// Per channel.
    amplitude: [f64; 3],
}

impl Patch {
    fn draw(dice: &mut Dice, class: usize, radii: std::ops::Range<f64>) -> Self {
        let center = std::array::from_fn(|_| dice.uniform(9.0..23.0));
        let radius = dice.uniform(radii);
        let jitter = 8.0 / 360.0;
        let turns = 0.1 * (class % ORIENTATIONS) as f64 + dice.uniform(-jitter..jitter);
        let wavelength =
            if class < ORIENTATIONS { dice.uniform(3.6..4.6) } else { dice.uniform(6.8..8.8) };
        let frequency = [sine(turns + 0.25) / wavelength, sine(turns) / wavelength];
        let contrast = dice.uniform(22.0..55.0);
        // Hues from grey to pure colours: the strongest channel has the whole contrast.
        let hue: [f64; 3] = std::array::from_fn(|_| dice.uniform(-1.0..1.0));
        let strongest = hue.iter().fold(0.01, |most: f64, part| most.max(part.abs()));
        let amplitude = hue.map(|part| contrast * part / strongest);
        Self { center, radius, frequency, phase: dice.uniform(0.0..1.0), amplitude }
    }

    /// What it adds to each channel of the pixel at column x and row y.
    fn at(&self, x: f64, y: f64) -> [f64; 3] {
        let [dx, dy] = [x - self.center[0], y - self.center[1]];
        // 1 inside, falling to 0 over about two pixels at the rim.
        let rim = (self.radius * self.radius - dx * dx - dy * dy) / (4.0 * self.radius) + 0.5;
        let wave = sine(dx * self.frequency[0] + dy * self.frequency[1] + self.phase);
        let share = rim.clamp(0.0, 1.0) * wave;
        self.amplitude.map(|amplitude| amplitude * share)
    }
}

fn push_picture_like(dice: &mut Dice, shape: Shape, pixels: &mut Vec<u8>) {
    let coarse = ValueNoise::draw(dice, shape, shape.height.max(shape.width).div_ceil(3));
    let fine = ValueNoise::draw(dice, shape, shape.height.max(shape.width).div_ceil(14));
    let tint: Vec<f64> = (0..shape.channels).map(|_| dice.uniform(-35.0..35.0)).collect();
    let brightness = dice.uniform(70.0..185.0);
    // A straight edge: brighter on one side of a line through a random point.
    let turns = dice.uniform(0.0..1.0);
    let (across, down) = (sine(turns + 0.25), sine(turns));
    let [edge_x, edge_y] = [shape.width, shape.height].map(|side| dice.uniform(0.0..side as f64));
    let step = dice.uniform(-60.0..60.0);
    for row in 0..shape.height {
        for column in 0..shape.width {
            let side = (column as f64 - edge_x) * across + (row as f64 - edge_y) * down;
            let bright = brightness
                + 90.0 * coarse.at(row, column)
                + 55.0 * fine.at(row, column)
                + if side < 0.0 { -step } else { step };
            for tint in &tint {
                pixels.push(to_pixel(bright + tint + 6.0 * dice.noise()));
            }
        }
    }
}

/// Random values from −1 to 1 on a square grid, linear between its points.
struct ValueNoise {
    cell: usize,
    columns: usize,
    values: Vec<f64>,
}

impl ValueNoise {
    fn draw(dice: &mut Dice, shape: Shape, cell: usize) -> Self {
        let cell = cell.max(1);
        let columns = shape.width / cell + 2;
        let n = (shape.height / cell + 2) * columns;
        Self { cell, columns, values: (0..n).map(|_| dice.uniform(-1.0..1.0)).collect() }
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        let part = |position: usize| (position % self.cell) as f64 / self.cell as f64;
        let (down, across) = (part(row), part(column));
        let first = row / self.cell * self.columns + column / self.cell;
        let between =
            |from: usize| self.values[from] + across * (self.values[from + 1] - self.values[from]);
        let (above, below) = (between(first), between(first + self.columns));
        above + down * (below - above)
    }
}

/// The random numbers of one picture.
struct Dice(ChaCha8Rng);

impl Dice {
    fn new(seed: u64, purpose: Purpose, picture_idx: usize) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..24].copy_from_slice(b"tridot synthetic");
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream((purpose as u64) << 56 | picture_idx as u64);
        Self(generator)
    }

    fn uniform(&mut self, range: std::ops::Range<f64>) -> f64 {
        let unit = f64::from(self.0.next_u32()) / 4_294_967_296.0;
        range.start + (range.end - range.start) * unit
    }

    /// A natural number below `n`, which is small.
    fn below(&mut self, n: usize) -> usize {
        self.0.next_u32() as usize % n
    }

    /// Mean 0, standard deviation 1, bell-shaped: the sum of four bytes, whose standard deviation
    /// is √(4·(256² − 1)/12) = 147.80.
    fn noise(&mut self) -> f64 {
        let sum: u32 = self.0.next_u32().to_le_bytes().iter().map(|&byte| u32::from(byte)).sum();
        (f64::from(sum) - 510.0) / 147.80
    }
}

/// The sine of an angle in turns, within 0.0011: the library's differs between machines.
fn sine(turns: f64) -> f64 {
    let turns = turns - turns.round();
    let parabola = 8.0 * turns * (1.0 - 2.0 * turns.abs());
    parabola + 0.225 * (parabola * parabola.abs() - parabola)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a pixel"
)]
fn to_pixel(value: f64) -> u8 {
    value.clamp(0.0, 255.0).round() as u8
}

#[cfg(test)]
mod tests;
