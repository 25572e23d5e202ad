//! Cells with what is asked of them, in our units.

use super::function::Function;
use super::syntax::Group;
use super::table::{Table, Templates};
use super::units::Units;
use super::{line_of, merged};
use crate::Error;

/// A combinational cell or a flip-flop.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its name.
    pub name: String,
    /// µm².
    pub area_um2: f64,
    /// nW, the mean of its states where the library does not say one for all.
    pub leakage_nw: f64,
    /// Input pins.
    pub inputs: Vec<Input>,
    /// Output pins, at least one.
    pub outputs: Vec<Output>,
    /// What it stores, if it is a flip-flop.
    pub flip_flop: Option<FlipFlop>,
}

/// A flip-flop that takes one input at each rising edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlipFlop {
    /// Input pin of the clock.
    pub clock: usize,
    /// Input pin of the data.
    pub data: usize,
}

/// An input pin.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// fF.
    pub capacitance_ff: f64,
    /// fJ of a change of this pin alone, one entry a state that the library tells apart.
    pub energy: Vec<Edges>,
    /// ps before the clock's edge, over the slopes of data and clock.
    pub setup: Vec<Table>,
}

/// An output pin.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it shows; none in a flip-flop.
    pub function: Option<Function>,
    /// In a flip-flop: whether it shows the complement of what was taken.
    pub is_inverted: bool,
    /// From inputs to this output.
    pub arcs: Vec<Arc>,
    /// fJ of a change, one entry an input and state that the library tells apart.
    pub energy: Vec<Edges>,
}

/// From an input pin to an output pin.
#[derive(Debug, Clone, PartialEq)]
pub struct Arc {
    /// The input pin.
    pub input: usize,
    /// ps until the output rises and falls.
    pub delay: Edges,
    /// ps that the output's edges take.
    pub transition: Edges,
}

/// A quantity of the rising and of the falling edge.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges {
    /// Of the rising edge.
    pub rise: Option<Table>,
    /// Of the falling edge.
    pub fall: Option<Table>,
}

impl Edges {
    /// Both edges at a slope and a load; where one is missing, the other twice.
    pub fn both(&self, slope_ps: f64, load_ff: f64) -> Option<(f64, f64)> {
        let at = |table: &Option<Table>| table.as_ref().map(|table| table.at(slope_ps, load_ff));
        let (rise, fall) = (at(&self.rise), at(&self.fall));
        Some((rise.or(fall)?, fall.or(rise)?))
    }

    /// Half of both edges together; a missing one takes nothing.
    pub fn mean(&self, slope_ps: f64, load_ff: f64) -> f64 {
        let at =
            |table: &Option<Table>| table.as_ref().map_or(0.0, |table| table.at(slope_ps, load_ff));
        f64::midpoint(at(&self.rise), at(&self.fall))
    }
}

/// Reads the cells of a file.
pub(super) struct Reader<'r, 'a> {
    pub(super) library: &'r Group<'a>,
    pub(super) templates: Templates<'r, 'a>,
    pub(super) place: &'r str,
    pub(super) text: &'r str,
    pub(super) units: Units,
}

impl Reader<'_, '_> {
    /// The line of a group, and what to call it.
    pub(super) fn at(&self, group: &Group<'_>) -> (String, String) {
        let line = line_of(self.place, self.text, group.offset);
        (line.clone(), format!("{line}, {} `{}`", group.name, group.argument()))
    }

    /// A cell, or none where a synthesis has no use for it.
    pub(super) fn cell(&self, group: &Group<'_>) -> Result<Option<Cell>, Error> {
        if !merged::is_wanted(group) {
            return Ok(None);
        }
        let pins = |direction: &'static str| {
            group.all("pin").filter(move |pin| pin.value("direction") == Some(direction))
        };
        let inputs = pins("input").map(|pin| self.input(pin)).collect::<Result<Vec<_>, _>>()?;
        let flip_flop = match group.group("ff") {
            None => None,
            Some(ff) => match flip_flop(ff, &inputs) {
                None => return Ok(None),
                found => found,
            },
        };
        let mut outputs = Vec::new();
        for pin in pins("output") {
            match self.output(group, pin, &inputs)? {
                Some(output) => outputs.push(output),
                None => return Ok(None),
            }
        }
        if inputs.is_empty() || outputs.is_empty() {
            return Ok(None);
        }
        Ok(Some(Cell {
            name: group.argument().to_owned(),
            area_um2: self.number(group, "area", 1.0)?,
            leakage_nw: self.leakage(group)?,
            inputs,
            outputs,
            flip_flop: flip_flop.map(|(flip_flop, _)| flip_flop),
        }))
    }

    fn number(&self, group: &Group<'_>, key: &str, factor: f64) -> Result<f64, Error> {
        let text = group.value(key).unwrap_or("nothing");
        let number = text.parse().ok().filter(|number: &f64| (0.0..=1e12).contains(number));
        let Some(number) = number else {
            let (_, place) = self.at(group);
            return Err(Error::limit(place, key, "a number from 0 on", text).on_one_line());
        };
        Ok(number * factor)
    }

    /// The cell's own figure, or that of no particular state, or the mean of its states.
    fn leakage(&self, cell: &Group<'_>) -> Result<f64, Error> {
        let factor = self.units.leakage_nw;
        if cell.value("cell_leakage_power").is_some() {
            return self.number(cell, "cell_leakage_power", factor);
        }
        let of_supply = cell.all("leakage_power").filter(|group| is_of_supply(cell, group));
        let (mut whole, mut states) = (None, Vec::new());
        for group in of_supply {
            let value = self.number(group, "value", factor)?;
            match group.value("when") {
                None => whole = Some(value),
                Some(_) => states.push(value),
            }
        }
        let mean = states.iter().sum::<f64>() / states.len().max(1) as f64;
        Ok(whole.unwrap_or(mean))
    }

    fn input(&self, pin: &Group<'_>) -> Result<Input, Error> {
        let setups =
            pin.all("timing").filter(|timing| timing.value("timing_type") == Some("setup_rising"));
        let mut setup = Vec::new();
        for group in setups.flat_map(|timing| &timing.groups) {
            if matches!(group.name, "rise_constraint" | "fall_constraint") {
                setup.push(self.table(pin, group, self.units.time_ps)?);
            }
        }
        Ok(Input {
            name: pin.argument().to_owned(),
            capacitance_ff: self.number(pin, "capacitance", self.units.capacitance_ff)?,
            energy: self.energy(pin)?,
            setup,
        })
    }

    /// An output pin, or none where it shows what is not known here.
    fn output(
        &self,
        cell: &Group<'_>,
        pin: &Group<'_>,
        inputs: &[Input],
    ) -> Result<Option<Output>, Error> {
        let Some(text) = pin.value("function") else { return Ok(None) };
        if pin.value("three_state").is_some() {
            return Ok(None);
        }
        let function = Function::parse(&|| self.at(pin).1, text)?;
        let state = cell.group("ff").and_then(|ff| Some((ff, flip_flop(ff, inputs)?.1)));
        let (function, is_inverted) = if let Some((ff, takes_complement)) = state {
            let (of, is_complement) = plain(&function);
            let Some(at) = ff.arguments.iter().position(|name| Some(*name) == of) else {
                return Ok(None);
            };
            (None, (at == 1) ^ is_complement ^ takes_complement)
        } else {
            let mut is_known = true;
            function.pins(&mut |name| is_known &= inputs.iter().any(|pin| pin.name == name));
            if !is_known {
                return Ok(None);
            }
            (Some(function), false)
        };
        Ok(Some(Output {
            name: pin.argument().to_owned(),
            function,
            is_inverted,
            arcs: self.arcs(pin, inputs)?,
            energy: self.energy(pin)?,
        }))
    }

    fn arcs(&self, pin: &Group<'_>, inputs: &[Input]) -> Result<Vec<Arc>, Error> {
        let mut arcs = Vec::new();
        for timing in pin.all("timing") {
            let related = timing.value("related_pin");
            let Some(input) = inputs.iter().position(|input| Some(input.name.as_str()) == related)
            else {
                continue;
            };
            let of =
                |rise: &str, fall: &str| self.edges(pin, timing, [rise, fall], self.units.time_ps);
            let delay = of("cell_rise", "cell_fall")?;
            if delay.rise.is_some() || delay.fall.is_some() {
                let transition = of("rise_transition", "fall_transition")?;
                arcs.push(Arc { input, delay, transition });
            }
        }
        Ok(arcs)
    }

    /// Internal power, as far as the supply pays it.
    fn energy(&self, pin: &Group<'_>) -> Result<Vec<Edges>, Error> {
        let mut energy = Vec::new();
        for group in pin.all("internal_power") {
            let of_ground = group.value("related_pg_pin").is_some_and(|name| self.is_ground(name));
            if of_ground {
                continue;
            }
            let names = ["rise_power", "fall_power"];
            let mut edges = self.edges(pin, group, names, self.units.energy_fj)?;
            if let Some(power) = group.group("power") {
                let both = self.table(pin, power, self.units.energy_fj)?;
                edges = Edges { rise: Some(both.clone()), fall: Some(both) };
            }
            if edges.rise.is_some() || edges.fall.is_some() {
                energy.push(edges);
            }
        }
        Ok(energy)
    }

    fn is_ground(&self, name: &str) -> bool {
        let volts = self.library.attributes.iter().find(|attribute| {
            attribute.name == "voltage_map" && attribute.values.first() == Some(&name)
        });
        let volts = volts.and_then(|attribute| attribute.values.get(1)?.parse::<f64>().ok());
        volts.is_some_and(|volts| volts.abs() < 1e-9)
    }

    fn edges(
        &self,
        pin: &Group<'_>,
        group: &Group<'_>,
        [rise, fall]: [&str; 2],
        factor: f64,
    ) -> Result<Edges, Error> {
        let table =
            |name| group.group(name).map(|table| self.table(pin, table, factor)).transpose();
        Ok(Edges { rise: table(rise)?, fall: table(fall)? })
    }

    fn table(&self, pin: &Group<'_>, group: &Group<'_>, factor: f64) -> Result<Table, Error> {
        Table::read(&self.templates, group, &self.units, factor)
            .map_err(|reason| {
                Error::malformed(format!("{}, {}", self.at(pin).1, group.name), reason)
            })
            .map_err(Error::on_one_line)
    }
}

/// Whether a leakage belongs to the supply and not to the ground.
fn is_of_supply(cell: &Group<'_>, leakage: &Group<'_>) -> bool {
    let Some(name) = leakage.value("related_pg_pin") else { return true };
    let pin = cell.all("pg_pin").find(|pin| pin.argument() == name);
    pin.is_none_or(|pin| pin.value("pg_type") != Some("primary_ground"))
}

/// A flip-flop of a rising clock and one input without anything else, and whether it takes the complement.
fn flip_flop(ff: &Group<'_>, inputs: &[Input]) -> Option<(FlipFlop, bool)> {
    if ff.value("clear").or(ff.value("preset")).is_some() {
        return None;
    }
    let index = |name: &str| inputs.iter().position(|input| input.name == name);
    let clock = index(ff.value("clocked_on")?)?;
    let next = Function::parse(&String::new, ff.value("next_state")?).ok()?;
    let (name, is_complement) = plain(&next);
    let data = index(name?)?;
    Some((FlipFlop { clock, data }, is_complement))
}

/// A pin alone, or its complement.
fn plain(function: &Function) -> (Option<&str>, bool) {
    match function {
        Function::Pin(name) => (Some(name), false),
        Function::Not(inner) => {
            let (name, is_complement) = plain(inner);
            (name, !is_complement)
        }
        Function::Constant(_) | Function::And(..) | Function::Or(..) | Function::Xor(..) => {
            (None, false)
        }
    }
}
