//! What blocks of an FST are packed with. Nothing is allocated that the packed bytes cannot fill.

use crate::Error;

/// The most unpacked bytes of a block.
const MAX_BYTES: usize = 1 << 30;

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Zlib,
    /// Deflate behind a header of ten bytes.
    Gzip,
    Lz4,
    FastLz,
}

impl Packing {
    /// The most bytes that one packed byte can stand for.
    const fn most_each(self) -> usize {
        match self {
            Self::Zlib | Self::Gzip => 1040,
            Self::Lz4 | Self::FastLz => 256,
        }
    }
}

/// Unpacks to exactly so many bytes.
pub(super) fn unpack(packing: Packing, packed: &[u8], length: u64) -> Result<Vec<u8>, Error> {
    let broken = || Error::malformed("waveform", "a packed block is broken");
    let most = packed.len().saturating_mul(packing.most_each()).saturating_add(64).min(MAX_BYTES);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if most < length {
        let limit = format!("at most {most}");
        return Err(Error::limit("waveform", "the unpacked bytes of a block", limit, length));
    }
    let bytes = match packing {
        Packing::Zlib => {
            miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, length).ok()
        }
        Packing::Gzip => packed
            .get(10..)
            .filter(|_| packed.starts_with(&[0x1f, 0x8b, 8, 0]))
            .and_then(|body| miniz_oxide::inflate::decompress_to_vec_with_limit(body, length).ok()),
        Packing::Lz4 => lz4_flex::block::decompress(packed, length).ok(),
        Packing::FastLz => fast_lz(packed, length),
    };
    bytes.filter(|bytes| bytes.len() == length).ok_or_else(broken)
}

/// `FastLZ` of both levels; none where it is broken or longer than said.
fn fast_lz(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let is_second = match packed.first()? >> 5 {
        0 => false,
        1 => true,
        _ => return None,
    };
    let mut bytes = Vec::with_capacity(length);
    let mut input = packed.iter().copied();
    // The level stands in the first instruction, which is a literal.
    let mut instruction = input.next()? & 31;
    loop {
        let (high, low) = (usize::from(instruction >> 5), usize::from(instruction & 31));
        if high == 0 {
            for _ in 0..=low {
                bytes.push(input.next()?);
            }
        } else {
            let mut run = high + 2;
            while 9 <= run {
                let more = input.next()?;
                run += usize::from(more);
                if !is_second || more != 255 {
                    break;
                }
            }
            let near = usize::from(input.next()?);
            let mut distance = low << 8 | near;
            if is_second && near == 255 && low == 31 {
                distance = usize::from(input.next()?) << 8 | usize::from(input.next()?);
                distance += 8191;
            }
            let start = bytes.len().checked_sub(distance + 1)?;
            if length < bytes.len() + run {
                return None;
            }
            for at in start..start + run {
                bytes.push(bytes[at]);
            }
        }
        if length < bytes.len() {
            return None;
        }
        let Some(next) = input.next() else { return Some(bytes) };
        instruction = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_lz_by_hand() {
        // Four literals, then a run of 6 from 4 before, then 1 literal.
        let packed = [3, b'a', b'b', b'c', b'd', 4 << 5, 3, 0, b'!'];
        assert_eq!(unpack(Packing::FastLz, &packed, 11).unwrap(), b"abcdabcdab!");
        // Level 2: two literals, a long run of 7 + 2 + 255 + 1 from 1 before.
        let packed = [1 << 5 | 1, b'x', b'y', 7 << 5, 255, 1, 0];
        let unpacked = unpack(Packing::FastLz, &packed, 2 + 265).unwrap();
        assert!(unpacked.starts_with(b"xyyy") && unpacked[1..].iter().all(|&byte| byte == b'y'));
    }

    #[test]
    fn broken_and_boastful_blocks_are_refused() {
        for packing in [Packing::Zlib, Packing::Gzip, Packing::Lz4, Packing::FastLz] {
            for packed in [&[][..], &[255; 7], &[0x1f, 0x8b, 8, 0], &[32, 1, 32, 9]] {
                assert!(unpack(packing, packed, 40).is_err(), "{packing:?}, {packed:?}");
            }
            let refusal = unpack(packing, &[0; 4], 1 << 40).unwrap_err().to_string();
            assert!(refusal.starts_with("waveform: the unpacked bytes of a block must be at most"));
        }
    }
}
