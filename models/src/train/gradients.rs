//! Are the gradients of whole networks those of plain candle? One network of each family, in float and
//! with soft weights and codes; the other side is written from the topology alone, in `f64`.

use super::*;
use crate::data;

mod composed;
mod twin;

use twin::Twin;

/// A family's network, small: as many layers, few channels.
struct Case {
    network: &'static str,
}

/// Of soft weights.
const TEMPERATURE: f64 = 12.0;

const RESNET20: Case =
    Case { network: "name = \"small\"\nbase = \"resnet20\"\nsizes = { last_block = 1 }\n" };
const MOBILENETV1: Case = Case {
    network: "name = \"small\"\nbase = \"mobilenetv1\"\nwidth = 0.125\nclasses = 10\n\
              input = { height = 32, width = 32, channels = 3 }\nsizes = { first_stride = 1 }\n",
};
const MOBILENETV2: Case = Case {
    network: "name = \"small\"\nbase = \"mobilenetv2\"\nwidth = 0.1\nclasses = 10\n\
              input = { height = 32, width = 32, channels = 3 }\nsizes = { second_stride = 1 }\n",
};
const SHUFFLENETV2: Case = Case {
    network: "name = \"small\"\nbase = \"shufflenetv2\"\nclasses = 10\n\
              input = { height = 64, width = 64, channels = 3 }\n\
              sizes = { stage2 = 7, stage3 = 9, stage4 = 11, conv5 = 30 }\n",
};

/// Pictures of a batch.
const BATCH: usize = 6;
/// How far a parameter's gradient may be from the twin's, as a share of its norm: what rounding to `f32`
/// does to sums, and to the few values that it puts on the other side of a kink or of a code's border.
const TOLERANCE: f64 = 2e-3;

/// Where the twin's tensors come from.
#[derive(Clone, Copy, PartialEq)]
enum Forward {
    /// From its own forward pass: the whole network's.
    Own,
    /// From its own, layer by layer; the next layer reads the tape's tensors. A value that falls to the
    /// other side of a code's border moves many more in the layers after it, so that no two orders of
    /// summation have all codes of a deep network in common.
    Tapes,
}

impl Case {
    fn topology(&self) -> Topology {
        Topology::from_toml(&format!("format = 1\n{}", self.network)).unwrap()
    }

    /// Random weights; β and γ that are not those of every first step.
    fn model(&self) -> Model {
        let mut float = random_network(self.topology(), 7);
        let mut vary = 0_u32;
        for parameters in float.parameters.iter_mut().flatten() {
            let mut next = || {
                vary = (vary * 5 + 3) % 16;
                vary as f32 / 16.0
            };
            if let Some(norm) = &mut parameters.batch_norm {
                norm.gamma.iter_mut().for_each(|gamma| *gamma = 0.6 + 0.5 * next());
                norm.beta.iter_mut().for_each(|beta| *beta = 0.5 * next() - 0.2);
            }
        }
        Model { float, quantization: None }
    }

    fn pictures(&self) -> (Vec<u8>, Vec<u16>) {
        let shape = self.topology().input;
        let pictures = data::picture_like(shape, 5, BATCH).unwrap();
        (pictures.pixels, (0..BATCH).map(|i| (i * 3 % 10) as u16).collect())
    }

    fn quantized(&self) -> Model {
        let mut model = self.model();
        let plan = crate::scheme::Plan::from_toml(
            "format = 1\nothers = \"dbq(2)\"\nalpha = \"channel\"\ncalibration = { samples = 64 }\n",
        )
        .unwrap();
        let (pixels, _) = self.pictures();
        let mut quantization = Quantization::new(&model.float, &plan, &pixels).unwrap();
        // Clips that cut: their gradients are not nought.
        quantization.tensors.clips.iter_mut().for_each(|clip| *clip *= 0.7);
        model.quantization = Some(quantization);
        model
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// Compares the loss and all gradients.
fn compare(case: &Case, mut model: Model, forward: Forward) {
    let (pixels, labels) = case.pictures();
    let mut tape = Tape::default();
    let logits = tape.forward(&model, &pixels, TEMPERATURE).unwrap();
    let scored = loss::cross_entropy(logits, &labels);
    let twin = Twin::new(&mut model, TEMPERATURE);
    let tapes = (forward == Forward::Tapes).then_some(&tape);
    let (twins_loss, twins) = twin.run(&pixels, &labels, tapes);
    let gradients = tape.backward(&model, &scored.gradient, TEMPERATURE).unwrap();
    let gradients = model.in_order(gradients);
    let names = model.slots().into_iter().map(|slot| slot.name);
    let gradients: Vec<(String, Vec<f32>)> = names.zip(gradients).collect();
    let loss = scored.loss;
    assert!((loss - twins_loss).abs() < TOLERANCE * twins_loss, "loss {loss}, not {twins_loss}");
    assert_eq!(gradients.len(), twins.len(), "parameters");
    let whole = norm(twins.values().flatten().copied());
    let mut wrong = Vec::new();
    for (name, gradient) in &gradients {
        let twins = &twins[name];
        assert_eq!(gradient.len(), twins.len(), "{name}");
        let pairs = gradient.iter().zip(twins);
        let distance = norm(pairs.map(|(&ours, twins)| f64::from(ours) - twins));
        // A gradient of nothing but rounding has no direction.
        let allowed = TOLERANCE * (norm(twins.iter().copied()) + 1e-3 * whole);
        if distance.is_nan() || allowed < distance {
            wrong.push(format!("{name}: {distance:e} of {allowed:e}"));
        }
    }
    assert!(wrong.is_empty(), "of {} parameters {}: {wrong:#?}", gradients.len(), wrong.len());
}

#[test]
fn a_resnet_in_float() {
    compare(&RESNET20, RESNET20.model(), Forward::Own);
}

#[test]
fn a_resnet_with_branches_and_codes() {
    compare(&RESNET20, RESNET20.quantized(), Forward::Tapes);
}

#[test]
fn a_mobilenetv1_in_float() {
    compare(&MOBILENETV1, MOBILENETV1.model(), Forward::Own);
}

#[test]
fn a_mobilenetv1_with_branches_and_codes() {
    compare(&MOBILENETV1, MOBILENETV1.quantized(), Forward::Tapes);
}

#[test]
fn a_mobilenetv2_in_float() {
    compare(&MOBILENETV2, MOBILENETV2.model(), Forward::Own);
}

#[test]
fn a_mobilenetv2_with_branches_and_codes() {
    compare(&MOBILENETV2, MOBILENETV2.quantized(), Forward::Tapes);
}

#[test]
fn a_shufflenetv2_in_float() {
    compare(&SHUFFLENETV2, SHUFFLENETV2.model(), Forward::Own);
}

#[test]
fn a_shufflenetv2_with_branches_and_codes() {
    compare(&SHUFFLENETV2, SHUFFLENETV2.quantized(), Forward::Tapes);
}

/// The same networks of [`crate::operators`], through candle's autograd.
#[test]
fn candle_operators_give_the_gradients_of_the_tape() {
    for case in [RESNET20, MOBILENETV1, MOBILENETV2, SHUFFLENETV2] {
        let mut model = case.model();
        let (pixels, labels) = case.pictures();
        let mut tape = Tape::default();
        let logits = tape.forward(&model, &pixels, 1.0).unwrap();
        let scored = loss::cross_entropy(logits, &labels);
        let gradients = tape.backward(&model, &scored.gradient, 1.0).unwrap();
        let composed = composed::gradients(&mut model, &pixels, &labels);
        let gradients = model.in_order(gradients);
        assert_eq!(gradients.len(), composed.len());
        let whole = norm(gradients.iter().flatten().map(|&g| g.into()));
        for (gradient, (name, composed)) in gradients.iter().zip(&composed) {
            let distance =
                norm(gradient.iter().zip(composed).map(|(a, b)| f64::from(*a) - f64::from(*b)));
            let size = norm(gradient.iter().map(|&g| g.into()));
            assert!(distance <= 2e-3 * size + 1e-5 * whole, "{name}: {distance} of {size}");
        }
    }
}
