//! `tridot inspect`: what is in a file.

use anyhow::Result;

use crate::cli::{InspectArgs, Verdict};
use crate::files;
use crate::print::Printer;

#[cfg(feature = "train")]
mod models;
mod network;

#[cfg(feature = "train")]
pub(crate) use network::{scheme, zero_trits_percent};

/// What a file's first bytes and its ending say that it is.
enum Kind {
    Network,
    #[cfg(feature = "train")]
    Checkpoint,
    #[cfg(feature = "train")]
    Text,
}

pub(crate) fn run(arguments: &InspectArgs, printer: &Printer) -> Result<Verdict> {
    let path = &arguments.file;
    let bytes = files::read(path, files::MAX_CHECKPOINT_BYTES)?;
    match kind(&bytes) {
        Kind::Network => network::tell(path, &bytes, printer)?,
        #[cfg(feature = "train")]
        Kind::Checkpoint => models::tell_checkpoint(path, &bytes, printer)?,
        #[cfg(feature = "train")]
        Kind::Text => models::tell_text(path, bytes, printer)?,
    }
    Ok(Verdict::Yes)
}

#[cfg(feature = "train")]
fn kind(bytes: &[u8]) -> Kind {
    // A safetensors file begins with the length of its JSON header, and the header with a brace.
    let is_safetensors = bytes.get(8) == Some(&b'{');
    let head = &bytes[..bytes.len().min(1 << 16)];
    let mentions = |key: &[u8]| head.windows(key.len()).any(|window| window == key);
    if is_safetensors && mentions(b"\"tridot\":") {
        Kind::Network
    } else if is_safetensors || bytes.starts_with(b"PK") || std::str::from_utf8(bytes).is_err() {
        Kind::Checkpoint
    } else {
        Kind::Text
    }
}

#[cfg(not(feature = "train"))]
fn kind(_bytes: &[u8]) -> Kind {
    Kind::Network
}
