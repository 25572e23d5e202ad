//! `tridot archs`: the built-in architectures.

use anyhow::{Result, anyhow};
use serde::Serialize;
use tridot_sim::arch::{Architecture, DepthwiseMode, ZeroTrits};

use crate::cli::{ArchsArgs, Verdict};
use crate::print::{Printer, grouped};

#[derive(Serialize)]
struct Report {
    architectures: Vec<Entry>,
}

/// An architecture in short.
#[derive(Serialize)]
pub(crate) struct Entry {
    name: String,
    clock_mhz: f64,
    rows: usize,
    columns: usize,
    lanes: usize,
    branches: usize,
    activation_bits_per_step: u32,
    depthwise: String,
    zero_trits: &'static str,
    multipliers: usize,
    leaves: usize,
    flip_flops: u64,
}

impl From<&Architecture> for Entry {
    fn from(arch: &Architecture) -> Self {
        Self {
            name: arch.name.clone(),
            clock_mhz: arch.clock.0,
            rows: arch.rows,
            columns: arch.columns,
            lanes: arch.lanes,
            branches: arch.branches,
            activation_bits_per_step: arch.activation_bits_per_step,
            depthwise: match arch.depthwise {
                DepthwiseMode::Column => "column".to_owned(),
                DepthwiseMode::Segments(segments) => format!("segments({segments})"),
                DepthwiseMode::Diagonal => "diagonal".to_owned(),
            },
            zero_trits: match arch.zero_trits {
                ZeroTrits::None => "none",
                ZeroTrits::Gate => "gate",
            },
            multipliers: arch.multipliers,
            leaves: arch.leaves(),
            flip_flops: arch.flip_flops().total(),
        }
    }
}

pub(crate) fn run(arguments: &ArchsArgs, printer: &Printer) -> Result<Verdict> {
    if let Some(name) = &arguments.show {
        let text = Architecture::preset_text(name).ok_or_else(|| {
            let names = Architecture::preset_names().join(", ");
            anyhow!("no built-in architecture `{name}`: there are {names}")
        })?;
        printer.verbatim(text);
        return Ok(Verdict::Yes);
    }
    let presets = Architecture::preset_names().into_iter().filter_map(Architecture::preset);
    let architectures: Vec<_> = presets.map(|arch| Entry::from(&arch)).collect();
    print(&architectures, printer);
    printer.object("archs", &Report { architectures })?;
    Ok(Verdict::Yes)
}

/// The table of architectures.
pub(crate) fn print(architectures: &[Entry], printer: &Printer) {
    let rows = architectures.iter().map(|entry| {
        vec![
            entry.name.clone(),
            format!("{}×{}", entry.rows, entry.columns),
            entry.lanes.to_string(),
            entry.branches.to_string(),
            entry.activation_bits_per_step.to_string(),
            entry.depthwise.clone(),
            entry.zero_trits.to_owned(),
            entry.multipliers.to_string(),
            grouped(entry.leaves),
            grouped(entry.flip_flops),
            entry.clock_mhz.to_string(),
        ]
    });
    let heads = [
        "architecture",
        "rows×columns",
        "lanes",
        "branches",
        "bits_per_step",
        "depthwise",
        "zero_trits",
        "multipliers",
        "leaves",
        "flip_flops",
        "clock_mhz",
    ];
    printer.table(&heads, rows);
}
