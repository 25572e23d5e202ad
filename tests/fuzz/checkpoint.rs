//! Does the reader of checkpoints survive whatever a file may hold?

use tridot_models::import::{Checkpoint, float_network, identify};
use tridot_models::topology::Topology;

use super::bytes::{flip_bits, splice, truncations};
use super::container::Safetensors;
use super::driver::{Mutant, Touched, fuzz};
use super::torch_file::{TorchTensor, Wrapping, checkpoint, pickle, zip};
use crate::random::{Random, cases};

const TOPOLOGY: &str = r#"
format = 1
name = "small"
input = { height = 4, width = 4, channels = 2 }
classes = 2
normalization = { mean = [0.5, 0.5], std = [0.5, 0.5] }
batch_norm = "separate"
epsilon = 1e-5
[[block]]
layers = [
  { op = "convolution", name = "conv", channels = 3, kernel = 2, norm = "bn" },
  { op = "linear", name = "linear", channels = "classes" },
]
"#;

/// The tensors of that topology.
const SHAPES: [(&str, &[usize]); 7] = [
    ("conv.weight", &[3, 2, 2, 2]),
    ("bn.weight", &[3]),
    ("bn.bias", &[3]),
    ("bn.running_mean", &[3]),
    ("bn.running_var", &[3]),
    ("linear.weight", &[2, 27]),
    ("linear.bias", &[2]),
];

fn tensors() -> Vec<(&'static str, &'static [usize], Vec<f32>)> {
    let ramp =
        |shape: &[usize]| (0..shape.iter().product()).map(|i: usize| i as f32 / 8.0).collect();
    SHAPES.iter().map(|&(name, shape)| (name, shape, ramp(shape))).collect()
}

fn safetensors_file() -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, values) in tensors() {
        let begin = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]
        });
        header.insert(name.to_owned(), entry);
    }
    let header = serde_json::Value::from(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

fn torch_file(wrapping: Wrapping) -> Vec<u8> {
    let tensors = tensors();
    let views: Vec<(&str, &[usize], &[f32])> =
        tensors.iter().map(|(name, shape, values)| (*name, *shape, values.as_slice())).collect();
    checkpoint(&views, wrapping)
}

fn read(bytes: &[u8]) -> Result<Checkpoint, String> {
    Checkpoint::read(bytes).map_err(|error| error.to_string())
}

/// What is accepted is consistent, and fits the topology or is refused in one line.
fn use_accepted(checkpoint: &Checkpoint, _: &[u8]) {
    for (name, tensor) in &checkpoint.tensors {
        assert!(!name.contains(char::is_control));
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len());
        assert!(tensor.values.iter().all(|value| value.is_finite()));
    }
    let topology = Topology::from_toml(TOPOLOGY).unwrap();
    let fits = !identify(checkpoint, std::slice::from_ref(&topology)).is_empty();
    match float_network(checkpoint, topology) {
        Ok(network) => {
            assert!(fits);
            let lengths = network.parameters.iter().flatten().map(|layer| layer.weights.len());
            assert!(lengths.eq([24, 54]));
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains(char::is_control), "{line:?}");
            // A checkpoint that fits can only be refused for its numbers.
            assert!(!fits || line.contains("bn.running_var"), "{line}");
        }
    }
}

/// A sound archive around a pickle that describes other views, storages or names.
fn view_mutant(random: &mut Random) -> Mutant {
    let sizes = [0, 1, 2, 3, 8, 255, 65_536, 1 << 31, 1 << 40, usize::MAX >> 1];
    let mut views: Vec<TorchTensor> = (0..)
        .zip(tensors())
        .map(|(idx, (name, shape, values))| TorchTensor {
            name: name.to_owned(),
            storage: "FloatStorage",
            key: idx.to_string(),
            length: values.len(),
            offset: 0,
            shape: shape.to_vec(),
            strides: (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect(),
        })
        .collect();
    let view = random.below(views.len());
    let (size, other) = (*random.pick(&sizes), random.below(SHAPES.len()));
    let tensor = &mut views[view];
    let axis = random.below(tensor.shape.len());
    let what = match random.below(9) {
        0 => {
            tensor.length = size;
            "length of the storage"
        }
        1 => {
            tensor.offset = size;
            "offset"
        }
        2 => {
            tensor.shape[axis] = size;
            "axis"
        }
        3 => {
            tensor.strides[axis] = size;
            "stride"
        }
        4 => {
            (tensor.shape[axis], tensor.strides[axis]) = (size, 0);
            "axis of stride 0"
        }
        5 => {
            tensor.key = other.to_string();
            "storage's key"
        }
        6 => {
            tensor.name = SHAPES[other].0.to_owned();
            "name"
        }
        7 => {
            tensor.storage =
                random.pick::<&str>(&["HalfStorage", "DoubleStorage", "LongStorage", "\u{7}"]);
            "storage's type"
        }
        _ => {
            tensor.shape.reverse();
            tensor.strides.reverse();
            "order of axes"
        }
    };
    let bytes = archive(&pickle(&views, Wrapping::Bare));
    Mutant {
        what: format!("{what} of view {view}, {size}, {other}"),
        touched: Touched::Structure,
        bytes,
    }
}

/// An archive of a pickle and the storages of all tensors, every CRC right.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let storages: Vec<(String, Vec<u8>)> = (0..)
        .zip(tensors())
        .map(|(idx, (_, _, values))| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (format!("archive/data/{idx}"), bytes)
        })
        .collect();
    let mut records: Vec<(&str, &[u8])> = vec![("archive/data.pkl", pickle)];
    records.extend(storages.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    zip(&records)
}

/// A sound archive around a pickle in which bytes are cut, repeated, removed or changed.
fn pickle_mutant(random: &mut Random) -> Mutant {
    let key = *random.pick(&["state_dict", "net", "weights"]);
    let wrapping = if random.percent(50) { Wrapping::Bare } else { Wrapping::Under(key) };
    let sound = pickle(&[], wrapping);
    let full = torch_pickle(wrapping);
    let inner = match random.below(3) {
        0 => truncations(random, &full, 1).remove(0),
        1 => splice(random, &full, &sound),
        _ => Mutant { touched: Touched::Structure, ..flip_bits(random, &full) },
    };
    Mutant { what: format!("pickle: {}", inner.what), bytes: archive(&inner.bytes), ..inner }
}

fn torch_pickle(wrapping: Wrapping) -> Vec<u8> {
    let views: Vec<TorchTensor> = (0..)
        .zip(SHAPES)
        .map(|(idx, (name, shape))| TorchTensor {
            name: name.to_owned(),
            storage: "FloatStorage",
            key: idx.to_string(),
            length: shape.iter().product(),
            offset: 0,
            shape: shape.to_vec(),
            strides: (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect(),
        })
        .collect();
    pickle(&views, wrapping)
}

#[test]
fn a_checkpoint_cut_anywhere_is_refused() {
    let mut random = Random::new(0, 30);
    for file in [safetensors_file(), torch_file(Wrapping::Bare)] {
        let mutants = truncations(&mut random, &file, usize::MAX);
        let tally = fuzz("checkpoint, cut", mutants, read, use_accepted);
        assert_eq!((tally.structure, tally.accepted), (file.len(), 0));
    }
}

#[test]
fn hostile_safetensors_checkpoints_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let file = safetensors_file();
    let parsed = Safetensors::parse(&file);
    let mut random = Random::new(0, 31);
    let mutants = (0..n_mutants).map(|_| match random.below(10) {
        0..=4 => parsed.header_mutant(&mut random),
        5 => parsed.length_mutant(&mut random),
        6 => splice(&mut random, &file, &file),
        7..=8 => parsed.data_mutant(&mut random),
        _ => flip_bits(&mut random, &file),
    });
    let tally = fuzz("safetensors checkpoint", mutants, read, use_accepted);
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}

#[test]
fn hostile_torch_checkpoints_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let files = [torch_file(Wrapping::Bare), torch_file(Wrapping::Under("state_dict"))];
    let mut random = Random::new(0, 32);
    let mutants = (0..n_mutants).map(|_| {
        let (file, other) = (random.pick(&files).clone(), random.pick(&files).clone());
        match random.below(10) {
            0..=3 => view_mutant(&mut random),
            4..=6 => pickle_mutant(&mut random),
            7..=8 => splice(&mut random, &file, &other),
            _ => flip_bits(&mut random, &file),
        }
    });
    let tally = fuzz("torch checkpoint", mutants, read, use_accepted);
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}
