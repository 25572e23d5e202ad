//! Does the reader of traces survive whatever a file may hold?

use tridot_sim::arch::Architecture;
use tridot_sim::fast::{self, Sampling};
use tridot_sim::network::{Network, TensorId};
use tridot_sim::reference;
use tridot_sim::trace::Trace;

use super::bytes::{flip_bits, splice, truncations};
use super::container::Safetensors;
use super::driver::{Mutant, fuzz};
use crate::generator;
use crate::random::{Random, cases};

/// Small traces of different networks: their seeds in the generator.
const SEEDS: std::ops::Range<u64> = 0..12;

/// The metadata key of a trace's description.
const KEY: &str = "tridot_trace";

fn read(bytes: &[u8]) -> Result<Trace, String> {
    Trace::from_bytes(bytes).map_err(|error| error.to_string())
}

fn traced(seed: u64) -> (Network, Trace) {
    let network = generator::network(seed);
    let run = |i| reference::run(&network, &generator::picture(&network, 2 * seed + i)).unwrap();
    let trace = Trace::record(&network, "random pictures", &[run(0), run(1)]).unwrap();
    (network, trace)
}

/// What is accepted says the same when written and read again, and runs where it names one of the networks.
fn use_accepted(trace: &Trace, bytes: &[u8], networks: &[Network]) {
    let file = trace.to_bytes();
    assert_eq!(Trace::from_bytes(&file).as_ref(), Ok(trace));
    safetensors::SafeTensors::deserialize(bytes).expect("other readers accept what we accept");
    for tensor in trace.tensors() {
        assert_eq!(tensor.codes().count() as u64, tensor.statistics.codes);
    }
    let arch = Architecture::preset("segments").unwrap();
    for network in networks.iter().filter(|network| trace.fits(network).is_ok()) {
        for (layer_idx, layer) in network.layers.iter().enumerate() {
            let codes = trace.codes(layer.inputs[0]);
            let images = trace.pictures();
            let sampling = Sampling::OneOf(8);
            // A layer that the array cannot run is refused; nothing else is.
            if fast::layer(network, layer_idx, &arch, images).is_ok() {
                fast::layer_with_toggles(network, layer_idx, &arch, images, &codes, sampling)
                    .unwrap();
            }
            let output = &trace.tensors()[TensorId::of_layer(layer_idx).0];
            assert_eq!(output.name, format!("{}.output", layer.name));
        }
    }
}

#[test]
fn a_trace_cut_anywhere_is_refused() {
    let mut random = Random::new(0, 30);
    let file = SEEDS.map(|seed| traced(seed).1.to_bytes()).min_by_key(Vec::len).unwrap();
    let mutants = truncations(&mut random, &file, usize::MAX);
    let tally = fuzz("trace, cut", mutants, read, |_, _| ());
    assert_eq!((tally.structure, tally.accepted), (file.len(), 0));
}

#[test]
fn hostile_traces_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let (networks, traces): (Vec<_>, Vec<_>) = SEEDS.map(traced).unzip();
    let files: Vec<_> = traces.iter().map(Trace::to_bytes).collect();
    let parsed: Vec<_> = files.iter().map(|file| Safetensors::parse(file)).collect();
    let mut random = Random::new(0, 31);
    let mutants = (0..n_mutants).map(|_| {
        let base = random.below(files.len());
        let (file, other) = (&files[base], random.below(files.len()));
        let mutant = match random.below(20) {
            0..=7 => parsed[base].metadata_mutant(&mut random, KEY),
            // Sound but for a seal: what the pictures are called is free.
            8 => {
                let named = format!("\"{}\"", "x".repeat(random.size(1, 40)));
                let text = parsed[base].metadata(KEY).replace("\"random pictures\"", &named);
                parsed[base].with_metadata(KEY, &text, format!("data is called {named}"))
            }
            9..=12 => parsed[base].header_mutant(&mut random),
            13 => parsed[base].length_mutant(&mut random),
            14..=15 => splice(&mut random, file, &files[other]),
            16..=17 => parsed[base].data_mutant(&mut random),
            _ => flip_bits(&mut random, file),
        };
        let mutant = if random.percent(80) { parsed[base].sealed(KEY, mutant) } else { mutant };
        Mutant { what: format!("trace of seed {base}, {}", mutant.what), ..mutant }
    });
    let tally = fuzz("trace", mutants, read, |trace, bytes| use_accepted(trace, bytes, &networks));
    // Enough must come through that the paths behind the reader are exercised too.
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}
