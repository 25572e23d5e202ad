//! An energy table: what events cost at one node and voltage, each number with its source.

use std::collections::BTreeMap;

use super::calibration::{self, Calibration};
use super::curve::{Curve, Grid};
use super::raw::{self, Raw, Row};
use super::rows::{Group, Net};
use crate::Error;
use crate::arch::Architecture;

/// The largest value of a row, in any unit: beyond every technology, and far from overflow.
pub(super) const MAX_VALUE: f64 = 1e9;
/// The largest width of a row in bits.
const MAX_WIDTH_BITS: i64 = 1 << 16;
/// The largest capacity of a row.
const MAX_CAPACITY_KIB: f64 = 1e9;
/// Bytes of a text.
const MAX_TEXT_BYTES: usize = 1024;
/// Rows of one kind.
const MAX_ROWS: usize = 4096;

/// Prices of events, and areas, at one node and voltage, of engines of one size. Made by [`EnergyTables`](super::EnergyTables), which
/// reads files, and never wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct EnergyTable {
    /// Its name.
    pub name: String,
    /// The node in nm.
    pub node_nm: f64,
    /// The supply in V.
    pub voltage_v: f64,
    /// What every result priced with it must say.
    pub warning: Option<String>,
    /// The rows that come from another node, with factor, formula and source; those that follow each other and are scaled alike together.
    pub scaled_rows: Vec<String>,
    /// How many rows there are.
    pub n_rows: usize,
    /// An addition, pJ over bits.
    pub(super) add: Curve,
    /// A multiplication, pJ over the product of both widths.
    pub(super) multiply: Curve,
    /// A read, pJ.
    pub(super) memory_read: Grid,
    /// A write, pJ.
    pub(super) memory_write: Grid,
    /// An adder, µm² over bits.
    pub(super) area_add: Curve,
    /// A multiplier, µm² over the product of both widths.
    pub(super) area_multiply: Curve,
    /// A flip-flop, µm².
    pub(super) area_flip_flop: Option<f64>,
    /// pJ a toggled bit, for nets with a row of their own.
    pub(super) toggle: Vec<(Net, f64)>,
    /// pJ a flip-flop and hand-over, by group: of one row.
    pub(super) handover: Vec<(Group, f64)>,
    /// The same of several rows: to an empty bank, and to one that gives its last values.
    pub(super) handovers_of_rows: [Vec<(Group, f64)>; 2],
    /// Where the scalers choose among several rows: pJ a toggled bit of the multipliers' accumulator inputs, and of y, beside
    /// those of their nets.
    pub(super) select: (f64, f64),
    /// pJ a cycle of dot products: of the array, and of each column.
    pub(super) control: (f64, f64),
    /// pJ a flip-flop and edge at which it is clocked.
    pub(super) clock: Option<f64>,
    /// nW a µm².
    pub(super) leakage: Option<f64>,
    /// The clock of the slowest path, MHz.
    pub(super) max_clock: Option<f64>,
    /// How it was calibrated, if it was; several engines where it lies between their tables.
    pub calibrations: Vec<Calibration>,
}

impl EnergyTable {
    /// The same table without its slowest path, for whoever wants to price a faster clock all the same.
    #[must_use]
    pub fn at_any_clock(self) -> Self {
        Self { max_clock: None, ..self }
    }

    /// The clock of the slowest path, MHz, if the table has one.
    pub const fn max_clock_mhz(&self) -> Option<f64> {
        self.max_clock
    }

    /// Refuses an architecture whose clock is beyond the slowest path.
    pub fn check_clock(&self, arch: &Architecture) -> Result<(), Error> {
        let Some(most) = self.max_clock.filter(|&most| most < arch.clock.0) else { return Ok(()) };
        let place = format!("architecture `{}`", arch.name);
        let limit = format!("at most {most}, the slowest path of energy table `{}`", self.name);
        Err(Error::limit(place, "clock_mhz", limit, arch.clock.0))
    }

    /// pJ a toggled bit of a net, if the table has a row for it.
    pub(super) fn toggle(&self, net: Net) -> Option<f64> {
        self.toggle.iter().find(|row| row.0 == net).map(|row| row.1)
    }

    /// pJ of the flip-flops of an array at a hand-over to an empty bank, and to one that gives its last values.
    pub(super) fn handovers_of(&self, arch: &Architecture) -> (f64, f64) {
        let price = |&(group, price): &(Group, f64)| price * group.count(arch.flip_flops()) as f64;
        let sum = |rows: &[(Group, f64)]| rows.iter().map(price).sum();
        let [to_empty, to_full] = &self.handovers_of_rows;
        if arch.rows == 1 {
            (sum(&self.handover), sum(&self.handover))
        } else {
            (sum(to_empty), sum(to_full))
        }
    }

    /// pJ a toggled output bit of an adder: half of its bits toggle in an average addition.
    pub(super) fn adder_bit(&self, bits: u32) -> f64 {
        let bits = f64::from(bits);
        self.add.at(bits) / (bits / 2.0)
    }

    /// pJ a multiplication of operands of these widths.
    pub(super) fn multiplication(&self, a_bits: u32, b_bits: u32) -> f64 {
        self.multiply.at(f64::from(a_bits * b_bits))
    }

    /// µm² of a multiplier for operands of these widths.
    pub(super) fn multiplier_area(&self, a_bits: u32, b_bits: u32) -> f64 {
        self.area_multiply.at(f64::from(a_bits * b_bits))
    }
}

/// What is being checked, and what was found on the way.
struct Checker {
    table: String,
    node_nm: f64,
    scaled_rows: Vec<Scaled>,
    n_rows: usize,
}

/// Rows one after the other that are scaled alike.
struct Scaled {
    first: String,
    last: String,
    count: usize,
    how: String,
}

impl Scaled {
    fn new(what: &str, how: String) -> Self {
        Self { first: what.to_owned(), last: what.to_owned(), count: 1, how }
    }

    fn text(self) -> String {
        let Self { first, last, count, how } = self;
        if count == 1 {
            format!("{first}: {how}")
        } else {
            format!("{first} … {last} ({count} rows): {how}")
        }
    }
}

/// What a row's value measures: its units, each with its factor to ours.
type Units = [(&'static str, f64)];

const ENERGY: &Units = &[("pJ", 1.0), ("fJ", 1e-3)];
const AREA: &Units = &[("um2", 1.0)];
const LEAKAGE: &Units = &[("nW/um2", 1.0)];
const FREQUENCY: &Units = &[("MHz", 1.0)];

impl Checker {
    /// The value of a row in our unit and at the table's node.
    fn value(&mut self, what: &str, row: &Row, units: &Units) -> Result<f64, Error> {
        let place = format!("{}, {what}", self.table);
        let unit = units.iter().find(|unit| unit.0 == row.unit);
        let Some((_, to_ours)) = unit else {
            let names: Vec<_> = units.iter().map(|unit| unit.0).collect();
            return Err(Error::limit(place, "unit", names.join(" or "), &row.unit));
        };
        text(&place, "source", &row.source)?;
        number(&place, "value", row.value, 0.0, MAX_VALUE)?;
        self.n_rows += 1;
        Ok(row.value * to_ours * self.factor(&place, what, row)?)
    }

    /// What brings a row to the table's node: 1, or its `scaled_by`.
    fn factor(&mut self, place: &str, what: &str, row: &Row) -> Result<f64, Error> {
        let node = row.node_nm.unwrap_or(self.node_nm);
        positive(place, "node_nm", node)?;
        #[expect(clippy::float_cmp, reason = "a node is a name: nothing is computed from it")]
        let same_node = node == self.node_nm;
        match &row.scaled_by {
            None if same_node => Ok(1.0),
            None => {
                let reason = format!(
                    "a row of {node} nm in a table of {} nm needs scaled_by (factor, formula, source)",
                    self.node_nm
                );
                Err(Error::malformed(place, reason))
            }
            Some(_) if same_node => {
                let reason = "scaled_by goes with a node_nm that is not the table's";
                Err(Error::malformed(place, reason))
            }
            Some(scaled) => {
                text(place, "scaled_by.formula", &scaled.formula)?;
                text(place, "scaled_by.source", &scaled.source)?;
                positive(place, "scaled_by.factor", scaled.factor)?;
                let how = format!(
                    "from {node} nm by {} = {} ({})",
                    scaled.factor, scaled.formula, scaled.source
                );
                match self.scaled_rows.last_mut().filter(|rows| rows.how == how) {
                    Some(rows) => (rows.last, rows.count) = (what.to_owned(), rows.count + 1),
                    None => self.scaled_rows.push(Scaled::new(what, how)),
                }
                Ok(scaled.factor)
            }
        }
    }

    /// Rows over width; `size` is the abscissa of a width.
    fn curve(
        &mut self,
        what: &str,
        rows: Vec<raw::OfWidth>,
        units: &Units,
        size: fn(f64) -> f64,
    ) -> Result<Curve, Error> {
        let place = format!("{}, {what}", self.table);
        number_of_rows(&place, rows.len())?;
        let mut points = Vec::with_capacity(rows.len());
        for row in rows {
            let (bits, row) = row.split();
            let bits = width(&place, "bits", bits)?;
            points.push((size(bits), self.value(&format!("{what} of {bits} bits"), &row, units)?));
        }
        Curve::new(&place, points)
    }

    /// Rows over capacity and width.
    fn grid(&mut self, what: &str, rows: Vec<raw::OfMemory>) -> Result<Grid, Error> {
        let place = format!("{}, {what}", self.table);
        number_of_rows(&place, rows.len())?;
        let mut points = Vec::with_capacity(rows.len());
        for row in rows {
            let (capacity_kib, bits, row) = row.split();
            positive(&place, "capacity_kib", capacity_kib)?;
            number(&place, "capacity_kib", capacity_kib, 0.0, MAX_CAPACITY_KIB)?;
            let bits = width(&place, "width_bits", bits)?;
            let of = format!("{what} of {capacity_kib} KiB and {bits} bits");
            points.push((capacity_kib, bits, self.value(&of, &row, ENERGY)?));
        }
        Grid::new(&place, points)
    }

    /// Rows of groups of flip-flops.
    fn groups(
        &mut self,
        what: &str,
        rows: &BTreeMap<Group, Row>,
    ) -> Result<Vec<(Group, f64)>, Error> {
        let row = |(group, row): (&Group, &Row)| {
            Ok((*group, self.value(&format!("{what}.{}", group.name()), row, ENERGY)?))
        };
        rows.iter().map(row).collect()
    }

    fn single(
        &mut self,
        what: &str,
        row: Option<&Row>,
        units: &Units,
    ) -> Result<Option<f64>, Error> {
        row.map(|row| self.value(what, row, units)).transpose()
    }
}

/// The table that a file describes.
pub(super) fn checked(raw: Raw) -> Result<EnergyTable, Error> {
    text("energy table", "name", &raw.name)?;
    let table = format!("energy table `{}`", raw.name);
    positive(&table, "node_nm", raw.node_nm)?;
    positive(&table, "voltage_v", raw.voltage_v)?;
    raw.warning.as_ref().map_or(Ok(()), |warning| text(&table, "warning", warning))?;
    let mut checker = Checker { table, node_nm: raw.node_nm, scaled_rows: Vec::new(), n_rows: 0 };
    let width = |bits| bits;
    let square = |bits| bits * bits;
    let max_clock = checker.single("max_clock", raw.max_clock.as_ref(), FREQUENCY)?;
    if let Some(clock) = max_clock {
        positive(&checker.table, "max_clock", clock)?;
    }
    let mut toggle = Vec::with_capacity(raw.toggle.len());
    for (net, row) in &raw.toggle {
        toggle.push((*net, checker.value(&format!("toggle.{}", net.name()), row, ENERGY)?));
    }
    let handover = checker.groups("handover", &raw.handover)?;
    let handovers_of_rows = [
        checker.groups("handover_to_empty", &raw.handover_to_empty)?,
        checker.groups("handover_to_full", &raw.handover_to_full)?,
    ];
    let select = match &raw.select {
        None => (0.0, 0.0),
        Some(rows) => (
            checker.value("select.operand", &rows.operand, ENERGY)?,
            checker.value("select.y", &rows.y, ENERGY)?,
        ),
    };
    let control = match &raw.control {
        None => (0.0, 0.0),
        Some(rows) => (
            checker.value("control.array", &rows.array, ENERGY)?,
            checker.value("control.column", &rows.column, ENERGY)?,
        ),
    };
    let place = format!("{}, calibration", checker.table);
    let calibration = raw.calibration.map(|raw| calibration::checked(&place, raw)).transpose()?;
    Ok(EnergyTable {
        add: checker.curve("add", raw.add, ENERGY, width)?,
        multiply: checker.curve("multiply", raw.multiply, ENERGY, square)?,
        memory_read: checker.grid("memory_read", raw.memory_read)?,
        memory_write: checker.grid("memory_write", raw.memory_write)?,
        area_add: checker.curve("area_add", raw.area_add, AREA, width)?,
        area_multiply: checker.curve("area_multiply", raw.area_multiply, AREA, square)?,
        area_flip_flop: checker.single("area_flip_flop", raw.area_flip_flop.as_ref(), AREA)?,
        clock: checker.single("clock", raw.clock.as_ref(), ENERGY)?,
        leakage: checker.single("leakage", raw.leakage.as_ref(), LEAKAGE)?,
        max_clock,
        toggle,
        handover,
        handovers_of_rows,
        select,
        control,
        calibrations: calibration.into_iter().collect(),
        name: raw.name,
        node_nm: raw.node_nm,
        voltage_v: raw.voltage_v,
        warning: raw.warning,
        scaled_rows: checker.scaled_rows.into_iter().map(Scaled::text).collect(),
        n_rows: checker.n_rows,
    })
}

pub(super) fn text(place: &str, key: &str, text: &str) -> Result<(), Error> {
    let bytes = 1..=MAX_TEXT_BYTES;
    if !bytes.contains(&text.trim().len()) {
        let limit = format!("between 1 and {} bytes long", bytes.end());
        return Err(Error::limit(place, key, limit, text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::malformed(place, format!("control character in {key}")));
    }
    Ok(())
}

/// Refuses NaN, infinities and what lies outside.
pub(super) fn number(place: &str, key: &str, value: f64, low: f64, high: f64) -> Result<(), Error> {
    if low <= value && value <= high {
        return Ok(());
    }
    Err(Error::limit(place, key, format!("between {low} and {high}"), value))
}

fn positive(place: &str, key: &str, value: f64) -> Result<(), Error> {
    number(place, key, value, 1e-9, MAX_VALUE)
}

fn width(place: &str, key: &str, bits: i64) -> Result<f64, Error> {
    if (1..=MAX_WIDTH_BITS).contains(&bits) {
        return Ok(bits as f64);
    }
    Err(Error::limit(place, key, format!("between 1 and {MAX_WIDTH_BITS}"), bits))
}

fn number_of_rows(place: &str, rows: usize) -> Result<(), Error> {
    if rows <= MAX_ROWS {
        return Ok(());
    }
    Err(Error::limit(place, "the number of rows", format!("at most {MAX_ROWS}"), rows))
}
