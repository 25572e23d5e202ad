//! Dense convolutions and linear layers: im2col and matrix products, block by block.

use rayon::prelude::*;

use super::gather::Taps;
use super::matrix::{Matrix, multiply};
use super::{Into, add_up, piece};

/// Elements of the im2col block that is multiplied at once: a quarter of a second-level cache.
const BLOCK_ELEMENTS: usize = 1 << 16;

/// Output pixels of a block.
fn block_pixels(fan_in: usize) -> usize {
    (BLOCK_ELEMENTS / fan_in).max(32)
}

/// `out[pixel][c] = Σ_k weights[c][k] · x[k]` with the K inputs x under each output pixel.
pub(crate) fn forward(taps: &Taps, out: &mut [f32], input: &[f32], weights: &[f32]) {
    let (out_elements, in_elements) = (taps.output.elements(), taps.input.elements());
    let pictures = piece(input.len() / in_elements);
    out.par_chunks_mut(pictures * out_elements)
        .zip(input.par_chunks(pictures * in_elements))
        .for_each(|(out, input)| forward_piece(taps, out, input, weights));
}

fn forward_piece(taps: &Taps, out: &mut [f32], input: &[f32], weights: &[f32]) {
    let (fan_in, channels) = (taps.fan_in(), taps.output.channels);
    let weights = Matrix::new(weights, fan_in).transposed();
    if taps.is_plain() {
        multiply(out, Matrix::new(input, fan_in), weights, Into::Overwrite);
        return;
    }
    let pixels = block_pixels(fan_in);
    let mut block = vec![0.0; pixels.min(out.len() / channels) * fan_in];
    for (block_idx, out) in out.chunks_mut(pixels * channels).enumerate() {
        let vectors = &mut block[..out.len() / channels * fan_in];
        taps.gather(input, block_idx * pixels, vectors);
        multiply(out, Matrix::new(vectors, fan_in), weights, Into::Overwrite);
    }
}

/// The gradients by weights and, where there is a place for it, by the input.
pub(crate) fn backward(
    taps: &Taps,
    input: &[f32],
    weights: &[f32],
    out_gradient: &[f32],
    weight_gradient: &mut [f32],
    input_gradient: Option<(&mut [f32], Into)>,
) {
    let (out_elements, in_elements) = (taps.output.elements(), taps.input.elements());
    let pictures = piece(input.len() / in_elements);
    let pieces = input
        .par_chunks(pictures * in_elements)
        .zip(out_gradient.par_chunks(pictures * out_elements));
    let work = |input: &[f32], out_gradient: &[f32], input_gradient: Option<&mut [f32]>, into| {
        let mut sum = vec![0.0; weights.len()];
        let mut piece = Piece { taps, input, weights, out_gradient, weight_gradient: &mut sum };
        piece.run(input_gradient, into);
        sum
    };
    let parts: Vec<Vec<f32>> = match input_gradient {
        Some((gradient, into)) => pieces
            .zip(gradient.par_chunks_mut(pictures * in_elements))
            .map(|((input, out), gradient)| work(input, out, Some(gradient), into))
            .collect(),
        None => pieces.map(|(input, out)| work(input, out, None, Into::Overwrite)).collect(),
    };
    add_up(weight_gradient, &parts);
}

/// The work of one piece of pictures.
struct Piece<'a> {
    taps: &'a Taps,
    input: &'a [f32],
    weights: &'a [f32],
    out_gradient: &'a [f32],
    weight_gradient: &'a mut [f32],
}

impl Piece<'_> {
    fn run(&mut self, mut input_gradient: Option<&mut [f32]>, into: Into) {
        let (fan_in, channels) = (self.taps.fan_in(), self.taps.output.channels);
        let weights = Matrix::new(self.weights, fan_in);
        if self.taps.is_plain() {
            let out_gradient = Matrix::new(self.out_gradient, channels);
            let input = Matrix::new(self.input, fan_in);
            multiply(self.weight_gradient, out_gradient.transposed(), input, Into::Overwrite);
            if let Some(gradient) = input_gradient {
                multiply(gradient, out_gradient, weights, into);
            }
            return;
        }
        if let (Some(gradient), Into::Overwrite) = (&mut input_gradient, into) {
            gradient.fill(0.0);
        }
        let pixels = block_pixels(fan_in);
        let mut block = vec![0.0; pixels.min(self.out_gradient.len() / channels) * fan_in];
        for (block_idx, out_gradient) in self.out_gradient.chunks(pixels * channels).enumerate() {
            let vectors = &mut block[..out_gradient.len() / channels * fan_in];
            let first = block_idx * pixels;
            let out_gradient = Matrix::new(out_gradient, channels);
            self.taps.gather(self.input, first, vectors);
            let inputs = Matrix::new(vectors, fan_in);
            multiply(self.weight_gradient, out_gradient.transposed(), inputs, Into::Add);
            if let Some(gradient) = &mut input_gradient {
                multiply(vectors, out_gradient, weights, Into::Overwrite);
                self.taps.scatter(gradient, first, vectors);
            }
        }
    }
}
