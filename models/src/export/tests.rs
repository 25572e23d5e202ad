use proptest::prelude::*;
use tridot_sim::network::{Geometry, Pads, Weights, Window};
use tridot_sim::reference;

use super::network as export_network;
use super::*;
use crate::calibrate::{CalibrationSet, quantize};
use crate::data::Pictures;
use crate::float::FloatNetwork;
use crate::float::tests::{EVERYTHING, random_network, random_pixels};
use crate::scheme::{Alpha, Plan, Scheme};
use crate::topology::Topology;

fn quantized(network: &FloatNetwork, plan: &Plan) -> QuantizedNetwork {
    let pixels = random_pixels(network, 12, 77);
    let pictures = Pictures { shape: network.topology.input, pixels, labels: vec![0; 12] };
    let set = CalibrationSet { name: "random", pictures: (&pictures).into(), labelled: false };
    quantize(network, plan, &set, 0).unwrap()
}

fn everything() -> FloatNetwork {
    random_network(Topology::from_toml(EVERYTHING).unwrap(), 11)
}

/// A plan with as many of its possibilities as a seed can choose.
fn plan(branches: u32, activation_bits: u32, scale_bits: u32, alpha: Alpha) -> Plan {
    let mut plan = Plan::default_with_branches(branches);
    plan.activation_bits = activation_bits;
    plan.scale_bits = scale_bits;
    plan.alpha = alpha;
    plan.layers.insert("b.conv2".into(), Scheme::Fixed { bits: 2 + activation_bits });
    plan
}

/// What a dot-product layer would put out at one place with real multipliers and biases, from the
/// integer inputs, in steps of its output (or in real numbers if it is raw): in f64, straight from the
/// definition of bias and batch norm, without the exporter's folding.
fn real_dot(
    quantized: &QuantizedNetwork,
    layer_idx: usize,
    input: (&[i64], &TensorType),
    output_scale: f64,
    at: [usize; 3],
) -> f64 {
    let layer = &quantized.float.topology.layers[layer_idx];
    let TopologyOperator::Dot { geometry, .. } = &layer.operator else { unreachable!() };
    let parameters = quantized.float.parameters[layer_idx].as_ref().unwrap();
    let weights = quantized.weights[layer_idx].as_ref().unwrap();
    let [row, column, c] = at;
    let (codes, kind) = input;
    let fan_in = geometry.fan_in(kind.shape);
    let per_channel = weights.weights.multipliers_per_channel();
    let scales = &weights.scales[c * per_channel..][..per_channel];
    let weight = |k: usize| -> f64 {
        match &weights.weights {
            Weights::Fixed { values, .. } => f64::from(values[c * fan_in + k]) * scales[0],
            Weights::Dbq { .. } => (0..per_channel)
                .map(|j| {
                    let digits = quantized.plan.digits;
                    let trit =
                        weights.weights.trit(u32::try_from(j).unwrap(), c * fan_in + k, digits);
                    f64::from(trit) * scales[j]
                })
                .sum(),
        }
    };
    let sum: f64 = (0..fan_in)
        .filter_map(|k| {
            let i = input_index(geometry, kind, [row, column, c], k)?;
            Some(codes[i] as f64 * kind.scale * weight(k))
        })
        .sum();
    let biased = sum + f64::from(parameters.bias[c]);
    let real = parameters.batch_norm.as_ref().map_or(biased, |norm| {
        let of = |values: &[f32]| f64::from(values[c]);
        (biased - of(&norm.mean)) / (of(&norm.variance) + norm.epsilon).sqrt() * of(&norm.gamma)
            + of(&norm.beta)
    });
    real / output_scale
}

/// The element of the input that weight k meets; none at a pad.
fn input_index(geometry: &Geometry, input: &TensorType, at: [usize; 3], k: usize) -> Option<usize> {
    let [row, column, c] = at;
    let shape = input.shape;
    let place = |window: &Window, pads: &Pads, tap: usize| {
        let y = (row * window.stride_height + tap / window.kernel_width).checked_sub(pads.top)?;
        let x =
            (column * window.stride_width + tap % window.kernel_width).checked_sub(pads.left)?;
        (y < shape.height && x < shape.width).then_some((y * shape.width + x) * shape.channels)
    };
    match geometry {
        Geometry::Linear => Some(k),
        Geometry::Convolution { window, pads } => {
            Some(place(window, pads, k / shape.channels)? + k % shape.channels)
        }
        Geometry::Depthwise { window, pads } => Some(place(window, pads, k)? + c),
    }
}

/// Compares every value of every dot-product layer with its real value; returns the values compared.
fn compare(quantized: &QuantizedNetwork, exported: &Exported, pixels: &[u8]) -> usize {
    let network = &exported.network;
    let tensors = reference::run(network, pixels).unwrap();
    let mut compared = 0;
    for (i, layer) in network.layers.iter().enumerate() {
        let Some(dot) = layer.dot() else { continue };
        let by_name = |l: &TopologyLayer| l.name == layer.name;
        let layer_idx = quantized.float.topology.layers.iter().position(by_name).unwrap();
        let input = (&tensors[layer.inputs[0].0][..], network.input_of(layer));
        let shape = layer.output.shape;
        for (e, &got) in tensors[i + 1].iter().enumerate() {
            let (pixel, c) = (e / shape.channels, e % shape.channels);
            let at = [pixel / shape.width, pixel % shape.width, c];
            let real = real_dot(quantized, layer_idx, input, layer.output.scale, at);
            let (wanted, bound) = match dot.output {
                DotOutput::Requantize(r) => (
                    real.clamp(f64::from(r.low), f64::from(r.high)),
                    0.5 + exported.layers[i].rounding_error.unwrap(),
                ),
                // Units of y: every multiplier and the bias are off by at most a half.
                DotOutput::Raw => {
                    let terms = (dot.weights.multipliers_per_channel() * input.0.len()) as f64;
                    (real, 0.5 + 0.5 * terms * 255.0 * 127.0)
                }
            };
            let error = (got as f64 - wanted).abs();
            assert!(error <= bound + 1e-6, "{}: {got} for {real}, bound {bound}", layer.name);
            compared += 1;
        }
    }
    compared
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Does the integer network stay within the rounding error that its export promises?
    #[test]
    fn the_rounding_error_bounds(
        seed in 0_u64..1000,
        branches in 1_u32..=4,
        activation_bits in 1_u32..=8,
        scale_bits in 9_u32..=18,
        by_channel in any::<bool>(),
    ) {
        let network = random_network(Topology::from_toml(EVERYTHING).unwrap(), seed);
        let alpha = if by_channel { Alpha::Channel } else { Alpha::Layer };
        let quantized = quantized(&network, &plan(branches, activation_bits, scale_bits, alpha));
        let exported = export_network(&quantized, RoundingLimit::None).unwrap();
        let compared = compare(&quantized, &exported, &random_pixels(&network, 1, seed));
        prop_assert!(500 < compared);
    }
}

#[test]
fn a_rounding_error_above_one_step_is_refused_unless_told() {
    // With 6-bit multipliers rounding is coarse.
    let network = everything();
    let quantized = quantized(&network, &plan(1, 8, 6, Alpha::Layer));
    let exported = export_network(&quantized, RoundingLimit::None).unwrap();
    let worst = exported.layers.iter().filter_map(|layer| layer.rounding_error).fold(0.0, f64::max);
    let refused = export_network(&quantized, RoundingLimit::OneStep).unwrap_err().to_string();
    assert!(1.0 < worst);
    assert!(
        refused.contains(
            "the worst rounding error in output steps must be at most 1 (more scale_bits"
        )
    );
}

#[test]
fn shifts_are_the_largest_that_fit() {
    let quantized = quantized(&everything(), &plan(2, 8, 16, Alpha::Channel));
    let exported = export_network(&quantized, RoundingLimit::OneStep).unwrap();
    for layer in &exported.network.layers {
        let largest = |m: &[i32]| m.iter().map(|m| m.unsigned_abs()).max().unwrap();
        let (largest, shift) = match &layer.operator {
            Operator::Dot(Dot { multipliers, output: DotOutput::Requantize(r), .. }) => {
                (largest(multipliers), r.shift)
            }
            Operator::Add { multipliers, requantize } => (largest(multipliers), requantize.shift),
            Operator::Rescale { multiplier, requantize }
            | Operator::AveragePool { multiplier, requantize, .. } => {
                (multiplier.unsigned_abs(), requantize.shift)
            }
            Operator::Dot(_)
            | Operator::MaxPool { .. }
            | Operator::Split { .. }
            | Operator::Concat
            | Operator::Shuffle { .. }
            | Operator::Subsample { .. }
            | Operator::ChannelPad { .. } => continue,
        };
        // One more bit of shift would double the largest multiplier beyond 15 bits.
        assert!(
            largest <= 32_767 && (16_383 <= largest || shift == 40),
            "{}: {largest}",
            layer.name
        );
    }
}

#[test]
fn fold_by_hand() {
    // y/2^s = 0.75·a − 0.1·b + 3.2 with a in 0…255, b in −128…127 and 4-bit multipliers (at most 7):
    // s = 3 gives 6 and −1 (s = 4 would give 12), bias round(25.6) = 26.
    let fold = Fold {
        place: "here".into(),
        terms: Terms::Inputs(vec![Span { low: 0, high: 255 }, Span { low: -128, high: 127 }]),
        multipliers: vec![0.75, -0.1],
        biases: vec![3.2],
    };
    let folded = fold.requantized(4).unwrap();
    assert_eq!(
        (folded.shift, &folded.multipliers[..], &folded.biases[..]),
        (3, &[6, -1][..], &[26][..])
    );
    // Errors: 0 in 0.75; 0.2 of 1/8 in 0.1 times at most 128; 0.4/8 in the bias.
    assert!((folded.rounding_error - (0.2 * 128.0 + 0.4) / 8.0).abs() < 1e-9);
    // y in 6·0 − 127 + 26 … 6·255 + 128 + 26 + 4: 12 bits.
    assert_eq!(folded.bits, 12);
}

#[test]
fn what_no_shift_can_hold_is_refused() {
    let fold = |multiplier: f64, bias: f64| Fold {
        place: "layer `x`".into(),
        terms: Terms::Inputs(vec![Span { low: 0, high: 255 }]),
        multipliers: vec![multiplier],
        biases: vec![bias],
    };
    let refused = fold(20_000.0, 0.0).requantized(16).unwrap_err().to_string();
    assert_eq!(
        refused,
        "layer `x`: the largest multiplier (and bias) must be at most 16383.5 to have 16 bits, got 20000"
    );
    // The bias alone fills 48 bits at shift 20: the shift falls until it fits.
    let folded = fold(1e-9, f64::from(1 << 26)).requantized(16).unwrap();
    assert_eq!(folded.shift, 20);
    let folded = fold(0.0, 0.0).requantized(16).unwrap();
    assert_eq!((folded.shift, &folded.multipliers[..]), (40, &[0][..]));
}

#[test]
fn input_tables_hold_zero_as_code_zero_and_every_pixel() {
    let mut network = everything();
    let table = |network: &FloatNetwork| {
        let quantized = quantized(network, &plan(2, 8, 16, Alpha::Layer));
        export_network(&quantized, RoundingLimit::None).unwrap().network.input.clone()
    };
    let input = table(&network);
    assert_eq!((input.tensor.bits, input.tensor.sign), (8, Sign::Signed));
    for (c, table) in input.tables.iter().enumerate() {
        let norm = &network.topology.normalization;
        for (pixel, &code) in table.iter().enumerate() {
            let real = (pixel as f64 / 255.0 - norm.mean[c]) / norm.std[c];
            assert!(
                (f64::from(code) * input.tensor.scale - real).abs()
                    <= input.tensor.scale / 2.0 + 1e-9
            );
        }
    }
    // The largest value of any channel, 0.7/0.2 = 3.5, is code 127.
    assert_eq!(input.tables[2][255], 127);
    network.topology.normalization.mean = vec![0.0; 3];
    network.topology.normalization.std = vec![1.0; 3];
    let input = table(&network);
    assert_eq!(input.tensor.sign, Sign::Unsigned);
    assert!(input.tables.iter().all(|table| (0..).zip(table).all(|(p, &code)| code == p)));
}

#[test]
fn concats_of_unlike_tensors_are_rescaled() {
    // `left` is unsigned, `linear_pw` signed: `mixed` is signed, and so is the concat that reads it,
    // where the unsigned `relu_pw` needs a rescale too.
    let quantized = quantized(&everything(), &plan(2, 8, 16, Alpha::Layer));
    let exported = export_network(&quantized, RoundingLimit::None).unwrap();
    let rescales: Vec<&str> = exported
        .network
        .layers
        .iter()
        .filter(|layer| matches!(layer.operator, Operator::Rescale { .. }))
        .map(|layer| layer.name.as_str())
        .collect();
    assert_eq!(rescales, ["a.mixed.rescale0", "a.concat.rescale1"]);
    let names: Vec<&str> = exported.layers.iter().map(|report| report.name.as_str()).collect();
    let layers: Vec<&str> = exported.network.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, layers);
}

#[test]
fn clamps_follow_the_activation() {
    let quantized = quantized(&everything(), &plan(2, 8, 16, Alpha::Layer));
    let network = export_network(&quantized, RoundingLimit::None).unwrap().network;
    let clamps = |name: &str| {
        let layer = network.layers.iter().find(|layer| layer.name == name).unwrap();
        let DotOutput::Requantize(r) = layer.dot().unwrap().output else { unreachable!() };
        (r.low, r.high, layer.output.scale)
    };
    let (low, high, scale) = clamps("a.conv"); // ReLU6
    assert_eq!(low, 0);
    assert!((f64::from(high) - (6.0 / scale).round().min(255.0)).abs() < 0.5);
    assert_eq!((clamps("b.conv1").0, clamps("b.conv1").1), (0, 255)); // ReLU
    assert_eq!((clamps("b.conv2").0, clamps("b.conv2").1), (-128, 127)); // signed operand of an add
    let last = network.layers.last().unwrap();
    assert_eq!(last.dot().unwrap().output, DotOutput::Raw);
    assert_eq!(network.widths(network.layers.len() - 1).unwrap().y_bits.max(2), last.output.bits);
}

#[test]
fn idle_channels_cost_nothing() {
    let mut network = everything();
    let conv1 = network.topology.layers.iter().position(|layer| layer.name == "b.conv1").unwrap();
    let parameters = network.parameters[conv1].as_mut().unwrap();
    let fan_in = parameters.weights.len() / 12;
    parameters.weights[3 * fan_in..4 * fan_in].fill(0.0);
    // A channel that never moves has a tiny variance, hence an enormous gain.
    parameters.batch_norm.as_mut().unwrap().variance[3] = 0.0;
    for alpha in [Alpha::Layer, Alpha::Channel] {
        let quantized = quantized(&network, &plan(2, 8, 16, alpha));
        let exported = export_network(&quantized, RoundingLimit::OneStep).unwrap();
        let layer = exported.network.layers.iter().find(|layer| layer.name == "b.conv1").unwrap();
        assert_eq!(layer.dot().unwrap().multipliers[6..8], [0, 0]);
        compare(&quantized, &exported, &random_pixels(&network, 1, 3));
    }
}
