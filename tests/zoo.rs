//! Do the trained networks that ship with the command give what their summaries say?

use std::path::Path;

use tridot_models::data;
use tridot_sim::kernels::{Backend, Prepared, Scratch};
use tridot_sim::network::Network;

use crate::support;

/// Folder of the data set with a network's test pictures.
fn folder(data: &str) -> &'static str {
    match data {
        "cifar10" => "cifar-10-batches-bin",
        "vww01" => "vww01",
        other => panic!("no folder is known for the data set {other}"),
    }
}

#[test]
fn every_trained_network_has_the_accuracy_that_is_recorded() {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo");
    let files = std::fs::read_dir(zoo).unwrap().map(|file| file.unwrap().path());
    let networks = files.filter(|file| file.extension().is_some_and(|kind| kind == "safetensors"));
    let mut compared = 0;
    for file in networks {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let network = Network::from_bytes(&std::fs::read(&file).unwrap()).unwrap();
        let data = network.provenance.data.clone().unwrap();
        let test = format!("the accuracy of {name}");
        let Some(dir) = support::data(&test, folder(&data)) else { continue };
        let test = data::load(&dir).unwrap().test;
        let prepared = Prepared::new(&network, Backend::best()).unwrap();
        let mut scratch = Scratch::new(&prepared);
        let is_correct = |&i: &usize| {
            let logits = prepared.run(&mut scratch, test.picture(i)).unwrap();
            let best = (0..logits.len()).rev().max_by_key(|&class| logits[class]).unwrap();
            best == usize::from(test.labels[i])
        };
        let correct = (0..test.len()).filter(is_correct).count();
        let recorded = network.provenance.integer_accuracy.unwrap();
        assert_eq!(
            (correct as u64, test.len() as u64),
            (recorded.correct, recorded.samples),
            "{name}"
        );
        compared += 1;
    }
    println!("{compared} networks");
}
