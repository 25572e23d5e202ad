//! Folders of JPEG files that are made here.

use std::fs::{create_dir_all, remove_dir_all, remove_file, write};

use jpeg_encoder::{ColorType, Encoder};
use tempfile::TempDir;

use super::*;
use crate::data::{Folder, Pictures, Set, Source};

const SHAPE: Shape = Shape::new(16, 16, 3);
const EXTENSIONS: [&str; 4] = ["JPEG", "jpg", "jpeg", "JpG"];

/// The colour of picture i of a class: classes differ in red, pictures in green, sets in blue.
fn colour(class: u8, i: u8, part: &str) -> [u8; 3] {
    [40 * class + 20, 8 * i + 20, if part == "val" { 200 } else { 60 }]
}

/// A JPEG file of one colour, 20 + i pixels wide and 30 − i high.
pub(crate) fn plain_jpeg(colour: [u8; 3], i: u8) -> Vec<u8> {
    let (width, height) = (20 + u16::from(i), 30 - u16::from(i));
    let pixels = colour.repeat(usize::from(width) * usize::from(height));
    let mut file = Vec::new();
    Encoder::new(&mut file, 95).encode(&pixels, width, height, ColorType::Rgb).unwrap();
    file
}

/// So many classes `c0`, `c1`, … of so many pictures to train with and two to test with.
pub(crate) fn class_folders(classes: u8, pictures: u8) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (part, n) in [("train", pictures), ("val", 2)] {
        for class in 0..classes {
            let folder = dir.path().join(part).join(format!("c{class}"));
            create_dir_all(&folder).unwrap();
            for i in 0..n {
                let name = format!("{i:02}.{}", EXTENSIONS[usize::from(i) % 4]);
                write(folder.join(name), plain_jpeg(colour(class, i, part), i)).unwrap();
            }
        }
    }
    dir
}

pub(crate) fn open(dir: &Path, shape: Shape) -> [Set; 2] {
    let folder = Folder::open(dir).unwrap();
    [folder.calibration(shape).unwrap(), folder.test(shape).unwrap()]
}

fn all(source: Source<'_>) -> Pictures {
    source.pictures(&(0..source.len()).collect::<Vec<_>>()).unwrap()
}

/// The refusal of a folder, or of its sets, without the folder's own path.
fn refusal(dir: &Path) -> String {
    let error = Folder::open(dir).and_then(|folder| folder.both(SHAPE).map(drop)).unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    line.replace(&dir.display().to_string(), "DIR")
}

#[test]
fn classes_and_files_are_sorted_by_name_and_other_files_are_no_pictures() {
    let dir = class_folders(3, 5);
    let class = dir.path().join("train/c1");
    write(class.join("notes.txt"), "no picture").unwrap();
    write(class.join(".hidden.jpg"), "no picture").unwrap();
    write(dir.path().join("train/list.txt"), "no class").unwrap();
    create_dir_all(dir.path().join("train/.ipynb_checkpoints")).unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert_eq!((folder.name(), folder.classes(), folder.shape()), ("class-folders", 3, None));
    let [training, test] = open(dir.path(), SHAPE);
    let pictures = all(training.source());
    assert_eq!(pictures.labels, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
    assert_eq!(all(test.source()).labels, [0, 0, 1, 1, 2, 2]);
    for (part, set) in [("train", &training), ("val", &test)] {
        let pictures = all(set.source());
        for (at, &label) in pictures.labels.iter().enumerate() {
            let i = at % (pictures.len() / 3);
            let wanted = colour(u8::try_from(label).unwrap(), u8::try_from(i).unwrap(), part);
            for (pixel, found) in pictures.picture(at).chunks_exact(3).enumerate() {
                for (found, wanted) in found.iter().zip(wanted) {
                    assert!(found.abs_diff(wanted) <= 3, "{part} {at}, pixel {pixel}: {found:?}");
                }
            }
        }
        assert!(matches!(set, Set::Files(files) if files.unreadable().is_empty()));
    }
    assert_eq!(test.source().some(3), [0, 2, 4], "one of each class");
    assert_eq!(test.source().some(100), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn one_and_three_threads_read_the_same_in_order() {
    let dir = class_folders(3, 9);
    let [training, _] = open(dir.path(), SHAPE);
    let order: Vec<usize> = (0..27).map(|i| i * 10 % 27).collect();
    let read = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut batches = Vec::new();
        pool.install(|| {
            training.source().batches(&order, 4, &mut |batch| {
                batches.push(batch.clone());
                Ok::<(), Error>(())
            })
        })
        .unwrap();
        batches
    };
    let one = read(1);
    assert_eq!(one, read(3));
    assert_eq!(one.iter().map(Pictures::len).collect::<Vec<_>>(), [4, 4, 4, 4, 4, 4, 3]);
    let labels: Vec<u16> = one.iter().flat_map(|batch| &batch.labels).copied().collect();
    assert!(labels.iter().zip(&order).all(|(&label, &i)| usize::from(label) == i / 9));
}

#[test]
fn a_folder_that_is_no_such_set_is_refused_with_its_place() {
    let without = |part: &str| {
        let dir = class_folders(2, 2);
        remove_dir_all(dir.path().join(part)).unwrap();
        refusal(dir.path())
    };
    assert_eq!(
        without("val"),
        "DIR/val: there is no such folder; test pictures lie in val/CLASS/*.JPEG"
    );
    assert_eq!(
        without("train"),
        "DIR/train: there is no such folder; pictures lie in train/CLASS/*.JPEG"
    );
    let other = "there is no such folder, though train and val must have the same classes";
    assert_eq!(without("val/c1"), format!("DIR/val/c1: {other}"));
    assert_eq!(without("train/c0"), format!("DIR/train/c0: {other}"));
    let dir = class_folders(2, 2);
    for name in ["00.JPEG", "01.jpg"] {
        remove_file(dir.path().join("val/c1").join(name)).unwrap();
    }
    let empty = "a class folder without a .jpg or .jpeg file";
    assert_eq!(refusal(dir.path()), format!("DIR/val/c1: {empty}"));
    for part in ["train", "val"] {
        remove_dir_all(dir.path().join(part)).unwrap();
        create_dir_all(dir.path().join(part)).unwrap();
    }
    assert_eq!(refusal(dir.path()), "DIR/val: holds no class folder");
    let dir = class_folders(1, 1);
    let folder = Folder::open(dir.path()).unwrap();
    let error = folder.test(Shape::new(16, 16, 1)).unwrap_err().to_string();
    assert!(error.ends_with("the network's input channels must be 3, as of the pictures, got 1"));
}

#[test]
fn there_may_be_more_classes_than_a_byte_counts() {
    let dir = tempfile::tempdir().unwrap();
    for class in 0..300 {
        let folder = dir.path().join(format!("val/n{class:08}"));
        create_dir_all(&folder).unwrap();
        write(folder.join("picture.jpg"), plain_jpeg([1, 2, 3], 0)).unwrap();
    }
    let folder = Folder::open(dir.path()).unwrap();
    let test = folder.test(SHAPE).unwrap();
    assert_eq!((folder.classes(), all(test.source()).labels[299]), (300, 299));
}

#[test]
fn a_test_set_needs_no_training_set() {
    let dir = class_folders(2, 2);
    let whole = all(open(dir.path(), SHAPE)[1].source());
    remove_dir_all(dir.path().join("train")).unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert_eq!(all(folder.test(SHAPE).unwrap().source()), whole);
}

/// Each way in which a file may be no picture, and what is said of it.
#[test]
fn an_unreadable_file_is_left_out_and_named_and_a_second_one_is_refused() {
    let whole = class_folders(2, 3);
    let jpeg = plain_jpeg([9; 3], 2);
    let mut bomb = jpeg.clone();
    let frame = bomb.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bomb[frame + 5..frame + 9].fill(0xff);
    let cases: [(&[u8], &str); 4] = [
        (b"", "is empty"),
        (b"GIF89a", "is no JPEG file: it begins with 47 49 46 38"),
        (&jpeg[..jpeg.len() / 2], "ends early: there is no end-of-image marker"),
        (&bomb, "has 65535×65535 pixels, and at most 67108864 are read"),
    ];
    for (contents, reason) in cases {
        let dir = class_folders(2, 3);
        write(dir.path().join("train/c1/01.jpg"), contents).unwrap();
        let [training, _] = open(dir.path(), SHAPE);
        let read = all(training.source());
        let mut wanted = all(open(whole.path(), SHAPE)[0].source());
        let elements = SHAPE.elements();
        wanted.pixels.drain(4 * elements..5 * elements);
        wanted.labels.remove(4);
        assert_eq!(read, wanted, "{reason}");
        let Set::Files(files) = &training else { panic!("class folders are read from files") };
        let named =
            Unreadable { path: dir.path().join("train/c1/01.jpg"), reason: reason.to_owned() };
        assert_eq!(files.unreadable(), [named]);
        // Read once more it is the same file; another one is one too many.
        assert_eq!(all(training.source()), wanted);
        write(dir.path().join("train/c0/02.jpeg"), contents).unwrap();
        let error = open(dir.path(), SHAPE)[0].source().pictures(&[0, 4, 2, 1]).unwrap_err();
        let place = dir.path().join("train").display().to_string();
        assert_eq!(
            error.to_string(),
            format!(
                "{place}: the number of unreadable files must be at most 1 of 6, got 2: the last, \
                 {place}/c0/02.jpeg, {reason}"
            )
        );
    }
}

#[test]
fn a_file_that_goes_away_ends_the_reading_with_its_name() {
    let dir = class_folders(2, 8);
    let [training, _] = open(dir.path(), SHAPE);
    for gone in ["c0/05.jpg", "c1/02.jpeg", "c1/07.JpG"] {
        remove_file(dir.path().join("train").join(gone)).unwrap();
    }
    let everything: Vec<usize> = (0..16).collect();
    let mut batches = 0;
    let error = training.source().batches(&everything, 4, &mut |_| {
        batches += 1;
        Ok::<(), Error>(())
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("train/c0/05.jpg: No such file"), "the first in order: {error}");
    assert_eq!(batches, 1, "what lies before it was handed over");
}

#[test]
fn who_gives_up_early_waits_for_nobody() {
    let dir = class_folders(2, 20);
    let [training, _] = open(dir.path(), SHAPE);
    let everything: Vec<usize> = (0..40).collect();
    let stopped = training.source().batches(&everything, 2, &mut |batch| {
        Err(Error::malformed("the user", format!("has enough after {}", batch.len())))
    });
    assert_eq!(stopped.unwrap_err().to_string(), "the user: has enough after 2");
}

#[test]
fn more_pictures_than_memory_is_given_are_refused() {
    let dir = class_folders(1, 1);
    let shape = Shape::new(224, 224, 3);
    let [training, _] = open(dir.path(), shape);
    // 2^30 / (224·224·3) = 7133.2.
    let error = training.source().pictures(&vec![0; 7134]).unwrap_err().to_string();
    assert!(error.contains("must be at most 7133, as 224×224×3 pictures fill"), "{error}");
}
