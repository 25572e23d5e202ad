//! Which parameter lifts a layer: each is raised by itself, and the layer counted anew.

use crate::arch::{Architecture, Parameters};
use crate::mapping::{VectorWork, Work};
use crate::network::Network;
use crate::units::Cycles;

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
        (Some(work), _) => super::dot_layer(work, arch).ok().map(|counts| counts.cycles),
        (None, Some(work)) => Some(super::vector_layer(work, arch).cycles),
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
