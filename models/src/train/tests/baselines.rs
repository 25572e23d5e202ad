//! The quantizers that DBQ is compared with, in the same training.

use tridot_sim::network::{Network, Operator, Weights};

use super::*;
use crate::baselines::Baseline;
use crate::scheme::Scheme;

fn plan() -> Texts {
    let mut texts = texts("layer");
    let (from, to) = (
        "layers = { \"narrowing.conv1\" = \"dbq(3)\", \"shuffled.pointwise\" = \"fixed(4)\" }",
        "layers = { \"narrowing.conv1\" = \"lsq(3)\", \"narrowing.conv2\" = \"twn\", \
         \"shuffled.pointwise\" = \"ttq\" }",
    );
    assert!(texts.plan.contains(from));
    texts.plan = texts.plan.replacen(from, to, 1);
    texts
}

fn weights<'a>(network: &'a Network, name: &str) -> &'a Weights {
    let layer = network.layers.iter().find(|layer| layer.name == name).unwrap();
    let Operator::Dot(dot) = &layer.operator else { unreachable!("a convolution") };
    &dot.weights
}

#[test]
fn they_train_resume_and_become_integers_and_planes() {
    let set = set();
    let data = borrowed(&set);
    let mut whole = Trainer::new(plan(), None, &data).unwrap();
    let reports = run(&mut whole, &data, 4);
    let bytes = whole.to_bytes();
    let mut resumed = Trainer::resume(&bytes).unwrap();
    assert!(resumed.to_bytes() == bytes, "what was read is written again");
    let scales = |trainer: &mut Trainer| -> Vec<Vec<f32>> {
        let slots = trainer.model.slots();
        let scales = slots.into_iter().filter(|slot| slot.group == Group::Scales);
        scales.map(|slot| slot.values.to_vec()).collect()
    };
    let before = scales(&mut whole);
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2], "step; both levels");
    let report = whole.epoch(&data, &mut |_| ()).unwrap();
    resumed.epoch(&data, &mut |_| ()).unwrap();
    assert!(whole.to_bytes() == resumed.to_bytes());
    assert!(before.iter().zip(scales(&mut whole)).all(|(before, after)| *before != after));
    assert!(report.branches.is_empty());
    let losses = [reports[2].loss, reports[3].loss, report.loss];
    assert!(losses.is_sorted_by(|before, after| after < before), "{losses:?}");

    let pictures = (&set.calibration).into();
    let calibration = CalibrationSet { name: set.name, pictures, labelled: false };
    let quantized = whole.quantized_network(&calibration).unwrap();
    let network = export::network(&quantized, RoundingLimit::OneStep).unwrap().network;
    assert!(matches!(weights(&network, "narrowing.conv1"), Weights::Fixed { bits: 3, .. }));
    assert!(matches!(weights(&network, "narrowing.conv2"), Weights::Dbq { branches: 1, .. }));
    let Weights::Dbq { branches: 2, codes } = weights(&network, "shuffled.pointwise") else {
        panic!("ttq becomes two planes");
    };
    assert!(
        codes.iter().all(|code| [1, 3, 4, 5, 7].contains(code)),
        "one plane at most: {codes:?}"
    );
}

#[test]
fn they_are_written_as_they_are_read() {
    for (text, scheme) in [
        ("lsq(4)", Scheme::Baseline(Baseline::Lsq { bits: 4 })),
        ("twn", Scheme::Baseline(Baseline::Twn)),
        ("ttq", Scheme::Baseline(Baseline::Ttq)),
    ] {
        assert_eq!(Scheme::try_from(text.to_owned()), Ok(scheme));
        assert_eq!(scheme.to_string(), text);
    }
    for text in ["lsq(1)", "lsq(9)", "lsq", "twn(2)", "ttq "] {
        let error = Scheme::try_from(text.to_owned()).unwrap_err();
        assert!(error.contains("lsq(2…8), twn or ttq, got"), "{error}");
    }
}
