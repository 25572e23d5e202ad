//! The scalers' multipliers and adders: what reaches them, take by take.

use crate::arch::{Architecture, ClockGating};
use crate::counts::Toggles;
use crate::limits::MAX_Y_BITS;
use crate::mapping::Mapping;
use crate::network::{Dot, Weights};

use super::terms::differing;
use super::wires::reversed;

/// Inputs and outputs of all columns' multipliers and adders.
pub(super) struct Scaler {
    /// Multiplier k of column q at `q·multipliers + k`.
    operands: Vec<i64>,
    scales: Vec<i64>,
    products: Vec<i64>,
    /// Adder i of column q at `q·multipliers + i`.
    sums: Vec<i64>,
    /// Partial y of the tile: output i of column q at `q·outputs + i`.
    partial: Vec<i64>,
}

/// A complete round of a tile.
#[derive(Clone, Copy)]
pub(super) struct Round {
    pub(super) column_tile: usize,
    pub(super) row_tile: usize,
    pub(super) pass: usize,
}

impl Scaler {
    pub(super) fn reset(map: &Mapping, arch: &Architecture) -> Self {
        let multipliers = vec![0; arch.columns * arch.multipliers];
        Self {
            operands: multipliers.clone(),
            scales: multipliers.clone(),
            products: multipliers.clone(),
            sums: multipliers,
            partial: vec![0; arch.engines() * map.segments],
        }
    }

    /// Takes all values of a round; `rows` are the accumulators of the rows.
    pub(super) fn take<'r>(
        &mut self,
        (map, arch, dot): (&Mapping, &Architecture, &Dot),
        round: Round,
        rows: impl Fn(usize) -> &'r [i64],
        toggles: &mut Toggles,
    ) {
        let active = map.active_columns(round.column_tile);
        let segments = map.active_segments(round.column_tile);
        let outputs = map.active_rows(round.row_tile) * segments;
        let planes = map.planes(round.pass);
        let merged = map.work().merged;
        let values = if merged { 1 } else { planes.len() };
        let at_once = (arch.multipliers / values).max(1);
        let columns = match arch.clock_gating {
            ClockGating::None => arch.columns,
            ClockGating::Idle => active,
        };
        let segment_bits = map.segments.ilog2();
        let trees = arch.columns * arch.branches;
        for (column, output) in (0..columns).flat_map(|q| (0..outputs).map(move |i| (q, i))) {
            let (row, segment) = (output / segments, output % segments);
            let first = reversed(segment, segment_bits) * trees + column * arch.branches;
            let accumulators = &rows(row)[first..first + values];
            // A column without a channel multiplies its zeros with nothing.
            let channel =
                (column < active).then(|| map.channel(round.column_tile, column, segment));
            let bias = channel.map_or(0, |channel| dot.bias[channel]);
            let multipliers = match (&dot.weights, channel) {
                (_, None) => &[][..],
                (Weights::Fixed { .. }, Some(channel)) => &dot.multipliers[channel..=channel],
                (Weights::Dbq { branches, .. }, Some(channel)) => {
                    &dot.multipliers[channel * *branches as usize + planes.start..]
                }
            };
            let place = column * outputs + output;
            let mut y = if round.pass == 0 || merged { bias } else { self.partial[place] };
            let slot = output % at_once;
            for (value, &accumulator) in accumulators.iter().enumerate() {
                let scale = multipliers.get(value).map_or(0, |&m| m.into());
                // Whole outputs lie side by side; the values of one that takes several cycles follow each other.
                let multiplier = (slot * values + value) % arch.multipliers;
                let at = column * arch.multipliers + multiplier;
                y = wrapped(y.wrapping_add(self.multiply(at, (accumulator, scale), arch, toggles)));
                if multiplier + 1 == arch.multipliers || value + 1 == values {
                    let at = column * arch.multipliers + slot;
                    toggles.scaler_y += replace(&mut self.sums[at], y, MAX_Y_BITS);
                }
                // The take's last value: the other multipliers get 0.
                if value + 1 == values && (slot + 1 == at_once || output + 1 == outputs) {
                    for at in at + 1..(column + 1) * arch.multipliers {
                        self.multiply(at, (0, self.scales[at]), arch, toggles);
                    }
                }
            }
            self.partial[place] = y;
        }
    }

    /// Gives an operand and m to a multiplier; its product.
    fn multiply(
        &mut self,
        at: usize,
        (operand, scale): (i64, i64),
        arch: &Architecture,
        toggles: &mut Toggles,
    ) -> i64 {
        let (operand_bits, scale_bits) = (arch.accumulator_bits, arch.scale_bits);
        let product = operand.wrapping_mul(scale);
        let before = (self.operands[at], self.scales[at]);
        toggles.scaler_partial_products +=
            partial_products(before, (operand, scale), (operand_bits, scale_bits));
        toggles.scaler_operand += replace(&mut self.operands[at], operand, operand_bits);
        toggles.scaler_scale += replace(&mut self.scales[at], scale, scale_bits);
        toggles.scaler_product +=
            replace(&mut self.products[at], product, operand_bits + scale_bits);
        product
    }
}

/// Bits that change in the rows of a multiplier, one for each bit of m: the operand, or nothing.
fn partial_products(
    before: (i64, i64),
    after: (i64, i64),
    (operand_bits, scale_bits): (u32, u32),
) -> u64 {
    // A row shifted to bit i has i bits less of the operand, whose copies of the sign end at the product's width.
    let rows = |scale: i64, operand: i64| {
        let operand = i128::from(operand).cast_unsigned();
        let mut rest = scale.cast_unsigned() & (u64::MAX >> (u64::BITS - scale_bits));
        let mut bits = 0;
        while rest != 0 {
            let width = operand_bits + scale_bits - rest.trailing_zeros();
            bits += u64::from((operand & (u128::MAX >> (u128::BITS - width))).count_ones());
            rest &= rest - 1;
        }
        bits
    };
    let (both, either) = (before.1 & after.1, before.1 ^ after.1);
    rows(both, before.0 ^ after.0)
        + rows(either & before.1, before.0)
        + rows(either & after.1, after.0)
}

/// Bits that change at this width.
fn replace(held: &mut i64, new: i64, bits: u32) -> u64 {
    let toggles = differing(*held, new, bits);
    *held = new;
    toggles
}

/// 48 bits of a partial y.
fn wrapped(y: i64) -> i64 {
    let unused = i64::BITS - MAX_Y_BITS;
    y << unused >> unused
}
