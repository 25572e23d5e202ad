//! Trainings on JPEG files that are made here.

use std::fs::write;

use tempfile::TempDir;

use super::*;
use crate::data::{DataSet, Folder, Set};
use crate::topology::Topology;

/// Ten classes of striped pictures of the synthetic set, as files of 48 × 40 pixels with a margin.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let set = data::synthetic(3, 120, 20);
    for (part, pictures) in [("train", &set.calibration), ("val", &set.test)] {
        for (i, &label) in pictures.labels.iter().enumerate() {
            let class = dir.path().join(part).join(format!("class{label}"));
            std::fs::create_dir_all(&class).unwrap();
            let mut pixels = vec![90; 48 * 40 * 3];
            for (row, line) in pictures.picture(i).chunks_exact(32 * 3).enumerate() {
                let start = ((row + 4) * 48 + 8) * 3;
                pixels[start..start + line.len()].copy_from_slice(line);
            }
            let encoder = jpeg_encoder::Encoder::new_file(class.join(format!("{i:03}.jpg")), 90);
            encoder.unwrap().encode(&pixels, 48, 40, jpeg_encoder::ColorType::Rgb).unwrap();
        }
    }
    dir
}

fn open(dir: &TempDir) -> DataSet<Set> {
    let input = Topology::from_toml(NETWORK).unwrap().input;
    Folder::open(dir.path()).unwrap().both(input).unwrap()
}

fn borrowed_files(set: &DataSet<Set>) -> TrainingData<'_> {
    TrainingData {
        name: set.name,
        classes: set.classes,
        training: set.calibration.source(),
        test: set.test.source(),
    }
}

/// Two float epochs and two quantized ones on parts of the pictures.
fn plan() -> Texts {
    let mut texts = texts("layer");
    for (from, to) in [
        (
            "augmentation = { crop = 2, flip = true }",
            "augmentation = { resized_crop = { area = [0.3, 1.0] }, flip = true }",
        ),
        ("epochs = 3", "epochs = 2"),
        ("held_back = 32", "held_back = 16"),
        ("samples = 64", "samples = 32"),
    ] {
        assert!(texts.plan.contains(from), "{from}");
        texts.plan = texts.plan.replacen(from, to, 1);
    }
    texts
}

/// The checkpoint after each epoch.
fn states(set: &DataSet<Set>, threads: usize) -> Vec<Vec<u8>> {
    let data = borrowed_files(set);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut trainer = Trainer::new(plan(), None, &data).unwrap();
        let mut states = vec![trainer.to_bytes()];
        while trainer.next().is_some() {
            let report = trainer.epoch(&data, &mut |_| ()).unwrap();
            assert_eq!((report.steps, report.held_back.unwrap().samples), (3, 16));
            states.push(trainer.to_bytes());
        }
        states
    })
}

#[test]
fn a_training_on_files_gives_the_same_bytes_on_any_threads_and_when_it_is_resumed() {
    let dir = folder();
    let set = open(&dir);
    let whole = states(&set, 1);
    assert_eq!(whole.len(), 5);
    assert!(whole == states(&set, 3), "the number of threads changed a checkpoint");
    let data = borrowed_files(&set);
    for (epoch, pair) in whole.windows(2).enumerate() {
        let mut resumed = Trainer::resume(&pair[0]).unwrap();
        resumed.epoch(&data, &mut |_| ()).unwrap();
        assert!(resumed.to_bytes() == pair[1], "epoch {epoch}");
    }
}

#[test]
fn an_unreadable_picture_has_a_stand_in_and_the_batches_stay_full() {
    let dir = folder();
    write(dir.path().join("train/class4/034.jpg"), "torn").unwrap();
    let set = open(&dir);
    let torn = states(&set, 1);
    assert!(torn == states(&open(&dir), 2));
    assert!(torn[1] != states(&open(&folder()), 1)[1]);
    let Set::Files(files) = &set.calibration else { panic!("class folders are read from files") };
    let unreadable = files.unreadable();
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].path.ends_with("train/class4/034.jpg"), "{unreadable:?}");
    // A second one is more than 1 in 1,000.
    write(dir.path().join("train/class5/045.jpg"), "torn").unwrap();
    let set = open(&dir);
    let data = borrowed_files(&set);
    let mut trainer = Trainer::new(plan(), None, &data).unwrap();
    let error = trainer.epoch(&data, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("the number of unreadable files must be at most 1 of 120, got 2"));
    assert!(error.contains(".jpg, is no JPEG file: it begins with 74 6f 72 6e"), "{error}");
}

#[test]
fn a_plan_with_pads_or_without_augmentation_takes_files_too() {
    let dir = folder();
    let set = open(&dir);
    let data = borrowed_files(&set);
    let mut results = Vec::new();
    for augmentation in ["{ crop = 2, flip = true }", "{}", "{ resized_crop = {} }"] {
        let mut texts = plan();
        let from = "{ resized_crop = { area = [0.3, 1.0] }, flip = true }";
        texts.plan = texts.plan.replace(from, augmentation);
        let mut trainer = Trainer::new(texts, None, &data).unwrap();
        trainer.epoch(&data, &mut |_| ()).unwrap();
        results.push(trainer.to_bytes());
    }
    assert!(results[0] != results[1] && results[1] != results[2]);
}
