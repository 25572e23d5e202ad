//! JPEG files in class folders, as ImageNet has them: `train/CLASS/*.JPEG` and `val/CLASS/*.JPEG`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use tridot_sim::network::Shape;

use super::{at, io_error, jpeg};
use crate::Error;

/// The folders whose presence says that a folder holds such a set.
pub(super) const TRAINING: &str = "train";
pub(super) const TEST: &str = "val";
/// What a picture has, whatever its file.
const CHANNELS: usize = 3;
/// Labels are u16.
const MAX_CLASSES: usize = 1 << 16;
/// Pictures of a set, at most: 16 Mi, a dozen times those of ImageNet.
const MAX_PICTURES: usize = 1 << 24;
/// Of so many files one may be unreadable. Published sets have a few such files, and one in a thousand
/// moves no result; where there are more, something is wrong with the folder.
const FILES_PER_UNREADABLE: usize = 1000;
/// Memory for one picture that is kept for the next.
const KEPT_BYTES: usize = 1 << 24;

/// JPEG files with their classes: found, and read when they are asked for.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    classes: Vec<OsString>,
    names: Vec<Box<OsStr>>,
    /// By picture: the index of its class.
    labels: Vec<u16>,
    shape: Shape,
    /// Pictures that could not be read, and why.
    unreadable: Mutex<BTreeMap<usize, String>>,
}

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its path.
    pub path: PathBuf,
    /// What is wrong with it, to be read after the path.
    pub reason: String,
}

/// The names of the class folders of a set, sorted by their bytes: a class is its index in them.
///
/// There must be a folder `val`, and one `train` must hold the same classes if it is there.
pub(super) fn classes(dir: &Path) -> Result<Vec<OsString>, Error> {
    let (training, test) = (dir.join(TRAINING), dir.join(TEST));
    if !test.is_dir() {
        return Err(at(&test, "there is no such folder; test pictures lie in val/CLASS/*.JPEG"));
    }
    let classes = class_names(&test)?;
    if training.is_dir() {
        same_classes(&training, &class_names(&training)?, &test, &classes)?;
    }
    Ok(classes)
}

fn same_classes(
    training: &Path,
    training_classes: &[OsString],
    test: &Path,
    test_classes: &[OsString],
) -> Result<(), Error> {
    let of_one = |a: &[OsString], b: &[OsString]| {
        a.iter().find(|name| b.binary_search(name).is_err()).cloned()
    };
    for (here, name) in [
        (test, of_one(training_classes, test_classes)),
        (training, of_one(test_classes, training_classes)),
    ] {
        if let Some(name) = name {
            let reason = "there is no such folder, though train and val must have the same classes";
            return Err(at(&here.join(name), reason));
        }
    }
    Ok(())
}

fn class_names(dir: &Path) -> Result<Vec<OsString>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| io_error(dir, error))? {
        let entry = entry.map_err(|error| io_error(dir, error))?;
        let name = entry.file_name();
        if !is_hidden(&name) && dir.join(&name).is_dir() {
            names.push(name);
        }
        if MAX_CLASSES < names.len() {
            let limit = format!("at most {MAX_CLASSES}");
            let place = dir.display().to_string();
            return Err(Error::limit(place, "the number of class folders", limit, "more"));
        }
    }
    names.sort_unstable();
    if names.is_empty() {
        return Err(at(dir, "holds no class folder"));
    }
    Ok(names)
}

/// Such as `.DS_Store` and `.ipynb_checkpoints`.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The names of the JPEG files of a class, sorted by their bytes.
fn file_names(dir: &Path) -> Result<Vec<Box<OsStr>>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| io_error(dir, error))? {
        let entry = entry.map_err(|error| io_error(dir, error))?;
        let name = entry.file_name();
        let is_jpeg = |extension: &OsStr| {
            ["jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        };
        if is_hidden(&name) || !Path::new(&name).extension().is_some_and(is_jpeg) {
            continue;
        }
        names.push(name.into_boxed_os_str());
        if MAX_PICTURES < names.len() {
            return Err(too_many(dir));
        }
    }
    names.sort_unstable();
    if names.is_empty() {
        return Err(at(dir, "a class folder without a .jpg or .jpeg file"));
    }
    Ok(names)
}

fn too_many(dir: &Path) -> Error {
    let limit = format!("at most {MAX_PICTURES}");
    Error::limit(dir.display().to_string(), "the number of pictures", limit, "more")
}

impl Files {
    /// Finds all files of `DIR/train` or `DIR/val`; opens none.
    pub(super) fn list(
        dir: &Path,
        part: &str,
        classes: &[OsString],
        shape: Shape,
    ) -> Result<Self, Error> {
        let dir = dir.join(part);
        if !dir.is_dir() {
            let reason = format!("there is no such folder; pictures lie in {part}/CLASS/*.JPEG");
            return Err(at(&dir, reason));
        }
        if shape.channels != CHANNELS {
            let limit = format!("{CHANNELS}, as of the pictures");
            let place = dir.display().to_string();
            return Err(Error::limit(place, "the network's input channels", limit, shape.channels));
        }
        let of_class = |class: &OsString| file_names(&dir.join(class));
        let by_class: Vec<_> = classes.par_iter().map(of_class).collect();
        let (mut names, mut labels) = (Vec::new(), Vec::new());
        for (label, of_class) in (0..=u16::MAX).zip(by_class) {
            let of_class = of_class?;
            labels.resize(labels.len() + of_class.len(), label);
            names.extend(of_class);
            if MAX_PICTURES < names.len() {
                return Err(too_many(&dir));
            }
        }
        let unreadable = Mutex::default();
        Ok(Self { dir, classes: classes.to_vec(), names, labels, shape, unreadable })
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The folder, for a refusal.
    pub(super) fn place(&self) -> String {
        self.dir.display().to_string()
    }

    pub(super) fn path(&self, picture_idx: usize) -> PathBuf {
        let class = &self.classes[usize::from(self.labels[picture_idx])];
        self.dir.join(class).join(&*self.names[picture_idx])
    }

    /// Reads and decodes a file into `pixels`; the inner error says what is wrong with its contents.
    pub(super) fn decode(
        &self,
        picture_idx: usize,
        file: &mut Vec<u8>,
        pixels: &mut Vec<u8>,
    ) -> Result<Result<Shape, String>, Error> {
        for kept in [&mut *file, &mut *pixels] {
            kept.clear();
            kept.shrink_to(KEPT_BYTES);
        }
        let path = self.path(picture_idx);
        // A pipe or a device could block for ever, or never end.
        let metadata = fs::metadata(&path).map_err(|error| io_error(&path, error))?;
        if !metadata.is_file() {
            return Ok(Err("is not a plain file".to_owned()));
        }
        if jpeg::MAX_FILE_BYTES < metadata.len() {
            let limit = jpeg::MAX_FILE_BYTES;
            return Ok(Err(format!("has {} bytes, and at most {limit} are read", metadata.len())));
        }
        let opened = fs::File::open(&path).map_err(|error| io_error(&path, error))?;
        opened
            .take(jpeg::MAX_FILE_BYTES)
            .read_to_end(file)
            .map_err(|error| io_error(&path, error))?;
        let size = jpeg::decode(file, pixels);
        Ok(size.map(|[height, width]| Shape::new(height, width, CHANNELS)))
    }

    /// Notes a picture that cannot be read; refuses when there are too many.
    pub(super) fn skip(&self, picture_idx: usize, reason: &str) -> Result<(), Error> {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.insert(picture_idx, reason.to_owned());
        let most = self.names.len().div_ceil(FILES_PER_UNREADABLE);
        if unreadable.len() <= most {
            return Ok(());
        }
        let limit = format!("at most {most} of {}", self.names.len());
        let last = format!(
            "{}: the last, {}, {reason}",
            unreadable.len(),
            self.path(picture_idx).display()
        );
        Err(Error::limit(self.place(), "the number of unreadable files", limit, last))
    }

    /// The files that could not be read so far, in order.
    pub fn unreadable(&self) -> Vec<Unreadable> {
        let unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |(&picture_idx, reason): (&usize, &String)| Unreadable {
            path: self.path(picture_idx),
            reason: reason.clone(),
        };
        unreadable.iter().map(one).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
