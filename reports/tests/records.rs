//! Are Records kept, read back and refused as they must be? Tests on real outcomes of small networks.
#![cfg(test)]

#[path = "records/sample.rs"]
mod sample;
#[path = "records/store.rs"]
mod store;
