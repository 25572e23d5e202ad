//! `tridot inspect`: what is in a file.

use anyhow::Result;

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
    if zoo::find(&path.to_string_lossy()).is_some() {
        network::tell(path, &files::network_bytes(path)?, printer)?;
        return Ok(Verdict::Yes);
    }
    let bytes = files::read_plain(path, files::MAX_CHECKPOINT_BYTES)?;
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
