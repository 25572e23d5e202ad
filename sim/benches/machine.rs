//! Speed of the machine's models: engine-steps a second of the stepped one, a whole network of the fast one.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tridot_sim::arch::Architecture;
use tridot_sim::fast::{self, Sampling};
use tridot_sim::kernels::{Backend, Prepared, Scratch};
use tridot_sim::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};
use tridot_sim::stepped::{self, Job, ToggleCounting};

/// ResNet-20 on 32×32 pictures, two branches; the first and the last layer of 8-bit integers.
struct Builder {
    layers: Vec<Layer>,
    shape: Shape,
    id: TensorId,
}

impl Builder {
    fn push(&mut self, inputs: Vec<TensorId>, operator: Operator, shape: Shape) {
        let output = tensor(shape);
        let name = format!("layer{}", self.layers.len());
        self.layers.push(Layer { name, inputs, operator, output });
        self.shape = shape;
        self.id = TensorId(self.layers.len());
    }

    fn dot(&mut self, geometry: Geometry, shape: Shape, fixed: bool) {
        let count = shape.channels * geometry.fan_in(self.shape);
        let weights = if fixed {
            let value = |i: usize| i16::try_from(i * 37 % 255).unwrap_or(0) - 127;
            Weights::Fixed { bits: 8, values: (0..count).map(value).collect() }
        } else {
            let code = |i: usize| u8::try_from((i * 31 + i / 7) % 9).unwrap_or(0);
            Weights::Dbq { branches: 2, codes: (0..count).map(code).collect() }
        };
        let dot = Dot {
            geometry,
            multipliers: vec![77; shape.channels * weights.multipliers_per_channel()],
            weights,
            bias: vec![1000; shape.channels],
            output: DotOutput::Requantize(requantize()),
        };
        self.push(vec![self.id], Operator::Dot(dot), shape);
    }

    fn convolution(&mut self, channels: usize, stride: usize, fixed: bool) {
        let geometry =
            Geometry::Convolution { window: Window::square(3, stride), pads: Pads::all(1) };
        let shape = Shape::new(self.shape.height / stride, self.shape.width / stride, channels);
        self.dot(geometry, shape, fixed);
    }

    fn block(&mut self, channels: usize, stride: usize) {
        let (input, shape) = (self.id, self.shape);
        self.convolution(channels, stride, false);
        self.convolution(channels, 1, false);
        let (result, after) = (self.id, self.shape);
        let mut shortcut = input;
        if stride != 1 {
            let subsample = Operator::Subsample { stride_height: stride, stride_width: stride };
            self.push(vec![input], subsample, Shape { channels: shape.channels, ..after });
            let pad = (channels - shape.channels) / 2;
            self.push(vec![self.id], Operator::ChannelPad { before: pad, after: pad }, after);
            shortcut = self.id;
        }
        let add = Operator::Add { multipliers: [64, 64], requantize: requantize() };
        self.push(vec![result, shortcut], add, after);
    }
}

fn tensor(shape: Shape) -> TensorType {
    TensorType { shape, bits: 8, sign: Sign::Unsigned, scale: 1.0 }
}

fn requantize() -> Requantize {
    Requantize { shift: 7, low: 0, high: 255 }
}

fn resnet20() -> Network {
    let shape = Shape::new(32, 32, 3);
    let mut builder = Builder { layers: Vec::new(), shape, id: TensorId::INPUT };
    builder.convolution(16, 1, true);
    for (channels, stride) in [(16, 1), (32, 2), (64, 2)] {
        builder.block(channels, stride);
        builder.block(channels, 1);
        builder.block(channels, 1);
    }
    let pool = Operator::AveragePool {
        window: Window::square(8, 1),
        multiplier: 2,
        requantize: requantize(),
    };
    builder.push(vec![builder.id], pool, Shape::new(1, 1, 64));
    builder.dot(Geometry::Linear, Shape::new(1, 1, 10), true);
    let table = std::array::from_fn(|pixel| i16::try_from(pixel).unwrap_or(0));
    Network::new(Description {
        name: "resnet20".to_owned(),
        digits: Digits::Csd,
        scale_bits: 16,
        input: Input { tensor: tensor(shape), tables: vec![table; 3] },
        layers: builder.layers,
        provenance: Provenance::default(),
    })
    .expect("a valid network")
}

fn fast_network(c: &mut Criterion) {
    let network = resnet20();
    for name in ["edge", "wide"] {
        let arch = Architecture::preset(name).expect("a preset");
        c.bench_function(&format!("fast/resnet20/{name}"), |b| {
            b.iter(|| fast::network(black_box(&network), &arch, 1).map(|o| o.total().cycles));
        });
    }
}

/// The codes that each layer of the network reads, for one picture.
fn inputs(network: &Network) -> Vec<Vec<i64>> {
    let prepared = Prepared::new(network, Backend::best()).expect("this machine has it");
    let elements = network.input.tensor.shape.elements();
    let pixels: Vec<u8> = (0..elements).map(|i| u8::try_from(i * i % 251).unwrap_or(0)).collect();
    let mut scratch = Scratch::new(&prepared);
    let tensors = prepared.tensors(&mut scratch, &pixels).expect("a picture of its size");
    network.layers.iter().map(|layer| tensors[layer.inputs[0].0].clone()).collect()
}

fn fast_network_with_toggles(c: &mut Criterion) {
    let network = resnet20();
    let inputs = inputs(&network);
    let inputs: Vec<&[i64]> = inputs.iter().map(Vec::as_slice).collect();
    let mut group = c.benchmark_group("fast toggles");
    group.sample_size(10);
    for name in Architecture::preset_names() {
        let arch = Architecture::preset(name).expect("a preset");
        let run = |sampling| {
            fast::network_with_toggles(black_box(&network), &arch, 1, &inputs, sampling)
                .map(|o| o.total().cycles)
        };
        group.bench_function(format!("resnet20/{name}"), |b| b.iter(|| run(Sampling::All)));
    }
    let edge = Architecture::preset("edge").expect("a preset");
    group.bench_function("resnet20/edge, one tile of 16", |b| {
        b.iter(|| fast::network_with_toggles(&network, &edge, 1, &inputs, Sampling::OneOf(16)));
    });
}

/// The last convolution of the last stage: 64 channels, 8×8 pixels, K = 576.
fn stepped_layer(c: &mut Criterion) {
    let network = resnet20();
    let is_last = |layer: &Layer| matches!(layer.operator, Operator::Dot(_));
    let layer_idx = network.layers.len()
        - 1
        - network.layers.iter().rev().skip(1).position(is_last).expect("a convolution")
        - 1;
    let input = network.input_of(&network.layers[layer_idx]).shape.elements();
    let codes: Vec<i64> = (0..input).map(|i| i64::try_from(i % 97).unwrap_or(0)).collect();
    for name in ["edge", "wide", "tiny"] {
        let arch = Architecture::preset(name).expect("a preset");
        let run = || stepped::run_layer(&network, layer_idx, &arch, 1, &codes).expect("it runs");
        let counts = run().counts;
        let mut group = c.benchmark_group("stepped");
        // Engine-steps: every engine, busy or idle, in every step.
        group.throughput(Throughput::Elements(counts.busy_engine_steps + counts.idle_engine_steps));
        group.sample_size(10);
        group.bench_function(format!("convolution/{name}"), |b| b.iter(run));
        let job = Job::new(&network, layer_idx, &arch, 1, &codes).expect("it fits");
        let job = job.counting(ToggleCounting::On);
        group.bench_function(format!("convolution/{name}, toggles"), |b| b.iter(|| job.run()));
    }
}

criterion_group!(benches, fast_network, fast_network_with_toggles, stepped_layer);
criterion_main!(benches);
