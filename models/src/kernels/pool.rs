//! The gradients of pooling by its input.

use rayon::prelude::*;

use super::Into;
use super::taps::Taps;

/// Spreads each output's gradient evenly over its window.
pub(crate) fn average_backward(taps: &Taps, gradient: &mut [f32], out: &[f32], into: Into) {
    let share = 1.0 / taps.window.taps() as f32;
    let channels = taps.output.channels;
    let picture = |(gradient, out): (&mut [f32], &[f32])| {
        for (pixel, out) in out.chunks_exact(channels).enumerate() {
            taps.each(pixel, |_, source| {
                for (sum, g) in gradient[source..source + channels].iter_mut().zip(out) {
                    *sum += g * share;
                }
            });
        }
    };
    each_picture(taps, gradient, out, into, picture);
}

/// Gives each output's gradient to the first of the largest inputs under its window.
pub(crate) fn max_backward(
    taps: &Taps,
    input: &[f32],
    gradient: &mut [f32],
    out: &[f32],
    into: Into,
) {
    let (channels, elements) = (taps.output.channels, taps.input.elements());
    prepare(gradient, into);
    gradient
        .par_chunks_mut(elements)
        .zip(out.par_chunks(taps.output.elements()))
        .zip(input.par_chunks(elements))
        .for_each(|((gradient, out), input)| {
            let mut best = vec![(f32::NEG_INFINITY, 0); channels];
            for (pixel, out) in out.chunks_exact(channels).enumerate() {
                best.fill((f32::NEG_INFINITY, 0));
                taps.each(pixel, |_, source| {
                    for (c, best) in best.iter_mut().enumerate() {
                        if best.0 < input[source + c] {
                            *best = (input[source + c], source + c);
                        }
                    }
                });
                for (best, g) in best.iter().zip(out) {
                    gradient[best.1] += g;
                }
            }
        });
}

fn prepare(gradient: &mut [f32], into: Into) {
    if into == Into::Overwrite {
        gradient.fill(0.0);
    }
}

fn each_picture(
    taps: &Taps,
    gradient: &mut [f32],
    out: &[f32],
    into: Into,
    picture: impl Fn((&mut [f32], &[f32])) + Sync + Send,
) {
    prepare(gradient, into);
    gradient
        .par_chunks_mut(taps.input.elements())
        .zip(out.par_chunks(taps.output.elements()))
        .for_each(picture);
}
