//! Does the reader of data-set folders survive whatever their files may hold?

use std::fs::write;
use std::path::Path;

use jpeg_encoder::{ColorType, Encoder};
use tempfile::TempDir;
use tridot_models::data::{self, DataSet, Folder};
use tridot_sim::network::Shape;

use super::bytes::{flip_bits, splice, truncations};
use super::driver::{Mutant, Touched, fuzz};
use super::text::structure_mutant;
use crate::random::{Random, cases};

const RECORD_BYTES: usize = 1 + 32 * 32 * 3;

fn read(dir: &Path) -> Result<DataSet, String> {
    data::load(dir).map_err(|error| error.to_string())
}

/// What is accepted holds whole pictures with labels of its classes.
fn use_accepted(set: &DataSet, _: &[u8]) {
    for pictures in [&set.calibration, &set.test] {
        assert!(!pictures.is_empty());
        assert_eq!(pictures.pixels.len(), pictures.len() * pictures.shape.elements());
        assert!(pictures.labels.iter().all(|&label| usize::from(label) < set.classes));
        assert_eq!(pictures.picture(pictures.len() - 1).len(), pictures.shape.elements());
    }
}

/// Three records a file, labels 0, 1, 2.
fn records() -> Vec<u8> {
    (0..3).flat_map(|label| [vec![label], vec![100; RECORD_BYTES - 1]].concat()).collect()
}

fn cifar_folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for batch in 1..=5 {
        write(dir.path().join(format!("data_batch_{batch}.bin")), records()).unwrap();
    }
    dir
}

/// Records removed or added, a file of another length, labels changed.
fn records_mutant(random: &mut Random) -> Mutant {
    let mut bytes = records();
    match random.below(4) {
        0 => {
            let length = RECORD_BYTES * random.below(6);
            bytes.resize(length, 1);
            Mutant { what: format!("{length} bytes"), touched: Touched::Structure, bytes }
        }
        1 => {
            let length = random.below(4 * RECORD_BYTES);
            bytes.resize(length, 1);
            Mutant { what: format!("{length} bytes"), touched: Touched::Structure, bytes }
        }
        2 => {
            let (record, label) = (random.below(3), random.byte());
            bytes[record * RECORD_BYTES] = label;
            let what = format!("label {record} became {label}");
            Mutant { what, touched: Touched::Structure, bytes }
        }
        _ => flip_bits(random, &bytes),
    }
}

#[test]
fn hostile_cifar_files_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let dir = cifar_folder();
    let read = |bytes: &[u8]| {
        write(dir.path().join("test_batch.bin"), bytes).unwrap();
        read(dir.path())
    };
    let mut random = Random::new(0, 40);
    let mutants = (0..n_mutants).map(|_| records_mutant(&mut random));
    let tally = fuzz("CIFAR-10 folder", mutants, read, use_accepted);
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}

const TABLE: &str = "a.bin,2,0\nb.bin,2,1\nc.bin,2,1\nd.bin,2,0\n";

#[test]
fn hostile_tables_of_labels_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.bin", "b.bin", "c.bin", "d.bin"] {
        write(dir.path().join(name), vec![7; 96 * 96 * 3]).unwrap();
    }
    let read = |bytes: &[u8]| {
        write(dir.path().join("y_labels.csv"), bytes).unwrap();
        read(dir.path())
    };
    let mut random = Random::new(0, 41);
    let cut = truncations(&mut random, TABLE.as_bytes(), usize::MAX);
    let random_mutants = (0..n_mutants).map(|_| match random.below(10) {
        0..=5 => structure_mutant(&mut random, TABLE),
        6..=7 => splice(&mut random, TABLE.as_bytes(), TABLE.as_bytes()),
        _ => flip_bits(&mut random, TABLE.as_bytes()),
    });
    let mutants = cut.into_iter().chain(random_mutants);
    let tally = fuzz("table of labels", mutants, read, use_accepted);
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}

/// A small picture with a comment, restart markers and every kind of table; perhaps progressive.
fn jpeg(progressive: bool) -> Vec<u8> {
    let pixels: Vec<u8> = (0..24 * 18 * 3_u32).map(|i| (i * i % 251) as u8).collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 70);
    encoder.set_progressive(progressive);
    encoder.set_restart_interval(2);
    encoder.add_app_segment(1, vec![0xff; 9]).unwrap();
    encoder.encode(&pixels, 24, 18, ColorType::Rgb).unwrap();
    file
}

/// A length, a size, a count or a table of a segment changed, or a marker.
fn jpeg_mutant(random: &mut Random, file: &[u8]) -> Mutant {
    let markers: Vec<usize> =
        (0..file.len() - 1).filter(|&i| file[i] == 0xff && file[i + 1] != 0).collect();
    let at = markers[random.below(markers.len())] + random.size(1, 24);
    let at = at.min(file.len() - 1);
    let (mut bytes, value) = (file.to_vec(), random.byte());
    bytes[at] = value;
    let what = format!("byte {at} became {value}");
    Mutant { what, touched: Touched::Structure, bytes }
}

#[test]
fn hostile_jpeg_files_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 4_000, 200_000);
    let shape = Shape::new(7, 9, 3);
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("val/class")).unwrap();
    write(dir.path().join("val/class/picture.jpg"), jpeg(false)).unwrap();
    let set = Folder::open(dir.path()).unwrap().test(shape).unwrap();
    let read = |bytes: &[u8]| {
        write(dir.path().join("val/class/picture.jpg"), bytes).unwrap();
        set.source().picture(0).map_err(|error| error.to_string())
    };
    let mut random = Random::new(0, 42);
    let files = [jpeg(false), jpeg(true)];
    let cut = files.iter().flat_map(|file| truncations(&mut Random::new(0, 43), file, 1000));
    let cut: Vec<Mutant> = cut.collect();
    let random_mutants = (0..n_mutants).map(|i| match random.below(10) {
        0..=4 => jpeg_mutant(&mut random, &files[i % 2]),
        5..=6 => splice(&mut random, &files[i % 2], &files[1 - i % 2]),
        _ => flip_bits(&mut random, &files[i % 2]),
    });
    let mutants = cut.into_iter().chain(random_mutants);
    let whole = |pixels: &Vec<u8>, _: &[u8]| assert_eq!(pixels.len(), shape.elements());
    let tally = fuzz("JPEG file", mutants, read, whole);
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}
