//! The published checkpoints, where they are at hand.

use super::super::*;
use crate::topology::{Topology, builtin, builtin_names};

/// Each fits one built-in topology with nothing missing or left over, and no other.
#[test]
fn published_checkpoints_fit_exactly_one_topology() {
    let Some(folder) = std::env::var_os("TRIDOT_DATA") else {
        println!("skipped: no data (TRIDOT_DATA is not set)");
        return;
    };
    let names = builtin_names();
    let topologies: Vec<Topology> = names.iter().map(|name| builtin(name).unwrap()).collect();
    let cases = [
        ("resnet20_cifar10", "resnet20"),
        ("vww_mobilenetv1_0.25_96_mlperf", "mobilenetv1-0.25-96-vww"),
        ("mobilenet_v2_1.0_224_dequant", "mobilenetv2-1.0-224-folded"),
    ];
    for (file, name) in cases {
        let weights = std::path::Path::new(&folder).join("weights");
        let bytes = std::fs::read(weights.join(format!("{file}.safetensors"))).unwrap();
        let checkpoint = Checkpoint::read(&bytes).unwrap();
        let fitting = identify(&checkpoint, &topologies);
        let fitting: Vec<&str> = fitting.into_iter().map(|idx| names[idx]).collect();
        assert_eq!(fitting, [name], "{file}");
        let network = float_network(&checkpoint, builtin(name).unwrap()).unwrap();
        let weights: usize = network.parameters.iter().flatten().map(|dot| dot.weights.len()).sum();
        assert_eq!(weights as u64, network.topology.weights(), "{file}");
    }
}
