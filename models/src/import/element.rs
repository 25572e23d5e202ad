//! The floating-point types of checkpoints.

use crate::Error;

/// How an element is stored; all are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementType {
    F16,
    Bf16,
    F32,
    F64,
}

impl ElementType {
    /// Bytes of one element.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The elements as f32, f64 rounded; refuses one that is not finite there. `bytes` holds whole
    /// elements.
    pub(super) fn decode(self, name: &str, bytes: &[u8]) -> Result<Vec<f32>, Error> {
        let mut values = Vec::with_capacity(bytes.len() / self.bytes());
        for (element_idx, element) in bytes.chunks_exact(self.bytes()).enumerate() {
            let wide = self.decode_one(element);
            #[expect(clippy::cast_possible_truncation, reason = "rounding f64 is meant")]
            let value = wide as f32;
            if !value.is_finite() {
                let place = format!("tensor `{name}`");
                let what = format!("element {element_idx}");
                return Err(Error::limit(place, what, "a finite f32", wide));
            }
            values.push(value);
        }
        Ok(values)
    }

    fn decode_one(self, bytes: &[u8]) -> f64 {
        match *bytes {
            [a, b] if self == Self::F16 => f16_value(u16::from_le_bytes([a, b])),
            [a, b] => f64::from(f32::from_le_bytes([0, 0, a, b])),
            [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => unreachable!("an element has 2, 4 or 8 bytes"),
        }
    }
}

/// The value of an IEEE half-precision number: sign, 5 bits of exponent, 10 of fraction.
fn f16_value(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    sign * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_numbers_have_their_ieee_values() {
        // From IEEE 754-2008: 1, −2, the largest 65504, the smallest normal 2⁻¹⁴, the smallest 2⁻²⁴.
        let cases = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 2f64.powi(-14)),
            (0x0001, 2f64.powi(-24)),
            (0x0000, 0.0),
            (0x7c00, f64::INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(f16_value(bits).to_bits(), f64::to_bits(value), "{bits:#x}");
        }
        assert!(f16_value(0x7e00).is_nan());
    }

    #[test]
    fn all_types_decode_one_and_a_half() {
        let cases: [(ElementType, &[u8]); 4] = [
            (ElementType::F16, &[0x00, 0x3e]),
            (ElementType::Bf16, &[0xc0, 0x3f]),
            (ElementType::F32, &[0, 0, 0xc0, 0x3f]),
            (ElementType::F64, &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        ];
        for (kind, bytes) in cases {
            assert_eq!(kind.decode("x", bytes).unwrap(), [1.5], "{kind:?}");
        }
    }
}
