//! What a designer's hardware put out, against golden vectors: what differs, where first, and how.
//!
//! For every value that differs, hypotheses of what went wrong predict what would have come out: another sign,
//! another rounding, no clamp, a stale accumulator. The hypothesis that explains most of them names their kind, then
//! the one that explains most of the rest.

use std::collections::BTreeMap;

use crate::network::{Digits, Dot, Network};
use crate::rtl::Observed;
use crate::vectors::Vectors;

pub mod dump;
mod hypotheses;
mod site;
pub mod wave;

use hypotheses::Guess;
pub use site::Product;
use site::Site;

/// Values that differ of which the kind is looked for: the first so many.
pub const MAX_EXAMINED: usize = 4096;
/// Equal values that tell hypotheses apart.
const MAX_EQUAL: usize = 128;

/// What a value is wrong by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A sum, a branch, a multiplier, a code or a trit has the other sign, or none.
    Sign,
    /// Rounded, but not half up.
    Rounding,
    /// Not clamped, clamped elsewhere, or wrapped.
    Saturation,
    /// Shifted by one bit too many or too few.
    Shift,
    /// Multiplied by the scale of another branch or channel.
    Scale,
    /// Bias missing, doubled, or of another channel.
    Bias,
    /// A pass is missing.
    Pass,
    /// An accumulator did not start anew.
    Stale,
    /// Products are missing or taken twice: the loop over K.
    Products,
    /// Values that belong elsewhere: lanes, channels or pixels exchanged.
    Order,
    /// Written one edge early or late.
    OffByOneCycle,
    /// Written at another edge.
    Cycle,
    /// Nothing of these.
    Value,
}

impl Kind {
    /// The kind in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Rounding => "rounding",
            Self::Saturation => "saturation",
            Self::Shift => "shift",
            Self::Scale => "branch scale",
            Self::Bias => "bias",
            Self::Pass => "missing pass",
            Self::Stale => "stale accumulator",
            Self::Products => "products of K",
            Self::Order => "order",
            Self::OffByOneCycle => "off by one cycle",
            Self::Cycle => "cycle",
            Self::Value => "value",
        }
    }
}

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Outputs.
    Output,
    /// What the scaler takes: of each output, this plane's accumulator, or the merged one.
    Accumulator(usize),
    /// The edges that write outputs.
    Edge,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What it is.
    pub quantity: Quantity,
    /// Which output of all images, NHWC.
    pub index: usize,
    /// What it must be.
    pub expected: i64,
    /// What it is.
    pub got: i64,
    /// What it is wrong by.
    pub kind: Kind,
}

impl Mismatch {
    /// The lowest bit that differs.
    pub fn bit(&self) -> u32 {
        (self.expected ^ self.got).trailing_zeros()
    }

    /// Place, bit, and both values in words.
    pub fn describe(&self, vectors: &Vectors) -> String {
        let [image, row, column, channel] = vectors.place(self.index);
        let quantity = match self.quantity {
            Quantity::Output => "output".to_owned(),
            Quantity::Accumulator(plane) => format!("accumulator of plane {plane}"),
            Quantity::Edge => "edge".to_owned(),
        };
        format!(
            "{quantity} of channel {channel}, row {row}, column {column}, picture {image}: bit {}, \
             expected {}, got {}: {}",
            self.bit(),
            self.expected,
            self.got,
            self.kind.name()
        )
    }
}

impl Findings {
    /// How many differ, by kind.
    pub fn describe_kinds(&self) -> String {
        let kind = |(kind, count): (&Kind, &u64)| format!("{count} {}", kind.name());
        let kinds: Vec<String> = self.kinds.iter().map(kind).collect();
        format!("{} of {} differ: {}", self.mismatches, self.compared, kinds.join(", "))
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Values compared.
    pub compared: u64,
    /// Of these, different.
    pub mismatches: u64,
    /// How many are of each kind, among the first [`MAX_EXAMINED`].
    pub kinds: BTreeMap<Kind, u64>,
    /// The first in NHWC order.
    pub first: Option<Mismatch>,
}

/// What a run of the RTL showed, compared in all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Outputs.
    pub outputs: Findings,
    /// The edges that wrote them.
    pub edges: Findings,
    /// Accumulators at moves, unused ones too.
    pub accumulators_compared: u64,
    /// Of these, different; and moves at other edges, missing or too many.
    pub accumulator_mismatches: u64,
    /// The first of these.
    pub first_move: Option<String>,
}

impl Checked {
    /// All that differs.
    pub const fn mismatches(&self) -> u64 {
        self.outputs.mismatches + self.edges.mismatches + self.accumulator_mismatches
    }

    /// What differs first: an output, then an edge, then an accumulator.
    pub fn first(&self, vectors: &Vectors) -> Option<String> {
        let of_findings = |findings: &Findings| {
            let first = findings.first.as_ref()?;
            Some(format!("{}; {}", first.describe(vectors), findings.describe_kinds()))
        };
        of_findings(&self.outputs)
            .or_else(|| of_findings(&self.edges))
            .or_else(|| self.first_move.clone())
    }
}

/// What is behind an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operands {
    /// Code and trits of each k.
    pub products: Vec<Product>,
    /// What the scaler takes.
    pub accumulators: Vec<i64>,
    /// m of each of them.
    pub multipliers: Vec<i32>,
    /// Bias.
    pub bias: i64,
    /// y.
    pub y: i64,
}

/// The vectors of a layer, and what is needed to say how a value came about.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    dot: &'a Dot,
    digits: Digits,
    vectors: &'a Vectors,
}

impl<'a> Verifier<'a> {
    /// For the vectors of this dot-product layer of a network.
    ///
    /// # Panics
    /// If it is another layer.
    pub fn new(network: &'a Network, layer_idx: usize, vectors: &'a Vectors) -> Self {
        let dot = network.layers[layer_idx].dot().expect("vectors are of a dot-product layer");
        assert_eq!(network.layers[layer_idx].name, vectors.layer, "they are of this layer");
        Self { dot, digits: network.digits, vectors }
    }

    /// Outputs, all of them, NHWC.
    pub fn outputs(&self, got: &[i64]) -> Findings {
        let expected = &self.vectors.expected.outputs;
        let guess = |site: &Site<'_>, index| {
            let mut guesses = site.outputs();
            guesses.extend(site.permuted(index, expected));
            guesses
        };
        self.compare(expected, got, |index| (Quantity::Output, index), guess)
    }

    /// Accumulators: of each output as many as the scaler takes.
    pub fn accumulators(&self, got: &[i64]) -> Findings {
        let values = self.vectors.values;
        let quantity = |at: usize| (Quantity::Accumulator(at % values), at / values);
        let guess = |site: &Site<'_>, at: usize| site.accumulators(at % values);
        self.compare(&self.vectors.accumulators, got, quantity, guess)
    }

    /// The edges that write outputs.
    pub fn edges(&self, got: &[u64]) -> Findings {
        let signed =
            |edges: &[u64]| edges.iter().map(|&edge| edge.cast_signed()).collect::<Vec<_>>();
        let (expected, got) = (signed(&self.vectors.expected.written_at), signed(got));
        assert_eq!(expected.len(), got.len(), "a dump has its length checked");
        let mut findings = Findings { compared: expected.len() as u64, ..Findings::default() };
        for (index, (&expected, &got)) in expected.iter().zip(&got).enumerate() {
            if expected == got {
                continue;
            }
            let kind = if expected.abs_diff(got) == 1 { Kind::OffByOneCycle } else { Kind::Cycle };
            findings.mismatches += 1;
            *findings.kinds.entry(kind).or_default() += 1;
            let mismatch = || Mismatch { quantity: Quantity::Edge, index, expected, got, kind };
            findings.first.get_or_insert_with(mismatch);
        }
        findings
    }

    /// All that a run of the RTL showed but its totals.
    pub fn observed(&self, seen: &Observed) -> Checked {
        let (moves, expected) = (&seen.moves, &self.vectors.expected.moves);
        let mut checked = Checked {
            outputs: self.outputs(&seen.outputs),
            edges: self.edges(&seen.written_at),
            ..Checked::default()
        };
        let mut differs = |text: String| {
            checked.accumulator_mismatches += 1;
            checked.first_move.get_or_insert(text);
        };
        if moves.len() != expected.len() {
            differs(format!("moves: expected {}, got {}", expected.len(), moves.len()));
        }
        for (i, (seen, expected)) in moves.iter().zip(expected).enumerate() {
            checked.accumulators_compared += expected.accumulators.len() as u64;
            if seen.edge != expected.edge {
                let (expected, got) = (expected.edge, seen.edge);
                differs(format!("edge of move {i}: expected {expected}, got {got}"));
            }
            let pairs = seen.accumulators.iter().zip(&expected.accumulators).enumerate();
            for (at, (got, expected)) in pairs.filter(|(_, (got, expected))| got != expected) {
                differs(format!("move {i}, accumulator {at}: expected {expected}, got {got}"));
            }
        }
        checked
    }

    /// What is behind an output.
    pub fn operands(&self, index: usize) -> Operands {
        let site = self.site(index);
        Operands {
            accumulators: site.accumulators.to_vec(),
            multipliers: site.multipliers().to_vec(),
            bias: site.bias(),
            y: site.y(site.accumulators),
            products: site.products,
        }
    }

    fn site(&self, index: usize) -> Site<'a> {
        Site::new(self.dot, self.digits, self.vectors, index)
    }

    fn compare(
        &self,
        expected: &[i64],
        got: &[i64],
        quantity: impl Fn(usize) -> (Quantity, usize),
        guess: impl Fn(&Site<'_>, usize) -> Vec<Guess>,
    ) -> Findings {
        assert_eq!(expected.len(), got.len(), "a dump has its length checked");
        let differs = |&at: &usize| expected[at] != got[at];
        let all = || 0..expected.len();
        let wrong: Vec<usize> = all().filter(differs).take(MAX_EXAMINED).collect();
        let guesses = |at: usize| guess(&self.site(quantity(at).1), at);
        let (mut equal, mut kinds) = (Vec::new(), Vec::new());
        if !wrong.is_empty() {
            let right = all().filter(|at| !differs(at));
            let step = expected.len().div_ceil(MAX_EQUAL);
            equal.extend(right.step_by(step).map(|at| (expected[at], guesses(at))));
            let wrong: Vec<_> = wrong.iter().map(|&at| (got[at], guesses(at))).collect();
            kinds = hypotheses::kinds(&wrong, &equal);
        }
        let mut findings = Findings {
            compared: expected.len() as u64,
            mismatches: all().filter(differs).count() as u64,
            ..Findings::default()
        };
        for &kind in &kinds {
            *findings.kinds.entry(kind).or_default() += 1;
        }
        findings.first = wrong.first().map(|&at| {
            let (quantity, index) = quantity(at);
            Mismatch { quantity, index, expected: expected[at], got: got[at], kind: kinds[0] }
        });
        findings
    }
}

#[cfg(test)]
mod tests;
