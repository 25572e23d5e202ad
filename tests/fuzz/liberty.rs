//! Does the reader of liberty files survive whatever a file may hold?

use tridot_sim::liberty::Library;

use super::bytes::{flip_bits, splice, truncations};
use super::driver::fuzz;
use super::text::structure_mutant;
use crate::random::{Random, cases};

/// An inverter, a nand and a flip-flop.
const TINY: &str = include_str!("../../sim/src/liberty/tiny.lib");

fn read(bytes: &[u8]) -> Result<Library, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Library::read(&[("tiny.lib", text)]).map_err(|error| error.to_string())
}

/// What is accepted has finite numbers, and its cells are in the file for a synthesis tool.
fn use_accepted(library: &Library, _: &[u8]) {
    assert!(library.voltage_v.is_finite() && library.temperature_c.is_finite());
    for cell in library.cells.values() {
        assert!(cell.area_um2.is_finite() && cell.leakage_nw.is_finite());
    }
    assert!(library.inverter().is_none_or(|(_, capacitance)| capacitance.is_finite()));
    // For synthesis alone: without power tables.
    assert!(library.cells.keys().all(|name| library.merged.contains(name)));
    assert!(Library::read(&[("merged.lib", &library.merged)]).is_err());
}

#[test]
fn a_liberty_file_cut_anywhere_is_refused_or_usable() {
    let mut random = Random::new(0, 40);
    let mutants = truncations(&mut random, TINY.as_bytes(), usize::MAX);
    let tally = fuzz("liberty file, cut", mutants, read, use_accepted);
    assert_eq!(tally.structure, TINY.len());
}

#[test]
fn hostile_liberty_files_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let mut random = Random::new(0, 41);
    let mutants = (0..n_mutants).map(|_| match random.below(10) {
        0..=6 => structure_mutant(&mut random, TINY),
        7 => splice(&mut random, TINY.as_bytes(), TINY.as_bytes()),
        _ => flip_bits(&mut random, TINY.as_bytes()),
    });
    let tally = fuzz("liberty file", mutants, read, use_accepted);
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}
