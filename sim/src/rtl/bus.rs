//! Buses as hexadecimal numbers.

use crate::Error;

/// A bus that grows from its least significant bit.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    nibbles: Vec<u8>,
    bits: usize,
}

impl Bus {
    /// Puts the lowest `bits` of a value above what is there.
    pub(crate) fn push(&mut self, value: i64, bits: usize) {
        for bit in 0..bits {
            if self.bits.is_multiple_of(4) {
                self.nibbles.push(0);
            }
            let place = self.nibbles.last_mut().expect("one was pushed");
            *place |= u8::from(value >> bit & 1 == 1) << (self.bits % 4);
            self.bits += 1;
        }
    }

    /// The number, most significant digit first.
    pub(crate) fn hex(&self) -> String {
        let digits = self.nibbles.iter().rev();
        digits.map(|&nibble| char::from(b"0123456789abcdef"[usize::from(nibble)])).collect()
    }
}

/// The two's complement values, `bits` wide each, of a bus given as a hexadecimal number.
pub(super) fn values(hex: &str, bits: usize, count: usize) -> Result<Vec<i64>, Error> {
    let digits = hex.as_bytes();
    if digits.len() < (bits * count).div_ceil(4) {
        let limit = format!("at least {}", (bits * count).div_ceil(4));
        return Err(Error::limit("observation", "the digits of a bus", limit, digits.len()));
    }
    let nibble = |place: usize| {
        let digit = char::from(digits[digits.len() - 1 - place]);
        let wrong = || Error::malformed("observation", format!("`{digit}` is no hex digit"));
        digit.to_digit(16).ok_or_else(wrong)
    };
    let value = |i: usize| {
        let mut value = 0_i64;
        for bit in (0..bits).rev() {
            let at = i * bits + bit;
            value = value << 1 | i64::from(nibble(at / 4)? >> (at % 4) & 1);
        }
        Ok((value << (64 - bits)) >> (64 - bits))
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_a_bus_of_any_width() {
        let numbers = [0, 1, -1, 100, -128, 127, 5];
        for bits in [8, 9, 11, 48] {
            let mut bus = Bus::default();
            for &number in &numbers {
                bus.push(number, bits);
            }
            assert_eq!(values(&bus.hex(), bits, numbers.len()).unwrap(), numbers);
        }
    }

    #[test]
    fn a_bus_by_hand() {
        let mut bus = Bus::default();
        bus.push(-1, 2);
        bus.push(0, 2);
        bus.push(0x15, 5);
        // 1_0101_00_11 in bits.
        assert_eq!(bus.hex(), "153");
    }

    #[test]
    fn short_and_foreign_buses_are_refused() {
        assert_eq!(
            values("12", 9, 1).unwrap_err().to_string(),
            "observation: the digits of a bus must be at least 3, got 2"
        );
        assert_eq!(
            values("1x2", 9, 1).unwrap_err().to_string(),
            "observation: `x` is no hex digit"
        );
    }
}
