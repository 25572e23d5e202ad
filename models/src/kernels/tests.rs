//! Each operator against plain loops in f64, on sizes that fit nothing.

use tridot_sim::network::{Pads, Shape, Window};

use std::sync::Mutex;

use super::buffers::Buffers;
use super::finish::{Codes, Tail};
use super::lanes::InstructionSet;
use super::sums::{AffineSums, Moments};
use super::taps::Taps;
use super::values::{Affine, PerChannel, Through, Values};
use super::window::{Connection, InputGradient, Layer};
use super::{Into, finish, pool};

/// Numbers between −1 and 1 without a pattern.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_769) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

const PICTURES: usize = 19;

/// Windows of every kind: odd sizes, strides of their own, pads on one side, plain.
fn cases() -> Vec<Taps> {
    let taps = |[height, width, channels]: [usize; 3],
                [kernel_height, kernel_width, stride_height, stride_width]: [usize; 4],
                [top, left, bottom, right]: [usize; 4],
                out_channels| {
        let side = |size: usize, kernel: usize, stride: usize| (size - kernel) / stride + 1;
        let output = Shape::new(
            side(height + top + bottom, kernel_height, stride_height),
            side(width + left + right, kernel_width, stride_width),
            out_channels,
        );
        Taps {
            window: Window { kernel_height, kernel_width, stride_height, stride_width },
            pads: Pads { top, left, bottom, right },
            input: Shape::new(height, width, channels),
            output,
        }
    };
    vec![
        taps([7, 5, 3], [3, 3, 1, 1], [1; 4], 5),
        taps([8, 9, 4], [3, 3, 2, 2], [0, 0, 1, 1], 7),
        taps([9, 6, 2], [5, 3, 3, 1], [4, 0, 1, 2], 1),
        taps([5, 7, 6], [1, 1, 1, 1], [0; 4], 9),
        taps([6, 7, 3], [1, 1, 2, 3], [0; 4], 4),
        taps([1, 1, 13], [1, 1, 1, 1], [0; 4], 3),
        taps([3, 3, 2], [3, 3, 1, 1], [2; 4], 3),
    ]
}

/// Calls with output element, weight element and input element of every product.
fn each_product(taps: &Taps, depthwise: bool, mut call: impl FnMut(usize, usize, usize)) {
    let (window, pads, input, output) = (taps.window, taps.pads, taps.input, taps.output);
    let inputs = if depthwise { 1 } else { input.channels };
    for picture in 0..PICTURES {
        for (row, column) in (0..output.height).flat_map(|r| (0..output.width).map(move |c| (r, c)))
        {
            for channel in 0..output.channels {
                let out = ((picture * output.height + row) * output.width + column)
                    * output.channels
                    + channel;
                for tap in 0..window.taps() {
                    let y = row * window.stride_height + tap / window.kernel_width;
                    let x = column * window.stride_width + tap % window.kernel_width;
                    if y < pads.top
                        || x < pads.left
                        || input.height <= y - pads.top
                        || input.width <= x - pads.left
                    {
                        continue;
                    }
                    let pixel =
                        (picture * input.height + y - pads.top) * input.width + x - pads.left;
                    for i in 0..inputs {
                        let source = if depthwise { channel } else { i };
                        let weight = (channel * window.taps() + tap) * inputs + i;
                        call(out, weight, pixel * input.channels + source);
                    }
                }
            }
        }
    }
}

fn assert_close(found: &[f32], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let error = (f64::from(*found) - wanted).abs();
        assert!(error < 1e-4 * (1.0 + wanted.abs()), "element {i}: {found}, not {wanted}");
    }
}

/// A layer's inputs, weights and gradient by its outputs, and what plain loops make of them in f64.
struct Case {
    taps: Taps,
    connection: Connection,
    input: Vec<f32>,
    weights: Vec<f32>,
    out_gradient: Vec<f32>,
    out: Vec<f64>,
    by_weight: Vec<f64>,
    by_input: Vec<f64>,
}

impl Case {
    fn new(taps: Taps, connection: Connection) -> Self {
        let is_depthwise = connection == Connection::Depthwise;
        let fan_in = if is_depthwise { taps.window.taps() } else { taps.fan_in() };
        let input = numbers(PICTURES * taps.input.elements(), 1);
        let weights = numbers(taps.output.channels * fan_in, 2);
        let out_gradient = numbers(PICTURES * taps.output.elements(), 3);
        let [mut out, mut by_weight, mut by_input] =
            [&out_gradient, &weights, &input].map(|values| vec![0.0; values.len()]);
        each_product(&taps, is_depthwise, |o, weight, source| {
            out[o] += f64::from(weights[weight]) * f64::from(input[source]);
            by_weight[weight] += f64::from(out_gradient[o]) * f64::from(input[source]);
            by_input[source] += f64::from(out_gradient[o]) * f64::from(weights[weight]);
        });
        Self { taps, connection, input, weights, out_gradient, out, by_weight, by_input }
    }

    fn check(&self, set: InstructionSet) {
        let Self { taps, connection, weights, .. } = self;
        let layer = Layer { set, taps, connection: *connection, weights };
        let (input, gradient) = (Values::Plain(&self.input), Values::Plain(&self.out_gradient));
        let mut out = vec![f32::NAN; self.out.len()];
        let moments = layer.forward(&input, &mut out);
        assert_close(&out, &self.out);
        self.check_moments(&moments);
        let mut buffers = Buffers::default();
        let mut by_weight = vec![f32::NAN; weights.len()];
        let mut by_input = vec![f32::NAN; self.input.len()];
        for (into, times) in [(Into::Overwrite, 1.0), (Into::Add, 2.0)] {
            let seen = Mutex::new(vec![f32::NAN; self.input.len()]);
            let after = |_: usize, start: usize, values: &mut [f32]| {
                seen.lock().unwrap()[start..start + values.len()].copy_from_slice(values);
            };
            let place = InputGradient { values: &mut by_input, into, after: Some(&after) };
            layer.backward(&input, &gradient, &mut by_weight, Some(place), &mut buffers);
            assert_close(&by_weight, &self.by_weight);
            let wanted: Vec<f64> = self.by_input.iter().map(|g| times * g).collect();
            assert_close(&by_input, &wanted);
            assert_eq!(seen.into_inner().unwrap(), by_input, "all was known when it was seen");
        }
        by_weight.fill(f32::NAN);
        layer.backward(&input, &gradient, &mut by_weight, None, &mut buffers);
        assert_close(&by_weight, &self.by_weight);
    }

    fn check_moments(&self, moments: &Moments) {
        let channels = self.taps.output.channels;
        let [sums, squares] = moments.totals();
        for c in 0..channels {
            let of_channel = || self.out.iter().skip(c).step_by(channels);
            let magnitude = of_channel().map(|x| x.abs()).sum::<f64>();
            assert!((sums[c] - of_channel().sum::<f64>()).abs() < 1e-5 * (1.0 + magnitude));
            let wanted = of_channel().map(|x| x * x).sum::<f64>();
            assert!((squares[c] - wanted).abs() < 1e-5 * (1.0 + wanted));
        }
    }
}

/// Layers of single pixels with so many weights that threads share these, in sizes that fit nothing.
fn wide_cases() -> Vec<Taps> {
    let plain = |side: usize, [inputs, outputs]: [usize; 2]| Taps {
        window: Window::square(1, 1),
        pads: Pads::default(),
        input: Shape::new(side, side, inputs),
        output: Shape::new(side, side, outputs),
    };
    vec![plain(1, [150, 131]), plain(3, [129, 140])]
}

#[test]
fn convolutions_and_both_their_gradients_equal_plain_loops() {
    for taps in cases().into_iter().chain(wide_cases()) {
        let case = Case::new(taps, Connection::Dense);
        for set in InstructionSet::available() {
            case.check(set);
        }
    }
}

#[test]
fn depthwise_convolutions_and_both_their_gradients_equal_plain_loops() {
    for mut taps in cases() {
        taps.output.channels = taps.input.channels;
        let case = Case::new(taps, Connection::Depthwise);
        for set in InstructionSet::available() {
            case.check(set);
        }
    }
}

#[test]
fn values_finished_on_the_way_are_those_finished_before() {
    // Pads are 0, not what would become of a 0: offsets are not 0.
    let set = InstructionSet::best();
    let codes = Some(Codes { scale: 0.125, low: 0.0, high: 7.0 });
    for mut taps in cases().into_iter().chain(wide_cases()) {
        for connection in [Connection::Dense, Connection::Depthwise] {
            let mut fan_in = taps.fan_in();
            if connection == Connection::Depthwise {
                taps.output.channels = taps.input.channels;
                fan_in = taps.window.taps();
            }
            let (inputs, outputs) = (taps.input.channels, taps.output.channels);
            let tail = Tail { low: 0.0, high: 6.0, codes };
            let affine = |channels, tail| Affine {
                gains: PerChannel::new(&numbers(channels, 4)),
                offsets: PerChannel::new(&numbers(channels, 5)),
                tail,
            };
            let (before, after) = (affine(inputs, tail), affine(outputs, tail));
            let sums = numbers(PICTURES * taps.input.elements(), 6);
            let out_sums = numbers(PICTURES * taps.output.elements(), 7);
            let out_gradient = numbers(PICTURES * taps.output.elements(), 8);
            let through = Through {
                scales: PerChannel::new(&numbers(outputs, 9)),
                slopes: PerChannel::new(&numbers(outputs, 10)),
                constants: PerChannel::new(&numbers(outputs, 11)),
            };
            let gradient = Values::Gradient {
                gradient: &out_gradient,
                sums: &out_sums,
                affine: &after,
                through: &through,
            };
            let written = |values: &Values<'_>| {
                let mut out = vec![f32::NAN; values.len()];
                values.copy(set, 0, &mut out);
                out
            };
            let finished = Values::Finished(&sums, &before);
            let (plain, plain_gradient) = (written(&finished), written(&gradient));
            let weights = numbers(outputs * fan_in, 12);
            let layer = Layer { set, taps: &taps, connection, weights: &weights };
            let run = |input: &Values<'_>, gradient: &Values<'_>| {
                let mut out = vec![f32::NAN; out_sums.len()];
                layer.forward(input, &mut out);
                let mut by_weight = vec![f32::NAN; weights.len()];
                let mut by_input = vec![f32::NAN; sums.len()];
                let place =
                    InputGradient { values: &mut by_input, into: Into::Overwrite, after: None };
                let buffers = &mut Buffers::default();
                layer.backward(input, gradient, &mut by_weight, Some(place), buffers);
                (out, by_weight, by_input)
            };
            let wanted = run(&Values::Plain(&plain), &Values::Plain(&plain_gradient));
            assert_eq!(run(&finished, &gradient), wanted);
        }
    }
}

#[test]
fn pooling_gradients_equal_plain_loops() {
    for mut taps in cases() {
        taps.output.channels = taps.input.channels;
        let input = numbers(PICTURES * taps.input.elements(), 4);
        let out_gradient = numbers(PICTURES * taps.output.elements(), 5);
        let mut best = vec![(f32::NEG_INFINITY, 0); out_gradient.len()];
        let mut average = vec![0.0; input.len()];
        each_product(&taps, true, |out, _, source| {
            average[source] += f64::from(out_gradient[out]) / taps.window.taps() as f64;
            if best[out].0 < input[source] {
                best[out] = (input[source], source);
            }
        });
        let mut largest = vec![0.0; input.len()];
        for (best, g) in best.iter().zip(&out_gradient) {
            largest[best.1] += f64::from(*g);
        }
        let mut gradient = vec![f32::NAN; input.len()];
        pool::average_backward(&taps, &mut gradient, &out_gradient, Into::Overwrite);
        assert_close(&gradient, &average);
        // A window of nothing but pads has no largest input.
        if 3 != taps.input.height {
            pool::max_backward(&taps, &input, &mut gradient, &out_gradient, Into::Overwrite);
            assert_close(&gradient, &largest);
        }
    }
}

/// The tail as it is defined, in f64, without the rounding.
fn tail_without_rounding(z: f64, low: f64, high: f64, clip: f64, lowest: f64) -> f64 {
    z.max(low).min(high).max(lowest * clip).min(clip)
}

#[test]
fn a_tail_rounds_half_way_and_its_gradient_goes_straight_through() {
    let codes = Codes { scale: 0.5, low: -2.0, high: 1.0 };
    let tail = Tail { low: f32::NEG_INFINITY, high: f32::INFINITY, codes: Some(codes) };
    let values = [-9.0, -0.8, -0.2, 0.0, 0.3, 0.6, 7.0];
    let mut out = values;
    finish::tail(InstructionSet::best(), &mut out, tail);
    assert_eq!(out, [-1.0, -1.0, 0.0, 0.0, 0.5, 0.5, 0.5]);
    let mut gradient = [1.0; 7];
    let clip = finish::tail_backward(InstructionSet::best(), &values, &mut gradient, tail);
    assert_eq!(gradient, [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    // By the clip, in steps: −2 below, 1 above twice, and inside what rounding added.
    let inside = (-2.0 + 1.6) + (0.0 + 0.4) + (1.0 - 0.6);
    assert!((clip - (-2.0 + 1.0 + 1.0 + inside)).abs() < 1e-6, "{clip}");
    let relu6 = Tail { low: 0.0, high: 6.0, codes: None };
    let mut gradient = [1.0; 5];
    finish::tail_backward(
        InstructionSet::best(),
        &[-1.0, 0.0, 3.0, 6.0, 8.0],
        &mut gradient,
        relu6,
    );
    assert_eq!(gradient, [0.0, 0.0, 1.0, 0.0, 0.0], "flat at both ends");
}

/// Σ weight · tail(batch norm(value)) in f64, with codes from −clip to clip.
fn batch_norm_loss(
    values: &[f64],
    weights: &[f32],
    gammas: &[f64],
    betas: &[f64],
    clip: f64,
) -> f64 {
    let channels = gammas.len();
    let rows = (values.len() / channels) as f64;
    let of_channel = |c: usize| {
        let column = || values.iter().skip(c).step_by(channels);
        let mean = column().sum::<f64>() / rows;
        let variance = column().map(|x| (x - mean).powi(2)).sum::<f64>() / rows + 1e-5;
        let z = column().map(|x| gammas[c] * (x - mean) / variance.sqrt() + betas[c]);
        let y = z.map(|z| tail_without_rounding(z, -1e9, 6.0, clip, -1.0));
        let weights = weights.iter().skip(c).step_by(channels);
        y.zip(weights).map(|(y, &w)| y * f64::from(w)).sum::<f64>()
    };
    (0..channels).map(of_channel).sum()
}

/// Mean and 1/√(variance + ε) of each channel.
fn statistics(set: InstructionSet, values: &[f32], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = (values.len() / channels) as f64;
    let mut moments = Moments::new(channels);
    moments.add(set, values);
    let [sums, squares] = moments.totals();
    let means: Vec<f64> = sums.iter().map(|sum| sum / rows).collect();
    let of_channel =
        |(square, mean): (&f64, &f64)| 1.0 / (square / rows - mean * mean + 1e-5).sqrt();
    let inverse = squares.iter().zip(&means).map(of_channel).collect();
    (means, inverse)
}

#[test]
fn batch_norm_with_its_tail_has_the_gradient_of_finite_differences() {
    // So many codes that rounding does not show; the clip cuts a part of the values.
    let (channels, rows) = (5, 67);
    let values = numbers(channels * rows, 6);
    let weights = numbers(channels * rows, 7);
    let (gammas, betas) = (numbers(channels, 8), numbers(channels, 9));
    let (clip, steps) = (0.7_f32, 4_194_303.0_f32);
    let loss = |values: &[f64], gammas: &[f64], betas: &[f64], clip: f64| {
        batch_norm_loss(values, &weights, gammas, betas, clip)
    };
    let set = InstructionSet::best();
    let (means, inverse) = statistics(set, &values, channels);
    let gains: Vec<f32> = (0..channels).map(|c| gammas[c] * inverse[c] as f32).collect();
    let centers: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
    let offsets: Vec<f32> = (0..channels).map(|c| betas[c] - gains[c] * centers[c]).collect();
    let codes = Codes { scale: clip / steps, low: -steps, high: steps };
    let tail = Tail { low: f32::NEG_INFINITY, high: 6.0, codes: Some(codes) };
    let affine =
        Affine { gains: PerChannel::new(&gains), offsets: PerChannel::new(&offsets), tail };
    let mut found = AffineSums::new(channels);
    found.add(set, (&affine, &PerChannel::new(&centers)), &values, &weights);
    let slopes: Vec<f64> = (0..channels)
        .map(|c| -f64::from(gains[c]) * inverse[c].powi(2) * found.products()[c] / rows as f64)
        .collect();
    let constants: Vec<f32> = (0..channels)
        .map(|c| {
            (-f64::from(gains[c]) * found.sums()[c] / rows as f64 - slopes[c] * means[c]) as f32
        })
        .collect();
    let slopes: Vec<f32> = slopes.iter().map(|&slope| slope as f32).collect();
    let through = Through {
        scales: PerChannel::new(&gains),
        slopes: PerChannel::new(&slopes),
        constants: PerChannel::new(&constants),
    };
    let through =
        Values::Gradient { gradient: &weights, sums: &values, affine: &affine, through: &through };
    let mut gradient = vec![0.0; values.len()];
    through.copy(set, 0, &mut gradient);

    let [wide_values, wide_gammas, wide_betas] = [&values, &gammas, &betas]
        .map(|values| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
    let difference = |at: &dyn Fn(f64) -> f64| (at(1e-5) - at(-1e-5)) / 2e-5;
    let moved = |values: &[f64], i: usize, step: f64| {
        let mut values = values.to_vec();
        values[i] += step;
        values
    };
    for i in 0..values.len() {
        let wanted = difference(&|step| {
            loss(&moved(&wide_values, i, step), &wide_gammas, &wide_betas, clip.into())
        });
        assert!((f64::from(gradient[i]) - wanted).abs() < 2e-3, "value {i}: {wanted}");
    }
    for c in 0..channels {
        let wanted = difference(&|step| {
            loss(&wide_values, &moved(&wide_gammas, c, step), &wide_betas, clip.into())
        });
        assert!((found.products()[c] * inverse[c] - wanted).abs() < 2e-3, "γ {c}: {wanted}");
        let wanted = difference(&|step| {
            loss(&wide_values, &wide_gammas, &moved(&wide_betas, c, step), clip.into())
        });
        assert!((found.sums()[c] - wanted).abs() < 2e-3, "β {c}: {wanted}");
    }
    let wanted =
        difference(&|step| loss(&wide_values, &wide_gammas, &wide_betas, f64::from(clip) + step));
    assert!((found.clip() - wanted).abs() < 2e-3, "clip: {} {wanted}", found.clip());
}
