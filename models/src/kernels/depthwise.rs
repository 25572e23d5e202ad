//! Depthwise convolutions: tap by tap, all channels of a pixel at once.

use rayon::prelude::*;

use super::gather::Taps;
use super::{Into, add_up, piece};

/// Weights by tap, then channel, from weights by channel, then tap.
fn by_tap(weights: &[f32], n_taps: usize) -> Vec<f32> {
    let channels = weights.len() / n_taps;
    (0..weights.len()).map(|i| weights[i % channels * n_taps + i / channels]).collect()
}

/// `out[pixel][c] = Σ_tap weights[c][tap] · x[tap][c]`.
pub(crate) fn forward(taps: &Taps, out: &mut [f32], input: &[f32], weights: &[f32]) {
    let (out_elements, in_elements) = (taps.output.elements(), taps.input.elements());
    let channels = taps.output.channels;
    let weights = by_tap(weights, taps.window.taps());
    let picture = |(out, input): (&mut [f32], &[f32])| {
        for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
            out.fill(0.0);
            taps.each(pixel, |tap, source| {
                let inputs = &input[source..source + channels];
                let weights = &weights[tap * channels..(tap + 1) * channels];
                for ((sum, x), w) in out.iter_mut().zip(inputs).zip(weights) {
                    *sum += x * w;
                }
            });
        }
    };
    out.par_chunks_mut(out_elements).zip(input.par_chunks(in_elements)).for_each(picture);
}

/// The gradients by weights and by the input.
pub(crate) fn backward(
    taps: &Taps,
    input: &[f32],
    weights: &[f32],
    out_gradient: &[f32],
    weight_gradient: &mut [f32],
    input_gradient: Option<(&mut [f32], Into)>,
) {
    let (out_elements, in_elements) = (taps.output.elements(), taps.input.elements());
    let n_taps = taps.window.taps();
    let weights_by_tap = by_tap(weights, n_taps);
    if let Some((gradient, into)) = input_gradient {
        let picture = |(gradient, out): (&mut [f32], &[f32])| {
            if into == Into::Overwrite {
                gradient.fill(0.0);
            }
            input_gradient_of(taps, gradient, &weights_by_tap, out);
        };
        gradient
            .par_chunks_mut(in_elements)
            .zip(out_gradient.par_chunks(out_elements))
            .for_each(picture);
    }
    let pictures = piece(input.len() / in_elements);
    let parts: Vec<Vec<f32>> = input
        .par_chunks(pictures * in_elements)
        .zip(out_gradient.par_chunks(pictures * out_elements))
        .map(|(input, out)| weight_gradient_of(taps, input, out))
        .collect();
    let mut sum = vec![0.0; weights.len()];
    add_up(&mut sum, &parts);
    let channels = taps.output.channels;
    for (i, gradient) in weight_gradient.iter_mut().enumerate() {
        *gradient = sum[i % n_taps * channels + i / n_taps];
    }
}

/// Adds to the gradient by one picture.
fn input_gradient_of(taps: &Taps, gradient: &mut [f32], weights: &[f32], out_gradient: &[f32]) {
    let channels = taps.output.channels;
    for (pixel, out) in out_gradient.chunks_exact(channels).enumerate() {
        taps.each(pixel, |tap, source| {
            let weights = &weights[tap * channels..(tap + 1) * channels];
            let sums = &mut gradient[source..source + channels];
            for ((sum, g), w) in sums.iter_mut().zip(out).zip(weights) {
                *sum += g * w;
            }
        });
    }
}

/// The gradient by the weights, by tap, over some pictures.
fn weight_gradient_of(taps: &Taps, input: &[f32], out_gradient: &[f32]) -> Vec<f32> {
    let channels = taps.output.channels;
    let mut sums = vec![0.0; taps.window.taps() * channels];
    let pictures = input
        .chunks_exact(taps.input.elements())
        .zip(out_gradient.chunks_exact(taps.output.elements()));
    for (input, out) in pictures {
        for (pixel, out) in out.chunks_exact(channels).enumerate() {
            taps.each(pixel, |tap, source| {
                let inputs = &input[source..source + channels];
                let sums = &mut sums[tap * channels..(tap + 1) * channels];
                for ((sum, g), x) in sums.iter_mut().zip(out).zip(inputs) {
                    *sum += g * x;
                }
            });
        }
    }
    sums
}
