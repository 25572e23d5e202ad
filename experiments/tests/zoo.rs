//! Trained networks by name, as a user types them.
#![cfg(test)]

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

#[path = "support/command.rs"]
mod command;

use command::{refusal, tridot};

/// What a command that must succeed says as JSON.
fn json(folder: &Path, arguments: &str) -> Value {
    let output = tridot(folder, &format!("{arguments} --json --quiet"));
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn file_of(name: &str) -> String {
    format!("{}/../models/zoo/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))
}

const NAME: &str = "mobilenetv1-0.25-96-vww01-b2";

#[test]
fn a_name_and_its_file_are_one_network() {
    let folder = TempDir::new().unwrap();
    let file = file_of(NAME);
    for command in ["inspect", "complexity"] {
        let [named, read] =
            [NAME, &file].map(|net| json(folder.path(), &format!("{command} {net}")));
        assert_eq!(named, read, "{command}");
    }
}

#[cfg(feature = "train")]
#[test]
fn networks_lists_the_trained_ones_and_shows_their_plans() {
    let folder = TempDir::new().unwrap();
    let listed = json(folder.path(), "networks");
    let trained = listed["trained"].as_array().unwrap();
    let of_name = |name: &str| trained.iter().find(|entry| entry["name"] == name).unwrap();
    let entry = of_name(NAME);
    assert_eq!(entry["bytes"], std::fs::metadata(file_of(NAME)).unwrap().len());
    // Within 1.5 points of the float network, without any training.
    let accuracy = |what: &str| entry[what].as_f64().unwrap();
    assert!(accuracy("float_accuracy_percent") - 1.5 <= accuracy("integer_accuracy_percent"));
    let plan = tridot(folder.path(), &format!("networks --show {NAME}"));
    let file = file_of(NAME).replace(".safetensors", ".toml");
    assert_eq!(plan.stdout, std::fs::read(file).unwrap());
}

#[cfg(feature = "train")]
#[test]
fn a_trained_network_is_checked_recorded_and_simulated_by_its_name() {
    let folder = TempDir::new().unwrap();
    let checked = json(folder.path(), &format!("check {NAME} --synthetic --samples 1"));
    assert_eq!(checked["mismatches"], 0);
    json(folder.path(), &format!("record {NAME} --synthetic --samples 1 -o trace.safetensors"));
    let simulated =
        json(folder.path(), &format!("simulate {NAME} --arch edge --trace trace.safetensors"));
    assert!(100_000 < simulated["cycles"].as_u64().unwrap());
    let read = format!("simulate {} --arch edge --trace trace.safetensors", file_of(NAME));
    let read = json(folder.path(), &read);
    assert_eq!(simulated["energy_pj"], read["energy_pj"]);
}

#[cfg(feature = "train")]
#[test]
fn a_summary_is_never_written_over_an_input() {
    let folder = TempDir::new().unwrap();
    let plan = "format = 1\nothers = \"dbq(2)\"\n";
    std::fs::write(folder.path().join("b2.toml"), plan).unwrap();
    std::fs::write(folder.path().join("weights.pth"), b"").unwrap();
    let error = refusal(
        folder.path(),
        "quantize weights.pth --synthetic --plan b2.toml --summary -o b2.safetensors",
    );
    assert!(error.contains("b2.toml: must not be an input"), "{error}");
    assert_eq!(std::fs::read_to_string(folder.path().join("b2.toml")).unwrap(), plan);
}

#[test]
fn a_name_that_is_none_is_refused_with_those_that_are() {
    let folder = TempDir::new().unwrap();
    let error = refusal(folder.path(), "golden resnet20-b2 --arch tiny -o golden");
    assert!(
        error.contains("no trained network `resnet20-b2`: there are resnet20-cifar10-"),
        "{error}"
    );
    assert!(!error.contains("./resnet20-b2"), "{error}");
    std::fs::write(folder.path().join("mine"), b"").unwrap();
    let error = refusal(folder.path(), "golden mine --arch tiny -o golden");
    assert!(error.contains("(for the file, say ./mine)"), "{error}");
}

#[cfg(feature = "train")]
/// Pictures of the synthetic set, which the network does not know: what counts is that it goes on.
const FROM_INTEGERS: &str = "format = 1\nnetwork = \"resnet20\"\nstart = \"checkpoint\"\n\
    synthetic = { training = 64, test = 32 }\n[quantization]\nothers = \"dbq(1)\"\n\
    calibration = { samples = 16 }\n[[stage]]\nweights = \"quantized\"\nepochs = 1\nbatch = 32\n\
    learning_rate = 0.01\ntemperature = { from = 10.0, to = 100.0 }\n";

#[cfg(feature = "train")]
#[test]
fn a_training_starts_from_a_trained_network_by_its_name_or_file() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("b1.toml"), FROM_INTEGERS).unwrap();
    let name = "resnet20-cifar10-f8";
    let train =
        |from: &str, out: &str| format!("train b1.toml --synthetic --from {from} --out {out}");
    let named = json(folder.path(), &train(name, "named"));
    assert_eq!(named["epochs"].as_array().unwrap().len(), 1);
    json(folder.path(), &train(&file_of(name), "read"));
    let [one, other] = ["named", "read"]
        .map(|out| std::fs::read(folder.path().join(out).join("checkpoint.safetensors")).unwrap());
    assert!(one == other);
    // It goes on from what it began with, and from nothing else.
    assert_eq!(json(folder.path(), &train(name, "named")), named);
    assert_eq!(
        refusal(folder.path(), &train("resnet20-cifar10-b1", "named")),
        "tridot: resnet20-cifar10-b1: checkpoint: is not the file of weights that this training began with"
    );
    assert_eq!(
        refusal(folder.path(), &train("mobilenetv2-0.5-cifar10-f8", "other")),
        "tridot: mobilenetv2-0.5-cifar10-f8: integer network `mobilenetv2-0.5-cifar10`: the number of layers must be 34, as in network `resnet20`, got 64"
    );
    assert!(
        refusal(folder.path(), &train("resnet20-b9", "other"))
            .contains("no trained network `resnet20-b9`")
    );
    let held_back = FROM_INTEGERS.replace("synthetic =", "held_back = 64\nsynthetic =");
    std::fs::write(folder.path().join("b1.toml"), held_back).unwrap();
    assert_eq!(
        refusal(folder.path(), &train(name, "other")),
        "tridot: b1.toml: network `resnet20`: plan: held_back must be below the 64 training pictures, got 64"
    );
    assert!(!folder.path().join("other").exists(), "what is refused leaves no folder");
}

#[cfg(feature = "train")]
#[test]
fn a_trained_network_gets_another_scheme_by_its_name() {
    let folder = TempDir::new().unwrap();
    let quantize = |from: &str, out: &str| {
        format!("quantize {from} --synthetic --calibration-samples 8 --branches 3 -o {out}")
    };
    let quantized =
        json(folder.path(), &quantize("mobilenetv1-0.25-96-vww01-f8", "b3.safetensors"));
    let scheme = |layer: usize| quantized["layers"][layer]["scheme"].as_str().unwrap();
    assert_eq!([scheme(0), scheme(2)], ["fixed(8)", "dbq(3)"]);
    assert_eq!(quantized["network"], "mobilenetv1-0.25-96-vww");
    // Its own name is in its way: the zoo's comes first, a file is meant with ./.
    std::fs::write(folder.path().join("resnet20-cifar10-f8"), b"").unwrap();
    let other =
        quantize("resnet20-cifar10-f8 --network mobilenetv2-0.5-cifar10", "other.safetensors");
    assert!(
        refusal(folder.path(), &other).ends_with("as in network `mobilenetv2-0.5-cifar10`, got 34")
    );
    assert!(
        refusal(folder.path(), &quantize("./resnet20-cifar10-f8", "other.safetensors"))
            .ends_with("but an empty file")
    );
}
