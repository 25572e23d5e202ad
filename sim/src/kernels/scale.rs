//! From sums to codes: multipliers and biases as the kernels hold them, and the plain i64 way.

use super::lanes::{Lanes, MAX_LANES, ScaleAt, Shift};

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

    /// Finishes one vector of channels of one pixel.
    ///
    /// # Safety
    ///
    /// The machine has the instruction set of `L`, and `L::LANES` is `self.lanes`.
    #[inline(always)]
    #[expect(unsafe_code, reason = "vector primitives")]
    pub(super) unsafe fn finish<L: Lanes>(
        &self,
        sums: &[i32],
        channel_vector: usize,
        pixel: usize,
        sink: &mut Sink<'_>,
    ) {
        let scale = self.at(channel_vector);
        assert!(sums.len() == self.planes * L::LANES && scale.bias.len() == L::LANES);
        let first = channel_vector * L::LANES;
        let count = L::LANES.min(self.channels - first);
        let start = pixel * self.channels + first;
        match (sink, self.shift) {
            (Sink::Codes(out), Some(shift)) => {
                let out = &mut out[start..start + count];
                if !shift.fits {
                    for (lane, out) in out.iter_mut().enumerate() {
                        *out = shift.code(scale.y(sums, lane, L::LANES));
                    }
                } else if count == L::LANES {
                    // SAFETY: `out` has LANES bytes, `sums` and `scale` the lengths asserted above.
                    unsafe { L::codes(sums.as_ptr(), scale, shift, out.as_mut_ptr()) };
                } else {
                    let mut codes = [0; MAX_LANES];
                    // SAFETY: `codes` has at least LANES bytes, the others the lengths asserted above.
                    unsafe { L::codes(sums.as_ptr(), scale, shift, codes.as_mut_ptr()) };
                    out.copy_from_slice(&codes[..count]);
                }
            }
            (Sink::Raw(out), None) => {
                for (lane, out) in out[start..start + count].iter_mut().enumerate() {
                    *out = scale.y(sums, lane, L::LANES);
                }
            }
            (Sink::Codes(_), None) | (Sink::Raw(_), Some(_)) => {
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
