//! What a dot-product layer asks of an array, from its shapes.

use crate::Error;
use crate::arch::{Architecture, DepthwiseMode};
use crate::network::{Digits, Geometry, Network, Shape, Sign, Weights};

/// A dot-product layer as the array sees it: shapes and widths, no values.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// The layer's name.
    pub name: String,
    /// Which inputs each output reads.
    pub geometry: Geometry,
    /// Input of one image.
    pub input: Shape,
    /// Output of one image.
    pub output: Shape,
    /// Images of the batch.
    pub images: usize,
    /// Width of an input code.
    pub activation_bits: u32,
    /// Whether input codes are signed.
    pub activation_sign: Sign,
    /// Planes of the weights.
    pub planes: u32,
    /// `fixed`: the planes merge into one accumulator. `dbq`: each has its own.
    pub merged: bool,
    /// Trits that are not zero, in all planes together.
    pub nonzero_trits: u64,
    /// Bits that the accumulators need.
    pub accumulator_bits: u32,
    /// Bits of the multipliers m.
    pub scale_bits: u32,
}

impl Work {
    /// The work of a dot-product layer of a network; none for other layers.
    pub fn of(network: &Network, layer_idx: usize, images: usize) -> Option<Self> {
        let layer = &network.layers[layer_idx];
        let dot = layer.dot()?;
        let input = network.input_of(layer);
        Some(Self {
            name: layer.name.clone(),
            geometry: dot.geometry,
            input: input.shape,
            output: layer.output.shape,
            images,
            activation_bits: input.bits,
            activation_sign: input.sign,
            planes: dot.weights.planes(network.digits),
            merged: matches!(dot.weights, Weights::Fixed { .. }),
            nonzero_trits: nonzero_trits(&dot.weights, network.digits),
            accumulator_bits: network.widths(layer_idx)?.accumulator_bits,
            scale_bits: network.scale_bits,
        })
    }

    /// Output pixels of the batch.
    pub const fn pixels(&self) -> usize {
        self.output.pixels() * self.images
    }

    /// Outputs of the batch.
    pub const fn outputs(&self) -> u64 {
        self.output.elements() as u64 * self.images as u64
    }

    /// Length K of the dot products.
    pub const fn fan_in(&self) -> usize {
        self.geometry.fan_in(self.input)
    }

    /// Products of a trit and a slice of a code: outputs · K · planes · slices.
    pub fn products(&self, arch: &Architecture) -> u64 {
        let slices = self.activation_bits.div_ceil(arch.activation_bits_per_step);
        self.outputs() * self.fan_in() as u64 * u64::from(self.planes * slices)
    }

    /// Refuses a layer that the architecture cannot run, naming need and limit.
    pub fn fits(&self, arch: &Architecture) -> Result<(), Error> {
        let refuse = |what: &str, limit: String, value: usize| {
            let place = format!("layer `{}` on architecture `{}`", self.name, arch.name);
            Err(Error::limit(place, what, limit, value))
        };
        if self.images == 0 {
            return refuse("the number of images", "at least 1".to_owned(), self.images);
        }
        if arch.accumulator_bits < self.accumulator_bits {
            let limit = format!("at most the array's {}", arch.accumulator_bits);
            return refuse("the accumulator bits needed", limit, self.accumulator_bits as usize);
        }
        if arch.scale_bits < self.scale_bits {
            let limit = format!("at most the scaler's {}", arch.scale_bits);
            return refuse("the bits of the multipliers", limit, self.scale_bits as usize);
        }
        if let (Geometry::Depthwise { window, .. }, DepthwiseMode::Segments(segments)) =
            (&self.geometry, arch.depthwise)
        {
            let lanes = arch.lanes / segments;
            if lanes < window.taps() {
                let limit = format!("at most the {lanes} lanes of a segment");
                return refuse("the kernel's taps", limit, window.taps());
            }
        }
        Ok(())
    }
}

/// Non-zero trits of all planes together.
fn nonzero_trits(weights: &Weights, digits: Digits) -> u64 {
    match weights {
        Weights::Dbq { branches, codes } => {
            let mut of_code = [0_u8; 256];
            for (code, trits) in of_code.iter_mut().enumerate().take(3_usize.pow(*branches)) {
                let nonzero = |j: &u32| code / 3_usize.pow(*j) % 3 != 1;
                *trits = (0..*branches).filter(nonzero).count().try_into().expect("at most 5");
            }
            codes.iter().map(|&code| u64::from(of_code[usize::from(code)])).sum()
        }
        // The canonical form of |w| has a digit wherever |w| and 3·|w| differ.
        Weights::Fixed { values, .. } => values
            .iter()
            .map(|&value| {
                let magnitude = u32::from(value.unsigned_abs());
                match digits {
                    Digits::Csd => (magnitude ^ (3 * magnitude)).count_ones(),
                    Digits::SignMagnitude => magnitude.count_ones(),
                }
            })
            .map(u64::from)
            .sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonzero_trits_of_every_weight_are_those_of_its_planes() {
        for digits in [Digits::Csd, Digits::SignMagnitude] {
            for value in (-32_767..=32_767).step_by(13) {
                let weights = Weights::Fixed { bits: 16, values: vec![value] };
                let planes = 0..weights.planes(digits);
                let slow = planes.filter(|&j| weights.trit(j, 0, digits) != 0).count();
                assert_eq!(nonzero_trits(&weights, digits), slow as u64, "{value}");
            }
        }
        for branches in 1..=5_u32 {
            for code in 0..u8::try_from(3_u32.pow(branches)).unwrap() {
                let weights = Weights::Dbq { branches, codes: vec![code] };
                let slow = (0..branches).filter(|&j| weights.trit(j, 0, Digits::Csd) != 0).count();
                assert_eq!(nonzero_trits(&weights, Digits::Csd), slow as u64);
            }
        }
    }
}
