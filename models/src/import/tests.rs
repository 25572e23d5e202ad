mod torch_file;

mod fit;

use super::*;
use torch_file::{TorchTensor, Wrapping};

/// A safetensors file from a header and data.
fn safetensors_file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn refusal(bytes: &[u8]) -> String {
    Checkpoint::read(bytes).unwrap_err().to_string()
}

/// The refusal of a safetensors file of this header and four bytes of data.
fn header_refusal(header: &str) -> String {
    refusal(&safetensors_file(header, &[0; 4]))
}

#[test]
fn a_header_length_that_begins_like_another_file_is_no_mistake() {
    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    // 0x80 = 128 bytes, as a Python pickle begins.
    let file = safetensors_file(&format!("{header:128}"), &[0, 0, 0x80, 0x3f]);
    assert_eq!(Checkpoint::read(&file).unwrap().tensors["a"].values, [1.0]);
}

#[test]
fn safetensors_of_every_float_type_are_read() {
    // 1.5 in each type; the counter is left out, and so is the prefix.
    let header = r#"{"__metadata__":{"source":"here"},
        "module.a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},
        "module.b":{"dtype":"BF16","shape":[1,1],"data_offsets":[2,4]},
        "module.c":{"dtype":"F32","shape":[],"data_offsets":[4,8]},
        "module.d":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},
        "module.bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[16,24]}}"#;
    let mut data = vec![0x00, 0x3e, 0xc0, 0x3f, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f];
    data.extend([7, 0, 0, 0, 0, 0, 0, 0]);
    let checkpoint = Checkpoint::read(&safetensors_file(header, &data)).unwrap();
    let shapes: [(&str, &[usize]); 4] = [("a", &[1]), ("b", &[1, 1]), ("c", &[]), ("d", &[1])];
    assert_eq!(checkpoint.tensors.len(), shapes.len());
    for (name, shape) in shapes {
        let expected = CheckpointTensor { shape: shape.to_vec(), values: vec![1.5] };
        assert_eq!(checkpoint.tensors[name], expected, "{name}");
    }
}

#[test]
fn a_prefix_of_some_names_only_is_part_of_them() {
    let header = r#"{"module.a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},
        "b":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}}"#;
    let checkpoint = Checkpoint::read(&safetensors_file(header, &[0; 4])).unwrap();
    assert!(checkpoint.tensors.keys().eq(["b", "module.a"]));
}

#[test]
fn unsound_safetensors_are_refused_with_place_limit_and_value() {
    let sound = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    assert!(Checkpoint::read(&safetensors_file(sound, &[0; 4])).is_ok());
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let cases = [
        (tensor("F32", "[2]", "[0,4]"), "tensor `a`: bytes of shape [2] in F32 must be 8, got 4"),
        (
            tensor("F32", "[4294967296,4294967296]", "[0,4]"),
            "tensor `a`: bytes of shape [4294967296, 4294967296] in F32 must be fewer than 2^64, got 4",
        ),
        (
            tensor("F32", "[1]", "[4,8]"),
            "tensor `a`: first byte must be 0, the end of the tensor before it, got 4",
        ),
        (
            tensor("F32", "[4611686018427387903]", "[0,18446744073709551612]"),
            "tensor `a`: end of its bytes must be from 0 to 4 (is the file cut off?), got \
             18446744073709551612",
        ),
        (
            tensor("I32", "[1]", "[0,4]"),
            "tensor `a`: element type must be F16, BF16, F32 or F64, got I32",
        ),
        (
            tensor("F16", "[1]", "[0,2]"),
            "safetensors data: bytes must be 2 as the header says, got 4",
        ),
        (tensor("F32", "[-1]", "[0,4]"), "safetensors header: is not readable: "),
        (
            format!("{{{0},{0}}}", &sound[1..sound.len() - 1]),
            "safetensors header: is not readable: tensor `a` is there twice at line 1 column 57",
        ),
        (
            r#"{"__metadata__":{"tridot":"{}"}}"#.to_owned(),
            "checkpoint: is an integer Network that tridot wrote, no checkpoint of float weights",
        ),
        (
            sound.replace("\"a\"", "\"a\\nb\""),
            "checkpoint: a tensor's name must be at most 256 bytes of printable text, got a b",
        ),
    ];
    for (header, message) in cases {
        let got = header_refusal(&header);
        assert!(got.starts_with(message), "{got}\n{message}");
        assert!(!got.contains(char::is_control), "{got:?}");
    }
    let long = safetensors_file("{ ", &[]);
    assert!(refusal(&long).starts_with("safetensors header: is not readable: EOF"));
    let mut lying = safetensors_file(sound, &[0; 4]);
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let message = "safetensors header: length must be at most 58 bytes, got 18446744073709551615";
    assert_eq!(refusal(&lying), message);
    let empty = safetensors_file("{}", &[]);
    assert_eq!(refusal(&empty), "checkpoint: holds no tensor of weights");
}

#[test]
fn weights_that_are_not_finite_are_named() {
    let header = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;
    let file = |values: &[f32]| safetensors_file(header, &bytes_of(values));
    let nan = refusal(&file(&[1.0, f32::NAN, 2.0]));
    assert_eq!(nan, "tensor `a`: element 1 must be a finite f32, got NaN");
    let infinite = refusal(&file(&[1.0, 2.0, f32::NEG_INFINITY]));
    assert_eq!(infinite, "tensor `a`: element 2 must be a finite f32, got -inf");
    let header = r#"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#;
    let large = refusal(&safetensors_file(header, &2f64.powi(200).to_le_bytes()));
    assert!(large.starts_with("tensor `a`: element 0 must be a finite f32, got 16069"), "{large}");
}

#[test]
fn other_files_are_refused_with_what_they_look_like() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let legacy = "a PyTorch checkpoint in the format before version 1.6; convert it in Python with \
                  torch.save(torch.load(\"old.pth\", map_location=\"cpu\"), \"new.pth\")";
    let cases: [(&[u8], &str); 12] = [
        (b"", "an empty file"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", legacy),
        (&tar, legacy),
        (b"\x80\x04\x95", "a Python pickle without PyTorch's zip archive around it"),
        (b"\x89HDF\r\n\x1a\n....", "an HDF5 file (Keras .h5); save its weights as safetensors"),
        (b"\x1c\x00\x00\x00TFL3", "a TensorFlow Lite file; save its weights as safetensors"),
        (b"\xfd7zXZ\x00.", "an xz-compressed file; unpack it first (xz -dk FILE)"),
        (b"\x93NUMPY\x01\x00", "a NumPy array; save the weights as safetensors"),
        (b"\x1f\x8b\x08", "a gzip-compressed file; unpack it first (gunzip -k FILE)"),
        (b"\x28\xb5\x2f\xfd", "a zstd-compressed file; unpack it first (zstd -d FILE)"),
        (b"format = 1\nname", "a text file"),
        (b"\x00\x01\x02\x03", "a file of an unknown kind"),
    ];
    for (bytes, what) in cases {
        let message = format!(
            "checkpoint: is neither a safetensors file nor a PyTorch zip checkpoint, but {what}"
        );
        assert_eq!(refusal(bytes), message);
    }
}

const VALUES: [f32; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

#[test]
fn state_dicts_are_read_bare_and_wrapped() {
    let tensors: [(&str, &[usize], &[f32]); 2] = [
        ("module.conv1.weight", &[2, 3, 1, 1], &VALUES),
        ("module.conv1.bias", &[2], &[-1.0, 0.5]),
    ];
    let wrappings = [Wrapping::Bare, Wrapping::Under("state_dict"), Wrapping::Under("net")];
    for wrapping in wrappings {
        let checkpoint = Checkpoint::read(&torch_file::checkpoint(&tensors, wrapping)).unwrap();
        assert_eq!(checkpoint.tensors.len(), 2);
        let weight = CheckpointTensor { shape: vec![2, 3, 1, 1], values: VALUES.to_vec() };
        assert_eq!(checkpoint.tensors["conv1.weight"], weight);
        let bias = CheckpointTensor { shape: vec![2], values: vec![-1.0, 0.5] };
        assert_eq!(checkpoint.tensors["conv1.bias"], bias);
    }
}

/// A tensor over the storage `0` of six floats.
fn view(offset: usize, shape: &[usize], strides: &[usize]) -> TorchTensor {
    TorchTensor {
        name: "a".to_owned(),
        storage: "FloatStorage",
        key: "0".to_owned(),
        length: 6,
        offset,
        shape: shape.to_vec(),
        strides: strides.to_vec(),
    }
}

/// An archive of one pickle and the storage `0` of six floats.
fn archive(pickle: &[u8]) -> Vec<u8> {
    torch_file::zip(&[("x/data.pkl", pickle), ("x/data/0", &bytes_of(&VALUES))])
}

fn file_of(view: TorchTensor) -> Vec<u8> {
    archive(&torch_file::pickle(&[view], Wrapping::Bare))
}

#[test]
fn views_are_gathered_by_their_strides() {
    // Storage 0 1 2 3 4 5: its transpose as 3×2, a part, every other element, a scalar, nothing.
    type View<'a> = (usize, &'a [usize], &'a [usize], &'a [f32]);
    let cases: [View<'_>; 5] = [
        (0, &[3, 2], &[1, 3], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]),
        (4, &[2], &[1], &[4.0, 5.0]),
        (1, &[3], &[2], &[1.0, 3.0, 5.0]),
        (5, &[], &[], &[5.0]),
        (6, &[0, 3], &[3, 1], &[]),
    ];
    for (offset, shape, strides, values) in cases {
        let checkpoint = Checkpoint::read(&file_of(view(offset, shape, strides))).unwrap();
        let expected = CheckpointTensor { shape: shape.to_vec(), values: values.to_vec() };
        assert_eq!(checkpoint.tensors["a"], expected);
    }
}

#[test]
fn storages_of_every_float_type_are_read() {
    let cases: [(&'static str, &[u8]); 3] = [
        ("HalfStorage", &[0x00, 0x3e]),
        ("BFloat16Storage", &[0xc0, 0x3f]),
        ("DoubleStorage", &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
    ];
    for (storage, bytes) in cases {
        let tensor = TorchTensor { storage, length: 1, ..view(0, &[1], &[1]) };
        let pickle = torch_file::pickle(&[tensor], Wrapping::Bare);
        let file = torch_file::zip(&[("x/data.pkl", &pickle), ("x/data/0", bytes)]);
        assert_eq!(Checkpoint::read(&file).unwrap().tensors["a"].values, [1.5], "{storage}");
    }
}

#[test]
fn tensors_that_leave_their_storage_or_multiply_it_are_refused() {
    let cases = [
        (
            view(1, &[6], &[1]),
            "tensor `a`: shape [6] with strides [1] from element 1 leaves its storage of 6 elements",
        ),
        (
            view(0, &[2, 2], &[usize::MAX >> 1, 1]),
            "tensor `a`: shape [2, 2] with strides [9223372036854775807, 1] from element 0 leaves \
             its storage of 6 elements",
        ),
        (
            view(0, &[1 << 40], &[0]),
            "tensor `a`: elements of shape [1099511627776] must be at most",
        ),
        (
            view(0, &[1 << 40, 1 << 40], &[0, 0]),
            "tensor `a`: elements of shape [1099511627776, 1099511627776] must be at most",
        ),
        (
            TorchTensor { length: 7, ..view(0, &[6], &[1]) },
            "tensor `a`: bytes of storage `0` must be 7 elements of 4 bytes, got 24",
        ),
        (
            TorchTensor { storage: "LongStorage", ..view(0, &[3], &[1]) },
            "tensor `a`: storage must be Half, BFloat16, Float or DoubleStorage, got LongStorage",
        ),
        (
            TorchTensor { key: "9".to_owned(), ..view(0, &[6], &[1]) },
            "zip archive: there is no record `x/data/9`",
        ),
        (view(0, &[1; 9], &[1; 9]), "a tensor must have at most 8 axes, got 9"),
        (view(0, &[2], &[1, 1]), "a tensor must have a stride for each axis, got 2 for 1"),
    ];
    for (tensor, message) in cases {
        let got = refusal(&file_of(tensor));
        assert!(got.contains(message), "{got}\n{message}");
    }
}

#[test]
fn pickles_that_are_no_state_dict_are_refused_and_never_run() {
    let cases: [(&[u8], &str); 11] = [
        (
            b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.",
            "checkpoint: its content must be a dictionary of tensors, as model.state_dict() gives, \
             got an object made by posix.system",
        ),
        (
            b"\x80\x02}X\x01\x00\x00\x00acposix\nsystem\n)Rs.",
            "state dict: `a` must be a tensor, got an object made by posix.system",
        ),
        (
            b"\x80\x02}X\x05\x00\x00\x00epochK\x07s.",
            "state dict: `epoch` must be a tensor, got the integer 7",
        ),
        (b"\x80\x02}K\x01K\x02s.", "state dict: a key must be text, got the integer 1"),
        (b"\x80\x04}.", "data.pkl: byte 2: the pickle protocol must be 2, torch.save's own, got 4"),
        (b"\x80\x02}", "data.pkl: byte 3: cut off: 1 bytes wanted"),
        (b"\x80\x02.", "data.pkl: byte 3: the stack is empty"),
        (b"\x80\x02}(K\x01u.", "data.pkl: byte 7: a key without a value"),
        (b"\x80\x02h\x05.", "data.pkl: byte 4: nothing was stored as 5"),
        (b"\x80\x02(}u.", "data.pkl: byte 5: the stack is empty"),
        (b"\x80\x02\x93.", "data.pkl: byte 3: operation 0x93 (`\\u{93}`) is none of a state dict"),
    ];
    for (pickle, message) in cases {
        assert_eq!(refusal(&archive(pickle)), message);
    }
}

#[test]
fn a_pickle_cannot_ask_for_more_values_than_the_limit() {
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend(vec![b'N'; (1 << 20) + 1]);
    let got = refusal(&archive(&pickle));
    assert_eq!(got, "data.pkl: byte 1048579: more than 1048576 values");
}

#[test]
fn unsound_archives_are_refused() {
    let sound = torch_file::checkpoint(&[("a", &[6], &VALUES)], Wrapping::Bare);
    assert!(Checkpoint::read(&sound).is_ok());
    let changed = |what: &[u8], by: &[u8]| {
        let at = sound.windows(what.len()).rposition(|window| window == what).unwrap();
        let mut file = sound.clone();
        file[at..at + by.len()].copy_from_slice(by);
        refusal(&file)
    };
    // The value 1.0 in the storage becomes 1.0039…: only the CRC can tell.
    let at = sound.windows(4).position(|window| window == 1f32.to_le_bytes()).unwrap();
    let mut flipped = sound.clone();
    flipped[at + 1] ^= 0x80;
    assert!(refusal(&flipped).starts_with("record `archive/data/0`: CRC must be "));
    let cut = refusal(&sound[..sound.len() - 1]);
    assert_eq!(cut, "zip archive: it has no end record (is the file cut off?)");
    let no_end = changed(b"PK\x05\x06", b"PK\x05\x07");
    assert_eq!(no_end, "zip archive: it has no end record (is the file cut off?)");
    let outside = changed(b"PK\x05\x06\x00\x00\x00\x00\x04\x00\x04\x00", &{
        let mut end = b"PK\x05\x06\x00\x00\x00\x00\x04\x00\x04\x00".to_vec();
        end.extend(0x00ff_ffffu32.to_le_bytes());
        end
    });
    let message = "zip archive: the central directory lies outside the file (is it cut off?)";
    assert_eq!(outside, message);
    let zip64 = changed(b"\x04\x00\x04\x00", b"\x04\x00\xff\xff");
    assert_eq!(zip64, "zip archive: zip archives over 4 GiB are not read");
    let compressed = changed(b"PK\x01\x02", b"PK\x01\x02\x00\x00\x00\x00\x00\x00\x08\x00");
    let message =
        "zip archive: record `archive/version` is compressed, which torch.save never does";
    assert_eq!(compressed, message);
    let twice = torch_file::zip(&[("x/data.pkl", b"\x80\x02}."), ("x/data.pkl", b"\x80\x02}.")]);
    assert_eq!(refusal(&twice), "zip archive: record `x/data.pkl` is there twice");
    let other = torch_file::zip(&[("word/document.xml", b"<w/>")]);
    let message = "checkpoint: is a zip archive without data.pkl, so no PyTorch checkpoint";
    assert_eq!(refusal(&other), message);
    let script = torch_file::zip(&[("x/data.pkl", b"\x80\x02}."), ("x/constants.pkl", b"")]);
    let message =
        "checkpoint: is a TorchScript program (torch.jit.save); save its state_dict() instead";
    assert_eq!(refusal(&script), message);
    let big = torch_file::zip(&[("x/data.pkl", b"\x80\x02}."), ("x/byteorder", b"big")]);
    assert_eq!(refusal(&big), "x/byteorder: the tensors must be little-endian");
}
