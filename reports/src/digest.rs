//! A short name for the content of a file.

use std::fmt;
use std::str::FromStr;

/// FNV-1a, 128 bits, of a file's bytes: tells files apart, and is no protection against who means harm.
///
/// ```
/// use tridot_reports::digest::Digest;
/// assert_eq!(Digest::of(b"").to_string(), "6c62272e07bb014262b821756295c58d");
/// assert_eq!(Digest::of(b"a").to_string(), "d228cb696f1a8caf78912b704e4a8964");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u128);

const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = (1 << 88) + 0x13b;
const HEX_DIGITS: usize = 32;

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let step = |hash: u128, &byte: &u8| (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        Self(bytes.iter().fold(OFFSET_BASIS, step))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a digest must be, to be read after "must be".
pub(crate) const EXPECTED: &str = "32 hexadecimal digits in lower case";

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != HEX_DIGITS || !text.bytes().all(digit) {
            return Err(EXPECTED);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_back_and_nothing_else_is() {
        let digest = Digest::of(b"network");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let upper = digest.to_string().to_uppercase();
        let long = format!("0{digest}");
        for text in ["", "+6c62272e07bb014262b821756295c58", "é", &upper, &long] {
            assert_eq!(text.parse::<Digest>(), Err(EXPECTED), "{text}");
        }
    }
}
