//! What is simulated, and the language it is described in.
//!
//! A [`network::Network`] is the quantized artifact: integers only, one meaning, exactly.
//! [`mod@reference`] computes it with plain loops and defines its outputs; [`kernels`] computes the same
//! outputs fast; [`compare`] says where two of them differ; [`complexity`] counts what it costs on no
//! machine in particular.
//!
//! A [`trace::Trace`] is what some pictures ask of a network's layers, recorded.
//!
//! An [`arch::Architecture`] is the machine. [`mapping`] cuts a layer for it; [`stepped`] runs it clock edge by
//! clock edge and defines its time; [`fast`] gives the same [`counts`] from the tile structure; [`mod@energy`]
//! prices them afterwards; [`rtl`] is the machine in SystemVerilog.
//!
//! [`vectors`] are what a layer's hardware must show; [`verify`] says how a designer's hardware differs.
//!
//! This crate never prints, opens a path, spawns a thread, reads a clock or draws a random number.

pub mod network;
pub mod reference;
pub mod trace;

pub mod compare;
pub mod complexity;
pub mod kernels;

pub mod arch;
pub mod mapping;
pub mod stepped;

pub mod bounds;
pub mod counts;
pub mod energy;
pub mod fast;
pub mod outcome;
pub mod rtl;
pub mod units;

pub mod vectors;
pub mod verify;
pub mod waveform;

pub mod calibrate;
pub mod liberty;

mod container;
pub mod digest;
pub mod error;
pub mod limits;

pub use error::Error;
