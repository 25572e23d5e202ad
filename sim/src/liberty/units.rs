//! The units of a library, each as a factor to ours.

use super::syntax::Group;
use crate::Error;

/// What one of a library's units is in ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Units {
    /// Picoseconds.
    pub time_ps: f64,
    /// Femtofarads.
    pub capacitance_ff: f64,
    /// Nanowatts.
    pub leakage_nw: f64,
    /// Femtojoules of internal energy: capacitance times the square of the voltage unit.
    pub energy_fj: f64,
}

impl Units {
    /// Reads all units; refuses a library that leaves one out.
    pub(super) fn read(place: &str, library: &Group<'_>) -> Result<Self, Error> {
        let unit = |key: &str, base: &str| {
            let text = library.value(key).ok_or_else(|| missing(place, key))?;
            quantity(text, base).ok_or_else(|| {
                let limit = format!("a number and {base}, as in 1n{base}");
                Error::limit(place, key, limit, text).on_one_line()
            })
        };
        let key = "capacitive_load_unit";
        let load = library.list(key).ok_or_else(|| missing(place, key))?;
        let farads = quantity(&load.concat(), "f").ok_or_else(|| {
            Error::limit(place, key, "a number and ff or pf", load.join(" ")).on_one_line()
        })?;
        let volts = unit("voltage_unit", "V")?;
        Ok(Self {
            time_ps: clean(unit("time_unit", "s")? * 1e12),
            capacitance_ff: clean(farads * 1e15),
            leakage_nw: clean(unit("leakage_power_unit", "W")? * 1e9),
            energy_fj: clean(farads * volts * volts * 1e15),
        })
    }
}

/// Powers of ten as they are, without the last bits that a product loses.
fn clean(factor: f64) -> f64 {
    let whole = factor.round();
    if (factor - whole).abs() < 1e-6 * factor { whole } else { factor }
}

fn missing(place: &str, key: &str) -> Error {
    Error::malformed(place, format!("has no {key}"))
}

/// A number, a prefix and a base unit: `1ns`, `1.0pf`, `1V`.
fn quantity(text: &str, base: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let rest = text.strip_suffix(&base.to_ascii_lowercase())?;
    let (number, factor) = match rest.char_indices().next_back()? {
        (at, 'm') => (&rest[..at], 1e-3),
        (at, 'u') => (&rest[..at], 1e-6),
        (at, 'n') => (&rest[..at], 1e-9),
        (at, 'p') => (&rest[..at], 1e-12),
        (at, 'f') => (&rest[..at], 1e-15),
        _ => (rest, 1.0),
    };
    let number: f64 = number.trim().parse().ok()?;
    let is_one = 0.0 < number && number <= 1e6;
    is_one.then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::super::syntax::parse;
    use super::*;

    #[test]
    fn units_of_two_libraries() {
        let read = |text: &str| Units::read("f", &parse("f", text).unwrap());
        let units = read(
            "library (a) { time_unit : \"1ns\"; voltage_unit : \"1V\"; leakage_power_unit : \"1nW\"; \
             capacitive_load_unit (1.0000, \"pf\"); }",
        );
        let expected =
            Units { time_ps: 1000.0, capacitance_ff: 1000.0, leakage_nw: 1.0, energy_fj: 1000.0 };
        assert_eq!(units.unwrap(), expected);
        let units = read(
            "library (a) { time_unit : \"1ps\"; voltage_unit : \"1V\"; leakage_power_unit : \"1pW\"; \
             capacitive_load_unit (1,ff); }",
        );
        let expected =
            Units { time_ps: 1.0, capacitance_ff: 1.0, leakage_nw: 1e-3, energy_fj: 1.0 };
        assert_eq!(units.unwrap(), expected);
        let error = read("library (a) { time_unit : \"1kg\"; }").unwrap_err().to_string();
        assert_eq!(error, "f: has no capacitive_load_unit");
        let error = read("library (a) { capacitive_load_unit (1, kg); }").unwrap_err().to_string();
        assert_eq!(error, "f: capacitive_load_unit must be a number and ff or pf, got 1 kg");
    }
}
