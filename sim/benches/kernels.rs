//! Speed of the fast kernels, in multiply-accumulates of planes a second, per backend.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tridot_sim::kernels::{Backend, Prepared, Scratch};
use tridot_sim::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};

/// How the weights of a layer are given.
#[derive(Clone, Copy)]
enum Scheme {
    Dbq(u32),
    Fixed(u32),
}

/// A network under construction; weights follow no pattern that a kernel could use.
struct Builder {
    layers: Vec<Layer>,
    input: TensorType,
    seed: u64,
    macs: u64,
}

impl Builder {
    fn new(input: Shape) -> Self {
        Self { layers: Vec::new(), input: codes(input), seed: 1, macs: 0 }
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn shape(&self, id: TensorId) -> Shape {
        id.layer().map_or(self.input.shape, |idx| self.layers[idx].output.shape)
    }

    fn push(&mut self, inputs: Vec<TensorId>, operator: Operator, output: TensorType) -> TensorId {
        let name = format!("layer {}", self.layers.len());
        self.layers.push(Layer { name, inputs, operator, output });
        TensorId(self.layers.len())
    }

    fn dot(
        &mut self,
        from: TensorId,
        geometry: Geometry,
        to: Shape,
        scheme: Scheme,
        raw: bool,
    ) -> TensorId {
        let fan_in = geometry.fan_in(self.shape(from));
        let count = to.channels * fan_in;
        let weights = match scheme {
            Scheme::Dbq(branches) => Weights::Dbq {
                branches,
                codes: (0..count)
                    .map(|_| u8::try_from(self.roll(3_u64.pow(branches))).expect("a code"))
                    .collect(),
            },
            Scheme::Fixed(bits) => {
                let most = (1_i16 << (bits - 1)) - 1;
                let span = 2 * u64::try_from(most).expect("positive") + 1;
                let values = (0..count)
                    .map(|_| i16::try_from(self.roll(span)).expect("small") - most)
                    .collect();
                Weights::Fixed { bits, values }
            }
        };
        let per_channel = weights.multipliers_per_channel();
        self.macs += geometry.macs(self.shape(from), to) * per_channel as u64;
        let (output, end) = if raw {
            let wide = TensorType { bits: 48, sign: Sign::Signed, ..codes(to) };
            (wide, DotOutput::Raw)
        } else {
            (codes(to), DotOutput::Requantize(END))
        };
        let dot = Dot {
            geometry,
            weights,
            multipliers: vec![20_000; to.channels * per_channel],
            bias: vec![1 << 24; to.channels],
            output: end,
        };
        self.push(vec![from], Operator::Dot(dot), output)
    }

    fn convolution(
        &mut self,
        from: TensorId,
        window: Window,
        channels: usize,
        scheme: Scheme,
    ) -> TensorId {
        let pads = Pads::all(window.kernel_height / 2);
        let input = self.shape(from);
        let side = |size: usize| size.div_ceil(window.stride_height);
        let to = Shape::new(side(input.height), side(input.width), channels);
        self.dot(from, Geometry::Convolution { window, pads }, to, scheme, false)
    }

    fn build(self) -> (Network, u64) {
        let tables = vec![
            std::array::from_fn(|i| i16::try_from(i).expect("a byte"));
            self.input.shape.channels
        ];
        let network = Network::new(Description {
            name: "bench".to_owned(),
            digits: Digits::Csd,
            scale_bits: 16,
            input: Input { tensor: self.input, tables },
            layers: self.layers,
            provenance: Provenance::default(),
        });
        (network.expect("the benchmarks' networks are legal"), self.macs)
    }
}

const END: Requantize = Requantize { shift: 22, low: 0, high: 255 };

fn codes(shape: Shape) -> TensorType {
    TensorType { shape, bits: 8, sign: Sign::Unsigned, scale: 1.0 }
}

fn convolution(input: Shape, kernel: usize, channels: usize, scheme: Scheme) -> (Network, u64) {
    let mut builder = Builder::new(input);
    builder.convolution(TensorId::INPUT, Window::square(kernel, 1), channels, scheme);
    builder.build()
}

fn depthwise(input: Shape, scheme: Scheme) -> (Network, u64) {
    let mut builder = Builder::new(input);
    let geometry = Geometry::Depthwise { window: Window::square(3, 1), pads: Pads::all(1) };
    builder.dot(TensorId::INPUT, geometry, input, scheme, false);
    builder.build()
}

/// The shapes of ResNet-20: 40.55 M multiply-accumulates of weights.
fn resnet20(scheme: Scheme) -> (Network, u64) {
    let mut builder = Builder::new(Shape::new(32, 32, 3));
    let mut x = builder.convolution(TensorId::INPUT, Window::square(3, 1), 16, Scheme::Fixed(8));
    for (channels, stride) in
        [(16, 1), (16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1)]
    {
        let a = builder.convolution(x, Window::square(3, stride), channels, scheme);
        let b = builder.convolution(a, Window::square(3, 1), channels, scheme);
        let input = builder.shape(x);
        if stride == 2 {
            let to = Shape::new(input.height / 2, input.width / 2, input.channels);
            let thin = Operator::Subsample { stride_height: 2, stride_width: 2 };
            x = builder.push(vec![x], thin, codes(to));
            let quarter = channels / 4;
            let pad = Operator::ChannelPad { before: quarter, after: quarter };
            x = builder.push(vec![x], pad, codes(Shape { channels, ..to }));
        }
        let add = Operator::Add {
            multipliers: [20_000, 20_000],
            requantize: Requantize { shift: 15, low: 0, high: 255 },
        };
        let output = codes(builder.shape(b));
        x = builder.push(vec![b, x], add, output);
    }
    let pool = Operator::AveragePool {
        window: Window::square(8, 1),
        multiplier: 16_384,
        requantize: Requantize { shift: 20, low: 0, high: 255 },
    };
    x = builder.push(vec![x], pool, codes(Shape::new(1, 1, 64)));
    builder.dot(x, Geometry::Linear, Shape::new(1, 1, 10), Scheme::Fixed(8), true);
    builder.build()
}

fn bench(criterion: &mut Criterion, group: &str, cases: &[(&str, (Network, u64))]) {
    let mut group = criterion.benchmark_group(group);
    for (name, (network, macs)) in cases {
        for backend in Backend::available() {
            let prepared = Prepared::new(network, backend).expect("available");
            let mut scratch = Scratch::new(&prepared);
            let shape = network.input.tensor.shape;
            let pixels: Vec<u8> = (0..shape.elements())
                .map(|i| u8::try_from(i * 97 % 251).expect("a byte"))
                .collect();
            group.throughput(Throughput::Elements(*macs));
            group.bench_function(BenchmarkId::new(*name, backend), |bencher| {
                bencher.iter(|| {
                    black_box(prepared.run(&mut scratch, black_box(&pixels)).expect("fits").len())
                });
            });
        }
    }
    group.finish();
}

fn layers(criterion: &mut Criterion) {
    let pointwise = |scheme| convolution(Shape::new(14, 14, 512), 1, 512, scheme);
    let cases = [
        ("1 branch", pointwise(Scheme::Dbq(1))),
        ("2 branches", pointwise(Scheme::Dbq(2))),
        ("3 branches", pointwise(Scheme::Dbq(3))),
        ("fixed(8)", pointwise(Scheme::Fixed(8))),
    ];
    bench(criterion, "1x1 512-512 at 14x14", &cases);
    let cases = [
        (
            "3x3 3-16 at 32x32, fixed(8)",
            convolution(Shape::new(32, 32, 3), 3, 16, Scheme::Fixed(8)),
        ),
        (
            "3x3 16-16 at 32x32, 2 branches",
            convolution(Shape::new(32, 32, 16), 3, 16, Scheme::Dbq(2)),
        ),
        (
            "3x3 32-32 at 16x16, 2 branches",
            convolution(Shape::new(16, 16, 32), 3, 32, Scheme::Dbq(2)),
        ),
        ("3x3 64-64 at 8x8, 2 branches", convolution(Shape::new(8, 8, 64), 3, 64, Scheme::Dbq(2))),
        (
            "depthwise 3x3 64 at 32x32, fixed(8)",
            depthwise(Shape::new(32, 32, 64), Scheme::Fixed(8)),
        ),
        (
            "depthwise 3x3 64 at 32x32, 2 branches",
            depthwise(Shape::new(32, 32, 64), Scheme::Dbq(2)),
        ),
    ];
    bench(criterion, "layer", &cases);
}

fn networks(criterion: &mut Criterion) {
    bench(criterion, "ResNet-20", &[("2 branches", resnet20(Scheme::Dbq(2)))]);
}

criterion_group!(benches, layers, networks);
criterion_main!(benches);
