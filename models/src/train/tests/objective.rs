//! Trainings with a teacher, smoothed labels, an average and rates by kind of parameter.

use super::*;

/// What every stage gets besides, and the quantized one alone.
fn plan() -> Texts {
    let mut texts = texts("layer");
    for (from, to) in [
        ("epochs = 3", "epochs = 2\nlabel_smoothing = 0.1\naverage = { decay = 0.9 }"),
        (
            "epochs = 2\nbatch = 32\nlearning_rate = 0.02",
            "epochs = 2\nbatch = 32\nlearning_rate = 0.02\naverage = { decay = 0.8 }\n\
             distillation = { weight = 0.75 }\nrate_factors = { scales = 0.5, clips = 0.25 }",
        ),
    ] {
        assert!(texts.plan.contains(from), "{from}");
        texts.plan = texts.plan.replacen(from, to, 1);
    }
    texts
}

#[test]
fn a_training_with_teacher_and_average_is_resumed_bit_for_bit() {
    let set = set();
    let data = borrowed(&set);
    let mut whole = Trainer::new(plan(), None, &data).unwrap();
    let mut states = vec![whole.to_bytes()];
    while whole.next().is_some() {
        whole.epoch(&data, &mut |_| ()).unwrap();
        states.push(whole.to_bytes());
    }
    assert_eq!(states.len(), 5);
    for (epoch, pair) in states.windows(2).enumerate() {
        let mut resumed = Trainer::resume(&pair[0]).unwrap();
        assert!(resumed.to_bytes() == pair[0], "what was read is written again, epoch {epoch}");
        resumed.epoch(&data, &mut |_| ()).unwrap();
        assert!(resumed.to_bytes() == pair[1], "epoch {epoch}");
    }
    // Of a file that lost its teacher, the name is told.
    let lost = String::from_utf8_lossy(&states[3]).contains("training/teacher/stem.weight");
    assert!(lost, "the teacher is in the file");
    let at = states[3].windows(15).position(|name| name == b"teacher/stem.we").unwrap();
    let mut renamed = states[3].clone();
    renamed[at] = b'T';
    let error = Trainer::resume(&digest::without_digest(&renamed)).unwrap_err().to_string();
    assert_eq!(error, "tensor `training/teacher/stem.weight`: is missing");
}

#[test]
fn the_teacher_is_the_float_network_and_stays_it() {
    let set = set();
    let data = borrowed(&set);
    let mut trainer = Trainer::new(plan(), None, &data).unwrap();
    run(&mut trainer, &data, 2);
    let float = trainer.float_network().clone();
    assert!(trainer.teacher.is_none(), "nothing is quantized yet");
    run(&mut trainer, &data, 2);
    assert_ne!(&float, trainer.float_network());
    let pixels = &set.test.pixels[..50 * 32 * 32 * 3];
    let found = trainer.teacher.as_mut().unwrap().logits(pixels).unwrap();
    let wanted = float.forward(pixels).unwrap();
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!((found - wanted).abs() < 1e-4 * (1.0 + wanted.abs()), "{found} {wanted}");
    }
}

#[test]
fn what_is_kept_is_the_average_of_all_steps() {
    let set = set();
    let data = borrowed(&set);
    let mut texts = plan();
    // One step an epoch, so that every step can be looked at.
    texts.plan = texts.plan.replacen("held_back = 32", "held_back = 360", 1);
    let mut trainer = Trainer::new(texts, None, &data).unwrap();
    let first_weight = |model: &Model| model.float.parameters[0].as_ref().unwrap().weights[0];
    let mut average = f64::from(first_weight(&trainer.model));
    run(&mut trainer, &data, 1);
    average = 0.1 * average + 0.9 * f64::from(first_weight(&trainer.model));
    let kept = trainer.float_network().parameters[0].as_ref().unwrap().weights[0];
    assert!((f64::from(kept) - average).abs() < 1e-6);
    assert_ne!(
        &trainer.model.float,
        trainer.float_network(),
        "training goes on from its last step"
    );
    run(&mut trainer, &data, 1);
    assert!(trainer.averaged.is_none(), "the next stage begins with the average");
    assert_eq!(&trainer.model.float, trainer.float_network());
}

#[test]
fn a_rate_of_nothing_leaves_its_parameters_alone() {
    let set = set();
    let data = borrowed(&set);
    let mut texts = plan();
    let (from, to) = ("scales = 0.5, clips = 0.25", "scales = 0.0, clips = 0.0");
    texts.plan = texts.plan.replacen(from, to, 1);
    let mut trainer = Trainer::new(texts, None, &data).unwrap();
    run(&mut trainer, &data, 3);
    let of = |trainer: &mut Trainer, group: Group| -> Vec<f32> {
        let slots = trainer.model.slots();
        let group = slots.into_iter().filter(|slot| slot.group == group);
        group.flat_map(|slot| slot.values.to_vec()).collect()
    };
    let before = [Group::Scales, Group::Clips, Group::Norms].map(|group| of(&mut trainer, group));
    let Position { epoch, .. } = trainer.next().unwrap();
    assert_eq!(epoch, 1);
    // The average would hide whether steps move them.
    trainer.averaged = None;
    run(&mut trainer, &data, 1);
    assert_eq!(before[0], of(&mut trainer, Group::Scales));
    assert_eq!(before[1], of(&mut trainer, Group::Clips));
    assert_ne!(before[2], of(&mut trainer, Group::Norms));
}

/// The share of the weights of a layer of branches that one epoch of hard weights moves.
fn moved(temperature: &str) -> f64 {
    let set = set();
    let data = borrowed(&set);
    let mut texts = texts("layer");
    for (from, to) in [
        ("temperature = { from = 10.0, to = 200.0 }", temperature),
        ("learning_rate = 0.02", "learning_rate = 0.02\nweight_decay = 0.0"),
    ] {
        assert!(texts.plan.contains(from), "{from}");
        texts.plan = texts.plan.replacen(from, to, 1);
    }
    let mut trainer = Trainer::new(texts, None, &data).unwrap();
    run(&mut trainer, &data, 3);
    let conv2 = |trainer: &Trainer| trainer.float_network().parameters[3].clone().unwrap().weights;
    let before = conv2(&trainer);
    run(&mut trainer, &data, 1);
    let after = conv2(&trainer);
    let moved = before.iter().zip(&after).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    moved as f64 / before.len() as f64
}

#[test]
fn gradients_at_a_limited_temperature_reach_weights_far_from_thresholds() {
    assert!(moved("temperature = { from = 1e5, to = 1e5 }") < 0.5);
    assert!(0.95 < moved("temperature = { from = 1e5, to = 1e5, gradient = 3.0 }"));
}

#[test]
fn wrong_objectives_are_refused() {
    let refused = |from: &str, to: &str| {
        let plan = plan().plan;
        assert!(plan.contains(from), "{from}");
        TrainingPlan::from_toml(&plan.replacen(from, to, 1)).unwrap_err().to_string()
    };
    assert_eq!(
        refused("label_smoothing = 0.1", "label_smoothing = 1.0"),
        "stage 1: label_smoothing must be from 0 to 0.999999, got 1"
    );
    assert!(
        refused("weight = 0.75", "weight = nan").contains("distillation.weight must be above 0")
    );
    assert!(refused("weight = 0.75", "weight = 1.0, temperature = 0.0").contains("got 0"));
    assert!(refused("scales = 0.5", "scales = -0.5").contains("rate_factors.scales must be"));
    assert!(refused("decay = 0.8", "decay = 1.0").contains("average.decay must be"));
    assert!(refused("scales = 0.5", "scale = 0.5").contains("unknown field `scale`"));
    let float = refused("label_smoothing = 0.1", "distillation = { weight = 0.5 }");
    assert!(float.starts_with("stage 1: a float stage has no distillation"), "{float}");
}
