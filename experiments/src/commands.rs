//! One `run` per subcommand.

#[cfg(feature = "train")]
pub(crate) mod accuracy;
pub(crate) mod archs;
#[cfg(feature = "train")]
pub(crate) mod bench;
pub(crate) mod calibrate;
#[cfg(feature = "train")]
pub(crate) mod check;
pub(crate) mod complexity;
pub(crate) mod energies;
#[cfg(feature = "train")]
pub(crate) mod export;
mod gates;
pub(crate) mod golden;
pub(crate) mod inspect;
#[cfg(feature = "train")]
pub(crate) mod networks;
#[cfg(feature = "train")]
mod pictures;
#[cfg(feature = "train")]
pub(crate) mod quantize;
#[cfg(feature = "train")]
pub(crate) mod quickstart;
#[cfg(feature = "train")]
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod rtl;
pub(crate) mod simulate;
#[cfg(feature = "train")]
mod summary;
#[cfg(feature = "train")]
pub(crate) mod train;
#[cfg(feature = "train")]
mod training_set;
pub(crate) mod verify;
#[cfg(feature = "train")]
mod weights;
