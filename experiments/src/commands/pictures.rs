//! Pictures for a network: from a data folder that fits it, or synthetic.

use std::path::Path;

use anyhow::{Result, bail};
use tridot_models::data::{self, DataSet, Folder, Pictures, Set, Source};
use tridot_sim::kernels::{Backend, Prepared, Scratch};
use tridot_sim::network::{Network, Shape, TensorId};
use tridot_sim::trace::Trace;

use crate::cli;
use crate::print::Printer;
use crate::threads;

/// Opens a data folder; refuses pictures or classes that a network was not made for.
pub(crate) fn open(dir: &Path, shape: Shape, classes: usize) -> Result<Folder> {
    let folder = Folder::open(dir)?;
    let dir = dir.display();
    if let Some(own) = folder.shape()
        && own != shape
    {
        bail!("{dir}: pictures must be {shape}, as the network's input, got {own}");
    }
    if folder.classes() != classes {
        bail!(
            "{dir}: classes must be {classes}, as the network's outputs, got {}",
            folder.classes()
        );
    }
    Ok(folder)
}

/// The shape of a network's pictures, and its number of classes.
pub(crate) fn wanted(network: &Network) -> (Shape, usize) {
    (network.input.tensor.shape, network.tensor(network.output_id()).shape.elements())
}

/// Pictures of the synthetic set, where a command does not say how many.
const SYNTHETIC_TRAINING: usize = 6000;
const SYNTHETIC_TEST: usize = 2000;

/// Pictures with labels: of a data folder, or the synthetic set where a network fits it, else none.
pub(crate) fn labelled(
    source: &cli::Source,
    shape: Shape,
    classes: usize,
    seed: u64,
) -> Result<Option<DataSet<Set>>> {
    let Some(dir) = &source.data else {
        let fits = data::synthetic_fits(shape, classes);
        return Ok(fits.then(|| data::synthetic(seed, SYNTHETIC_TRAINING, SYNTHETIC_TEST).into()));
    };
    Ok(Some(open(dir, shape, classes)?.both(shape)?))
}

/// The test pictures of the synthetic set, where a network fits it.
pub(crate) fn synthetic_test(shape: Shape, classes: usize, seed: u64) -> Option<DataSet> {
    data::synthetic_fits(shape, classes).then(|| data::synthetic(seed, 0, SYNTHETIC_TEST))
}

/// Names the files of these sets that could not be read.
pub(crate) fn tell_unreadable(sets: &[Source<'_>], printer: &Printer) {
    for set in sets {
        if let Source::Files(files) = set {
            for file in files.unreadable() {
                printer.note(format_args!("left out: {}: {}", file.path.display(), file.reason));
            }
        }
    }
}

/// Some test pictures of the source, at most so many, and the name of where they come from: the first,
/// or of class folders some at equal distances, which reads no others.
pub(crate) fn test_pictures(
    source: &cli::Source,
    network: &Network,
    n: usize,
    seed: u64,
    printer: &Printer,
) -> Result<(Pictures, String)> {
    let (shape, classes) = wanted(network);
    let Some(dir) = &source.data else {
        if data::synthetic_fits(shape, classes) {
            return Ok((data::synthetic(seed, 0, n).test, format!("synthetic set, seed {seed}")));
        }
        return Ok((data::picture_like(shape, seed, n)?, format!("synthetic, seed {seed}")));
    };
    let folder = open(dir, shape, classes)?;
    let pictures = match folder.test(shape)? {
        Set::Memory(mut test) => {
            test.truncate(n);
            test
        }
        Set::Files(files) => {
            let files = Source::Files(&files);
            let pictures = files.pictures(&files.some(n))?;
            tell_unreadable(&[files], printer);
            pictures
        }
    };
    if pictures.len() < n {
        let there = pictures.len();
        printer.note(format_args!("{}: has {there} test pictures, not {n}", dir.display()));
    }
    Ok((pictures, folder.name().to_owned()))
}

/// Elements of all tensors of a network, for one picture.
pub(crate) fn elements(network: &Network) -> usize {
    let tensors = (0..=network.layers.len()).map(TensorId);
    tensors.map(|id| network.tensor(id).shape.elements()).sum()
}

/// Bytes of all tensors of all pictures of a trace while it is made, at most: 4 GiB.
const MAX_TRACE_BYTES: usize = 1 << 32;

/// The trace of some pictures, on all threads with the fastest kernels of this processor.
pub(crate) fn trace(
    network: &Network,
    pictures: &Pictures,
    data: &str,
    printer: &Printer,
) -> Result<Trace> {
    let most = (MAX_TRACE_BYTES / (size_of::<i64>() * elements(network))).max(1);
    if most < pictures.len() {
        bail!(
            "the number of pictures of a trace of `{}` must be at most {most}, as their tensors fill {MAX_TRACE_BYTES} bytes, got {}",
            network.name,
            pictures.len()
        );
    }
    let prepared = Prepared::new(network, Backend::best())?;
    let bar = printer.bar("record", pictures.len() as u64);
    let runs = threads::map(
        pictures.len(),
        || Scratch::new(&prepared),
        |scratch, i| {
            let tensors = prepared.tensors(scratch, pictures.picture(i))?;
            bar.inc(1);
            Ok(tensors)
        },
    )?;
    bar.finish_and_clear();
    Ok(Trace::record(network, data, &runs)?)
}
