//! Units in which numbers are best read.

/// Digits and signs above the line.
pub(crate) fn superscript(digits: &str) -> String {
    let above = |c: char| match c {
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        '-' => '⁻',
        other => other,
    };
    digits.chars().map(above).collect()
}

/// The power of 1000 in whose units the largest of these values is below 1000; at least 1. And its exponent.
pub(crate) fn unit_of(values: &[f64]) -> (f64, i32) {
    let high = values.iter().copied().fold(0.0, f64::max);
    let mut exponent = 0;
    while 1_000.0 <= high / 10_f64.powi(exponent) && exponent < 18 {
        exponent += 3;
    }
    (10_f64.powi(exponent), exponent)
}

/// The same, but one power less where the smallest of these values would be below a tenth of the unit.
pub(crate) fn balanced_unit_of(values: &[f64]) -> (f64, i32) {
    let (divisor, exponent) = unit_of(values);
    let low = values.iter().copied().filter(|&value| 0.0 < value).fold(f64::INFINITY, f64::min);
    if 0 < exponent && low < 0.1 * divisor {
        return (divisor / 1_000.0, exponent - 3);
    }
    (divisor, exponent)
}

/// The unit in which these energies in pJ are best read, and its pJ.
pub(crate) fn energy_unit(values: &[f64]) -> (&'static str, f64) {
    match unit_of(values) {
        (divisor, 0) => ("pJ", divisor),
        (divisor, 3) => ("nJ", divisor),
        (divisor, 6) => ("µJ", divisor),
        (divisor, 9) => ("mJ", divisor),
        _ => ("J", 1e12),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1000() {
        assert_eq!(unit_of(&[1.0, 999.0]).1, 0);
        assert_eq!(unit_of(&[1.0, 1000.0]).1, 3);
        assert_eq!(unit_of(&[2.5e9]).1, 9);
        assert_eq!(unit_of(&[]).1, 0);
        assert_eq!(balanced_unit_of(&[1_600.0, 1.4e6]).1, 3);
        assert_eq!(balanced_unit_of(&[160_000.0, 1.4e6]).1, 6);
        assert_eq!(balanced_unit_of(&[0.0, 5.0]).1, 0);
        assert_eq!(energy_unit(&[2.5e6]), ("µJ", 1e6));
    }
}
