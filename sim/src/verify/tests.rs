use super::*;
use crate::arch::{Architecture, DepthwiseMode, Parameters};
use crate::network::{DotOutput, Requantize, Shape, Sign, Window};
use crate::rtl::{Case, Kind as LayerKind, Recipe, Scheme};
use crate::vectors::tests::{array, draws};

/// A convolution of three branches on two: 2 pixels a tile, 2 passes.
fn case() -> (Architecture, Case) {
    let recipe = Recipe {
        kind: LayerKind::Convolution(Window::square(2, 1)),
        weights: Scheme::Dbq(3),
        bits: 6,
        sign: Sign::Unsigned,
        input: (5, 4, 5),
        channels: 7,
        images: 2,
        raw: false,
        scale_bits: 16,
    };
    (array(2, DepthwiseMode::Column), Case::new("case", recipe, &mut draws(3)).unwrap())
}

fn checked(change: impl Fn(&Verifier<'_>, &Operands, usize) -> i64) -> Findings {
    let (arch, case) = case();
    let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    let verifier = Verifier::new(&case.network, 0, &vectors);
    let outputs = 0..vectors.expected.outputs.len();
    let got: Vec<i64> =
        outputs.map(|index| change(&verifier, &verifier.operands(index), index)).collect();
    verifier.outputs(&got)
}

const END: Requantize = Requantize { shift: 17, low: -100, high: 127 };

fn end(y: i64) -> i64 {
    ((y + (1 << 16)) >> 17).clamp(-100, 127)
}

fn y(operands: &Operands, multipliers: &[i32]) -> i64 {
    let products = operands.accumulators.iter().zip(multipliers);
    operands.bias + products.map(|(&sum, &m)| sum * i64::from(m)).sum::<i64>()
}

/// Is each kind of fault named where it alone is at work?
#[test]
fn faults_are_told_by_their_kind() {
    type Fault = fn(&Operands) -> i64;
    let faults: [(Kind, Fault); 9] = [
        (Kind::Rounding, |o| (o.y >> END.shift).clamp(-100, 127)),
        (Kind::Saturation, |o| (o.y + (1 << 16)) >> 17),
        (Kind::Saturation, |o| ((o.y + (1 << 16)) >> 17) << 56 >> 56),
        (Kind::Shift, |o| ((o.y + (1 << 15)) >> 16).clamp(-100, 127)),
        (Kind::Sign, |o| end(2 * o.bias - o.y)),
        (Kind::Scale, |o| end(y(o, &[o.multipliers[1], o.multipliers[2], o.multipliers[0]]))),
        (Kind::Bias, |o| end(o.y - o.bias)),
        (Kind::Pass, |o| end(y(o, &[o.multipliers[0], o.multipliers[1], 0]))),
        (Kind::Products, |o| {
            let last = o.products.last().unwrap();
            let m = o.multipliers.iter().zip(&last.trits);
            end(o.y - m.map(|(&m, &trit)| i64::from(m) * i64::from(trit) * last.code).sum::<i64>())
        }),
    ];
    for (i, (kind, fault)) in faults.into_iter().enumerate() {
        let findings = checked(|_, operands, _| fault(operands));
        assert!(0 < findings.mismatches, "fault {i} shows");
        let named = findings.kinds.get(&kind).copied().unwrap_or(0);
        assert_eq!(named, findings.mismatches, "fault {i}: {kind:?}: {findings:?}");
    }
}

#[test]
fn exchanged_channels_are_told_as_order() {
    let findings = checked(|verifier, _, index| {
        let channel = index % 7;
        let other = if channel == 6 { 6 } else { channel ^ 1 };
        verifier.vectors.expected.outputs[index - channel + other]
    });
    assert_eq!(findings.kinds.keys().collect::<Vec<_>>(), [&Kind::Order], "{findings:?}");
}

#[test]
fn one_wrong_output_is_told_with_its_place_and_bit() {
    let findings = checked(|verifier, _, index| {
        verifier.vectors.expected.outputs[index] ^ if index == 60 { 4 } else { 0 }
    });
    assert_eq!((findings.compared, findings.mismatches), (2 * 5 * 4 * 7, 1));
    let first = findings.first.unwrap();
    assert_eq!((first.index, first.bit(), first.got ^ first.expected), (60, 2, 4));
    let (arch, case) = case();
    let vectors = Vectors::new(&case.network, 0, &arch, 2, &case.codes).unwrap();
    assert_eq!(vectors.mapping.work().output, Shape::new(5, 4, 7));
    // Output 60 is channel 4 of pixel 8: row 2, column 0.
    assert_eq!(vectors.place(60), [0, 2, 0, 4]);
}

#[test]
fn edges_and_accumulators_have_kinds_of_their_own() {
    let (arch, case) = case();
    let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    let verifier = Verifier::new(&case.network, 0, &vectors);
    let mut edges = vectors.expected.written_at.clone();
    assert_eq!(verifier.edges(&edges).mismatches, 0);
    edges[3] += 1;
    edges[9] += 7;
    let kinds = verifier.edges(&edges).kinds;
    assert_eq!(kinds, BTreeMap::from([(Kind::OffByOneCycle, 1), (Kind::Cycle, 1)]));
    let negated: Vec<i64> = vectors.accumulators.iter().map(|sum| -sum).collect();
    let findings = verifier.accumulators(&negated);
    assert_eq!(findings.kinds.keys().collect::<Vec<_>>(), [&Kind::Sign]);
    let findings = verifier.accumulators(&vectors.stale);
    assert_eq!(findings.kinds.keys().collect::<Vec<_>>(), [&Kind::Stale]);
}

/// Do hypotheses hold where y itself is put out, with one k, one plane, and a shift of one bit?
#[test]
fn small_and_raw_layers_have_hypotheses_too() {
    let mut draw = draws(4);
    let arch = |change: fn(&mut Parameters)| {
        let mut parameters = Architecture::preset("tiny").unwrap().into_parameters();
        change(&mut parameters);
        Architecture::new(parameters).unwrap()
    };
    for arch in [arch(|p| p.lanes = 1), arch(|p| p.scale_bits = 2), arch(|p| p.lanes = 4)] {
        for i in 0..40 {
            let case = Case::random(&format!("{i}"), &arch, &mut draw).unwrap();
            let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
            let verifier = Verifier::new(&case.network, 0, &vectors);
            let raw = case.network.layers[0].dot().unwrap().output == DotOutput::Raw;
            let got: Vec<i64> = vectors.expected.outputs.iter().map(|output| output ^ 1).collect();
            let findings = verifier.outputs(&got);
            assert_eq!(findings.mismatches, findings.compared, "raw: {raw}");
            assert_eq!(findings.kinds.values().sum::<u64>(), findings.mismatches);
            let got: Vec<i64> = vectors.accumulators.iter().map(|sum| sum ^ 1).collect();
            assert_eq!(verifier.accumulators(&got).mismatches, got.len() as u64);
        }
    }
}
