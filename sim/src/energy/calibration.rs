//! What a table says of its calibration: of which engine it is, and how far it is off.

use super::raw::RawCalibration;
use super::table::{MAX_VALUE, number, text};
use crate::Error;
use crate::arch::{Architecture, ZeroTrits};

/// Parameters of a calibrated engine and its scaler, besides lanes and branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalibratedEngine {
    /// Adder levels between two tree registers.
    pub tree_levels_per_stage: usize,
    /// Bits of a code in a step.
    pub activation_bits_per_step: usize,
    /// Bits of an accumulator.
    pub accumulator_bits: usize,
    /// Whether operand registers are gated.
    pub zero_trits: ZeroTrits,
    /// Segments of the tree that depthwise layers leave it at; 1 without.
    pub segments: usize,
    /// Stages of the scaler.
    pub scaler_stages: usize,
}

impl CalibratedEngine {
    /// Those of an architecture.
    pub fn of(arch: &Architecture) -> Self {
        Self {
            tree_levels_per_stage: arch.tree_levels_per_stage,
            activation_bits_per_step: arch.activation_bits_per_step as usize,
            accumulator_bits: arch.accumulator_bits as usize,
            zero_trits: arch.zero_trits,
            segments: arch.segments(),
            scaler_stages: arch.scaler_stages,
        }
    }

    /// Every parameter with its key and its value.
    pub fn parameters(&self) -> [(&'static str, String); 6] {
        let zero_trits = match self.zero_trits {
            ZeroTrits::None => "none",
            ZeroTrits::Gate => "gate",
        };
        [
            ("tree_levels_per_stage", self.tree_levels_per_stage.to_string()),
            ("activation_bits_per_step", self.activation_bits_per_step.to_string()),
            ("accumulator_bits", self.accumulator_bits.to_string()),
            ("zero_trits", zero_trits.to_owned()),
            ("segments", self.segments.to_string()),
            ("scaler_stages", self.scaler_stages.to_string()),
        ]
    }
}

/// How a table was calibrated: on which engine, and how far it was off windows that it was not fitted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Lanes of the engine.
    pub lanes: usize,
    /// Branches of the engine.
    pub branches: usize,
    /// What else the engine and its scaler were.
    pub engine: CalibratedEngine,
    /// Mean of the cross-validated relative errors' amounts.
    pub mean_error_percent: f64,
    /// The largest of them.
    pub worst_error_percent: f64,
    /// Mean error, with its sign, on windows of a 2×2 array of such engines: sharing of buses and control.
    pub array_mean_error_percent: f64,
    /// The largest amount of these.
    pub array_worst_error_percent: f64,
    /// Names and conditions of the liberty files.
    pub library: String,
    /// Script and tool of the synthesis.
    pub recipe: String,
    /// How its gates were simulated.
    pub simulation: String,
    /// What wires were taken to weigh.
    pub wire_load: String,
    /// Windows that it was fitted to.
    pub windows: String,
}

/// Refuses sizes, texts and numbers outside their limits; `place` names the table.
pub(super) fn checked(place: &str, raw: RawCalibration) -> Result<Calibration, Error> {
    let size = |key: &str, value: i64| {
        let fits = usize::try_from(value).ok().filter(|size| (1..=4096).contains(size));
        fits.ok_or_else(|| Error::limit(place, key, "between 1 and 4096", value))
    };
    let texts = [
        ("library", &raw.library),
        ("recipe", &raw.recipe),
        ("simulation", &raw.simulation),
        ("wire_load", &raw.wire_load),
        ("windows", &raw.windows),
    ];
    for (key, value) in texts {
        text(place, key, value)?;
    }
    number(place, "mean_error_percent", raw.mean_error_percent, 0.0, MAX_VALUE)?;
    number(place, "worst_error_percent", raw.worst_error_percent, 0.0, MAX_VALUE)?;
    let [mean, worst] = [raw.array_mean_error_percent, raw.array_worst_error_percent];
    number(place, "array_mean_error_percent", mean, -MAX_VALUE, MAX_VALUE)?;
    number(place, "array_worst_error_percent", worst, 0.0, MAX_VALUE)?;
    Ok(Calibration {
        lanes: size("lanes", raw.lanes)?,
        branches: size("branches", raw.branches)?,
        engine: CalibratedEngine {
            tree_levels_per_stage: size("tree_levels_per_stage", raw.tree_levels_per_stage)?,
            activation_bits_per_step: size(
                "activation_bits_per_step",
                raw.activation_bits_per_step,
            )?,
            accumulator_bits: size("accumulator_bits", raw.accumulator_bits)?,
            zero_trits: raw.zero_trits,
            segments: size("segments", raw.segments)?,
            scaler_stages: size("scaler_stages", raw.scaler_stages)?,
        },
        mean_error_percent: raw.mean_error_percent,
        worst_error_percent: raw.worst_error_percent,
        array_mean_error_percent: mean,
        array_worst_error_percent: worst,
        library: raw.library,
        recipe: raw.recipe,
        simulation: raw.simulation,
        wire_load: raw.wire_load,
        windows: raw.windows,
    })
}
