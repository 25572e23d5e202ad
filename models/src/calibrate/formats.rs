//! Which bits, sign and scale each tensor gets.

use tridot_sim::network::{Sign, TensorId};

use super::histogram::Histogram;
use crate::kernels::finish::NO_FRACTION;
use crate::topology::{Activation, Topology, TopologyLayer, TopologyOperator};

/// Bits of the input's codes, and of signed operands of a residual add.
const FULL_BITS: u32 = 8;

/// Width and sign of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// 1…8 unsigned, 2…8 signed.
    pub bits: u32,
    /// Whether codes are signed.
    pub sign: Sign,
}

impl Kind {
    /// The smallest and the largest code.
    pub(crate) fn code_limits(self) -> (i32, i32) {
        match self.sign {
            Sign::Unsigned => (0, (1 << self.bits) - 1),
            Sign::Signed => (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1),
        }
    }
}

/// What a tensor's codes mean: a code stands for `code · scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Format {
    /// Width and sign.
    pub kind: Kind,
    /// The real number of code 1.
    pub scale: f64,
}

impl Format {
    /// The nearest code to a real number, half up, clamped.
    pub fn code(&self, value: f64) -> i32 {
        let (low, high) = self.kind.code_limits();
        #[expect(clippy::cast_possible_truncation, reason = "clamped to at most 9 bits")]
        let code = (value / self.scale + 0.5).floor().clamp(low.into(), high.into()) as i32;
        code
    }

    /// Replaces values by those that codes stand for. A value half-way between two may take either.
    pub(crate) fn round(&self, values: &mut [f32]) {
        let (low, high) = self.kind.code_limits();
        #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
        let (scale, per_scale) = (self.scale as f32, (1.0 / self.scale) as f32);
        #[expect(clippy::cast_precision_loss, reason = "codes have at most 9 bits")]
        let (low, high) = (low as f32, high as f32);
        for value in values {
            let code = (*value * per_scale).max(low).min(high);
            *value = ((code + NO_FRACTION) - NO_FRACTION) * scale;
        }
    }
}

/// Tensors that share one format because only data movement lies between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Classes {
    /// By tensor id: the smallest tensor id of its class.
    roots: Vec<usize>,
    /// By tensor id, meant for roots.
    kinds: Vec<Kind>,
    /// By tensor id: whether its values are new to its class, and so decide about the scale.
    measured: Vec<bool>,
}

impl Classes {
    /// Joins what the moves join.
    ///
    /// After ReLU-like functions codes are unsigned with `activation_bits`; elsewhere signed, and with
    /// 8 bits if a residual add reads them. The inputs of a concat join its output only where all of
    /// this agrees and none is the network's input, whose scale its pixels decide; the exporter
    /// rescales the others.
    pub(super) fn new(topology: &Topology, activation_bits: u32, input: Sign) -> Self {
        let n = topology.layers.len() + 1;
        let mut classes = Self {
            roots: (0..n).collect(),
            kinds: vec![Kind { bits: FULL_BITS, sign: input }; n],
            measured: vec![true; n],
        };
        let mut non_negative = vec![input == Sign::Unsigned];
        let mut added = vec![false; n];
        for (i, layer) in topology.layers.iter().enumerate() {
            let input = layer.inputs[0].0;
            if moves(layer) && !matches!(layer.operator, TopologyOperator::Concat) {
                classes.roots[i + 1] = classes.roots[input];
                classes.measured[i + 1] = false;
            }
            let inputs = layer.inputs.iter().all(|id| non_negative[id.0]);
            non_negative.push(match &layer.operator {
                TopologyOperator::Dot { activation: Activation::Identity, .. } => false,
                TopologyOperator::Dot { .. }
                | TopologyOperator::Add { activation: Activation::Relu | Activation::Relu6 } => {
                    true
                }
                TopologyOperator::Add { activation: Activation::Identity }
                | TopologyOperator::AveragePool { .. }
                | TopologyOperator::MaxPool { .. }
                | TopologyOperator::Split { .. }
                | TopologyOperator::Concat
                | TopologyOperator::Shuffle { .. }
                | TopologyOperator::Subsample { .. }
                | TopologyOperator::ChannelPad { .. } => inputs,
            });
            if matches!(layer.operator, TopologyOperator::Add { .. }) {
                layer.inputs.iter().for_each(|id| added[classes.roots[id.0]] = true);
            }
        }
        for root in 1..n {
            classes.kinds[root] = match (non_negative[root], added[root]) {
                (true, _) => Kind { bits: activation_bits, sign: Sign::Unsigned },
                (false, true) => Kind { bits: FULL_BITS, sign: Sign::Signed },
                (false, false) => Kind { bits: activation_bits.max(2), sign: Sign::Signed },
            };
        }
        classes.join_concats(topology);
        classes
    }

    fn join_concats(&mut self, topology: &Topology) {
        for (i, layer) in topology.layers.iter().enumerate() {
            if !matches!(layer.operator, TopologyOperator::Concat) {
                continue;
            }
            let kind = self.kind(TensorId(self.roots[i + 1]));
            let mut all_joined = true;
            for id in &layer.inputs {
                let root = self.roots[id.0];
                let joins = root != TensorId::INPUT.0 && self.kinds[root] == kind;
                all_joined &= joins;
                if joins {
                    let (from, to) = (root.max(self.roots[i + 1]), root.min(self.roots[i + 1]));
                    self.roots.iter_mut().filter(|r| **r == from).for_each(|r| *r = to);
                }
            }
            self.measured[i + 1] = !all_joined;
        }
    }

    /// The smallest tensor id of a tensor's class.
    pub(super) fn root(&self, id: TensorId) -> usize {
        self.roots[id.0]
    }

    pub(super) fn kind(&self, id: TensorId) -> Kind {
        self.kinds[self.roots[id.0]]
    }

    /// Whether the values of a tensor are to be counted.
    pub(super) fn is_measured(&self, id: TensorId) -> bool {
        self.measured[id.0] && id != TensorId::INPUT
    }

    /// The format of every tensor, from the values measured (by tensor id) and the input's scale.
    pub(super) fn formats(&self, histograms: &[Histogram], input_scale: f64) -> Vec<Format> {
        let n = self.roots.len();
        let mut merged: Vec<Option<Histogram>> = vec![None; n];
        for id in (0..n).filter(|&id| self.is_measured(TensorId(id))) {
            merged[self.roots[id]].get_or_insert_with(Histogram::new).merge(&histograms[id]);
        }
        let scales: Vec<f64> = (0..n)
            .map(|root| match &merged[root] {
                Some(histogram) => histogram.best_scale(self.kinds[root]),
                None => input_scale,
            })
            .collect();
        (0..n)
            .map(|id| Format { kind: self.kind(TensorId(id)), scale: scales[self.roots[id]] })
            .collect()
    }
}

/// Whether a layer moves codes and changes none.
pub(crate) fn moves(layer: &TopologyLayer) -> bool {
    match layer.operator {
        TopologyOperator::MaxPool { .. }
        | TopologyOperator::Split { .. }
        | TopologyOperator::Concat
        | TopologyOperator::Shuffle { .. }
        | TopologyOperator::Subsample { .. }
        | TopologyOperator::ChannelPad { .. } => true,
        TopologyOperator::Dot { .. }
        | TopologyOperator::Add { .. }
        | TopologyOperator::AveragePool { .. } => false,
    }
}
