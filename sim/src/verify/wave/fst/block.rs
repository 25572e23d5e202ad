//! A block with values: those at its start, then of each signal its changes.

use super::super::Sampler;
use super::super::lz::{Packing, unpack};
use super::{Bytes, broken};
use crate::Error;

/// What changes one bit to what is no bit.
const UNKNOWN: [u8; 8] = *b"xzhuwl-?";

/// A block whose parts are found.
pub(super) struct Block<'a> {
    /// When it starts.
    begins: u64,
    /// Values of all signals at the start, packed, and their unpacked length.
    frame: (&'a [u8], u64),
    /// The characters of a value of each signal.
    lengths: &'a [u32],
    /// From the kind of packing to the table of offsets.
    packed: &'a [u8],
    /// Of each signal, where its changes begin in it, if it has any.
    offsets: Vec<Option<usize>>,
    /// All offsets, ascending.
    starts: Vec<usize>,
    times: Vec<u64>,
}

/// The changes of one signal.
struct Changes<'a> {
    handle: usize,
    /// Characters of a value.
    length: usize,
    bytes: Bytes<'a>,
    /// Index of the next time, and the number that stands with it; none at the end.
    next: Option<(usize, u64)>,
}

impl<'a> Block<'a> {
    /// Finds the parts of a block, which stand at both of its ends.
    pub(super) fn new(
        bytes: &'a [u8],
        aliases_have_signs: bool,
        lengths: &'a [u32],
    ) -> Result<Self, Error> {
        let mut rest = Bytes(bytes);
        let begins = rest.long()?;
        rest.take(16)?;
        let (frame_length, frame_packed) = (rest.number()?, rest.number()?);
        let signals = rest.number()?;
        let frame = rest.take(size(frame_packed)?)?;
        if rest.number()? != signals || signals != lengths.len() as u64 {
            return Err(broken("a block has another number of signals"));
        }
        // From the end: three lengths of the times, the times, the length of the table, the table.
        let from_end = |rest: &mut Bytes<'a>, count: usize| {
            let split = rest.0.len().checked_sub(count).ok_or_else(|| broken("cut short"))?;
            let (head, tail) = rest.0.split_at(split);
            rest.0 = head;
            Ok(Bytes(tail))
        };
        let mut trailer = from_end(&mut rest, 24)?;
        let (times_length, times_packed, count) =
            (trailer.long()?, trailer.long()?, trailer.long()?);
        let times = from_end(&mut rest, size(times_packed)?)?;
        let table = from_end(&mut rest, 8)?.long()?;
        let table = from_end(&mut rest, size(table)?)?;
        let mut starts = Vec::new();
        let offsets = if aliases_have_signs {
            offsets_signed(table, lengths.len(), &mut starts)?
        } else {
            offsets(table, lengths.len(), &mut starts)?
        };
        Ok(Self {
            begins,
            frame: (frame, frame_length),
            lengths,
            packed: rest.0,
            offsets,
            starts,
            times: times_of(&plain_or_zlib(times.0, times_length)?, count)?,
        })
    }

    /// Gives the watched signals the values of the start.
    pub(super) fn start(&self, handles: &[usize], sampler: &mut Sampler<'_>) -> Result<(), Error> {
        let frame = plain_or_zlib(self.frame.0, self.frame.1)?;
        sampler.advance(self.begins)?;
        let mut rest = Bytes(&frame);
        let mut before = 0;
        for &handle in handles {
            let between = self.lengths.get(before..handle).ok_or_else(|| broken(NO_SIGNAL))?;
            let between = between.iter().fold(0_u64, |sum, &length| sum + u64::from(length));
            rest.take(size(between)?)?;
            let length = *self.lengths.get(handle).ok_or_else(|| broken(NO_SIGNAL))?;
            sampler.change(handle.to_string().as_bytes(), rest.take(length as usize)?);
            before = handle + 1;
        }
        Ok(())
    }

    /// Tells all changes of the watched signals in the order of their times. Whether to go on.
    pub(super) fn changes(
        &self,
        handles: &[usize],
        sampler: &mut Sampler<'_>,
    ) -> Result<bool, Error> {
        let unpacked: Vec<_> = handles
            .iter()
            .map(|&handle| Ok((handle, self.unpacked(handle)?)))
            .collect::<Result<_, Error>>()?;
        let mut all = Vec::new();
        for (handle, bytes) in &unpacked {
            let length = *self.lengths.get(*handle).ok_or_else(|| broken(NO_SIGNAL))? as usize;
            let mut changes = Changes { handle: *handle, length, bytes: Bytes(bytes), next: None };
            changes.load(0)?;
            all.push(changes);
        }
        let next = |all: &[Changes<'_>]| all.iter().filter_map(|c| Some(c.next?.0)).min();
        while let Some(at) = next(&all) {
            let time = *self.times.get(at).ok_or_else(|| broken("a change has no time"))?;
            if !sampler.advance(time)? {
                return Ok(false);
            }
            for changes in &mut all {
                while changes.next.is_some_and(|next| next.0 == at) {
                    changes.tell(sampler)?;
                }
            }
        }
        Ok(true)
    }

    /// The changes of a signal, unpacked; none where it has none.
    fn unpacked(&self, handle: usize) -> Result<Vec<u8>, Error> {
        let offset = self.offsets.get(handle).ok_or_else(|| broken(NO_SIGNAL))?;
        let Some(offset) = *offset else { return Ok(Vec::new()) };
        let following = self.starts.partition_point(|&start| start <= offset);
        let end = self.starts.get(following).copied().unwrap_or(self.packed.len());
        let packed = self.packed.get(offset..end).ok_or_else(|| broken("cut short"))?;
        let mut packed = Bytes(packed);
        let length = packed.number()?;
        if length == 0 {
            return Ok(packed.0.to_vec());
        }
        let packing = match self.packed.first() {
            Some(b'4') => Packing::Lz4,
            Some(b'F') => Packing::FastLz,
            _ => Packing::Zlib,
        };
        unpack(packing, packed.0, length)
    }
}

const NO_SIGNAL: &str = "a signal is not there";

fn size(length: u64) -> Result<usize, Error> {
    usize::try_from(length).map_err(|_| broken("a length is too large"))
}

fn plain_or_zlib(packed: &[u8], length: u64) -> Result<Vec<u8>, Error> {
    if length == packed.len() as u64 {
        return Ok(packed.to_vec());
    }
    unpack(Packing::Zlib, packed, length)
}

/// Times from the steps between them.
fn times_of(steps: &[u8], count: u64) -> Result<Vec<u64>, Error> {
    let mut steps = Bytes(steps);
    let (mut times, mut time) = (Vec::new(), 0_u64);
    for _ in 0..count {
        time = time.saturating_add(steps.number()?);
        times.push(time);
    }
    Ok(times)
}

/// A new offset, so far behind the last one.
fn push(
    offsets: &mut Vec<Option<usize>>,
    starts: &mut Vec<usize>,
    further: u64,
) -> Result<(), Error> {
    let offset = starts.last().copied().unwrap_or(0).checked_add(size(further)?);
    let offset = offset.ok_or_else(|| broken("a length is too large"))?;
    starts.push(offset);
    offsets.push(Some(offset));
    Ok(())
}

/// So many signals without changes.
fn skip(offsets: &mut Vec<Option<usize>>, count: u64, signals: usize) -> Result<(), Error> {
    let to = offsets.len().saturating_add(size(count)?);
    if signals < to {
        return Err(broken("a block has too many signals"));
    }
    offsets.resize(to, None);
    Ok(())
}

/// The same changes as another signal.
fn alias(offsets: &mut Vec<Option<usize>>, of: u64) -> Result<(), Error> {
    let offset = usize::try_from(of).ok().and_then(|of| offsets.get(of)).copied();
    offsets.push(offset.ok_or_else(|| broken(NO_SIGNAL))?);
    Ok(())
}

/// The table of offsets where aliases are numbers below 0.
fn offsets_signed(
    mut table: Bytes<'_>,
    signals: usize,
    starts: &mut Vec<usize>,
) -> Result<Vec<Option<usize>>, Error> {
    let (mut offsets, mut last_alias) = (Vec::new(), 0);
    while let Some(&first) = table.0.first() {
        if first & 1 == 0 {
            skip(&mut offsets, table.number()? >> 1, signals)?;
            continue;
        }
        let number = table.signed()? >> 1;
        if 0 < number {
            push(&mut offsets, starts, number.unsigned_abs())?;
        } else {
            if number < 0 {
                last_alias = number.unsigned_abs() - 1;
            }
            alias(&mut offsets, last_alias)?;
        }
        skip(&mut offsets, 0, signals)?;
    }
    let rest = signals - offsets.len();
    skip(&mut offsets, rest as u64, signals)?;
    Ok(offsets)
}

/// The older table, where an alias follows a 0.
fn offsets(
    mut table: Bytes<'_>,
    signals: usize,
    starts: &mut Vec<usize>,
) -> Result<Vec<Option<usize>>, Error> {
    let mut offsets = Vec::new();
    while !table.0.is_empty() {
        let number = table.number()?;
        if number == 0 {
            let of = table.number()?.checked_sub(1);
            alias(&mut offsets, of.ok_or_else(|| broken(NO_SIGNAL))?)?;
        } else if number & 1 == 1 {
            push(&mut offsets, starts, number >> 1)?;
        } else {
            skip(&mut offsets, number >> 1, signals)?;
        }
        skip(&mut offsets, 0, signals)?;
    }
    let rest = signals - offsets.len();
    skip(&mut offsets, rest as u64, signals)?;
    Ok(offsets)
}

impl Changes<'_> {
    /// Reads when the next change is, from the time of the last one.
    fn load(&mut self, from: usize) -> Result<(), Error> {
        if self.bytes.0.is_empty() {
            self.next = None;
            return Ok(());
        }
        let number = self.bytes.number()?;
        let step = if self.length == 1 {
            // One bit stands in the number itself: 0 or 1, or one of eight others.
            number >> if number & 1 == 0 { 2 } else { 4 }
        } else {
            number >> 1
        };
        let at = from.checked_add(size(step)?).ok_or_else(|| broken("a change has no time"))?;
        self.next = Some((at, number));
        Ok(())
    }

    /// Tells the next change and reads on.
    fn tell(&mut self, sampler: &mut Sampler<'_>) -> Result<(), Error> {
        let Some((at, number)) = self.next else { return Ok(()) };
        let id = self.handle.to_string();
        let is_plain = number & 1 == 0;
        if self.length == 1 {
            let bit = (number >> 1 & 1) as u8;
            let unknown = UNKNOWN[(number >> 1 & 7) as usize];
            sampler.change(id.as_bytes(), &[if is_plain { b'0' + bit } else { unknown }]);
        } else if is_plain {
            let packed = self.bytes.take(self.length.div_ceil(8))?;
            let bit = |i: usize| b'0' + (packed[i / 8] >> (7 - i % 8) & 1);
            let value: Vec<u8> = (0..self.length).map(bit).collect();
            sampler.change(id.as_bytes(), &value);
        } else {
            sampler.change(id.as_bytes(), self.bytes.take(self.length)?);
        }
        self.load(at)
    }
}
