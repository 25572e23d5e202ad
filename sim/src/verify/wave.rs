//! Outputs from signals of a designer's waveform (VCD or FST), which a small TOML names.
//!
//! A waveform is read from its beginning to its end and only the named signals are kept, so it may be larger than the
//! memory.
//!
//! ```toml
//! format = 1
//! clock = "bench.machine.clk"
//! start = "bench.machine.start"            # the rising clock edge that samples it is edge 0
//! valid = "bench.machine.write"            # a bit a port
//! address = "bench.machine.write_address"  # of the output, NHWC; without it, outputs come in that order
//! data = "bench.machine.write_data"
//! ports = 3                                # address and data are split into as many parts
//! ```

use std::io::{BufRead, Seek};

use serde::Deserialize;

use super::dump::Format;
use crate::Error;

mod fst;
mod lz;
mod vcd;

/// The version of the TOML.
const FORMAT: u32 = 1;
/// Most ports.
const MAX_PORTS: usize = 1 << 14;
/// Widest signal.
const MAX_BITS: usize = 1 << 20;

/// The signals that carry outputs, by their paths.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    format: u32,
    clock: String,
    start: String,
    valid: String,
    address: Option<String>,
    data: String,
    ports: usize,
}

/// What the signals showed: outputs, and the edge of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Outputs, NHWC.
    pub outputs: Vec<i64>,
    /// The edges that wrote them.
    pub written_at: Vec<u64>,
}

impl Signals {
    /// Reads the TOML. Unknown, repeated and missing keys are refused with line and column.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let signals: Self =
            toml::from_str(text).map_err(|error| Error::of_toml("signals", text, &error))?;
        if signals.format != FORMAT {
            return Err(Error::limit("signals", "format", FORMAT.to_string(), signals.format));
        }
        let named = [
            ("clock", Some(&signals.clock)),
            ("start", Some(&signals.start)),
            ("valid", Some(&signals.valid)),
            ("address", signals.address.as_ref()),
            ("data", Some(&signals.data)),
        ];
        if let Some((key, _)) = named.iter().find(|(_, path)| path.is_some_and(String::is_empty)) {
            return Err(Error::limit("signals", *key, "the path of a signal", "an empty one"));
        }
        if !(1..=MAX_PORTS).contains(&signals.ports) {
            let limit = format!("between 1 and {MAX_PORTS}");
            return Err(Error::limit("signals", "ports", limit, signals.ports));
        }
        Ok(signals)
    }

    /// The outputs that a VCD or FST shows between the first start and the last of them.
    ///
    /// Refuses a signal that is not there or of another width, one with x or z where it matters, an output that is
    /// written twice, and one that is missing.
    pub fn read(&self, mut waveform: impl BufRead + Seek, outputs: Format) -> Result<Seen, Error> {
        let first = waveform.fill_buf().map_err(|error| unreadable(&error))?.first().copied();
        let mut sampler = Sampler::new(self, outputs);
        // A VCD is text; an FST begins with the kind of its first block.
        if first.is_some_and(fst::begins_with) {
            fst::read(&mut waveform, &mut sampler)?;
        } else {
            vcd::read(&mut waveform, &mut sampler)?;
        }
        sampler.finish()
    }
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::malformed("waveform", error.to_string())
}

/// The deepest scope.
const MAX_DEPTH: usize = 1024;
/// The longest path of a signal.
const MAX_PATH_BYTES: usize = 4096;

/// The scopes around what is declared.
#[derive(Debug, Default)]
struct Scopes {
    /// Their names with a dot behind each, and perhaps a signal's.
    path: String,
    /// Where the path of each ends.
    ends: Vec<usize>,
}

impl Scopes {
    fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn enter(&mut self, name: &str) -> Result<(), Error> {
        if MAX_DEPTH <= self.ends.len() {
            let limit = format!("at most {MAX_DEPTH}");
            return Err(Error::limit("waveform", "the depth of scopes", limit, "more"));
        }
        self.path_of(name)?;
        self.path.push('.');
        self.ends.push(self.path.len());
        Ok(())
    }

    fn leave(&mut self) {
        self.ends.pop();
    }

    /// The path of a signal in them.
    fn path_of(&mut self, name: &str) -> Result<&str, Error> {
        self.path.truncate(self.end());
        if MAX_PATH_BYTES < self.path.len() + name.len() {
            let limit = format!("at most {MAX_PATH_BYTES}");
            return Err(Error::limit("waveform", "the bytes of a path", limit, "more"));
        }
        self.path.push_str(name);
        Ok(&self.path)
    }
}

/// A signal and its value, most significant digit first.
#[derive(Debug, Clone, Default)]
struct Watched {
    path: String,
    /// What the file calls it; empty where it is not declared.
    id: Vec<u8>,
    value: Vec<u8>,
}

/// Clock, start, valid, address, data: their values over time, sampled at rising clock edges.
struct Sampler<'a> {
    signals: &'a Signals,
    outputs: Format,
    /// Values before the time at hand.
    before: [Watched; 5],
    now: [Watched; 5],
    /// The time at hand.
    time: Option<u64>,
    /// Edge and value of each output.
    written: Vec<Option<(u64, i64)>>,
    /// Outputs seen, where they come in order.
    in_order: usize,
    /// The last edge, from the first start.
    edge: Option<u64>,
    /// The time at which another run began.
    over: Option<u64>,
}

impl<'a> Sampler<'a> {
    fn new(signals: &'a Signals, outputs: Format) -> Self {
        let Signals { clock, start, valid, address, data, .. } = signals;
        let address = address.as_deref().unwrap_or_default();
        let watched = [clock, start, valid, address, data]
            .map(|path: &str| Watched { path: path.to_owned(), ..Watched::default() });
        Self {
            signals,
            outputs,
            before: watched.clone(),
            now: watched,
            time: None,
            written: vec![None; outputs.count()],
            in_order: 0,
            edge: None,
            over: None,
        }
    }

    /// A signal of the file: its path, what it is called there, its bits. Whether it is watched.
    fn declare(&mut self, path: &str, id: &[u8], bits: usize) -> Result<bool, Error> {
        let mut is_watched = false;
        let ports = self.signals.ports;
        for (i, watched) in self.now.iter_mut().enumerate() {
            if watched.path.is_empty() || watched.path != path {
                continue;
            }
            // Valid, address and data have parts.
            let unit = if i < 2 { 1 } else { ports };
            if !(unit..=MAX_BITS).contains(&bits) || !bits.is_multiple_of(unit) {
                let place = format!("waveform, signal `{}`", path.escape_debug());
                let limit = format!("a multiple of {unit} between {unit} and {MAX_BITS}");
                return Err(Error::limit(place, "the bits", limit, bits));
            }
            if !watched.id.is_empty() && watched.id != id {
                let place = format!("waveform, signal `{}`", path.escape_debug());
                let reason =
                    "is declared more than once with values of its own: an array, or bit by bit";
                return Err(Error::malformed(place, reason));
            }
            watched.id = id.to_vec();
            watched.value = vec![b'x'; bits];
            is_watched = true;
        }
        Ok(is_watched)
    }

    /// All signals are declared that the file has.
    fn declared(&mut self) -> Result<(), Error> {
        let missing = |watched: &&Watched| !watched.path.is_empty() && watched.id.is_empty();
        if let Some(watched) = self.now.iter().find(missing) {
            let place = format!("waveform, signal `{}`", watched.path.escape_debug());
            return Err(Error::malformed(place, "is not declared"));
        }
        self.before.clone_from(&self.now);
        Ok(())
    }

    /// Gives a value to the signals of a name; what is missing in front is filled as the format of VCD says.
    fn change(&mut self, id: &[u8], value: &[u8]) {
        for signal in self.now.iter_mut().filter(|signal| !id.is_empty() && signal.id == id) {
            let bits = signal.value.len();
            let value = &value[value.len().saturating_sub(bits)..];
            let fill = match value.first() {
                Some(b'0' | b'1') => b'0',
                Some(&unknown) => unknown,
                None => b'x',
            };
            let missing = bits - value.len();
            signal.value[..missing].fill(fill);
            signal.value[missing..].copy_from_slice(value);
        }
    }

    /// Later changes are of this time: all of the time before are known. Whether to go on.
    fn advance(&mut self, time: u64) -> Result<bool, Error> {
        if self.time == Some(time) {
            return Ok(true);
        }
        if self.time.is_some_and(|before| time < before) {
            let limit = format!("at least {}", self.time.unwrap_or_default());
            return Err(Error::limit("waveform", "the next time", limit, time));
        }
        self.settle()?;
        self.before.clone_from(&self.now);
        self.time = Some(time);
        Ok(self.over.is_none())
    }

    /// All changes of a time are known: samples before a rising clock edge.
    fn settle(&mut self) -> Result<(), Error> {
        if self.before[0].value != b"0" || self.now[0].value != b"1" || self.over.is_some() {
            return Ok(());
        }
        let [_, start, valid, address, data] = &self.before;
        let starts = start.value.last() == Some(&b'1');
        self.edge = match self.edge {
            Some(_) if starts => {
                // A second start belongs to another run.
                self.over = Some(self.time.unwrap_or_default());
                return Ok(());
            }
            Some(edge) => Some(edge + 1),
            None => starts.then_some(0),
        };
        let Some(edge) = self.edge else { return Ok(()) };
        let place = format!("waveform, edge {edge} at time {}", self.time.unwrap_or_default());
        let ports = self.signals.ports;
        for port in 0..ports {
            let is_valid = number(&place, valid, port, ports)? & 1 == 1;
            if !is_valid {
                continue;
            }
            let at = if address.id.is_empty() {
                self.in_order += 1;
                self.in_order - 1
            } else {
                usize::try_from(number(&place, address, port, ports)?).unwrap_or(usize::MAX)
            };
            let bits = data.value.len() / ports;
            let value = self.outputs.value(number(&place, data, port, ports)?, bits);
            let limit = format!("below {}", self.written.len());
            let output = self.written.get_mut(at).ok_or_else(|| {
                let what = format!("the address of an output in `{}`", address.path);
                Error::limit(&*place, what, limit, at)
            })?;
            if output.replace((edge, value)).is_some() {
                return Err(Error::malformed(place, format!("writes output {at} again")));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Seen, Error> {
        self.settle()?;
        if self.edge.is_none() {
            let reason = format!("`{}` is never 1 at a clock edge", self.signals.start);
            return Err(Error::malformed("waveform", reason));
        }
        let missing = self.written.iter().filter(|output| output.is_none()).count();
        if missing != 0 {
            let Signals { valid, start, .. } = self.signals;
            let end = match self.over {
                Some(time) => format!("time {time}, where `{start}` is 1 again"),
                None => format!("time {}", self.time.unwrap_or_default()),
            };
            let what = format!("the outputs that `{valid}` has not written by {end}");
            return Err(Error::limit("waveform", what, "0", missing));
        }
        let (written_at, outputs) = self.written.into_iter().flatten().unzip();
        Ok(Seen { outputs, written_at })
    }
}

/// The part of a signal that belongs to a port; part 0 is the least significant.
fn number(place: &str, signal: &Watched, port: usize, ports: usize) -> Result<u64, Error> {
    let bits = signal.value.len() / ports;
    let end = signal.value.len() - port * bits;
    let digits = &signal.value[end - bits..end];
    if 64 < bits {
        let what = format!("the bits of a port of `{}`", signal.path);
        return Err(Error::limit(place, what, "at most 64", bits));
    }
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0' => Ok(number << 1),
        b'1' => Ok(number << 1 | 1),
        unknown => {
            let unknown = char::from(*unknown).escape_debug();
            let reason = format!("`{}` has unknown bits: `{unknown}`", signal.path);
            Err(Error::malformed(place, reason))
        }
    })
}

#[cfg(test)]
mod tests;
