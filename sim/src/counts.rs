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
    /// Multiplications of the vector unit.
    vector_multiplies: u64,
    /// Additions and comparisons of the vector unit.
    vector_adds: u64,
    /// Codes that the vector unit reads.
    vector_reads: u64,
    /// Codes that the vector unit writes.
    vector_writes: u64,
    /// Flip-flops clocked, times edges.
    flip_flop_cycles: FlipFlops,
}

impl Counts {
    /// How often a move follows an edge without one, at most: once a move, and once an edge without. First those that find
    /// the shadow bank empty, at most one an edge without a take; then those that find it giving its last values.
    pub fn handovers(&self) -> (u64, u64) {
        let edges_without = |events: u64| self.cycles.0.saturating_sub(events);
        let all = self.moves.min(edges_without(self.moves));
        let to_empty = all.min(edges_without(self.scaler_cycles.0));
        (to_empty, all - to_empty)
    }
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

/// Adder levels of the deepest tree: 4096 lanes.
pub const MAX_TREE_LEVELS: usize = 12;

/// Bits of registers and nets that differ between consecutive clock edges, in two's complement at their RTL width;
/// TIMING.md, section 9, defines each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Toggles {
    /// Bus registers of the rows: `activation_bits_per_step` bits a code.
    pub activation_bus: u64,
    /// Bus registers of the columns, and with `zero_trits = gate` the trit registers of the operand stage: 2 bits a trit,
    /// −1 is 11.
    pub weight_bus: u64,
    /// Operand registers (`zero_trits = gate`): `activation_bits_per_step` bits a code.
    pub operand: u64,
    /// Leaf nets, trit · code: `activation_bits_per_step` + 1 bits.
    pub leaves: u64,
    /// Outputs of the adder trees' adders; entry l − 1 is level l, `activation_bits_per_step` + 1 + l bits each.
    pub tree: [u64; MAX_TREE_LEVELS],
    /// Accumulator registers: `accumulator_bits` each.
    pub accumulators: u64,
    /// Accumulator values at the inputs of the scalers' multipliers: `accumulator_bits` each.
    pub scaler_operand: u64,
    /// Multipliers m beside them: `scale_bits` each.
    pub scaler_scale: u64,
    /// Partial products of the scalers' multipliers: for each bit of m that is one, the accumulator value at the product's
    /// width, shifted to the bit.
    pub scaler_partial_products: u64,
    /// Outputs of the scalers' multipliers: `accumulator_bits` + `scale_bits` each.
    pub scaler_product: u64,
    /// Outputs of the adders of the partial y: 48 bits each.
    pub scaler_y: u64,
}

impl AddAssign for Toggles {
    fn add_assign(&mut self, other: Self) {
        self.activation_bus += other.activation_bus;
        self.weight_bus += other.weight_bus;
        self.operand += other.operand;
        self.leaves += other.leaves;
        for (level, other) in self.tree.iter_mut().zip(other.tree) {
            *level += other;
        }
        self.accumulators += other.accumulators;
        self.scaler_operand += other.scaler_operand;
        self.scaler_scale += other.scaler_scale;
        self.scaler_partial_products += other.scaler_partial_products;
        self.scaler_product += other.scaler_product;
        self.scaler_y += other.scaler_y;
    }
}

/// Toggles of a layer, counted in all its tiles or in a sample of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToggleCounts {
    /// Toggles in the tiles that were counted.
    pub counted: Toggles,
    /// Tiles that were counted.
    pub tiles_counted: u64,
    /// Tiles of the layer.
    pub tiles: u64,
}

impl ToggleCounts {
    /// Toggles of all tiles, if those that were not counted toggle as much as those that were on average; each is
    /// rounded to the nearest integer, half up. Exact where all tiles were counted; 0 where none was.
    ///
    /// ```
    /// use tridot_sim::counts::{ToggleCounts, Toggles};
    /// let counted = Toggles { leaves: 5, ..Toggles::default() };
    /// let counts = ToggleCounts { counted, tiles_counted: 2, tiles: 3 };
    /// assert_eq!(counts.of_all_tiles().leaves, 8);
    /// ```
    pub fn of_all_tiles(&self) -> Toggles {
        let (tiles, counted) = (u128::from(self.tiles), u128::from(self.tiles_counted.max(1)));
        self.counted.map(|toggles| {
            let scaled = (2 * u128::from(toggles) * tiles + counted) / (2 * counted);
            u64::try_from(scaled).unwrap_or(u64::MAX)
        })
    }
}

impl Toggles {
    /// The same function of every field.
    #[must_use]
    pub fn map(&self, f: impl Fn(u64) -> u64) -> Self {
        Self {
            activation_bus: f(self.activation_bus),
            weight_bus: f(self.weight_bus),
            operand: f(self.operand),
            leaves: f(self.leaves),
            tree: self.tree.map(&f),
            accumulators: f(self.accumulators),
            scaler_operand: f(self.scaler_operand),
            scaler_scale: f(self.scaler_scale),
            scaler_partial_products: f(self.scaler_partial_products),
            scaler_product: f(self.scaler_product),
            scaler_y: f(self.scaler_y),
        }
    }
}
