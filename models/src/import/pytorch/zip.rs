//! Zip archives of stored records, as PyTorch writes them. Nothing is unpacked or copied: a record
//! is a slice of the file, checked against its CRC when it is asked for.

use std::collections::BTreeMap;

use super::super::one_line;
use crate::Error;

/// The records of an archive by name.
pub(super) struct Archive<'a> {
    records: BTreeMap<&'a str, Record<'a>>,
}

struct Record<'a> {
    data: &'a [u8],
    crc: u32,
}

const LOCAL_HEADER_BYTES: usize = 30;
const CENTRAL_HEADER_BYTES: usize = 46;
const END_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 0xffff;

impl<'a> Archive<'a> {
    /// Reads the central directory and checks that every record is stored as it is and lies in the
    /// file, and that no two share bytes enough to make more of the file than it has.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let end = end_of_directory(bytes)?;
        let n_records = u16_at(end, 10);
        let (size, offset) = (u32_at(end, 12), u32_at(end, 16));
        if n_records == u16::MAX || size == u32::MAX || offset == u32::MAX {
            return Err(refuse("zip archives over 4 GiB are not read"));
        }
        let (size, offset) = (size as usize, offset as usize);
        let directory = bytes.get(offset..).and_then(|rest| rest.get(..size)).ok_or_else(|| {
            refuse("the central directory lies outside the file (is it cut off?)")
        })?;
        let mut archive = Self { records: BTreeMap::new() };
        let (mut rest, mut data_left) = (directory, bytes.len());
        for _ in 0..n_records {
            let (name, record, after) = record(bytes, rest)?;
            rest = after;
            data_left = data_left
                .checked_sub(record.data.len())
                .ok_or_else(|| refuse("its records are longer together than the file"))?;
            if archive.records.insert(name, record).is_some() {
                return Err(refuse(format!("record `{}` is there twice", one_line(name))));
            }
        }
        if rest.is_empty() {
            Ok(archive)
        } else {
            Err(refuse(format!("{} bytes follow the last entry of its directory", rest.len())))
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.records.keys().copied()
    }

    /// The bytes of a record, after checking them.
    pub(super) fn record(&self, name: &str) -> Result<&'a [u8], Error> {
        let record = self
            .records
            .get(name)
            .ok_or_else(|| refuse(format!("there is no record `{}`", one_line(name))))?;
        let crc = crc32(record.data);
        if crc == record.crc {
            return Ok(record.data);
        }
        let place = format!("record `{}`", one_line(name));
        let limit = format!("{:08x} as its directory says", record.crc);
        Err(Error::limit(place, "CRC", limit, format!("{crc:08x}")))
    }
}

/// The fixed part of the end-of-central-directory record, which ends the file but for a comment.
fn end_of_directory(bytes: &[u8]) -> Result<&[u8], Error> {
    let last = bytes.len().checked_sub(END_BYTES);
    let first = bytes.len().saturating_sub(END_BYTES + MAX_COMMENT_BYTES);
    last.into_iter()
        .flat_map(|last| (first..=last).rev())
        .map(|at| &bytes[at..])
        .find(|tail| {
            let comment_bytes = tail.len() - END_BYTES;
            tail.starts_with(b"PK\x05\x06") && usize::from(u16_at(tail, 20)) == comment_bytes
        })
        .ok_or_else(|| refuse("it has no end record (is the file cut off?)"))
}

/// The first entry of a directory, and the directory behind it.
fn record<'a>(
    bytes: &'a [u8],
    directory: &'a [u8],
) -> Result<(&'a str, Record<'a>, &'a [u8]), Error> {
    let cut_off = || refuse("its central directory is cut off");
    if directory.len() < CENTRAL_HEADER_BYTES || !directory.starts_with(b"PK\x01\x02") {
        return Err(cut_off());
    }
    let (header, rest) = directory.split_at(CENTRAL_HEADER_BYTES);
    let [name_bytes, extra_bytes, comment_bytes] =
        [28, 30, 32].map(|at| usize::from(u16_at(header, at)));
    let (raw_name, rest) = rest.split_at_checked(name_bytes).ok_or_else(cut_off)?;
    let rest = rest.get(extra_bytes + comment_bytes..).ok_or_else(cut_off)?;
    let name = std::str::from_utf8(raw_name)
        .map_err(|error| refuse(format!("the name of a record is not text: {error}")))?;
    let here = |reason: &str| refuse(format!("record `{}` {reason}", one_line(name)));
    let [flags, method] = [8, 10].map(|at| u16_at(header, at));
    let [crc, packed, size, offset] = [16, 20, 24, 42].map(|at| u32_at(header, at));
    if flags & 1 != 0 {
        return Err(here("is encrypted"));
    }
    if method != 0 || packed != size {
        return Err(here("is compressed, which torch.save never does"));
    }
    let data = local_data(bytes, raw_name, offset as usize, size as usize)
        .ok_or_else(|| here("is not where the directory says (is the file cut off?)"))?;
    Ok((name, Record { data, crc }, rest))
}

/// The data behind a local header that has the same name.
fn local_data<'a>(bytes: &'a [u8], name: &[u8], offset: usize, size: usize) -> Option<&'a [u8]> {
    let (header, rest) = bytes.get(offset..)?.split_at_checked(LOCAL_HEADER_BYTES)?;
    let [name_bytes, extra_bytes] = [26, 28].map(|at| usize::from(u16_at(header, at)));
    let same = header.starts_with(b"PK\x03\x04") && rest.get(..name_bytes)? == name;
    if same { rest.get(name_bytes + extra_bytes..)?.get(..size) } else { None }
}

fn refuse(reason: impl Into<String>) -> Error {
    Error::malformed("zip archive", reason)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// CRC-32 of zip: polynomial 0xedb88320, reflected, all ones before and after.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc_table();
    !bytes
        .iter()
        .fold(u32::MAX, |crc, &byte| TABLE[((crc ^ u32::from(byte)) & 0xff) as usize] ^ (crc >> 8))
}

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the catalogue of CRCs: CRC-32/ISO-HDLC of "123456789" is cbf43926.
    #[test]
    fn crc_has_its_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
