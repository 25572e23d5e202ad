//! CIFAR-10, binary version: six files of records of a label and three planes.

use std::path::Path;

use tridot_sim::network::Shape;

use super::{Pictures, at, file_bytes, read_exactly};
use crate::Error;

/// The file whose presence says that a folder holds this set.
pub(super) const MARK: &str = "test_batch.bin";
pub(super) const TRAINING_FILES: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
pub(super) const CLASSES: usize = 10;
pub(super) const SHAPE: Shape = Shape::new(32, 32, 3);

/// A label, then the red, green and blue plane, row by row.
const RECORD_BYTES: usize = 1 + SHAPE.elements();
/// As published; a smaller set in the same form is welcome.
const MAX_RECORDS: u64 = 10_000;

/// Records of the test set: a whole number from 1 to 10,000.
pub(super) fn test_records(dir: &Path) -> Result<usize, Error> {
    let path = dir.join(MARK);
    let bytes = file_bytes(&path)?;
    let records = bytes / RECORD_BYTES as u64;
    if bytes % RECORD_BYTES as u64 != 0 || records == 0 || MAX_RECORDS < records {
        let limit = format!("1 to {MAX_RECORDS} records of {RECORD_BYTES} bytes");
        let place = path.display().to_string();
        return Err(Error::limit(place, "length", limit, format!("{bytes} bytes")));
    }
    Ok(usize::try_from(records).expect("at most 10,000"))
}

/// Refuses a training file that is not there or has not as many records as the test set.
pub(super) fn check_training_files(dir: &Path, test_records: usize) -> Result<(), Error> {
    for name in TRAINING_FILES {
        let path = dir.join(name);
        let bytes = file_bytes(&path)?;
        let expected = test_records * RECORD_BYTES;
        if bytes != expected as u64 {
            let limit = format!("{expected} bytes as of {MARK}");
            let place = path.display().to_string();
            return Err(Error::limit(place, "length", limit, format!("{bytes} bytes")));
        }
    }
    Ok(())
}

/// All pictures of these files, file after file.
pub(super) fn read(dir: &Path, names: &[&str], records: usize) -> Result<Pictures, Error> {
    let mut pictures = Pictures::with_capacity(SHAPE, names.len() * records);
    for name in names {
        let path = dir.join(name);
        let contents = read_exactly(&path, records * RECORD_BYTES)?;
        for (record_idx, record) in contents.chunks_exact(RECORD_BYTES).enumerate() {
            let (label, planes) = (record[0], &record[1..]);
            if CLASSES <= usize::from(label) {
                let limit = format!("a label below {CLASSES}");
                return Err(at(
                    &path,
                    format!("record {record_idx} must have {limit}, got {label}"),
                ));
            }
            pictures.labels.push(label.into());
            let (red, rest) = planes.split_at(SHAPE.pixels());
            let (green, blue) = rest.split_at(SHAPE.pixels());
            for ((&red, &green), &blue) in red.iter().zip(green).zip(blue) {
                pictures.pixels.extend_from_slice(&[red, green, blue]);
            }
        }
    }
    Ok(pictures)
}
