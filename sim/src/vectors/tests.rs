use super::*;
use crate::arch::{Architecture, DepthwiseMode};
use crate::rtl::{Case, Image};
use crate::verify::Verifier;

/// Numbers that look drawn: a linear congruence.
pub(crate) fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

pub(crate) fn array(branches: usize, depthwise: DepthwiseMode) -> Architecture {
    let mut parameters = Architecture::preset("edge").unwrap().into_parameters();
    (parameters.rows, parameters.columns, parameters.lanes) = (2, 3, 8);
    (parameters.branches, parameters.depthwise) = (branches, depthwise);
    Architecture::new(parameters).unwrap()
}

/// Are the accumulators of each output those that its operands give, and does the scaler's formula give the output?
#[test]
fn accumulators_belong_to_their_outputs() {
    let mut draw = draws(1);
    for branches in 1..=2 {
        let modes = [DepthwiseMode::Column, DepthwiseMode::Diagonal];
        for arch in modes.map(|mode| array(branches, mode)) {
            for i in 0..30 {
                let case = Case::random(&format!("{i}"), &arch, &mut draw).unwrap();
                let vectors =
                    Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
                let verifier = Verifier::new(&case.network, 0, &vectors);
                for index in 0..vectors.expected.outputs.len() {
                    let operands = verifier.operands(index);
                    let sums = (0..vectors.mapping.work().planes as usize).map(|plane| {
                        operands.products.iter().map(|p| p.code * i64::from(p.trits[plane])).sum()
                    });
                    let sums: Vec<i64> = sums.collect();
                    let merged: i64 = sums.iter().enumerate().map(|(j, &sum)| sum << j).sum();
                    let taken = if vectors.mapping.work().merged { vec![merged] } else { sums };
                    assert_eq!(operands.accumulators, taken, "case {i}, output {index}");
                }
                assert_eq!(verifier.outputs(&vectors.expected.outputs).mismatches, 0);
            }
        }
    }
}

#[test]
fn files_hold_what_the_manifest_names() {
    let arch = array(2, DepthwiseMode::Column);
    let case = Case::random("any", &arch, &mut draws(2)).unwrap();
    let image = Image::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    let files = files(&case.network, 0, &image, &vectors).unwrap();
    let manifest = manifest(&case.network, &arch, image.sizes(), std::slice::from_ref(&vectors));
    let layout = manifest["layout"].as_object().unwrap();
    let mut named: Vec<&str> =
        layout.keys().map(String::as_str).filter(|name| *name != "hex").collect();
    let mut written: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    named.sort_unstable();
    written.sort_unstable();
    assert_eq!(named, written);
    let content = |name: &str| &files.iter().find(|file| file.0 == name).unwrap().1;
    let (shape, outputs) = npy::decode(content("outputs.npy")).unwrap();
    let output = vectors.mapping.work().output;
    assert_eq!(shape, [case.images, output.height, output.width, output.channels]);
    assert_eq!(outputs, vectors.expected.outputs);
    let first = vectors.expected.outputs[0].cast_unsigned() & 0xffff_ffff_ffff;
    let line = String::from_utf8(content("outputs.hex").clone()).unwrap();
    assert_eq!(line.lines().next().unwrap(), format!("{first:012x}"));
}
