//! The file form of a trace: one `safetensors` file. Same content, same bytes.

use std::borrow::Cow;
use std::collections::BTreeSet;

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::{Codes, Recorded, Statistics, Trace, is_narrow};
use crate::container::{self, Container, Tensor, numbers};
use crate::network::{Shape, Sign};
use crate::{Error, limits};

/// The version of the file form that this reader accepts and this writer writes.
pub const FORMAT: u32 = 1;

/// The metadata key that holds the description.
const METADATA_KEY: &str = "tridot_trace";

/// The metadata key, as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDescription {
    format: u32,
    network: String,
    network_digest: String,
    data: String,
    pictures: usize,
    tensors: Vec<RawTensor>,
}

/// A tensor without its codes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTensor {
    name: String,
    shape: Shape,
    bits: u32,
    sign: Sign,
    zeros: u64,
    hamming_bits: u64,
}

impl Trace {
    /// The trace as the bytes of a file: equal traces give equal bytes.
    ///
    /// The tensors are `input` and `<layer>.output`, pictures × height × width × channels: u8 or i8, or i64
    /// for the raw output of the last layer. The metadata key `tridot_trace` holds the rest as JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let raw = |tensor: &Recorded| RawTensor {
            name: tensor.name.clone(),
            shape: tensor.shape,
            bits: tensor.bits,
            sign: tensor.sign,
            zeros: tensor.statistics.zeros,
            hamming_bits: tensor.statistics.hamming_bits,
        };
        let description = RawDescription {
            format: FORMAT,
            network: self.network.clone(),
            network_digest: self.digest.to_string(),
            data: self.data.clone(),
            pictures: self.pictures,
            tensors: self.tensors.iter().map(raw).collect(),
        };
        let tensor = |tensor: &'_ Recorded| {
            let Shape { height, width, channels } = tensor.shape;
            let bytes = match &tensor.codes {
                Codes::Narrow(codes) => codes.clone(),
                Codes::Wide(codes) => codes.iter().flat_map(|code| code.to_le_bytes()).collect(),
            };
            let written = Tensor {
                dtype: dtype(tensor.bits, tensor.sign),
                shape: vec![self.pictures, height, width, channels],
                bytes: Cow::Owned(bytes),
            };
            (tensor.name.clone(), written)
        };
        container::write(self.tensors.iter().map(tensor).collect(), METADATA_KEY, &description)
    }

    /// Reads a trace; refuses a file with anything missing, repeated, unknown, out of range or different from
    /// what is computed from the rest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        read(bytes).map_err(Error::on_one_line)
    }
}

fn read(bytes: &[u8]) -> Result<Trace, Error> {
    if limits::MAX_TRACE_FILE_BYTES < bytes.len() {
        let limit = format!("at most {}", limits::MAX_TRACE_FILE_BYTES);
        return Err(Error::limit("trace file", "the number of bytes", limit, bytes.len()));
    }
    let mut file = Container::read("trace", bytes)?;
    let raw: RawDescription = container::description(&file.take_metadata(METADATA_KEY)?, FORMAT)?;
    text("description", "network", &raw.network)?;
    text("description", "data", &raw.data)?;
    let digest = raw.network_digest.parse().map_err(|expected: &str| {
        Error::malformed("description", format!("network_digest: not {expected}"))
    })?;
    count("the number of pictures", raw.pictures, limits::MAX_TRACE_PICTURES)?;
    count("the number of tensors", raw.tensors.len(), limits::MAX_LAYERS + 1)?;
    let mut names = BTreeSet::new();
    let mut tensors = Vec::with_capacity(raw.tensors.len());
    for tensor in raw.tensors {
        text("tensor", "name", &tensor.name)?;
        if !names.insert(tensor.name.clone()) {
            let place = format!("tensor `{}`", tensor.name);
            return Err(Error::malformed(place, "two tensors have this name"));
        }
        tensors.push(read_tensor(&mut file, tensor, raw.pictures)?);
    }
    file.nothing_left()?;
    file.unchanged()?;
    Ok(Trace { network: raw.network, digest, data: raw.data, pictures: raw.pictures, tensors })
}

fn read_tensor(
    file: &mut Container<'_>,
    raw: RawTensor,
    pictures: usize,
) -> Result<Recorded, Error> {
    let place = format!("tensor `{}`", raw.name);
    let Shape { height, width, channels } = raw.shape;
    let least = match raw.sign {
        Sign::Unsigned => 1,
        Sign::Signed => 2,
    };
    let is_wide = raw.sign == Sign::Signed && raw.bits <= limits::MAX_Y_BITS;
    if raw.bits < least || !(is_narrow(raw.bits) || is_wide) {
        let limit = format!(
            "between {least} and {}, or signed and at most {}",
            limits::MAX_ACTIVATION_BITS,
            limits::MAX_Y_BITS
        );
        return Err(Error::limit(place, "bits", limit, raw.bits));
    }
    let shape = [pictures, height, width, channels];
    if let Some(&side) = shape.iter().find(|&&side| !(1..=limits::MAX_CHANNELS).contains(&side)) {
        let limit = format!("between 1 and {}", limits::MAX_CHANNELS);
        return Err(Error::limit(place, "a side of the shape", limit, side));
    }
    let codes = file.take(&raw.name, dtype(raw.bits, raw.sign), &shape.map(Some))?;
    let codes = if is_narrow(raw.bits) {
        Codes::Narrow(codes.to_vec())
    } else {
        Codes::Wide(numbers(codes, i64::from_le_bytes))
    };
    let RawTensor { name, shape, bits, sign, zeros, hamming_bits } = raw;
    let recorded = Recorded { name, shape, bits, sign, statistics: Statistics::default(), codes };
    let recorded = recorded.checked()?;
    let computed = recorded.statistics;
    for (what, said, is) in
        [("zeros", zeros, computed.zeros), ("hamming_bits", hamming_bits, computed.hamming_bits)]
    {
        if said != is {
            return Err(Error::limit(place, what, format!("the {is} of its codes"), said));
        }
    }
    Ok(recorded)
}

const fn dtype(bits: u32, sign: Sign) -> Dtype {
    match sign {
        Sign::Unsigned => Dtype::U8,
        Sign::Signed if is_narrow(bits) => Dtype::I8,
        Sign::Signed => Dtype::I64,
    }
}

/// Refuses an empty, long or multi-line text. A tensor's name is a layer's with a word behind it.
pub(super) fn text(place: &str, key: &str, text: &str) -> Result<(), Error> {
    let bytes = 1..=limits::MAX_NAME_BYTES + ".output".len();
    if !bytes.contains(&text.len()) {
        let limit = format!("between 1 and {} bytes long", bytes.end());
        return Err(Error::limit(place, key, limit, text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::malformed(place, format!("control character in {key}")));
    }
    Ok(())
}

pub(super) fn count(what: &str, count: usize, most: usize) -> Result<(), Error> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(Error::limit("trace", what, format!("between 1 and {most}"), count))
}
