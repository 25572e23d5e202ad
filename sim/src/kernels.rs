//! The same outputs, fast: every tensor of every layer equals the reference's bit for bit.
//!
//! A [`Prepared`] holds the weights of a [`Network`] packed for one instruction set and is shared by all
//! threads; a [`Scratch`] holds every buffer of one thread, so that a picture allocates nothing.
//!
//! ```text
//! let prepared = Prepared::new(&network, Backend::best())?;
//! let mut scratch = Scratch::new(&prepared);
//! let codes = prepared.run(&mut scratch, &pixels)?;    // one picture, u8 NHWC
//! ```
//!
//! Inside, all activations are biased codes in bytes (`pack.rs`), dot products run as register tiles over a
//! padded image (`dense.rs`, `depthwise.rs`), and one trait of vector primitives (`lanes.rs`) is all that the
//! instruction sets differ in.
#![expect(
    clippy::inline_always,
    reason = "primitives must be inlined into the function that enables their instruction set"
)]
#![expect(clippy::needless_range_loop, reason = "the index names a register of several arrays")]

use std::fmt;

use crate::Error;
use crate::network::{DotOutput, Layer, Network, Operator, Sign, TensorId};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dense;
mod depthwise;
mod image;
mod lanes;
mod pack;
mod portable;
mod scale;
mod vector_unit;
mod wide;

use lanes::{Isa, Lanes, SLACK};
use pack::{DotPlan, DotSite, Work};
use scale::Sink;
use vector_unit::{Add, AveragePool, VectorPlan, Zeros};

/// An instruction set that the kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Backend {
    /// AVX-512 with `vpdpbusd` (F, BW and VNNI).
    Avx512Vnni,
    /// AVX2.
    Avx2,
    /// Plain Rust.
    Portable,
}

impl Backend {
    const ALL: [Self; 3] = [Self::Avx512Vnni, Self::Avx2, Self::Portable];

    /// The backends that this machine can run, fastest first.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|backend| backend.is_available()).collect()
    }

    /// The fastest backend of this machine.
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|backend| backend.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512Vnni => false,
        }
    }

    fn isa(self) -> Isa {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => avx512::Avx512Vnni::ISA,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::ISA,
            _ => portable::Portable::ISA,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        })
    }
}

/// A network packed for one instruction set. Shared by all threads.
#[derive(Debug)]
pub struct Prepared {
    backend: Backend,
    /// `[channel][pixel value]`.
    tables: Vec<[u8; 256]>,
    steps: Vec<Step>,
    /// One per tensor, by id.
    slots: Vec<Slot>,
    /// Bytes of all tensors, and of the largest image.
    tensor_bytes: usize,
    image_bytes: usize,
}

/// One layer.
#[derive(Debug)]
struct Step {
    inputs: Vec<TensorId>,
    kernel: Kernel,
}

#[derive(Debug)]
enum Kernel {
    Dot(DotPlan),
    Vector(VectorPlan),
}

/// Where a tensor lies. Each is followed by slack; later tensors lie behind earlier ones.
#[derive(Debug, Clone, Copy)]
struct Slot {
    start: usize,
    elements: usize,
    /// What is added to a code to make it a byte.
    zero: u8,
    /// Whether it holds y, in a buffer of its own.
    raw: bool,
}

impl Slot {
    /// Its bytes.
    fn len(self) -> usize {
        if self.raw { 0 } else { self.elements }
    }
}

/// The buffers of one thread.
#[derive(Debug)]
pub struct Scratch {
    tensors: Vec<u8>,
    image: Vec<u8>,
    output: Vec<i64>,
}

impl Scratch {
    /// Buffers for this network on any thread.
    pub fn new(prepared: &Prepared) -> Self {
        let elements = prepared.slots.last().map_or(0, |slot| slot.elements);
        Self {
            tensors: vec![0; prepared.tensor_bytes],
            image: vec![0; prepared.image_bytes],
            output: vec![0; elements],
        }
    }
}

impl Prepared {
    /// Packs a network for a backend; refuses one that this machine does not have.
    pub fn new(network: &Network, backend: Backend) -> Result<Self, Error> {
        if !backend.is_available() {
            let names: Vec<_> = Backend::available().iter().map(Backend::to_string).collect();
            let limit = format!("one that this machine has ({})", names.join(", "));
            return Err(Error::limit("kernels", "the backend", limit, backend));
        }
        let slots = slots(network);
        let steps: Vec<_> = (0..network.layers.len())
            .map(|layer_idx| step(network, layer_idx, &slots, backend.isa()))
            .collect();
        let images = steps.iter().map(|step| match &step.kernel {
            Kernel::Dot(plan) => plan.image.bytes(),
            Kernel::Vector(_) => 0,
        });
        let zero = i16::from(slots[0].zero);
        let biased = |code: i16| u8::try_from(code + zero).expect("codes fit the tensor's bits");
        Ok(Self {
            backend,
            tables: network.input.tables.iter().map(|table| table.map(biased)).collect(),
            image_bytes: images.max().unwrap_or(0),
            steps,
            tensor_bytes: slots.last().map_or(0, |slot| slot.start + slot.len() + SLACK),
            slots,
        })
    }

    /// The backend that it was packed for.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The output tensor of one picture, `[row][column][channel]`; `pixels` are its u8 values, NHWC.
    pub fn run<'a>(&self, scratch: &'a mut Scratch, pixels: &[u8]) -> Result<&'a [i64], Error> {
        self.fill(scratch, pixels)?;
        let slot = self.slots.last().expect("a network has a tensor");
        if !slot.raw {
            let codes = &scratch.tensors[slot.start..slot.start + slot.len()];
            for (to, &code) in scratch.output.iter_mut().zip(codes) {
                *to = i64::from(code) - i64::from(slot.zero);
            }
        }
        Ok(&scratch.output)
    }

    /// Every tensor of one picture, by [`TensorId`]; 0 holds the codes of the input.
    pub fn tensors(&self, scratch: &mut Scratch, pixels: &[u8]) -> Result<Vec<Vec<i64>>, Error> {
        self.fill(scratch, pixels)?;
        let codes = |slot: &Slot| {
            let codes = &scratch.tensors[slot.start..slot.start + slot.len()];
            codes.iter().map(|&code| i64::from(code) - i64::from(slot.zero)).collect()
        };
        let tensor = |slot: &Slot| if slot.raw { scratch.output.clone() } else { codes(slot) };
        Ok(self.slots.iter().map(tensor).collect())
    }

    /// Computes all tensors into the scratch.
    fn fill(&self, scratch: &mut Scratch, pixels: &[u8]) -> Result<(), Error> {
        let input = self.slots[0];
        if pixels.len() != input.elements {
            let limit = format!("{} (one a pixel and channel)", input.elements);
            return Err(Error::limit("picture", "the number of values", limit, pixels.len()));
        }
        let sizes = (scratch.tensors.len(), scratch.image.len(), scratch.output.len());
        let elements = self.slots.last().map_or(0, |slot| slot.elements);
        if sizes != (self.tensor_bytes, self.image_bytes, elements) {
            return Err(Error::malformed("kernels", "the scratch was made for another network"));
        }
        let codes = scratch.tensors.chunks_exact_mut(self.tables.len());
        for (codes, pixel) in codes.zip(pixels.chunks_exact(self.tables.len())) {
            for ((code, &value), table) in codes.iter_mut().zip(pixel).zip(&self.tables) {
                *code = table[usize::from(value)];
            }
        }
        for (step, slot) in self.steps.iter().zip(&self.slots[1..]) {
            let (before, rest) = scratch.tensors.split_at_mut(slot.start);
            let out = &mut rest[..slot.len()];
            let input = |id: TensorId| {
                let slot = self.slots[id.0];
                &before[slot.start..slot.start + slot.len() + SLACK]
            };
            match &step.kernel {
                Kernel::Dot(plan) => {
                    let image = plan.image.of(input(step.inputs[0]), &mut scratch.image);
                    let mut sink =
                        if slot.raw { Sink::Raw(&mut scratch.output) } else { Sink::Codes(out) };
                    self.dot(&plan.work, image, &mut sink);
                }
                Kernel::Vector(plan) => match step.inputs[..] {
                    [only] => plan.run(&[input(only)], out),
                    [a, b] => plan.run(&[input(a), input(b)], out),
                    _ => {
                        plan.run(&step.inputs.iter().map(|&id| input(id)).collect::<Vec<_>>(), out);
                    }
                },
            }
        }
        Ok(())
    }

    fn dot(&self, work: &Work, image: &[u8], sink: &mut Sink<'_>) {
        match (work, self.backend) {
            (Work::Wide(layer), _) => wide::run(layer, image, sink),
            #[cfg(target_arch = "x86_64")]
            (Work::Dense(layer, scale), Backend::Avx2) => avx2::dense(layer, scale, image, sink),
            #[cfg(target_arch = "x86_64")]
            (Work::Depthwise(layer, scale), Backend::Avx2) => {
                avx2::depthwise(layer, scale, image, sink);
            }
            #[cfg(target_arch = "x86_64")]
            (Work::Dense(layer, scale), Backend::Avx512Vnni) => {
                avx512::dense(layer, scale, image, sink);
            }
            #[cfg(target_arch = "x86_64")]
            (Work::Depthwise(layer, scale), Backend::Avx512Vnni) => {
                avx512::depthwise(layer, scale, image, sink);
            }
            (Work::Dense(layer, scale), _) => portable::dense(layer, scale, image, sink),
            (Work::Depthwise(layer, scale), _) => portable::depthwise(layer, scale, image, sink),
        }
    }
}

/// Lays the tensors one behind the other.
fn slots(network: &Network) -> Vec<Slot> {
    let mut start = 0;
    (0..=network.layers.len())
        .map(|id| {
            let tensor = network.tensor(TensorId(id));
            let dot = id.checked_sub(1).and_then(|layer_idx| network.layers[layer_idx].dot());
            let raw = dot.is_some_and(|dot| matches!(dot.output, DotOutput::Raw));
            let zero = match tensor.sign {
                Sign::Signed if !raw => 1 << (tensor.bits - 1),
                Sign::Signed | Sign::Unsigned => 0,
            };
            let slot = Slot { start, elements: tensor.shape.elements(), zero, raw };
            start += slot.len() + SLACK;
            slot
        })
        .collect()
}

fn step(network: &Network, layer_idx: usize, slots: &[Slot], isa: Isa) -> Step {
    let layer = &network.layers[layer_idx];
    let output_zero = slots[layer_idx + 1].zero;
    let kernel = match &layer.operator {
        Operator::Dot(dot) => {
            let site = DotSite {
                dot,
                input: network.input_of(layer).shape,
                output: layer.output.shape,
                input_zero: slots[layer.inputs[0].0].zero,
                output_zero,
                range: network.range(layer.inputs[0]),
                widths: network.widths(layer_idx).expect("a dot-product layer has widths"),
            };
            Kernel::Dot(site.plan(isa))
        }
        Operator::Add { .. }
        | Operator::Rescale { .. }
        | Operator::AveragePool { .. }
        | Operator::MaxPool { .. }
        | Operator::Split { .. }
        | Operator::Concat
        | Operator::Shuffle { .. }
        | Operator::Subsample { .. }
        | Operator::ChannelPad { .. } => Kernel::Vector(vector(network, layer, slots, output_zero)),
    };
    Step { inputs: layer.inputs.clone(), kernel }
}

fn vector(network: &Network, layer: &Layer, slots: &[Slot], output_zero: u8) -> VectorPlan {
    let input = network.input_of(layer).shape;
    let output = layer.output.shape;
    let channels = input.channels;
    let zero_of = |i: usize| i64::from(slots[layer.inputs[i].0].zero);
    let zeros = || Zeros { input: zero_of(0), output: output_zero.into() };
    match layer.operator {
        Operator::Dot(_) => unreachable!("dot products are packed elsewhere"),
        Operator::Add { multipliers, requantize } => VectorPlan::Add(Add::new(
            multipliers,
            requantize,
            [zero_of(0), zero_of(1)],
            output_zero.into(),
        )),
        Operator::Rescale { multiplier, requantize } => {
            VectorPlan::Rescale(vector_unit::rescale(multiplier, requantize, zeros()))
        }
        Operator::AveragePool { window, multiplier, requantize } => {
            let zeros = zeros();
            VectorPlan::AveragePool(AveragePool {
                input,
                output,
                window,
                multiplier,
                requantize,
                zeros,
            })
        }
        Operator::MaxPool { window, pads } => VectorPlan::MaxPool { input, output, window, pads },
        Operator::Split { first, channels: count } => VectorPlan::Split { channels, first, count },
        Operator::Concat => VectorPlan::Concat(
            layer.inputs.iter().map(|&id| network.tensor(id).shape.channels).collect(),
        ),
        Operator::Shuffle { groups } => VectorPlan::Shuffle { channels, groups },
        Operator::Subsample { stride_height, stride_width } => {
            VectorPlan::Subsample { input, stride_height, stride_width }
        }
        Operator::ChannelPad { before, after } => {
            VectorPlan::ChannelPad { before, channels, after, zero: output_zero }
        }
    }
}

#[cfg(test)]
mod tests;
