//! Data sets: pictures with labels, from a folder or made by code.
//!
//! This is the only place of the crate that opens files. [`Folder::open`] looks at what a folder
//! holds and checks every length; pictures are read when they are asked for. [`synthetic`] and
//! [`picture_like`] need no folder.

mod cifar10;
mod synthetic;
mod vww;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use tridot_sim::network::Shape;

use crate::Error;

pub use synthetic::{MAX_PICTURE_BYTES, picture_like, synthetic, synthetic_fits};

/// Pictures of one shape and their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// Height, width and channels of each.
    pub shape: Shape,
    /// Picture after picture, NHWC.
    pub pixels: Vec<u8>,
    /// One class a picture.
    pub labels: Vec<u8>,
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

    /// The pixels of one picture, HWC. Panics if there are not that many.
    pub fn picture(&self, picture_idx: usize) -> &[u8] {
        let elements = self.shape.elements();
        &self.pixels[picture_idx * elements..(picture_idx + 1) * elements]
    }
}

/// Pictures to train or calibrate with, and pictures to score with; no picture is in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// `cifar10`, `vww01` or `synthetic`.
    pub name: &'static str,
    /// Labels are below it.
    pub classes: usize,
    /// To train and calibrate.
    pub calibration: Pictures,
    /// To score.
    pub test: Pictures,
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
}

impl Folder {
    /// Looks into the folder that directly holds `test_batch.bin` (CIFAR-10, binary version) or
    /// `y_labels.csv` (Visual Wake Words), checks that every file of the test set, and of Visual Wake
    /// Words every file, is there and has the length it must have, and reads no picture.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        if !dir.is_dir() {
            let reason = if dir.exists() { "is not a folder" } else { "there is no such folder" };
            return Err(at(dir, reason));
        }
        let contents = match (dir.join(cifar10::MARK).exists(), dir.join(vww::MARK).exists()) {
            (true, false) => Contents::Cifar10 { test_records: cifar10::test_records(dir)? },
            (false, true) => Contents::VisualWakeWords { rows: vww::survey(dir)? },
            (true, true) => {
                return Err(at(
                    dir,
                    "holds both test_batch.bin and y_labels.csv: which set is it?",
                ));
            }
            (false, false) => {
                return Err(at(
                    dir,
                    "holds neither test_batch.bin (CIFAR-10, binary version) nor y_labels.csv \
                     (Visual Wake Words); name the folder that directly holds one of them",
                ));
            }
        };
        Ok(Self { dir: dir.to_path_buf(), contents })
    }

    /// `cifar10` or `vww01`.
    pub fn name(&self) -> &'static str {
        match self.contents {
            Contents::Cifar10 { .. } => "cifar10",
            Contents::VisualWakeWords { .. } => "vww01",
        }
    }

    /// Labels are below it.
    pub fn classes(&self) -> usize {
        match self.contents {
            Contents::Cifar10 { .. } => cifar10::CLASSES,
            Contents::VisualWakeWords { .. } => vww::CLASSES,
        }
    }

    /// Height, width and channels of a picture.
    pub fn shape(&self) -> Shape {
        match self.contents {
            Contents::Cifar10 { .. } => cifar10::SHAPE,
            Contents::VisualWakeWords { .. } => vww::SHAPE,
        }
    }

    /// The training pictures of CIFAR-10 in the order of their files, of which each must have as many
    /// as the test set, so that a file cut off between two pictures is noticed; of Visual Wake Words the
    /// rows 0, 2, 4, … of `y_labels.csv`.
    pub fn calibration(&self) -> Result<Pictures, Error> {
        match &self.contents {
            Contents::Cifar10 { test_records } => {
                cifar10::check_training_files(&self.dir, *test_records)?;
                cifar10::read(&self.dir, &cifar10::TRAINING_FILES, *test_records)
            }
            Contents::VisualWakeWords { rows } => vww::read(&self.dir, rows.iter().step_by(2)),
        }
    }

    /// The test pictures of CIFAR-10; of Visual Wake Words the rows 1, 3, 5, … of `y_labels.csv`.
    pub fn test(&self) -> Result<Pictures, Error> {
        match &self.contents {
            Contents::Cifar10 { test_records } => {
                cifar10::read(&self.dir, &[cifar10::MARK], *test_records)
            }
            Contents::VisualWakeWords { rows } => {
                vww::read(&self.dir, rows.iter().skip(1).step_by(2))
            }
        }
    }
}

/// All of a data-set folder; [`Folder`] reads only what is asked for.
pub fn load(dir: &Path) -> Result<DataSet, Error> {
    let folder = Folder::open(dir)?;
    Ok(DataSet {
        name: folder.name(),
        classes: folder.classes(),
        calibration: folder.calibration()?,
        test: folder.test()?,
    })
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
