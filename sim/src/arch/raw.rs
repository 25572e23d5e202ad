//! The shape of an architecture file, before anything is checked but its keys.

use serde::Deserialize;

use super::{Chunking, ClockGating, ZeroTrits};

/// A file's version alone, so that another version is named as such before its keys are judged.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) format: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[expect(dead_code, reason = "read by `Version` before, and a key that a file must have")]
    pub(super) format: i64,
    pub(super) name: String,
    pub(super) clock_mhz: f64,
    pub(super) array: Array,
    pub(super) engine: Engine,
    pub(super) depthwise: Depthwise,
    pub(super) scaler: Scaler,
    pub(super) vector: Vector,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Array {
    pub(super) rows: i64,
    pub(super) columns: i64,
    pub(super) clock_gating: ClockGating,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Engine {
    pub(super) lanes: i64,
    pub(super) branches: i64,
    pub(super) tree_levels_per_stage: i64,
    pub(super) activation_bits_per_step: i64,
    pub(super) accumulator_bits: i64,
    pub(super) zero_trits: ZeroTrits,
    pub(super) chunking: Chunking,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Depthwise {
    pub(super) mode: DepthwiseMode,
    pub(super) segments: Option<i64>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum DepthwiseMode {
    Column,
    Segments,
    Diagonal,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scaler {
    pub(super) multipliers: i64,
    #[serde(rename = "scaler_stages")]
    pub(super) stages: i64,
    pub(super) scale_bits: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    pub(super) lanes: i64,
    pub(super) latency_cycles: i64,
}
