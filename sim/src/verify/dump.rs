//! A designer's dumps: values in hexadecimal, as `$writememh` writes them, or in `.npy` files.

use crate::Error;
use crate::network::{Network, Sign};
use crate::vectors::{Vectors, npy};

/// What the words of a dump are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// What they are called in a refusal.
    what: &'static str,
    /// How many there must be.
    count: usize,
    /// Bits of a value.
    bits: u32,
    sign: Sign,
    /// Bits of a wider word that may hold it, sign extended.
    wide: u32,
}

impl Format {
    /// Outputs, all of them in NHWC order: in the bits of their tensor or in 48.
    pub fn outputs(network: &Network, layer_idx: usize, vectors: &Vectors) -> Self {
        let tensor = network.layers[layer_idx].output;
        let count = vectors.expected.outputs.len();
        Self { what: "outputs", count, bits: tensor.bits, sign: tensor.sign, wide: 48 }
    }

    /// How many values there must be.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The value of so many bits.
    pub(super) fn value(&self, number: u64, bits: usize) -> i64 {
        // A wider word is sign extended.
        let wide = self.wide as usize == bits;
        let sign = if wide { Sign::Signed } else { self.sign };
        Self { sign, ..*self }.extended(number, u32::try_from(bits).unwrap_or(64))
    }

    #[cfg(test)]
    pub(super) const fn of(count: usize, bits: u32, sign: Sign) -> Self {
        Self { what: "outputs", count, bits, sign, wide: 48 }
    }

    /// Accumulators, of each output as many as the scaler takes: in the accumulators' bits or in 48.
    pub fn accumulators(vectors: &Vectors) -> Self {
        Self {
            what: "accumulators",
            count: vectors.accumulators.len(),
            bits: vectors.accumulator_bits,
            sign: Sign::Signed,
            wide: 48,
        }
    }

    /// The edges that write outputs: 32 bits or 64.
    pub fn edges(vectors: &Vectors) -> Self {
        let count = vectors.expected.written_at.len();
        Self { what: "edges", count, bits: 32, sign: Sign::Unsigned, wide: 64 }
    }

    /// Reads words in hexadecimal, apart by white space, with `//` comments and `@` addresses in order.
    ///
    /// Refuses, with its line, a word with x or z, one of another width, one too many; and too few.
    pub fn read_hex(&self, text: &str) -> Result<Vec<i64>, Error> {
        let mut values = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let place = format!("line {}", i + 1);
            let words = line.split("//").next().unwrap_or_default().split_ascii_whitespace();
            for word in words {
                if let Some(address) = word.strip_prefix('@') {
                    if usize::from_str_radix(address, 16) != Ok(values.len()) {
                        let limit = format!("@{:x}, the next in order", values.len());
                        return Err(Error::limit(place, "an address", limit, word.escape_debug()));
                    }
                } else if values.len() == self.count {
                    let limit = format!("{}, as the layer has", self.count);
                    let what = format!("the number of {}", self.what);
                    return Err(Error::limit(place, what, limit, "more"));
                } else {
                    values.push(self.word(&place, values.len(), word)?);
                }
            }
        }
        self.counted(values)
    }

    fn word(&self, place: &str, index: usize, word: &str) -> Result<i64, Error> {
        let digits: String = word.chars().filter(|&c| c != '_').collect();
        if let Some(unknown) = digits.chars().find(|c| "xXzZ?".contains(*c)) {
            let reason =
                format!("value {index} of the {} has unknown bits: `{unknown}`", self.what);
            return Err(Error::malformed(place, reason));
        }
        // `from_str_radix` would take a sign.
        let are_digits = digits.chars().all(|c| c.is_ascii_hexdigit());
        let number =
            u64::from_str_radix(&digits, 16).ok().filter(|_| are_digits).ok_or_else(|| {
                Error::malformed(
                    place,
                    format!("`{}` is no hexadecimal number", word.escape_debug()),
                )
            })?;
        let [narrow, wide] = [self.bits, self.wide].map(|bits| bits.div_ceil(4) as usize);
        let value = match digits.len() {
            n if n == narrow => {
                let value = self.extended(number, self.bits);
                // Of the first digit, bits beyond the width are 0, or the sign once more.
                let of_digits = value.cast_unsigned() & (u64::MAX >> (64 - 4 * n.min(16)));
                if number != of_digits && number >> self.bits.min(63) != 0 {
                    let what = format!("value {index} of the {}", self.what);
                    let limit = format!("of {} bits", self.bits);
                    return Err(Error::limit(place, what, limit, word.escape_debug()));
                }
                value
            }
            n if n == wide && self.sign == Sign::Unsigned && self.wide == 64 => {
                number.cast_signed()
            }
            n if n == wide => number.cast_signed() << (64 - self.wide) >> (64 - self.wide),
            n => {
                let what = format!("the digits of value {index} of the {}", self.what);
                return Err(Error::limit(place, what, format!("{narrow} or {wide}"), n));
            }
        };
        Ok(value)
    }

    /// The value of the lowest bits.
    fn extended(&self, number: u64, bits: u32) -> i64 {
        let up = 64 - bits.clamp(1, 64);
        match self.sign {
            Sign::Signed => (number << up).cast_signed() >> up,
            Sign::Unsigned => (number << up >> up).cast_signed(),
        }
    }

    /// Reads an array of as many values, of whatever shape.
    pub fn read_npy(&self, bytes: &[u8]) -> Result<Vec<i64>, Error> {
        let (_, values) = npy::decode(bytes)?;
        self.counted(values)
    }

    fn counted(&self, values: Vec<i64>) -> Result<Vec<i64>, Error> {
        if values.len() != self.count {
            let what = format!("the number of {}", self.what);
            let limit = format!("{}, as the layer has", self.count);
            return Err(Error::limit("dump", what, limit, values.len()));
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: Format =
        Format { what: "outputs", count: 3, bits: 8, sign: Sign::Signed, wide: 48 };

    #[test]
    fn words_of_both_widths() {
        let text = "// three outputs\n@0 7f ffffffffff80\n@00000002\n_f_f // the last\n";
        assert_eq!(BYTES.read_hex(text).unwrap(), [127, -128, -1]);
        let unsigned = Format { sign: Sign::Unsigned, bits: 5, ..BYTES };
        assert_eq!(unsigned.read_hex("1f 00 0a").unwrap(), [31, 0, 10]);
        // A sign may fill the first digit.
        let signed = Format { bits: 5, ..BYTES };
        assert_eq!(signed.read_hex("1f ff 0a").unwrap(), [-1, -1, 10]);
        let edges = Format { what: "edges", bits: 32, wide: 64, sign: Sign::Unsigned, ..BYTES };
        assert_eq!(
            edges.read_hex("0000000b 000000000000000c ffffffff").unwrap(),
            [11, 12, 0xffff_ffff]
        );
    }

    #[test]
    fn broken_dumps_are_refused_with_line_and_value() {
        let refusals = [
            ("00 01", "dump: the number of outputs must be 3, as the layer has, got 2"),
            ("00 01 02\n03", "line 2: the number of outputs must be 3, as the layer has, got more"),
            ("00\n0x", "line 2: value 1 of the outputs has unknown bits: `x`"),
            ("00\nzz", "line 2: value 1 of the outputs has unknown bits: `z`"),
            ("000", "line 1: the digits of value 0 of the outputs must be 2 or 12, got 3"),
            ("0g", "line 1: `0g` is no hexadecimal number"),
            ("00 @5 01", "line 1: an address must be @1, the next in order, got @5"),
        ];
        for (text, refusal) in refusals {
            assert_eq!(BYTES.read_hex(text).unwrap_err().to_string(), refusal, "{text}");
        }
        let five = |text: &str, sign| Format { bits: 5, sign, ..BYTES }.read_hex(text);
        for (word, sign) in [("3f", Sign::Unsigned), ("3f", Sign::Signed), ("ef", Sign::Signed)] {
            assert_eq!(
                five(word, sign).unwrap_err().to_string(),
                format!("line 1: value 0 of the outputs must be of 5 bits, got {word}")
            );
        }
        let bytes = npy::encode(&[2], npy::Type::I8, [1, 2].into_iter());
        assert_eq!(
            BYTES.read_npy(&bytes).unwrap_err().to_string(),
            "dump: the number of outputs must be 3, as the layer has, got 2"
        );
    }
}
