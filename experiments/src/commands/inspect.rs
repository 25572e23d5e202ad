//! `tridot inspect`: what is in a file.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context as _, Result};
use tridot_sim::arch::Architecture;
use tridot_sim::energy::EnergyTables;

use crate::cli::{InspectArgs, Verdict};
use crate::print::Printer;
use crate::{files, zoo};

mod machine;
#[cfg(feature = "train")]
mod models;
mod network;
mod trace;

#[cfg(feature = "train")]
pub(crate) use network::{scheme, zero_trits_percent};

/// What a file's first bytes and its keys say that it is.
enum Kind {
    Network,
    Trace,
    Architecture,
    EnergyTable,
    #[cfg(feature = "train")]
    Checkpoint,
    #[cfg(feature = "train")]
    Text,
}

pub(crate) fn run(arguments: &InspectArgs, printer: &Printer) -> Result<Verdict> {
    let path = &arguments.file;
    let bytes = bytes(path)?;
    match kind(&bytes) {
        Kind::Network => network::tell(path, &bytes, printer)?,
        Kind::Trace => trace::tell(path, &bytes, printer)?,
        Kind::Architecture => machine::tell_architecture(path, bytes, printer)?,
        Kind::EnergyTable => machine::tell_energy_table(path, bytes, printer)?,
        #[cfg(feature = "train")]
        Kind::Checkpoint => models::tell_checkpoint(path, &bytes, printer)?,
        #[cfg(feature = "train")]
        Kind::Text => models::tell_text(path, bytes, printer)?,
    }
    Ok(Verdict::Yes)
}

/// What a file holds, or what is built in by that name: a trained network has its name before a file, as everywhere.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let name = path.to_str().filter(|name| !files::is_path(name));
    let Some(name) = name.filter(|name| zoo::find(name).is_some() || !path.is_file()) else {
        return files::read_plain(path, files::MAX_CHECKPOINT_BYTES);
    };
    if let Some(entry) = zoo::find(name) {
        return Ok(entry.network.to_vec());
    }
    let machine = Architecture::preset_text(name).or_else(|| EnergyTables::builtin_text(name));
    let text = machine.map(Cow::Borrowed).or_else(|| network_text(name)).with_context(|| {
        format!(
            "no file `{}`, and nothing built in of that name: `tridot networks`, `archs` and `energies` list what is",
            name.escape_debug()
        )
    })?;
    Ok(text.into_owned().into_bytes())
}

#[cfg(feature = "train")]
fn network_text(name: &str) -> Option<Cow<'static, str>> {
    tridot_models::topology::text_of(name)
}

#[cfg(not(feature = "train"))]
const fn network_text(_: &str) -> Option<Cow<'static, str>> {
    None
}

fn kind(bytes: &[u8]) -> Kind {
    // A safetensors file begins with the length of its JSON header, and the header with a brace.
    let is_safetensors = bytes.get(8) == Some(&b'{');
    let head = &bytes[..bytes.len().min(1 << 16)];
    let mentions = |key: &[u8]| head.windows(key.len()).any(|window| window == key);
    if is_safetensors {
        return if mentions(b"\"tridot\":") {
            Kind::Network
        } else if mentions(b"\"tridot_trace\":") {
            Kind::Trace
        } else {
            other(true)
        };
    }
    let has_key = |key: &str| {
        std::str::from_utf8(bytes)
            .is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with(key)))
    };
    if has_key("clock_mhz") {
        Kind::Architecture
    } else if has_key("voltage_v") {
        Kind::EnergyTable
    } else {
        other(bytes.starts_with(b"PK") || std::str::from_utf8(bytes).is_err())
    }
}

/// A file that is none of ours, or one of `models`.
#[cfg(feature = "train")]
const fn other(is_checkpoint: bool) -> Kind {
    if is_checkpoint { Kind::Checkpoint } else { Kind::Text }
}

#[cfg(not(feature = "train"))]
const fn other(_: bool) -> Kind {
    Kind::Network
}
