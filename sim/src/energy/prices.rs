//! A table × an architecture × the sizes of its memories → the price of every event.

use super::Breakdown;
use super::area::Area;
use super::rows::Net;
use super::storage::{Memory, Storage};
use super::table::EnergyTable;
use crate::Error;
use crate::arch::Architecture;
use crate::counts::{Counts, MAX_TREE_LEVELS, ToggleCounts};
use crate::limits::{MAX_ACTIVATION_BITS, MAX_Y_BITS};
use crate::units::Picojoules;

/// Bits of a trit in the weight memory.
const TRIT_BITS: f64 = 2.0;
/// Nets of the scalers' multipliers; with any of them in a table a multiplication has no price of its own.
pub(crate) const MULTIPLIER_NETS: [Net; 4] =
    [Net::ScalerOperand, Net::ScalerScale, Net::ScalerPartialProducts, Net::ScalerProduct];
/// The most that a part of a layer, and all layers, may cost: what [`Picojoules`] can add up.
pub(super) const MAX_PICOJOULES: f64 = 1.6e13;

/// What each event costs, in pJ.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// Where codes are, and how large.
    pub activation_memory: Memory,
    /// Where trits are, and how large.
    pub weight_memory: Memory,
    /// Bits of a slice of a code.
    slice_bits: f64,
    /// Read of a bit of the activation memory.
    activation_read_bit: f64,
    /// Write of a bit of the activation memory.
    activation_write_bit: f64,
    /// Read of a bit of the weight memory.
    weight_read_bit: f64,
    /// Toggled bit of each net.
    /// The buses with what each bit reaches.
    activation_bus: f64,
    weight_bus: f64,
    operand: f64,
    leaves: f64,
    /// By level.
    tree: [f64; MAX_TREE_LEVELS],
    accumulators: f64,
    scaler_operand: f64,
    scaler_scale: f64,
    scaler_partial_products: f64,
    scaler_product: f64,
    scaler_y: f64,
    /// Multiplication of the scaler, where its nets have no rows of their own.
    scaler_multiply: f64,
    /// Multiplication and addition of the vector unit.
    vector_multiply: f64,
    vector_add: f64,
    /// A flip-flop and edge.
    clock: f64,
    /// All load enables at a hand-over to an empty bank, and to one that gives its last values.
    handover: (f64, f64),
    /// Flip-flops that are not counted: a cycle of dot products.
    control: f64,
    /// A cycle.
    leakage: f64,
}

/// What a layer did, as far as it is priced.
#[derive(Debug, Clone, Copy)]
pub struct Priced<'a> {
    /// Events.
    pub counts: &'a Counts,
    /// Toggles; a layer that makes steps cannot be priced without.
    pub toggles: Option<&'a ToggleCounts>,
    /// Bits of a code that the vector unit reads.
    pub input_bits: f64,
    /// Bits of a code that is written.
    pub output_bits: u32,
}

impl Prices {
    /// Refuses a clock beyond the table's slowest path.
    pub fn new(table: &EnergyTable, arch: &Architecture, storage: Storage) -> Result<Self, Error> {
        table.check_clock(arch)?;
        let slice_bits = arch.activation_bits_per_step;
        let (reads, writes) = (&table.memory_read, &table.memory_write);
        // Each row reads codes of its own pixel; all columns and branches read the same chunk together.
        let code_bits = arch.lanes * slice_bits as usize;
        let trit_bits = 2 * arch.lanes * arch.branches * arch.columns;
        let activation_memory = Memory::new(reads, storage.activation_bits, code_bits);
        let weight_memory = Memory::new(reads, storage.weight_bits, trit_bits);
        let bit = |rows: &super::curve::Grid, what: &str, memory: &Memory| {
            let place = format!("energy table `{}`, {what}", table.name);
            let access = rows.at(&place, memory.bank_kib, memory.word_bits)?;
            Ok::<f64, Error>(access / memory.word_bits)
        };
        let net = |net: Net, otherwise: f64| table.toggle(net).unwrap_or(otherwise);
        let level = |level: usize, bits: u32| {
            if level <= arch.tree_levels() { net(Net::Tree, table.adder_bit(bits)) } else { 0.0 }
        };
        let mut tree = [0.0; MAX_TREE_LEVELS];
        for ((i, price), bits) in (1..).zip(&mut tree).zip(slice_bits + 2..) {
            *price = level(i, bits);
        }
        let fan_out = |fan_out: Net, engines: usize| net(fan_out, 0.0) * engines as f64;
        let select = if arch.rows == 1 { (0.0, 0.0) } else { table.select };
        let measured = MULTIPLIER_NETS.map(|net| table.toggle(net));
        let multiply = table.multiplication(arch.accumulator_bits, arch.scale_bits);
        // 1 nW over 1 µs is 10⁻³ pJ.
        let cycle_us = 1.0 / arch.clock.0;
        let leakage = table.leakage.unwrap_or(0.0) * Area::of(table, arch).total().0;
        Ok(Self {
            activation_read_bit: bit(reads, "memory_read", &activation_memory)?,
            activation_write_bit: bit(writes, "memory_write", &activation_memory)?,
            weight_read_bit: bit(reads, "memory_read", &weight_memory)?,
            activation_memory,
            weight_memory,
            slice_bits: f64::from(slice_bits),
            activation_bus: net(Net::ActivationBus, 0.0)
                + fan_out(Net::ActivationFanOut, arch.columns),
            weight_bus: net(Net::WeightBus, 0.0) + fan_out(Net::WeightFanOut, arch.rows),
            operand: net(Net::Operand, 0.0),
            leaves: net(Net::Leaves, table.adder_bit(slice_bits + 1)),
            tree,
            accumulators: net(Net::Accumulators, table.adder_bit(arch.accumulator_bits)),
            scaler_operand: measured[0].unwrap_or(0.0) + select.0,
            scaler_scale: measured[1].unwrap_or(0.0),
            scaler_partial_products: measured[2].unwrap_or(0.0),
            scaler_product: measured[3].unwrap_or(0.0),
            scaler_y: net(Net::ScalerY, table.adder_bit(MAX_Y_BITS)) + select.1,
            scaler_multiply: if measured == [None; MULTIPLIER_NETS.len()] { multiply } else { 0.0 },
            vector_multiply: table.multiplication(MAX_ACTIVATION_BITS, arch.scale_bits),
            vector_add: table.add.at(f64::from(MAX_Y_BITS)),
            clock: table.clock.unwrap_or(0.0),
            handover: table.handovers_of(arch),
            control: table.control.0 + table.control.1 * arch.columns as f64,
            leakage: leakage * cycle_us * 1e-3,
        })
    }

    /// The energy of a layer by part; `place` names it where it cannot be priced.
    pub fn layer(&self, place: &str, layer: &Priced<'_>) -> Result<Breakdown, Error> {
        let counts = layer.counts;
        let part = |picojoules: f64| {
            if picojoules <= MAX_PICOJOULES {
                return Ok(Picojoules::new(picojoules));
            }
            let limit = format!("at most {MAX_PICOJOULES}");
            Err(Error::limit(place, "the energy in pJ", limit, picojoules))
        };
        let n = |count: u64| count as f64;
        let read_bits = layer.input_bits * n(counts.vector_reads);
        let written =
            |codes: u64| n(codes) * f64::from(layer.output_bits) * self.activation_write_bit;
        let vector = n(counts.vector_multiplies) * self.vector_multiply
            + n(counts.vector_adds) * self.vector_add
            + read_bits * self.activation_read_bit
            + written(counts.vector_writes);
        let mut breakdown = Breakdown {
            activation_reads: part(
                n(counts.activation_reads) * self.slice_bits * self.activation_read_bit,
            )?,
            weight_reads: part(n(counts.weight_reads) * TRIT_BITS * self.weight_read_bit)?,
            output_writes: part(written(counts.output_writes))?,
            vector: part(vector)?,
            clock: part(
                n(counts.flip_flop_cycles.total()) * self.clock
                    + n(counts.handovers().0) * self.handover.0
                    + n(counts.handovers().1) * self.handover.1
                    + n(counts.cycles.0 - counts.vector_cycles.0) * self.control,
            )?,
            leakage: part(n(counts.cycles.0) * self.leakage)?,
            ..Breakdown::default()
        };
        if counts.steps == 0 {
            return Ok(breakdown);
        }
        let Some(toggles) = layer.toggles.filter(|toggles| toggles.tiles_counted != 0) else {
            let reason = "its logic cannot be priced without toggles";
            return Err(Error::malformed(place, reason));
        };
        // Toggles of a sample of tiles stand for those of all.
        let scale = n(toggles.tiles) / n(toggles.tiles_counted);
        let nets = &toggles.counted;
        let priced = |toggles: u64, price: f64| n(toggles) * scale * price;
        let tree =
            nets.tree.iter().zip(&self.tree).map(|(&toggles, &price)| priced(toggles, price));
        breakdown.activation_bus = part(priced(nets.activation_bus, self.activation_bus))?;
        breakdown.weight_bus = part(priced(nets.weight_bus, self.weight_bus))?;
        breakdown.leaves =
            part(priced(nets.operand, self.operand) + priced(nets.leaves, self.leaves))?;
        breakdown.tree = part(tree.sum())?;
        breakdown.accumulators = part(priced(nets.accumulators, self.accumulators))?;
        breakdown.scaler = part(
            n(counts.scaler_operations) * self.scaler_multiply
                + priced(nets.scaler_operand, self.scaler_operand)
                + priced(nets.scaler_scale, self.scaler_scale)
                + priced(nets.scaler_partial_products, self.scaler_partial_products)
                + priced(nets.scaler_product, self.scaler_product)
                + priced(nets.scaler_y, self.scaler_y),
        )?;
        Ok(breakdown)
    }
}
