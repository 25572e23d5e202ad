//! The machine: stepped model, fast model, mapping and bounds against each other and the reference.
#![expect(clippy::unwrap_used, reason = "a failed test says enough")]
#![expect(
    clippy::print_stdout,
    reason = "histograms and measured figures are for the reader of a test"
)]

#[path = "machine/cases.rs"]
mod cases;
#[path = "machine/fuzz.rs"]
mod fuzz;
#[path = "machine/generator.rs"]
mod generator;
#[path = "machine/networks.rs"]
mod networks;
#[path = "machine/planted.rs"]
mod planted;
#[path = "machine/planted_toggles.rs"]
mod planted_toggles;
#[path = "machine/properties.rs"]
mod properties;
#[path = "machine/published.rs"]
mod published;
#[path = "machine/toggles.rs"]
mod toggles;
