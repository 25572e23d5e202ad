//! Visual Wake Words: one raw file a picture, and a table of labels.

use std::collections::BTreeSet;
use std::path::Path;

use tridot_sim::network::Shape;

use super::{Pictures, at, file_bytes, read_exactly};
use crate::Error;

/// The file whose presence says that a folder holds this set.
pub(super) const MARK: &str = "y_labels.csv";
/// 0 is no person, 1 is a person.
pub(super) const CLASSES: usize = 2;
pub(super) const SHAPE: Shape = Shape::new(96, 96, 3);

const MAX_TABLE_BYTES: u64 = 1 << 20;

/// One line of the table of labels.
#[derive(Debug, Clone)]
pub(super) struct Row {
    file: String,
    label: u8,
}

/// The rows of the table of labels, after checking that each names a file of the right length, and
/// no file twice. Files that no row names have no label and are not used.
pub(super) fn survey(dir: &Path) -> Result<Vec<Row>, Error> {
    let path = dir.join(MARK);
    let bytes = file_bytes(&path)?;
    if MAX_TABLE_BYTES < bytes {
        let limit = format!("at most {MAX_TABLE_BYTES} bytes");
        return Err(Error::limit(path.display().to_string(), "length", limit, bytes));
    }
    let length = usize::try_from(bytes).expect("at most MAX_TABLE_BYTES");
    let text = String::from_utf8(read_exactly(&path, length)?)
        .map_err(|error| at(&path, format!("is not text: {error}")))?;
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for (line_idx, line) in text.lines().enumerate() {
        let here = |reason| at(&path, format!("line {}: {reason}", line_idx + 1));
        let row = parse(line).map_err(here)?;
        if !seen.insert(row.file.clone()) {
            return Err(here(format!("`{}` is named a second time", row.file)));
        }
        check_length(&dir.join(&row.file))?;
        rows.push(row);
    }
    if rows.len() < 2 {
        let limit = "at least 2, one to calibrate and one to score";
        return Err(Error::limit(path.display().to_string(), "number of rows", limit, rows.len()));
    }
    Ok(rows)
}

fn parse(line: &str) -> Result<Row, String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let &[file, classes, label] = fields.as_slice() else {
        return Err(format!("must be `file,classes,label`, got {} fields", fields.len()));
    };
    // A name with a separator could lead out of the folder.
    let is_plain = |c: char| !c.is_control() && !['/', '\\'].contains(&c);
    if file.is_empty() || !file.chars().all(is_plain) || file == ".." || file == "." {
        return Err(format!("`{}` is no plain file name", file.escape_debug()));
    }
    if classes.parse() != Ok(CLASSES) {
        let got = classes.escape_debug();
        return Err(format!("number of classes must be {CLASSES}, got `{got}`"));
    }
    match label.parse::<u8>() {
        Ok(label) if usize::from(label) < CLASSES => Ok(Row { file: file.to_owned(), label }),
        _ => Err(format!("label must be 0 or 1, got `{}`", label.escape_debug())),
    }
}

fn check_length(path: &Path) -> Result<(), Error> {
    let bytes = file_bytes(path)?;
    if bytes == SHAPE.elements() as u64 {
        return Ok(());
    }
    let limit = format!("{} bytes for {SHAPE} pixels", SHAPE.elements());
    Err(Error::limit(path.display().to_string(), "length", limit, format!("{bytes} bytes")))
}

/// The pictures of these rows.
pub(super) fn read<'a>(
    dir: &Path,
    rows: impl ExactSizeIterator<Item = &'a Row>,
) -> Result<Pictures, Error> {
    let mut pictures = Pictures::with_capacity(SHAPE, rows.len());
    for row in rows {
        pictures.pixels.extend(read_exactly(&dir.join(&row.file), SHAPE.elements())?);
        pictures.labels.push(row.label.into());
    }
    Ok(pictures)
}
