//! Dot products of one input channel each: vectors over channels, two taps a step.
#![expect(unsafe_code, reason = "vector primitives on raw pointers")]

use super::dense::{Offsets, Walk};
use super::lanes::{Lanes, Line, MAX_LANES, Sums};
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
    for vector in 0..vectors {
        let job = Job { layer, scale, image, vector, weights: vector * vector_bytes };
        let mut offsets = layer.walk.start();
        let mut pixel = 0;
        // SAFETY: image and weights have the lengths asserted above.
        unsafe {
            while L::DEPTHWISE_PIXELS == PIXELS && pixel + PIXELS <= layer.walk.pixels() {
                job.tile::<L, B, PIXELS>(&mut offsets, pixel, sink);
                pixel += PIXELS;
            }
            while pixel < layer.walk.pixels() {
                job.tile::<L, B, 1>(&mut offsets, pixel, sink);
                pixel += 1;
            }
        }
    }
}

/// Pixels whose sums are in registers at once.
const PIXELS: usize = 2;

/// One vector of channels.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    layer: &'a Depthwise,
    scale: &'a Scale,
    image: &'a [u8],
    vector: usize,
    /// Where its weights begin, in bytes.
    weights: usize,
}

impl Job<'_> {
    /// # Safety
    ///
    /// As [`run`]; [`walk`] has asserted the lengths of image and weights, and at least P windows are left.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const B: usize, const P: usize>(
        self,
        offsets: &mut Offsets,
        pixel: usize,
        sink: &mut Sink<'_>,
    ) {
        const { assert!(P * B <= PIXELS * MAX_PLANES && L::LANES <= MAX_LANES) };
        let mut tile = [0; PIXELS * MAX_PLANES * MAX_LANES];
        // SAFETY: the windows of all pixels lie in the image, `tile` holds P·B vectors.
        unsafe {
            let mut windows = [self.image.as_ptr(); P];
            for window in &mut windows {
                *window = window.add(offsets.take() + self.vector * L::LANES);
            }
            let mut w = self.layer.weights.as_ptr().cast::<u8>().add(self.weights);
            let mut sums = [[L::zero(); B]; P];
            for &[tap, next] in &self.layer.taps {
                for (window, sums) in windows.iter().zip(&mut sums) {
                    let x = L::pairs(window.add(tap), window.add(next));
                    for (plane, sums) in sums.iter_mut().enumerate() {
                        *sums = L::pair_step(*sums, x, L::w(w.add(plane * L::LANES * 4)));
                    }
                }
                w = w.add(B * L::LANES * 4);
            }
            for (i, &sums) in sums.as_flattened().iter().enumerate() {
                L::put(sums, tile.as_mut_ptr().add(i * L::LANES));
            }
            let sums = Sums { sums: &tile, pitch: B * L::LANES, pixels: P };
            self.scale.finish::<L, B>(sums, self.vector, pixel, sink);
        }
    }
}
