//! Planted faults of time and state: copies of the RTL with one thing wrong. All must be found.
//!
//! Faults of values, which `verify` tells by their kind, are planted where its command is tested.

use tridot_sim::arch::Architecture;
use tridot_sim::rtl::{Case, Observed};

use super::bench::Bench;
use super::cases;
use super::tools::{Change, has};
use super::{difference, stepped};

/// Name, file, what is there, what takes its place.
const FAULTS: [(&str, Change); 6] = [
    (
        "dropped stall",
        ("tridot_core.sv", "assign enable = !complete || !full || last;", "assign enable = 1'b1;"),
    ),
    (
        "bank free one edge late",
        ("tridot_core.sv", "!complete || !full || last;", "!complete || !full;"),
    ),
    (
        // One more edge between the tree and the accumulators, for the step's word alone.
        "late accumulate",
        (
            "tridot_array.sv",
            "assign acc_valid = ",
            "logic acc_early;\n    always_ff @(posedge clk) if (enable) acc_valid <= acc_early;\n    \
             assign acc_early = ",
        ),
    ),
    ("rounds down", ("tridot_scaler_column.sv", "(y + half) >>> shift", "y >>> shift")),
    (
        "y starts as bias in every pass",
        ("tridot_drain.sv", "round_starts_held && first_value == '0", "first_value == '0"),
    ),
    (
        "accumulators never start anew",
        ("tridot_engine.sv", "acc_first ? '0 : acc_widen", "acc_widen"),
    ),
];

/// What differs of a layer on the RTL of a bench.
fn found(bench: &Bench<'_>, arch: &Architecture, case: &Case) -> Option<String> {
    let (_, said) = bench.run(case, &["+events"]);
    let is_event =
        |line: &&str| ["move", "write", "done"].iter().any(|word| line.starts_with(word));
    let events: Vec<&str> = said.lines().filter(is_event).collect();
    let expected = stepped(case, arch);
    let difference = match Observed::parse(&events.join("\n"), expected.outputs.len(), arch) {
        Ok(seen) => difference(&seen, &expected),
        Err(error) => Some(error.to_string()),
    };
    difference.map(|difference| format!("{}: {difference}", case.name))
}

#[test]
fn planted_faults_of_the_rtl_are_found() {
    if !has("planted faults of the rtl", "iverilog", "-V") {
        return;
    }
    let setup = cases::small();
    let check = |changes: &[Change]| {
        let bench = Bench::compile(&setup.arch, changes);
        setup.cases.iter().find_map(|case| found(&bench, &setup.arch, case))
    };
    assert_eq!(check(&[]), None);
    for (name, change) in FAULTS {
        println!("{name}: {}", check(&[change]).unwrap_or_else(|| panic!("{name} is not found")));
    }
}
