//! `tridot networks`: the built-in networks, shapes and trained ones.

use anyhow::{Result, anyhow};
use serde::Serialize;
use tridot_models::topology;

use crate::cli::{NetworksArgs, Verdict};
use crate::print::{Printer, grouped, percent};
use crate::zoo::{self, Summary};

#[derive(Serialize)]
struct Report {
    networks: Vec<Entry>,
    trained: Vec<Trained>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    input_height: usize,
    input_width: usize,
    input_channels: usize,
    classes: usize,
    dot_layers: usize,
    macs: u64,
    weights: u64,
}

/// A network of the zoo.
#[derive(Serialize)]
struct Trained {
    name: &'static str,
    bytes: usize,
    #[serde(flatten)]
    summary: Summary,
}

pub(crate) fn run(arguments: &NetworksArgs, printer: &Printer) -> Result<Verdict> {
    if let Some(name) = &arguments.show {
        let trained = || zoo::find(name).map(|entry| entry.plan.into());
        let text = topology::text_of(name).or_else(trained).ok_or_else(|| {
            let names = [topology::builtin_names(), zoo::names()].concat();
            anyhow!(
                "no built-in network `{name}`: there are {} (or mobilenetv1-WIDTH-SIDE, mobilenetv2-WIDTH-SIDE)",
                names.join(", ")
            )
        })?;
        if zoo::find(name).is_none() {
            // A width or side that no network can have is refused, not shown.
            topology::builtin(name)?;
        }
        printer.verbatim(&text);
        return Ok(Verdict::Yes);
    }
    let mut networks = Vec::new();
    for name in topology::builtin_names() {
        let topology = topology::builtin(name)?;
        networks.push(Entry {
            name: name.to_owned(),
            input_height: topology.input.height,
            input_width: topology.input.width,
            input_channels: topology.input.channels,
            classes: topology.classes,
            dot_layers: topology.dot_layers().count(),
            macs: topology.macs(),
            weights: topology.weights(),
        });
    }
    let rows = networks.iter().map(|entry| {
        vec![
            entry.name.clone(),
            format!("{}×{}×{}", entry.input_height, entry.input_width, entry.input_channels),
            entry.classes.to_string(),
            entry.dot_layers.to_string(),
            grouped(entry.macs),
            grouped(entry.weights),
        ]
    });
    printer.table(&["network", "input", "classes", "dot_layers", "macs", "weights"], rows);
    let trained = zoo::entries().iter().map(|entry| Trained {
        name: entry.name,
        bytes: entry.network.len(),
        summary: entry.summary(),
    });
    let trained: Vec<Trained> = trained.collect();
    printer.line(format_args!("\ntrained"));
    let rows = trained.iter().map(|Trained { name, bytes, summary }| {
        vec![
            (*name).to_owned(),
            summary.float_accuracy_percent.map_or_else(|| "–".to_owned(), percent),
            percent(summary.integer_accuracy_percent),
            grouped(summary.samples),
            summary.epochs.to_string(),
            format!("{:.2}", summary.hours),
            grouped(*bytes as u64),
        ]
    });
    let heads =
        ["network", "float_percent", "integer_percent", "pictures", "epochs", "hours", "bytes"];
    printer.table(&heads, rows);
    printer.object("networks", &Report { networks, trained })?;
    Ok(Verdict::Yes)
}
