//! Are Records kept, read back, refused and drawn as they must be? Tests on real outcomes of small networks.
#![cfg(test)]

#[path = "records/figures.rs"]
mod figures;
#[path = "records/sample.rs"]
mod sample;
#[path = "records/store.rs"]
mod store;
