//! Writes files as `torch.save` does, for tests: a zip archive of stored records and a pickle.

/// A tensor of a state dict: a view of a storage.
pub(crate) struct TorchTensor {
    pub(crate) name: String,
    /// E.g. `FloatStorage`.
    pub(crate) storage: &'static str,
    /// Name of the record.
    pub(crate) key: String,
    /// Elements of the storage.
    pub(crate) length: usize,
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

/// Where the state dict is.
#[derive(Clone, Copy)]
pub(crate) enum Wrapping {
    /// It is the whole pickle.
    Bare,
    /// Under a key, beside an epoch and an object of the training script.
    Under(&'static str),
}

/// The pickle of a state dict.
pub(crate) fn pickle(tensors: &[TorchTensor], wrapping: Wrapping) -> Vec<u8> {
    let mut out = b"\x80\x02".to_vec();
    if let Wrapping::Under(key) = wrapping {
        out.extend(b"}q\x00(");
        text(&mut out, "epoch");
        out.extend(b"K\x07");
        text(&mut out, "args");
        out.extend(b"cargparse\nNamespace\n)\x81}(");
        text(&mut out, "lr");
        out.extend(b"G\x3f\xb9\x99\x99\x99\x99\x99\x9aub");
        text(&mut out, key);
    }
    out.extend(b"ccollections\nOrderedDict\nq\x01)Rq\x02(");
    for tensor in tensors {
        text(&mut out, &tensor.name);
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(format!("ctorch\n{}\n", tensor.storage).bytes());
        text(&mut out, &tensor.key);
        text(&mut out, "cpu");
        integer(&mut out, tensor.length);
        out.extend(b"tQ");
        integer(&mut out, tensor.offset);
        for sizes in [&tensor.shape, &tensor.strides] {
            out.push(b'(');
            for &size in sizes {
                integer(&mut out, size);
            }
            out.push(b't');
        }
        out.extend(b"\x89h\x01)RtR");
    }
    out.push(b'u');
    // The attributes that torch gives the dictionary.
    out.extend(b"}");
    text(&mut out, "_metadata");
    out.extend(b"h\x01)Rsb");
    if let Wrapping::Under(_) = wrapping {
        out.push(b'u');
    }
    out.push(b'.');
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.bytes());
}

fn integer(out: &mut Vec<u8>, value: usize) {
    match u8::try_from(value) {
        Ok(small) => out.extend([b'K', small]),
        Err(_) if i32::try_from(value).is_ok() => {
            out.push(b'J');
            out.extend(i32::try_from(value).unwrap().to_le_bytes());
        }
        Err(_) => {
            out.extend(b"\x8a\x08");
            out.extend(i64::try_from(value).unwrap().to_le_bytes());
        }
    }
}

/// A zip archive of stored records.
pub(crate) fn zip(records: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in records {
        let offset = u32::try_from(out.len()).unwrap();
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        let name_bytes = u16::try_from(name.len()).unwrap().to_le_bytes();
        let mut common = b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
        common.extend(crc32(data).to_le_bytes());
        common.extend([length, length].concat());
        common.extend(name_bytes);
        // Torch pads with an extra field so that the data is aligned; four bytes here.
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(b"\x04\x00");
        out.extend(name.bytes());
        out.extend(b"FB\x00\x00");
        out.extend(*data);
        directory.extend(b"PK\x01\x02\x00\x00");
        directory.extend(&common);
        directory.extend([0; 12]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.bytes());
    }
    let n_records = u16::try_from(records.len()).unwrap().to_le_bytes();
    let offset = u32::try_from(out.len()).unwrap().to_le_bytes();
    out.extend(&directory);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend([n_records, n_records].concat());
    out.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    out.extend(offset);
    out.extend(b"\x00\x00");
    out
}

/// CRC-32 of zip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    !crc
}

/// A checkpoint of float tensors, each with a storage of its own, as `torch.save` writes it.
pub(crate) fn checkpoint(tensors: &[(&str, &[usize], &[f32])], wrapping: Wrapping) -> Vec<u8> {
    let storages: Vec<(String, Vec<u8>)> = (0..)
        .zip(tensors)
        .map(|(idx, (_, _, values))| {
            let bytes = values.iter().flat_map(|value: &f32| value.to_le_bytes()).collect();
            (format!("archive/data/{idx}"), bytes)
        })
        .collect();
    let views: Vec<TorchTensor> = (0..)
        .zip(tensors)
        .map(|(idx, (name, shape, values))| TorchTensor {
            name: (*name).to_owned(),
            storage: "FloatStorage",
            key: idx.to_string(),
            length: values.len(),
            offset: 0,
            shape: shape.to_vec(),
            strides: (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect(),
        })
        .collect();
    let pickle = pickle(&views, wrapping);
    let mut records: Vec<(&str, &[u8])> =
        vec![("archive/data.pkl", &pickle), ("archive/byteorder", b"little")];
    records.extend(storages.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    records.push(("archive/version", b"3\n"));
    zip(&records)
}
