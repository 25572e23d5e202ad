use tridot_sim::network::Operator;

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

/// With batch norm measured on these pictures.
fn float_network(
    network: &Network,
    topology: Topology,
    pixels: &[u8],
) -> Result<FloatNetwork, Error> {
    Unfolded::new(network, topology)?.float_network(pixels)
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

/// How the integer network of `EVERYTHING` is refused as one of another text.
fn refused(text: &str) -> String {
    let (_, network) = quantized(&random_network(topology(), 14));
    let topology = Topology::from_toml(text).unwrap();
    Unfolded::new(&network, topology).unwrap_err().to_string()
}

/// As one of a text with a change.
fn changed(from: &str, to: &str) -> String {
    assert!(EVERYTHING.contains(from), "{from}");
    refused(&EVERYTHING.replacen(from, to, 1))
}

const START: &str = "integer network `everything`: ";
const END: &str = ", as in network `everything`";

#[test]
fn a_network_of_other_layers_is_refused_in_a_line() {
    assert_eq!(
        changed("height = 13", "height = 15"),
        format!("{START}its input must be 15×11×3{END}, got 13×11×3")
    );
    assert_eq!(
        changed("classes = 5", "classes = 4"),
        format!("{START}the output of layer `b.linear` must be 1×1×4{END}, got 1×1×5")
    );
    assert_eq!(
        refused(&EVERYTHING.replace("relu_pw", "pw")),
        format!("{START}a layer's name must be `a.pw`{END}, got `a.relu_pw`")
    );
    assert_eq!(
        changed(
            "[[block]]\nname = \"b\"\nlayers = [\n",
            "[[block]]\nname = \"b\"\nlayers = [\n  { op = \"subsample\", name = \"more\", stride = 1 },\n"
        ),
        format!("{START}the number of layers must be 20{END}, got 19")
    );
}

#[test]
fn a_network_of_another_function_is_refused_in_a_line() {
    // Its fan-in differs, and nothing that it or another layer makes.
    assert_eq!(
        changed(
            "name = \"relu_pw\", inputs = [\"right\"]",
            "name = \"relu_pw\", inputs = [\"left\"]"
        ),
        format!("{START}the inputs of layer `a.relu_pw` must be the same{END}, got others")
    );
    assert_eq!(
        changed("std = [0.25, 0.3, 0.2]", "std = [0.25, 0.35, 0.2]"),
        format!("{START}what a pixel becomes must be the same number{END}, got another")
    );
    let another = |layer: &str| {
        format!("{START}the operator of layer `{layer}` must be the same{END}, got another")
    };
    for (from, to, layer) in [
        ("groups = 4", "groups = 2", "a.shuffle"),
        ("first = 2, channels = 4", "first = 1, channels = 4", "a.right"),
        ("before = 1, after = 2", "before = 2, after = 1", "b.padded"),
        ("norm = \"relu_bn\", activation = \"relu\"", "norm = \"relu_bn\"", "a.relu_pw"),
        ("\"input\"], activation = \"relu\"", "\"input\"]", "b.add"),
        (
            "\"average_pool\", name = \"pool\", kernel = 2",
            "\"max_pool\", name = \"pool\", kernel = 2",
            "b.pool",
        ),
    ] {
        assert_eq!(changed(from, to), another(layer));
    }
    assert_eq!(
        changed(
            "kernel = 3, stride = 2, pad = 1, norm = \"bn3\"",
            "kernel = 1, stride = 2, norm = \"bn3\""
        ),
        format!("{START}the operator of layer `b.strided` must be the same{END}, got another")
    );
}

#[test]
fn numbers_that_no_float_network_has_are_refused_in_a_line() {
    let (_, network) = quantized(&random_network(topology(), 14));
    let mut description = network.clone().into_description();
    let add = description.layers.iter_mut().find(|layer| layer.name == "b.add").unwrap();
    let Operator::Add { multipliers, .. } = &mut add.operator else { panic!("it adds") };
    multipliers[1] -= 1;
    let scaled = Network::new(description).unwrap();
    assert_eq!(
        Unfolded::new(&scaled, topology()).unwrap_err().to_string(),
        format!(
            "{START}the multipliers of layer `b.add` must be the ratios of scales{END}, got others"
        )
    );
    let mut description = network.into_description();
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
    let refused = Unfolded::new(&network, topology).unwrap_err().to_string();
    assert_eq!(refused, "layer `b.linear`: bias 2 must be 0: it has none, got 1");
}

/// What a network of the zoo says of pictures in integers, and what its float network does.
fn logits(name: &str, n: usize) -> (Vec<f64>, Vec<f32>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/zoo");
    let bytes = std::fs::read(format!("{folder}/{name}.safetensors")).unwrap();
    let network = Network::from_bytes(&bytes).unwrap();
    let topology = crate::topology::builtin(&network.name).unwrap();
    let pictures = crate::data::picture_like(topology.input, 3, n).unwrap();
    let elements = topology.input.elements();
    let output = network.tensor(network.output_id()).scale;
    let integer = pictures.pixels.chunks(elements).flat_map(|picture| {
        let tensors = tridot_sim::reference::run(&network, picture).unwrap();
        tensors.last().unwrap().iter().map(|&y| y as f64 * output).collect::<Vec<_>>()
    });
    let integer = integer.collect();
    let float = float_network(&network, topology, &pictures.pixels).unwrap();
    (integer, float.forward(&pictures.pixels).unwrap())
}

#[test]
fn networks_of_the_zoo_stay_what_they_are_but_for_activations() {
    for name in
        ["resnet20-cifar10-f8", "mobilenetv1-0.25-96-vww01-f8", "shufflenetv2-0.5-cifar10-b1"]
    {
        let (integer, float) = logits(name, 6);
        let most = integer.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let squares: f64 =
            integer.iter().zip(&float).map(|(a, &b)| (a - f64::from(b)).powi(2)).sum();
        let distance = (squares / integer.len() as f64).sqrt() / most;
        assert!(distance < 0.05, "{name}: {distance}");
    }
}
