//! How often random networks have what they should have: a random test proves its own reach.

use std::collections::BTreeMap;

use tridot_sim::network::{Dot, DotOutput, Geometry, Layer, Network, Operator, Pads, Weights};
use tridot_sim::reference;

use super::{network, picture};

/// Networks that have a feature, by the feature's name.
type Histogram = BTreeMap<String, usize>;

/// The features of one network, each once.
fn features(network: &Network) -> Histogram {
    let mut found = Histogram::new();
    let mut has = |feature: String| {
        found.insert(feature, 1);
    };
    has(format!("digits {:?}", network.digits));
    has(format!("input {:?}", network.input.tensor.sign));
    for layer in &network.layers {
        has(format!("output {:?}", layer.output.sign));
        if layer.output.bits <= 8 {
            has(format!("output bits {}", layer.output.bits));
        }
        has(format!("operator {}", operator_name(&layer.operator)));
        match &layer.operator {
            Operator::Dot(dot) => dot_features(network, layer, dot, &mut has),
            Operator::MaxPool { window, pads } if *pads != Pads::default() => {
                has(format!("max pool padded, stride {}", window.stride_height));
            }
            Operator::MaxPool { .. }
            | Operator::Add { .. }
            | Operator::Rescale { .. }
            | Operator::AveragePool { .. }
            | Operator::Split { .. }
            | Operator::Concat
            | Operator::Shuffle { .. }
            | Operator::Subsample { .. }
            | Operator::ChannelPad { .. } => {}
        }
    }
    found
}

fn operator_name(operator: &Operator) -> &'static str {
    match operator {
        Operator::Dot(dot) => match dot.geometry {
            Geometry::Convolution { .. } => "convolution",
            Geometry::Depthwise { .. } => "depthwise",
            Geometry::Linear => "linear",
        },
        Operator::Add { .. } => "add",
        Operator::Rescale { .. } => "rescale",
        Operator::AveragePool { .. } => "average pool",
        Operator::MaxPool { .. } => "max pool",
        Operator::Split { .. } => "split",
        Operator::Concat => "concat",
        Operator::Shuffle { .. } => "shuffle",
        Operator::Subsample { .. } => "subsample",
        Operator::ChannelPad { .. } => "channel pad",
    }
}

fn dot_features(network: &Network, layer: &Layer, dot: &Dot, has: &mut impl FnMut(String)) {
    match dot.weights {
        Weights::Dbq { branches, .. } => has(format!("scheme dbq {branches}")),
        Weights::Fixed { bits, .. } => {
            has(format!("scheme fixed {}", if bits <= 8 { "≤ 8" } else { "> 8" }));
            has(format!("scheme fixed, {:?}", network.digits));
        }
    }
    let raw = dot.output == DotOutput::Raw;
    has(format!("end {}", if raw { "raw" } else { "requantized" }));
    let fan_in = network.fan_in(layer, dot);
    let channels = layer.output.shape.channels;
    // Odd and above 1: no vector, lane count or tile of a power of two divides it.
    let odd = |n: usize| 1 < n && n % 2 == 1;
    if odd(fan_in) && odd(channels) {
        has("divides nothing".to_owned());
    }
    if 64 < fan_in {
        has("K above 64".to_owned());
    }
    if 32 < channels {
        has("output channels above 32".to_owned());
    }
    if let Geometry::Convolution { window, pads } | Geometry::Depthwise { window, pads } =
        dot.geometry
    {
        has(format!("stride down {}", window.stride_height));
        has(format!("stride across {}", window.stride_width));
        if window.kernel_height != window.kernel_width {
            has("kernel not square".to_owned());
        }
        if (pads.top, pads.left) != (pads.bottom, pads.right) {
            has("pads asymmetric".to_owned());
        }
        for (side, pad) in
            [("top", pads.top), ("left", pads.left), ("bottom", pads.bottom), ("right", pads.right)]
        {
            if pad != 0 {
                has(format!("pad {side}"));
            }
        }
    }
}

/// Every feature that at least one network in twenty must have.
const COMMON: &[&str] = &[
    "digits Csd",
    "digits SignMagnitude",
    "input Signed",
    "input Unsigned",
    "output Signed",
    "output Unsigned",
    "output bits 1",
    "output bits 2",
    "output bits 3",
    "output bits 4",
    "output bits 5",
    "output bits 6",
    "output bits 7",
    "output bits 8",
    "operator convolution",
    "operator depthwise",
    "operator linear",
    "operator add",
    "operator rescale",
    "operator average pool",
    "operator max pool",
    "operator split",
    "operator concat",
    "operator shuffle",
    "operator subsample",
    "operator channel pad",
    "scheme dbq 1",
    "scheme dbq 2",
    "scheme dbq 3",
    "scheme dbq 4",
    "scheme dbq 5",
    "scheme fixed ≤ 8",
    "scheme fixed > 8",
    "scheme fixed, Csd",
    "scheme fixed, SignMagnitude",
    "end raw",
    "end requantized",
    "K above 64",
    "output channels above 32",
    "stride down 1",
    "stride down 2",
    "stride down 3",
    "stride across 1",
    "stride across 2",
    "stride across 3",
    "kernel not square",
    "pads asymmetric",
    "pad top",
    "pad left",
    "pad bottom",
    "pad right",
];

/// Does the generator reach every operator, scheme, stride, sign and odd size often enough?
#[test]
fn every_feature_is_common() {
    let n_networks = 1000;
    let mut histogram = Histogram::new();
    for seed in 0..n_networks {
        for (feature, count) in features(&network(seed)) {
            *histogram.entry(feature).or_default() += count;
        }
    }
    for (feature, count) in &histogram {
        println!("{:5.1} % {feature}", 100.0 * *count as f64 / n_networks as f64);
    }
    let share = |feature: &str| histogram.get(feature).copied().unwrap_or(0) * 100;
    let rare: Vec<_> = COMMON.iter().filter(|f| share(f) < 5 * 1000).collect();
    assert!(rare.is_empty(), "rarer than 5 %: {rare:?}");
    assert!(30 * 1000 <= share("divides nothing"), "sizes that divide nothing are too rare");
}

/// Do outputs spread over their codes? A constant or a clamped tensor hides faults.
#[test]
fn few_codes_are_clamped_or_zero() {
    let (mut total, mut clamped, mut zero, mut constant, mut layers) = (0, 0, 0, 0, 0);
    for seed in 0..300 {
        let network = network(seed);
        let tensors = reference::run(&network, &picture(&network, seed)).unwrap();
        for (layer, codes) in network.layers.iter().zip(&tensors[1..]) {
            let Some(Dot { output: DotOutput::Requantize(end), .. }) = layer.dot() else {
                continue;
            };
            // Tensors of few codes clamp by their nature.
            if layer.output.bits < 4 || codes.len() < 8 {
                continue;
            }
            let count = |code: i64| codes.iter().filter(|&&c| c == code).count();
            total += codes.len();
            let low = if end.low == 0 { 0 } else { count(end.low.into()) };
            clamped += low + count(end.high.into());
            zero += count(0);
            layers += 1;
            constant += usize::from(codes.iter().all(|&code| code == codes[0]));
        }
    }
    println!("{total} codes: {clamped} clamped, {zero} zero; {constant} of {layers} constant");
    assert!(clamped * 100 < 35 * total && zero * 100 < 50 * total && constant * 100 < 20 * layers);
}
