//! `tridot networks`: the built-in network shapes.

use anyhow::{Result, anyhow};
use serde::Serialize;
use tridot_models::topology;

use crate::cli::{NetworksArgs, Verdict};
use crate::print::{Printer, grouped};

#[derive(Serialize)]
struct Report {
    networks: Vec<Entry>,
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

pub(crate) fn run(arguments: &NetworksArgs, printer: &Printer) -> Result<Verdict> {
    if let Some(name) = &arguments.show {
        let text = topology::builtin_text(name).ok_or_else(|| {
            anyhow!(
                "no built-in network `{name}`: there are {}",
                topology::builtin_names().join(", ")
            )
        })?;
        printer.verbatim(text);
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
    printer.object("networks", &Report { networks })?;
    Ok(Verdict::Yes)
}
