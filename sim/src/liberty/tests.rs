use super::*;

/// A library of an inverter, a nand and a flip-flop with complements, in picoseconds and femtofarads.
pub(crate) const TINY: &str = include_str!("tiny.lib");

#[test]
fn a_tiny_library_in_our_units() {
    let library = Library::read(&[("tiny.lib", TINY)]).unwrap();
    assert_eq!((library.voltage_v, library.temperature_c), (2.0, 25.0));
    assert_eq!(library.cells.keys().collect::<Vec<_>>(), ["dff", "inv", "nand"]);
    assert_eq!(library.inverter(), Some(("inv", 2.0)));
    let nand = &library.cells["nand"];
    assert_eq!((nand.area_um2, nand.leakage_nw), (2.0, 0.006));
    assert_eq!(nand.inputs[1].capacitance_ff, 4.0);
    // What flows to the ground was paid by the supply already.
    assert_eq!(nand.outputs[0].energy.len(), 1);
    assert_eq!(nand.outputs[0].energy[0].mean(0.0, 0.0), 4.0);
    assert_eq!(nand.outputs[0].arcs[1].delay.both(0.0, 0.0), Some((50.0, 60.0)));
    let dff = &library.cells["dff"];
    assert_eq!(dff.flip_flop, Some(FlipFlop { clock: 0, data: 1 }));
    assert!(dff.outputs[0].is_inverted, "QN shows the complement of D");
    assert_eq!(dff.inputs[1].setup[0].at(0.0, 0.0), 15.0);
}

#[test]
fn the_merged_file_has_the_same_cells() {
    let library = Library::read(&[("tiny.lib", TINY)]).unwrap();
    assert!(!library.merged.contains("hidden") && !library.merged.contains("internal_power"));
    let merged = syntax::parse("merged", &library.merged).unwrap();
    let names: Vec<_> = merged.all("cell").map(Group::argument).collect();
    assert_eq!(names, ["inv", "nand", "dff"]);
    assert_eq!(merged.value("time_unit"), Some("1ps"));
    let ff = merged.all("cell").nth(2).and_then(|cell| cell.group("ff")).unwrap();
    assert_eq!(ff.value("next_state"), Some("!D"));
}

#[test]
fn what_gives_no_energy_is_refused() {
    let refused = |text: &str| Library::read(&[("a.lib", text)]).unwrap_err().to_string();
    let silent = TINY.replace("internal_power", "internal_force");
    assert_eq!(
        refused(&silent),
        "a.lib: no combinational cell with power tables is there; a.lib, line 4: cell `inv` has no \
         internal_power, and without power tables no energy can be told"
    );
    assert_eq!(
        refused(&TINY.replace("  ff (", "  gg (")),
        "a.lib: no flip-flop of one clock and one input (group `ff`) with power tables is there"
    );
    assert_eq!(
        refused(&TINY.replace("capacitance : 4", "capacitance : x")),
        "a.lib, line 14, pin `B`: capacitance must be a number from 0 on, got x"
    );
    assert_eq!(
        refused(&TINY.replace("values (\"50\")", "values (\"5 0\")")),
        "a.lib, line 15, pin `Y`, cell_rise: the number of values must be 1, got 2"
    );
    assert_eq!(
        refused(&TINY.replace("nom_voltage : 2", "x : 2")),
        "a.lib: has neither nom_voltage nor operating_conditions"
    );
    let twice = Library::read(&[("a.lib", TINY), ("b.lib", TINY)]).unwrap_err().to_string();
    assert_eq!(twice, "b.lib, line 4: cell `inv` is there twice");
    let other = TINY.replace("nom_voltage : 2", "nom_voltage : 3");
    let other = Library::read(&[("a.lib", TINY), ("b.lib", &other)]).unwrap_err().to_string();
    assert!(other.starts_with("b.lib: library `tiny` has other units"), "{other}");
}
