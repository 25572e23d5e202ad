//! What every other layer asks of the vector unit. TIMING.md, section 7.

use crate::network::{Network, Operator, Pads, Shape, Window};

/// Elements to process and codes to move, of a whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VectorWork {
    /// Slots of a lane and cycle.
    pub elements: u64,
    /// Multiplications.
    pub multiplies: u64,
    /// Additions and comparisons.
    pub adds: u64,
    /// Codes read.
    pub reads: u64,
    /// Codes written.
    pub writes: u64,
}

impl VectorWork {
    /// The work of a layer on the vector unit; none for a dot-product layer.
    pub fn of(network: &Network, layer_idx: usize, images: usize) -> Option<Self> {
        let layer = &network.layers[layer_idx];
        let input = network.input_of(layer).shape;
        let output = layer.output.shape;
        let outputs = output.elements() as u64;
        let (elements, reads) = match &layer.operator {
            Operator::Dot(_) => return None,
            Operator::Add { .. } => (outputs, 2 * outputs),
            Operator::Rescale { .. }
            | Operator::Split { .. }
            | Operator::Concat
            | Operator::Shuffle { .. }
            | Operator::Subsample { .. } => (outputs, outputs),
            Operator::ChannelPad { .. } => (outputs, input.elements() as u64),
            Operator::AveragePool { window, .. } => pool(input, output, *window, Pads::default()),
            Operator::MaxPool { window, pads } => pool(input, output, *window, *pads),
        };
        let (multiplies, adds) = match &layer.operator {
            Operator::Add { .. } => (2 * outputs, outputs),
            Operator::Rescale { .. } => (outputs, 0),
            // Each tap but the first of an output is added or compared.
            Operator::AveragePool { .. } => (outputs, elements - outputs),
            Operator::MaxPool { .. } => (0, elements - outputs),
            Operator::Dot(_)
            | Operator::Split { .. }
            | Operator::Concat
            | Operator::Shuffle { .. }
            | Operator::Subsample { .. }
            | Operator::ChannelPad { .. } => (0, 0),
        };
        let images = images as u64;
        Some(Self {
            elements: elements * images,
            multiplies: multiplies * images,
            adds: adds * images,
            reads: reads * images,
            writes: outputs * images,
        })
    }
}

/// Elements and reads of a pool: every tap takes a slot, those inside the picture a read.
fn pool(input: Shape, output: Shape, window: Window, pads: Pads) -> (u64, u64) {
    let elements = (output.elements() * window.taps()) as u64;
    let inside = |outputs, kernel, stride, pad, size| {
        let taps = |at: usize| {
            (at * stride..at * stride + kernel).filter(|&i| pad <= i && i < pad + size).count()
        };
        (0..outputs).map(|at| taps(at) as u64).sum::<u64>()
    };
    let rows =
        inside(output.height, window.kernel_height, window.stride_height, pads.top, input.height);
    let columns =
        inside(output.width, window.kernel_width, window.stride_width, pads.left, input.width);
    (elements, rows * columns * input.channels as u64)
}
