use super::*;

/// How many of `n` test pictures a rule labels rightly, in percent.
fn percent_right(pictures: &Pictures, rule: impl Fn(&[u8]) -> usize) -> f64 {
    let right = (0..pictures.len())
        .filter(|&i| rule(pictures.picture(i)) == usize::from(pictures.labels[i]))
        .count();
    100.0 * right as f64 / pictures.len() as f64
}

fn largest(scores: &[f64]) -> usize {
    (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap()
}

/// Quadrature pairs of a wave in a bell-shaped window, one pair a class.
struct Filters {
    pairs: Vec<[Vec<f64>; 2]>,
}

const SIDE: usize = 11;

impl Filters {
    fn new() -> Self {
        let pairs = (0..10)
            .map(|class| {
                let angle = f64::from(class % 5) * 36f64.to_radians();
                let wavelength = if class < 5 { 4.1 } else { 7.8 };
                [0.0, 0.5].map(|phase| {
                    let mut taps = Vec::new();
                    for row in 0..SIDE {
                        for column in 0..SIDE {
                            let (x, y) = (column as f64 - 5.0, row as f64 - 5.0);
                            let turns = (x * angle.cos() + y * angle.sin()) / wavelength;
                            let wave = (std::f64::consts::PI * (2.0 * turns + phase)).cos();
                            taps.push(wave * (-(x * x + y * y) / 14.0).exp());
                        }
                    }
                    let mean = taps.iter().sum::<f64>() / taps.len() as f64;
                    taps.iter_mut().for_each(|tap| *tap -= mean);
                    let norm = taps.iter().map(|tap| tap * tap).sum::<f64>().sqrt();
                    taps.iter_mut().for_each(|tap| *tap /= norm);
                    taps
                })
            })
            .collect();
        Self { pairs }
    }

    /// The energy of each filter pair, summed over colours, averaged over places.
    fn energies(&self, picture: &[u8]) -> Vec<f64> {
        let mut energies = vec![0.0; self.pairs.len()];
        for top in (0..=32 - SIDE).step_by(3) {
            for left in (0..=32 - SIDE).step_by(3) {
                for channel in 0..3 {
                    let window: Vec<f64> = (0..SIDE * SIDE)
                        .map(|tap| {
                            let (row, column) = (top + tap / SIDE, left + tap % SIDE);
                            f64::from(picture[(row * 32 + column) * 3 + channel])
                        })
                        .collect();
                    for (energy, pair) in energies.iter_mut().zip(&self.pairs) {
                        for taps in pair {
                            let sum: f64 = taps.iter().zip(&window).map(|(a, b)| a * b).sum();
                            *energy += sum * sum;
                        }
                    }
                }
            }
        }
        energies
    }
}

#[test]
fn tune() {
    let set = synthetic(0, 10, 1000);
    let filters = Filters::new();
    let got = percent_right(&set.test, |picture| largest(&filters.energies(picture)));
    println!("energies {got}");
}
