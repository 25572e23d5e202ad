//! Whole networks, vector unit included, on every preset.

use tridot_sim::arch::Architecture;
use tridot_sim::counts::Counts;
use tridot_sim::fast::{self, Sampling, lift};
use tridot_sim::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};
use tridot_sim::outcome::Limiter;
use tridot_sim::reference;
use tridot_sim::stepped::{self, ToggleCounting};

const REQUANTIZE: Requantize = Requantize { shift: 7, low: 0, high: 255 };

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

/// One layer of each kind: 6×6×4 → convolution 8 → depthwise → add → max pool → shuffle → split, rescale
/// → concat → subsample → channel pad → average pool → linear 5.
fn network() -> Network {
    let window = Window::square(3, 1);
    let pads = Pads::all(1);
    let eight = Shape::new(6, 6, 8);
    let three = Shape::new(3, 3, 8);
    let id = TensorId;
    let layers: Vec<(&str, Vec<TensorId>, Operator, Shape)> = vec![
        ("conv", vec![id(0)], dot(Geometry::Convolution { window, pads }, 36, 8, 3), eight),
        ("depthwise", vec![id(1)], dot(Geometry::Depthwise { window, pads }, 9, 8, 0), eight),
        (
            "add",
            vec![id(1), id(2)],
            Operator::Add { multipliers: [64, 64], requantize: REQUANTIZE },
            eight,
        ),
        ("max", vec![id(3)], Operator::MaxPool { window: Window::square(3, 2), pads }, three),
        ("shuffle", vec![id(4)], Operator::Shuffle { groups: 2 }, three),
        ("split", vec![id(5)], Operator::Split { first: 2, channels: 4 }, Shape::new(3, 3, 4)),
        (
            "rescale",
            vec![id(6)],
            Operator::Rescale { multiplier: 100, requantize: REQUANTIZE },
            Shape::new(3, 3, 4),
        ),
        ("concat", vec![id(5), id(7)], Operator::Concat, Shape::new(3, 3, 12)),
        (
            "subsample",
            vec![id(8)],
            Operator::Subsample { stride_height: 2, stride_width: 1 },
            Shape::new(2, 3, 12),
        ),
        ("pad", vec![id(9)], Operator::ChannelPad { before: 1, after: 2 }, Shape::new(2, 3, 15)),
        (
            "average",
            vec![id(10)],
            Operator::AveragePool {
                window: Window::square(2, 1),
                multiplier: 32,
                requantize: REQUANTIZE,
            },
            Shape::new(1, 2, 15),
        ),
        ("linear", vec![id(11)], dot(Geometry::Linear, 30, 5, 2), Shape::new(1, 1, 5)),
    ];
    let layer = |(name, inputs, operator, shape): (&str, _, _, _)| Layer {
        name: name.to_owned(),
        inputs,
        operator,
        output: tensor(shape),
    };
    let table = std::array::from_fn(|pixel| i16::try_from(pixel).unwrap());
    Network::new(Description {
        name: "small".to_owned(),
        digits: Digits::Csd,
        scale_bits: 16,
        input: Input { tensor: tensor(Shape::new(6, 6, 4)), tables: vec![table; 4] },
        layers: layers.into_iter().map(layer).collect(),
        provenance: Provenance::default(),
    })
    .unwrap()
}

/// All tensors of two pictures, one picture after the other.
fn tensors(network: &Network) -> Vec<Vec<i64>> {
    let picture = |seed: u32| -> Vec<u8> {
        (0..144_u32).map(|i| u8::try_from(i * (i + seed) % 251).unwrap()).collect()
    };
    let [one, two] = [3, 10].map(|seed| reference::run(network, &picture(seed)).unwrap());
    one.into_iter().zip(two).map(|(one, two)| [one, two].concat()).collect()
}

/// On every preset, for a batch of two: outputs, counters and toggles of both models, and totals.
#[test]
fn every_layer_of_a_network_runs_on_every_preset() {
    let network = network();
    let tensors = tensors(&network);
    for name in Architecture::preset_names() {
        let arch = Architecture::preset(name).unwrap();
        let inputs: Vec<&[i64]> =
            network.layers.iter().map(|layer| tensors[layer.inputs[0].0].as_slice()).collect();
        let outcome =
            fast::network_with_toggles(&network, &arch, 2, &inputs, Sampling::All).unwrap();
        let mut total = Counts::default();
        for (layer_idx, layer) in network.layers.iter().enumerate() {
            let codes = &tensors[layer.inputs[0].0];
            let on = ToggleCounting::On;
            let (stepped, run) =
                stepped::layer_counting(&network, layer_idx, &arch, 2, codes, on).unwrap();
            assert_eq!(stepped.toggles.is_some(), layer.dot().is_some());
            assert_eq!(stepped, outcome.layers[layer_idx], "{name}, {}", layer.name);
            assert_eq!(run.is_some(), layer.dot().is_some());
            if let Some(run) = run {
                assert_eq!(run.outputs, tensors[layer_idx + 1], "{name}, {}", layer.name);
            }
            total += stepped.counts;
        }
        assert_eq!(total, outcome.total());
        assert_eq!(total, fast::network(&network, &arch, 2).unwrap().total());
        let cycles = total.cycles.0;
        let seconds = outcome.time(&arch).0 / 1e6;
        assert!((seconds - cycles as f64 / (arch.clock.0 * 1e6)).abs() < 1e-12);
        println!("{name}: {cycles} cycles");
    }
}

/// Two images each; the vector unit's elements by hand, on 4 lanes with a latency of 4.
#[test]
fn the_vector_units_layers_by_hand() {
    let network = network();
    let outcome = fast::network(&network, &Architecture::preset("edge").unwrap(), 2).unwrap();
    let counts = |name: &str| {
        let c = outcome.layers.iter().find(|layer| layer.name == name).unwrap().counts;
        [c.cycles.0, c.vector_elements, c.vector_reads, c.vector_writes]
    };
    assert_eq!(counts("add"), [2 * 72 + 4, 2 * 288, 2 * 576, 2 * 288]);
    // 3×3 windows at −1, 1, 3 of 6 rows: 2 + 3 + 3 taps inside, so 64 of 81 for each channel.
    assert_eq!(counts("max"), [2 * 162 + 4, 2 * 648, 2 * 512, 2 * 72]);
    assert_eq!(counts("concat"), [2 * 27 + 4, 2 * 108, 2 * 108, 2 * 108]);
    // 90 outputs an image, 72 of them read; 45 groups of 4 for both images.
    assert_eq!(counts("pad"), [45 + 4, 180, 144, 180]);
    // 30 outputs of 4 taps an image.
    assert_eq!(counts("average"), [60 + 4, 240, 240, 60]);
}

/// What limits a layer, and which parameter lifts it?
#[test]
fn the_parameter_that_lifts_a_layer_is_named() {
    let network = network();
    let arch = |change: fn(&mut tridot_sim::arch::Parameters)| {
        let mut parameters = Architecture::preset("edge").unwrap().into_parameters();
        change(&mut parameters);
        Architecture::new(parameters).unwrap()
    };
    // 36 inputs a filter on 64 lanes: a step a pass, and 4 rows of 2 values on one multiplier.
    let starved = arch(|p| (p.lanes, p.multipliers) = (64, 1));
    let counts = fast::layer(&network, 0, &starved, 1).unwrap().counts;
    assert_eq!(counts.limiter(), Limiter::Scaler);
    let lifted = lift(&network, 0, &starved, 1).unwrap();
    assert_eq!((lifted.key, lifted.value), ("scaler.multipliers", 2));
    assert!(lifted.cycles < counts.cycles);
    // Four lanes need nine steps a pass: the array's size counts. 36 pixels are 9 row tiles of 4 or 5 of 8, and
    // 8 channels are 2 column tiles of 4 or 1 of 8, which saves more.
    let small = arch(|p| (p.lanes, p.multipliers) = (4, 8));
    let counts = fast::layer(&network, 0, &small, 1).unwrap().counts;
    assert_eq!(counts.limiter(), Limiter::Array);
    assert_eq!(lift(&network, 0, &small, 1).unwrap().key, "array.columns");
    assert!(0.5 < counts.utilization(&small), "{}", counts.utilization(&small));
    // The add runs on the vector unit.
    assert_eq!(fast::layer(&network, 2, &small, 1).unwrap().counts.limiter(), Limiter::Vector);
    assert_eq!(lift(&network, 2, &small, 1).unwrap().key, "vector.lanes");
}
