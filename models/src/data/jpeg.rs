//! JPEG files: decoded strictly to RGB, within limits that are checked before memory is taken.

use std::fmt::Write as _;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Bytes of a file, at most: 64 MiB.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 26;
/// Pixels of a picture, at most: 64 Mi, which are 192 MiB in RGB.
const MAX_PIXELS: usize = 1 << 26;
/// Pixels of a byte of the file, at most: every block of 8 × 8 takes a bit, and real ones take dozens.
const MAX_PIXELS_PER_BYTE: usize = 8 * 64;

/// The first bytes of a file, and the marker at its end.
const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];
const END_OF_IMAGE: u8 = 0xd9;

/// Decodes a file to RGB, HWC, into `pixels`; gives height and width, or what is wrong with the file.
///
/// Grey and CMYK pictures become RGB; orientation tags are not followed. A file that ends early is
/// refused even where the decoder could invent the rest.
pub(super) fn decode(file: &[u8], pixels: &mut Vec<u8>) -> Result<[usize; 2], String> {
    if file.is_empty() {
        return Err("is empty".to_owned());
    }
    if !file.starts_with(&START_OF_IMAGE) {
        let mut first = String::new();
        for byte in file.iter().take(4) {
            write!(first, " {byte:02x}").expect("a string takes everything");
        }
        return Err(format!("is no JPEG file: it begins with{first}"));
    }
    if !has_end(file) {
        return Err("ends early: there is no end-of-image marker".to_owned());
    }
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(|error| one_line(&error))?;
    let Some((width, height)) = decoder.dimensions() else {
        return Err("has no size".to_owned());
    };
    if MAX_PIXELS < width * height {
        return Err(format!("has {width}×{height} pixels, and at most {MAX_PIXELS} are read"));
    }
    if MAX_PIXELS_PER_BYTE * file.len() < width * height {
        let bytes = file.len();
        return Err(format!("has {width}×{height} pixels, more than {bytes} bytes can hold"));
    }
    let bytes = 3 * width * height;
    if decoder.output_buffer_size() != Some(bytes) {
        return Err("is in a form that becomes no RGB picture".to_owned());
    }
    pixels.clear();
    pixels.resize(bytes, 0);
    decoder.decode_into(pixels).map_err(|error| one_line(&error))?;
    Ok([height, width])
}

/// Whether the end-of-image marker comes before the bytes end, wherever segments and scans lead.
fn has_end(file: &[u8]) -> bool {
    let mut rest = &file[START_OF_IMAGE.len()..];
    // A marker is 0xff and a byte that is neither a stuffed zero nor another fill byte.
    while let Some(start) = rest.windows(2).position(|pair| pair[0] == 0xff && pair[1] != 0xff) {
        let marker = rest[start + 1];
        rest = &rest[start + 2..];
        match marker {
            END_OF_IMAGE => return true,
            // In the data of a scan, or without a length.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let Some(&[high, low]) = rest.first_chunk() else { return false };
                let length = usize::from(u16::from_be_bytes([high, low]));
                let Some(behind) = rest.get(length..) else { return false };
                rest = behind;
            }
        }
    }
    false
}

/// What the decoder says, without line breaks.
fn one_line(error: &zune_jpeg::errors::DecodeErrors) -> String {
    let words = format!("{error:?}");
    let words: Vec<&str> = words.split_whitespace().collect();
    format!("cannot be decoded: {}", words.join(" ").trim_matches('"'))
}

#[cfg(test)]
mod tests;
