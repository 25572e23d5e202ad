//! `tridot check`: all implementations, compared on every value of every tensor.

use std::ops::Range;

use anyhow::Result;
use serde::Serialize;
use tridot_models::candle_model;
use tridot_models::data::Pictures;
use tridot_sim::compare::Comparison;
use tridot_sim::kernels::{Backend, Prepared, Scratch};
use tridot_sim::network::{Network, TensorId};
use tridot_sim::reference;

use super::pictures;
use crate::cli::{CheckArgs, Verdict};
use crate::print::{Printer, grouped};
use crate::{files, threads};

mod machine;
mod rtl;

/// Pictures that the candle model computes at once: enough for its matrix products, little memory.
const CANDLE_BATCH: usize = 4;
/// Bytes of the tensors that all threads hold at once, unless a single picture needs more.
const MAX_TENSOR_BYTES: usize = 1 << 31;
/// What a picture in work holds for each element of its tensors: two implementations' values as i64, and
/// the candle model's as i64, as f32 and on the way.
const BYTES_PER_ELEMENT: usize = 3 * 8 + 2 * 4;

/// Pictures in work at once, so that their tensors fit [`MAX_TENSOR_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AtOnce {
    /// Of them, by one thread, in one batch of the candle model.
    batch: usize,
    /// Batches by all threads.
    batches: usize,
}

impl AtOnce {
    fn of(network: &Network) -> Self {
        Self::new(pictures::elements(network))
    }

    /// For a network with so many elements in all its tensors together.
    fn new(elements: usize) -> Self {
        let pictures = (MAX_TENSOR_BYTES / (BYTES_PER_ELEMENT * elements)).max(1);
        let batch = pictures.min(CANDLE_BATCH);
        Self { batch, batches: pictures / batch }
    }
}

#[derive(Serialize)]
struct Report {
    network: String,
    data: String,
    samples: usize,
    reference: &'static str,
    values_compared: u64,
    mismatches: u64,
    cycles_stepped: Option<u64>,
    cycles_fast: Option<u64>,
    /// Of dot-product layers alone: the RTL has no vector unit.
    cycles_rtl: Option<u64>,
    implementations: Vec<ImplementationReport>,
    architectures: Vec<machine::ArchitectureReport>,
    layers: Vec<LayerReport>,
    /// Layers of the vector unit, where the RTL is compared.
    layers_not_covered: Vec<String>,
}

#[derive(Serialize)]
struct ImplementationReport {
    name: String,
    values_compared: u64,
    mismatches: u64,
    first_mismatch: Option<String>,
}

#[derive(Serialize)]
struct LayerReport {
    name: String,
    values_compared: u64,
    mismatches: u64,
}

/// An implementation's name, and how it compares with the reference.
type Compared = (String, Comparison);

pub(crate) fn run(arguments: &CheckArgs, printer: &Printer) -> Result<Verdict> {
    let network = files::read_network(&arguments.net)?;
    let architectures = machine::architectures(&arguments.arch, &network)?;
    // A tool that is not there is found out before hours of work, not after.
    let rtl = arguments.rtl.then(rtl::Rtl::new).transpose()?;
    let n = arguments.samples as usize;
    let (test, data) =
        pictures::test_pictures(&arguments.source, &network, n, arguments.seed, printer)?;
    let compared = compare(&network, &test, printer)?;
    let mut report = report(&network, data, test.len(), &compared);
    for arch in &architectures {
        let mut checked = machine::check(&network, arch, &test, printer)?;
        if let Some(rtl) = &rtl {
            checked.rtl = Some(rtl.check(&network, arch, &test, printer)?);
        }
        report.add(checked);
    }
    if rtl.is_some() {
        report.layers_not_covered = rtl::not_covered(&network);
    }
    tell(&report, &compared, printer);
    printer.object("check", &report)?;
    Ok(if report.mismatches == 0 { Verdict::Yes } else { Verdict::No })
}

impl Report {
    /// Adds what was compared on an architecture to the totals.
    fn add(&mut self, architecture: machine::ArchitectureReport) {
        self.values_compared += architecture.values_compared;
        self.mismatches += architecture.mismatches + architecture.counter_mismatches;
        let sum = |total: &mut Option<u64>, cycles| *total = Some(total.unwrap_or(0) + cycles);
        sum(&mut self.cycles_stepped, architecture.cycles_stepped);
        sum(&mut self.cycles_fast, architecture.cycles_fast);
        if let Some(rtl) = &architecture.rtl {
            self.values_compared += rtl.layers.all.values_compared;
            self.mismatches += rtl.layers.all.mismatches;
            sum(&mut self.cycles_rtl, rtl.layers.all.cycles_rtl);
        }
        self.architectures.push(architecture);
    }
}

/// Every implementation but the reference is compared with the reference.
fn compare(network: &Network, test: &Pictures, printer: &Printer) -> Result<Vec<Compared>> {
    let backends = Backend::available();
    let prepared: Result<Vec<_>, _> =
        backends.iter().map(|&backend| Prepared::new(network, backend)).collect();
    let prepared = prepared?;
    let bar = printer.bar("check", test.len() as u64);
    let at_once = AtOnce::of(network);
    let parts = threads::map_at_most(
        at_once.batches,
        test.len().div_ceil(at_once.batch),
        || prepared.iter().map(Scratch::new).collect::<Vec<_>>(),
        |scratches, batch| {
            let first = batch * at_once.batch;
            let pictures = first..test.len().min(first + at_once.batch);
            let comparisons = compare_batch(network, test, pictures.clone(), &prepared, scratches)?;
            bar.inc(pictures.len() as u64);
            Ok(comparisons)
        },
    )?;
    bar.finish_and_clear();
    let names = backends.iter().map(|backend| format!("kernels_{backend}"));
    let mut compared: Vec<_> = names
        .chain(["candle_model".to_owned()])
        .map(|name| (name, Comparison::default()))
        .collect();
    for part in parts {
        for ((_, all), part) in compared.iter_mut().zip(&part) {
            all.merge(part);
        }
    }
    Ok(compared)
}

/// One batch of pictures on every implementation; the candle model comes last.
fn compare_batch(
    network: &Network,
    test: &Pictures,
    pictures: Range<usize>,
    prepared: &[Prepared],
    scratches: &mut [Scratch],
) -> Result<Vec<Comparison>> {
    let first = pictures.start;
    let pixels: Vec<u8> = pictures.clone().flat_map(|i| test.picture(i)).copied().collect();
    let candle = candle_model::run(network, &pixels, pictures.len())?;
    let mut comparisons = vec![Comparison::default(); prepared.len() + 1];
    for i in pictures {
        let expected = reference::run(network, test.picture(i))?;
        for ((prepared, scratch), comparison) in
            prepared.iter().zip(&mut *scratches).zip(&mut comparisons)
        {
            comparison.add(i, &expected, &prepared.tensors(scratch, test.picture(i))?);
        }
        let candle = picture_of(&candle, &expected, i - first);
        comparisons[prepared.len()].add(i, &expected, &candle);
    }
    Ok(comparisons)
}

/// One picture's tensors out of a batch's, cut by the reference's lengths.
fn picture_of(batch: &[Vec<i64>], expected: &[Vec<i64>], picture_idx: usize) -> Vec<Vec<i64>> {
    let cut = |(tensor, expected): (&Vec<i64>, &Vec<i64>)| {
        tensor.iter().skip(picture_idx * expected.len()).take(expected.len()).copied().collect()
    };
    batch.iter().zip(expected).map(cut).collect()
}

fn report(network: &Network, data: String, samples: usize, compared: &[Compared]) -> Report {
    let names =
        std::iter::once("input").chain(network.layers.iter().map(|layer| layer.name.as_str()));
    let per_tensor = (samples * compared.len()) as u64;
    let layers = names.enumerate().map(|(id, name)| LayerReport {
        name: name.to_owned(),
        values_compared: network.tensor(TensorId(id)).shape.elements() as u64 * per_tensor,
        mismatches: compared.iter().map(|(_, comparison)| comparison.mismatches[id]).sum(),
    });
    let implementations = compared.iter().map(|(name, comparison)| ImplementationReport {
        name: name.clone(),
        values_compared: comparison.values,
        mismatches: comparison.total_mismatches(),
        first_mismatch: comparison.first.map(|(picture, difference)| {
            format!("picture {picture}, {}", difference.place(network))
        }),
    });
    Report {
        network: network.name.clone(),
        data,
        samples,
        reference: "reference",
        values_compared: compared.iter().map(|(_, comparison)| comparison.values).sum(),
        mismatches: compared.iter().map(|(_, comparison)| comparison.total_mismatches()).sum(),
        cycles_stepped: None,
        cycles_fast: None,
        cycles_rtl: None,
        implementations: implementations.collect(),
        architectures: Vec::new(),
        layers: layers.collect(),
        layers_not_covered: Vec::new(),
    }
}

fn tell(report: &Report, compared: &[Compared], printer: &Printer) {
    printer.line(format_args!("{}, {} pictures ({})", report.network, report.samples, report.data));
    let mut heads = vec!["layer", "values_compared"];
    heads.extend(compared.iter().map(|(name, _)| name.as_str()));
    let rows = report.layers.iter().enumerate().map(|(id, layer)| {
        let mut row = vec![layer.name.clone(), grouped(layer.values_compared)];
        row.extend(compared.iter().map(|(_, comparison)| match comparison.mismatches[id] {
            0 => "equal".to_owned(),
            mismatches => format!("{} differ", grouped(mismatches)),
        }));
        row
    });
    printer.table(&heads, rows);
    for implementation in &report.implementations {
        if let Some(first) = &implementation.first_mismatch {
            printer.line(format_args!("{}: first mismatch: {first}", implementation.name));
        }
    }
    machine::tell(&report.architectures, printer);
    rtl::tell(&report.architectures, &report.layers_not_covered, printer);
    let (values, mismatches) = (grouped(report.values_compared), grouped(report.mismatches));
    printer
        .line(format_args!("{values} values compared with the reference: {mismatches} mismatches"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_at_once_fit_the_memory() {
        // ResNet-20 has 0.2 M elements; the largest network, 2^26, needs 2 GiB for one picture.
        assert_eq!(AtOnce::new(200_000), AtOnce { batch: 4, batches: 83 });
        assert_eq!(AtOnce::new(1 << 24), AtOnce { batch: 4, batches: 1 });
        assert_eq!(AtOnce::new(1 << 25), AtOnce { batch: 2, batches: 1 });
        assert_eq!(AtOnce::new(1 << 26), AtOnce { batch: 1, batches: 1 });
    }
}
