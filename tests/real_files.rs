//! Are the published pictures and checkpoints read as they are? Where they are at hand.

use tridot_models::data::{self, DataSet};
use tridot_models::import::{Checkpoint, float_network, identify};
use tridot_models::topology::{Topology, builtin, builtin_names};

use crate::support;

/// FNV-1a, 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Expected values were read from the file by an independent program.
#[test]
fn the_first_test_picture_of_cifar10_is_as_pinned() {
    let Some(dir) = support::data("the first CIFAR-10 picture", "cifar-10-batches-bin") else {
        return;
    };
    let pictures = data::load(&dir).unwrap().test;
    assert_eq!(pictures.len(), 10_000);
    // A cat; red, green and blue of its first two pixels.
    assert_eq!(pictures.labels[0], 3);
    assert_eq!(pictures.picture(0)[..6], [158, 112, 49, 159, 111, 47]);
    assert_eq!(hash(pictures.picture(0)), 0x07b1_f1d2_52c2_ad1d);
}

/// Expected values were read from the files by an independent program.
#[test]
fn the_first_pictures_of_visual_wake_words_are_as_pinned() {
    let Some(dir) = support::data("the first Visual Wake Words pictures", "vww01") else { return };
    let DataSet { calibration, test, .. } = data::load(&dir).unwrap();
    assert_eq!((calibration.len(), test.len()), (500, 500));
    assert_eq!((calibration.labels[0], test.labels[0]), (1, 1));
    assert_eq!(hash(calibration.picture(0)), 0x3b55_c8d3_9a65_2a7f);
    assert_eq!(hash(test.picture(0)), 0x774d_9166_fd58_7284);
    let persons = |labels: &[u16]| labels.iter().map(|&label| usize::from(label)).sum::<usize>();
    assert_eq!((persons(&calibration.labels), persons(&test.labels)), (250, 250));
}

/// Each fits one built-in topology with nothing missing or left over, and no other.
#[test]
fn published_checkpoints_fit_exactly_one_topology() {
    let Some(dir) = support::data("published checkpoints", "weights") else { return };
    let names = builtin_names();
    let topologies: Vec<Topology> = names.iter().map(|name| builtin(name).unwrap()).collect();
    let cases = [
        ("resnet20_cifar10", "resnet20"),
        ("vww_mobilenetv1_0.25_96_mlperf", "mobilenetv1-0.25-96-vww"),
        ("mobilenet_v2_1.0_224_dequant", "mobilenetv2-1.0-224-folded"),
    ];
    for (file, name) in cases {
        let bytes = std::fs::read(dir.join(format!("{file}.safetensors"))).unwrap();
        let checkpoint = Checkpoint::read(&bytes).unwrap();
        let fitting = identify(&checkpoint, &topologies);
        let fitting: Vec<&str> = fitting.into_iter().map(|idx| names[idx]).collect();
        assert_eq!(fitting, [name], "{file}");
        let network = float_network(&checkpoint, builtin(name).unwrap()).unwrap();
        let weights: usize = network.parameters.iter().flatten().map(|dot| dot.weights.len()).sum();
        assert_eq!(weights as u64, network.topology.weights(), "{file}");
    }
}
