use tridot_sim::network::{Digits, Weights};

use super::*;
use crate::export::{self, RoundingLimit};
use crate::float::tests::{EVERYTHING, random_network, random_pixels};
use crate::scheme::Scheme;

fn everything() -> FloatNetwork {
    random_network(Topology::from_toml(EVERYTHING).unwrap(), 21)
}

/// Pictures of `everything`, with labels that mean something or nothing.
struct Random {
    pictures: Pictures,
    labelled: bool,
}

impl Random {
    fn new(pixels: &[u8], labels: Option<&[u16]>) -> Self {
        let shape = everything().topology.input;
        let nothing = vec![0; pixels.len() / shape.elements()];
        let pictures = Pictures {
            shape,
            pixels: pixels.to_vec(),
            labels: labels.map_or(nothing, <[u16]>::to_vec),
        };
        Self { pictures, labelled: labels.is_some() }
    }

    fn set(&self) -> CalibrationSet<'_> {
        let pictures = Source::from(&self.pictures);
        CalibrationSet { name: "random", pictures, labelled: self.labelled }
    }
}

fn id(topology: &Topology, name: &str) -> TensorId {
    TensorId::of_layer(topology.layers.iter().position(|layer| layer.name == name).unwrap())
}

#[test]
fn moves_share_a_format_and_the_rest_do_not() {
    let network = everything();
    let topology = &network.topology;
    let pixels = random_pixels(&network, 4, 1);
    let mut plan = Plan::default_with_branches(2);
    plan.activation_bits = 5;
    let quantized = quantize(&network, &plan, &Random::new(&pixels, None).set(), 0).unwrap();
    let format = |name: &str| quantized.formats[id(topology, name).0].unwrap();
    // max pool and splits of a ReLU6 output: unsigned, with the plan's bits
    for moved in ["a.max", "a.left", "a.right"] {
        assert_eq!(format(moved), format("a.conv"));
    }
    assert_eq!(format("a.conv").kind, Kind { bits: 5, sign: Sign::Unsigned });
    // the shuffle of the concat feeds a residual add and is no ReLU output: signed, 8 bits
    assert_eq!(format("a.shuffle"), format("a.concat"));
    assert_eq!(format("a.concat").kind, Kind { bits: 8, sign: Sign::Signed });
    // a linear output that only a dot product reads
    assert_eq!(format("a.dw").kind, Kind { bits: 5, sign: Sign::Signed });
    assert_eq!(format("b.conv2").kind, Kind { bits: 8, sign: Sign::Signed });
    // subsampled and padded: still the ReLU output of the add
    assert_eq!(format("b.padded"), format("b.add"));
    assert_eq!(format("b.add").kind, Kind { bits: 5, sign: Sign::Unsigned });
    assert_eq!(quantized.formats[0].unwrap().kind, Kind { bits: 8, sign: Sign::Signed });
    assert_eq!(quantized.formats.last(), Some(&None));
}

#[test]
fn concats_of_like_tensors_share_one_format() {
    let topology = crate::topology::builtin("shufflenetv2-0.5").unwrap();
    let classes = Classes::new(&topology, 8, Sign::Signed);
    let root = |name: &str| classes.root(id(&topology, name));
    assert_eq!(root("stage2.0.concat"), root("stage2.0.branch1.2"));
    assert_eq!(root("stage2.0.concat"), root("stage2.0.branch2.5"));
    // half of stage 2.0 passes by into the concat of 2.1
    assert_eq!(root("stage2.1.concat"), root("stage2.0.concat"));
    assert_eq!(root("stage2.3.shuffle"), root("stage2.0.concat"));
    assert_ne!(root("stage3.0.concat"), root("stage2.0.concat"));
    assert_ne!(root("stage2.1.branch2.0"), root("stage2.1.concat"));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let network = everything();
    let pixels = random_pixels(&network, 90, 1);
    let labels: Vec<u16> = (0..90).map(|i| i % 5).collect();
    let mut plan = Plan::default_with_branches(2);
    plan.calibration.samples = 40;
    plan.digits = Digits::SignMagnitude;
    let with = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let quantized =
                quantize(&network, &plan, &Random::new(&pixels, Some(&labels)).set(), seed)
                    .unwrap();
            export::network(&quantized, RoundingLimit::None).unwrap().network.to_bytes()
        })
    };
    let bytes = with(1, 0);
    assert!(bytes == with(2, 0));
    assert!(bytes == with(3, 0));
    assert!(bytes != with(1, 1));
}

#[test]
fn re_estimation_finds_the_statistics_behind_quantized_weights() {
    // The first layer's inputs are exact codes, so its batch norm must standardize what its own
    // quantized weights make of them.
    let network = everything();
    let pixels = random_pixels(&network, 32, 1);
    let mut plan = Plan::default_with_branches(1);
    plan.first = Scheme::Dbq { branches: 1 };
    plan.calibration.batch_norm = BatchNormChoice::ReEstimated;
    let quantized = quantize(&network, &plan, &Random::new(&pixels, None).set(), 0).unwrap();
    assert_eq!(quantized.provenance.batch_norm, "re-estimated on 32 pictures, as planned");
    let mut probe = quantized.float.clone();
    probe.parameters[0].as_mut().unwrap().batch_norm.as_mut().unwrap().beta.fill(0.0);
    let TopologyOperator::Dot { activation, .. } = &mut probe.topology.layers[0].operator else {
        unreachable!()
    };
    *activation = Activation::Identity;
    let mut sums = [(0.0, 0.0); 6];
    let mut count = 0.0;
    probe.run(&pixels, &mut |tensor, values| {
        if tensor == TensorId::INPUT {
            quantized.formats[0].unwrap().round(values);
        } else if tensor == TensorId(1) {
            count = values.len() as f64 / 6.0;
            for pixel in values.chunks_exact(6) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    sum.0 += f64::from(value);
                    sum.1 += f64::from(value).powi(2);
                }
            }
        }
    });
    let norm = probe.parameters[0].as_ref().unwrap().batch_norm.as_ref().unwrap();
    for (c, (sum, squares)) in sums.into_iter().enumerate() {
        let gamma = f64::from(norm.gamma[c]);
        assert!((sum / count).abs() < 1e-3 * gamma, "channel {c}");
        let wanted = gamma.powi(2) * f64::from(norm.variance[c])
            / (f64::from(norm.variance[c]) + norm.epsilon);
        assert!((squares / count - wanted).abs() < 1e-3 * wanted, "channel {c}");
    }
}

#[test]
fn batch_norm_is_chosen_by_held_back_loss_or_left() {
    let network = everything();
    let pixels = random_pixels(&network, 60, 1);
    let labels: Vec<u16> = (0..60).map(|i| i % 5).collect();
    let text = |labels: Option<&[u16]>, choice| {
        let mut plan = Plan::default_with_branches(1);
        plan.calibration.batch_norm = choice;
        quantize(&network, &plan, &Random::new(&pixels, labels).set(), 0).unwrap().provenance
    };
    let chosen = text(Some(&labels), BatchNormChoice::Best);
    assert_eq!(chosen.calibration_samples, 45); // a quarter is held back
    assert!(
        chosen
            .batch_norm
            .contains("re-estimated on 45 pictures; loss on 15 held-back pictures: as trained")
    );
    let left = text(None, BatchNormChoice::Best);
    assert_eq!(
        left.batch_norm,
        "as trained: without labelled pictures nothing decides for another"
    );
    assert_eq!(left.calibration_samples, 60);
    assert_eq!(text(None, BatchNormChoice::AsTrained).batch_norm, "as trained, as planned");
}

#[test]
fn wrong_calibration_data_is_refused() {
    let network = everything();
    let plan = Plan::default_with_branches(1);
    let refused = |pixels: &[u8], labels: Option<&[u16]>| {
        quantize(&network, &plan, &Random::new(pixels, labels).set(), 0).unwrap_err().to_string()
    };
    assert!(refused(&[], None).contains("the number of pictures must be positive"));
    let pixels = random_pixels(&network, 3, 1);
    assert_eq!(
        refused(&pixels, Some(&[0, 1])),
        "calibration data: the number of pixel bytes must be 858 (one label a picture), got 1287"
    );
    assert_eq!(
        refused(&pixels, Some(&[0, 5, 1])),
        "calibration data: the label of picture 1 must be below the 5 classes of the network, got 5"
    );
    let mut plan = Plan::default_with_branches(1);
    plan.layers.insert("b.conv9".into(), Scheme::Fixed { bits: 8 });
    let error =
        quantize(&network, &plan, &Random::new(&pixels, None).set(), 0).unwrap_err().to_string();
    assert!(error.starts_with("plan: layers: `b.conv9` is no layer with weights of `everything`"));
    assert!(error.contains("a.conv, a.dw, "));
}

#[test]
fn activations_that_overflow_are_refused_with_their_layer() {
    let mut network = everything();
    let conv = id(&network.topology, "b.conv2").layer().unwrap();
    network.parameters[conv].as_mut().unwrap().bias[0] = f32::MAX;
    let next = id(&network.topology, "b.strided").layer().unwrap();
    network.parameters[next].as_mut().unwrap().weights.fill(100.0);
    let pixels = random_pixels(&network, 3, 1);
    let plan = Plan::default_with_branches(1);
    let error =
        quantize(&network, &plan, &Random::new(&pixels, None).set(), 0).unwrap_err().to_string();
    let start = "layer `b.strided`: every output on calibration pictures must be finite, got ";
    assert!(error.starts_with(start), "{error}");
}

#[test]
fn weights_follow_the_plan() {
    let network = everything();
    let mut plan = Plan::default_with_branches(3);
    plan.layers.insert("a.relu_pw".into(), Scheme::Fixed { bits: 4 });
    let pixels = random_pixels(&network, 3, 1);
    let quantized = quantize(&network, &plan, &Random::new(&pixels, None).set(), 0).unwrap();
    let scheme = |name: &str| {
        let layer_idx = id(&network.topology, name).layer().unwrap();
        match quantized.weights[layer_idx].as_ref().unwrap().weights {
            Weights::Dbq { branches, .. } => Scheme::Dbq { branches },
            Weights::Fixed { bits, .. } => Scheme::Fixed { bits },
        }
    };
    assert_eq!(scheme("a.conv"), Scheme::Fixed { bits: 8 }); // first
    assert_eq!(scheme("a.dw"), Scheme::Fixed { bits: 8 }); // depthwise
    assert_eq!(scheme("b.linear"), Scheme::Fixed { bits: 8 }); // last
    assert_eq!(scheme("a.relu_pw"), Scheme::Fixed { bits: 4 }); // by name
    assert_eq!(scheme("b.conv1"), Scheme::Dbq { branches: 3 });
}
