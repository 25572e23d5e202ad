//! How each layer is quantized: the plan of a quantization, and its TOML form.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tridot_sim::error::line_and_column;
use tridot_sim::limits;
use tridot_sim::network::Digits;

use crate::Error;
use crate::baselines::Baseline;
use crate::topology::{DotLayer, Topology};

/// The version of the file form that this reader accepts and this writer writes.
pub const FORMAT: u32 = 1;

/// Pictures that calibrate, at most.
pub const MAX_CALIBRATION_SAMPLES: usize = 1_000_000;

/// Widths of `lsq`.
pub const LSQ_BITS: std::ops::RangeInclusive<u32> = 2..=8;

/// What the weights of a layer become. Written `fixed(8)`, `dbq(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scheme {
    /// Symmetric integers with a scale per output channel.
    Fixed {
        /// Width, 2…16.
        bits: u32,
    },
    /// A sum of scaled ternary branches.
    Dbq {
        /// Number of branches, 1…5.
        branches: u32,
    },
    /// What DBQ is compared with. Written `lsq(4)`, `twn`, `ttq`.
    Baseline(Baseline),
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed { bits } => write!(f, "fixed({bits})"),
            Self::Dbq { branches } => write!(f, "dbq({branches})"),
            Self::Baseline(Baseline::Lsq { bits }) => write!(f, "lsq({bits})"),
            Self::Baseline(Baseline::Twn) => write!(f, "twn"),
            Self::Baseline(Baseline::Ttq) => write!(f, "ttq"),
        }
    }
}

impl From<Scheme> for String {
    fn from(scheme: Scheme) -> Self {
        scheme.to_string()
    }
}

impl TryFrom<String> for Scheme {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let argument = |name: &str| {
            let digits = text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
            // A number has one form: no sign, no zeros in front.
            digits.parse::<u32>().ok().filter(|number| number.to_string() == digits)
        };
        let scheme = match text.as_str() {
            "twn" => Some(Self::Baseline(Baseline::Twn)),
            "ttq" => Some(Self::Baseline(Baseline::Ttq)),
            _ => argument("fixed")
                .map(|bits| Self::Fixed { bits })
                .or_else(|| argument("dbq").map(|branches| Self::Dbq { branches }))
                .or_else(|| argument("lsq").map(|bits| Self::Baseline(Baseline::Lsq { bits }))),
        };
        let good = match scheme {
            Some(Self::Fixed { bits }) => limits::FIXED_BITS.contains(&bits),
            Some(Self::Dbq { branches }) => (1..=limits::MAX_BRANCHES).contains(&branches),
            Some(Self::Baseline(Baseline::Lsq { bits })) => LSQ_BITS.contains(&bits),
            Some(Self::Baseline(Baseline::Twn | Baseline::Ttq)) => true,
            None => false,
        };
        scheme.filter(|_| good).ok_or_else(|| {
            let (low, high) = (limits::FIXED_BITS.start(), limits::FIXED_BITS.end());
            let most = limits::MAX_BRANCHES;
            let (few, many) = (LSQ_BITS.start(), LSQ_BITS.end());
            format!(
                "a scheme must be fixed({low}…{high}), dbq(1…{most}), lsq({few}…{many}), twn or ttq, got `{text}`"
            )
        })
    }
}

/// Which weights share their branch scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alpha {
    /// All weights of a layer.
    Layer,
    /// The weights of an output channel.
    Channel,
}

/// Which batch-norm statistics the quantized network gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNormChoice {
    /// Those of the float network, re-estimated ones, or their mean: whichever has the lowest loss on
    /// held-back calibration pictures.
    Best,
    /// Those of the float network.
    AsTrained,
    /// Measured on the calibration pictures behind quantized weights and activations.
    ReEstimated,
}

/// What is measured on pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calibration {
    /// Pictures that set the ranges; as many again, at most a quarter of all, are held back.
    pub samples: usize,
    /// Batch-norm statistics.
    pub batch_norm: BatchNormChoice,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { samples: 1024, batch_norm: BatchNormChoice::Best }
    }
}

/// How a network is quantized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    format: u32,
    /// Scheme of the first dot-product layer.
    pub first: Scheme,
    /// Scheme of the last dot-product layer.
    pub last: Scheme,
    /// Scheme of the depthwise layers.
    pub depthwise: Scheme,
    /// Scheme of all other layers.
    pub others: Scheme,
    /// Which weights of a `dbq` layer share their branch scales.
    pub alpha: Alpha,
    /// Bits of activations, 1…8: of those that are never negative, and, at least 2, of others that no `add` reads.
    pub activation_bits: u32,
    /// Bits of multipliers, 2…18.
    pub scale_bits: u32,
    /// How integer weights become planes.
    pub digits: Digits,
    /// What is measured on pictures.
    pub calibration: Calibration,
    /// Schemes of single layers, by name; they go before the four above.
    pub layers: BTreeMap<String, Scheme>,
}

/// The one key that every version of a plan has.
#[derive(Deserialize)]
pub(crate) struct Version {
    pub(crate) format: i64,
}

/// The TOML shape of a plan; the defaults of [`Plan::default_with_branches`] are written there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    /// Required in a file of its own, unknown inside another plan.
    format: Option<u32>,
    first: Option<Scheme>,
    last: Option<Scheme>,
    depthwise: Option<Scheme>,
    others: Scheme,
    alpha: Option<Alpha>,
    activation_bits: Option<u32>,
    scale_bits: Option<u32>,
    digits: Option<Digits>,
    calibration: Option<Calibration>,
    layers: Option<BTreeMap<String, Scheme>>,
}

impl Raw {
    /// A plan that is a table of another plan.
    pub(crate) fn embedded(self) -> Result<Plan, Error> {
        if self.format.is_some() {
            let reason = "unknown field `format`: that of the whole plan counts";
            return Err(Error::malformed("quantization", reason));
        }
        self.plan()
    }

    fn plan(self) -> Result<Plan, Error> {
        let default = Plan::with_others(self.others);
        let plan = Plan {
            format: FORMAT,
            first: self.first.unwrap_or(default.first),
            last: self.last.unwrap_or(default.last),
            depthwise: self.depthwise.unwrap_or(default.depthwise),
            others: self.others,
            alpha: self.alpha.unwrap_or(default.alpha),
            activation_bits: self.activation_bits.unwrap_or(default.activation_bits),
            scale_bits: self.scale_bits.unwrap_or(default.scale_bits),
            digits: self.digits.unwrap_or(default.digits),
            calibration: self.calibration.unwrap_or(default.calibration),
            layers: self.layers.unwrap_or_default(),
        };
        plan.check()?;
        Ok(plan)
    }
}

impl Plan {
    /// First, last and depthwise layers `fixed(8)`, all others `dbq(branches)`; 8-bit activations,
    /// 16-bit multipliers, one set of branch scales per layer.
    pub fn default_with_branches(branches: u32) -> Self {
        Self::with_others(Scheme::Dbq { branches })
    }

    fn with_others(others: Scheme) -> Self {
        let fixed = Scheme::Fixed { bits: 8 };
        Self {
            format: FORMAT,
            first: fixed,
            last: fixed,
            depthwise: fixed,
            others,
            alpha: Alpha::Layer,
            activation_bits: 8,
            scale_bits: 16,
            digits: Digits::Csd,
            calibration: Calibration::default(),
            layers: BTreeMap::new(),
        }
    }

    /// Reads a plan. Required keys are `format` and `others`.
    ///
    /// ```
    /// use tridot_models::scheme::{Plan, Scheme};
    /// let plan = Plan::from_toml("format = 1\nothers = \"dbq(2)\"\n")?;
    /// assert_eq!(plan, Plan::default_with_branches(2));
    /// assert_eq!(plan.first, Scheme::Fixed { bits: 8 });
    /// # Ok::<(), tridot_models::Error>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        // The version first, so that another version's keys are not blamed.
        let version: Version = toml::from_str(text).map_err(|error| at_line(text, &error))?;
        if version.format != i64::from(FORMAT) {
            let limit = format!("{FORMAT}, the version that this program reads");
            return Err(Error::limit("plan", "format", limit, version.format));
        }
        let raw: Raw = toml::from_str(text).map_err(|error| at_line(text, &error))?;
        raw.plan()
    }

    /// Refuses numbers outside their limits, and what no layer would follow.
    pub fn check(&self) -> Result<(), Error> {
        let bits = self.activation_bits;
        if !(1..=limits::MAX_ACTIVATION_BITS).contains(&bits) {
            let limit = format!("between 1 and {}", limits::MAX_ACTIVATION_BITS);
            return Err(Error::limit("plan", "activation_bits", limit, bits));
        }
        let (low, high) = (limits::SCALE_BITS.start(), limits::SCALE_BITS.end());
        if !limits::SCALE_BITS.contains(&self.scale_bits) {
            let limit = format!("between {low} and {high}");
            return Err(Error::limit("plan", "scale_bits", limit, self.scale_bits));
        }
        let samples = self.calibration.samples;
        if !(1..=MAX_CALIBRATION_SAMPLES).contains(&samples) {
            let limit = format!("between 1 and {MAX_CALIBRATION_SAMPLES}");
            return Err(Error::limit("plan", "calibration.samples", limit, samples));
        }
        if self.alpha == Alpha::Channel && !self.has_dbq() {
            let reason = "alpha = \"channel\" is of dbq layers, and no layer is";
            return Err(Error::malformed("plan", reason));
        }
        Ok(())
    }

    /// Whether it has ternary branches for any layer.
    pub(crate) fn has_dbq(&self) -> bool {
        let by_place = [self.first, self.last, self.depthwise, self.others];
        let mut schemes = by_place.iter().chain(self.layers.values());
        schemes.any(|scheme| matches!(scheme, Scheme::Dbq { .. }))
    }

    /// The plan in full, as TOML that [`Plan::from_toml`] reads back. Same plan, same text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("strings, numbers and one table of strings are TOML")
    }

    /// The scheme of each layer of a network: none for layers without weights.
    ///
    /// Refuses overrides of layers that are not there or have no weights.
    pub fn schemes(&self, topology: &Topology) -> Result<Vec<Option<Scheme>>, Error> {
        self.check()?;
        let dots: Vec<DotLayer<'_>> = topology.dot_layers().collect();
        let is_known = |name: &&String| dots.iter().any(|dot| dot.layer.name == **name);
        if let Some(name) = self.layers.keys().find(|name| !is_known(name)) {
            let known: Vec<&str> = dots.iter().map(|dot| dot.layer.name.as_str()).collect();
            let reason = format!(
                "`{}` is no layer with weights of `{}`; these are: {}",
                name.escape_debug(),
                topology.name,
                known.join(", ")
            );
            return Err(Error::malformed("plan: layers", reason));
        }
        let mut schemes = vec![None; topology.layers.len()];
        for (i, dot) in dots.iter().enumerate() {
            let by_place = if i == 0 {
                self.first
            } else if i + 1 == dots.len() {
                self.last
            } else if dot.geometry.is_depthwise() {
                self.depthwise
            } else {
                self.others
            };
            let by_name = self.layers.get(&dot.layer.name);
            schemes[dot.layer_idx] = Some(*by_name.unwrap_or(&by_place));
        }
        Ok(schemes)
    }
}

/// One line from a TOML error: line and column, then what is wrong.
pub(crate) fn at_line(text: &str, error: &toml::de::Error) -> Error {
    let offset = error.span().map_or(0, |span| span.start);
    let mut reason = String::new();
    for c in error.message().chars() {
        match c {
            '\n' => reason.push(' '),
            c if c.is_control() => reason.extend(c.escape_default()),
            c => reason.push(c),
        }
    }
    Error::malformed(line_and_column(text, offset), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Plan::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn a_plan_survives_its_text() {
        let mut plan = Plan::default_with_branches(3);
        plan.layers.insert("layer1.0.conv1".into(), Scheme::Fixed { bits: 4 });
        plan.alpha = Alpha::Channel;
        plan.digits = Digits::SignMagnitude;
        plan.calibration.samples = 7;
        let text = plan.to_toml();
        assert_eq!(Plan::from_toml(&text).unwrap(), plan);
        assert!(text.starts_with("format = 1\nfirst = \"fixed(8)\"\n"), "{text}");
    }

    #[test]
    fn wrong_keys_are_refused_with_their_place() {
        let text = "format = 1\nothers = \"dbq(2)\"\n  branch = 3\n";
        assert!(refused(text).starts_with("line 3, column 3: unknown field `branch`"));
        let text = "format = 1\nothers = \"dbq(2)\"\nothers = \"dbq(2)\"\n";
        assert!(refused(text).starts_with("line 3, column 1: duplicate key"), "{}", refused(text));
        assert!(refused("format = 1\n").contains("missing field `others`"));
        assert!(refused("others = \"dbq(1)\"").contains("missing field `format`"));
        let text = "format = 1\nothers = \"dbq(2)\"\n[calibration]\nsample = 3\n";
        assert!(refused(text).starts_with("line 4, column 1: unknown field `sample`"));
    }

    #[test]
    fn wrong_values_are_refused_with_limit_and_value() {
        let with = |line: &str| refused(&format!("format = 1\nothers = \"dbq(2)\"\n{line}\n"));
        assert_eq!(
            with("first = \"dbq(6)\""),
            "line 3, column 9: a scheme must be fixed(2…16), dbq(1…5), lsq(2…8), twn or ttq, got `dbq(6)`"
        );
        for bad in ["fixed(1)", "fixed(17)", "dbq(0)", "dbq()", "dbq", "dbq(-1)", "float", ""] {
            assert!(with(&format!("last = \"{bad}\"")).contains(&format!("got `{bad}`")));
        }
        assert_eq!(
            with("activation_bits = 9"),
            "plan: activation_bits must be between 1 and 8, got 9"
        );
        assert_eq!(with("scale_bits = 1"), "plan: scale_bits must be between 2 and 18, got 1");
        for samples in ["0", "1000001", "4611686018427387904"] {
            let message =
                format!("plan: calibration.samples must be between 1 and 1000000, got {samples}");
            assert_eq!(with(&format!("calibration.samples = {samples}")), message);
        }
        assert_eq!(
            refused("format = 1\nothers = \"twn\"\nalpha = \"channel\"\n"),
            "plan: alpha = \"channel\" is of dbq layers, and no layer is"
        );
        let one_dbq = "format = 1\nothers = \"twn\"\nalpha = \"channel\"\n\
                       [layers]\n\"layer1.0.conv1\" = \"dbq(2)\"\n";
        assert!(Plan::from_toml(one_dbq).is_ok());
    }

    #[test]
    fn another_version_is_named_before_its_keys_are_blamed() {
        let message = "plan: format must be 1, the version that this program reads, got 2";
        assert_eq!(refused("format = 2\nothers = \"dbq(2)\""), message);
        assert_eq!(refused("format = 2\nothers = \"dbq(2)\"\nnew_key = 3"), message);
        assert_eq!(refused("format = 2\nothers = \"new(2)\""), message);
    }
}
