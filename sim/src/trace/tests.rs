//! Traces by hand; hostile ones are made by the fuzz tests.
#![expect(
    clippy::float_cmp,
    reason = "quotients of small whole numbers are compared with themselves"
)]

use super::*;
use crate::network::{
    Description, Digits, Input, Layer, Operator, Provenance, Requantize, TensorType,
};

/// Two pixels of one channel, 4 bits, doubled and made signed.
fn network(name: &str) -> Network {
    let shape = Shape::new(1, 2, 1);
    let tensor = |bits, sign| TensorType { shape, bits, sign, scale: 1.0 };
    let requantize = Requantize { shift: 1, low: -4, high: 7 };
    Network::new(Description {
        name: name.to_owned(),
        digits: Digits::Csd,
        scale_bits: 8,
        input: Input {
            tensor: tensor(4, Sign::Unsigned),
            tables: vec![std::array::from_fn(|pixel| i16::try_from(pixel % 16).unwrap())],
        },
        layers: vec![Layer {
            name: "half".to_owned(),
            inputs: vec![TensorId::INPUT],
            operator: Operator::Rescale { multiplier: -1, requantize },
            output: tensor(4, Sign::Signed),
        }],
        provenance: Provenance { mean: vec![0.0], std: vec![1.0], ..Provenance::default() },
    })
    .unwrap()
}

/// (0 + 1) >> 1 = 0, (−5 + 1) >> 1 = −2; (−3 + 1) >> 1 = −1.
fn runs() -> Vec<Vec<Vec<i64>>> {
    vec![vec![vec![0, 5], vec![0, -2]], vec![vec![3, 0], vec![-1, 0]]]
}

#[test]
fn statistics_by_hand() {
    let trace = Trace::record(&network("n"), "by hand", &runs()).unwrap();
    // 0, 5, 3, 0: 0101, 0110, 0011 change.
    let [input, output] = trace.tensors() else { panic!("two tensors") };
    assert_eq!(input.statistics, Statistics { codes: 4, zeros: 2, hamming_bits: 2 + 2 + 2 });
    // 0000, 1110, 1111, 0000.
    assert_eq!(output.statistics, Statistics { codes: 4, zeros: 2, hamming_bits: 3 + 1 + 4 });
    assert_eq!(output.statistics.zeros_percent(), 50.0);
    assert_eq!(output.statistics.mean_hamming_bits(), 8.0 / 3.0);
    assert_eq!(trace.codes(TensorId(1)), [0, -2, -1, 0]);
    assert_eq!((input.name.as_str(), output.name.as_str()), ("input", "half.output"));
}

#[test]
fn a_trace_comes_back_from_its_file() {
    let trace = Trace::record(&network("n"), "by hand", &runs()).unwrap();
    let bytes = trace.to_bytes();
    assert_eq!(Trace::from_bytes(&bytes).as_ref(), Ok(&trace));
    assert_eq!(trace.to_bytes(), bytes);
}

#[test]
fn a_trace_belongs_to_one_network() {
    let trace = Trace::record(&network("n"), "by hand", &runs()).unwrap();
    assert_eq!(trace.fits(&network("n")), Ok(()));
    let other = network("other");
    assert_eq!(
        trace.fits(&other).unwrap_err().to_string(),
        format!(
            "trace: the digest of its network must be {} (`other`), got {} (`n`)",
            other.digest(),
            network("n").digest()
        )
    );
}

#[test]
fn what_no_network_computes_is_not_recorded() {
    let refusal = |runs: &[Vec<Vec<i64>>]| {
        Trace::record(&network("n"), "by hand", runs).unwrap_err().to_string()
    };
    assert_eq!(refusal(&[]), "trace: the number of pictures must be between 1 and 4096, got 0");
    assert_eq!(refusal(&[vec![vec![0, 5]]]), "run: the tensors must be 2, got 1");
    assert_eq!(
        refusal(&[vec![vec![0], vec![0, 0]]]),
        "tensor `input`: the number of codes must be 2, got 1"
    );
    assert_eq!(
        refusal(&[vec![vec![0, 5], vec![0, -5]]]),
        "tensor `half.output`: a code must be between -4 and 7, got -5"
    );
}

#[test]
fn other_versions_and_other_files_are_named() {
    let bytes = Trace::record(&network("n"), "by hand", &runs()).unwrap().to_bytes();
    let key = b"\\\"format\\\":";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let mut other = bytes.clone();
    other[at] = b'2';
    assert_eq!(
        Trace::from_bytes(&other).unwrap_err().to_string(),
        "description: format must be 1, the one this program reads, got 2"
    );
    assert_eq!(
        Trace::from_bytes(&network("n").to_bytes()).unwrap_err().to_string(),
        "header: no metadata key `tridot_trace`: not a tridot trace"
    );
    assert_eq!(
        Network::from_bytes(&bytes).unwrap_err().to_string(),
        "header: no metadata key `tridot`: not a tridot network"
    );
}
