use super::*;
use crate::network::{
    Accuracy, Digits, DotOutput, Geometry, Pads, Provenance, Requantize, Shape, TensorId, Window,
};

const REQUANTIZE: Requantize = Requantize { shift: 7, low: 0, high: 15 };

fn tensor(shape: Shape, bits: u32, sign: Sign, scale: f64) -> TensorType {
    TensorType { shape, bits, sign, scale }
}

/// A signed input, a dbq convolution, a depthwise layer of 9-bit integers, an add and a raw 8-bit
/// linear layer named like the input.
fn network() -> Network {
    let shape = Shape::new(3, 3, 2);
    let codes = tensor(shape, 4, Sign::Unsigned, 1.0 / 3.0);
    let layer = |name: &str, inputs: &[usize], operator, output| Layer {
        name: name.to_owned(),
        inputs: inputs.iter().map(|&id| TensorId(id)).collect(),
        operator,
        output,
    };
    let convolution = Dot {
        geometry: Geometry::Convolution { window: Window::square(3, 1), pads: Pads::all(1) },
        weights: Weights::Dbq { branches: 2, codes: (0..36).map(|k: u8| k * 5 % 9).collect() },
        multipliers: vec![900, -300, 31, 0],
        bias: vec![-70_000, 1 << 40],
        output: DotOutput::Requantize(REQUANTIZE),
    };
    let depthwise = Dot {
        geometry: Geometry::Depthwise { window: Window::square(1, 1), pads: Pads::default() },
        weights: Weights::Fixed { bits: 9, values: vec![-255, 200] },
        multipliers: vec![5, 6],
        bias: vec![0, -1],
        output: DotOutput::Requantize(REQUANTIZE),
    };
    let linear = Dot {
        geometry: Geometry::Linear,
        weights: Weights::Fixed { bits: 8, values: (0..54).map(|k| k * 4 - 100).collect() },
        multipliers: vec![1, -2, 3],
        bias: vec![1, 2, 3],
        output: DotOutput::Raw,
    };
    let add = Operator::Add { multipliers: [64, -3], requantize: REQUANTIZE };
    Network::new(Description {
        name: "small".to_owned(),
        digits: Digits::SignMagnitude,
        scale_bits: 12,
        input: Input {
            tensor: tensor(shape, 8, Sign::Signed, 0.1 + 0.2),
            tables: vec![
                std::array::from_fn(|p| i16::try_from(p).unwrap() - 128),
                std::array::from_fn(|p| 127 - i16::try_from(p).unwrap()),
            ],
        },
        layers: vec![
            layer("codes", &[0], Operator::Dot(convolution), codes),
            layer("b \"1\"\\", &[1], Operator::Dot(depthwise), codes),
            layer("ä.add", &[1, 2], add, codes),
            layer("input", &[3], Operator::Dot(linear), {
                tensor(Shape::new(1, 1, 3), 40, Sign::Signed, f64::MIN_POSITIVE)
            }),
        ],
        provenance: Provenance {
            data: Some("cifar10".to_owned()),
            plan: "a = 1\nb = \"two\"\n".to_owned(),
            mean: vec![0.1 + 0.7, 1e-300],
            std: vec![0.247_03, 1.0],
            float_accuracy: Some(Accuracy { samples: 100, correct: 91 }),
            ..Provenance::default()
        },
    })
    .unwrap()
}

#[test]
fn a_file_gives_back_the_network_and_the_same_bytes() {
    let network = network();
    let bytes = network.to_bytes();
    let back = Network::from_bytes(&bytes).unwrap();
    assert_eq!(back, network);
    assert_eq!(back.to_bytes(), bytes);
}

#[test]
fn the_crates_own_reader_finds_what_the_table_promises() {
    let bytes = network().to_bytes();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut found: Vec<_> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, view.dtype().to_string(), view.shape().to_vec()))
        .collect();
    found.sort();
    let row = |name: &str, dtype: &str, shape: &[usize]| {
        (name.to_owned(), dtype.to_owned(), shape.to_vec())
    };
    let expected = [
        row("b \"1\"\\.bias", "I64", &[2]),
        row("b \"1\"\\.multipliers", "I32", &[2, 1]),
        row("b \"1\"\\.weights", "I16", &[2, 1]),
        row("codes.bias", "I64", &[2]),
        row("codes.codes", "U8", &[2, 18]),
        row("codes.multipliers", "I32", &[2, 2]),
        row("input.bias", "I64", &[3]),
        row("input.multipliers", "I32", &[3, 1]),
        row("input.tables", "I8", &[2, 256]),
        row("input.weights", "I8", &[3, 18]),
    ];
    assert_eq!(found, expected);
}

/// Writes the file anew with its header's text edited; the header's length follows.
fn edited(edit: impl Fn(&str) -> String) -> String {
    let bytes = network().to_bytes();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = edit(std::str::from_utf8(&bytes[8..8 + length]).unwrap());
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(&bytes[8 + length..]);
    Network::from_bytes(&file).unwrap_err().to_string()
}

/// As [`edited`], with one text replaced by another, once.
fn replaced(from: &str, to: &str) -> String {
    edited(|header| {
        assert!(header.contains(from), "`{from}` is not in {header}");
        header.replacen(from, to, 1)
    })
}

#[test]
fn another_version_is_named_beside_ours() {
    assert_eq!(
        replaced(r#"\"format\":1,"#, r#"\"format\":2,\"new\":0,"#),
        "description: format must be 1, the one this program reads, got 2"
    );
}

#[test]
fn keys_are_neither_missing_nor_repeated_nor_unknown() {
    for (from, to, expected) in [
        (r#"\"scale_bits\":12,"#, "", "missing field `scale_bits`"),
        (r#"\"data\":\"cifar10\","#, "", "missing field `data`"),
        (r#"\"digits\""#, r#"\"name\":\"x\",\"digits\""#, "duplicate field `name`"),
        (r#"\"low\":0"#, r#"\"low\":0,\"lo\":1"#, "unknown field `lo`"),
    ] {
        let error = replaced(from, to);
        assert!(error.starts_with(&format!("description: {expected}")), "{error}");
        assert!(error.contains(" at line 1 column "), "{error}");
    }
    let error = replaced(r#"{"__metadata__":{"#, r#"{"__metadata__":{"x":"y","#);
    assert_eq!(error, "header: unknown metadata key `x`");
    let error = replaced(r#"{"__metadata__":{"#, r#"{"__metadata__":{"tridot":"","#);
    assert!(error.starts_with("header: repeated key `tridot` at line 1"), "{error}");
}

#[test]
fn tensors_are_those_of_the_description() {
    // Data: biases to byte 56, multipliers to 92, i16 to 96, tables to 608, i8 to 662, codes to 698.
    for (from, to, expected) in [
        ("codes.bias", "codes.vias", "tensor `codes.bias`: missing"),
        (
            r#""codes.bias":{"dtype":"I64""#,
            r#""codes.bias":{"dtype":"U64""#,
            "tensor `codes.bias`: the element type must be I64, got U64",
        ),
        ("[2,18]", "[18,2]", "tensor `codes.codes`: the shape must be 2×K, got 18×2 (2 sides)"),
        (
            "[3,18]",
            "[3,19]",
            "tensor `input.weights`: the last data offset must be 665 and at most 698, got 662",
        ),
    ] {
        assert_eq!(replaced(from, to), expected);
    }
    let error = edited(|header| {
        let empty = r#"{"extra":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"#;
        header.replacen('{', empty, 1)
    });
    assert_eq!(error, "tensor `extra`: the description names no such");
}

#[test]
fn layers_have_their_own_names_and_read_what_comes_before_them() {
    assert_eq!(
        replaced(r#"\"inputs\":[1],"#, r#"\"inputs\":[2],"#),
        r#"layer `b "1"\`: an input (0 is the network's input, i + 1 layer i) must be between 0 and 1, got 2"#
    );
    assert_eq!(replaced("ä.add", "codes"), "layer `codes`: two layers have this name");
    assert_eq!(
        replaced(r#"\"inputs\":[1,2],"#, r#"\"inputs\":[1,1],"#),
        r#"layer `b "1"\`: no layer reads its tensor"#
    );
}

#[test]
fn wrong_widths_and_scales_are_refused() {
    let error = replaced(r#"\"y_bits\":"#, r#"\"y_bits\":1"#);
    assert!(error.starts_with("layer `codes`: y_bits must be the 42 that its weights need"));
    let error = replaced(r#"\"scale\":0.3333333333333333"#, r#"\"scale\":0"#);
    assert_eq!(error, "layer `codes`: scale must be finite and positive, got 0");
    let error = replaced(r#"\"scale\":0.3333333333333333"#, r#"\"scale\":1e999"#);
    assert!(error.starts_with("description: number out of range"), "{error}");
}

#[test]
fn a_header_longer_than_the_file_is_refused_before_it_is_read() {
    let mut bytes = network().to_bytes();
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let error = Network::from_bytes(&bytes).unwrap_err().to_string();
    assert!(error.starts_with("network file: the header's length must be at most "), "{error}");
    assert!(error.ends_with(", got 18446744073709551615"), "{error}");
    let error = Network::from_bytes(&[1, 2]).unwrap_err().to_string();
    assert_eq!(error, "network file: the number of bytes must be at least 8, got 2");
}

#[test]
fn what_a_file_says_is_quoted_on_one_line() {
    let error = replaced(r#"\"low\":0"#, r#"\"low\":0,\"a\\nb\":1"#);
    assert!(error.starts_with(r"description: unknown field `a\nb`"), "{error}");
    let long = format!(r#"\"low\":0,\"{}\":1"#, "x".repeat(10_000));
    assert!(replaced(r#"\"low\":0"#, &long).len() < 500);
}

#[test]
fn every_flipped_bit_of_the_data_is_refused() {
    let network = network();
    let bytes = network.to_bytes();
    let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let recorded = network_digest(&bytes[8..8 + header]);
    let mut by_digest = 0;
    for at in 8 + header..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let error = Network::from_bytes(&flipped).unwrap_err().to_string();
            let limit = format!("must be the `tridot_digest` of its header, {recorded}, got ");
            by_digest += usize::from(error.contains(&limit));
        }
    }
    // Most codes, weights and biases are as good as others; only the digest tells.
    let bits = 8 * (bytes.len() - 8 - header);
    assert!(bits / 3 < by_digest, "{by_digest} of {bits}");
}

fn network_digest(header: &[u8]) -> String {
    let header: serde_json::Value = serde_json::from_slice(header).unwrap();
    header["__metadata__"]["tridot_digest"].as_str().unwrap().to_owned()
}

#[test]
fn an_edited_description_is_refused_by_the_digest() {
    let error = replaced(r#"\"name\":\"small\""#, r#"\"name\":\"smell\""#);
    let start =
        "network file: the digest of its contents must be the `tridot_digest` of its header, ";
    assert!(error.starts_with(start), "{error}");
    let error = replaced(r#""tridot_digest""#, r#""tridot_digestion""#);
    assert_eq!(error, "header: no metadata key `tridot_digest`: not a tridot network");
}
