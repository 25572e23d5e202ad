//! Files of energy tables: of one size of engines, or of several with prices between them.

use std::collections::BTreeSet;

use super::curve::{Curve, neighbours};
use super::raw::{Raw, RawSizes, Version};
use super::rows::Group;
use super::table::{EnergyTable, checked};
use crate::Error;
use crate::arch::Architecture;

/// The version of the file form that this reader accepts.
pub const FORMAT: i64 = 1;

/// Sizes of a file.
const MAX_SIZES: usize = 256;

/// Name and text of each built-in file.
const BUILT_IN: [(&str, &str); 3] = [
    ("published-45nm", include_str!("../../presets/energy/published-45nm.toml")),
    ("sky130", include_str!("../../presets/energy/sky130.toml")),
    ("asap7", include_str!("../../presets/energy/asap7.toml")),
];

/// One table, or tables of several sizes of engines in one technology: lanes × branches, a full grid.
///
/// ```
/// use tridot_sim::arch::Architecture;
/// use tridot_sim::energy::EnergyTables;
///
/// let tables = EnergyTables::builtin("sky130").unwrap();
/// let edge = Architecture::preset("edge").unwrap();
/// assert_eq!(tables.of(&edge).calibrations.len(), 1, "engines of this size were calibrated");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EnergyTables {
    /// Their name together.
    pub name: String,
    /// One, or one of each size: lanes by lanes, both ascending.
    sizes: Vec<EnergyTable>,
    /// Lanes that there are, ascending; none of one table.
    lanes: Vec<f64>,
    /// Branches that there are, ascending.
    branches: Vec<f64>,
    /// How many rows the file has.
    pub n_rows: usize,
}

impl EnergyTables {
    /// Reads a file. Unknown, repeated and missing keys are refused with line and column, values
    /// with the row they stand in.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        read(text).map_err(Error::on_one_line)
    }

    /// The names of the built-in files.
    pub fn builtin_names() -> Vec<&'static str> {
        BUILT_IN.iter().map(|&(name, _)| name).collect()
    }

    /// A built-in file.
    pub fn builtin_text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|table| table.0 == name).map(|&(_, text)| text)
    }

    /// The tables of a built-in file.
    pub fn builtin(name: &str) -> Option<Self> {
        let text = Self::builtin_text(name)?;
        Some(Self::from_toml(text).expect("a test reads every built-in table"))
    }

    /// One table, or one of each size.
    pub fn sizes(&self) -> &[EnergyTable] {
        &self.sizes
    }

    /// The table for an architecture: where its engines lie between sizes, every price and area lies between theirs, straight over the
    /// logarithms of lanes and of branches; beyond the sizes it is that of the nearest one.
    pub fn of(&self, arch: &Architecture) -> EnergyTable {
        if self.lanes.is_empty() {
            return self.sizes[0].clone();
        }
        let lanes = neighbours(&self.lanes, arch.lanes as f64);
        let branches = neighbours(&self.branches, arch.branches as f64);
        let of_branches = |lane: usize| {
            let at = |branch: usize| &self.sizes[lane * self.branches.len() + branch];
            between(at(branches.0), at(branches.1), branches.2)
        };
        let mut table = between(&of_branches(lanes.0), &of_branches(lanes.1), lanes.2);
        table.name.clone_from(&self.name);
        table
    }
}

fn read(text: &str) -> Result<EnergyTables, Error> {
    let malformed = |e| Error::of_toml("energy table", text, &e);
    let version: Version = toml::from_str(text).map_err(malformed)?;
    if version.format != FORMAT {
        return Err(Error::limit("energy table", "format", FORMAT.to_string(), version.format));
    }
    if version.size.is_some() {
        return several(toml::from_str(text).map_err(malformed)?);
    }
    let raw: Raw = toml::from_str(text).map_err(malformed)?;
    let table = checked(raw)?;
    let (name, n_rows) = (table.name.clone(), table.n_rows);
    Ok(EnergyTables { name, sizes: vec![table], lanes: Vec::new(), branches: Vec::new(), n_rows })
}

fn several(raw: RawSizes) -> Result<EnergyTables, Error> {
    let RawSizes { format: _, name, memory_read, memory_write, size } = raw;
    let place = format!("energy table `{name}`");
    if size.is_empty() || MAX_SIZES < size.len() {
        let limit = format!("between 1 and {MAX_SIZES}");
        return Err(Error::limit(place, "the number of sizes", limit, size.len()));
    }
    let n_memories = memory_read.len() + memory_write.len();
    let mut sizes = Vec::with_capacity(size.len());
    for mut one in size {
        if !one.memory_read.is_empty() || !one.memory_write.is_empty() {
            let reason = format!("memories are of all sizes, not of `{}` alone", one.name);
            return Err(Error::malformed(place, reason));
        }
        one.memory_read.clone_from(&memory_read);
        one.memory_write.clone_from(&memory_write);
        sizes.push(checked(one)?);
    }
    let of = |table: &EnergyTable| table.calibrations.first().map(|one| (one.lanes, one.branches));
    if let Some(other) = sizes.iter().find(|table| of(table).is_none()) {
        let reason = format!("size `{}` has no calibration: of which engine it is", other.name);
        return Err(Error::malformed(place, reason));
    }
    sizes.sort_by_key(of);
    let distinct = |value: fn((usize, usize)) -> usize| -> Vec<f64> {
        let values: BTreeSet<usize> = sizes.iter().filter_map(of).map(value).collect();
        values.into_iter().map(|value| value as f64).collect()
    };
    let (lanes, branches) = (distinct(|size| size.0), distinct(|size| size.1));
    let mut wanted = lanes.iter().flat_map(|&lane| branches.iter().map(move |&b| (lane, b)));
    let fits = |table: &EnergyTable| {
        let size = of(table).map(|(lanes, branches)| (lanes as f64, branches as f64));
        wanted.next() == size
    };
    if !sizes.iter().all(fits) || sizes.len() != lanes.len() * branches.len() {
        let reason = "its sizes are no full grid of lanes and branches, each once";
        return Err(Error::malformed(place, reason));
    }
    for other in &sizes[1..] {
        if let Some(what) = difference(&sizes[0], other) {
            let names = (&sizes[0].name, &other.name);
            let reason = format!("sizes `{}` and `{}` differ in {what}", names.0, names.1);
            return Err(Error::malformed(place, reason));
        }
    }
    let n_rows = sizes.iter().map(|table| table.n_rows - n_memories).sum::<usize>() + n_memories;
    Ok(EnergyTables { name, sizes, lanes, branches, n_rows })
}

/// What keeps two tables from having others between them.
fn difference(a: &EnergyTable, b: &EnergyTable) -> Option<&'static str> {
    let nets = |table: &EnergyTable| table.toggle.iter().map(|row| row.0).collect::<Vec<_>>();
    let groups = |rows: &[(Group, f64)]| rows.iter().map(|row| row.0).collect::<Vec<_>>();
    let handovers = |table: &EnergyTable| {
        let [to_empty, to_full] = &table.handovers_of_rows;
        [&table.handover, to_empty, to_full].map(|rows| groups(rows))
    };
    let optional = |table: &EnergyTable| {
        let rows = [table.area_flip_flop, table.clock, table.leakage, table.max_clock];
        rows.map(|row| row.is_some())
    };
    let widths = |table: &EnergyTable| {
        [&table.add, &table.multiply, &table.area_add, &table.area_multiply].map(Curve::sizes)
    };
    let engines =
        |table: &EnergyTable| table.calibrations.iter().map(|one| one.engine).collect::<Vec<_>>();
    #[expect(
        clippy::float_cmp,
        reason = "nodes and supplies are names: nothing is computed from them"
    )]
    let differences = [
        (a.node_nm != b.node_nm, "node_nm"),
        (a.voltage_v != b.voltage_v, "voltage_v"),
        (engines(a) != engines(b), "what else their engines are"),
        (nets(a) != nets(b), "their rows of toggle"),
        (handovers(a) != handovers(b), "their rows of hand-overs"),
        (optional(a) != optional(b), "their single rows"),
        (widths(a) != widths(b), "the widths of their rows"),
    ];
    differences.into_iter().find(|one| one.0).map(|one| one.1)
}

/// Both warnings, or the one that both have.
fn united(a: Option<&str>, b: Option<&str>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => Some(format!("{a}; {b}")),
        (Some(one), _) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

/// The table so far (0 … 1) from one to another that does not differ from it in more than values.
fn between(a: &EnergyTable, b: &EnergyTable, part: f64) -> EnergyTable {
    if part == 0.0 {
        return a.clone();
    }
    let value = |a: f64, b: f64| a + (b - a) * part;
    let pair = |a: (f64, f64), b: (f64, f64)| (value(a.0, b.0), value(a.1, b.1));
    let optional = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| value(a, b));
    let curve = |a: &Curve, b: &Curve| a.between(b, part);
    let groups = |a: &[(Group, f64)], b: &[(Group, f64)]| {
        a.iter().zip(b).map(|(a, b)| (a.0, value(a.1, b.1))).collect::<Vec<_>>()
    };
    let handovers = |kind: usize| groups(&a.handovers_of_rows[kind], &b.handovers_of_rows[kind]);
    // The slowest path grows with the engine, not the clock with its inverse.
    let periods = optional(a.max_clock.map(f64::recip), b.max_clock.map(f64::recip));
    EnergyTable {
        name: a.name.clone(),
        node_nm: a.node_nm,
        voltage_v: a.voltage_v,
        warning: united(a.warning.as_deref(), b.warning.as_deref()),
        scaled_rows: [&a.scaled_rows[..], &b.scaled_rows]
            .concat()
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        n_rows: a.n_rows,
        add: curve(&a.add, &b.add),
        multiply: curve(&a.multiply, &b.multiply),
        memory_read: a.memory_read.clone(),
        memory_write: a.memory_write.clone(),
        area_add: curve(&a.area_add, &b.area_add),
        area_multiply: curve(&a.area_multiply, &b.area_multiply),
        area_flip_flop: optional(a.area_flip_flop, b.area_flip_flop),
        toggle: a.toggle.iter().zip(&b.toggle).map(|(a, b)| (a.0, value(a.1, b.1))).collect(),
        handover: groups(&a.handover, &b.handover),
        handovers_of_rows: [handovers(0), handovers(1)],
        select: pair(a.select, b.select),
        control: pair(a.control, b.control),
        clock: optional(a.clock, b.clock),
        leakage: optional(a.leakage, b.leakage),
        max_clock: periods.map(f64::recip),
        calibrations: [&a.calibrations[..], &b.calibrations].concat(),
    }
}
