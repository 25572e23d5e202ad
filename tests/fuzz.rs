//! Does a reader survive whatever a file may hold?
//!
//! [`driver`] runs a reader over mutants and judges it; [`allocation`] measures what it allocates;
//! [`bytes`], [`text`], [`json`] and [`container`] make mutants of files. A fuzz test of a file kind is
//! a few lines that choose mutators and name the reader: see [`network`].

mod allocation;
mod bytes;
mod checkpoint;
mod container;
mod data_folder;
mod driver;
mod dump;
mod energy_table;
mod json;
mod liberty;
mod network;
mod plan;
mod records;
mod text;
mod topology;
#[path = "../models/src/import/tests/torch_file.rs"]
mod torch_file;
mod trace;
mod waveform;
