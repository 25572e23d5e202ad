use super::*;
use crate::liberty::Library;

/// A nand of a register and of port b, taken by that register; the register shows the complement of what it takes.
const GATES: &str = r#"{ "modules": { "top": {
  "ports": { "clk": { "direction": "input", "bits": [2] }, "b": { "direction": "input", "bits": [3] },
             "y": { "direction": "output", "bits": [4] } },
  "cells": {
    "array.column[0].row[0].engine.$1": { "type": "nand", "connections": { "A": [5], "B": [3], "Y": [4] } },
    "scaler.$2": { "type": "dff", "connections": { "C": [2], "D": [4], "QN": [5] } } } } } }"#;

fn library() -> Library {
    Library::read(&[("tiny.lib", crate::liberty::TINY)]).unwrap()
}

/// Nets by their place: b, clk, y, q of the ports and cells in order of names: 0 = b, 1 = clk, 2 = y, 3 = q.
#[test]
fn the_energy_of_two_gates_by_hand() {
    let library = library();
    let netlist = Netlist::from_yosys(GATES, "top", &library).unwrap();
    let timing = Timing::new(&netlist, 1.0, 2.0, &|_| false).unwrap();
    // Pins of 3, 4 and 2 fF, and a wire of 1 fF to each.
    assert_eq!(timing.loads_ff, [5.0, 2.0, 3.0, 4.0]);
    let power = Power::new(&netlist, &timing, 2.0, 1.0);
    let engine = Part::Engine as usize;
    let scaler = Part::Scaler as usize;
    let of = |net: usize| (power.toggle_fj[net][engine], power.toggle_fj[net][scaler]);
    // b: ½ · 5 fF · 4 V². The clock's net is not among the toggles.
    assert_eq!((of(0), of(1)), ((10.0, 0.0), (0.0, 0.0)));
    // y: the nand's (6 + 2)/2 fJ; ½ · 3 · 4 at the register's D.
    assert_eq!(of(2), (4.0, 6.0));
    // q: the register's (10 + 20)/2; ½ · 4 · 4 and (1 + 0)/2 at the nand's A.
    assert_eq!(of(3), (8.5, 15.0));
    // The clock: 2 + 4 fJ in the pin, (1 + 1) fF · 4 V².
    assert_eq!((power.clock_fj[scaler], power.flip_flops), (14.0, 1));
    assert_eq!(power.area_um2(), 7.0);
    // 6 pW, the mean of the nand's states, and 7 pW.
    assert!((power.leakage_nw - 0.013).abs() < 1e-12);
    let window = power.of_toggles(&[1, 9, 2, 3]);
    let window = [engine, scaler].map(|part| window[part] + 10.0 * power.clock_fj[part]);
    assert_eq!((window[0], window[1]), (10.0 + 8.0 + 25.5, 12.0 + 45.0 + 140.0));
}

#[test]
fn the_slowest_path_of_two_gates_by_hand() {
    let library = library();
    let netlist = Netlist::from_yosys(GATES, "top", &library).unwrap();
    let timing = Timing::new(&netlist, 1.0, 2.0, &|name| name == "b").unwrap();
    // From the register (80 ps) through the nand's A (40 ps) to its setup (15 ps).
    assert_eq!(timing.slowest_ps, 80.0 + 40.0 + 15.0);
    assert_eq!(timing.slowest_path, ["dff", "nand", "dff"]);
    assert_eq!(timing.delays_ps[0], [(40.0, 50.0)]);
    // From a port that changes, half of 70 and 80 ps after the edge, through B (60 ps).
    let timing = Timing::new(&netlist, 1.0, 2.0, &|_| false).unwrap();
    assert_eq!(timing.slowest_ps, 75.0 + 60.0 + 15.0);
}

#[test]
fn gates_in_verilog() {
    let library = library();
    let netlist = Netlist::from_yosys(GATES, "top", &library).unwrap();
    let text = gates(&netlist, Delays::Zero);
    assert!(
        text.contains("assign n2 = ~(n3 & n0);") && text.contains("assign n3 = ~q1;"),
        "{text}"
    );
    assert!(text.contains("q1 <= n2;"), "{text}");
    let timing = Timing::new(&netlist, 1.0, 2.0, &|_| false).unwrap();
    assert!(gates(&netlist, Delays::Timed(&timing)).contains("assign #(400, 500) n2 ="));
}

#[test]
fn netlists_that_are_none_are_refused() {
    let library = library();
    let refused = |text: &str| Netlist::from_yosys(text, "top", &library).unwrap_err().to_string();
    assert_eq!(refused(&GATES.replace("\"top\"", "\"other\"")), "netlist: has no module `top`");
    assert_eq!(
        refused(&GATES.replace("\"dff\"", "\"$_DFF_P_\"")),
        "netlist: cell `scaler.$2` is a `$_DFF_P_`, which the library has not"
    );
    assert_eq!(
        refused(&GATES.replace("\"QN\": [5]", "\"QN\": [4]")),
        "netlist: net 2 is driven twice"
    );
    assert_eq!(
        refused(&GATES.replace("\"QN\": [5]", "\"QN\": []")),
        "netlist: net 3 is driven by nothing"
    );
    assert_eq!(
        refused(&GATES.replace("\"A\": [5]", "\"A\": [4]").replace("\"QN\": [5]", "\"QN\": []")),
        "netlist: 1 cells lie in combinational loops"
    );
    assert!(refused("{").starts_with("netlist: "));
}
