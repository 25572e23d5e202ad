//! The result store: Records as CSV text, each result once.
//!
//! A Record is a row with an empty `layer`, followed by `layers` rows, one a layer, that repeat its inputs. Every
//! row begins with the version, `format`. The columns are those of [`columns`], in that order, the unit last in
//! the name. `energy_pj`, `utilization` and `latency_us` follow from other columns: they are written for other
//! programs and checked by the reader.
//!
//! The reader takes only what the writer can have written; it names line and column of the first fault.

use std::collections::BTreeMap;

use crate::Error;
use crate::error::quoted;
use crate::record::Record;
use tridot_sim::arch::Architecture;

mod columns;
mod names;
mod read;
mod write;

pub use columns::columns;
pub(crate) use write::synthetic;

/// The version of the file form that this reader accepts and this writer writes.
pub const FORMAT: u32 = 2;

/// Every parameter of a machine with the name of its column, as it is written.
pub(crate) fn parameters(architecture: &Architecture) -> Vec<(&'static str, String)> {
    let names = &columns::INPUTS[columns::ARCHITECTURE..];
    // The first cell is the machine's name.
    names.iter().copied().zip(write::architecture(architecture)).skip(1).collect()
}

/// Records of which no two have the same inputs, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Store {
    records: Vec<Record>,
    /// Inputs, as they are written → index of the record.
    index: BTreeMap<Vec<String>, usize>,
}

/// What became of a Record that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is new.
    New,
    /// The store had it; if it lacked the layers, it has them now.
    Known,
}

impl Store {
    /// Reads a store. Names line and column of the first fault.
    pub fn from_csv(text: &str) -> Result<Self, Error> {
        let mut store = Self::default();
        for (line, record) in read::records(text)? {
            if store.insert(record).map_err(|error| at_line(line, error))? == Inserted::Known {
                return Err(Error::malformed(
                    format!("line {line}"),
                    "the same result is in an earlier line",
                ));
            }
        }
        Ok(store)
    }

    /// The store as text. Same Records in the same order, same bytes.
    pub fn to_csv(&self) -> String {
        write::csv(&self.records)
    }

    /// The Records, in the order in which they came.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Adds a Record unless it is there; refuses one whose inputs are there with another result.
    pub fn insert(&mut self, record: Record) -> Result<Inserted, Error> {
        record.check("record")?;
        let key = write::inputs(&record.inputs);
        let Some(&known_idx) = self.index.get(&key) else {
            self.index.insert(key, self.records.len());
            self.records.push(record);
            return Ok(Inserted::New);
        };
        let known = &self.records[known_idx];
        if let Some((column, old, new)) = difference(known, &record) {
            return Err(Error::malformed(
                format!(
                    "record of {} on {}",
                    quoted(&record.inputs.network.name),
                    quoted(&record.inputs.architecture.name)
                ),
                format!("the same inputs gave another result before: {column} was {old}, is {new}"),
            ));
        }
        if known.layers.is_empty() && !record.layers.is_empty() {
            self.records[known_idx] = record;
        }
        Ok(Inserted::Known)
    }

    /// Adds every Record of another store.
    pub fn merge(&mut self, other: Self) -> Result<(), Error> {
        other.records.into_iter().try_for_each(|record| self.insert(record).map(drop))
    }
}

/// The first column in which two results of the same inputs differ, with both cells; rows of layers are compared
/// where both have them. Warnings and commands may differ.
fn difference(known: &Record, new: &Record) -> Option<(String, String, String)> {
    let differing = |place: &str, known: Vec<String>, new: Vec<String>| {
        let names = columns::results();
        let at = (0..names.len()).find(|&at| known[at] != new[at])?;
        Some((format!("{place}{}", names[at]), known[at].clone(), new[at].clone()))
    };
    differing("", write::total(known), write::total(new)).or_else(|| {
        known.layers.iter().zip(&new.layers).find_map(|(old, layer)| {
            if old.name != layer.name {
                return Some(("layer".to_owned(), old.name.clone(), layer.name.clone()));
            }
            let arch = &known.inputs.architecture;
            let place = format!("layer {}, ", quoted(&old.name));
            differing(&place, write::layer(old, arch), write::layer(layer, arch))
        })
    })
}

/// The same fault, of a line.
fn at_line(line: u64, error: Error) -> Error {
    match error {
        Error::Limit { place, what, limit, value } => {
            Error::Limit { place: format!("line {line}, {place}"), what, limit, value }
        }
        Error::Malformed { place, reason } => {
            Error::Malformed { place: format!("line {line}, {place}"), reason }
        }
    }
}
