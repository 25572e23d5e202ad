//! Where pictures come from, one by one: from memory or from files.

use tridot_sim::network::Shape;

use super::ahead::{self, Made, Work};
use super::resize::{self, Raster, resize};
use super::{Files, Pictures};
use crate::Error;

/// Bytes of the pictures of files that are held at once, at most: 1 GiB.
const MAX_HELD_BYTES: usize = 1 << 30;

/// Pictures with labels, of a folder or made by code.
#[derive(Debug)]
pub enum Set {
    /// All of them.
    Memory(Pictures),
    /// Read from their files each time they are needed.
    Files(Files),
}

impl Set {
    /// To read them.
    pub fn source(&self) -> Source<'_> {
        match self {
            Self::Memory(pictures) => Source::Memory(pictures),
            Self::Files(files) => Source::Files(files),
        }
    }
}

/// Pictures to be read by index, as a network takes them.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Those of memory.
    Memory(&'a Pictures),
    /// Those of files, resized to the network's input.
    Files(&'a Files),
}

impl<'a> From<&'a Pictures> for Source<'a> {
    fn from(pictures: &'a Pictures) -> Self {
        Self::Memory(pictures)
    }
}

/// Memory of who reads one picture after the other.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(super) file: Vec<u8>,
    pub(super) pixels: Vec<u8>,
    line: Vec<f32>,
}

/// A picture that was read.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    /// In its own size.
    pub(crate) raster: Raster<'a>,
    /// Scratch of a resize.
    pub(crate) line: &'a mut Vec<f32>,
}

impl Opened<'_> {
    /// The picture as a network is tested on it.
    pub(crate) fn tested(self, shape: Shape, out: &mut [u8]) {
        if self.raster.shape == shape {
            out.copy_from_slice(self.raster.pixels);
        } else {
            let axes = resize::tested(self.raster.shape, shape);
            resize(self.raster, axes, self.line, out);
        }
    }
}

impl<'a> Source<'a> {
    /// Height, width and channels of each, as the network takes it.
    pub fn shape(self) -> Shape {
        match self {
            Self::Memory(pictures) => pictures.shape,
            Self::Files(files) => files.shape(),
        }
    }

    /// One class a picture.
    pub fn labels(self) -> &'a [u16] {
        match self {
            Self::Memory(pictures) => &pictures.labels,
            Self::Files(files) => files.labels(),
        }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.labels().len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.labels().is_empty()
    }

    /// So many of them for a look at all: the first in memory; of files, which lie class by class, some at
    /// equal distances. All, if there are no more.
    pub fn some(self, n: usize) -> Vec<usize> {
        let len = self.len();
        let n = n.min(len);
        match self {
            Self::Memory(_) => (0..n).collect(),
            Self::Files(_) => (0..n).map(|i| i * len / n).collect(),
        }
    }

    /// Reads one in its own size; the inner error says what is wrong with its file.
    pub(crate) fn open<'s>(
        self,
        picture_idx: usize,
        scratch: &'s mut Scratch,
    ) -> Result<Result<Opened<'s>, String>, Error>
    where
        'a: 's,
    {
        let Scratch { file, pixels, line } = scratch;
        let raster = match self {
            Self::Memory(pictures) => {
                Raster { shape: pictures.shape, pixels: pictures.picture(picture_idx) }
            }
            Self::Files(files) => match files.decode(picture_idx, file, pixels)? {
                Ok(shape) => Raster { shape, pixels },
                Err(reason) => return Ok(Err(reason)),
            },
        };
        Ok(Ok(Opened { raster, line }))
    }

    /// Reads one on this thread, as a network is tested on it.
    pub fn picture(self, picture_idx: usize) -> Result<Vec<u8>, Error> {
        let mut scratch = Scratch::default();
        let mut out = vec![0; self.shape().elements()];
        match (self.open(picture_idx, &mut scratch)?, self) {
            (Ok(opened), _) => opened.tested(self.shape(), &mut out),
            (Err(reason), Self::Files(files)) => {
                let path = files.path(picture_idx).display().to_string();
                return Err(Error::malformed(path, reason));
            }
            (Err(_), Self::Memory(_)) => unreachable!("memory has no unreadable file"),
        }
        Ok(out)
    }

    /// Counts a picture that cannot be read; refuses more than the set may have.
    pub(crate) fn skip(self, picture_idx: usize, reason: &str) -> Result<(), Error> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Files(files) => files.skip(picture_idx, reason),
        }
    }

    /// Reads these pictures, so many at once, and hands them over in order, the next being read meanwhile.
    /// Those that cannot be read are left out.
    pub fn batches<E: From<Error>>(
        self,
        indices: &[usize],
        at_once: usize,
        each: &mut dyn FnMut(&Pictures) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Self::Memory(pictures) = self {
            return indices.chunks(at_once).try_for_each(|some| each(&pictures.gathered(some)));
        }
        let make = |position: usize, scratch: &mut Scratch, out: &mut [u8]| {
            let picture_idx = indices[position];
            Ok(match self.open(picture_idx, scratch)? {
                Ok(opened) => {
                    opened.tested(self.shape(), out);
                    Made { label: Some(self.labels()[picture_idx]), damaged: Vec::new() }
                }
                Err(reason) => Made { label: None, damaged: vec![(picture_idx, reason)] },
            })
        };
        let work = Work { source: self, pictures: indices.len(), batch: at_once, make: &make };
        ahead::batches(&work, each)
    }

    /// Reads these pictures into memory. Those that cannot be read are left out.
    ///
    /// Refuses more files than fill 1 GiB before it reads any, and to give none at all.
    pub fn pictures(self, indices: &[usize]) -> Result<Pictures, Error> {
        let shape = self.shape();
        let files = match self {
            Self::Memory(pictures) => return Ok(pictures.gathered(indices)),
            Self::Files(files) => files,
        };
        let most = MAX_HELD_BYTES / shape.elements().max(1);
        if most < indices.len() {
            let limit = format!("at most {most}, as {shape} pictures fill {MAX_HELD_BYTES} bytes");
            let what = "the number of pictures in memory";
            return Err(Error::limit(files.place(), what, limit, indices.len()));
        }
        let mut all = Pictures::with_capacity(shape, indices.len());
        self.batches(indices, super::PICTURES_AT_ONCE, &mut |some: &Pictures| {
            all.pixels.extend_from_slice(&some.pixels);
            all.labels.extend_from_slice(&some.labels);
            Ok::<(), Error>(())
        })?;
        if all.is_empty() {
            return Err(Error::malformed(files.place(), "none of the chosen pictures is readable"));
        }
        Ok(all)
    }
}
