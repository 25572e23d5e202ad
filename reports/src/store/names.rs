//! The names of closed sets in the file.

use tridot_sim::arch::{Chunking, ClockGating, ZeroTrits};

use crate::record::{Granularity, Model};

pub(super) const GRANULARITY: [(&str, Granularity); 2] =
    [("layer", Granularity::Layer), ("channel", Granularity::Channel)];

pub(super) const CLOCK_GATING: [(&str, ClockGating); 2] =
    [("none", ClockGating::None), ("idle", ClockGating::Idle)];

pub(super) const ZERO_TRITS: [(&str, ZeroTrits); 2] =
    [("none", ZeroTrits::None), ("gate", ZeroTrits::Gate)];

pub(super) const CHUNKING: [(&str, Chunking); 2] =
    [("flat", Chunking::Flat), ("tap", Chunking::Tap)];

pub(super) const MODEL: [(&str, Model); 2] = [("fast", Model::Fast), ("stepped", Model::Stepped)];

/// The name of a value.
pub(super) fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> String {
    let found = names.iter().find(|(_, named)| named == value);
    found.expect("every value of the set has a name").0.to_owned()
}
