//! Dot-product layers: gathered pixels times planes.

use candle_core::{DType, Device, Tensor};
use tridot_sim::network::{Digits, Dot, DotOutput, Geometry, Pads, Shape, Weights, Window};

use super::{Step, requantize};
use crate::Error;

/// The layer's output: codes in f32, or y in f64.
pub(super) fn output(step: Step<'_>, dot: &Dot) -> Result<Tensor, Error> {
    let shape = step.input_shape();
    let fan_in = step.network.fan_in(step.layer, dot);
    let dtype = if 255 * fan_in < 1 << 24 { DType::F32 } else { DType::F64 };
    let planes = Planes::new(dot, step.network.digits, fan_in, dtype)?;
    let scaler = Scaler::new(dot)?;
    // A linear layer reads each picture as one pixel.
    let (window, pads, input_shape) = match dot.geometry {
        Geometry::Convolution { window, pads } | Geometry::Depthwise { window, pads } => {
            (window, pads, shape)
        }
        Geometry::Linear => {
            let pixel = Shape::new(1, 1, fan_in);
            (Window::square(1, 1), Pads::default(), pixel)
        }
    };
    let mut gather = step.gather(window, pads);
    gather.input = input_shape;
    let input = step.input(0).reshape(((), input_shape.channels))?.to_dtype(dtype)?;
    let source = gather.source(&input, 0.0)?;
    let mut parts = Vec::new();
    for pixels in gather.pieces(step.n) {
        let taps = gather.taps(&source, pixels)?;
        let accumulators = if dot.geometry.is_depthwise() {
            planes.times_each_channel(&taps)?
        } else {
            planes.times(&taps.flatten_from(1)?)?
        };
        parts.push(scaler.output(&accumulators, dot.output)?);
    }
    Ok(Tensor::cat(&parts, 0)?)
}

/// The planes of a layer: planes × channels × K, each −1, 0 or +1.
struct Planes {
    trits: Tensor,
    count: usize,
    channels: usize,
}

impl Planes {
    fn new(dot: &Dot, digits: Digits, fan_in: usize, dtype: DType) -> Result<Self, Error> {
        let channels = dot.bias.len();
        let trits: Vec<f32> = match &dot.weights {
            Weights::Dbq { branches, codes } => (0..*branches)
                .flat_map(|branch| {
                    let place = 3_u32.pow(branch);
                    codes.iter().map(move |&code| (u32::from(code) / place % 3) as f32 - 1.0)
                })
                .collect(),
            Weights::Fixed { values, .. } => {
                let signed: Vec<(u32, u32)> =
                    values.iter().map(|&value| positive_and_negative(value, digits)).collect();
                let used = signed.iter().fold(0, |used, digits| used | digits.0 | digits.1);
                // A layer without any digit still has one plane here, of zeros.
                (0..(u32::BITS - used.leading_zeros()).max(1))
                    .flat_map(|plane| {
                        let digit = move |bits: u32| (bits >> plane & 1) as f32;
                        signed.iter().map(move |digits| digit(digits.0) - digit(digits.1))
                    })
                    .collect()
            }
        };
        let count = trits.len() / (channels * fan_in);
        let trits = Tensor::from_vec(trits, (count, channels, fan_in), &Device::Cpu)?;
        Ok(Self { trits: trits.to_dtype(dtype)?, count, channels })
    }

    /// One pixel × channel matrix of accumulators a plane, from pixels × K.
    fn times(&self, columns: &Tensor) -> Result<Vec<Tensor>, Error> {
        let stacked = self.trits.flatten_to(1)?;
        let all = columns.matmul(&stacked.t()?)?.to_dtype(DType::F64)?;
        (0..self.count).map(|j| Ok(all.narrow(1, j * self.channels, self.channels)?)).collect()
    }

    /// The same from pixels × taps × channels, each channel with its own taps alone.
    fn times_each_channel(&self, taps: &Tensor) -> Result<Vec<Tensor>, Error> {
        let by_channel = taps.permute((2, 0, 1))?;
        let all = by_channel.matmul(&self.trits.permute((1, 2, 0))?)?.to_dtype(DType::F64)?;
        let by_plane = all.permute((2, 1, 0))?.contiguous()?;
        (0..self.count).map(|j| Ok(by_plane.get(j)?)).collect()
    }
}

/// The digits of a weight as two bit masks: those that are +1 and those that are −1.
fn positive_and_negative(value: i16, digits: Digits) -> (u32, u32) {
    let magnitude = u32::from(value.unsigned_abs());
    let (positive, negative) = match digits {
        Digits::SignMagnitude => (magnitude, 0),
        Digits::Csd => {
            // w = (3·w − w)/2. Where the binary digits of 3·w and w differ, their difference is a
            // digit of 2·w; no two such places are neighbours.
            let (triple, differ) = (3 * magnitude, (3 * magnitude) ^ magnitude);
            ((triple & differ) >> 1, (magnitude & differ) >> 1)
        }
    };
    if value < 0 { (negative, positive) } else { (positive, negative) }
}

/// What turns accumulators into y and y into the output.
struct Scaler {
    /// Per plane what its accumulators are multiplied by: a number a channel.
    plane_factors: PlaneFactors,
    bias: Tensor,
}

enum PlaneFactors {
    /// m of each branch.
    Branches(Vec<Tensor>),
    /// Plane j weighs 2^j, and m multiplies the merged sum.
    Digits(Tensor),
}

impl Scaler {
    fn new(dot: &Dot) -> Result<Self, Error> {
        let per_channel = dot.weights.multipliers_per_channel();
        let column = |branch: usize| -> Result<Tensor, Error> {
            let multipliers = dot.multipliers.iter().skip(branch).step_by(per_channel);
            let multipliers: Vec<f64> = multipliers.map(|&m| m.into()).collect();
            Ok(Tensor::new(multipliers, &Device::Cpu)?)
        };
        let plane_factors = match dot.weights {
            Weights::Dbq { .. } => {
                PlaneFactors::Branches((0..per_channel).map(column).collect::<Result<_, _>>()?)
            }
            Weights::Fixed { .. } => PlaneFactors::Digits(column(0)?),
        };
        let bias: Vec<f64> = dot.bias.iter().map(|&bias| bias as f64).collect();
        Ok(Self { plane_factors, bias: Tensor::new(bias, &Device::Cpu)? })
    }

    fn output(&self, accumulators: &[Tensor], output: DotOutput) -> Result<Tensor, Error> {
        let scaled = match &self.plane_factors {
            PlaneFactors::Branches(multipliers) => {
                let terms = accumulators.iter().zip(multipliers);
                sum(terms.map(|(accumulator, m)| accumulator.broadcast_mul(m)))?
            }
            PlaneFactors::Digits(multiplier) => {
                let weights = std::iter::successors(Some(1.0), |weight| Some(2.0 * weight));
                let terms = accumulators.iter().zip(weights);
                let merged =
                    sum(terms.map(|(accumulator, weight)| accumulator.affine(weight, 0.0)))?;
                merged.broadcast_mul(multiplier)?
            }
        };
        let y = scaled.broadcast_add(&self.bias)?;
        match output {
            DotOutput::Requantize(steps) => requantize(&y, steps),
            DotOutput::Raw => Ok(y),
        }
    }
}

/// The sum of at least one tensor.
fn sum(
    terms: impl Iterator<Item = Result<Tensor, candle_core::Error>>,
) -> Result<Tensor, candle_core::Error> {
    terms.reduce(|sum, term| sum? + term?).expect("a layer has at least one plane here")
}

#[cfg(test)]
mod tests {
    use tridot_sim::network::signed_digits;

    use super::*;

    #[test]
    fn digits_of_every_weight_follow_the_one_rule() {
        for value in i16::MIN + 1..=i16::MAX {
            for digits in [Digits::Csd, Digits::SignMagnitude] {
                let mask = |sign: i8| {
                    let trits = signed_digits(value, digits);
                    let places = trits.iter().enumerate().filter(|&(_, &trit)| trit == sign);
                    places.fold(0, |mask, (place, _)| mask | 1_u32 << place)
                };
                assert_eq!(positive_and_negative(value, digits), (mask(1), mask(-1)));
            }
        }
    }
}
