//! One `run` per subcommand.

#[cfg(feature = "train")]
pub(crate) mod accuracy;
#[cfg(feature = "train")]
pub(crate) mod check;
pub(crate) mod complexity;
#[cfg(feature = "train")]
pub(crate) mod export;
pub(crate) mod inspect;
#[cfg(feature = "train")]
pub(crate) mod networks;
#[cfg(feature = "train")]
mod pictures;
#[cfg(feature = "train")]
pub(crate) mod quantize;
#[cfg(feature = "train")]
pub(crate) mod train;
#[cfg(feature = "train")]
mod training_set;
