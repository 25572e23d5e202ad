//! Arrays of integers in `NumPy`'s `.npy` form.

use crate::Error;

/// The first bytes of a file of version 1.0.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// Bytes of the longest header that is read.
const MAX_HEADER_BYTES: usize = 4096;
/// Most dimensions of an array.
const MAX_DIMENSIONS: usize = 16;

/// An integer type of `NumPy`, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `int8`.
    I8,
    /// `int16`.
    I16,
    /// `int32`.
    I32,
    /// `int64`.
    I64,
}

impl Type {
    const fn bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    /// The name in a header.
    pub const fn descr(self) -> &'static str {
        match self {
            Self::I8 => "|i1",
            Self::I16 => "<i2",
            Self::I32 => "<i4",
            Self::I64 => "<i8",
        }
    }
}

/// An array of this shape, its last index fastest. Every value fits the type.
pub fn encode(shape: &[usize], kind: Type, values: impl Iterator<Item = i64>) -> Vec<u8> {
    let shape = shape.iter().map(|n| format!("{n},")).collect::<Vec<_>>().join(" ");
    let descr = kind.descr();
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // The data begin at a multiple of 64 bytes.
    while !(MAGIC.len() + 2 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a short header");
    let mut bytes = [MAGIC, &length.to_le_bytes(), header.as_bytes()].concat();
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes()[..kind.bytes()]);
    }
    bytes
}

/// Shape and values of an array of integers. Refuses other types, Fortran order, and another length than the shape's.
pub fn decode(bytes: &[u8]) -> Result<(Vec<usize>, Vec<i64>), Error> {
    let wrong = |reason: String| Error::malformed("npy", reason);
    let head = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(|| wrong("is no .npy file".into()))?;
    let (&[major, _, low, high], rest) =
        head.split_first_chunk().ok_or_else(|| wrong("is cut short".into()))?;
    if major != 1 {
        return Err(Error::limit("npy", "the version", "1", major));
    }
    let length = usize::from(u16::from_le_bytes([low, high]));
    if MAX_HEADER_BYTES < length || rest.len() < length {
        let limit = format!("at most {}", MAX_HEADER_BYTES.min(rest.len()));
        return Err(Error::limit("npy", "the bytes of the header", limit, length));
    }
    let (header, data) = rest.split_at(length);
    let header = std::str::from_utf8(header).map_err(|_| wrong("its header is no text".into()))?;
    if !header.contains("'fortran_order': False") {
        return Err(wrong("must be in C order".into()));
    }
    let shape = shape(header).ok_or_else(|| wrong("its header has no shape".into()))?;
    let descr = header.split("'descr': '").nth(1).and_then(|rest| rest.split('\'').next());
    let descr = descr.ok_or_else(|| wrong("its header has no type".into()))?;
    let (is_signed, width) = match descr {
        "|i1" | "<i1" => (true, 1),
        "|u1" | "<u1" => (false, 1),
        "<i2" => (true, 2),
        "<u2" => (false, 2),
        "<i4" => (true, 4),
        "<u4" => (false, 4),
        "<i8" => (true, 8),
        "<u8" => (false, 8),
        _ => {
            let kind = descr.escape_debug();
            return Err(wrong(format!("must hold little-endian integers, not `{kind}`")));
        }
    };
    let elements = shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
    if elements.and_then(|n| n.checked_mul(width)) != Some(data.len()) {
        let limit = format!("those of {shape:?} values of {width}");
        return Err(Error::limit("npy", "the bytes of the data", limit, data.len()));
    }
    let value = |bytes: &[u8]| {
        let fill = if is_signed && 0x7f < bytes[width - 1] { 0xff } else { 0 };
        let mut whole = [fill; 8];
        whole[..width].copy_from_slice(bytes);
        i64::from_le_bytes(whole)
    };
    Ok((shape, data.chunks_exact(width).map(value).collect()))
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let inside = header.split("'shape': (").nth(1)?.split(')').next()?;
    let sides = inside.split(',').map(str::trim).filter(|side| !side.is_empty());
    let sides: Vec<usize> = sides.map(|side| side.parse().ok()).collect::<Option<_>>()?;
    (sides.len() <= MAX_DIMENSIONS).then_some(sides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back() {
        let values = [-128, 127, 0, 1, -1, 5];
        for kind in [Type::I8, Type::I16, Type::I32, Type::I64] {
            let bytes = encode(&[2, 3], kind, values.into_iter());
            assert_eq!((bytes.len() - 6 * kind.bytes()) % 64, 0);
            assert_eq!(decode(&bytes).unwrap(), (vec![2, 3], values.to_vec()));
        }
    }

    #[test]
    fn other_files_are_refused_in_one_line() {
        let good = encode(&[2], Type::I16, [1, 2].into_iter());
        let refusal = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        let changed = |from: &str, to: &str| {
            let text = good.iter().map(|&byte| char::from(byte)).collect::<String>();
            let text = text.replace(from, to);
            refusal(&text.chars().map(|c| c as u8).collect::<Vec<_>>())
        };
        assert_eq!(refusal(b"hello"), "npy: is no .npy file");
        assert_eq!(
            refusal(&good[..good.len() - 1]),
            "npy: the bytes of the data must be those of [2] values of 2, got 3"
        );
        assert_eq!(changed("<i2", "<f2"), "npy: must hold little-endian integers, not `<f2`");
        assert_eq!(changed("False", "True "), "npy: must be in C order");
        assert_eq!(changed("(2,", "(x,"), "npy: its header has no shape");
        for end in 0..good.len() {
            assert!(decode(&good[..end]).is_err(), "cut at byte {end}");
        }
    }
}
