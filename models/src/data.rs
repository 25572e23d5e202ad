//! Data sets: pictures with labels, from a folder or made by code.
//!
//! This is the only place of the crate that opens files. [`Folder::open`] looks at what a folder
//! holds; pictures are read when they are asked for, small ones all at once, JPEG files one by one
//! on threads of their own, ahead of who needs them. [`synthetic`] and [`picture_like`] need no folder.

mod ahead;
mod cifar10;
mod class_folders;
mod jpeg;
mod resize;
mod source;
mod synthetic;
mod vww;

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use tridot_sim::network::Shape;

use crate::Error;

pub(crate) use ahead::{Made, Work, batches};
pub use class_folders::{Files, Unreadable};
pub(crate) use resize::{Axis, Raster, resize};
pub(crate) use source::{Opened, Scratch};
pub use source::{Set, Source};
pub use synthetic::{MAX_PICTURE_BYTES, picture_like, synthetic, synthetic_fits};

/// Pictures that are read at once where all of a set are wanted: a few dozen megabytes of 224×224×3.
pub const PICTURES_AT_ONCE: usize = 256;

/// Pictures of one shape and their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// Height, width and channels of each.
    pub shape: Shape,
    /// Picture after picture, NHWC.
    pub pixels: Vec<u8>,
    /// One class a picture.
    pub labels: Vec<u16>,
}

impl Pictures {
    /// None yet, with room for `n`.
    fn with_capacity(shape: Shape, n: usize) -> Self {
        let pixels = Vec::with_capacity(n * shape.elements());
        Self { shape, pixels, labels: Vec::with_capacity(n) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Keeps the first pictures, at most so many.
    pub fn truncate(&mut self, n: usize) {
        self.labels.truncate(n);
        self.pixels.truncate(n.saturating_mul(self.shape.elements()));
    }

    /// Copies of these pictures.
    fn gathered(&self, indices: &[usize]) -> Self {
        let mut gathered = Self::with_capacity(self.shape, indices.len());
        for &i in indices {
            gathered.pixels.extend_from_slice(self.picture(i));
            gathered.labels.push(self.labels[i]);
        }
        gathered
    }

    /// The pixels of one picture, HWC. Panics if there are not that many.
    pub fn picture(&self, picture_idx: usize) -> &[u8] {
        let elements = self.shape.elements();
        &self.pixels[picture_idx * elements..(picture_idx + 1) * elements]
    }
}

/// Pictures to train or calibrate with, and pictures to score with; no picture is in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet<P = Pictures> {
    /// `cifar10`, `vww01`, `class-folders` or `synthetic`.
    pub name: &'static str,
    /// Labels are below it.
    pub classes: usize,
    /// To train and calibrate.
    pub calibration: P,
    /// To score.
    pub test: P,
}

impl From<DataSet> for DataSet<Set> {
    fn from(set: DataSet) -> Self {
        let DataSet { name, classes, calibration, test } = set;
        Self { name, classes, calibration: Set::Memory(calibration), test: Set::Memory(test) }
    }
}

/// A data-set folder whose files have been found and measured, but not read.
#[derive(Debug, Clone)]
pub struct Folder {
    dir: PathBuf,
    contents: Contents,
}

#[derive(Debug, Clone)]
enum Contents {
    Cifar10 { test_records: usize },
    VisualWakeWords { rows: Vec<vww::Row> },
    ClassFolders { classes: Vec<OsString> },
}

impl Folder {
    /// Looks into the folder that directly holds `test_batch.bin` (CIFAR-10, binary version),
    /// `y_labels.csv` (Visual Wake Words) or `val` and perhaps `train` (class folders of JPEG files).
    ///
    /// Checks that every file of the test set, and of Visual Wake Words every file, is there and has the
    /// length it must have; of class folders, that both sets have the same. Reads no picture.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        if !dir.is_dir() {
            let reason = if dir.exists() { "is not a folder" } else { "there is no such folder" };
            return Err(at(dir, reason));
        }
        let class_folders = [class_folders::TRAINING, class_folders::TEST];
        let marks = [
            dir.join(cifar10::MARK).exists(),
            dir.join(vww::MARK).exists(),
            class_folders.iter().any(|part| dir.join(part).is_dir()),
        ];
        let contents = match marks {
            [true, false, false] => Contents::Cifar10 { test_records: cifar10::test_records(dir)? },
            [false, true, false] => Contents::VisualWakeWords { rows: vww::survey(dir)? },
            [false, false, true] => {
                Contents::ClassFolders { classes: class_folders::classes(dir)? }
            }
            [false, false, false] => {
                return Err(at(
                    dir,
                    "holds neither test_batch.bin (CIFAR-10, binary version) nor y_labels.csv \
                     (Visual Wake Words) nor folders train and val (JPEG files in class folders); \
                     name the folder that directly holds one of them",
                ));
            }
            _ => {
                return Err(at(
                    dir,
                    "holds more than one of test_batch.bin, y_labels.csv and folders train and \
                     val: which set is it?",
                ));
            }
        };
        Ok(Self { dir: dir.to_path_buf(), contents })
    }

    /// `cifar10`, `vww01` or `class-folders`.
    pub fn name(&self) -> &'static str {
        match self.contents {
            Contents::Cifar10 { .. } => "cifar10",
            Contents::VisualWakeWords { .. } => "vww01",
            Contents::ClassFolders { .. } => "class-folders",
        }
    }

    /// Labels are below it.
    pub fn classes(&self) -> usize {
        match &self.contents {
            Contents::Cifar10 { .. } => cifar10::CLASSES,
            Contents::VisualWakeWords { .. } => vww::CLASSES,
            Contents::ClassFolders { classes } => classes.len(),
        }
    }

    /// Height, width and channels of a picture; none where pictures take the size that is asked for.
    pub fn shape(&self) -> Option<Shape> {
        match self.contents {
            Contents::Cifar10 { .. } => Some(cifar10::SHAPE),
            Contents::VisualWakeWords { .. } => Some(vww::SHAPE),
            Contents::ClassFolders { .. } => None,
        }
    }

    /// Pictures to train and calibrate with.
    ///
    /// The training pictures of CIFAR-10 in the order of their files, of which each must have as many
    /// as the test set, so that a file cut off between two pictures is noticed; of Visual Wake Words the
    /// rows 0, 2, 4, … of `y_labels.csv`; of class folders the files of `train`, class by class, in the
    /// order of their names, to be resized to `shape`.
    pub fn calibration(&self, shape: Shape) -> Result<Set, Error> {
        match &self.contents {
            Contents::Cifar10 { test_records } => {
                cifar10::check_training_files(&self.dir, *test_records)?;
                cifar10::read(&self.dir, &cifar10::TRAINING_FILES, *test_records).map(Set::Memory)
            }
            Contents::VisualWakeWords { rows } => {
                vww::read(&self.dir, rows.iter().step_by(2)).map(Set::Memory)
            }
            Contents::ClassFolders { classes } => {
                Files::list(&self.dir, class_folders::TRAINING, classes, shape).map(Set::Files)
            }
        }
    }

    /// The test pictures of CIFAR-10; of Visual Wake Words the rows 1, 3, 5, … of `y_labels.csv`; of class
    /// folders the files of `val`, to be resized to `shape`.
    pub fn test(&self, shape: Shape) -> Result<Set, Error> {
        match &self.contents {
            Contents::Cifar10 { test_records } => {
                cifar10::read(&self.dir, &[cifar10::MARK], *test_records).map(Set::Memory)
            }
            Contents::VisualWakeWords { rows } => {
                vww::read(&self.dir, rows.iter().skip(1).step_by(2)).map(Set::Memory)
            }
            Contents::ClassFolders { classes } => {
                Files::list(&self.dir, class_folders::TEST, classes, shape).map(Set::Files)
            }
        }
    }

    /// Both.
    pub fn both(&self, shape: Shape) -> Result<DataSet<Set>, Error> {
        let (name, classes) = (self.name(), self.classes());
        Ok(DataSet {
            name,
            classes,
            calibration: self.calibration(shape)?,
            test: self.test(shape)?,
        })
    }
}

/// All of a data-set folder whose pictures have one size; [`Folder`] reads only what is asked for.
pub fn load(dir: &Path) -> Result<DataSet, Error> {
    let folder = Folder::open(dir)?;
    let Some(shape) = folder.shape() else {
        return Err(at(dir, "holds pictures of any size, which do not all go into memory"));
    };
    let DataSet { name, classes, calibration, test } = folder.both(shape)?;
    match (calibration, test) {
        (Set::Memory(calibration), Set::Memory(test)) => {
            Ok(DataSet { name, classes, calibration, test })
        }
        _ => unreachable!("pictures of one size are read into memory"),
    }
}

/// A refusal that names a file or folder.
fn at(path: &Path, reason: impl Into<String>) -> Error {
    Error::malformed(path.display().to_string(), reason)
}

fn io_error(path: &Path, cause: std::io::Error) -> Error {
    Error::Io { path: path.display().to_string(), cause }
}

/// The length of a plain file, in bytes.
fn file_bytes(path: &Path) -> Result<u64, Error> {
    let metadata = fs::metadata(path).map_err(|error| io_error(path, error))?;
    if metadata.is_file() { Ok(metadata.len()) } else { Err(at(path, "is not a plain file")) }
}

/// The whole of a file whose length has been checked; refuses one that has changed since.
fn read_exactly(path: &Path, bytes: usize) -> Result<Vec<u8>, Error> {
    let mut file = fs::File::open(path).map_err(|error| io_error(path, error))?;
    let mut contents = vec![0; bytes];
    file.read_exact(&mut contents).map_err(|error| io_error(path, error))?;
    Ok(contents)
}

#[cfg(test)]
mod tests;
