//! Built-in networks against the names and shapes of their checkpoints, and faults of network files.

use tridot_sim::network::{Pads, Shape, Window};

use super::*;

fn layer<'a>(topology: &'a Topology, name: &str) -> &'a TopologyLayer {
    topology.layers.iter().find(|layer| layer.name == name).unwrap()
}

#[test]
fn every_built_in_loads_under_its_own_name() {
    for name in builtin_names() {
        let topology = builtin(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(topology.name, name);
        assert_eq!(topology.shape(TensorId(topology.layers.len())).elements(), topology.classes);
    }
}

#[test]
fn resnets_differ_in_repetitions_alone() {
    // 6n + 2 layers with weights, 3n adds, and per halving one subsample and one pad; one pool.
    for (name, n) in [("resnet20", 3), ("resnet32", 5), ("resnet44", 7), ("resnet56", 9)] {
        let topology = builtin(name).unwrap();
        assert_eq!(topology.dot_layers().count(), 6 * n + 2);
        assert_eq!(topology.layers.len(), 6 * n + 2 + 3 * n + 4 + 1);
    }
}

#[test]
fn resnet20_has_the_names_and_shortcuts_of_its_checkpoint() {
    let topology = builtin("resnet20").unwrap();
    let names: Vec<_> = topology.dot_layers().map(|dot| dot.layer.name.as_str()).collect();
    assert_eq!(names[..3], ["conv1", "layer1.0.conv1", "layer1.0.conv2"]);
    assert_eq!(names[18..], ["layer3.2.conv2", "linear"]);
    let TopologyOperator::Dot { bias, batch_norm, activation, .. } =
        &layer(&topology, "layer2.1.conv1").operator
    else {
        panic!("a convolution")
    };
    let norm = BatchNorm { name: "layer2.1.bn1".to_owned(), epsilon: 1e-5 };
    assert_eq!((bias, batch_norm.as_ref()), (&Bias::Optional, Some(&norm)));
    assert_eq!(*activation, Activation::Relu);
    let pad = layer(&topology, "layer2.0.shortcut.pad");
    assert_eq!(pad.operator, TopologyOperator::ChannelPad { before: 8, after: 8 });
    assert_eq!(pad.shape, Shape::new(16, 16, 32));
    let subsample = &topology.layers[pad.inputs[0].layer().unwrap()];
    assert_eq!(topology.shape(subsample.inputs[0]), Shape::new(32, 32, 16));
    assert_eq!(layer(&topology, "layer2.0.add").inputs[1], TensorId(1 + index(&topology, pad)));
}

fn index(topology: &Topology, wanted: &TopologyLayer) -> usize {
    topology.layers.iter().position(|layer| layer == wanted).unwrap()
}

#[test]
fn same_padding_puts_the_odd_pad_at_the_end() {
    // 96 → 48 with kernel 3, stride 2 needs 47·2 + 3 − 96 = 1 pad.
    let topology = builtin("mobilenetv1-0.25-96-vww").unwrap();
    let Some(DotLayer { geometry: Geometry::Convolution { window, pads }, output, .. }) =
        topology.dot_layers().next()
    else {
        panic!("a convolution")
    };
    assert_eq!(window, Window::square(3, 2));
    assert_eq!(pads, Pads { top: 0, left: 0, bottom: 1, right: 1 });
    assert_eq!(output, Shape::new(48, 48, 8));
    let pool = layer(&topology, "pool").operator.clone();
    assert_eq!(pool, TopologyOperator::AveragePool { window: Window::square(3, 1) });
}

#[test]
fn same_padding_gives_the_ceiling_for_every_size() {
    for (size, kernel, stride) in
        (1..30).flat_map(|size| (1..8).flat_map(move |k| (1..5).map(move |s| (size, k, s))))
    {
        let (input, window) = (Shape::new(size, 1, 1), Window::square(kernel, stride));
        let pads = window::same(input, window);
        let output = window::output("", input, window, pads).unwrap();
        assert_eq!(output.height, size.div_ceil(stride));
        assert!(pads.bottom - pads.top <= 1);
    }
}

#[test]
fn the_folded_mobilenetv2_has_biases_and_no_batch_norm() {
    let topology = builtin("mobilenetv2-1.0-224-folded").unwrap();
    assert_eq!(topology.dot_layers().count(), 53);
    assert!(topology.dot_layers().all(|dot| matches!(
        dot.layer.operator,
        TopologyOperator::Dot { bias: Bias::Present, batch_norm: None, .. }
    )));
}

#[test]
fn family_members_have_their_width_and_side() {
    // Of MobileNetV1 0.5 at 128 pixels, Howard et al. print 49 million MACs (table 6 and 7).
    let topology = builtin("mobilenetv1-0.5-128").unwrap();
    assert_eq!((topology.input, topology.classes), (Shape::new(128, 128, 3), 1000));
    assert_eq!(topology.macs() / 1_000_000, 49);
    // The last convolution of MobileNetV2 is never narrower than 1280; 1.4 widens it to 1792.
    for (name, channels) in [("mobilenetv2-0.35-96", 1280), ("mobilenetv2-1.4-224", 1792)] {
        assert_eq!(layer(&builtin(name).unwrap(), "features.18.0").shape.channels, channels);
    }
    // 16·0.35 = 5.6 → 8; 24·0.35 = 8.4 → 8; 96·0.35 = 33.6 → 32.
    let narrow = builtin("mobilenetv2-0.35-96").unwrap();
    let channels = ["features.1.conv.1", "features.2.conv.2", "features.11.conv.2"];
    assert_eq!(channels.map(|name| layer(&narrow, name).shape.channels), [8, 8, 32]);
}

/// Weights, γ and β of batch norm, and the biases of layers without it.
fn parameters(topology: &Topology) -> u64 {
    let others = topology.dot_layers().map(|dot| {
        let TopologyOperator::Dot { batch_norm, .. } = &dot.layer.operator else { return 0 };
        dot.output.channels as u64 * if batch_norm.is_some() { 2 } else { 1 }
    });
    topology.weights() + others.sum::<u64>()
}

#[test]
fn mobilenetv1_for_cifar10_has_the_counts_of_its_list_of_layers() {
    // Channels and stride of each depthwise and pointwise pair, as `pytorch-cifar` lists them.
    let pairs = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1)];
    let pairs = pairs.into_iter().chain([(512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)]);
    for (name, divisor) in [("mobilenetv1-cifar10", 1), ("mobilenetv1-0.5-cifar10", 2_usize)] {
        let (mut side, mut channels) = (32, 32 / divisor);
        let mut macs = side * side * 27 * channels;
        let mut count = 27 * channels + 2 * channels;
        for (wide, stride) in pairs.clone() {
            let wide = wide / divisor;
            side /= stride;
            macs += side * side * channels * (9 + wide);
            count += channels * (9 + wide) + 2 * channels + 2 * wide;
            channels = wide;
        }
        let topology = builtin(name).unwrap();
        assert_eq!(layer(&topology, "block13.pointwise").shape, Shape::new(2, 2, channels));
        assert_eq!(topology.macs(), (macs + channels * 10) as u64, "{name}");
        assert_eq!(parameters(&topology), (count + channels * 10 + 10) as u64, "{name}");
    }
}

#[test]
fn mobilenetv2_and_shufflenetv2_for_cifar10_have_their_published_counts() {
    // Millions of parameters and multiply-accumulates in the table of `pytorch-cifar-models`, to a hundredth.
    for (name, millions, mega_macs) in [
        ("mobilenetv2-cifar10", 2.24, 87.98),
        ("mobilenetv2-0.5-cifar10", 0.70, 27.97),
        ("shufflenetv2-cifar10", 1.26, 45.00),
        ("shufflenetv2-0.5-cifar10", 0.35, 10.90),
    ] {
        let topology = builtin(name).unwrap();
        assert!((parameters(&topology) as f64 / 1e6 - millions).abs() < 0.005, "{name}");
        assert!((topology.macs() as f64 / 1e6 - mega_macs).abs() < 0.005, "{name}");
        let pool = &topology.layers[topology.layers.len() - 2];
        assert_eq!(topology.shape(pool.inputs[0]).height, 4, "{name}: what is pooled at the end");
    }
}

#[test]
fn unknown_names_list_the_built_ins() {
    for name in ["resnet21", "mobilenetv1-", "mobilenetv1-1e0-96", "mobilenetv2-0.5-x", ""] {
        let error = builtin(name).unwrap_err().to_string();
        assert!(error.contains("resnet20, resnet32"), "{error}");
    }
    let error = builtin("mobilenetv1-99-96").unwrap_err().to_string();
    assert!(error.starts_with("network `mobilenetv1-99-96`"), "{error}");
}

const SMALL: &str = r#"format = 1
name = "small"
input = { height = 8, width = 8, channels = 3 }
classes = 4
normalization = { mean = [0.0, 0.0, 0.0], std = [1.0, 1.0, 1.0] }
batch_norm = "separate"
epsilon = 1e-5
sizes = { wide = 8, last = 1 }
template.body.layers = [
  { op = "convolution", name = "conv", channels = "wide", kernel = 3, pad = 1, norm = "bn" },
]
[[block]]
name = "body.{i}"
repeat = { from = 0, to = "last" }
template = "body"
[[block]]
layers = [
  { op = "global_average_pool", name = "pool" },
  { op = "linear", name = "linear", channels = "classes" },
]
"#;

/// The error of `SMALL` with a text replaced.
fn fault(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    let error = Topology::from_toml(&SMALL.replace(from, to)).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn the_small_file_is_sound() {
    let topology = Topology::from_toml(SMALL).unwrap();
    let names: Vec<_> = topology.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["body.0.conv", "body.1.conv", "pool", "linear"]);
}

#[test]
fn faults_of_toml_have_line_and_column() {
    for (from, to, error) in [
        ("classes", "klasses", "line 4, column 1: unknown field `klasses`"),
        ("epsilon", "classes", "line 7, column 1: duplicate key"),
        ("kernel", "kernels", "line 10, column 59: unknown field `kernels`"),
        ("\"convolution\"", "\"conv\"", "line 10, column 10: unknown variant `conv`"),
        ("kernel = 3", "kernel = 3.5", "line 10, column 68: invalid type: floating point"),
        ("kernel = 3", "kernel = [3]", "line 10, column 68: invalid length 1"),
        ("format = 1\n", "", "line 1, column 1: missing field `format`"),
        ("format = 1", "format = 2", "line 1, column 10: format must be 1, the version"),
    ] {
        let got = fault(from, to);
        assert!(got.starts_with(error), "{got}\nnot {error}");
    }
}

#[test]
fn faults_of_meaning_name_place_limit_and_value() {
    let conv = "line 10, column 3, layer `body.0.conv`";
    let mut wrong = Vec::new();
    for (from, to, error) in [
        ("kernel = 3, ", "", format!("{conv}: missing key `kernel`")),
        ("pad = 1", "pad = 3", format!("{conv}: each pad in height, smaller than the kernel, must be between 0 and 2, got 3")),
        ("kernel = 3, pad = 1", "kernel = 9", format!("{conv}: the kernel's height, which must fit the padded picture, must be between 1 and 8, got 9")),
        ("channels = \"wide\"", "channels = \"wild\"", format!("{conv}: channels (`wild`): no size is named `wild`; there is last, wide, classes")),
        ("pad = 1", "groups = 1", "line 10, column 80: `groups` is no key of this op".to_owned()),
        ("classes = 4", "classes = 0", "line 4, column 11: classes must be between 1 and 65536, got 0".to_owned()),
        ("last = 1", "last = 4096", "line 10, column 3, layer `body.4096.conv`: the number of layers must be at most 4096, got 4097".to_owned()),
        ("last = 1", "last = 5000", "line 12, column 1: `to` (`last`) must be between 0 and 4096, got 5000".to_owned()),
        ("wide = 8", "wide = 8, idle = 2", "line 8, column 28: no layer reads size `idle`".to_owned()),
        ("std = [1.0, ", "std = [0.0, ", "line 5, column 17: each std must be between 0.000001 and 1000000, got 0".to_owned()),
        ("std = [1.0, ", "std = [", "line 5, column 17: the number of values of `std` must be 3 (one per input channel), got 2".to_owned()),
        ("epsilon = 1e-5\n", "", "line 9, column 3, layer `body.0.conv`: batch norm needs the file's `epsilon`".to_owned()),
        ("name = \"linear\"", "name = \"pool\"", "line 19, column 3: the name `pool` is taken".to_owned()),
        ("name = \"linear\"", "name = \"input\"", "line 19, column 3, layer `input`: `input` is the name of the block's input".to_owned()),
        ("name = \"linear\"", "name = \"linear\", inputs = [\"conv\"]", "line 19, column 3, layer `linear`: input `conv` is no earlier layer of the block, nor `input`".to_owned()),
        ("name = \"linear\"", "name = \"linear\", inputs = [\"input\"]", "line 18, column 3, layer `pool`: no layer reads its tensor".to_owned()),
        ("channels = \"classes\"", "channels = 5", "line 4, column 11: classes must be 5, the elements of the last tensor, got 4".to_owned()),
        ("body.{i}", "body", "line 12, column 1: a block's name contains `{i}` if and only if it has `repeat`".to_owned()),
        ("template = \"body\"", "template = \"bodi\"", "line 15, column 12: no template is named `bodi`".to_owned()),
        ("epsilon = 1e-5", "epsilon = 1e-5\nwidth = 0.5", "line 8, column 9: `width` needs a `channel_divisor`".to_owned()),
        ("height = 8", "height = 16384", "line 18, column 3, layer `pool`: the input's height, to be averaged, must be at most 1024, got 16384".to_owned()),
    ] {
        let got = fault(from, to);
        if !got.starts_with(&error) {
            wrong.push(format!("{got}\nnot {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_base_gives_what_the_file_leaves_out() {
    let base = |rest: &str| {
        Topology::from_toml(&format!("format = 1\nname = \"mine\"\nbase = \"resnet20\"\n{rest}"))
    };
    let topology = base("sizes = { last_block = 0 }\nclasses = 100\n").unwrap();
    // ResNet-8: 6·1 + 2 layers with weights.
    assert_eq!((topology.dot_layers().count(), topology.classes), (8, 100));
    for (rest, error) in [
        ("sizes = { blocks = 2 }", "line 4, column 20: base `resnet20` has no size `blocks`"),
        (
            "input = { height = 1, width = 1, channels = 1 }",
            "line 7, column 17 of base `resnet20`: the number of values of `mean` must be 1",
        ),
        ("block = []", "line 1, column 1: a file with a base takes its blocks"),
    ] {
        let got = base(rest).unwrap_err().to_string();
        assert!(got.starts_with(error), "{got}\nnot {error}");
    }
    for (name, error) in [("resnet32", "has a base itself"), ("resnet", "must be one of resnet20")]
    {
        let text = format!("format = 1\nname = \"mine\"\nbase = \"{name}\"\n");
        let got = Topology::from_toml(&text).unwrap_err().to_string();
        assert!(got.starts_with("line 3, column 8: ") && got.contains(error), "{got}");
    }
}

#[test]
fn a_message_is_one_short_line_whatever_the_names() {
    let long = "x".repeat(100_000);
    for key in [format!("\"a\\u0007\\n{long}\""), "\"\\u001b[31m\"".to_owned()] {
        for text in [format!("{key} = 1\n{SMALL}"), SMALL.replace("\"wide\"", &key)] {
            let error = Topology::from_toml(&text).unwrap_err().to_string();
            assert!(
                error.chars().count() < 1000 && !error.chars().any(char::is_control),
                "{error}"
            );
        }
    }
}
