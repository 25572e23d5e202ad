//! The machine: stepped model, fast model, mapping and bounds against each other and the reference.

#[path = "machine/cases.rs"]
mod cases;
#[path = "machine/generator.rs"]
mod generator;
#[path = "machine/networks.rs"]
mod networks;
#[path = "machine/planted.rs"]
mod planted;
#[path = "machine/properties.rs"]
mod properties;
#[path = "machine/published.rs"]
mod published;
