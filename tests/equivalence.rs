//! Do independent implementations agree on every bit of every tensor? Do planted bugs get caught?

use tridot_sim::compare::{Comparison, first_difference};
use tridot_sim::reference;

use crate::faulty::{self, Fault};
use crate::generator;
use crate::random::cases;

/// Networks in which every planted fault must show.
const FAULT_NETWORKS: u64 = 400;

fn n_networks() -> u64 {
    cases("EQUIVALENCE_NETWORKS", 200, 2_000) as u64
}

#[test]
fn the_faulty_interpreter_without_a_fault_equals_the_reference() {
    for seed in 0..FAULT_NETWORKS.max(n_networks()) {
        let network = generator::network(seed);
        let picture = generator::picture(&network, seed);
        let expected = reference::run(&network, &picture).unwrap();
        let got = faulty::run(&network, &picture, Fault::None);
        if let Some(difference) = first_difference(&expected, &got) {
            panic!("network of seed {seed}: {}", difference.place(&network));
        }
    }
}

#[test]
fn every_planted_fault_is_found() {
    let cases: Vec<_> = (0..FAULT_NETWORKS)
        .map(|seed| {
            let network = generator::network(seed);
            let picture = generator::picture(&network, seed);
            let expected = reference::run(&network, &picture).unwrap();
            (seed, network, picture, expected)
        })
        .collect();
    let mut missed = Vec::new();
    for fault in faulty::all_faults() {
        let found = cases.iter().find_map(|(seed, network, picture, expected)| {
            let got = faulty::run(network, picture, fault);
            let difference = first_difference(expected, &got)?;
            Some(format!("network of seed {seed}, {}", difference.place(network)))
        });
        match found {
            Some(place) => println!("{fault:?}: {place}"),
            None => missed.push(fault),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
