//! Tests across the crates.

mod equivalence;
mod faulty;
mod fuzz;
mod generator;
mod published;
mod random;
