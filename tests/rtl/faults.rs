//! Planted faults: copies of the RTL with one thing wrong. All must be found.

use super::tools::{Change, Simulator};
use super::{cases, difference, stepped};
use crate::support::{skip, slow};

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

#[test]
fn planted_faults_of_the_rtl_are_found() {
    if !slow() {
        skip("planted faults of the rtl", "slow");
        return;
    }
    let setup = cases::small();
    for (name, change) in FAULTS {
        let Some(simulator) = Simulator::build(&setup.arch, &[change]) else { return };
        let found = setup.cases.iter().find_map(|case| {
            let difference = match simulator.run(case, &setup.arch) {
                Ok(seen) => difference(&seen, &stepped(case, &setup.arch)),
                Err(error) => Some(error.to_string()),
            };
            difference.map(|difference| format!("{}: {difference}", case.name))
        });
        println!("{name}: {}", found.unwrap_or_else(|| panic!("{name} is not found")));
    }
}
