//! Do all commands take JPEG files in class folders, and name those that cannot be read?
#![cfg(test)]
#![cfg(feature = "train")]

use std::fs;
use std::path::Path;

use jpeg_encoder::{ColorType, Encoder};
use tempfile::TempDir;

#[path = "support/command.rs"]
mod command;

use command::{refusal, tridot};

const PLAN: &str = r#"
format = 1
network = "quickstart"
start = "scratch"
held_back = 20
quantization = { others = "dbq(1)", calibration = { samples = 20 } }

[[stage]]
weights = "float"
epochs = 1
batch = 20
learning_rate = 0.05
augmentation = { resized_crop = { area = [0.5, 1.0] }, flip = true }

[[stage]]
weights = "quantized"
epochs = 1
batch = 20
learning_rate = 0.01
temperature = { from = 10.0, to = 100.0 }
"#;

/// Ten classes of stripes, eight pictures to train with and three to test, of 45×36 pixels.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (part, n) in [("train", 8), ("val", 3)] {
        for class in 0..10_usize {
            let folder = dir.path().join("data").join(part).join(format!("n{class:03}"));
            fs::create_dir_all(&folder).unwrap();
            for i in 0..n {
                let value = |at: usize| {
                    let (x, y) = (at % 45, at / 45);
                    let bright = (x * (1 + class) + y * (10 - class) + 5 * i) / 12 % 2 == 0;
                    if bright { [200, 180, 150] } else { [40, 60, 90] }
                };
                let pixels: Vec<u8> = (0..45 * 36).flat_map(value).collect();
                let encoder = Encoder::new_file(folder.join(format!("{i}.JPEG")), 90).unwrap();
                encoder.encode(&pixels, 45, 36, ColorType::Rgb).unwrap();
            }
        }
    }
    fs::write(dir.path().join("plan.toml"), PLAN).unwrap();
    fs::write(dir.path().join("data/val/n004/1.JPEG"), "torn").unwrap();
    dir
}

/// Standard output and standard error of a command that succeeds.
fn done(folder: &Path, arguments: &str) -> (String, String) {
    let output = tridot(folder, arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(0), "{arguments}: {err}");
    (out, err)
}

const TORN: &str = "left out: data/val/n004/1.JPEG: is no JPEG file: it begins with 74 6f 72 6e\n";

#[test]
fn every_command_takes_class_folders() {
    let dir = folder();
    let path = dir.path();
    for threads in [1, 2] {
        let train = format!("train plan.toml --data data --out t{threads} --threads {threads}");
        assert_eq!(done(path, &train).1, TORN);
    }
    let checkpoint = |out: &str| fs::read(path.join(out).join("checkpoint.safetensors")).unwrap();
    assert!(checkpoint("t1") == checkpoint("t2"), "threads changed the checkpoint");

    let (out, err) = done(path, "export t1/checkpoint.safetensors --data data -o net.safetensors");
    assert!(out.contains("calibrated on 20 pictures (class-folders)"), "{out}");
    assert!(out.contains("% of 29 test pictures"), "{out}");
    assert_eq!(err, TORN);
    let quantize = "quantize t1/checkpoint.safetensors --network quickstart --data data \
                    --calibration-samples 30 -o quantized.safetensors";
    let (out, err) = done(path, quantize);
    assert!(out.contains("calibrated on 30 pictures (class-folders)"), "{out}");
    let remark = "t1/checkpoint.safetensors: its weights were trained behind quantizers: they are not a float training's\n";
    assert_eq!(err, format!("{remark}{TORN}"));

    // Scoring reads the test set alone.
    fs::rename(path.join("data/train"), path.join("train")).unwrap();
    let (out, err) = done(path, "accuracy net.safetensors --data data --json");
    assert!(out.contains("\"data\":\"class-folders\",\"samples\":29,"), "{out}");
    assert_eq!(err, TORN);
    assert_eq!(done(path, "accuracy net.safetensors --data data --quiet").1, "");
    // Three of thirty: the first ones of the classes 0, 3 and 6.
    let (out, err) = done(path, "check net.safetensors --data data --samples 3");
    assert!(out.contains("quickstart, 3 pictures (class-folders)"), "{out}");
    assert!(out.contains(": 0 mismatches"), "{out}");
    assert_eq!(err, "");
    let (out, _) =
        done(path, "record net.safetensors --data data --samples 2 -o trace.safetensors");
    assert!(out.contains("2 pictures (class-folders) of quickstart"), "{out}");
}

#[test]
fn what_does_not_fit_or_is_too_broken_is_refused_in_one_line() {
    let dir = folder();
    let path = dir.path();
    let refusal = |arguments: &str| refusal(path, arguments);
    let train = "train plan.toml --data data --out out";
    fs::write(path.join("data/val/n007/2.JPEG"), "").unwrap();
    assert_eq!(
        refusal(train),
        "tridot: stopped; the last whole epoch is kept: data/val: the number of unreadable files must be \
         at most 1 of 30, got 2: the last, data/val/n007/2.JPEG, is empty"
    );
    for part in ["train", "val"] {
        fs::rename(path.join("data").join(part).join("n009"), path.join(part)).unwrap();
    }
    assert_eq!(refusal(train), "tridot: data: classes must be 10, as the network's outputs, got 9");
    fs::remove_dir_all(path.join("data/val")).unwrap();
    assert_eq!(
        refusal(train),
        "tridot: data/val: there is no such folder; test pictures lie in val/CLASS/*.JPEG"
    );
}
