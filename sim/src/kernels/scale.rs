//! From sums to codes: multipliers and biases as the kernels hold them, and the plain i64 way.

use super::lanes::{Codes, Lanes, MAX_LANES, MAX_TILE_PIXELS, ScaleAt, Shift, Sums};

/// Multipliers and biases of a dot-product layer, in vectors of channels.
#[derive(Debug)]
pub(super) struct Scale {
    pub(super) channels: usize,
    pub(super) planes: usize,
    pub(super) lanes: usize,
    /// `[channel vector][plane][lane]`.
    pub(super) multipliers: Vec<i32>,
    /// `[channel vector][even lanes, odd lanes]`.
    pub(super) bias: Vec<i64>,
    /// What happens to y; none for raw output.
    pub(super) shift: Option<Shift>,
}

/// Where a dot-product layer writes, `[pixel][channel]`.
#[derive(Debug)]
pub(super) enum Sink<'a> {
    /// Biased codes.
    Codes(&'a mut [u8]),
    /// y.
    Raw(&'a mut [i64]),
}

impl Scale {
    pub(super) fn channel_vectors(&self) -> usize {
        self.channels.div_ceil(self.lanes)
    }

    fn at(&self, channel_vector: usize) -> ScaleAt<'_> {
        let per_vector = self.planes * self.lanes;
        ScaleAt {
            multipliers: &self.multipliers[channel_vector * per_vector..][..per_vector],
            bias: &self.bias[channel_vector * self.lanes..][..self.lanes],
        }
    }

    /// Finishes one vector of channels of `sums.pixels` pixels from `pixel` on.
    ///
    /// # Safety
    ///
    /// The machine has the instruction set of `L`, and `L::LANES` is `self.lanes`.
    #[inline(always)]
    #[expect(unsafe_code, reason = "vector primitives")]
    pub(super) unsafe fn finish<L: Lanes, const B: usize>(
        &self,
        sums: Sums<'_>,
        channel_vector: usize,
        pixel: usize,
        sink: &mut Sink<'_>,
    ) {
        let scale = self.at(channel_vector);
        let first = channel_vector * L::LANES;
        let count = L::LANES.min(self.channels - first);
        match (sink, self.shift) {
            (Sink::Codes(out), Some(shift)) if shift.fits => {
                let start = pixel * self.channels + first;
                let out = &mut out[start..start + (sums.pixels - 1) * self.channels + count];
                if count == L::LANES {
                    let out = Codes { to: out.as_mut_ptr(), pitch: self.channels };
                    // SAFETY: `out` reaches from the first pixel's codes to the end of the last one's.
                    unsafe { L::codes::<B>(sums, scale, shift, out) };
                    return;
                }
                let mut codes = [0; MAX_TILE_PIXELS * MAX_LANES];
                assert!(sums.pixels <= MAX_TILE_PIXELS && L::LANES <= MAX_LANES);
                let to = Codes { to: codes.as_mut_ptr(), pitch: L::LANES };
                // SAFETY: `codes` has LANES bytes for every pixel of a tile.
                unsafe { L::codes::<B>(sums, scale, shift, to) };
                for (out, codes) in out.chunks_mut(self.channels).zip(codes.chunks_exact(L::LANES))
                {
                    out[..count].copy_from_slice(&codes[..count]);
                }
            }
            (sink, _) => {
                for p in 0..sums.pixels {
                    let sums = &sums.sums[p * sums.pitch..][..B * L::LANES];
                    let start = (pixel + p) * self.channels + first;
                    for lane in 0..count {
                        sink.put(start + lane, scale.y(sums, lane, L::LANES), self.shift);
                    }
                }
            }
        }
    }
}

impl Sink<'_> {
    /// Writes y at this place, or its code.
    #[inline(always)]
    pub(super) fn put(&mut self, at: usize, y: i64, shift: Option<Shift>) {
        match (self, shift) {
            (Self::Codes(out), Some(shift)) => out[at] = shift.code(y),
            (Self::Raw(out), None) => out[at] = y,
            (Self::Codes(_), None) | (Self::Raw(_), Some(_)) => {
                unreachable!("the plan gives raw layers a raw sink, and others codes")
            }
        }
    }
}

impl ScaleAt<'_> {
    /// y of one lane.
    #[inline(always)]
    pub(super) fn y(&self, sums: &[i32], lane: usize, lanes: usize) -> i64 {
        let products = sums.chunks_exact(lanes).zip(self.multipliers.chunks_exact(lanes));
        products.fold(self.bias[lane % 2 * (lanes / 2) + lane / 2], |y, (sums, multipliers)| {
            y.wrapping_add(i64::from(sums[lane]) * i64::from(multipliers[lane]))
        })
    }
}

impl Shift {
    /// The biased code of y, whose rounding constant and output bias are in its bias.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a byte"
    )]
    pub(super) fn code(self, y: i64) -> u8 {
        (y >> self.shift).clamp(self.low.into(), self.high.into()) as u8
    }
}
