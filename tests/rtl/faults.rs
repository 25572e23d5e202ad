//! Planted faults: copies of the RTL with one thing wrong. All must be found.

use tridot_sim::rtl::Observed;
use tridot_sim::vectors::Vectors;
use tridot_sim::verify::{Kind, Verifier};

use super::bench::Bench;
use super::cases::{self, Setup};
use super::tools::{Change, Simulator, has};
use super::{difference, stepped};
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

/// A fault of a kind: the array and the layer on which it shows, what is wrong.
struct Fault {
    kind: Kind,
    setup: fn() -> Setup,
    case: usize,
    change: Change,
}

const SCALER: &str = "tridot_scaler_column.sv";
const ENGINE: &str = "tridot_engine.sv";

/// One fault of each kind that `verify` tells apart.
fn faults_by_kind() -> Vec<Fault> {
    let small = |kind, case, change| Fault { kind, setup: cases::small, case, change };
    vec![
        small(Kind::Sign, 1, (ENGINE, "trit[1] ? -extended : extended", "extended")),
        small(
            Kind::Products,
            1,
            (
                "tridot_feeder.sv",
                "< active_rows && used[n]",
                "< active_rows && used[n] && n != LANES - 1",
            ),
        ),
        small(Kind::Rounding, 1, (SCALER, "(y + half) >>> shift", "y >>> shift")),
        small(Kind::Saturation, 1, (SCALER, "rounded < least ? least : most", "most")),
        small(Kind::Shift, 1, (SCALER, ">>> shift", ">>> (shift + 6'd1)")),
        Fault {
            kind: Kind::Scale,
            setup: cases::wide,
            case: 0,
            change: (
                "tridot_scaler.sv",
                "32'(segment) * BRANCHES + 32'(value[j*VALUE_BITS+:VALUE_BITS]));",
                "32'(segment) * BRANCHES);",
            ),
        },
        small(
            Kind::Pass,
            1,
            ("tridot_scaler.sv", ".d({starts, used,", ".d({starts, ends && !starts ? '0 : used,"),
        ),
        small(Kind::Stale, 0, (ENGINE, "acc_first ? '0 : acc_widen", "acc_widen")),
        small(
            Kind::Order,
            1,
            (ENGINE, "leaf_trits[(b*LANES+n)*2+:2]", "leaf_trits[(b*LANES+(n^1))*2+:2]"),
        ),
        small(
            Kind::OffByOneCycle,
            1,
            (
                "tridot_machine.sv",
                ".SCALER_STAGES(SCALER_STAGES)",
                ".SCALER_STAGES(SCALER_STAGES + 1)",
            ),
        ),
    ]
}

#[test]
fn ten_faults_are_told_by_kind_and_place() {
    if !has("faults by kind", "iverilog", "-V") {
        return;
    }
    for Fault { kind, setup, case, change } in faults_by_kind() {
        let Setup { arch, cases } = setup();
        let case = &cases[case];
        let (_, said) = Bench::compile(&arch, &[change]).run(case, &["+events"]);
        let lines = said
            .lines()
            .filter(|line| ["move", "write", "done"].iter().any(|event| line.starts_with(event)));
        let events: Vec<&str> = lines.collect();
        let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
        let outputs = vectors.expected.outputs.len();
        let seen = Observed::parse(&events.join("\n"), outputs, &arch)
            .unwrap_or_else(|error| panic!("{}: {error}: {said}", kind.name()));
        let checked = Verifier::new(&case.network, 0, &vectors).observed(&seen);
        let findings = if kind == Kind::OffByOneCycle {
            assert_eq!(checked.outputs.mismatches, 0, "only time is wrong");
            &checked.edges
        } else {
            &checked.outputs
        };
        let told = checked.first(&vectors).unwrap_or_else(|| panic!("{} is found", kind.name()));
        println!("{}: {told}", kind.name());
        let first = findings.first.as_ref().unwrap();
        assert_eq!(first.kind, kind, "{told}");
        let of_kind = findings.kinds[&kind];
        assert!(findings.mismatches <= 2 * of_kind, "{}: {told}", kind.name());
        // The place is the first output that is wrong, in NHWC order.
        let wrong = |at: &usize| {
            seen.outputs[*at] != vectors.expected.outputs[*at]
                || seen.written_at[*at] != vectors.expected.written_at[*at]
        };
        let place = (0..outputs).find(|at| match kind {
            Kind::OffByOneCycle => wrong(at),
            _ => seen.outputs[*at] != vectors.expected.outputs[*at],
        });
        assert_eq!(Some(first.index), place);
    }
}
