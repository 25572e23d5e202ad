//! Which input pixels lie under a kernel.

use tridot_sim::network::{Pads, Shape, Window};

/// A window over a padded picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taps {
    /// Kernel and stride.
    pub(crate) window: Window,
    /// Zeros around the picture.
    pub(crate) pads: Pads,
    /// Of a picture.
    pub(crate) input: Shape,
    /// What the window makes of it.
    pub(crate) output: Shape,
}

/// A run of neighbouring elements of the input and where it lies among all under the kernel.
struct Run {
    in_vector: std::ops::Range<usize>,
    in_picture: std::ops::Range<usize>,
}

impl Taps {
    /// Inputs of an output.
    pub(crate) fn fan_in(&self) -> usize {
        self.window.taps() * self.input.channels
    }

    /// Whether every output pixel lies over one input pixel, in their order.
    pub(crate) fn is_plain(&self) -> bool {
        self.window == Window::square(1, 1) && self.pads == Pads::default()
    }

    /// The elements of a kernel row under an output pixel, pads left out; none where all are pads.
    fn run(&self, pixel: usize, kernel_row: usize) -> Option<Run> {
        let (Window { kernel_width, .. }, channels) = (self.window, self.input.channels);
        let (out_row, out_column) = (pixel / self.output.width, pixel % self.output.width);
        let row = (out_row * self.window.stride_height + kernel_row).checked_sub(self.pads.top)?;
        if self.input.height <= row {
            return None;
        }
        let left = out_column * self.window.stride_width;
        let before = self.pads.left.saturating_sub(left).min(kernel_width);
        let end = (self.input.width + self.pads.left).saturating_sub(left).min(kernel_width);
        if end <= before {
            return None;
        }
        let start = (row * self.input.width + left + before - self.pads.left) * channels;
        let vector_start = (kernel_row * kernel_width + before) * channels;
        let length = (end - before) * channels;
        Some(Run {
            in_vector: vector_start..vector_start + length,
            in_picture: start..start + length,
        })
    }

    /// Calls with the tap and the first element of the input pixel under it, pads left out.
    pub(crate) fn each(&self, pixel: usize, mut call: impl FnMut(usize, usize)) {
        let channels = self.input.channels;
        for kernel_row in 0..self.window.kernel_height {
            if let Some(Run { in_vector, in_picture }) = self.run(pixel, kernel_row) {
                let first_tap = in_vector.start / channels;
                for (i, start) in in_picture.step_by(channels).enumerate() {
                    call(first_tap + i, start);
                }
            }
        }
    }
}
