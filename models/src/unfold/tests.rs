use super::*;
use crate::calibrate::{CalibrationSet, QuantizedNetwork, quantize};
use crate::data::Pictures;
use crate::export::{self, RoundingLimit};
use crate::float::tests::{EVERYTHING, random_network, random_pixels};
use crate::scheme::Plan;
use crate::train::{Model, Tape};

fn topology() -> Topology {
    Topology::from_toml(EVERYTHING).unwrap()
}

/// Random float weights, two branches in the middle, 8-bit integers at both ends; and their integer network.
fn quantized(float: &FloatNetwork) -> (QuantizedNetwork, Network) {
    let mut plan = Plan::default_with_branches(2);
    plan.scale_bits = 18;
    let pixels = random_pixels(float, 12, 77);
    let pictures = Pictures { shape: float.topology.input, pixels, labels: vec![0; 12] };
    let set = CalibrationSet { name: "random", pictures: (&pictures).into(), labelled: false };
    let quantized = quantize(float, &plan, &set, 0).unwrap();
    let network = export::network(&quantized, RoundingLimit::OneStep).unwrap().network;
    (quantized, network)
}

/// The largest difference, over the largest value.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let most = a.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / most
}

/// As in training, with the statistics of these very pictures.
fn in_training(float: &FloatNetwork, pixels: &[u8]) -> Vec<f32> {
    let model = Model { float: float.clone(), quantization: None };
    Tape::default().forward(&model, pixels, 1.0).unwrap().to_vec()
}

#[test]
fn the_function_stays_in_evaluation_and_in_training() {
    let (quantized, network) = quantized(&random_network(topology(), 11));
    let pixels = random_pixels(&quantized.float, 24, 5);
    let float = float_network(&network, topology(), &pixels).unwrap();
    // What differs is the rounding of multipliers to 18 bits.
    let before = quantized.float.forward(&pixels).unwrap();
    let after = float.forward(&pixels).unwrap();
    assert!(distance(&before, &after) < 2e-4, "{}", distance(&before, &after));
    let trained = in_training(&float, &pixels);
    assert!(distance(&after, &trained) < 1e-5, "{}", distance(&after, &trained));
    // Not so before: its batch norms have other statistics than these pictures.
    assert!(0.1 < distance(&before, &in_training(&quantized.float, &pixels)));
}

#[test]
fn filters_before_batch_norm_have_the_variance_of_a_start_and_others_stay() {
    let (quantized, network) = quantized(&random_network(topology(), 12));
    let float =
        float_network(&network, topology(), &random_pixels(&quantized.float, 4, 6)).unwrap();
    for dot in float.topology.dot_layers() {
        let [old, new] = [&quantized.float, &float].map(|f| f.parameters[dot.layer_idx].as_ref());
        let (old, new) = (old.unwrap(), new.unwrap());
        for (old, new) in old.weights.chunks(dot.fan_in()).zip(new.weights.chunks(dot.fan_in())) {
            if old.iter().all(|&w| w == 0.0) {
                assert_eq!(old, new);
            } else if matches!(
                dot.layer.operator,
                TopologyOperator::Dot { batch_norm: Some(_), .. }
            ) {
                let squares: f32 = new.iter().map(|w| w * w).sum();
                assert!((squares - 2.0).abs() < 1e-5, "{}: {squares}", dot.layer.name);
            } else {
                assert!(distance(old, new) < 2e-4, "{}", dot.layer.name);
            }
        }
    }
}

#[test]
fn a_filter_of_zeros_stays_one() {
    let mut float = random_network(topology(), 13);
    let first = float.parameters[0].as_mut().unwrap();
    first.weights[..36].fill(0.0);
    let (quantized, network) = quantized(&float);
    let pixels = random_pixels(&float, 8, 7);
    let unfolded = float_network(&network, topology(), &pixels).unwrap();
    assert!(unfolded.parameters[0].as_ref().unwrap().weights[..36].iter().all(|&w| w == 0.0));
    let (before, after) = (quantized.float.forward(&pixels), unfolded.forward(&pixels));
    assert!(distance(&before.unwrap(), &after.unwrap()) < 2e-4);
}

#[test]
fn another_network_is_refused_in_a_line() {
    let (_, network) = quantized(&random_network(topology(), 14));
    let pixels = random_pixels(&random_network(topology(), 0), 1, 8);
    let refused = |text: &str| {
        let topology = Topology::from_toml(text).unwrap();
        float_network(&network, topology, &pixels).unwrap_err().to_string()
    };
    let changed = |from: &str, to: &str| {
        assert!(EVERYTHING.contains(from), "{from}");
        refused(&EVERYTHING.replacen(from, to, 1))
    };
    let start = "integer network `everything`: ";
    let end = ", as in network `everything`";
    assert_eq!(
        changed("height = 13", "height = 15"),
        format!("{start}its input must be 15×11×3{end}, got 13×11×3")
    );
    assert_eq!(
        changed("classes = 5", "classes = 4"),
        format!("{start}the output of layer `b.linear` must be 1×1×4{end}, got 1×1×5")
    );
    assert_eq!(
        refused(&EVERYTHING.replace("relu_pw", "pw")),
        format!("{start}a layer's name must be `a.pw`{end}, got `a.relu_pw`")
    );
    assert_eq!(
        changed(
            "[[block]]\nname = \"b\"\nlayers = [\n",
            "[[block]]\nname = \"b\"\nlayers = [\n  { op = \"subsample\", name = \"more\", stride = 1 },\n"
        ),
        format!("{start}the number of layers must be 20{end}, got 19")
    );
    assert_eq!(
        changed(
            "kernel = 3, stride = 2, pad = 1, norm = \"bn3\"",
            "kernel = 1, stride = 2, norm = \"bn3\""
        ),
        format!("{start}the operator of layer `b.strided` must be the same{end}, got another")
    );

    let mut description = network.clone().into_description();
    let last = description.layers.last_mut().unwrap();
    let Operator::Dot(dot) = &mut last.operator else { panic!("a linear layer is last") };
    dot.bias.fill(0);
    dot.bias[2] = 2;
    last.output.scale = 0.5;
    let network = Network::new(description).unwrap();
    let mut topology = topology();
    let TopologyOperator::Dot { bias, .. } = &mut topology.layers.last_mut().unwrap().operator
    else {
        panic!("a linear layer is last")
    };
    *bias = Bias::Absent;
    let refused = float_network(&network, topology, &pixels).unwrap_err().to_string();
    assert_eq!(refused, "layer `b.linear`: bias 2 must be 0: it has none, got 1");
}
