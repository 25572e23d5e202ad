//! Does the reader of Records survive whatever a file may hold?

use tridot_reports::store::Store;
use tridot_reports::{html, plot, table};

use super::bytes::{flip_bits, splice, truncations};
use super::driver::{Mutant, Touched, fuzz};
use crate::random::{Random, cases};

#[path = "../../reports/tests/records/sample.rs"]
mod sample;

use sample::{Scheme, record, study};

fn read(bytes: &[u8]) -> Result<Store, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Store::from_csv(text).map_err(|error| error.to_string())
}

/// What is accepted is written and read alike, and can be drawn.
fn use_accepted(store: &Store, _: &[u8]) {
    let text = store.to_csv();
    assert_eq!(Store::from_csv(&text).unwrap().to_csv(), text);
    let records = store.records();
    let (fronts, layers) = (plot::fronts(records), plot::layers(records));
    let page = html::Page { title: "", command: "", records, fronts: &fronts, layers: &layers };
    assert!(html::page(&page).ends_with("</html>\n"));
    assert!(records.len() + 2 <= table::markdown(records).lines().count());
    assert!(!table::latex(records).is_empty());
}

/// Cells that a file should not hold, or should hold elsewhere.
const CELLS: [&str; 20] = [
    "",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "1e3",
    "9007199254740993",
    "18446744073709551615",
    "nan",
    "inf",
    "1e-300",
    "1e308",
    "layer",
    "exact",
    "one tile of 2",
    "synthetic, seed 1",
    "\"a,b\"",
    "\"\n\"",
    "\u{7f}",
];

/// A cell replaced or removed, a row removed, repeated, moved or relabelled.
fn table_mutant(random: &mut Random, file: &str) -> Mutant {
    let mut rows: Vec<Vec<String>> =
        file.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let at = random.below(rows.len());
    let column = random.below(rows[at].len());
    let what = match random.below(6) {
        0 => {
            rows.remove(at);
            format!("row {at} removed")
        }
        1 => {
            let copy = rows[at].clone();
            let to = random.below(rows.len());
            rows.insert(to, copy);
            format!("row {at} repeated at {to}")
        }
        2 => {
            let other = random.below(rows.len());
            rows.swap(at, other);
            format!("rows {at} and {other} swapped")
        }
        3 => {
            rows[at].remove(column);
            format!("cell {column} of row {at} removed")
        }
        4 => {
            let other = random.below(rows.len());
            let cell = rows[other].get(column).cloned().unwrap_or_default();
            rows[at][column] = cell;
            format!("cell {column} of row {at} became that of row {other}")
        }
        _ => {
            // The same in every row: an input that is consistently another.
            let cell = *random.pick(&CELLS);
            let all = random.below(2) == 0;
            let chosen = if all { 1..rows.len() } else { at..at + 1 };
            for row in &mut rows[chosen] {
                if let Some(old) = row.get_mut(column) {
                    cell.clone_into(old);
                }
            }
            format!("cell {column} of {} became {cell:?}", if all { "all rows" } else { "a row" })
        }
    };
    let lines: Vec<_> = rows.into_iter().map(|row| row.join(",") + "\n").collect();
    Mutant { what, touched: Touched::Structure, bytes: lines.concat().into_bytes() }
}

#[test]
fn hostile_records_are_refused_or_usable() {
    let mut store = Store::default();
    let mut short = record(Scheme::Layer(2), "tiny");
    short.layers.clear();
    store.insert(record(Scheme::Channel(1), "edge")).unwrap();
    store.insert(short).unwrap();
    let file = store.to_csv();
    let mut other = Store::default();
    for record in study().into_iter().step_by(9) {
        other.insert(record).unwrap();
    }
    let other = other.to_csv();
    let n_mutants = cases("FUZZ_MUTANTS", 2_500, 12_000);
    let mut random = Random::new(0, 70);
    let mutants = (0..n_mutants).map(|_| match random.below(10) {
        0..=5 => table_mutant(&mut random, &file),
        6 => splice(&mut random, file.as_bytes(), other.as_bytes()),
        _ => flip_bits(&mut random, file.as_bytes()),
    });
    let tally = fuzz("records", mutants, read, use_accepted);
    assert!(n_mutants / 100 < tally.accepted, "only {} accepted", tally.accepted);
}

#[test]
fn a_file_of_records_cut_anywhere_is_refused_or_usable() {
    let mut store = Store::default();
    store.insert(record(Scheme::Layer(1), "tiny")).unwrap();
    let file = store.to_csv();
    let mut random = Random::new(0, 71);
    let mutants = truncations(&mut random, file.as_bytes(), usize::MAX);
    let tally = fuzz("records, cut", mutants, read, use_accepted);
    assert_eq!(tally.accepted, 1, "only the columns' names alone are a file");
}
