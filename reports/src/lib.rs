//! Everything after a number exists: results with their inputs, and what is drawn from them.
//!
//! A [`record::Record`] is one result with all that determines it; a [`store::Store`] keeps each once and is a
//! CSV file.
//!
//! This crate recomputes no simulation, and never prints, opens a path, spawns a thread, reads a clock or draws a
//! random number: text comes in, text goes out. The same records give the same bytes.

pub mod digest;
pub mod pareto;
pub mod record;
pub mod store;

pub mod error;

pub use error::Error;
