//! Do independent implementations agree on every bit of every tensor? Do planted bugs get caught?

use tridot_models::candle_model;
use tridot_sim::compare::{Comparison, first_difference};
use tridot_sim::kernels::{Backend, Prepared, Scratch};
use tridot_sim::network::Network;
use tridot_sim::reference;

use crate::faulty::{self, Fault};
use crate::generator;
use crate::random::cases;

/// Networks in which every planted fault must show.
const FAULT_NETWORKS: u64 = 400;

fn n_networks() -> u64 {
    cases("EQUIVALENCE_NETWORKS", 200, 2_000) as u64
}

/// Runs every other implementation on one picture and compares all tensors with the reference's.
fn compare_all(seed: u64, network: &Network, pictures: &[Vec<u8>]) -> Vec<(String, Comparison)> {
    let expected: Vec<_> =
        pictures.iter().map(|picture| reference::run(network, picture).unwrap()).collect();
    let mut comparisons = Vec::new();
    for backend in Backend::available() {
        let prepared = Prepared::new(network, backend)
            .unwrap_or_else(|error| panic!("seed {seed}, {backend:?}: {error}"));
        let mut scratch = Scratch::new(&prepared);
        let mut comparison = Comparison::default();
        for (i, (picture, expected)) in pictures.iter().zip(&expected).enumerate() {
            comparison.add(i, expected, &prepared.tensors(&mut scratch, picture).unwrap());
            let output = prepared.run(&mut scratch, picture).unwrap();
            assert_eq!(Some(output), expected.last().map(Vec::as_slice), "seed {seed}");
        }
        comparisons.push((format!("kernels, {backend:?}"), comparison));
    }
    comparisons.push(("candle model".to_owned(), compare_candle(network, pictures, &expected)));
    comparisons
}

/// The candle model computes all pictures at once, each tensor picture after picture.
fn compare_candle(
    network: &Network,
    pictures: &[Vec<u8>],
    expected: &[Vec<Vec<i64>>],
) -> Comparison {
    let together = candle_model::run(network, &pictures.concat(), pictures.len()).unwrap();
    let mut comparison = Comparison::default();
    for (i, expected) in expected.iter().enumerate() {
        let part = |tensor: &Vec<i64>| {
            let len = tensor.len() / pictures.len();
            tensor[i * len..(i + 1) * len].to_vec()
        };
        comparison.add(i, expected, &together.iter().map(part).collect::<Vec<_>>());
    }
    comparison
}

#[test]
fn all_implementations_agree_on_random_networks() {
    let mut values = 0;
    for seed in 0..n_networks() {
        let network = generator::network(seed);
        let pictures = [0, 1].map(|i| generator::picture(&network, 2 * seed + i));
        for (name, comparison) in compare_all(seed, &network, &pictures) {
            if let Some((picture_idx, difference)) = comparison.first {
                let place = difference.place(&network);
                panic!("network of seed {seed}, picture {picture_idx}, {name}: {place}");
            }
            values += comparison.values;
        }
    }
    println!("{values} values compared, {:?} available", Backend::available());
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
