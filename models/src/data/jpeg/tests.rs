//! Files made by an encoder, and one of another program with what a third one decodes from it.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::*;
use crate::data::resize::{Axis, Raster, resize, tested};
use tridot_sim::network::Shape;

/// 40×30 pixels: slow waves and a red disc. Written by libjpeg-turbo through Pillow 13 at quality 60,
/// chroma at half size both ways.
#[rustfmt::skip]
const DISC: [u8; 467] = [
    0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01,
    0x00, 0x01, 0x00, 0x00, 0xff, 0xdb, 0x00, 0x43, 0x00, 0x0d, 0x09, 0x0a, 0x0b, 0x0a, 0x08, 0x0d,
    0x0b, 0x0a, 0x0b, 0x0e, 0x0e, 0x0d, 0x0f, 0x13, 0x20, 0x15, 0x13, 0x12, 0x12, 0x13, 0x27, 0x1c,
    0x1e, 0x17, 0x20, 0x2e, 0x29, 0x31, 0x30, 0x2e, 0x29, 0x2d, 0x2c, 0x33, 0x3a, 0x4a, 0x3e, 0x33,
    0x36, 0x46, 0x37, 0x2c, 0x2d, 0x40, 0x57, 0x41, 0x46, 0x4c, 0x4e, 0x52, 0x53, 0x52, 0x32, 0x3e,
    0x5a, 0x61, 0x5a, 0x50, 0x60, 0x4a, 0x51, 0x52, 0x4f, 0xff, 0xdb, 0x00, 0x43, 0x01, 0x0e, 0x0e,
    0x0e, 0x13, 0x11, 0x13, 0x26, 0x15, 0x15, 0x26, 0x4f, 0x35, 0x2d, 0x35, 0x4f, 0x4f, 0x4f, 0x4f,
    0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f,
    0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f,
    0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0x4f, 0xff, 0xc0,
    0x00, 0x11, 0x08, 0x00, 0x1e, 0x00, 0x28, 0x03, 0x01, 0x22, 0x00, 0x02, 0x11, 0x01, 0x03, 0x11,
    0x01, 0xff, 0xc4, 0x00, 0x19, 0x00, 0x00, 0x03, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x05, 0x03, 0x01, 0x02, 0xff, 0xc4, 0x00, 0x21,
    0x10, 0x00, 0x02, 0x02, 0x02, 0x01, 0x04, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x21, 0x22, 0x31, 0x41, 0x13, 0x51, 0x61, 0xff,
    0xc4, 0x00, 0x18, 0x01, 0x01, 0x00, 0x03, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x05, 0x02, 0x04, 0x06, 0x03, 0xff, 0xc4, 0x00, 0x1f, 0x11, 0x00, 0x01,
    0x04, 0x03, 0x01, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00,
    0x01, 0x02, 0x11, 0x04, 0x12, 0x21, 0x13, 0x14, 0x41, 0x51, 0xff, 0xda, 0x00, 0x0c, 0x03, 0x01,
    0x00, 0x02, 0x11, 0x03, 0x11, 0x00, 0x3f, 0x00, 0x4e, 0x9a, 0xf4, 0x8d, 0x2c, 0x82, 0xe2, 0x6a,
    0xa3, 0xc4, 0x25, 0xd5, 0x0b, 0x9a, 0x56, 0xe9, 0x51, 0xe6, 0x34, 0x61, 0x4a, 0x46, 0x4d, 0x2e,
    0x4f, 0x49, 0x6d, 0x89, 0x5b, 0x87, 0x64, 0x1f, 0x74, 0x1a, 0xfd, 0x2e, 0xca, 0x3c, 0x5e, 0xf5,
    0xe4, 0xf1, 0x28, 0xa9, 0x27, 0x16, 0xb6, 0x98, 0x49, 0x73, 0xa5, 0x02, 0x68, 0xcd, 0xc5, 0x2f,
    0x80, 0xd9, 0x03, 0xf4, 0xdb, 0xbf, 0x5f, 0x8a, 0x4d, 0x14, 0xe9, 0xf8, 0x02, 0x9c, 0x68, 0xe3,
    0xe8, 0x0e, 0x04, 0x2d, 0xc9, 0x56, 0x09, 0x74, 0x8d, 0x2a, 0x96, 0xc3, 0x4c, 0xc5, 0x2d, 0xb1,
    0xfc, 0x9a, 0xd6, 0xd8, 0xbc, 0x61, 0xdc, 0x2e, 0x49, 0x71, 0x66, 0x09, 0x95, 0x26, 0x9d, 0x2e,
    0x42, 0x85, 0x62, 0xd3, 0x5b, 0x46, 0x90, 0xc1, 0x8c, 0x3a, 0xa4, 0xdb, 0xfb, 0x63, 0x98, 0xf5,
    0xa1, 0xcf, 0x89, 0x71, 0x03, 0xc9, 0x9b, 0x6d, 0x6b, 0x41, 0x86, 0x69, 0x38, 0xea, 0xf8, 0xa1,
    0x5d, 0x47, 0x1f, 0x40, 0x51, 0xca, 0xad, 0x69, 0x81, 0x53, 0xd2, 0xd5, 0x53, 0x97, 0x59, 0xd3,
    0x2f, 0xff, 0xd9,
];

fn encoded(kind: ColorType, pixels: &[u8], [width, height]: [u16; 2]) -> Vec<u8> {
    let mut file = Vec::new();
    Encoder::new(&mut file, 95).encode(pixels, width, height, kind).unwrap();
    file
}

/// Slow waves, in so many channels.
fn waves(width: usize, height: usize, channels: usize) -> Vec<u8> {
    let value = |i: usize| {
        let (x, y) = (i / channels % width, i / channels / width);
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let value = (128 + 3 * (x % 32) + y % 16 - 40 * (i % channels).min(2)) as u8;
        value
    };
    (0..width * height * channels).map(value).collect()
}

fn decoded(file: &[u8]) -> (Shape, Vec<u8>) {
    let mut pixels = vec![7; 5];
    let [height, width] = decode(file, &mut pixels).unwrap();
    (Shape::new(height, width, 3), pixels)
}

fn refused(file: &[u8]) -> String {
    let reason = decode(file, &mut Vec::new()).unwrap_err();
    assert!(!reason.contains('\n'), "{reason}");
    reason
}

fn assert_close(found: &[u8], wanted: [u8; 3], what: &str) {
    for (&found, wanted) in found.iter().zip(wanted) {
        assert!(found.abs_diff(wanted) <= 3, "{what}: {found}, not {wanted}");
    }
}

/// Expected colours: libjpeg-turbo's, and Pillow's bilinear resize of them. Decoders may differ by a step
/// or three, and by more where the last column's colours are made of what lies behind it.
#[test]
fn a_picture_has_the_colours_that_another_decoder_finds() {
    let (shape, pixels) = decoded(&DISC);
    assert_eq!(shape, Shape::new(30, 40, 3));
    for (x, y, wanted) in [
        (0, 0, [132, 44, 208]),
        (36, 2, [97, 50, 82]),
        (0, 29, [122, 185, 228]),
        (36, 27, [159, 177, 78]),
        (25, 12, [234, 65, 22]),
        (18, 12, [176, 81, 121]),
        (11, 20, [73, 139, 171]),
    ] {
        assert_close(&pixels[3 * (40 * y + x)..][..3], wanted, &format!("column {x}, row {y}"));
    }
    let resized = |axes: [Axis; 2]| {
        let mut out = vec![0; 3 * axes[0].kept * axes[1].kept];
        resize(Raster { shape, pixels: &pixels }, axes, &mut Vec::new(), &mut out);
        out
    };
    // Resized to 21×16, of which the middle 14×14.
    let whole = resized(tested(shape, Shape::new(14, 14, 3)));
    for (x, y, wanted) in [
        (0, 0, [207, 50, 196]),
        (13, 0, [51, 42, 100]),
        (7, 7, [171, 97, 115]),
        (10, 5, [236, 62, 22]),
        (0, 13, [44, 174, 194]),
        (13, 13, [217, 170, 101]),
    ] {
        assert_close(&whole[3 * (14 * y + x)..][..3], wanted, &format!("tested, {x}, {y}"));
    }
    // Parts made smaller and larger.
    let smaller = resized([Axis::part(3, 17, 9), Axis::part(5, 31, 12)]);
    for (x, y, wanted) in [
        (0, 0, [204, 55, 197]),
        (11, 0, [76, 56, 88]),
        (5, 4, [184, 75, 106]),
        (8, 4, [238, 57, 27]),
        (0, 8, [94, 130, 197]),
        (11, 8, [154, 132, 85]),
    ] {
        assert_close(&smaller[3 * (12 * y + x)..][..3], wanted, &format!("smaller, {x}, {y}"));
    }
    let larger = resized([Axis::part(8, 5, 16), Axis::part(20, 7, 16)]);
    for (x, y, wanted) in [
        (0, 0, [164, 76, 100]),
        (15, 0, [230, 52, 50]),
        (5, 4, [217, 69, 57]),
        (8, 9, [234, 65, 27]),
        (0, 15, [197, 70, 77]),
        (15, 15, [232, 60, 22]),
    ] {
        assert_close(&larger[3 * (16 * y + x)..][..3], wanted, &format!("larger, {x}, {y}"));
    }
}

#[test]
fn grey_cmyk_and_progressive_pictures_become_rgb() {
    let size = [33, 21];
    let grey = waves(33, 21, 1);
    let (shape, pixels) = decoded(&encoded(ColorType::Luma, &grey, size));
    assert_eq!(shape, Shape::new(21, 33, 3));
    for (pixel, &wanted) in pixels.chunks_exact(3).zip(&grey) {
        assert_close(pixel, [wanted; 3], "grey");
    }
    // All of the cyan ink, half of magenta and black, no yellow: (1 − 1)·(1 − ½), (1 − ½)·(1 − ½), 1·(1 − ½).
    let ink = [[255, 128, 0, 128]; 33 * 21].concat();
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let (_, pixels) = decoded(&encoded(kind, &ink, size));
        assert_close(&pixels[..3], [0, 64, 127], &format!("{kind:?}"));
    }
    let colours = waves(33, 21, 3);
    let mut progressive = Vec::new();
    let mut encoder = Encoder::new(&mut progressive, 95);
    encoder.set_progressive(true);
    encoder.encode(&colours, 33, 21, ColorType::Rgb).unwrap();
    assert_eq!(decoded(&progressive), decoded(&encoded(ColorType::Rgb, &colours, size)));
}

/// Otherwise an accuracy would depend on the machine.
#[test]
fn vector_instructions_change_no_byte() {
    for (sampling, size) in [
        (SamplingFactor::F_1_1, [37, 21]),
        (SamplingFactor::F_2_1, [64, 48]),
        (SamplingFactor::F_2_2, [53, 35]),
    ] {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 80);
        encoder.set_sampling_factor(sampling);
        let noise = waves(usize::from(size[0]), usize::from(size[1]), 3);
        let rough = (0..61_u8).map(|i| i.wrapping_mul(i)).cycle();
        let noise: Vec<u8> = noise.iter().zip(rough).map(|(v, i)| v.wrapping_add(i)).collect();
        encoder.encode(&noise, size[0], size[1], ColorType::Rgb).unwrap();
        let plain = DecoderOptions::default()
            .set_use_unsafe(false)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let plain = JpegDecoder::new_with_options(ZCursor::new(&file), plain).decode().unwrap();
        assert_eq!(decoded(&file).1, plain, "{sampling:?}");
    }
}

#[test]
fn what_is_no_whole_picture_is_refused() {
    assert_eq!(refused(&[]), "is empty");
    assert_eq!(refused(b"\x89PNG\r\n"), "is no JPEG file: it begins with 89 50 4e 47");
    assert_eq!(refused(&[0xff]), "is no JPEG file: it begins with ff");
    for length in 2..DISC.len() {
        let reason = refused(&DISC[..length]);
        assert_eq!(reason, "ends early: there is no end-of-image marker", "{length} bytes");
    }
    // Bytes behind the end are no fault of the picture; an end inside of a comment is none.
    let (_, pixels) = decoded(&DISC);
    assert_eq!(decoded(&[&DISC[..], &[0; 9]].concat()).1, pixels);
    let with_comment = [&DISC[..2], &[0xff, 0xfe, 0, 4, 0xff, 0xd9], &DISC[2..]].concat();
    assert_eq!(decoded(&with_comment).1, pixels);
    let cut = &with_comment[..with_comment.len() - 9];
    assert!(refused(cut).starts_with("ends early"));
    // A table that the scan needs is missing.
    let table = DISC.windows(2).position(|pair| pair == [0xff, 0xc4]).unwrap();
    let length = 2 + usize::from(DISC[table + 2]) * 256 + usize::from(DISC[table + 3]);
    let without = [&DISC[..table], &DISC[table + length..]].concat();
    assert!(refused(&without).starts_with("cannot be decoded: "), "{}", refused(&without));
}

#[test]
fn sizes_that_the_bytes_cannot_hold_are_refused_before_memory_is_taken() {
    let frame = DISC.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    let with_size = |height: u16, width: u16| {
        let mut file = DISC.to_vec();
        file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        file
    };
    let huge = with_size(65_535, 65_535);
    assert_eq!(refused(&huge), "has 65535×65535 pixels, and at most 67108864 are read");
    let large = with_size(1000, 1000);
    assert_eq!(refused(&large), "has 1000×1000 pixels, more than 467 bytes can hold");
    assert!(refused(&with_size(0, 40)).starts_with("cannot be decoded: "));
    assert!(decode(&with_size(30, 40), &mut Vec::new()).is_ok());
}
