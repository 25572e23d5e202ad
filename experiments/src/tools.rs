//! The only foreign processes.

mod hardware;
#[cfg(feature = "train")]
mod programs;

pub(crate) use hardware::{Tool, run_built};
#[cfg(feature = "train")]
pub(crate) use programs::{Conversation, find, run};
