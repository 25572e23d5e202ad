//! Counts × energy table → energy, part by part, and area.

use std::ops::AddAssign;

use crate::units::Picojoules;

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
    /// Clock pins of flip-flops and the clock net.
    clock,
    /// Leakage over the run time.
    leakage,
}
