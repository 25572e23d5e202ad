//! One `run` per subcommand.

#[cfg(feature = "train")]
pub(crate) mod accuracy;
#[cfg(feature = "train")]
pub(crate) mod check;
pub(crate) mod complexity;
pub(crate) mod inspect;
#[cfg(feature = "train")]
pub(crate) mod networks;
#[cfg(feature = "train")]
mod pictures;
#[cfg(feature = "train")]
pub(crate) mod quantize;
pub(crate) mod report;
