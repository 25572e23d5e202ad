//! Names for contents: equal contents have equal digests, and different ones different, short of intent.

/// FNV-1a of 128 bits: it tells files apart, and proves nothing against someone who forges one.
///
/// ```
/// use tridot_sim::digest::Digest;
/// assert_eq!(Digest::of(b"").to_string(), "6c62272e07bb014262b821756295c58d");
/// assert_eq!("6c62272e07bb014262b821756295c58d".parse(), Ok(Digest::of(b"")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u128);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts([bytes])
    }

    /// The digest of parts one behind the other.
    ///
    /// ```
    /// use tridot_sim::digest::Digest;
    /// assert_eq!(Digest::of_parts([&b"ab"[..], b"", b"c"]), Digest::of(b"abc"));
    /// ```
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        // Offset basis and prime of the 128-bit FNV hash.
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let step = |hash: u128, &byte: &u8| (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        Self(parts.into_iter().flatten().fold(BASIS, step))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a digest must be, to be read after "must be".
pub const EXPECTED: &str = "32 hexadecimal digits in lower case";

impl std::str::FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(digit) {
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
