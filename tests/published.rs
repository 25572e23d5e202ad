//! How far from the literature, and why? Counts and complexity of the built-in networks.

use tridot_models::topology::{self, Topology};
use tridot_sim::complexity::{self, Precision};

fn builtin(name: &str) -> Topology {
    topology::builtin(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn full_adders(name: &str, precision: Precision) -> u64 {
    let topology = builtin(name);
    let complexity = complexity::of_shapes(&topology.layer_shapes(), precision).unwrap();
    complexity.total.computational_full_adders
}

/// As printed with so many decimals.
fn printed(value: u64, unit: f64, decimals: usize) -> String {
    format!("{:.decimals$}", value as f64 / unit)
}

/// Origin: the designs' tables, whose layers are those of He et al. 2016 (section 4.2, option A), Howard et
/// al. 2017 (table 1), Sandler et al. 2018 (table 2), Ma et al. 2018 (table 5) and the `MLPerf` Tiny benchmark.
/// The papers print 569, 300 and 146 million MACs for the three of 224×224; Ma et al. count the first
/// max pool among theirs.
#[test]
fn macs_in_millions_and_weights() {
    for (name, macs, weights) in [
        ("resnet20", "40.551", 268_336),
        ("mobilenetv1", "568.740", 4_209_088),
        ("mobilenetv2", "300.774", 3_469_760),
        ("shufflenetv2", "144.908", 2_261_424),
        ("mobilenetv1-0.25-96-vww", "7.490", 208_112),
    ] {
        let topology = builtin(name);
        assert_eq!(printed(topology.macs(), 1e6, 3), macs, "{name}");
        assert_eq!(topology.weights(), weights, "{name}");
    }
}

/// Origin: the sum over layers of pixels · channels · (64·D + (D − 1)·(15 + ⌈log2 D⌉)), the formula of
/// Sakr et al. (ICML 2017) at 8-bit weights and activations, done apart from this program.
#[test]
fn computational_complexity_at_8_bits_in_billions() {
    for (name, expected) in [
        ("resnet20", "3.5588"),
        ("mobilenetv1", "49.4563"),
        ("mobilenetv2", "25.7942"),
        ("shufflenetv2", "12.4449"),
        ("mobilenetv1-0.25-96-vww", "0.6321"),
    ] {
        let uniform = Precision::Uniform { weight_bits: 8, activation_bits: 8 };
        assert_eq!(printed(full_adders(name, uniform), 1e9, 4), expected, "{name}");
    }
}

/// Origin: the sum over layers of pixels · channels · B · ((D − 1)·(8 + ⌈log2 D⌉) + 16·(9 + ⌈log2 D⌉)).
/// Exactly 732,847,060 for one branch, and twice, three times that: all costs are a branch's.
#[test]
fn computational_complexity_of_ternary_resnet20_in_billions() {
    for (branches, expected) in [(1, "0.7328"), (2, "1.4657"), (3, "2.1985")] {
        let ternary = Precision::Ternary { branches, activation_bits: 8, scale_bits: 16 };
        assert_eq!(printed(full_adders("resnet20", ternary), 1e9, 4), expected, "{branches}");
    }
}

/// ResNet-20 at 8 bits by hand: 268,336 weights; inputs 32²·3 of the first layer, 32²·16 of seven
/// (six of stage 1 and the first of stage 2), 16²·32 of six, 8²·64 of five, 64 of the last.
#[test]
fn representational_and_storage_complexity_of_resnet20() {
    let topology = builtin("resnet20");
    let uniform = Precision::Uniform { weight_bits: 8, activation_bits: 8 };
    let total = complexity::of_shapes(&topology.layer_shapes(), uniform).unwrap().total;
    let inputs = 1024 * 3 + 7 * 1024 * 16 + 6 * 256 * 32 + 5 * 64 * 64 + 64;
    assert_eq!(total.storage_bits, 8 * 268_336);
    assert_eq!(total.representational_bits, 8 * (268_336 + inputs));
    let ternary = Precision::Ternary { branches: 2, activation_bits: 8, scale_bits: 16 };
    let total = complexity::of_shapes(&topology.layer_shapes(), ternary).unwrap().total;
    assert_eq!(total.storage_bits, 2 * 2 * 268_336);
}

/// The quickstart network trains in seconds: at most 2.5 M MACs.
/// 1024·8·27 + 256·8·9 + 256·8·8 + 3·64·8·72 + 8·10.
#[test]
fn quickstart_is_small() {
    let topology = builtin("quickstart");
    assert_eq!(topology.macs(), 221_184 + 18_432 + 16_384 + 3 * 36_864 + 80);
    assert!(topology.macs() <= 2_500_000);
}
