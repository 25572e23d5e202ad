//! Safetensors files: eight bytes of header length, a JSON header, then the tensors end to end.
//!
//! Read here and not by the crate of that name because a refusal must say which tensor and which
//! offset, a name that is there twice must be refused, and offsets near 2^64 must not overflow.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use tridot_sim::limits;

use super::element::ElementType;
use super::{BATCH_COUNTER, CheckpointTensor, Tensors, check_name, elements, one_line};
use crate::{Error, checkpoint};

const LENGTH_BYTES: usize = 8;
const METADATA: &str = "__metadata__";
/// The metadata key of an integer network, which is no checkpoint.
const NETWORK_KEY: &str = "tridot";

/// All floating-point tensors of a safetensors file, and the metadata of the training that wrote it.
pub(super) fn read(bytes: &[u8]) -> Result<(Tensors, Option<String>), Error> {
    let (mut header, data) = parsed(bytes)?;
    if header.metadata.contains_key(NETWORK_KEY) {
        let reason = "is an integer Network that tridot wrote, no checkpoint of float weights";
        return Err(Error::malformed("checkpoint", reason));
    }
    let mut entries: Vec<(String, Entry)> = header.tensors.into_iter().collect();
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    check_digest(&header.metadata, &entries, data)?;
    let mut tensors = Tensors::new();
    let mut end = 0;
    for (name, entry) in entries {
        check_name(&name)?;
        let slice = slice_of(&name, &entry, end, data)?;
        end = entry.data_offsets.1;
        if name.ends_with(BATCH_COUNTER) {
            continue;
        }
        let (kind, expected) = extent(&name, &entry)?;
        if expected != Some(slice.len()) {
            let what = format!("bytes of shape {:?} in {}", entry.shape, entry.dtype);
            let limit = expected.map_or("fewer than 2^64".to_owned(), |bytes| bytes.to_string());
            return Err(Error::limit(at_tensor(&name), what, limit, slice.len()));
        }
        let values = kind.decode(&name, slice)?;
        tensors.insert(name, CheckpointTensor { shape: entry.shape, values });
    }
    if end != data.len() {
        let limit = format!("{end} as the header says");
        return Err(Error::limit("safetensors data", "bytes", limit, data.len()));
    }
    Ok((tensors, header.metadata.remove(checkpoint::KEY)))
}

/// Refuses a training's checkpoint that is not as it was written.
fn check_digest(
    metadata: &BTreeMap<String, String>,
    entries: &[(String, Entry)],
    data: &[u8],
) -> Result<(), Error> {
    let texts = metadata.get(checkpoint::KEY).zip(metadata.get(checkpoint::DIGEST_KEY));
    let Some((training, said)) = texts else { return Ok(()) };
    let named = entries.iter().map(|(name, entry)| (name.as_str(), entry.shape.as_slice()));
    let is = checkpoint::digest(training, named, data).to_string();
    if *said == is {
        return Ok(());
    }
    let limit = format!("{}, as the file says: is it damaged?", one_line(said));
    Err(Error::limit("checkpoint", "the digest of its contents", limit, is))
}

/// Whether a file is an integer network.
pub(super) fn is_integer_network(bytes: &[u8]) -> bool {
    parsed(bytes).is_ok_and(|(header, _)| header.metadata.contains_key(NETWORK_KEY))
}

/// The header and the data.
fn parsed(bytes: &[u8]) -> Result<(Header, &[u8]), Error> {
    let (header, data) = split(bytes)?;
    let header = serde_json::from_slice(header)
        .map_err(|error| at_header(format!("is not readable: {}", one_line(&error.to_string()))))?;
    Ok((header, data))
}

/// The text of the header and the data.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let (length, rest) = bytes
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or_else(|| at_header("is cut off: the file has fewer than 8 bytes"))?;
    let length = u64::from_le_bytes(*length);
    let most = rest.len().min(limits::MAX_DESCRIPTION_BYTES);
    match usize::try_from(length) {
        Ok(length) if length <= most => Ok(rest.split_at(length)),
        _ => Err(Error::limit(
            "safetensors header",
            "length",
            format!("at most {most} bytes"),
            length,
        )),
    }
}

/// The bytes of a tensor, which must begin where the one before it ended.
fn slice_of<'a>(
    name: &str,
    entry: &Entry,
    begin: usize,
    data: &'a [u8],
) -> Result<&'a [u8], Error> {
    let (first, end) = entry.data_offsets;
    if first != begin {
        let limit = format!("{begin}, the end of the tensor before it");
        return Err(Error::limit(at_tensor(name), "first byte", limit, first));
    }
    data.get(first..end).ok_or_else(|| {
        let limit = format!("from {first} to {} (is the file cut off?)", data.len());
        Error::limit(at_tensor(name), "end of its bytes", limit, end)
    })
}

/// The element type of a tensor and the bytes that its shape asks for, if they can be counted.
fn extent(name: &str, entry: &Entry) -> Result<(ElementType, Option<usize>), Error> {
    let kind = match entry.dtype.as_str() {
        "F16" => ElementType::F16,
        "BF16" => ElementType::Bf16,
        "F32" => ElementType::F32,
        "F64" => ElementType::F64,
        other => {
            let limit = "F16, BF16, F32 or F64";
            return Err(Error::limit(at_tensor(name), "element type", limit, one_line(other)));
        }
    };
    let bytes = elements(&entry.shape).and_then(|count| count.checked_mul(kind.bytes()));
    Ok((kind, bytes))
}

fn at_header(reason: impl Into<String>) -> Error {
    Error::malformed("safetensors header", reason)
}

fn at_tensor(name: &str) -> String {
    format!("tensor `{name}`")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// The header; no name may be there twice.
#[derive(Debug)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Entry>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header { metadata: BTreeMap::new(), tensors: BTreeMap::new() };
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA {
                let metadata: BTreeMap<String, Value> = map.next_value()?;
                // Values that are no strings are not as the format has it, but of no concern.
                let text =
                    |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let texts = metadata.into_iter().map(|(key, value)| (key, text(&value)));
                header.metadata.extend(texts);
            } else {
                match header.tensors.entry(name) {
                    btree_map::Entry::Vacant(place) => place.insert(map.next_value()?),
                    btree_map::Entry::Occupied(place) => {
                        let twice = format!("tensor `{}` is there twice", place.key());
                        return Err(A::Error::custom(twice));
                    }
                };
            }
        }
        Ok(header)
    }
}
