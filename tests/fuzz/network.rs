//! Does the reader of Networks survive whatever a file may hold?

use tridot_sim::network::{Network, Operator};
use tridot_sim::reference;

use super::bytes::{flip_bits, splice, truncations};
use super::container::Safetensors;
use super::driver::{Mutant, fuzz};
use crate::generator;
use crate::random::{Random, cases};

/// Small files of different kinds: their seeds in the generator.
const SEEDS: std::ops::Range<u64> = 0..16;

fn read(bytes: &[u8]) -> Result<Network, String> {
    Network::from_bytes(bytes).map_err(|error| error.to_string())
}

/// Products and moves that the reference would make: mutants may ask for years of them.
fn work(network: &Network) -> u64 {
    let layer_work = |layer: &tridot_sim::network::Layer| {
        let elements = layer.output.shape.elements() as u64;
        elements
            * match &layer.operator {
                Operator::Dot(dot) => {
                    let planes = dot.weights.planes(network.digits);
                    network.fan_in(layer, dot) as u64 * u64::from(planes)
                }
                Operator::AveragePool { window, .. } | Operator::MaxPool { window, .. } => {
                    window.taps() as u64
                }
                Operator::Add { .. }
                | Operator::Rescale { .. }
                | Operator::Split { .. }
                | Operator::Concat
                | Operator::Shuffle { .. }
                | Operator::Subsample { .. }
                | Operator::ChannelPad { .. } => 1,
            }
    };
    network.layers.iter().map(layer_work).sum()
}

/// What is accepted runs, says the same when written and read again, and is a file for other readers.
fn use_accepted(network: &Network, bytes: &[u8]) {
    let file = network.to_bytes();
    assert_eq!(Network::from_bytes(&file).as_ref(), Ok(network));
    assert_eq!(Network::from_bytes(&file).unwrap().to_bytes(), file);
    safetensors::SafeTensors::deserialize(bytes).expect("other readers accept what we accept");
    if work(network) < 10_000_000 {
        let pixels = vec![200; network.input.tensor.shape.elements()];
        let tensors = reference::run(network, &pixels).unwrap();
        for (id, tensor) in tensors.iter().enumerate() {
            let range = network.range(tridot_sim::network::TensorId(id));
            assert!(tensor.iter().all(|code| (range.low..=range.high).contains(code)));
        }
    }
}

fn mutant(random: &mut Random, file: &[u8], parsed: &Safetensors, other: &[u8]) -> Mutant {
    let mutant = match random.below(20) {
        0..=8 => parsed.metadata_mutant(random, "tridot"),
        9..=12 => parsed.header_mutant(random),
        13 => parsed.length_mutant(random),
        14..=15 => splice(random, file, other),
        16..=17 => parsed.data_mutant(random),
        _ => flip_bits(random, file),
    };
    if random.percent(80) { parsed.sealed("tridot", mutant) } else { mutant }
}

#[test]
fn random_networks_come_back_from_their_files() {
    for seed in 0..100 {
        let network = generator::network(seed);
        let bytes = network.to_bytes();
        assert_eq!(Network::from_bytes(&bytes).as_ref(), Ok(&network), "seed {seed}");
        use_accepted(&network, &bytes);
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let mut random = Random::new(0, 2);
    let file = SEEDS.map(|seed| generator::network(seed).to_bytes()).min_by_key(Vec::len).unwrap();
    let mutants = truncations(&mut random, &file, usize::MAX);
    let tally = fuzz("network, cut", mutants, read, use_accepted);
    assert_eq!((tally.structure, tally.accepted), (file.len(), 0));
}

#[test]
fn hostile_files_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let files: Vec<_> = SEEDS.map(|seed| generator::network(seed).to_bytes()).collect();
    let parsed: Vec<_> = files.iter().map(|file| Safetensors::parse(file)).collect();
    let mut random = Random::new(0, 3);
    let mutants = (0..n_mutants).map(|_| {
        let (base, other) = (random.below(files.len()), random.below(files.len()));
        let mutant = mutant(&mut random, &files[base], &parsed[base], &files[other]);
        Mutant { what: format!("file of seed {base}, {}", mutant.what), ..mutant }
    });
    let tally = fuzz("network", mutants, read, use_accepted);
    // Enough must come through that the paths behind the reader are exercised too.
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}
