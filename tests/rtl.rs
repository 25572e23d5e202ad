//! Is the RTL, under Verilator, the stepped model: every output, the edge of every output, every accumulator?

use tridot_sim::rtl::Observed;
use tridot_sim::stepped::Job;

use crate::support::{skip, slow};

mod cases;
mod faults;
mod lint;
mod tools;

use cases::{Case, Setup};
use tools::Simulator;

/// What the stepped model does, as the harness would have seen it.
fn stepped(case: &Case, setup: &Setup) -> Observed {
    let arch = &setup.arch;
    let job = Job::new(&case.network, 0, arch, case.images, &case.codes).unwrap();
    let mut state = job.reset();
    let mut moves = Vec::new();
    while !job.is_done(&state) {
        let before = state.clone();
        job.step(&mut state);
        if before.counts.moves < state.counts.moves {
            // A move copies what the accumulators held; segments that the layer does not use hold 0.
            let segments = job.mapping().segments;
            let unused = vec![0; arch.segments() - segments];
            let of_branch = |values: &[i64]| [values, &unused].concat();
            let accumulators = before.accumulators.values.chunks(segments).flat_map(of_branch);
            let (edge, accumulators) = (before.edge, accumulators.collect());
            moves.push(tridot_sim::rtl::Move { edge, accumulators });
        }
    }
    Observed {
        outputs: state.outputs,
        written_at: state.written_at,
        moves,
        cycles: state.counts.cycles.0,
        steps: state.counts.steps,
        stalls: state.counts.stall_scaler.0,
    }
}

/// The first thing in which the RTL differs from the stepped model, or none.
fn difference(seen: &Observed, expected: &Observed) -> Option<String> {
    let first = |name: &str, seen: &[i64], expected: &[i64]| {
        let at = seen.iter().zip(expected).position(|(seen, expected)| seen != expected)?;
        Some(format!("{name} {at}: {} on the RTL, {} stepped", seen[at], expected[at]))
    };
    let edges = |edges: &[u64]| edges.iter().map(|&edge| edge.cast_signed()).collect::<Vec<_>>();
    let moved = |run: &Observed| run.moves.iter().map(|m| m.edge).collect::<Vec<_>>();
    first("edge of move", &edges(&moved(seen)), &edges(&moved(expected)))
        .or_else(|| {
            let pairs = seen.moves.iter().zip(&expected.moves);
            pairs.enumerate().find_map(|(i, (seen, expected))| {
                let name = format!("move {i}, accumulator");
                first(&name, &seen.accumulators, &expected.accumulators)
            })
        })
        .or_else(|| first("output", &seen.outputs, &expected.outputs))
        .or_else(|| first("edge of output", &edges(&seen.written_at), &edges(&expected.written_at)))
        .or_else(|| {
            (seen != expected).then(|| format!("{seen:?} on the RTL, {expected:?} stepped"))
        })
}

/// Builds the array of a setup and runs all its layers; asserts what the setup says it reaches.
fn check(setup: &Setup) {
    let Some(simulator) = Simulator::build(&setup.arch, &[]) else { return };
    let (mut outputs, mut moves, mut stalls, mut several_passes) = (0, 0, 0, false);
    for case in &setup.cases {
        let expected = stepped(case, setup);
        let seen = simulator
            .run(case, &setup.arch)
            .unwrap_or_else(|error| panic!("{}, {}: {error}", setup.arch.name, case.name));
        if let Some(difference) = difference(&seen, &expected) {
            panic!("{}, {}: {difference}", setup.arch.name, case.name);
        }
        outputs += seen.outputs.len();
        moves += seen.moves.len();
        stalls += seen.stalls;
        several_passes |= 1 < case.mapping(&setup.arch).passes;
        assert!(2 <= seen.outputs.iter().collect::<std::collections::BTreeSet<_>>().len());
    }
    println!("{}: {outputs} outputs, {moves} moves, {stalls} stalls", setup.arch.name);
    assert!(0 < stalls, "{}: no layer is bound by the scaler", setup.arch.name);
    assert!(several_passes, "{}: no layer has several passes", setup.arch.name);
}

/// One small array, in every run.
#[test]
fn rtl_of_a_small_array_is_the_stepped_model() {
    check(&cases::small());
}

/// The other arrays build for minutes.
fn check_slowly(setup: fn() -> Setup) {
    let setup = setup();
    if slow() {
        check(&setup);
    } else {
        skip(&format!("rtl of {}", setup.arch.name), "slow");
    }
}

#[test]
fn rtl_with_gate_segments_and_nibbles_is_the_stepped_model() {
    check_slowly(cases::segments);
}

#[test]
fn rtl_bit_serial_with_three_branches_is_the_stepped_model() {
    check_slowly(cases::serial);
}

#[test]
fn rtl_of_one_lane_is_the_stepped_model() {
    check_slowly(cases::one_lane);
}

#[test]
fn rtl_of_many_multipliers_is_the_stepped_model() {
    check_slowly(cases::wide);
}
