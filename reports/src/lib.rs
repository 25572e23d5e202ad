//! Everything after a number exists: results with their inputs, and what is drawn from them.
//!
//! A [`record::Record`] is one result with all that determines it; a [`store::Store`] keeps each once and is a
//! CSV file. A [`training::Epoch`] is what an epoch of a training came to.
//!
//! [`pareto`] finds fronts; [`plot`] draws figures, [`table`] sets tables, [`html`] shows all on one page.
//!
//! This crate recomputes no simulation, and never prints, opens a path, spawns a thread, reads a clock or draws a
//! random number: text comes in, text goes out. The same records give the same bytes.

pub mod pareto;
pub mod plot;
pub mod record;
pub mod store;
pub mod training;

pub mod html;
pub mod table;

mod distinct;
mod number;

pub mod error;

pub use error::Error;
