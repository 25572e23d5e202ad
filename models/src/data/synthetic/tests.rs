//! Is the synthetic set what its comment says: hard for a linear classifier, easy for local features?

use super::*;

/// Of how many pictures in a hundred the highest score is that of the label.
fn percent_right(pictures: &Pictures, scores: impl Fn(&[u8]) -> Vec<f64>) -> f64 {
    let label = |scores: &[f64]| {
        (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap()
    };
    let right = (0..pictures.len())
        .filter(|&i| label(&scores(pictures.picture(i))) == usize::from(pictures.labels[i]))
        .count();
    100.0 * right as f64 / pictures.len() as f64
}

#[test]
fn a_picture_depends_on_seed_purpose_and_index_alone() {
    let (small, large) = (synthetic(7, 3, 12), synthetic(7, 30, 20));
    assert_eq!(small.calibration.pixels, large.calibration.pixels[..3 * SHAPE.elements()]);
    assert_eq!(small.test.pixels, large.test.pixels[..12 * SHAPE.elements()]);
    assert_eq!(large.calibration.labels[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    assert_ne!(large.calibration.picture(0), large.test.picture(0));
    assert_ne!(large.test.picture(0), synthetic(8, 0, 1).test.picture(0));
    assert_ne!(large.test.picture(0), large.test.picture(10));
}

/// Changing what a seed gives changes every trained network: it must be meant. The values were computed
/// by a program in another language too.
#[test]
fn the_first_pixels_of_seed_0_are_as_committed() {
    let set = synthetic(0, 1, 1);
    assert_eq!(set.calibration.pixels[..6], [98, 80, 60, 76, 63, 32]);
    assert_eq!(set.test.pixels[..6], [128, 111, 165, 142, 116, 149]);
    let pictures = picture_like(Shape::new(5, 7, 2), 0, 1).unwrap();
    assert_eq!(pictures.pixels[..6], [0, 0, 19, 55, 89, 135]);
}

/// Why none can: inverting all stripes and the noise of a picture gives one that is as likely, and the
/// background lies midway. Affine scores that label both rightly label the background so too, which
/// they can do for one class only: at most (100 + 9·50)/10 = 55 % (but for clipped pixels).
///
/// Measured: least squares from all 3,072 pixels to one-hot labels of 4,000 pictures, by conjugate
/// gradients on the normal equations, which pass near the solutions of every strength of ridge
/// regression on their way to the unregularized one. The best of all steps on the test pictures is
/// taken, which can only flatter the classifier.
#[test]
fn no_linear_classifier_of_the_pixels_reaches_60_percent() {
    let set = synthetic(0, 4000, 1000);
    let inputs: Vec<f32> = set.calibration.pixels.iter().map(|&pixel| centered(pixel)).collect();
    let rows: Vec<&[f32]> = inputs.chunks_exact(SHAPE.elements()).collect();
    let mut best = 0.0_f64;
    let mut solvers: Vec<Cgls> = (0..10u16)
        .map(|class| {
            let targets = set.calibration.labels.iter();
            Cgls::new(
                &rows,
                targets.map(|&label| if label == class { 0.9 } else { -0.1 }).collect(),
            )
        })
        .collect();
    for step in 1..=24 {
        for solver in &mut solvers {
            solver.step(&rows);
        }
        if step % 3 == 0 {
            let percent = percent_right(&set.test, |picture| {
                let picture: Vec<f32> = picture.iter().map(|&pixel| centered(pixel)).collect();
                solvers.iter().map(|solver| f64::from(dot(&solver.weights, &picture))).collect()
            });
            best = best.max(percent);
        }
    }
    println!("best linear classifier: {best:.1} %");
    assert!(best < 60.0, "{best} %");
}

fn centered(pixel: u8) -> f32 {
    f32::from(pixel) / 128.0 - 1.0
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight partial sums, so that the compiler may use vectors.
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

/// Conjugate gradients for least squares (Björck, *Numerical Methods for Least Squares Problems*,
/// 1996, algorithm 7.4.1).
struct Cgls {
    weights: Vec<f32>,
    residual: Vec<f32>,
    direction: Vec<f32>,
    gradient_norm: f32,
}

impl Cgls {
    fn new(rows: &[&[f32]], targets: Vec<f32>) -> Self {
        let direction = transposed(rows, &targets);
        let gradient_norm = dot(&direction, &direction);
        Self { weights: vec![0.0; direction.len()], residual: targets, direction, gradient_norm }
    }

    fn step(&mut self, rows: &[&[f32]]) {
        let image: Vec<f32> = rows.iter().map(|row| dot(row, &self.direction)).collect();
        let length = self.gradient_norm / dot(&image, &image);
        add(&mut self.weights, length, &self.direction);
        add(&mut self.residual, -length, &image);
        let mut direction = transposed(rows, &self.residual);
        let norm = dot(&direction, &direction);
        add(&mut direction, norm / self.gradient_norm, &self.direction);
        (self.direction, self.gradient_norm) = (direction, norm);
    }
}

fn add(to: &mut [f32], factor: f32, what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

fn transposed(rows: &[&[f32]], vector: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; SHAPE.elements()];
    rows.iter().zip(vector).for_each(|(row, &factor)| add(&mut sums, factor, row));
    sums
}

/// One oriented filter pair a class, squared, summed over the picture, and the largest sum: a
/// single convolution with a fixed non-linearity. A small network can only do better.
#[test]
fn one_layer_of_local_features_reaches_95_percent() {
    let test = synthetic(0, 0, 500).test;
    let filters = filters();
    let percent = percent_right(&test, |picture| energies(&filters, picture));
    println!("oriented energies: {percent:.1} %");
    assert!(95.0 < percent, "{percent} %");
}

const SIDE: usize = 11;

/// By class, a wave of its orientation and middle wavelength in a bell-shaped window, and the same
/// a quarter turn later; mean 0, norm 1.
fn filters() -> Vec<[Vec<f64>; 2]> {
    let taps = |class: u32, phase: f64| {
        let angle = f64::from(class % 5) * 36f64.to_radians();
        let wavelength = if class < 5 { 4.1 } else { 7.8 };
        let tap = |tap: usize| {
            let (x, y) = ((tap % SIDE) as f64 - 5.0, (tap / SIDE) as f64 - 5.0);
            let turns = (x * angle.cos() + y * angle.sin()) / wavelength + phase;
            (std::f64::consts::TAU * turns).cos() * (-(x * x + y * y) / 14.0).exp()
        };
        let mut taps: Vec<f64> = (0..SIDE * SIDE).map(tap).collect();
        let mean = taps.iter().sum::<f64>() / taps.len() as f64;
        let norm = taps.iter().map(|tap| (tap - mean) * (tap - mean)).sum::<f64>().sqrt();
        for tap in &mut taps {
            *tap = (*tap - mean) / norm;
        }
        taps
    };
    (0..10).map(|class| [taps(class, 0.0), taps(class, 0.25)]).collect()
}

/// The energy of each filter pair, summed over colours and every third place both ways.
fn energies(filters: &[[Vec<f64>; 2]], picture: &[u8]) -> Vec<f64> {
    let mut energies = vec![0.0; filters.len()];
    for place in 0..64 {
        let (top, left) = (3 * (place / 8), 3 * (place % 8));
        for channel in 0..3 {
            let pixel = |tap: usize| {
                picture[((top + tap / SIDE) * 32 + left + tap % SIDE) * 3 + channel].into()
            };
            let window: Vec<f64> = (0..SIDE * SIDE).map(pixel).collect();
            for (energy, taps) in energies.iter_mut().zip(filters) {
                for taps in taps {
                    let sum: f64 = taps.iter().zip(&window).map(|(a, b)| a * b).sum();
                    *energy += sum * sum;
                }
            }
        }
    }
    energies
}

#[test]
fn picture_like_pictures_fill_the_range_and_differ() {
    let shape = Shape::new(64, 48, 3);
    let pictures = picture_like(shape, 0, 40).unwrap();
    assert_eq!((pictures.len(), pictures.pixels.len()), (40, 40 * shape.elements()));
    assert_ne!(pictures.picture(0), pictures.picture(1));
    assert_eq!(picture_like(shape, 0, 2).unwrap().pixels, pictures.pixels[..2 * shape.elements()]);
    let mut histogram = [0_usize; 4];
    for pixel in &pictures.pixels {
        histogram[usize::from(pixel / 64)] += 1;
    }
    // Every quarter of the range has its share; neighbours are closer than strangers.
    let least = pictures.pixels.len() / 10;
    assert!(histogram.iter().all(|&count| least < count), "{histogram:?}");
    let distance = |step: usize| -> f64 {
        let pixels = pictures.pixels.iter().zip(&pictures.pixels[step..]);
        pixels.map(|(a, b)| f64::from(a.abs_diff(*b))).sum()
    };
    assert!(2.0 * distance(3) < distance(24 * 3 + 32 * 48 * 3));
}

#[test]
fn more_pictures_than_memory_is_given_are_refused_before_any_is_made() {
    let refused = |n| picture_like(Shape::new(224, 224, 3), 0, n).unwrap_err().to_string();
    for n in [3567, 1_000_000, usize::MAX] {
        // 2^29 / (224·224·3) = 3566.6.
        let message = format!(
            "synthetic pictures: their number must be at most 3566, as 224×224×3 pictures fill \
             536870912 bytes, got {n}"
        );
        assert_eq!(refused(n), message);
    }
}
