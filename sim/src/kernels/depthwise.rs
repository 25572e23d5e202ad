//! Dot products of one input channel each: vectors over channels, two taps a step.
#![expect(unsafe_code, reason = "vector primitives on raw pointers")]

use super::dense::Walk;
use super::lanes::{Lanes, Line, MAX_LANES};
use super::scale::{Scale, Sink};

/// A packed depthwise layer.
#[derive(Debug)]
pub(super) struct Depthwise {
    pub(super) walk: Walk,
    /// Offsets of the taps in the window, in bytes, in pairs; an odd last tap is repeated with weight 0.
    pub(super) taps: Vec<[usize; 2]>,
    /// `[channel vector][pair][plane][lane][2 × i16]`.
    pub(super) weights: Vec<Line>,
}

/// Planes of a layer, at most.
const MAX_PLANES: usize = 5;

/// Computes the layer over its image.
///
/// # Safety
///
/// The machine has the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn run<L: Lanes>(
    layer: &Depthwise,
    scale: &Scale,
    image: &[u8],
    sink: &mut Sink<'_>,
) {
    // SAFETY: passed on.
    unsafe {
        match scale.planes {
            1 => walk::<L, 1>(layer, scale, image, sink),
            2 => walk::<L, 2>(layer, scale, image, sink),
            3 => walk::<L, 3>(layer, scale, image, sink),
            4 => walk::<L, 4>(layer, scale, image, sink),
            5 => walk::<L, 5>(layer, scale, image, sink),
            _ => unreachable!("a layer has one to five planes"),
        }
    }
}

/// # Safety
///
/// As [`run`].
#[inline(always)]
unsafe fn walk<L: Lanes, const B: usize>(
    layer: &Depthwise,
    scale: &Scale,
    image: &[u8],
    sink: &mut Sink<'_>,
) {
    assert!(L::LANES == scale.lanes && B == scale.planes, "packed for another instruction set");
    let vectors = scale.channel_vectors();
    let reach = layer.taps.iter().flatten().max().expect("a window has taps")
        + layer.walk.last()
        + vectors * L::LANES;
    assert!(reach <= image.len(), "the last window lies inside the image");
    let vector_bytes = layer.taps.len() * B * L::LANES * 4;
    assert!(vectors * vector_bytes <= layer.weights.len() * Line::BYTES, "all weights are packed");
    let mut tile = [0; MAX_PLANES * MAX_LANES];
    for vector in 0..vectors {
        let mut offsets = layer.walk.start();
        for pixel in 0..layer.walk.pixels() {
            // SAFETY: image and weights have the lengths asserted above; `tile` holds B vectors.
            unsafe {
                let window = image.as_ptr().add(offsets.take() + vector * L::LANES);
                let mut w = layer.weights.as_ptr().cast::<u8>().add(vector * vector_bytes);
                let mut sums = [L::zero(); B];
                for &[tap, next] in &layer.taps {
                    let x = L::pairs(window.add(tap), window.add(next));
                    for sums in &mut sums {
                        *sums = L::pair_step(*sums, x, L::w(w));
                        w = w.add(L::LANES * 4);
                    }
                }
                for (plane, sums) in sums.into_iter().enumerate() {
                    L::put(sums, tile.as_mut_ptr().add(plane * L::LANES));
                }
                scale.finish::<L>(&tile[..B * L::LANES], vector, pixel, sink);
            }
        }
    }
}
