//! Folders made here; the real ones have their tests in the package of tests.

use std::fs::{create_dir, remove_file, write};

use tempfile::TempDir;

use super::*;

const CIFAR_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// Two records a file: record r of file f has label (f + r) mod 10, and plane c is all 50·c + f + r.
fn cifar_folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (file, name) in (0..).zip(CIFAR_FILES) {
        let mut records = Vec::new();
        for record in 0..2 {
            records.push((file + record) % 10);
            for plane in 0..3 {
                records.extend([50 * plane + file + record; 1024]);
            }
        }
        write(dir.path().join(name), records).unwrap();
    }
    dir
}

/// Four labelled pictures, picture i all i, the odd ones of persons, and one without a label.
fn vww_folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (i, name) in (0..).zip(["a.bin", "b.bin", "c.bin", "d.bin", "unlabelled.bin"]) {
        write(dir.path().join(name), vec![i; 96 * 96 * 3]).unwrap();
    }
    write(dir.path().join("y_labels.csv"), "a.bin,2,0\nb.bin, 2, 1\nc.bin,2,0\r\nd.bin,2,1\n")
        .unwrap();
    dir
}

/// The refusal to load a folder, without the folder's own path.
fn refusal(dir: &Path) -> String {
    let line = load(dir).unwrap_err().to_string();
    assert!(!line.contains('\n'), "{line}");
    line.replace(&dir.display().to_string(), "DIR")
}

/// The test set of a folder whose pictures have one size.
fn test_of(folder: &Folder) -> Pictures {
    match folder.test(folder.shape().unwrap()).unwrap() {
        Set::Memory(pictures) => pictures,
        Set::Files(_) => panic!("pictures of one size are read into memory"),
    }
}

#[test]
fn planes_become_pixels_and_files_follow_one_another() {
    let dir = cifar_folder();
    let set = load(dir.path()).unwrap();
    assert_eq!((set.name, set.classes), ("cifar10", 10));
    assert_eq!(set.calibration.labels, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]);
    assert_eq!(set.test.labels, [5, 6]);
    assert_eq!(set.calibration.picture(4), [2, 52, 102].repeat(1024));
    assert_eq!(set.test.picture(1), [6, 56, 106].repeat(1024));
    assert_eq!(test_of(&Folder::open(dir.path()).unwrap()), set.test);
}

#[test]
fn the_test_set_alone_scores() {
    let dir = cifar_folder();
    let whole = load(dir.path()).unwrap();
    for name in &CIFAR_FILES[..5] {
        remove_file(dir.path().join(name)).unwrap();
    }
    let folder = Folder::open(dir.path()).unwrap();
    assert_eq!(test_of(&folder), whole.test);
    let error = folder.calibration(cifar10::SHAPE).unwrap_err().to_string();
    assert!(error.contains("data_batch_1.bin: No such file"), "{error}");
}

#[test]
fn a_cause_is_told_once() {
    let dir = cifar_folder();
    remove_file(dir.path().join("data_batch_3.bin")).unwrap();
    let error = load(dir.path()).unwrap_err();
    // Who prints an error prints its sources, too.
    assert!(std::error::Error::source(&error).is_none());
    assert_eq!(error.to_string().matches("No such file").count(), 1);
}

#[test]
fn even_rows_calibrate_and_odd_rows_score() {
    let dir = vww_folder();
    let set = load(dir.path()).unwrap();
    assert_eq!((set.name, set.classes), ("vww01", 2));
    assert_eq!((&set.calibration.labels[..], &set.test.labels[..]), (&[0, 0][..], &[1, 1][..]));
    assert_eq!(set.calibration.picture(1), vec![2; 96 * 96 * 3]);
    assert_eq!(set.test.picture(0), vec![1; 96 * 96 * 3]);
}

#[test]
fn a_folder_of_no_set_or_two_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        refusal(dir.path()),
        "DIR: holds neither test_batch.bin (CIFAR-10, binary version) nor y_labels.csv (Visual Wake \
         Words) nor folders train and val (JPEG files in class folders); name the folder that directly \
         holds one of them"
    );
    assert_eq!(refusal(&dir.path().join("absent")), "DIR: there is no such folder");
    write(dir.path().join("test_batch.bin"), "").unwrap();
    assert_eq!(refusal(&dir.path().join("test_batch.bin")), "DIR: is not a folder");
    write(dir.path().join("y_labels.csv"), "").unwrap();
    let both = "DIR: holds more than one of test_batch.bin, y_labels.csv and folders train and val: \
                which set is it?";
    assert_eq!(refusal(dir.path()), both);
}

#[test]
fn a_short_or_wrong_cifar_folder_is_refused() {
    let change = |name: &str, contents: &[u8]| {
        let dir = cifar_folder();
        write(dir.path().join(name), contents).unwrap();
        refusal(dir.path())
    };
    let limit = "length must be 1 to 10000 records of 3073 bytes, got";
    let cut = change("test_batch.bin", &[0; 6145]);
    assert_eq!(cut, format!("DIR/test_batch.bin: {limit} 6145 bytes"));
    let empty = change("data_batch_4.bin", &[]);
    let message =
        "DIR/data_batch_4.bin: length must be 6146 bytes as of test_batch.bin, got 0 bytes";
    assert_eq!(empty, message);
    let one_short = change("data_batch_2.bin", &[0; 3073]);
    let message =
        "DIR/data_batch_2.bin: length must be 6146 bytes as of test_batch.bin, got 3073 bytes";
    assert_eq!(one_short, message);
    let label = change("data_batch_5.bin", &[[0; 3073], [10; 3073]].concat());
    let message = "DIR/data_batch_5.bin: record 1 must have a label below 10, got 10";
    assert_eq!(label, message);
    let dir = cifar_folder();
    remove_file(dir.path().join("data_batch_3.bin")).unwrap();
    let absent = refusal(dir.path());
    assert!(absent.starts_with("DIR/data_batch_3.bin: No such file"), "{absent}");
    create_dir(dir.path().join("data_batch_3.bin")).unwrap();
    assert_eq!(refusal(dir.path()), "DIR/data_batch_3.bin: is not a plain file");
}

#[test]
fn a_wrong_table_of_labels_is_refused_with_its_line() {
    let cases: [(&[u8], &str); 11] = [
        (b"a.bin,2,0\nb.bin,2\n", "line 2: must be `file,classes,label`, got 2 fields"),
        (b"a.bin,2,0\n\n", "line 2: must be `file,classes,label`, got 1 fields"),
        (b"a.bin,2,2\n", "line 1: label must be 0 or 1, got `2`"),
        (b"a.bin,2,-1\n", "line 1: label must be 0 or 1, got `-1`"),
        (b"a.bin,3,0\n", "line 1: number of classes must be 2, got `3`"),
        (b"../a.bin,2,0\n", "line 1: `../a.bin` is no plain file name"),
        (b"a.bin,2,0\na.bin,2,1\n", "line 2: `a.bin` is named a second time"),
        (b"a.bin,2,\x1b[2J\n", "line 1: label must be 0 or 1, got `\\u{1b}[2J`"),
        (b"a.bin,2,\xff\n", "is not text: invalid utf-8 sequence of 1 bytes from index 8"),
        (b"", "number of rows must be at least 2, one to calibrate and one to score, got 0"),
        (
            b"a.bin,2,0\n",
            "number of rows must be at least 2, one to calibrate and one to score, got 1",
        ),
    ];
    for (table, message) in cases {
        let dir = vww_folder();
        write(dir.path().join("y_labels.csv"), table).unwrap();
        assert_eq!(refusal(dir.path()), format!("DIR/y_labels.csv: {message}"));
    }
}

#[test]
fn pictures_of_the_wrong_size_are_refused() {
    let dir = vww_folder();
    write(dir.path().join("b.bin"), [0; 96 * 96]).unwrap();
    let message = "DIR/b.bin: length must be 27648 bytes for 96×96×3 pixels, got 9216 bytes";
    assert_eq!(refusal(dir.path()), message);
    remove_file(dir.path().join("b.bin")).unwrap();
    assert!(refusal(dir.path()).starts_with("DIR/b.bin: No such file"));
}
