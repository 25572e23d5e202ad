//! Is the RTL the stepped model: every output, the edge of every output, every accumulator?

use std::collections::BTreeMap;

use tridot_sim::arch::Architecture;
use tridot_sim::network::Sign;
use tridot_sim::rtl::{Case, Observed};
use tridot_sim::vectors::Vectors;

use crate::random;

mod bench;
mod cases;
mod cocotb;
mod faults;
mod lint;
mod tools;
mod waveform;

use cases::Setup;
use tools::Simulator;

/// What the stepped model does, as the harness would have seen it.
fn stepped(case: &Case, arch: &Architecture) -> Observed {
    Vectors::new(&case.network, 0, arch, case.images, &case.codes).unwrap().expected
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

/// What the layers of an array reached.
#[derive(Debug, Default)]
struct Reach {
    outputs: usize,
    moves: usize,
    stalls: u64,
    layers: usize,
    features: BTreeMap<&'static str, usize>,
}

impl Reach {
    fn add(&mut self, case: &Case, arch: &Architecture, seen: &Observed) {
        let map = case.mapping(arch).unwrap();
        let work = map.work();
        self.outputs += seen.outputs.len();
        self.moves += seen.moves.len();
        self.stalls += seen.stalls;
        self.layers += 1;
        let features = [
            ("dbq", !work.merged),
            ("fixed", work.merged),
            ("depthwise", work.geometry.is_depthwise()),
            ("signed", work.activation_sign == Sign::Signed),
            ("several passes", 1 < map.passes),
            ("several images", 1 < work.images),
            ("stalls", 0 < seen.stalls),
        ];
        for (feature, has) in features {
            *self.features.entry(feature).or_default() += usize::from(has);
        }
    }
}

/// Runs one layer on the RTL and on the stepped model, which must not differ.
fn check_layer(simulator: &Simulator, case: &Case, arch: &Architecture, reach: &mut Reach) {
    let seen = simulator
        .run(case, arch)
        .unwrap_or_else(|error| panic!("{}, {}: {error}", arch.name, case.name));
    if let Some(difference) = difference(&seen, &stepped(case, arch)) {
        panic!("{}, {}: {difference}", arch.name, case.name);
    }
    reach.add(case, arch, &seen);
}

/// Builds the array of a setup and runs its layers, then random ones; a longer run sets `RTL_LAYERS`.
fn check(setup: &Setup) {
    let arch = &setup.arch;
    let Some(simulator) = Simulator::build(arch) else { return };
    let mut reach = Reach::default();
    for case in &setup.cases {
        check_layer(&simulator, case, arch, &mut reach);
    }
    println!("{}: {reach:?}", arch.name);
    assert!(0 < reach.features["stalls"], "{}: no layer is bound by the scaler", arch.name);
    assert!(0 < reach.features["several passes"], "{}: no layer has several passes", arch.name);
    let mut reach = Reach::default();
    let layers = random::cases("RTL_LAYERS", 10, 60);
    for case in &cases::random_layers(arch, layers) {
        check_layer(&simulator, case, arch, &mut reach);
    }
    println!("{}: {reach:?}", arch.name);
    // How often the scaler stalls is up to the array; a layer above shows that it can.
    let features = reach.features.iter().filter(|(feature, _)| **feature != "stalls");
    for (feature, &layers) in features {
        assert!(reach.layers <= 20 * layers, "{}: {layers} layers with {feature}", arch.name);
    }
}

/// One small array, in every run. Others run under Icarus here, and under Verilator where the command is tested.
#[test]
fn rtl_of_a_small_array_is_the_stepped_model() {
    check(&cases::small());
}
