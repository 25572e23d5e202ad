//! `tridot verify`: a designer's dumps against golden vectors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tridot_sim::arch::Architecture;
use tridot_sim::network::Network;
use tridot_sim::vectors::{Vectors, npy};
use tridot_sim::verify::dump::Format;
use tridot_sim::verify::wave::{Seen, Signals};
use tridot_sim::verify::{Findings, Mismatch, Operands, Verifier};

use super::rtl::folder_of;
use super::rtl::layers::dot_layer;
use crate::cli::{Verdict, VerifyArgs};
use crate::files;
use crate::print::{Printer, grouped};

mod junit;

/// The largest dump that is read: 1 GiB.
const MAX_DUMP_BYTES: usize = 1 << 30;
/// Products behind a value that people are shown.
const SHOWN_PRODUCTS: usize = 16;

#[derive(Serialize)]
struct Report {
    vectors: String,
    layer: String,
    values_compared: u64,
    mismatches: u64,
    dumps: Vec<DumpReport>,
}

#[derive(Serialize)]
struct DumpReport {
    quantity: &'static str,
    file: String,
    values_compared: u64,
    mismatches: u64,
    /// How many are of each kind, among the first 4096.
    kinds: BTreeMap<&'static str, u64>,
    first_mismatch: Option<MismatchReport>,
}

#[derive(Serialize)]
struct MismatchReport {
    picture: usize,
    row: usize,
    column: usize,
    channel: usize,
    bit: u32,
    expected: i64,
    got: i64,
    kind: &'static str,
    text: String,
    accumulators: Vec<i64>,
    multipliers: Vec<i32>,
    bias: i64,
    y: i64,
    /// Code and trits of each k.
    products: Vec<(i64, Vec<i8>)>,
}

pub(crate) fn run(arguments: &VerifyArgs, printer: &Printer) -> Result<Verdict> {
    if let Some(path) = &arguments.junit {
        let others = [
            &arguments.outputs,
            &arguments.accumulators,
            &arguments.edges,
            &arguments.wave,
            &arguments.signals,
        ];
        let others = others.into_iter().flatten().map(PathBuf::as_path);
        let inputs: Vec<&Path> = others.chain([arguments.vectors.as_path()]).collect();
        files::check_output(path, &inputs)?;
        if path.exists() {
            // That of an earlier run must not speak for this one, should it end early.
            files::write(path, junit::UNFINISHED.as_bytes())?;
        }
    }
    let golden = Golden::read(&arguments.vectors, &arguments.layer)?;
    let Golden { network, layer_idx, vectors } = &golden;
    let verifier = Verifier::new(network, *layer_idx, vectors);
    let mut dumps = Vec::new();
    if let Some(path) = &arguments.outputs {
        let got = read(path, Format::outputs(network, *layer_idx, vectors))?;
        dumps.push(report("outputs", path, &verifier.outputs(&got), &verifier, vectors));
    }
    if let Some(path) = &arguments.accumulators {
        let got = read(path, Format::accumulators(vectors))?;
        dumps.push(report("accumulators", path, &verifier.accumulators(&got), &verifier, vectors));
    }
    if let Some(path) = &arguments.edges {
        let got = read(path, Format::edges(vectors))?;
        let got: Vec<u64> = got.iter().map(|edge| edge.cast_unsigned()).collect();
        dumps.push(report("edges", path, &verifier.edges(&got), &verifier, vectors));
    }
    if let (Some(path), Some(signals)) = (&arguments.wave, &arguments.signals) {
        let seen = read_wave(path, signals, Format::outputs(network, *layer_idx, vectors))?;
        let found = verifier.outputs(&seen.outputs);
        dumps.push(report("outputs", path, &found, &verifier, vectors));
        let found = verifier.edges(&seen.written_at);
        dumps.push(report("edges", path, &found, &verifier, vectors));
    }
    let report = Report {
        vectors: arguments.vectors.display().to_string(),
        layer: arguments.layer.clone(),
        values_compared: dumps.iter().map(|dump| dump.values_compared).sum(),
        mismatches: dumps.iter().map(|dump| dump.mismatches).sum(),
        dumps,
    };
    if let Some(path) = &arguments.junit {
        files::write(path, junit::xml(&report).as_bytes())?;
    }
    tell(&report, printer);
    printer.object("verify", &report)?;
    Ok(if report.mismatches == 0 { Verdict::Yes } else { Verdict::No })
}

/// What `golden` wrote of a layer.
struct Golden {
    network: Network,
    layer_idx: usize,
    vectors: Vectors,
}

impl Golden {
    fn read(folder: &Path, layer: &str) -> Result<Self> {
        let network = files::read_network(&folder.join("network.safetensors"))?;
        let path = folder.join("architecture.toml");
        let arch = Architecture::from_toml(&files::read_text(&path)?)
            .with_context(|| path.display().to_string())?;
        let layer_idx = dot_layer(&network, layer)?;
        let layer_folder = folder.join(folder_of(layer_idx, layer));
        if !layer_folder.is_dir() {
            bail!("{}: has no vectors of layer `{layer}`", folder.display());
        }
        let array = |name: &str| -> Result<(PathBuf, Vec<usize>, Vec<i64>)> {
            let path = layer_folder.join(name);
            let (shape, values) = npy::decode(&files::read(&path, MAX_DUMP_BYTES)?)
                .with_context(|| path.display().to_string())?;
            Ok((path, shape, values))
        };
        let (path, shape, codes) = array("inputs.npy")?;
        let images = shape.first().copied().unwrap_or(0);
        let vectors = Vectors::new(&network, layer_idx, &arch, images, &codes)
            .with_context(|| path.display().to_string())?;
        let edges = vectors.expected.written_at.iter().map(|edge| edge.cast_signed());
        let expected = [
            ("outputs.npy", vectors.expected.outputs.clone()),
            ("accumulators.npy", vectors.accumulators.clone()),
            ("edges.npy", edges.collect()),
        ];
        for (name, expected) in expected {
            let (path, _, values) = array(name)?;
            if values != expected {
                bail!("{}: is not of this network, architecture and input", path.display());
            }
        }
        Ok(Self { network, layer_idx, vectors })
    }
}

/// Reads a dump: `.npy` by its extension, else hex.
fn read(path: &Path, format: Format) -> Result<Vec<i64>> {
    let bytes = files::read(path, MAX_DUMP_BYTES)?;
    let values = if path.extension().is_some_and(|extension| extension == "npy") {
        format.read_npy(&bytes)
    } else {
        format.read_hex(&files::text(path, bytes)?)
    };
    values.with_context(|| path.display().to_string())
}

/// Reads the signals of a VCD or FST that a TOML names.
fn read_wave(path: &Path, signals: &Path, outputs: Format) -> Result<Seen> {
    let text = files::read_text(signals)?;
    let signals = Signals::from_toml(&text).with_context(|| signals.display().to_string())?;
    let waveform = files::reader(path)?;
    signals.read(waveform, outputs).with_context(|| path.display().to_string())
}

fn report(
    quantity: &'static str,
    path: &Path,
    findings: &Findings,
    verifier: &Verifier<'_>,
    vectors: &Vectors,
) -> DumpReport {
    let mismatch = |mismatch: &Mismatch| {
        let [picture, row, column, channel] = vectors.place(mismatch.index);
        let Operands { products, accumulators, multipliers, bias, y } =
            verifier.operands(mismatch.index);
        MismatchReport {
            picture,
            row,
            column,
            channel,
            bit: mismatch.bit(),
            expected: mismatch.expected,
            got: mismatch.got,
            kind: mismatch.kind.name(),
            text: format!("layer `{}`, {}", vectors.layer, mismatch.describe(vectors)),
            accumulators,
            multipliers,
            bias,
            y,
            products: products.into_iter().map(|product| (product.code, product.trits)).collect(),
        }
    };
    DumpReport {
        quantity,
        file: path.display().to_string(),
        values_compared: findings.compared,
        mismatches: findings.mismatches,
        kinds: findings.kinds.iter().map(|(kind, &count)| (kind.name(), count)).collect(),
        first_mismatch: findings.first.as_ref().map(mismatch),
    }
}

fn tell(report: &Report, printer: &Printer) {
    let row = |dump: &DumpReport| {
        let kinds = dump.kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
        vec![
            dump.quantity.to_owned(),
            grouped(dump.values_compared),
            grouped(dump.mismatches),
            kinds.collect::<Vec<_>>().join(", "),
            dump.file.clone(),
        ]
    };
    let heads = ["dump", "values_compared", "mismatches", "kinds", "file"];
    printer.table(&heads, report.dumps.iter().map(row));
    for mismatch in report.dumps.iter().filter_map(|dump| dump.first_mismatch.as_ref()) {
        printer.line(format_args!("\nfirst mismatch: {}", mismatch.text));
        printer.line(format_args!(
            "behind it: y {} = bias {} + m {:?} · accumulators {:?}",
            mismatch.y, mismatch.bias, mismatch.multipliers, mismatch.accumulators
        ));
        let counts = |(_, (code, trits)): &(usize, &(i64, Vec<i8>))| {
            *code != 0 && trits.iter().any(|&trit| trit != 0)
        };
        let products: Vec<_> = mismatch.products.iter().enumerate().filter(counts).collect();
        let row = |(k, (code, trits)): &(usize, &(i64, Vec<i8>))| {
            vec![k.to_string(), code.to_string(), format!("{trits:?}")]
        };
        printer.table(&["k", "code", "trits"], products.iter().take(SHOWN_PRODUCTS).map(row));
        if SHOWN_PRODUCTS < products.len() {
            printer.line(format_args!(
                "and {} more products that are not 0: --json has all",
                products.len() - SHOWN_PRODUCTS
            ));
        }
    }
    printer.line(format_args!(
        "{} values compared: {} mismatches",
        grouped(report.values_compared),
        grouped(report.mismatches)
    ));
}
