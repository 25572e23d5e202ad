//! The shape of an energy table's file, before anything is checked but its keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::rows::{Group, Net};
use crate::arch::ZeroTrits;

/// What decides how a file is read: its version, so that another version is named as such before its keys are judged, and
/// whether it has several sizes.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) format: i64,
    pub(super) size: Option<IgnoredAny>,
}

/// Tables of several sizes of engines; each is a whole one but for its memories, which all share.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSizes {
    #[expect(dead_code, reason = "read by `Version` before, and a key that a file must have")]
    pub(super) format: i64,
    pub(super) name: String,
    pub(super) memory_read: Vec<OfMemory>,
    pub(super) memory_write: Vec<OfMemory>,
    pub(super) size: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[expect(dead_code, reason = "read by `Version` before, and a key that a file must have")]
    pub(super) format: i64,
    pub(super) name: String,
    pub(super) node_nm: f64,
    pub(super) voltage_v: f64,
    pub(super) warning: Option<String>,
    pub(super) add: Vec<OfWidth>,
    pub(super) multiply: Vec<OfWidth>,
    #[serde(default)]
    pub(super) memory_read: Vec<OfMemory>,
    #[serde(default)]
    pub(super) memory_write: Vec<OfMemory>,
    pub(super) area_add: Vec<OfWidth>,
    pub(super) area_multiply: Vec<OfWidth>,
    pub(super) area_flip_flop: Option<Row>,
    #[serde(default)]
    pub(super) toggle: BTreeMap<Net, Row>,
    #[serde(default)]
    pub(super) handover: BTreeMap<Group, Row>,
    #[serde(default)]
    pub(super) handover_to_empty: BTreeMap<Group, Row>,
    #[serde(default)]
    pub(super) handover_to_full: BTreeMap<Group, Row>,
    pub(super) select: Option<Select>,
    pub(super) control: Option<Control>,
    pub(super) clock: Option<Row>,
    pub(super) leakage: Option<Row>,
    pub(super) max_clock: Option<Row>,
    pub(super) calibration: Option<RawCalibration>,
}

/// How a calibrated table was made, and how far it was off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCalibration {
    pub(super) lanes: i64,
    pub(super) branches: i64,
    pub(super) tree_levels_per_stage: i64,
    pub(super) activation_bits_per_step: i64,
    pub(super) accumulator_bits: i64,
    pub(super) zero_trits: ZeroTrits,
    pub(super) segments: i64,
    pub(super) scaler_stages: i64,
    pub(super) mean_error_percent: f64,
    pub(super) worst_error_percent: f64,
    pub(super) array_mean_error_percent: f64,
    pub(super) array_worst_error_percent: f64,
    pub(super) library: String,
    pub(super) recipe: String,
    pub(super) simulation: String,
    pub(super) wire_load: String,
    pub(super) windows: String,
}

/// What it costs to choose among several rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Select {
    pub(super) operand: Row,
    pub(super) y: Row,
}

/// Clocks of flip-flops that are not counted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    pub(super) array: Row,
    pub(super) column: Row,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) value: f64,
    pub(super) unit: String,
    pub(super) source: String,
    pub(super) node_nm: Option<f64>,
    pub(super) scaled_by: Option<ScaledBy>,
}

/// A row for operands of a width. (`flatten` would not refuse unknown keys.)
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfWidth {
    pub(super) bits: i64,
    pub(super) value: f64,
    pub(super) unit: String,
    pub(super) source: String,
    pub(super) node_nm: Option<f64>,
    pub(super) scaled_by: Option<ScaledBy>,
}

/// A row for an access to a memory.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfMemory {
    pub(super) capacity_kib: f64,
    pub(super) width_bits: i64,
    pub(super) value: f64,
    pub(super) unit: String,
    pub(super) source: String,
    pub(super) node_nm: Option<f64>,
    pub(super) scaled_by: Option<ScaledBy>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScaledBy {
    pub(super) factor: f64,
    pub(super) formula: String,
    pub(super) source: String,
}

impl OfWidth {
    pub(super) fn split(self) -> (i64, Row) {
        let Self { bits, value, unit, source, node_nm, scaled_by } = self;
        (bits, Row { value, unit, source, node_nm, scaled_by })
    }
}

impl OfMemory {
    pub(super) fn split(self) -> (f64, i64, Row) {
        let Self { capacity_kib, width_bits, value, unit, source, node_nm, scaled_by } = self;
        (capacity_kib, width_bits, Row { value, unit, source, node_nm, scaled_by })
    }
}
