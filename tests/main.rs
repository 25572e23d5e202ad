//! Tests across the crates.

mod published;
