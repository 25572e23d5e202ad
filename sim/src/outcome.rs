//! The result of a layer and of a network on an architecture, and what would lift it.

use crate::arch::{Architecture, Parameters};
use crate::bounds::Bounds;
use crate::counts::Counts;
use crate::fast;
use crate::mapping::{VectorWork, Work};
use crate::network::Network;
use crate::units::{Cycles, Microseconds};

/// What a layer cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerOutcome {
    /// The layer's name.
    pub name: String,
    /// What happened.
    pub counts: Counts,
    /// What it needs at least; none on the vector unit.
    pub bounds: Option<Bounds>,
}

/// What a network cost: its layers run one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Images of the batch.
    pub images: usize,
    /// One a layer, in the order of the network.
    pub layers: Vec<LayerOutcome>,
}

impl Outcome {
    /// The counts of all layers together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for layer in &self.layers {
            total += layer.counts;
        }
        total
    }

    /// The time that the batch takes.
    pub fn time(&self, arch: &Architecture) -> Microseconds {
        self.total().cycles.at(arch.clock)
    }
}

impl Counts {
    /// Products done, of those that all leaves could have done in these cycles; 0 … 1.
    pub fn utilization(&self, arch: &Architecture) -> f64 {
        if self.cycles.0 == 0 {
            return 0.0;
        }
        self.products as f64 / (self.cycles.0 as f64 * arch.leaves() as f64)
    }

    /// What most of the cycles went to.
    pub fn limiter(&self) -> Limiter {
        let causes = [
            (Cycles(self.steps), Limiter::Array),
            (self.stall_scaler, Limiter::Scaler),
            (self.empty, Limiter::Latency),
            (self.vector_cycles, Limiter::Vector),
        ];
        // The first of equals: `max_by_key` would take the last.
        causes.into_iter().rev().max_by_key(|cause| cause.0).expect("four causes").1
    }
}

/// What a layer's cycles go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limiter {
    /// Steps of the array.
    Array,
    /// Freezes for the scaler.
    Scaler,
    /// Filling and draining the pipeline.
    Latency,
    /// The vector unit.
    Vector,
}

/// A parameter that, raised alone, makes a layer faster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lift {
    /// Its key in the architecture file.
    pub key: &'static str,
    /// The value tried: the next above the one it has.
    pub value: usize,
    /// The layer's cycles with it.
    pub cycles: Cycles,
}

/// Raises each parameter by itself to its next value (twice, or one more branch) and returns the one
/// that saves most cycles of a layer: the first of equals, and none if none saves any.
pub fn lift(
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    images: usize,
) -> Option<Lift> {
    let dot = Work::of(network, layer_idx, images);
    let vector = VectorWork::of(network, layer_idx, images);
    let cycles = |arch: &Architecture| match (&dot, &vector) {
        (Some(work), _) => fast::dot_layer(work, arch).ok().map(|counts| counts.cycles),
        (None, Some(work)) => Some(fast::vector_layer(work, arch).cycles),
        (None, None) => None,
    };
    let now = cycles(arch)?;
    let mut best: Option<Lift> = None;
    for (key, value, parameters) in raised(arch) {
        // A value beyond its range lifts nothing.
        let Ok(raised) = Architecture::new(parameters) else { continue };
        let Some(cycles) = cycles(&raised) else { continue };
        if cycles < best.as_ref().map_or(now, |best| best.cycles) {
            best = Some(Lift { key, value, cycles });
        }
    }
    best
}

/// One parameter raised at a time.
fn raised(arch: &Architecture) -> Vec<(&'static str, usize, Parameters)> {
    type Field = fn(&mut Parameters) -> &mut usize;
    let fields: [(&str, Field); 6] = [
        ("scaler.multipliers", |p| &mut p.multipliers),
        ("array.rows", |p| &mut p.rows),
        ("array.columns", |p| &mut p.columns),
        ("engine.lanes", |p| &mut p.lanes),
        ("engine.tree_levels_per_stage", |p| &mut p.tree_levels_per_stage),
        ("vector.lanes", |p| &mut p.vector_lanes),
    ];
    let mut all = Vec::new();
    for (key, field) in fields {
        let mut parameters = (**arch).clone();
        *field(&mut parameters) *= 2;
        all.push((key, *field(&mut parameters), parameters));
    }
    let mut more = (**arch).clone();
    more.branches += 1;
    all.push(("engine.branches", more.branches, more));
    let mut wider = (**arch).clone();
    wider.activation_bits_per_step *= 2;
    all.push(("engine.activation_bits_per_step", wider.activation_bits_per_step as usize, wider));
    all
}
