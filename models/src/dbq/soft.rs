//! The soft quantizer and its gradients; derivation in the parent module.

use tridot_sim::limits::MAX_BRANCHES;

use super::levels::{check_scales, sums, trits};
use crate::Error;
use crate::kernels::soft;

/// Beyond this argument the sigmoid is 0 or 1 to f64's precision: `e^(−40)` is 4·10^(−18).
const SATURATED: f64 = 40.0;

/// The soft quantizer of one layer, with one set of scales for all weights or one per output channel.
///
/// ```
/// use tridot_models::dbq::Soft;
/// let soft = Soft::new(&[1.0], 1, 1.0, 80.0)?;
/// // On the threshold between 0 and 1 the sigmoid is 1/2 and its slope 80/4.
/// assert_eq!(soft.forward(&[0.5])?, [0.5]);
/// assert_eq!(soft.backward(&[0.5], &[1.0])?.weights, [20.0]);
/// # Ok::<(), tridot_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Soft {
    channels: Vec<Channel>,
    branches: usize,
}

/// Gradients of a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// By weight.
    pub weights: Vec<f64>,
    /// By scale, in the order in which [`Soft::new`] got them.
    pub scales: Vec<f64>,
}

impl Soft {
    /// A soft quantizer of `branches` scales per set: one set for the layer, or one after the other
    /// per output channel.
    ///
    /// `weight_scale` makes the temperature independent of the weights' size: fixed per layer,
    /// e.g. their standard deviation before training. Both are positive, and so is their quotient.
    pub fn new(
        scales: &[f64],
        branches: usize,
        weight_scale: f64,
        temperature: f64,
    ) -> Result<Self, Error> {
        let slope = temperature / weight_scale;
        for (what, value) in [
            ("the weight scale", weight_scale),
            ("the temperature", temperature),
            ("the temperature by the weight scale", slope),
        ] {
            if !(value.is_finite() && 0.0 < value) {
                return Err(Error::limit("soft quantizer", what, "finite and positive", value));
            }
        }
        if branches == 0 || scales.is_empty() || !scales.len().is_multiple_of(branches) {
            let limit = format!("a multiple of the {branches} branches");
            return Err(Error::limit("scales", "the number of scales", limit, scales.len()));
        }
        let channels = scales.chunks(branches);
        let channels =
            channels.map(|scales| Channel::new(scales, slope)).collect::<Result<_, _>>()?;
        Ok(Self { channels, branches })
    }

    /// The soft-quantized weights, output channel by output channel.
    pub fn forward(&self, weights: &[f64]) -> Result<Vec<f64>, Error> {
        let per_channel = self.weights_per_channel(weights)?;
        let pairs = weights.chunks(per_channel).zip(&self.channels);
        Ok(pairs.flat_map(|(weights, channel)| weights.iter().map(|&w| channel.value(w))).collect())
    }

    /// Gradients by weights and scales, from that by the output of [`Self::forward`].
    pub fn backward(&self, weights: &[f64], output: &[f64]) -> Result<Gradients, Error> {
        let per_channel = self.weights_per_channel(weights)?;
        if output.len() != weights.len() {
            let limit = format!("that of the weights, {}", weights.len());
            return Err(Error::limit("gradient", "the number of values", limit, output.len()));
        }
        let mut gradients = Gradients {
            weights: Vec::with_capacity(weights.len()),
            scales: Vec::with_capacity(self.channels.len() * self.branches),
        };
        let pairs = weights.chunks(per_channel).zip(output.chunks(per_channel));
        for ((weights, output), channel) in pairs.zip(&self.channels) {
            let mut by_scale = [0.0; MAX_BRANCHES as usize];
            for (&weight, &output) in weights.iter().zip(output) {
                gradients.weights.push(output * channel.slopes(weight, output, &mut by_scale));
            }
            gradients.scales.extend(&by_scale[..self.branches]);
        }
        Ok(gradients)
    }

    /// The levels of every set of scales, for quantizing many weights in f32.
    #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
    pub(crate) fn levels(&self) -> Vec<soft::Levels> {
        let branches = self.branches;
        let of_channel = |channel: &Channel| {
            let step = |i: usize| {
                let [below, above] = [&channel.codes[i], &channel.codes[i + 1]];
                soft::Step {
                    threshold: channel.thresholds[i] as f32,
                    rise: (channel.levels[i + 1] - channel.levels[i]) as f32,
                    code_rise: (0..branches).map(|b| above[b] - below[b]).collect(),
                    code_middle: (0..branches).map(|b| f64::midpoint(above[b], below[b])).collect(),
                }
            };
            soft::Levels {
                lowest: channel.levels[0] as f32,
                lowest_code: channel.codes[0][..branches].to_vec(),
                steps: (0..channel.thresholds.len()).map(step).collect(),
                slope: channel.slope as f32,
            }
        };
        self.channels.iter().map(of_channel).collect()
    }

    /// Refuses weights that do not divide into the channels, and such as are no numbers.
    fn weights_per_channel(&self, weights: &[f64]) -> Result<usize, Error> {
        if weights.is_empty() || !weights.len().is_multiple_of(self.channels.len()) {
            let limit = format!("a multiple of the {} sets of scales", self.channels.len());
            return Err(Error::limit("weights", "the number of weights", limit, weights.len()));
        }
        if let Some(k) = weights.iter().position(|weight| !weight.is_finite()) {
            return Err(Error::limit("weights", format!("weight {k}"), "finite", weights[k]));
        }
        Ok(weights.len() / self.channels.len())
    }
}

type Trits = [f64; MAX_BRANCHES as usize];

/// All 3^B levels of one set of scales, equal ones too: each moves with its own code.
#[derive(Debug, Clone)]
struct Channel {
    levels: Vec<f64>,
    codes: Vec<Trits>,
    /// `thresholds[i]` lies between `levels[i]` and `levels[i + 1]`.
    thresholds: Vec<f64>,
    /// k, temperature by weight scale.
    slope: f64,
}

impl Channel {
    fn new(scales: &[f64], slope: f64) -> Result<Self, Error> {
        check_scales(scales)?;
        let mut sums: Vec<(f64, [i8; MAX_BRANCHES as usize])> =
            sums(scales).into_iter().map(|(level, code)| (level + 0.0, trits(code))).collect();
        sums.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        let levels: Vec<f64> = sums.iter().map(|sum| sum.0).collect();
        let thresholds = levels.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect();
        let codes = sums.into_iter().map(|sum| sum.1.map(f64::from)).collect();
        Ok(Self { levels, codes, thresholds, slope })
    }

    /// The thresholds whose sigmoid is neither 0 nor 1; those before have been passed.
    fn active(&self, weight: f64) -> std::ops::Range<usize> {
        let reach = SATURATED / self.slope;
        let start = self.thresholds.partition_point(|&threshold| threshold < weight - reach);
        let passed = &self.thresholds[start..];
        start..start + passed.partition_point(|&threshold| threshold <= weight + reach)
    }

    /// The sigmoid at a threshold, and its derivative by the weight.
    fn sigmoid(&self, weight: f64, threshold_idx: usize) -> (f64, f64) {
        let argument = self.slope * (weight - self.thresholds[threshold_idx]);
        let small = (-argument.abs()).exp();
        let low = small / (1.0 + small);
        let value = if argument < 0.0 { low } else { 1.0 / (1.0 + small) };
        (value, self.slope * (low / (1.0 + small)))
    }

    fn value(&self, weight: f64) -> f64 {
        let active = self.active(weight);
        let passed = self.levels[active.start];
        active.fold(passed, |value, i| {
            value + (self.levels[i + 1] - self.levels[i]) * self.sigmoid(weight, i).0
        })
    }

    /// Returns the derivative by the weight; adds `output` times those by the scales to `by_scale`.
    fn slopes(&self, weight: f64, output: f64, by_scale: &mut Trits) -> f64 {
        let active = self.active(weight);
        let mut terms = self.codes[active.start];
        let mut by_weight = 0.0;
        for i in active {
            let (value, slope) = self.sigmoid(weight, i);
            let moved = (self.levels[i + 1] - self.levels[i]) * slope;
            by_weight += moved;
            let (lower, upper) = (&self.codes[i], &self.codes[i + 1]);
            for ((term, lower), upper) in terms.iter_mut().zip(lower).zip(upper) {
                *term += (upper - lower) * value - moved * (lower + upper) / 2.0;
            }
        }
        for (sum, term) in by_scale.iter_mut().zip(terms) {
            *sum += output * term;
        }
        by_weight
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "saturated sigmoids are 0 and 1 to the bit")]
mod tests {
    use proptest::prelude::*;

    use super::super::Levels;
    use super::*;

    /// The definition, term by term.
    fn by_definition(scales: &[f64], weight: f64, slope: f64) -> f64 {
        let mut levels: Vec<f64> = sums(scales).into_iter().map(|sum| sum.0).collect();
        levels.sort_by(f64::total_cmp);
        levels.windows(2).fold(levels[0], |value, pair| {
            let argument = slope * (weight - f64::midpoint(pair[0], pair[1]));
            value + (pair[1] - pair[0]) / (1.0 + (-argument).exp())
        })
    }

    fn case() -> impl Strategy<Value = (Vec<f64>, f64, f64, f64)> {
        let scales = prop::collection::vec(0.05..1.5_f64, 1..=4);
        (scales, -3.0..3.0_f64, 0.2..2.0_f64, 0.5..30.0_f64)
    }

    /// The smallest distance of two levels: finite differences must not cross a swap.
    fn least_gap(scales: &[f64]) -> f64 {
        let mut levels: Vec<f64> = sums(scales).into_iter().map(|sum| sum.0).collect();
        levels.sort_by(f64::total_cmp);
        levels.windows(2).map(|pair| pair[1] - pair[0]).reduce(f64::min).unwrap()
    }

    fn soft(scales: &[f64], weight: f64, weight_scale: f64, temperature: f64) -> f64 {
        let soft = Soft::new(scales, scales.len(), weight_scale, temperature).unwrap();
        soft.forward(&[weight]).unwrap()[0]
    }

    fn close(got: f64, wanted: f64) -> bool {
        (got - wanted).abs() <= 2e-6 * (1.0 + wanted.abs())
    }

    proptest! {
        #[test]
        fn the_value_is_that_of_the_definition((scales, weight, s, t) in case()) {
            let wanted = by_definition(&scales, weight, t / s);
            prop_assert!((soft(&scales, weight, s, t) - wanted).abs() < 1e-12);
        }

        #[test]
        fn the_quantizer_is_odd((scales, weight, s, t) in case()) {
            let sum = soft(&scales, weight, s, t) + soft(&scales, -weight, s, t);
            prop_assert!(sum.abs() < 1e-12);
        }

        #[test]
        fn gradients_are_those_of_finite_differences((scales, weight, s, t) in case(), output in -2.0..2.0_f64) {
            let step = 1e-6;
            let quantizer = Soft::new(&scales, scales.len(), s, t).unwrap();
            let gradients = quantizer.backward(&[weight], &[output]).unwrap();
            let at = |scales: &[f64], weight| output * soft(scales, weight, s, t);
            let by_weight =
                (at(&scales, weight + step) - at(&scales, weight - step)) / (2.0 * step);
            prop_assert!(close(gradients.weights[0], by_weight));
            // Near a swap a smaller step stays on one side of it, at the price of rounding.
            prop_assume!(1e-5 < least_gap(&scales));
            for branch in 0..scales.len() {
                let moved = |step: f64| {
                    let mut moved = scales.clone();
                    moved[branch] += step;
                    at(&moved, weight)
                };
                let by_scale = (moved(step) - moved(-step)) / (2.0 * step);
                prop_assert!(
                    close(gradients.scales[branch], by_scale),
                    "{} and {by_scale}", gradients.scales[branch]
                );
            }
        }

        #[test]
        fn near_the_swap_each_side_has_its_own_gradient(
            scale in 0.2..1.0_f64, side in prop_oneof![Just(-1.0), Just(1.0)],
            weight in -2.0..2.0_f64, t in 1.0..30.0_f64,
        ) {
            // α_1 = 2·α_2 ± 10^(−4): steps of 10^(−6) stay on their side.
            let scales = [2.0 * scale + side * 1e-4, scale];
            let gradients = Soft::new(&scales, 2, 1.0, t).unwrap().backward(&[weight], &[1.0]).unwrap();
            for branch in 0..2 {
                let moved = |step: f64| {
                    let mut moved = scales;
                    moved[branch] += step;
                    soft(&moved, weight, 1.0, t)
                };
                let by_scale = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                prop_assert!(close(gradients.scales[branch], by_scale));
            }
        }

        #[test]
        fn at_the_swap_the_gradient_is_that_of_the_side_of_larger_scales(
            scale in 1..8_u8, weight in -2.0..2.0_f64, t in 1.0..20.0_f64,
        ) {
            // Eighths make 2·α_2 exact. Codes of equal level stand as for α_1 a little larger.
            let scale = f64::from(scale) / 8.0;
            let at = |first| {
                let soft = Soft::new(&[first, scale], 2, 1.0, t).unwrap();
                soft.backward(&[weight], &[1.0]).unwrap()
            };
            let (exact, above) = (at(2.0 * scale), at(2.0 * scale + 1e-9));
            for (exact, above) in exact.scales.iter().zip(&above.scales) {
                prop_assert!((exact - above).abs() < 1e-5);
            }
            let step = 1e-7;
            let right = (soft(&[2.0 * scale + step, scale], weight, 1.0, t)
                - soft(&[2.0 * scale, scale], weight, 1.0, t)) / step;
            prop_assert!((exact.scales[0] - right).abs() < 1e-4);
        }

        #[test]
        fn a_scale_of_zero_has_the_derivative_towards_positive_values(
            scale in 0.2..1.0_f64, weight in -2.0..2.0_f64, t in 1.0..20.0_f64,
        ) {
            let gradients =
                Soft::new(&[scale, 0.0], 2, 1.0, t).unwrap().backward(&[weight], &[1.0]).unwrap();
            let step = 1e-7;
            let right = (soft(&[scale, step], weight, 1.0, t) - soft(&[scale, 0.0], weight, 1.0, t)) / step;
            prop_assert!((gradients.scales[1] - right).abs() < 1e-4);
        }

        #[test]
        fn a_high_temperature_is_the_hard_quantizer((scales, weight, s, _) in case()) {
            let levels = Levels::new(&scales).unwrap();
            let distance = levels.thresholds().iter().map(|t| (t - weight).abs()).reduce(f64::min);
            prop_assume!(1e-9 < distance.unwrap());
            for t in [1e12, 1e300] {
                prop_assert!((soft(&scales, weight, s, t) - levels.quantize(weight).0).abs() < 1e-12);
                let gradients = Soft::new(&scales, scales.len(), s, t).unwrap();
                let gradients = gradients.backward(&[weight], &[1.0]).unwrap();
                // The level moves with its own code, and not at all with the weight.
                let code = trits(levels.quantize(weight).1);
                prop_assert_eq!(gradients.weights[0], 0.0);
                for (gradient, trit) in gradients.scales.iter().zip(code) {
                    prop_assert_eq!(*gradient, f64::from(trit));
                }
            }
        }

        #[test]
        fn channels_have_scales_of_their_own_and_add_up(
            scales in prop::collection::vec(0.05..1.5_f64, 6), weights in prop::collection::vec(-2.0..2.0_f64, 12),
        ) {
            let all = Soft::new(&scales, 2, 0.5, 4.0).unwrap();
            let output: Vec<f64> = weights.iter().map(|w| 1.0 - w).collect();
            let (values, gradients) = (all.forward(&weights).unwrap(), all.backward(&weights, &output).unwrap());
            for channel in 0..3 {
                let own = 4 * channel..4 * channel + 4;
                let one = Soft::new(&scales[2 * channel..2 * channel + 2], 2, 0.5, 4.0).unwrap();
                prop_assert_eq!(&values[own.clone()], &one.forward(&weights[own.clone()]).unwrap()[..]);
                let one = one.backward(&weights[own.clone()], &output[own.clone()]).unwrap();
                prop_assert_eq!(&gradients.weights[own], &one.weights[..]);
                prop_assert_eq!(&gradients.scales[2 * channel..2 * channel + 2], &one.scales[..]);
            }
        }
    }

    #[test]
    fn extreme_weights_and_temperatures_give_numbers() {
        for t in [1e-300, 1e-3, 1.0, 1e300] {
            let soft = Soft::new(&[1.0, 0.25], 2, 1.0, t).unwrap();
            let weights = [-f64::MAX, -1.0, -0.0, 0.625, f64::MAX];
            let values = soft.forward(&weights).unwrap();
            assert!(values.iter().all(|value| value.abs() <= 1.25));
            let gradients = soft.backward(&weights, &[1.0; 5]).unwrap();
            assert!(gradients.weights.iter().chain(&gradients.scales).all(|g| g.is_finite()));
        }
    }

    #[test]
    fn what_makes_no_quantizer_is_refused() {
        let text = |result: Result<Soft, Error>| result.unwrap_err().to_string();
        assert_eq!(
            text(Soft::new(&[1.0], 1, 0.0, 1.0)),
            "soft quantizer: the weight scale must be finite and positive, got 0"
        );
        assert_eq!(
            text(Soft::new(&[1.0], 1, 1.0, f64::INFINITY)),
            "soft quantizer: the temperature must be finite and positive, got inf"
        );
        assert_eq!(
            text(Soft::new(&[1.0; 3], 2, 1.0, 1.0)),
            "scales: the number of scales must be a multiple of the 2 branches, got 3"
        );
        let soft = Soft::new(&[1.0; 4], 2, 1.0, 1.0).unwrap();
        assert_eq!(
            soft.forward(&[0.0; 3]).unwrap_err().to_string(),
            "weights: the number of weights must be a multiple of the 2 sets of scales, got 3"
        );
        assert_eq!(
            soft.forward(&[0.0, f64::NAN]).unwrap_err().to_string(),
            "weights: weight 1 must be finite, got NaN"
        );
        assert_eq!(
            soft.backward(&[0.0; 2], &[0.0; 4]).unwrap_err().to_string(),
            "gradient: the number of values must be that of the weights, 2, got 4"
        );
    }
}
