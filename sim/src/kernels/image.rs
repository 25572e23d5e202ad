//! The input of a dot-product layer as its driver reads it: padded, and of bytes or of 16-bit words.

use super::lanes::SLACK;
use crate::network::{Pads, Shape};

/// How a tensor becomes an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    input: Shape,
    pads: Pads,
    zero: u8,
    words: bool,
}

impl Image {
    pub(super) fn new(input: Shape, pads: Pads, zero: u8, words: bool) -> Self {
        Self { input, pads, zero, words }
    }

    pub(super) fn pixel_bytes(&self) -> usize {
        self.input.channels * if self.words { 2 } else { 1 }
    }

    pub(super) fn row_bytes(&self) -> usize {
        (self.pads.left + self.input.width + self.pads.right) * self.pixel_bytes()
    }

    /// Whether the tensor is read as it is.
    pub(super) fn is_tensor(&self) -> bool {
        !self.words && self.pads == Pads::default()
    }

    /// Bytes to be set aside for it.
    pub(super) fn bytes(&self) -> usize {
        if self.is_tensor() {
            return 0;
        }
        (self.pads.top + self.input.height + self.pads.bottom) * self.row_bytes() + SLACK
    }

    /// The image of a tensor's codes, made in `space` unless it is the tensor; SLACK bytes follow either.
    pub(super) fn of<'a>(&self, codes: &'a [u8], space: &'a mut [u8]) -> &'a [u8] {
        if self.is_tensor() {
            return codes;
        }
        let image = &mut space[..self.bytes()];
        let row = self.row_bytes();
        let codes = &codes[..self.input.elements()];
        let picture = &mut image[self.pads.top * row..];
        let rows = codes.chunks_exact(self.input.width * self.input.channels);
        let left = self.pads.left * self.pixel_bytes();
        let right = self.pads.right * self.pixel_bytes();
        for (to, from) in picture.chunks_exact_mut(row).zip(rows) {
            self.fill(&mut to[..left]);
            self.fill(&mut to[row - right..]);
            let to = &mut to[left..row - right];
            if self.words {
                for (to, &from) in to.as_chunks_mut::<2>().0.iter_mut().zip(from) {
                    *to = u16::from(from).to_ne_bytes();
                }
            } else {
                to.copy_from_slice(from);
            }
        }
        self.fill(&mut image[..self.pads.top * row]);
        let bottom = (self.pads.top + self.input.height) * row;
        self.fill(&mut image[bottom..bottom + self.pads.bottom * row]);
        image
    }

    fn fill(&self, pad: &mut [u8]) {
        if self.words {
            pad.as_chunks_mut::<2>().0.fill(u16::from(self.zero).to_ne_bytes());
        } else {
            pad.fill(self.zero);
        }
    }
}
