//! FST: blocks, of which one with values is held at a time, and of it only the signals that are watched.

use std::io::{BufRead, Cursor, Read as _, Seek, SeekFrom};

use super::lz::{Packing, unpack};
use super::{Sampler, Scopes, unreadable};
use crate::Error;

mod block;

use block::Block;

/// The longest block that is read into memory whole.
const MAX_BLOCK_BYTES: u64 = 1 << 30;
/// The most signals: each takes 20 bytes, whether it is watched or not, and almost none in a packed file.
const MAX_SIGNALS: u64 = 1 << 22;

// Kinds of blocks.
const HEADER: u8 = 0;
const VALUES: u8 = 1;
const GEOMETRY: u8 = 3;
const HIERARCHY_GZIP: u8 = 4;
const VALUES_ALIAS: u8 = 5;
const HIERARCHY_LZ4: u8 = 6;
const HIERARCHY_LZ4_TWICE: u8 = 7;
const VALUES_ALIAS_2: u8 = 8;
const WRAPPER: u8 = 254;
const UNFINISHED: u8 = 255;

// Entries of the hierarchy.
const LAST_VARIABLE: u8 = 29;
const ATTRIBUTE: u8 = 252;
const ATTRIBUTE_END: u8 = 253;
const SCOPE: u8 = 254;
const UP_SCOPE: u8 = 255;

/// Whether a file that begins with this byte is an FST.
pub(super) const fn begins_with(byte: u8) -> bool {
    byte == HEADER || byte == WRAPPER
}

fn broken(reason: &str) -> Error {
    Error::malformed("waveform", format!("broken FST: {reason}"))
}

/// Reads an FST block by block; ends where it ends, or where the sampler has enough.
pub(super) fn read<R: BufRead + Seek>(
    input: &mut R,
    sampler: &mut Sampler<'_>,
) -> Result<(), Error> {
    let blocks = blocks(input)?;
    if let Some(wrapper) = blocks.first().filter(|block| block.0 == WRAPPER) {
        let bytes = whole(input, wrapper)?;
        let (length, packed) = bytes.split_first_chunk().ok_or_else(|| broken("cut short"))?;
        let inner = unpack(Packing::Gzip, packed, u64::from_be_bytes(*length))?;
        if inner.first() == Some(&WRAPPER) {
            return Err(broken("is packed twice"));
        }
        return read(&mut Cursor::new(inner), sampler);
    }
    let find = |kinds: &[u8]| blocks.iter().find(|block| kinds.contains(&block.0));
    let hierarchy = find(&[HIERARCHY_GZIP, HIERARCHY_LZ4, HIERARCHY_LZ4_TWICE]);
    let (Some(hierarchy), Some(geometry)) = (hierarchy, find(&[GEOMETRY])) else {
        return Err(broken("no names of signals: its writer did not end"));
    };
    let lengths = lengths(&whole(input, geometry)?)?;
    let handles = declarations(&hierarchy_of(hierarchy.0, &whole(input, hierarchy)?)?, sampler)?;
    sampler.declared()?;
    let mut is_first = true;
    for block in &blocks {
        let kind = block.0;
        if ![VALUES, VALUES_ALIAS, VALUES_ALIAS_2].contains(&kind) {
            continue;
        }
        let bytes = whole(input, block)?;
        let block = Block::new(&bytes, kind == VALUES_ALIAS_2, &lengths)?;
        if is_first {
            block.start(&handles, sampler)?;
            is_first = false;
        }
        if !block.changes(&handles, sampler)? {
            break;
        }
    }
    Ok(())
}

/// Kind of a block, where what follows its length begins, and how long that is.
type Place = (u8, u64, u64);

/// The places of all blocks.
fn blocks(input: &mut (impl BufRead + Seek)) -> Result<Vec<Place>, Error> {
    let at = |error: std::io::Error| unreadable(&error);
    let end = input.seek(SeekFrom::End(0)).map_err(at)?;
    let (mut blocks, mut position) = (Vec::new(), 0);
    while position < end {
        input.seek(SeekFrom::Start(position)).map_err(at)?;
        let mut head = [0; 9];
        if end - position < 9 {
            return Err(broken("a block is cut short"));
        }
        input.read_exact(&mut head).map_err(at)?;
        let [kind, length @ ..] = head;
        let length = u64::from_be_bytes(length);
        if kind == UNFINISHED && length == 0 {
            break;
        }
        let most = end - position - 1;
        if !(8..=most).contains(&length) {
            let limit = format!("between 8 and {most}, as the file ends there");
            let what = format!("the length of the block at byte {position}");
            return Err(Error::limit("waveform", what, limit, length));
        }
        blocks.push((kind, position + 9, length - 8));
        position += 1 + length;
    }
    Ok(blocks)
}

/// What is in a block.
fn whole(input: &mut (impl BufRead + Seek), place: &Place) -> Result<Vec<u8>, Error> {
    let &(_, start, length) = place;
    if MAX_BLOCK_BYTES < length {
        let limit = format!("at most {MAX_BLOCK_BYTES}");
        return Err(Error::limit("waveform", "the bytes of a block", limit, length));
    }
    input.seek(SeekFrom::Start(start)).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    Ok(bytes)
}

/// The characters of a value of each signal: 8 bytes of a real number, 0 of a text.
fn lengths(bytes: &[u8]) -> Result<Vec<u32>, Error> {
    let mut bytes = Bytes(bytes);
    let (length, signals) = (bytes.long()?, bytes.long()?);
    let packed = bytes.0;
    let unpacked = if length == packed.len() as u64 {
        packed.to_vec()
    } else {
        unpack(Packing::Zlib, packed, length)?
    };
    if MAX_SIGNALS.min(unpacked.len() as u64) < signals {
        let limit = format!("at most {}", MAX_SIGNALS.min(unpacked.len() as u64));
        return Err(Error::limit("waveform", "the number of signals", limit, signals));
    }
    let mut lengths = Bytes(&unpacked);
    let length = |_| match lengths.number()? {
        0 => Ok(8),
        0xffff_ffff => Ok(0),
        length => u32::try_from(length).map_err(|_| broken("a signal is too wide")),
    };
    (0..signals).map(length).collect()
}

/// The unpacked hierarchy.
fn hierarchy_of(kind: u8, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = Bytes(bytes);
    let length = bytes.long()?;
    match kind {
        HIERARCHY_GZIP => unpack(Packing::Gzip, bytes.0, length),
        HIERARCHY_LZ4 => unpack(Packing::Lz4, bytes.0, length),
        _ => {
            let middle = bytes.number()?;
            unpack(Packing::Lz4, &unpack(Packing::Lz4, bytes.0, middle)?, length)
        }
    }
}

/// Declares all signals; which handles are watched.
fn declarations(hierarchy: &[u8], sampler: &mut Sampler<'_>) -> Result<Vec<usize>, Error> {
    let mut bytes = Bytes(hierarchy);
    let mut scopes = Scopes::default();
    let mut signals = 0;
    let mut handles = Vec::new();
    while let Some(kind) = bytes.next() {
        match kind {
            SCOPE => {
                bytes.byte()?;
                scopes.enter(&bytes.text()?)?;
                bytes.text()?;
            }
            UP_SCOPE => scopes.leave(),
            ATTRIBUTE => {
                bytes.take(2)?;
                bytes.text()?;
                bytes.number()?;
            }
            ATTRIBUTE_END => {}
            0..=LAST_VARIABLE => {
                bytes.byte()?;
                let name = bytes.text()?;
                let (bits, alias) = (bytes.number()?, bytes.number()?);
                signals += u64::from(alias == 0);
                let handle = if alias == 0 { signals } else { alias };
                // A range may follow the name, as may a space before it.
                let name = name.split(['[', ' ']).next().unwrap_or_default();
                let bits = usize::try_from(bits).unwrap_or(usize::MAX);
                let index = handle.checked_sub(1).and_then(|index| usize::try_from(index).ok());
                let index = index.ok_or_else(|| broken("a signal has no number"))?;
                let path = scopes.path_of(name)?;
                if sampler.declare(path, index.to_string().as_bytes(), bits)? {
                    handles.push(index);
                }
            }
            _ => return Err(broken("an unknown entry among the names of signals")),
        }
    }
    handles.sort_unstable();
    handles.dedup();
    Ok(handles)
}

/// Bytes that are read from their beginning.
#[derive(Debug, Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.next().ok_or_else(|| broken("cut short"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| broken("cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Eight bytes, the highest first.
    fn long(&mut self) -> Result<u64, Error> {
        let taken = self.take(8)?;
        Ok(u64::from_be_bytes(taken.try_into().expect("there are eight")))
    }

    /// Seven bits a byte, the lowest first.
    fn number(&mut self) -> Result<u64, Error> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(broken("a number is too long"))
    }

    /// The same with a sign in its highest bit.
    fn signed(&mut self) -> Result<i64, Error> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= i64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let above = 64 - (shift + 7);
                return Ok(number << above >> above);
            }
        }
        Err(broken("a number is too long"))
    }

    /// Text up to a zero.
    fn text(&mut self) -> Result<String, Error> {
        let end = self.0.iter().position(|&byte| byte == 0);
        let text = self.take(end.ok_or_else(|| broken("a name has no end"))?)?;
        self.byte()?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}
