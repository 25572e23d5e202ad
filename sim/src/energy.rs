//! Counts × energy table → energy, part by part, and area. ENERGY.md derives every formula.

use std::ops::AddAssign;

use crate::Error;
use crate::arch::Architecture;
use crate::network::{Layer, Network};
use crate::outcome::Outcome;
use crate::units::Picojoules;

mod area;
mod calibration;
mod curve;
mod prices;
mod raw;
mod rows;
mod sizes;
mod storage;
mod table;

pub use area::Area;
pub use calibration::{CalibratedEngine, Calibration};
pub(crate) use prices::MULTIPLIER_NETS;
pub use prices::{Priced, Prices};
pub use rows::{Group, Net};
pub use sizes::{EnergyTables, FORMAT};
pub use storage::{Memory, Storage};
pub use table::EnergyTable;

macro_rules! breakdown {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Where the energy of a layer, or of all layers together, goes; the total is exactly the sum of the parts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Breakdown {
            $($(#[$doc])* pub $field: Picojoules,)*
        }

        impl Breakdown {
            /// Names of the parts, in the order of [`Breakdown::parts`].
            pub const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// Every part with its name.
            pub fn parts(&self) -> impl Iterator<Item = (&'static str, Picojoules)> {
                [$((stringify!($field), self.$field)),*].into_iter()
            }

            /// All parts together.
            pub fn total(&self) -> Picojoules {
                self.parts().map(|part| part.1).sum()
            }
        }

        impl AddAssign for Breakdown {
            fn add_assign(&mut self, other: Self) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

breakdown! {
    /// Reads of the activation memory by the array.
    activation_reads,
    /// Reads of the weight memory.
    weight_reads,
    /// Writes of outputs.
    output_writes,
    /// Row wires and their registers.
    activation_bus,
    /// Column wires and their registers.
    weight_bus,
    /// Operand registers and leaf terms.
    leaves,
    /// Adder trees.
    tree,
    /// Accumulators and the shadow bank.
    accumulators,
    /// Multiply, add, round, shift, clamp.
    scaler,
    /// The vector unit with its reads and writes.
    vector,
    /// Clock pins of flip-flops and the clock net; load enables.
    clock,
    /// Leakage over the run time.
    leakage,
}

/// The energy of a network on an architecture.
#[derive(Debug, Clone, PartialEq)]
pub struct Energy {
    /// One a layer, in the order of the network.
    pub layers: Vec<Breakdown>,
    /// What the events cost, and the memories that were assumed.
    pub prices: Prices,
}

impl Energy {
    /// All layers together.
    pub fn total(&self) -> Breakdown {
        let mut total = Breakdown::default();
        for layer in &self.layers {
            total += *layer;
        }
        total
    }
}

/// Bits of a code that a layer reads: of all its inputs, which it reads as often as each other's codes.
fn bits_a_read(network: &Network, layer: &Layer) -> f64 {
    let tensors = layer.inputs.iter().map(|&id| network.tensor(id));
    let [mut codes, mut bits] = [0, 0];
    for tensor in tensors {
        codes += tensor.shape.elements() as u64;
        bits += tensor.shape.elements() as u64 * u64::from(tensor.bits);
    }
    bits as f64 / codes as f64
}

/// Prices what happened. Refuses dot-product layers without toggles, a clock beyond the table's slowest
/// path, and what costs more than can be added up.
pub fn price(
    network: &Network,
    arch: &Architecture,
    table: &EnergyTable,
    outcome: &Outcome,
) -> Result<Energy, Error> {
    let prices = Prices::new(table, arch, Storage::of(network, outcome.images))?;
    let mut layers = Vec::with_capacity(outcome.layers.len());
    let mut total = 0.0;
    for (layer, outcome) in network.layers.iter().zip(&outcome.layers) {
        let priced = Priced {
            counts: &outcome.counts,
            toggles: outcome.toggles.as_ref(),
            input_bits: bits_a_read(network, layer),
            output_bits: layer.output.bits,
        };
        let place = format!("layer `{}`", layer.name);
        let breakdown = prices.layer(&place, &priced)?;
        total += breakdown.parts().map(|part| part.1.value()).sum::<f64>();
        if prices::MAX_PICOJOULES < total {
            let limit = format!("at most {}", prices::MAX_PICOJOULES);
            return Err(Error::limit(place, "the energy in pJ up to here", limit, total));
        }
        layers.push(breakdown);
    }
    Ok(Energy { layers, prices })
}

#[cfg(test)]
mod tests;
