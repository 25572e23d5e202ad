//! Liberty files: what cells do, what they weigh, how long they take and what energy they need.
//!
//! Read is what [`calibrate`](crate::calibrate) uses: units, and of combinational cells and plain flip-flops area, leakage, pins
//! with function and capacitance, delay, transition, setup and internal power. Cells that a synthesis must not choose
//! (`dont_use`, isolation cells, level shifters) and those without power tables are left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::error::line_and_column;

mod cells;
mod function;
mod merged;
mod syntax;
mod table;
mod units;

pub use cells::{Arc, Cell, Edges, FlipFlop, Input, Output};
pub use function::Function;
pub use table::Table;
pub use units::Units;

use syntax::Group;

/// The largest file that is read.
pub const MAX_FILE_BYTES: usize = 1 << 28;

/// The cells of one or more liberty files of one process, voltage and temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct Library {
    /// The names of the libraries.
    pub names: Vec<String>,
    /// The supply in V.
    pub voltage_v: f64,
    /// °C.
    pub temperature_c: f64,
    /// The cells that can be used, by name.
    pub cells: BTreeMap<String, Cell>,
    /// One liberty file with these cells, for a synthesis tool.
    pub merged: String,
}

/// A file's name and its text.
pub type File<'a> = (&'a str, &'a str);

impl Library {
    /// Reads files as one library. Refuses files of different units or conditions, a cell that is there twice, and a
    /// library without power tables, combinational cells or flip-flops.
    pub fn read(files: &[File<'_>]) -> Result<Self, Error> {
        let mut parsed = Vec::with_capacity(files.len());
        for &(place, text) in files {
            parsed.push((place, text, syntax::parse(place, text)?));
        }
        let Some((first_place, _, first)) = parsed.first() else {
            return Err(Error::limit("liberty", "the number of files", "at least 1", 0));
        };
        let (units, voltage_v, temperature_c) = conditions(first_place, first)?;
        let mut library = Self {
            names: Vec::new(),
            voltage_v,
            temperature_c,
            cells: BTreeMap::new(),
            merged: merged::head(first),
        };
        let mut silent = None;
        let mut templates = BTreeSet::new();
        for (place, text, group) in &parsed {
            let name = group.argument();
            if conditions(place, group)? != (units, voltage_v, temperature_c) {
                let reason = format!(
                    "library `{name}` has other units, voltage or temperature than `{}`",
                    first.argument()
                );
                return Err(Error::malformed(*place, reason).on_one_line());
            }
            library.names.push(name.to_owned());
            merged::templates(group, &mut templates, &mut library.merged);
            let templates = table::templates(group);
            let reader = cells::Reader { library: group, templates, place, text, units };
            library.add(&reader, &mut silent)?;
        }
        library.merged.push_str("}\n");
        library.checked(first_place, silent)
    }

    fn add(
        &mut self,
        reader: &cells::Reader<'_, '_>,
        silent: &mut Option<String>,
    ) -> Result<(), Error> {
        for group in reader.library.all("cell") {
            let Some(cell) = reader.cell(group)? else { continue };
            let line = || reader.at(group).0;
            if cell.outputs.iter().any(|output| output.energy.is_empty()) {
                silent.get_or_insert_with(|| {
                    format!("{}: cell `{}` has no internal_power", line(), cell.name)
                });
                continue;
            }
            merged::cell(group, &mut self.merged);
            let name = cell.name.clone();
            if self.cells.insert(name.clone(), cell).is_some() {
                return Err(Error::malformed(line(), format!("cell `{name}` is there twice")));
            }
        }
        Ok(())
    }

    /// What a synthesis and an energy need must be there.
    fn checked(self, place: &str, silent: Option<String>) -> Result<Self, Error> {
        let combinational = self.cells.values().filter(|cell| cell.flip_flop.is_none()).count();
        let missing = match (combinational, self.cells.len() - combinational) {
            (0, _) => "combinational cell",
            (_, 0) => "flip-flop of one clock and one input (group `ff`)",
            (_, _) => return Ok(self),
        };
        let why = silent.map_or_else(String::new, |cell| {
            format!("; {cell}, and without power tables no energy can be told")
        });
        let reason = format!("no {missing} with power tables is there{why}");
        Err(Error::malformed(place, reason).on_one_line())
    }

    /// The inverter with the lightest input, and the fF of that.
    pub fn inverter(&self) -> Option<(&str, f64)> {
        let inverts = |cell: &&Cell| {
            let function = &cell.outputs[0].function;
            cell.inputs.len() == 1 && matches!(function, Some(Function::Not(_)))
        };
        let inverters = self.cells.values().filter(inverts);
        let inputs = inverters.map(|cell| (cell.name.as_str(), cell.inputs[0].capacitance_ff));
        inputs.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Units, supply and temperature.
fn conditions(place: &str, library: &Group<'_>) -> Result<(Units, f64, f64), Error> {
    let units = Units::read(place, library)?;
    let conditions = library.group("operating_conditions");
    let number = |nominal: &str, key: &str, low: f64, high: f64| {
        let text = library.value(nominal).or_else(|| conditions?.value(key));
        let text = text.ok_or_else(|| {
            Error::malformed(place, format!("has neither {nominal} nor operating_conditions"))
        })?;
        let number = text.parse().ok().filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| {
            Error::limit(place, nominal, format!("between {low} and {high}"), text).on_one_line()
        })
    };
    let voltage = number("nom_voltage", "voltage", 0.05, 20.0)?;
    Ok((units, voltage, number("nom_temperature", "temperature", -273.0, 1000.0)?))
}

/// Where a byte of a file lies, without the column.
fn line_of(place: &str, text: &str, offset: usize) -> String {
    let place_in = line_and_column(text, offset);
    let line = place_in.split(',').next().unwrap_or_default();
    format!("{place}, {line}")
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact in binary")]
mod tests;

#[cfg(test)]
pub(crate) use tests::TINY;
