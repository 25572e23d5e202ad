//! Mutants of `safetensors` files: networks and checkpoints.

use tridot_sim::digest::Digest;

use super::driver::{Mutant, Touched};
use super::json::Json;
use crate::random::Random;

/// The metadata key of the digest that networks and traces carry.
const DIGEST: &str = "tridot_digest";

/// A file taken apart: its header as JSON and its data.
pub(crate) struct Safetensors {
    header: String,
    data: Vec<u8>,
}

impl Safetensors {
    /// Takes a sound file apart.
    pub(crate) fn parse(file: &[u8]) -> Self {
        let (length, rest) = file.split_first_chunk().expect("a header's length");
        let (header, data) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        Self { header: String::from_utf8(header.to_vec()).unwrap(), data: data.to_vec() }
    }

    /// The mutant with the digest of what it holds now, where there is a description and a digest: what
    /// only the digest would refuse comes through.
    pub(crate) fn sealed(&self, key: &str, mutant: Mutant) -> Mutant {
        let header: serde_json::Value = serde_json::from_str(&self.header).unwrap();
        let old = header["__metadata__"][DIGEST].as_str().expect("a file that has a digest");
        let sealed = || {
            let (length, rest) = mutant.bytes.split_first_chunk()?;
            let length_read = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (header, data) = rest.split_at_checked(length_read)?;
            let json: serde_json::Value = serde_json::from_slice(header).ok()?;
            let text = json["__metadata__"][key].as_str()?;
            let new = Digest::of_parts([text.as_bytes(), data]).to_string();
            // In the text, as JSON that is read and written again has lost its repeated keys.
            let header = std::str::from_utf8(header).ok()?.replace(old, &new);
            Some([length, header.as_bytes(), data].concat())
        };
        match sealed() {
            Some(bytes) => Mutant { what: format!("{}, sealed", mutant.what), bytes, ..mutant },
            None => mutant,
        }
    }

    /// The file with another header, whose length is right.
    fn with_header(&self, header: &str) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend(&self.data);
        file
    }

    /// Names, element types, shapes, offsets or metadata changed.
    pub(crate) fn header_mutant(&self, random: &mut Random) -> Mutant {
        let mut header = Json::parse(&self.header);
        let what = format!("header: {}", header.mutate(random));
        Mutant { what, touched: Touched::Structure, bytes: self.with_header(&header.text()) }
    }

    /// The text of a metadata key.
    pub(crate) fn metadata(&self, key: &str) -> String {
        let header: serde_json::Value = serde_json::from_str(&self.header).unwrap();
        header["__metadata__"][key].as_str().expect("the metadata key").to_owned()
    }

    /// The JSON of a metadata key changed in one to three places.
    pub(crate) fn metadata_mutant(&self, random: &mut Random, key: &str) -> Mutant {
        let mut json = Json::parse(&self.metadata(key));
        let edits: Vec<_> = (0..random.size(1, 3)).map(|_| json.mutate(random)).collect();
        let what = format!("metadata `{key}`: {}", edits.join("; "));
        self.with_metadata(key, &json.text(), what)
    }

    /// The file with another text under a metadata key.
    pub(crate) fn with_metadata(&self, key: &str, text: &str, what: String) -> Mutant {
        let mut header: serde_json::Value = serde_json::from_str(&self.header).unwrap();
        header["__metadata__"][key] = text.into();
        let bytes = self.with_header(&header.to_string());
        Mutant { what, touched: Touched::Structure, bytes }
    }

    /// The header's length changed, or the data shortened or lengthened.
    pub(crate) fn length_mutant(&self, random: &mut Random) -> Mutant {
        let mut bytes = self.with_header(&self.header);
        let header_len = self.header.len() as u64;
        let what = if random.percent(70) {
            let lengths = [
                0,
                1,
                header_len - 1,
                header_len + 1,
                header_len + self.data.len() as u64,
                header_len + self.data.len() as u64 + 1,
                100_000_000,
                100_000_001,
                1 << 32,
                u64::MAX - 7,
                u64::MAX,
                header_len ^ (1 << random.below(64)),
            ];
            let length = *random.pick(&lengths);
            bytes[..8].copy_from_slice(&length.to_le_bytes());
            format!("header's length {header_len} became {length}")
        } else {
            let length = bytes.len() - 9 + random.below(19);
            bytes.resize(length, 0);
            format!("{length} bytes in all")
        };
        Mutant { what, touched: Touched::Structure, bytes }
    }

    /// One to eight random bytes of the data overwritten.
    pub(crate) fn data_mutant(&self, random: &mut Random) -> Mutant {
        let mut bytes = self.with_header(&self.header);
        let first = bytes.len() - self.data.len();
        let mut edits = Vec::new();
        for _ in 0..random.size(1, 8) {
            let at = first + random.below(self.data.len());
            let any = random.byte();
            bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff, any]);
            edits.push(format!("byte {at} became {}", bytes[at]));
        }
        Mutant { what: edits.join(", "), touched: Touched::Payload, bytes }
    }
}
