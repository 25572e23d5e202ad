//! Does the reader of network files (TOML) survive whatever a file may hold?

use tridot_models::topology::{Topology, builtin_names, builtin_text};
use tridot_sim::complexity::{self, Precision};
use tridot_sim::limits;

use super::bytes::{flip_bits, splice, truncations};
use super::driver::fuzz;
use super::text::structure_mutant;
use crate::random::{Random, cases};

fn read(bytes: &[u8]) -> Result<Topology, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Topology::from_toml(text).map_err(|error| error.to_string())
}

/// What is accepted keeps the limits, refers only backwards, and can be counted.
fn use_accepted(topology: &Topology) {
    assert!((1..=limits::MAX_LAYERS).contains(&topology.layers.len()));
    for (layer_idx, layer) in topology.layers.iter().enumerate() {
        assert!(layer.inputs.iter().all(|id| id.0 <= layer_idx));
        assert!((1..=limits::MAX_TENSOR_ELEMENTS).contains(&layer.shape.elements()));
    }
    assert_eq!(topology.layers.last().unwrap().shape.elements(), topology.classes);
    assert_eq!(topology.normalization.mean.len(), topology.input.channels);
    let uniform = Precision::Uniform { weight_bits: 8, activation_bits: 8 };
    let total = complexity::of_shapes(&topology.layer_shapes(), uniform).unwrap().total;
    assert_eq!((total.macs, total.weights), (topology.macs(), topology.weights()));
}

fn files() -> Vec<&'static str> {
    builtin_names().into_iter().map(|name| builtin_text(name).unwrap()).collect()
}

#[test]
fn a_network_file_cut_anywhere_is_refused_or_usable() {
    let mut random = Random::new(0, 20);
    let file = builtin_text("quickstart").unwrap().as_bytes();
    let mutants = truncations(&mut random, file, usize::MAX);
    let tally = fuzz("network file, cut", mutants, read, |topology, _| use_accepted(&topology));
    assert_eq!(tally.structure, file.len());
}

#[test]
fn hostile_network_files_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let files = files();
    let mut random = Random::new(0, 21);
    let mutants = (0..n_mutants).map(|_| {
        let (file, other) = (*random.pick(&files), *random.pick(&files));
        match random.below(10) {
            0..=6 => structure_mutant(&mut random, file),
            7 => splice(&mut random, file.as_bytes(), other.as_bytes()),
            _ => flip_bits(&mut random, file.as_bytes()),
        }
    });
    let tally = fuzz("network file", mutants, read, |topology, _| use_accepted(&topology));
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}
