//! Mean and variance of each channel of many values.

/// Those of one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: f64,
    /// Of the population, not its estimate.
    pub(crate) variance: f64,
}

/// Sums over values, and over their squares, by channel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sums {
    pixels: usize,
    by_channel: Vec<[f64; 2]>,
}

impl Sums {
    /// Of no values.
    pub(crate) fn new(channels: usize) -> Self {
        Self { pixels: 0, by_channel: vec![[0.0; 2]; channels] }
    }

    /// Adds whole pixels.
    pub(crate) fn add(&mut self, values: &[f32]) {
        for pixel in values.chunks_exact(self.by_channel.len()) {
            self.pixels += 1;
            for (sums, &value) in self.by_channel.iter_mut().zip(pixel) {
                let value = f64::from(value);
                *sums = [sums[0] + value, sums[1] + value * value];
            }
        }
    }

    /// Adds what was summed elsewhere, of as many channels.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.pixels += other.pixels;
        for (sums, other) in self.by_channel.iter_mut().zip(&other.by_channel) {
            *sums = [sums[0] + other[0], sums[1] + other[1]];
        }
    }

    /// By channel; of no values NaN.
    pub(crate) fn moments(&self) -> Vec<Moments> {
        let n = self.pixels as f64;
        let of_channel = |&[sum, squares]: &[f64; 2]| {
            let mean = sum / n;
            Moments { mean, variance: (squares / n - mean * mean).max(0.0) }
        };
        self.by_channel.iter().map(of_channel).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_by_hand() {
        // Two channels over three pixels in two parts: 1, 2, 6 and 4, 4, 4.
        let mut sums = Sums::new(2);
        sums.add(&[1.0, 4.0, 2.0, 4.0]);
        let mut others = Sums::new(2);
        others.add(&[6.0, 4.0]);
        sums.merge(&others);
        let moments = sums.moments();
        assert!((moments[0].mean - 3.0).abs() < 1e-12);
        assert!((moments[0].variance - 14.0 / 3.0).abs() < 1e-12); // (4 + 1 + 9) / 3
        assert_eq!(moments[1], Moments { mean: 4.0, variance: 0.0 });
    }
}
