//! The `safetensors` container of networks and traces, read strictly: nothing repeated, no gap, no
//! unknown key.
//!
//! The crate's own reader keeps the last of two equal keys and ignores unknown ones.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use safetensors::tensor::Dtype;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::{Error, limits};

/// Bytes of the header's length.
const LENGTH_BYTES: usize = 8;
/// The header's key that names no tensor.
const METADATA: &str = "__metadata__";
/// The metadata key of the digest of the description and the data.
const DIGEST: &str = "tridot_digest";
/// The header is padded to a multiple of it, so that data is aligned.
const ALIGNMENT: usize = 8;

/// A file whose header has been read and whose tensors tile its data.
#[derive(Debug)]
pub(crate) struct Container<'a> {
    /// What the file should hold, for refusals.
    kind: &'static str,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, RawTensor>,
    data: &'a [u8],
    /// What the file says that its digest is, and what it is.
    digests: Option<(String, Digest)>,
}

/// What the header says of a tensor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    /// First byte and the byte after the last, counted from the header's end.
    data_offsets: [usize; 2],
}

impl<'a> Container<'a> {
    /// Reads the header and checks that the tensors follow one another and fill the file.
    pub(crate) fn read(kind: &'static str, bytes: &'a [u8]) -> Result<Self, Error> {
        let place = format!("{kind} file");
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
            let limit = format!("at least {LENGTH_BYTES}");
            return Err(Error::limit(place, "the number of bytes", limit, bytes.len()));
        };
        if length.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
            return Err(Error::malformed(place, "is a text, not a safetensors file"));
        }
        let length = u64::from_le_bytes(*length);
        let most = rest.len().min(limits::MAX_HEADER_BYTES);
        let header = usize::try_from(length).ok().filter(|&length| length <= most);
        let Some((header, data)) = header.and_then(|length| rest.split_at_checked(length)) else {
            let limit = format!("at most {most}, as the file has {} bytes", bytes.len());
            return Err(Error::limit(place, "the header's length", limit, length));
        };
        let header: Header = serde_json::from_slice(header)
            .map_err(|error| Error::malformed("header", error.to_string()))?;
        tile(&place, &header.tensors, data.len())?;
        let Header { metadata, tensors } = header;
        Ok(Self { kind, metadata, tensors, data, digests: None })
    }

    /// The text of the description, which is under the only metadata key beside the digest's.
    pub(crate) fn take_metadata(&mut self, key: &str) -> Result<String, Error> {
        let text = self.take_key(key)?;
        let said = self.take_key(DIGEST)?;
        self.digests = Some((said, Digest::of_parts([text.as_bytes(), self.data])));
        match self.metadata.keys().next() {
            None => Ok(text),
            Some(other) => {
                Err(Error::malformed("header", format!("unknown metadata key `{other}`")))
            }
        }
    }

    fn take_key(&mut self, key: &str) -> Result<String, Error> {
        self.metadata.remove(key).ok_or_else(|| {
            let reason = format!("no metadata key `{key}`: not a tridot {}", self.kind);
            Error::malformed("header", reason)
        })
    }

    /// Refuses contents that are not those that were written. Called last: other refusals say more.
    pub(crate) fn unchanged(&self) -> Result<(), Error> {
        let (said, is) = self.digests.as_ref().expect("the description was taken");
        if *said == is.to_string() {
            return Ok(());
        }
        let place = format!("{} file", self.kind);
        let what = "the digest of its contents";
        Err(Error::limit(place, what, format!("the `{DIGEST}` of its header, {said}"), is))
    }

    /// The bytes of a tensor of this element type and shape (`None`: any length), once.
    pub(crate) fn take(
        &mut self,
        name: &str,
        dtype: Dtype,
        shape: &[Option<usize>],
    ) -> Result<&'a [u8], Error> {
        let place = || format!("tensor `{name}`");
        let Some(tensor) = self.tensors.remove(name) else {
            return Err(Error::malformed(place(), "missing"));
        };
        if tensor.dtype != dtype {
            return Err(Error::limit(place(), "the element type", dtype.to_string(), tensor.dtype));
        }
        let fits = tensor.shape.len() == shape.len()
            && tensor.shape.iter().zip(shape).all(|(got, want)| want.is_none_or(|w| w == *got));
        if !fits {
            let side = |side: &Option<usize>| side.map_or("K".to_owned(), |side| side.to_string());
            let want: Vec<_> = shape.iter().map(side).collect();
            let got = tensor.shape.iter().map(|&side| Some(side));
            // A hostile shape may have a million sides; a few tell enough.
            let got: Vec<_> = got.take(8).map(|s| side(&s)).collect();
            let got = format!("{} ({} sides)", got.join("×"), tensor.shape.len());
            return Err(Error::limit(place(), "the shape", want.join("×"), got));
        }
        let [begin, end] = tensor.data_offsets;
        Ok(&self.data[begin..end])
    }

    /// Refuses a file with a tensor that nobody took.
    pub(crate) fn nothing_left(&self) -> Result<(), Error> {
        match self.tensors.keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(Error::malformed(format!("tensor `{name}`"), "the description names no such"))
            }
        }
    }
}

/// Tensors have the bytes of their shape, in some order one behind the other, from 0 to the end.
fn tile(
    place_of_file: &str,
    tensors: &BTreeMap<String, RawTensor>,
    data_len: usize,
) -> Result<(), Error> {
    let mut by_offset: Vec<_> = tensors.iter().collect();
    by_offset.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut position = 0;
    for (name, tensor) in by_offset {
        let place = || format!("tensor `{name}`");
        let bits = tensor.shape.iter().try_fold(tensor.dtype.bitsize(), |bits, &side| {
            bits.checked_mul(side).filter(|&bits| bits / 8 <= data_len)
        });
        let Some(bytes) = bits.filter(|bits| bits.is_multiple_of(8)).map(|bits| bits / 8) else {
            let reason = format!("its shape asks for more than the {data_len} bytes of data");
            return Err(Error::malformed(place(), reason));
        };
        let [begin, end] = tensor.data_offsets;
        if begin != position {
            let what = "the first data offset";
            return Err(Error::limit(place(), what, position.to_string(), begin));
        }
        if end != begin + bytes || data_len < end {
            let limit = format!("{} and at most {data_len}", begin + bytes);
            return Err(Error::limit(place(), "the last data offset", limit, end));
        }
        position = end;
    }
    if position == data_len {
        return Ok(());
    }
    let limit = format!("{position}, as the tensors need");
    Err(Error::limit(place_of_file, "the number of data bytes", limit, data_len))
}

/// Reads the JSON of a description: its version first, so that another version's keys are not blamed.
pub(crate) fn description<T: DeserializeOwned>(json: &str, format: u32) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Version {
        format: u64,
    }
    if limits::MAX_DESCRIPTION_BYTES < json.len() {
        let limit = format!("at most {}", limits::MAX_DESCRIPTION_BYTES);
        return Err(Error::limit("description", "the number of bytes", limit, json.len()));
    }
    let refuse = |error: serde_json::Error| Error::malformed("description", error.to_string());
    let version: Version = serde_json::from_str(json).map_err(refuse)?;
    if version.format != u64::from(format) {
        let limit = format!("{format}, the one this program reads");
        return Err(Error::limit("description", "format", limit, version.format));
    }
    serde_json::from_str(json).map_err(refuse)
}

/// A file of these tensors, a description and the digest of both. Same content, same bytes.
pub(crate) fn write(
    mut tensors: Vec<(String, Tensor<'_>)>,
    key: &str,
    description: &impl Serialize,
) -> Vec<u8> {
    // Wide elements first: every tensor begins at a multiple of its element's width.
    tensors
        .sort_by(|(a_name, a), (b_name, b)| b.dtype.cmp(&a.dtype).then_with(|| a_name.cmp(b_name)));
    let description = json(description);
    let data: Vec<&[u8]> = tensors.iter().map(|(_, tensor)| &*tensor.bytes).collect();
    let digest =
        Digest::of_parts(std::iter::once(description.as_bytes()).chain(data.iter().copied()))
            .to_string();
    let metadata = BTreeMap::from([(key, description.as_str()), (DIGEST, digest.as_str())]);
    let mut header = format!("{{{}:{}", json(&METADATA), json(&metadata));
    let mut position = 0;
    for (name, tensor) in &tensors {
        let end = position + tensor.bytes.len();
        let raw = RawTensor {
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            data_offsets: [position, end],
        };
        header += &[",", &json(name), ":", &json(&raw)].concat();
        position = end;
    }
    header.push('}');
    let padded = header.len().next_multiple_of(ALIGNMENT);
    let mut file = Vec::with_capacity(LENGTH_BYTES + padded + position);
    file.extend((padded as u64).to_le_bytes());
    file.extend(header.as_bytes());
    file.resize(LENGTH_BYTES + padded, b' ');
    for bytes in data {
        file.extend(bytes);
    }
    file
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("strings, finite numbers and vectors are JSON")
}

/// A tensor to be written: its bytes are those of its shape.
pub(crate) struct Tensor<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Cow<'a, [u8]>,
}

/// The little-endian numbers of a tensor.
pub(crate) fn numbers<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    assert!(rest.is_empty(), "a tensor has the bytes of its shape");
    chunks.iter().map(|&chunk| number(chunk)).collect()
}

#[derive(Debug)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, RawTensor>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the header of a safetensors file")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut metadata = None;
        let mut tensors = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let repeated = if key == METADATA {
                metadata.replace(map.next_value::<Unique>()?.0).is_some()
            } else {
                let tensor = map.next_value::<RawTensor>()?;
                tensors.insert(key.clone(), tensor).is_some()
            };
            if repeated {
                return Err(A::Error::custom(format_args!("repeated key `{key}`")));
            }
        }
        Ok(Header { metadata: metadata.unwrap_or_default(), tensors })
    }
}

/// A map of strings that refuses a repeated key.
struct Unique(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format_args!("repeated key `{key}`")));
            }
            entries.insert(key, value);
        }
        Ok(Unique(entries))
    }
}
