//! How large the memories are that a network needs: `ideal` buffers have no size of their own.

use super::curve::Grid;
use crate::network::{Network, TensorId, TensorType};

/// Bits that a network's memories must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// The most bits of tensors alive at once, of all images of a batch.
    pub activation_bits: u64,
    /// All trits of all planes, 2 bits each.
    pub weight_bits: u64,
}

impl Storage {
    /// What a network needs for a batch of images. A tensor lives from the layer that makes it to the
    /// last that reads it; the network's output to the end.
    pub fn of(network: &Network, images: usize) -> Self {
        let mut last_reader = vec![0; network.layers.len() + 1];
        for (layer_idx, layer) in network.layers.iter().enumerate() {
            for input in &layer.inputs {
                last_reader[input.0] = layer_idx;
            }
        }
        last_reader[network.output_id().0] = network.layers.len();
        let bits = |id: TensorId| tensor_bits(network.tensor(id));
        let mut alive = bits(TensorId::INPUT);
        let mut most = alive;
        for (layer_idx, layer) in network.layers.iter().enumerate() {
            alive += bits(TensorId::of_layer(layer_idx));
            most = most.max(alive);
            let mut inputs = layer.inputs.clone();
            inputs.sort_unstable();
            inputs.dedup();
            let dead = inputs.into_iter().filter(|input| last_reader[input.0] == layer_idx);
            alive -= dead.map(bits).sum::<u64>();
        }
        let trits = |layer: &crate::network::Layer| {
            layer.dot().map_or(0, |dot| {
                dot.weights.len() as u64 * u64::from(dot.weights.planes(network.digits))
            })
        };
        Self {
            activation_bits: most * images as u64,
            weight_bits: 2 * network.layers.iter().map(trits).sum::<u64>(),
        }
    }
}

fn tensor_bits(tensor: &TensorType) -> u64 {
    tensor.shape.elements() as u64 * u64::from(tensor.bits)
}

/// A memory as it is priced: equal banks, one of which an access wakes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// What it must hold, in KiB.
    pub needed_kib: f64,
    /// Banks.
    pub banks: u64,
    /// Capacity of each.
    pub bank_kib: f64,
    /// Width of an access.
    pub word_bits: f64,
}

impl Memory {
    /// The smallest memory for so many bits whose banks and words a table has rows around: at least
    /// its smallest capacity, and as many banks as keep below its largest.
    pub(super) fn new(rows: &Grid, needed_bits: u64, port_bits: usize) -> Self {
        let needed_kib = needed_bits as f64 / 8192.0;
        let (smallest, largest) = rows.capacities_kib();
        let (narrowest, widest) = rows.widths_bits();
        let banks = (needed_kib / largest).ceil().max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number, limited with the bits of a network"
        )]
        let n_banks = banks as u64;
        Self {
            needed_kib,
            banks: n_banks,
            bank_kib: (needed_kib / banks).clamp(smallest, largest),
            word_bits: (port_bits as f64).clamp(narrowest, widest),
        }
    }
}
