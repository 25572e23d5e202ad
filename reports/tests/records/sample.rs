//! Records of small networks, simulated on the presets.

use tridot_reports::record::{Input, Model, Named, Priced, Record, Simulation, Toggling};
use tridot_sim::arch::Architecture;
use tridot_sim::digest::Digest;
use tridot_sim::energy::Breakdown;
use tridot_sim::fast;
use tridot_sim::network::{
    Accuracy, Description, Digits, Dot, DotOutput, Geometry, Input as NetworkInput, Layer, Network,
    Operator, Pads, Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};
use tridot_sim::units::{Picojoules, SquareMicrometres};

const REQUANTIZE: Requantize = Requantize { shift: 7, low: 0, high: 255 };

/// How the inner layers of a sample network are quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// 8-bit integers.
    Fixed,
    /// Ternary branches, scaled per layer.
    Layer(u32),
    /// Ternary branches, scaled per channel.
    Channel(u32),
}

impl Scheme {
    /// The schemes of a small study.
    pub(crate) const ALL: [Self; 7] = [
        Self::Layer(1),
        Self::Layer(2),
        Self::Layer(3),
        Self::Channel(1),
        Self::Channel(2),
        Self::Channel(3),
        Self::Fixed,
    ];

    const fn branches(self) -> u32 {
        match self {
            Self::Fixed => 0,
            Self::Layer(branches) | Self::Channel(branches) => branches,
        }
    }

    /// Correct of 10,000: invented, ordered as one would expect.
    const fn correct(self) -> u64 {
        match self {
            Self::Fixed => 9155,
            Self::Layer(branches) => 9210 - 400 / (branches * branches) as u64,
            Self::Channel(branches) => 9220 - 300 / (branches * branches) as u64,
        }
    }

    fn plan(self) -> String {
        let alpha = if matches!(self, Self::Channel(_)) { "channel" } else { "layer" };
        format!("format = 1\nothers = \"dbq(2)\"\nalpha = \"{alpha}\"\n")
    }
}

fn tensor(shape: Shape) -> TensorType {
    TensorType { shape, bits: 8, sign: Sign::Unsigned, scale: 1.0 }
}

fn dot(geometry: Geometry, fan_in: usize, channels: usize, branches: u32) -> Operator {
    let count = channels * fan_in;
    let weights = if branches == 0 {
        let value = |i: usize| i16::try_from(i * 37 % 255).unwrap() - 127;
        Weights::Fixed { bits: 8, values: (0..count).map(value).collect() }
    } else {
        let codes = 3_usize.pow(branches);
        let code = |i: usize| u8::try_from((i * 31 + i / 7) % codes).unwrap();
        Weights::Dbq { branches, codes: (0..count).map(code).collect() }
    };
    Operator::Dot(Dot {
        geometry,
        multipliers: vec![77; channels * weights.multipliers_per_channel()],
        weights,
        bias: vec![4_000; channels],
        output: DotOutput::Requantize(REQUANTIZE),
    })
}

/// 16×16×3 → convolution 16 → three blocks of a residual and a wider convolution → average → linear 10.
pub(crate) fn network(scheme: Scheme) -> Network {
    let conv =
        |stride| Geometry::Convolution { window: Window::square(3, stride), pads: Pads::all(1) };
    let branches = scheme.branches();
    let mut layers = Vec::new();
    let mut push = |name: &str, inputs: &[usize], operator, shape| {
        let inputs = inputs.iter().map(|&id| TensorId(id)).collect();
        layers.push(Layer { name: name.to_owned(), inputs, operator, output: tensor(shape) });
        layers.len()
    };
    let mut channels = 16;
    let mut side = 16;
    let mut last =
        push("conv1", &[0], dot(conv(1), 27, channels, 0), Shape::new(side, side, channels));
    for block in 1..=3 {
        let shape = Shape::new(side, side, channels);
        let one = push(
            &format!("layer{block}.conv1"),
            &[last],
            dot(conv(1), 9 * channels, channels, branches),
            shape,
        );
        let add = Operator::Add { multipliers: [64, 64], requantize: REQUANTIZE };
        last = push(&format!("layer{block}.add"), &[last, one], add, shape);
        let fan_in = 9 * channels;
        (side, channels) = (side / 2, channels * 2);
        let shape = Shape::new(side, side, channels);
        let name = format!("layer{block}.conv2");
        last = push(&name, &[last], dot(conv(2), fan_in, channels, branches), shape);
    }
    let window = Window::square(side, side);
    let pool = Operator::AveragePool { window, multiplier: 32, requantize: REQUANTIZE };
    last = push("pool", &[last], pool, Shape::new(1, 1, channels));
    push("linear", &[last], dot(Geometry::Linear, channels, 10, 0), Shape::new(1, 1, 10));
    let table = std::array::from_fn(|pixel| i16::try_from(pixel).unwrap());
    Network::new(Description {
        name: "sample".to_owned(),
        digits: Digits::Csd,
        scale_bits: 16,
        input: NetworkInput { tensor: tensor(Shape::new(16, 16, 3)), tables: vec![table; 3] },
        layers,
        provenance: Provenance {
            data: Some("cifar10".to_owned()),
            plan: scheme.plan(),
            float_accuracy: Some(Accuracy { samples: 10_000, correct: 9173 }),
            integer_accuracy: Some(Accuracy { samples: 10_000, correct: scheme.correct() }),
            ..Provenance::default()
        },
    })
    .unwrap()
}

/// A network of this scheme on a preset, priced by an invented table: the prices mean nothing.
pub(crate) fn record(scheme: Scheme, preset: &str) -> Record {
    record_of(&network(scheme), scheme, preset)
}

/// The same of a network of this scheme.
pub(crate) fn record_of(network: &Network, scheme: Scheme, preset: &str) -> Record {
    let architecture = Architecture::preset(preset).unwrap();
    let outcome = fast::network(network, &architecture, 1).unwrap();
    let breakdowns: Vec<_> = outcome
        .layers
        .iter()
        .map(|layer| Breakdown {
            activation_reads: Picojoules::new(layer.counts.activation_reads as f64 * 0.4),
            weight_reads: Picojoules::new(layer.counts.weight_reads as f64 * 0.1),
            output_writes: Picojoules::new(layer.counts.output_writes as f64 * 0.7),
            leaves: Picojoules::new(layer.counts.products as f64 * 0.02),
            tree: Picojoules::new(layer.counts.products as f64 * 0.03),
            accumulators: Picojoules::new(layer.counts.busy_engine_steps as f64 * 0.15),
            scaler: Picojoules::new(layer.counts.scaler_operations as f64 * 1.1),
            vector: Picojoules::new(layer.counts.vector_elements as f64 * 0.6),
            ..Breakdown::default()
        })
        .collect();
    let area = 150.0 * architecture.leaves() as f64 + 2_000.0;
    Record::new(Simulation {
        network_digest: Digest::of(format!("{scheme:?}").as_bytes()),
        network,
        architecture: &architecture,
        outcome: &outcome,
        energy: Some(Priced {
            table: Named { name: "invented".to_owned(), digest: Digest::of(b"invented") },
            layers: &breakdowns,
            area: Some(SquareMicrometres(area)),
        }),
        model: Model::Fast,
        input: Input::Synthetic { seed: 0 },
        toggling: Toggling::None,
        warnings: vec!["these prices mean nothing".to_owned()],
        command: format!(
            "tridot simulate sample.safetensors --arch {preset} --energy ./invented.toml -o study"
        ),
    })
    .unwrap()
}

/// Every scheme on every preset.
pub(crate) fn study() -> Vec<Record> {
    let on_presets =
        |scheme| Architecture::preset_names().into_iter().map(move |preset| record(scheme, preset));
    Scheme::ALL.into_iter().flat_map(on_presets).collect()
}
