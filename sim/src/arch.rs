//! Architecture: the parameters of one design, validated once, and what follows from them.
//!
//! ```
//! use tridot_sim::arch::Architecture;
//! let edge = Architecture::preset("edge").expect("a preset");
//! assert_eq!((edge.rows, edge.columns, edge.lanes, edge.branches), (4, 4, 16, 2));
//! assert_eq!(edge.engines(), 16);
//! ```

use std::ops::{Deref, RangeInclusive};

use serde::Deserialize;

use crate::{Error, units::Megahertz};

mod derived;
mod raw;

pub use derived::FlipFlops;

/// The version of the file form that this reader accepts.
pub const FORMAT: i64 = 1;

/// Engines of an array.
const MAX_ENGINES: usize = 1 << 16;
/// Leaves (engine, branch, lane) of an array.
const MAX_LEAVES: usize = 1 << 22;
/// The clock, in MHz: from 1 kHz to 100 GHz.
const CLOCK_MHZ: RangeInclusive<f64> = 1e-3..=1e5;

/// Whether rows, columns and branches without work, and frozen cycles, get a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockGating {
    /// Every flip-flop is clocked at every edge.
    None,
    /// Only what has work is clocked.
    Idle,
}

/// What a lane does where the trit is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroTrits {
    /// The leaf blanks combinationally.
    None,
    /// An operand register in each lane of each branch is loaded only for non-zero trits; one more stage.
    Gate,
}

/// How K is cut into chunks of lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chunking {
    /// In K order, across kernel taps.
    Flat,
    /// Each tap's channels by themselves.
    Tap,
}

/// How a depthwise layer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DepthwiseMode {
    /// Column 0 runs one channel; a chunk is its taps.
    Column,
    /// The tree splits into this many subtrees (a power of two, at least 2); each serves one channel.
    Segments(usize),
    /// A chunk is consecutive channels of one tap; column q uses lane q alone.
    Diagonal,
}

/// The parameters of a design, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Its name.
    pub name: String,
    /// The clock's frequency.
    pub clock: Megahertz,
    /// Engines of a column: output pixels at a time.
    pub rows: usize,
    /// Engines of a row: filters at a time.
    pub columns: usize,
    /// Which flip-flops are clocked.
    pub clock_gating: ClockGating,
    /// Products of one branch and step: a power of two.
    pub lanes: usize,
    /// Planes evaluated side by side.
    pub branches: usize,
    /// Adder levels between two tree registers.
    pub tree_levels_per_stage: usize,
    /// Bits of an activation taken by one step: 8, 4, 2 or 1.
    pub activation_bits_per_step: u32,
    /// Width of an accumulator.
    pub accumulator_bits: u32,
    /// What a zero trit does.
    pub zero_trits: ZeroTrits,
    /// How K is cut.
    pub chunking: Chunking,
    /// How depthwise layers run.
    pub depthwise: DepthwiseMode,
    /// Multipliers of a column's scaler.
    pub multipliers: usize,
    /// Pipeline stages of the scaler.
    pub scaler_stages: usize,
    /// Width of the scaler's multipliers m.
    pub scale_bits: u32,
    /// Elements a cycle of the vector unit.
    pub vector_lanes: usize,
    /// Edges from the issue of a group of elements to its write.
    pub vector_latency_cycles: u64,
}

/// A checked design; it derefs to its [`Parameters`] and cannot be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    parameters: Parameters,
    flip_flops: FlipFlops,
}

impl Deref for Architecture {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.parameters
    }
}

/// Name and text of each built-in architecture, smallest first.
const PRESETS: [(&str, &str); 6] = [
    ("tiny", include_str!("../presets/arch/tiny.toml")),
    ("edge", include_str!("../presets/arch/edge.toml")),
    ("serial", include_str!("../presets/arch/serial.toml")),
    ("segments", include_str!("../presets/arch/segments.toml")),
    ("deep", include_str!("../presets/arch/deep.toml")),
    ("wide", include_str!("../presets/arch/wide.toml")),
];

impl Architecture {
    /// Checks the parameters; names the key of the first that is out of range.
    pub fn new(parameters: Parameters) -> Result<Self, Error> {
        check(&parameters)?;
        let flip_flops = FlipFlops::of(&parameters);
        Ok(Self { parameters, flip_flops })
    }

    /// Reads an architecture file. Unknown, repeated and missing keys are refused with line and column.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let version: raw::Version =
            toml::from_str(text).map_err(|e| Error::of_toml("architecture", text, &e))?;
        if version.format != FORMAT {
            return Err(Error::limit("architecture", "format", FORMAT.to_string(), version.format));
        }
        let raw: raw::Raw =
            toml::from_str(text).map_err(|e| Error::of_toml("architecture", text, &e))?;
        Self::new(typed(raw)?)
    }

    /// The names of the built-in architectures, smallest first.
    pub fn preset_names() -> Vec<&'static str> {
        PRESETS.iter().map(|&(name, _)| name).collect()
    }

    /// The file of a built-in architecture.
    pub fn preset_text(name: &str) -> Option<&'static str> {
        PRESETS.iter().find(|preset| preset.0 == name).map(|&(_, text)| text)
    }

    /// A built-in architecture.
    pub fn preset(name: &str) -> Option<Self> {
        let text = Self::preset_text(name)?;
        Some(Self::from_toml(text).expect("a test reads every preset"))
    }

    /// The parameters, to be changed and checked anew.
    pub fn into_parameters(self) -> Parameters {
        self.parameters
    }

    /// The flip-flops of the data path.
    pub const fn flip_flops(&self) -> &FlipFlops {
        &self.flip_flops
    }
}

fn typed(raw: raw::Raw) -> Result<Parameters, Error> {
    let name = raw.name;
    // A negative number becomes a huge one, but is refused as what it was.
    let size = |key: &str, value: i64| {
        usize::try_from(value).map_err(|_| {
            Error::limit(
                format!("architecture `{}`", name.escape_debug()),
                key,
                "at least 0",
                value,
            )
        })
    };
    let bits = |key: &str, value: i64| Ok(u32::try_from(size(key, value)?).unwrap_or(u32::MAX));
    let depthwise = match (raw.depthwise.mode, raw.depthwise.segments) {
        (raw::DepthwiseMode::Column, None) => DepthwiseMode::Column,
        (raw::DepthwiseMode::Diagonal, None) => DepthwiseMode::Diagonal,
        (raw::DepthwiseMode::Segments, Some(segments)) => {
            DepthwiseMode::Segments(size("depthwise.segments", segments)?)
        }
        (raw::DepthwiseMode::Segments, None) => {
            return Err(Error::malformed(
                format!("architecture `{}`", name.escape_debug()),
                "depthwise.mode = \"segments\" needs the key depthwise.segments",
            ));
        }
        (raw::DepthwiseMode::Column | raw::DepthwiseMode::Diagonal, Some(_)) => {
            return Err(Error::malformed(
                format!("architecture `{}`", name.escape_debug()),
                "depthwise.segments goes with depthwise.mode = \"segments\" only",
            ));
        }
    };
    Ok(Parameters {
        clock: Megahertz(raw.clock_mhz),
        rows: size("array.rows", raw.array.rows)?,
        columns: size("array.columns", raw.array.columns)?,
        clock_gating: raw.array.clock_gating,
        lanes: size("engine.lanes", raw.engine.lanes)?,
        branches: size("engine.branches", raw.engine.branches)?,
        tree_levels_per_stage: size(
            "engine.tree_levels_per_stage",
            raw.engine.tree_levels_per_stage,
        )?,
        activation_bits_per_step: bits(
            "engine.activation_bits_per_step",
            raw.engine.activation_bits_per_step,
        )?,
        accumulator_bits: bits("engine.accumulator_bits", raw.engine.accumulator_bits)?,
        zero_trits: raw.engine.zero_trits,
        chunking: raw.engine.chunking,
        depthwise,
        multipliers: size("scaler.multipliers", raw.scaler.multipliers)?,
        scaler_stages: size("scaler.scaler_stages", raw.scaler.stages)?,
        scale_bits: bits("scaler.scale_bits", raw.scaler.scale_bits)?,
        vector_lanes: size("vector.lanes", raw.vector.lanes)?,
        vector_latency_cycles: size("vector.latency_cycles", raw.vector.latency_cycles)? as u64,
        name,
    })
}

fn check(p: &Parameters) -> Result<(), Error> {
    let place = format!("architecture `{}`", p.name.escape_debug());
    let name_bytes = 1..=crate::limits::MAX_NAME_BYTES;
    let refuse = |what: &str, limit: String, value: String| {
        Err(Error::limit(place.as_str(), what, limit, value))
    };
    let range = |key: &str, value: usize, limits: RangeInclusive<usize>| {
        if limits.contains(&value) {
            return Ok(());
        }
        refuse(key, format!("between {} and {}", limits.start(), limits.end()), value.to_string())
    };
    let power = |key: &str, value: usize, limits: RangeInclusive<usize>| {
        if limits.contains(&value) && value.is_power_of_two() {
            return Ok(());
        }
        let limit = format!("a power of two between {} and {}", limits.start(), limits.end());
        refuse(key, limit, value.to_string())
    };
    range("the length of the name in bytes", p.name.len(), name_bytes)?;
    if p.name.chars().any(char::is_control) {
        return Err(Error::malformed(place, "control character in the name"));
    }
    if !CLOCK_MHZ.contains(&p.clock.0) {
        let limit = format!("between {} and {}", CLOCK_MHZ.start(), CLOCK_MHZ.end());
        return refuse("clock_mhz", limit, p.clock.0.to_string());
    }
    range("array.rows", p.rows, 1..=1024)?;
    range("array.columns", p.columns, 1..=1024)?;
    power("engine.lanes", p.lanes, 1..=4096)?;
    range("engine.branches", p.branches, 1..=8)?;
    range("engine.tree_levels_per_stage", p.tree_levels_per_stage, 1..=12)?;
    power("engine.activation_bits_per_step", p.activation_bits_per_step as usize, 1..=8)?;
    range("engine.accumulator_bits", p.accumulator_bits as usize, 8..=48)?;
    if let DepthwiseMode::Segments(segments) = p.depthwise {
        power("depthwise.segments", segments, 2..=p.lanes.max(2))?;
        range("engine.lanes, which depthwise.segments split,", p.lanes, segments..=4096)?;
    }
    range("scaler.multipliers", p.multipliers, 1..=256)?;
    range("scaler.scaler_stages", p.scaler_stages, 1..=8)?;
    range("scaler.scale_bits", p.scale_bits as usize, 2..=18)?;
    range("vector.lanes", p.vector_lanes, 1..=4096)?;
    let latency = usize::try_from(p.vector_latency_cycles).unwrap_or(usize::MAX);
    range("vector.latency_cycles", latency, 1..=1024)?;
    range("array.rows · array.columns", p.rows * p.columns, 1..=MAX_ENGINES)?;
    let leaves = p.rows * p.columns * p.lanes * p.branches;
    range("rows · columns · lanes · branches", leaves, 1..=MAX_LEAVES)
}

#[cfg(test)]
mod tests;
