//! Tests across the crates.
#![cfg(test)]

mod dpi;
mod energy;
mod equivalence;
mod faulty;
mod fuzz;
mod generator;
mod pipeline;
mod published;
mod random;
mod real_files;
mod rtl;
mod support;
mod tidy;
mod zoo;
