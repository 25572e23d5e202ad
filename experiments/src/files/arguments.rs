//! Arguments that are a file or a built-in name: with `/` or an extension a file, else a name, never both.

use std::borrow::Cow;
#[cfg(feature = "train")]
use std::fs::File;
#[cfg(feature = "train")]
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use tridot_sim::arch::Architecture;
use tridot_sim::energy::EnergyTables;
use tridot_sim::limits::MAX_NETWORK_FILE_BYTES;
use tridot_sim::network::Network;

use super::{read_plain, read_text};
use crate::zoo;

/// Reads and checks an integer network, by the rule of all arguments.
pub(crate) fn read_network(argument: &Path) -> Result<Network> {
    Network::from_bytes(&network_bytes(argument)?).with_context(|| argument.display().to_string())
}

/// What an integer network's file holds: with `/` or an extension it is a file, else a name of the zoo.
fn network_bytes(argument: &Path) -> Result<Cow<'static, [u8]>> {
    let Some(name) = argument.to_str().filter(|name| !is_path(name)) else {
        return read_plain(argument, MAX_NETWORK_FILE_BYTES).map(Cow::Owned);
    };
    let known =
        zoo::find(name).with_context(|| not_built_in("trained network", name, &zoo::names()))?;
    Ok(Cow::Borrowed(known.network))
}

/// What a file of trained weights holds, float or integer: a name of the zoo is that network, and another one
/// without `/` and extension a file, as those of checkpoints have always been.
#[cfg(feature = "train")]
pub(crate) fn trained_bytes(argument: &Path) -> Result<Cow<'static, [u8]>> {
    let is_name = |name: &str| !is_path(name) && (zoo::find(name).is_some() || !argument.exists());
    if argument.to_str().is_some_and(is_name) {
        return network_bytes(argument);
    }
    read_plain(argument, super::MAX_CHECKPOINT_BYTES).map(Cow::Owned)
}

/// Says that a name is none of these, and how a file of that name is meant.
fn not_built_in(what: &str, name: &str, names: &[&str]) -> String {
    format!("no {what} `{name}`: there are {}{}", names.join(", "), file_hint(name))
}

/// How a file is meant that has the name of nothing built in; empty where there is none.
pub(crate) fn file_hint(name: &str) -> String {
    if Path::new(name).exists() { format!(" (for the file, say ./{name})") } else { String::new() }
}

/// The text of a network file by the rule of all arguments.
#[cfg(feature = "train")]
pub(crate) fn topology_text(argument: &str) -> Result<String> {
    use tridot_models::topology;
    if is_path(argument) {
        return read_text(Path::new(argument));
    }
    // The refusal of a name that is not built in lists those that are.
    topology::builtin(argument)?;
    Ok(topology::text_of(argument).expect("it is built in").into_owned())
}

/// A topology by the rule of all arguments: with `/` or an extension it is a file, else a built-in name.
#[cfg(feature = "train")]
pub(crate) fn topology(argument: &str) -> Result<tridot_models::topology::Topology> {
    use tridot_models::topology::{self, Topology};
    if !is_path(argument) {
        return Ok(topology::builtin(argument)?);
    }
    Topology::from_toml(&read_text(Path::new(argument))?).with_context(|| argument.to_owned())
}

/// An architecture by the rule of all arguments: with `/` or an extension it is a file, else a built-in name.
pub(crate) fn architecture(argument: &str) -> Result<Architecture> {
    Architecture::from_toml(&architecture_text(argument)?).with_context(|| argument.to_owned())
}

/// The text of an architecture file by the same rule.
pub(crate) fn architecture_text(argument: &str) -> Result<String> {
    if is_path(argument) {
        return read_text(Path::new(argument));
    }
    let text = Architecture::preset_text(argument).with_context(|| {
        not_built_in("built-in architecture", argument, &Architecture::preset_names())
    })?;
    Ok(text.to_owned())
}

/// Energy tables by the same rule, and their text.
pub(crate) fn energy_tables(argument: &str) -> Result<(EnergyTables, String)> {
    let text = if is_path(argument) {
        read_text(Path::new(argument))?
    } else {
        let text = EnergyTables::builtin_text(argument).with_context(|| {
            not_built_in("built-in energy table", argument, &EnergyTables::builtin_names())
        })?;
        text.to_owned()
    };
    Ok((EnergyTables::from_toml(&text).with_context(|| argument.to_owned())?, text))
}

/// Whether an argument is a network of the zoo, or names a file that begins as integer networks do: a
/// header's length, then a brace.
#[cfg(feature = "train")]
pub(crate) fn may_be_integer_network(argument: &str) -> bool {
    let mut head = [0; 9];
    let is_plain = || std::fs::metadata(argument).is_ok_and(|metadata| metadata.is_file());
    if !is_path(argument) {
        return zoo::find(argument).is_some();
    }
    is_plain()
        && File::open(argument).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && head[8] == b'{'
}

/// One line from a TOML error: line and column, then what is wrong.
#[cfg(feature = "train")]
pub(crate) fn at_line(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let offset = error.span().map_or(0, |span| span.start);
    let reason = error.message().replace('\n', " ");
    anyhow::anyhow!("{}: {reason}", tridot_sim::error::line_and_column(text, offset))
}

/// The file that an argument names, if it names nothing built in.
pub(crate) fn of_argument(argument: &str) -> Option<&Path> {
    is_path(argument).then(|| Path::new(argument))
}

/// Whether an argument names a file and not something built in.
pub(crate) fn is_path(argument: &str) -> bool {
    let path = Path::new(argument);
    argument.contains('/')
        || path.extension().is_some_and(|extension| {
            // `mobilenetv1-0.25-96-vww` is a name: what follows its dot is a number's rest.
            !extension.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit)
        })
}
