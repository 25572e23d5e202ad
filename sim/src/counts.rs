//! What happened, as integers. TIMING.md, section 6, says what each counts.

use std::ops::AddAssign;

use crate::arch::FlipFlops;
use crate::units::Cycles;

macro_rules! counts {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
        /// Events of a layer, or of all layers together.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counts {
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

counts! {
    /// Clock cycles.
    cycles: Cycles,
    /// Steps issued to the array.
    steps: u64,
    /// Cycles frozen because the scaler has not freed the shadow bank.
    stall_scaler: Cycles,
    /// Cycles of a dot-product layer that neither issue a step nor are frozen: filling and draining.
    empty: Cycles,
    /// Cycles of the vector unit.
    vector_cycles: Cycles,
    /// Steps of engines with an output.
    busy_engine_steps: u64,
    /// Steps of engines without one.
    idle_engine_steps: u64,
    /// Leaf terms that belong to a product of the layer: outputs · K · planes · slices.
    products: u64,
    /// Slices of codes read from the activation memory, `activation_bits_per_step` wide.
    activation_reads: u64,
    /// Trits read from the weight memory, 2 bits each.
    weight_reads: u64,
    /// Outputs of the array written, as wide as the output tensor.
    output_writes: u64,
    /// Loads of operand registers (`zero_trits = gate`).
    operand_loads: u64,
    /// Moves of the accumulators to the shadow bank.
    moves: u64,
    /// Cycles in which the scaler takes values.
    scaler_cycles: Cycles,
    /// Values that the scaler multiplies.
    scaler_operations: u64,
    /// Elements that the vector unit processes.
    vector_elements: u64,
    /// Codes that the vector unit reads.
    vector_reads: u64,
    /// Codes that the vector unit writes.
    vector_writes: u64,
    /// Flip-flops clocked, times edges.
    flip_flop_cycles: FlipFlops,
}

impl AddAssign for FlipFlops {
    fn add_assign(&mut self, other: Self) {
        self.activation_bus += other.activation_bus;
        self.weight_bus += other.weight_bus;
        self.operand += other.operand;
        self.tree += other.tree;
        self.accumulator += other.accumulator;
        self.shadow += other.shadow;
        self.scaler += other.scaler;
        self.partial += other.partial;
    }
}
