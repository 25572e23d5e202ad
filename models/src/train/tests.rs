//! Whole trainings of networks of a few hundred weights.

use tridot_sim::digest::Digest;
use tridot_sim::network::{Operator, Weights};

use super::*;
use crate::data;
use crate::export::{self, RoundingLimit};
use crate::kernels::finish;
use crate::kernels::lanes::InstructionSet;
use crate::layers::WeightQuantizer;

mod baselines;
mod digest;
mod files;
mod objective;

/// One layer of every kind: dense, strided, depthwise, shortcut with pads, split, shuffle, pools.
const NETWORK: &str = r#"
format = 1
name = "small"
input = { height = 32, width = 32, channels = 3 }
classes = 10
normalization = { mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }
batch_norm = "separate"
epsilon = 1e-5

[[block]]
layers = [
  { op = "convolution", name = "stem", channels = 6, kernel = 3, stride = 2, pads = { top = 0, left = 1, bottom = 1, right = 0 }, norm = "stem_bn", activation = "relu6" },
  { op = "max_pool", name = "pool", kernel = 3, stride = 2, pad = 1 },
]

[[block]]
name = "narrowing"
layers = [
  { op = "convolution", name = "conv1", channels = 8, kernel = 3, stride = 2, pad = 1, norm = "bn1", activation = "relu" },
  { op = "convolution", name = "conv2", channels = 8, kernel = 3, pad = 1, norm = "bn2" },
  { op = "subsample", name = "subsample", inputs = ["input"], stride = 2 },
  { op = "channel_pad", name = "pad", before = 1, after = 1 },
  { op = "add", name = "add", inputs = ["conv2", "pad"], activation = "relu" },
]

[[block]]
name = "shuffled"
layers = [
  { op = "split", name = "left", first = 0, channels = 4 },
  { op = "split", name = "right", inputs = ["input"], first = 4, channels = 4 },
  { op = "depthwise", name = "depthwise", kernel = 3, pad = 1, norm = "depthwise_bn" },
  { op = "convolution", name = "pointwise", channels = 5, kernel = 1, norm = "pointwise_bn", activation = "relu" },
  { op = "concat", name = "concat", inputs = ["left", "pointwise"] },
  { op = "shuffle", name = "shuffle", groups = 3 },
]

[[block]]
name = "head"
layers = [
  { op = "global_average_pool", name = "average" },
  { op = "linear", name = "linear", channels = "classes" },
]
"#;

const QUANTIZED: &str = "[[stage]]\nweights = \"quantized\"\nepochs = 2\nbatch = 32\n\
    learning_rate = 0.02\nclip_norm = 5.0\ntemperature = { from = 10.0, to = 200.0 }\n\
    [quantization]\nothers = \"dbq(2)\"\ncalibration = { samples = 64 }\n\
    layers = { \"narrowing.conv1\" = \"dbq(3)\", \"shuffled.pointwise\" = \"fixed(4)\" }\n";

fn texts(alpha: &str) -> Texts {
    let float = "format = 1\nnetwork = \"small\"\nstart = \"scratch\"\nheld_back = 32\n\
        [[stage]]\nweights = \"float\"\nepochs = 3\nbatch = 32\nlearning_rate = 0.05\n\
        warmup_epochs = 0.5\naugmentation = { crop = 2, flip = true }\n";
    let alpha = format!("alpha = \"{alpha}\"\n");
    Texts {
        plan: format!("{float}{QUANTIZED}").replace("calibration", &format!("{alpha}calibration")),
        network: NETWORK.to_owned(),
    }
}

fn set() -> data::DataSet {
    data::synthetic(3, 400, 200)
}

fn borrowed(set: &data::DataSet) -> TrainingData<'_> {
    TrainingData {
        name: set.name,
        classes: set.classes,
        training: (&set.calibration).into(),
        test: (&set.test).into(),
    }
}

fn run(trainer: &mut Trainer, data: &TrainingData<'_>, epochs: usize) -> Vec<EpochReport> {
    (0..epochs).map(|_| trainer.epoch(data, &mut |_| ()).unwrap()).collect()
}

#[test]
fn training_learns_and_its_quantized_network_keeps_what_was_learned() {
    let set = set();
    let data = borrowed(&set);
    let mut trainer = Trainer::new(texts("channel"), None, &data).unwrap();
    let reports = run(&mut trainer, &data, 5);
    assert!(trainer.next().is_none());
    assert!(reports[2].loss < reports[0].loss - 0.2, "{} {}", reports[0].loss, reports[2].loss);
    assert!(reports[4].loss < reports[2].loss + 0.3, "{} {}", reports[2].loss, reports[4].loss);
    assert_eq!(reports[4].held_back.unwrap().samples, 32);
    assert!(reports[2].branches.is_empty());
    // Three branches by hand: zeros of each, and its scale over the weights' size at the start.
    let state = &reports[4].branches[0];
    assert_eq!((state.layer.as_str(), state.relative_scales.len()), ("narrowing.conv1", 3));
    assert!(state.relative_scales.is_sorted_by(|a, b| a >= b), "{:?}", state.relative_scales);
    assert!(state.relative_scales.iter().all(|scale| (0.02..3.0).contains(scale)));
    assert!((reports[4].temperature.unwrap() - 200.0).abs() < 1e-9);

    // The integer network differs from the one in codes by the rounding of its multipliers alone:
    // few pictures lie so near to a border between classes that it matters.
    let pictures = (&set.calibration).into();
    let calibration = CalibrationSet { name: set.name, pictures, labelled: false };
    let quantized = trainer.quantized_network(&calibration).unwrap();
    let network = export::network(&quantized, RoundingLimit::OneStep).unwrap().network;
    let Operator::Dot(dot) =
        &network.layers.iter().find(|l| l.name == state.layer).unwrap().operator
    else {
        unreachable!("a convolution")
    };
    let Weights::Dbq { codes, .. } = &dot.weights else { unreachable!("three branches") };
    for (branch, percent) in state.zero_trits_percent.iter().enumerate() {
        let trit = |code: u8| code / 3_u8.pow(u32::try_from(branch).unwrap()) % 3;
        let zeros = codes.iter().filter(|&&code| trit(code) == 1).count();
        assert!((percent - 100.0 * zeros as f64 / codes.len() as f64).abs() < 1e-9);
    }
    let logits = quantized.forward(&set.test.pixels).unwrap();
    let integers = crate::candle_model::run(&network, &set.test.pixels, 200).unwrap();
    let integers = integers.last().unwrap();
    let same = logits.chunks_exact(10).zip(integers.chunks_exact(10)).filter(|(float, integer)| {
        let best = (0..10).rev().max_by_key(|&class| integer[class]).unwrap();
        crate::float::largest(float) == best
    });
    let same = same.count();
    assert!(196 <= same, "the same class for {same} of 200 pictures");
    assert_eq!(quantized.provenance.float_accuracy.unwrap().samples, 200);
}

#[test]
fn between_two_stages_pictures_are_changed_as_in_the_one_that_is_done() {
    let set = set();
    let data = borrowed(&set);
    let pictures = (&set.calibration).into();
    let calibration = CalibrationSet { name: set.name, pictures, labelled: false };
    let exported = |further: &str, epochs: usize| {
        let mut texts = texts("layer");
        let (from, to) = ("clip_norm = 5.0\n", "clip_norm = 5.0\naugmentation = { crop = 8 }\n");
        texts.plan = texts.plan.replacen(from, to, 1) + further;
        let (from, to) = ("samples = 64", "samples = 64, batch_norm = \"re_estimated\"");
        texts.plan = texts.plan.replacen(from, to, 1);
        let mut trainer = Trainer::new(texts, None, &data).unwrap();
        run(&mut trainer, &data, epochs);
        trainer.quantized_network(&calibration).unwrap().forward(&set.test.pixels).unwrap()
    };
    let plain = "[[stage]]\nweights = \"quantized\"\nepochs = 1\nbatch = 32\nlearning_rate = 0.02\n\
        temperature = { from = 200.0, to = 200.0 }\n";
    let alone = exported("", 5);
    assert!(exported(plain, 5) == alone, "before the next stage's first epoch");
    assert!(exported(plain, 6) != alone, "behind it");
}

#[test]
fn going_on_with_other_kernels_is_said() {
    let set = set();
    let data = borrowed(&set);
    let mut trainer = Trainer::new(texts("channel"), None, &data).unwrap();
    run(&mut trainer, &data, 1);
    let mut bytes = trainer.to_bytes();
    assert_eq!(Trainer::resume(&bytes).unwrap().remark(), None);
    let key = br#"instruction_set\":\""#;
    let name = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    bytes[name] = b'X';
    bytes = digest::without_digest(&bytes);
    let (before, now) = (&InstructionSet::best().name()[1..], InstructionSet::best().name());
    assert_eq!(
        Trainer::resume(&bytes).unwrap().remark().unwrap(),
        format!(
            "its last epoch ran on X{before} kernels, what follows runs on {now}: the last bits of sums may differ"
        )
    );
}

#[test]
fn a_resumed_training_equals_an_undisturbed_one_bit_for_bit() {
    let set = set();
    let data = borrowed(&set);
    let mut whole = Trainer::new(texts("layer"), None, &data).unwrap();
    let mut states = vec![whole.to_bytes()];
    while whole.next().is_some() {
        whole.epoch(&data, &mut |_| ()).unwrap();
        states.push(whole.to_bytes());
    }
    assert_eq!(states.len(), 6);
    for (epoch, pair) in states.windows(2).enumerate() {
        let mut resumed = Trainer::resume(&pair[0]).unwrap();
        assert!(resumed.to_bytes() == pair[0], "what was read is written again, epoch {epoch}");
        resumed.epoch(&data, &mut |_| ()).unwrap();
        assert!(resumed.to_bytes() == pair[1], "epoch {epoch}");
    }
    // A float network of it is read as of any other tool.
    let checkpoint = crate::import::Checkpoint::read(&states[3]).unwrap();
    let topology = Topology::from_toml(NETWORK).unwrap();
    let float = crate::import::float_network(&checkpoint, topology).unwrap();
    assert_eq!(&float, Trainer::resume(&states[3]).unwrap().float_network());
}

#[test]
fn weights_on_file_are_those_that_are_kept() {
    let set = set();
    let data = borrowed(&set);
    let mut texts = texts("layer");
    let (from, to) = ("warmup_epochs = 0.5\n", "warmup_epochs = 0.5\naverage = { decay = 0.9 }\n");
    texts.plan = texts.plan.replacen(from, to, 1);
    let mut trainer = Trainer::new(texts, None, &data).unwrap();
    run(&mut trainer, &data, 1);
    let bytes = trainer.to_bytes();
    let checkpoint = crate::import::Checkpoint::read(&bytes).unwrap();
    let topology = Topology::from_toml(NETWORK).unwrap();
    let float = crate::import::float_network(&checkpoint, topology).unwrap();
    assert_eq!(&float, trainer.float_network());
    assert_ne!(float, trainer.model.float, "an average is not the last step");
    let remark = checkpoint.remark().unwrap();
    assert_eq!(remark, "its training is not finished: 1 of 3 epochs of stage 1 are done");
    // It goes on from the last step.
    let mut resumed = Trainer::resume(&bytes).unwrap();
    assert_eq!(resumed.model.float, trainer.model.float);
    assert_eq!(run(&mut resumed, &data, 3), run(&mut trainer, &data, 3));
    assert!(resumed.to_bytes() == trainer.to_bytes());
    let behind = crate::import::Checkpoint::read(&trainer.to_bytes()).unwrap();
    assert!(behind.remark().unwrap().contains("behind quantizers"));
}

#[test]
fn layers_of_any_name_are_read_back() {
    let set = set();
    let data = borrowed(&set);
    let mut texts = texts("layer");
    for name in ["narrowing", "shuffled", "head", "module"] {
        texts.network = texts
            .network
            .replace(&format!("[[block]]\nname = \"{name}\""), "[[block]]\nname = \"module\"");
    }
    texts.network =
        texts.network.replacen("[[block]]\nlayers", "[[block]]\nname = \"module\"\nlayers", 1);
    texts.plan = texts.plan.replace("narrowing.", "module.").replace("shuffled.", "module.");
    let mut trainer = Trainer::new(texts.clone(), None, &data).unwrap();
    let bytes = trainer.to_bytes();
    assert!(Trainer::resume(&bytes).unwrap().to_bytes() == bytes);
    let names = trainer.float_network().topology.layers.iter().map(|layer| &layer.name);
    assert!(names.into_iter().all(|name| name.starts_with("module.")));
    texts.network = texts.network.replace("\"module\"", "\"training/a\"");
    texts.plan = texts.plan.replace("module.", "training/a.");
    let error = Trainer::new(texts, None, &data).unwrap_err().to_string();
    assert!(error.contains("must not begin with `training/`"), "{error}");
}

#[test]
fn a_training_goes_on_with_what_it_began_with() {
    let set = set();
    let data = borrowed(&set);
    let trainer = Trainer::new(texts("layer"), None, &data).unwrap();
    let bytes = trainer.from_file(Digest::of(b"weights")).to_bytes();
    let resumed = Trainer::resume(&bytes).unwrap();
    assert!(resumed.check_data(&data).is_ok());
    assert!(resumed.check_from(Digest::of(b"weights")).is_ok());
    let error = resumed.check_from(Digest::of(b"others")).unwrap_err().to_string();
    assert!(error.contains("not the file of weights that this training began with"), "{error}");
    let other = data::synthetic(3, 410, 200);
    let error = resumed.check_data(&borrowed(&other)).unwrap_err().to_string();
    assert!(error.contains("other labels than those"), "{error}");
}

#[test]
fn a_checkpoint_whose_position_and_quantizers_disagree_is_refused() {
    let set = set();
    let data = borrowed(&set);
    let mut trainer = Trainer::new(texts("layer"), None, &data).unwrap();
    run(&mut trainer, &data, 4);
    let good = trainer.position;
    trainer.position = Position { stage: 0, epoch: 2 };
    let error = Trainer::resume(&trainer.to_bytes()).unwrap_err().to_string();
    assert!(error.ends_with("has clips, but its position is before every quantized stage"));
    trainer.position = good;
    trainer.model.quantization = None;
    trainer.sgd = Sgd::new(&trainer.model.slots());
    let error = Trainer::resume(&trainer.to_bytes()).unwrap_err().to_string();
    assert!(error.ends_with("has no clips, but its position is in or behind a quantized stage"));
}

#[test]
fn one_and_three_threads_give_the_same_bytes() {
    let set = set();
    let data = borrowed(&set);
    let bytes = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = Trainer::new(texts("layer"), None, &data).unwrap();
            run(&mut trainer, &data, 4);
            trainer.to_bytes()
        })
    };
    assert!(bytes(1) == bytes(3));
}

#[test]
fn a_training_that_runs_away_stops_and_says_where() {
    let set = set();
    let data = borrowed(&set);
    let mut texts = texts("layer");
    texts.plan = texts.plan.replace("learning_rate = 0.05", "learning_rate = 1e30");
    let mut trainer = Trainer::new(texts, None, &data).unwrap();
    let error = trainer.epoch(&data, &mut |_| ()).unwrap_err().to_string();
    assert!(error.starts_with("stage 1, epoch 1, step "), "{error}");
    assert!(error.contains("must be finite, got"), "{error}");
}

#[test]
fn data_that_contradicts_the_network_is_refused() {
    let set = set();
    let data = borrowed(&set);
    let refused = |data: TrainingData<'_>, from: &str, to: &str| {
        let mut texts = texts("layer");
        texts.plan = texts.plan.replacen(from, to, 1);
        Trainer::new(texts, None, &data).unwrap_err().to_string()
    };
    let classes = TrainingData { classes: 2, ..data };
    assert_eq!(
        refused(classes, "", ""),
        "data `synthetic`: the number of classes must be 10, as the network's outputs, got 2"
    );
    assert!(refused(data, "batch = 32", "batch = 400").contains("at most the 368 pictures"));
    assert_eq!(
        refused(data, "held_back = 32", "held_back = 400"),
        "plan: held_back must be below the 400 training pictures, got 400"
    );
    assert!(refused(data, "\"scratch\"", "\"checkpoint\"").contains("and none is given"));
    assert!(
        refused(data, "narrowing.conv1", "narrowing.conv9").contains("`narrowing.conv9` is no")
    );
    let mut trainer = Trainer::new(texts("layer"), None, &data).unwrap();
    let bytes = trainer.to_bytes();
    let other = TrainingData { name: "cifar10", ..data };
    let error = Trainer::resume(&bytes).unwrap().check_data(&other).unwrap_err().to_string();
    assert!(error.contains("must be `synthetic`"), "{error}");
    let half = &bytes[..bytes.len() / 2];
    assert!(Trainer::resume(half).is_err());
}

/// The loss of a batch, with soft weights.
fn loss_of(model: &Model, tape: &mut Tape, pixels: &[u8], labels: &[u16], temperature: f64) -> f64 {
    loss::cross_entropy(tape.forward(model, pixels, temperature).unwrap(), labels).loss
}

/// A model in the middle of a quantized stage, with clips that cut, and without rounding: where
/// values are rounded the gradient goes straight through and is no derivative.
fn smooth_model(data: &TrainingData<'_>) -> Model {
    let mut trainer = Trainer::new(texts("channel"), None, data).unwrap();
    run(&mut trainer, data, 4);
    let mut model = trainer.model;
    let quantization = model.quantization.as_mut().unwrap();
    quantization.tensors.widen_codes();
    quantization.tensors.clips.iter_mut().for_each(|clip| *clip *= 0.8);
    // Integers in place of branches have no derivative either.
    for (quantizer, parameters) in quantization.weights.iter_mut().zip(&model.float.parameters) {
        if let (Some(WeightQuantizer::Fixed { .. }), Some(parameters)) = (&quantizer, parameters) {
            let most = parameters.weights.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
            let scales = vec![0.5 * most, 0.3 * most];
            *quantizer = Some(WeightQuantizer::Dbq { branches: 2, scales, weight_scale: most });
        }
    }
    model
}

/// Along random directions of each kind of parameter, in turn.
#[test]
fn the_gradient_of_a_whole_network_is_that_of_finite_differences() {
    let set = set();
    let data = borrowed(&set);
    let mut model = smooth_model(&data);
    let mut tape = Tape::default();
    let n = 64;
    let pixels = &set.test.pixels[..n * model.float.topology.input.elements()];
    let (labels, temperature) = (&set.test.labels[..n], 4.0);
    let logits = tape.forward(&model, pixels, temperature).unwrap();
    let output = loss::cross_entropy(logits, labels).gradient;
    let gradients = tape.backward(&model, &output, temperature).unwrap();
    let gradients = model.in_order(gradients);
    let slots = model.slots();
    let names: Vec<String> = slots.iter().map(|slot| slot.name.clone()).collect();
    assert!(names.iter().any(|name| name == "narrowing.conv1.alpha"), "{names:?}");
    assert!(names.iter().any(|name| name == "linear.bias" || name == "head.linear.bias"));
    let mut checked = 0;
    for (slot_idx, (name, gradient)) in names.iter().zip(&gradients).enumerate() {
        // Towards the gradient itself: the direction in which the loss changes most.
        let norm = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        if norm < 1e-3 {
            continue;
        }
        let size: f64 = model.slots()[slot_idx]
            .values
            .iter()
            .map(|&v| f64::from(v).powi(2))
            .sum::<f64>()
            .sqrt();
        let step = 2e-3 * size.max(0.1);
        let mut moved = |share: f64| {
            let mut model = model.clone();
            for (value, g) in model.slots()[slot_idx].values.iter_mut().zip(gradient) {
                *value += (share * step / norm) as f32 * g;
            }
            loss_of(&model, &mut tape, pixels, labels, temperature)
        };
        let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        assert!((slope - norm).abs() < 0.04 * norm + 2e-3, "{name}: {slope}, not {norm}");
        checked += 1;
    }
    assert!(24 <= checked, "only {checked} of {} slots have a gradient", names.len());
}

#[test]
fn codes_are_those_of_the_exporter() {
    let set = set();
    let data = borrowed(&set);
    let mut trainer = Trainer::new(texts("layer"), None, &data).unwrap();
    run(&mut trainer, &data, 4);
    let quantization = trainer.model.quantization.as_ref().unwrap();
    let hard = quantization.hard(&trainer.model.float).unwrap();
    let codes = quantization.tensors.codes(&trainer.model.float.topology);
    let values: Vec<f32> = (-60..60).map(|i| i as f32 * 0.11).collect();
    for (format, codes) in hard.formats.iter().zip(codes) {
        let (Some(format), Some(codes)) = (format, codes) else { continue };
        let (mut exported, mut trained) = (values.clone(), values.clone());
        format.round(&mut exported);
        let none = (f32::NEG_INFINITY, f32::INFINITY);
        let tail = finish::Tail { low: none.0, high: none.1, codes: Some(codes) };
        finish::tail(InstructionSet::best(), &mut trained, tail);
        for (a, b) in exported.iter().zip(&trained) {
            assert!((a - b).abs() < 1e-5 * codes.scale * codes.high, "{a} {b}");
        }
    }
}
