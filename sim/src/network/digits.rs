//! From integers and codes to trits: the one rule.

use super::Digits;

/// Digits of a 16-bit integer in canonical signed-digit form: one more than its bits.
const MAX_DIGITS: usize = 17;

/// The signed digits of a weight, least significant first: `Σ_j digit[j]·2^j = value`.
///
/// ```
/// use tridot_sim::network::{Digits, signed_digits};
/// assert_eq!(signed_digits(7, Digits::Csd)[..5], [-1, 0, 0, 1, 0]); // 8 − 1
/// assert_eq!(signed_digits(-7, Digits::SignMagnitude)[..5], [-1, -1, -1, 0, 0]);
/// ```
pub fn signed_digits(value: i16, digits: Digits) -> [i8; MAX_DIGITS] {
    let mut trits = [0; MAX_DIGITS];
    let mut rest = i32::from(value);
    for trit in &mut trits {
        *trit = match digits {
            // An odd rest takes the digit that leaves a multiple of 4, so the next digit is 0.
            Digits::Csd if rest & 1 == 1 => {
                if rest & 3 == 1 {
                    1
                } else {
                    -1
                }
            }
            Digits::SignMagnitude if rest & 1 == 1 => {
                if rest < 0 {
                    -1
                } else {
                    1
                }
            }
            Digits::Csd | Digits::SignMagnitude => 0,
        };
        rest = (rest - i32::from(*trit)) / 2;
    }
    trits
}

/// The highest non-empty plane + 1.
#[expect(clippy::cast_possible_truncation, reason = "a digit's index is below 17")]
pub(super) fn plane_count(values: &[i16], digits: Digits) -> u32 {
    let (low, high) = values.iter().fold((0, 0), |(low, high), &v| (v.min(low), v.max(high)));
    // The highest non-zero digit does not fall with the magnitude, so the extremes decide.
    [low, high]
        .into_iter()
        .map(|v| {
            signed_digits(v, digits)
                .iter()
                .rposition(|&trit| trit != 0)
                .map_or(0, |top| top as u32 + 1)
        })
        .max()
        .unwrap_or(0)
}

/// Trit `branch` of a packed `dbq` code.
pub(super) fn code_trit(code: u8, branch: u32) -> i8 {
    (u32::from(code) / 3u32.pow(branch) % 3) as i8 - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_integer_sum_to_it_and_have_their_form() {
        for value in i16::MIN + 1..=i16::MAX {
            for digits in [Digits::Csd, Digits::SignMagnitude] {
                let trits = signed_digits(value, digits);
                let sum: i32 =
                    trits.iter().enumerate().map(|(j, &trit)| i32::from(trit) << j).sum();
                assert_eq!(sum, i32::from(value));
                match digits {
                    Digits::Csd => {
                        assert!(trits.windows(2).all(|pair| pair[0] == 0 || pair[1] == 0));
                    }
                    Digits::SignMagnitude => {
                        assert!(trits.iter().all(|&t| i16::from(t) * value >= 0));
                    }
                }
            }
        }
    }

    #[test]
    fn plane_count_is_the_highest_digit_of_any_value() {
        for digits in [Digits::Csd, Digits::SignMagnitude] {
            for limit in 1..=300_i16 {
                let values: Vec<i16> = (-limit / 2..=limit).collect();
                let slow =
                    values.iter().map(|&v| signed_digits(v, digits).iter().rposition(|&t| t != 0));
                let slow = slow.map(|top| top.map_or(0, |j| j + 1)).max();
                assert_eq!(Some(plane_count(&values, digits) as usize), slow);
            }
        }
        assert_eq!(plane_count(&[127, -127], Digits::Csd), 8);
        assert_eq!(plane_count(&[127, -127], Digits::SignMagnitude), 7);
        assert_eq!(plane_count(&[0, 0], Digits::Csd), 0);
    }

    #[test]
    fn codes_unpack_branch_by_branch() {
        let code = 11; // 2·1 + 0·3 + 1·9: +1, −1, 0
        assert_eq!([0, 1, 2].map(|branch| code_trit(code, branch)), [1, -1, 0]);
    }
}
