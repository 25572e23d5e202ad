//! Outputs from signals of a designer's VCD, which a small TOML names.
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

use std::collections::BTreeMap;

use serde::Deserialize;

use super::dump::Format;
use crate::Error;

/// The version of the TOML.
const FORMAT: u32 = 1;
/// Most ports.
const MAX_PORTS: usize = 1 << 16;
/// Widest signal.
const MAX_BITS: usize = 1 << 22;

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
        if !(1..=MAX_PORTS).contains(&signals.ports) {
            let limit = format!("between 1 and {MAX_PORTS}");
            return Err(Error::limit("signals", "ports", limit, signals.ports));
        }
        Ok(signals)
    }

    /// The outputs that a VCD shows between the first start and the last of them.
    ///
    /// Refuses a signal that is not there or of another width, one with x or z where it matters, an output that is
    /// written twice, and one that is missing.
    pub fn read(&self, vcd: &str, outputs: Format) -> Result<Seen, Error> {
        let mut tokens = vcd.split_ascii_whitespace();
        let watched = self.declared(&mut tokens)?;
        let mut reader = Reader {
            signals: self,
            outputs,
            written: vec![None; outputs.count()],
            in_order: 0,
            edge: None,
        };
        let mut before = watched.clone();
        let mut now = watched;
        while let Some(token) = tokens.next() {
            match token.as_bytes()[0] {
                b'#' => {
                    if !reader.settled(&before, &now)? {
                        break;
                    }
                    before.clone_from(&now);
                }
                b'b' | b'B' => {
                    let Some(id) = tokens.next() else { break };
                    change(&mut now, id, &token[1..]);
                }
                b'r' | b'R' => drop(tokens.next()),
                b'0' | b'1' | b'x' | b'X' | b'z' | b'Z' => {
                    if let Some((value, id)) = token.split_at_checked(1) {
                        change(&mut now, id, value);
                    }
                }
                // $dumpvars and its like stand around changes.
                _ => {}
            }
        }
        reader.settled(&before, &now)?;
        reader.finish()
    }

    /// Reads declarations up to their end; the watched signals by their names in the TOML.
    fn declared<'a>(
        &self,
        tokens: &mut impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Watched>, Error> {
        let address = self.address.as_deref();
        let wanted = [Some(&*self.clock), Some(&*self.start), Some(&*self.valid), address];
        let wanted = wanted.into_iter().chain([Some(&*self.data)]);
        let mut found: BTreeMap<String, (String, usize)> = BTreeMap::new();
        let mut scopes: Vec<&str> = Vec::new();
        while let Some(token) = tokens.next() {
            let mut rest =
                || tokens.by_ref().take_while(|&word| word != "$end").collect::<Vec<_>>();
            match token {
                "$enddefinitions" => {
                    rest();
                    break;
                }
                "$scope" => scopes.push(rest().get(1).copied().unwrap_or_default()),
                "$upscope" => {
                    rest();
                    scopes.pop();
                }
                "$var" => {
                    let words = rest();
                    let (Some(bits), Some(id), Some(name)) =
                        (words.get(1), words.get(2), words.get(3))
                    else {
                        return Err(Error::malformed("waveform", "a $var is cut short"));
                    };
                    let name = name.split('[').next().unwrap_or_default();
                    let path = [&scopes[..], &[name]].concat().join(".");
                    let bits = bits.parse().unwrap_or(0);
                    found.insert(path, ((*id).to_owned(), bits));
                }
                _ => {
                    if token.starts_with('$') {
                        rest();
                    }
                }
            }
        }
        wanted.map(|path| self.watched(path, &found)).collect()
    }

    fn watched(
        &self,
        path: Option<&str>,
        found: &BTreeMap<String, (String, usize)>,
    ) -> Result<Watched, Error> {
        let Some(path) = path else { return Ok(Watched::default()) };
        let place = || format!("waveform, signal `{}`", path.escape_debug());
        let (id, bits) =
            found.get(path).ok_or_else(|| Error::malformed(place(), "is not declared"))?;
        let (least, unit) = match path {
            _ if path == self.valid => (self.ports, self.ports),
            _ if path == self.data || Some(path) == self.address.as_deref() => {
                (self.ports, self.ports)
            }
            _ => (1, 1),
        };
        if !(least..=MAX_BITS).contains(bits) || bits % unit != 0 {
            let limit = format!("a multiple of {unit} between {least} and {MAX_BITS}");
            return Err(Error::limit(place(), "the bits", limit, bits));
        }
        let value = "x".repeat(*bits).into_bytes();
        Ok(Watched { path: path.to_owned(), id: id.clone(), value })
    }
}

/// A signal and its value, most significant digit first.
#[derive(Debug, Clone, Default)]
struct Watched {
    path: String,
    id: String,
    value: Vec<u8>,
}

/// Gives a value to the signals of an identifier; what is missing in front is filled as the format says.
fn change(signals: &mut [Watched], id: &str, value: &str) {
    for signal in signals.iter_mut().filter(|signal| !signal.id.is_empty() && signal.id == id) {
        let value = value.as_bytes();
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

struct Reader<'a> {
    signals: &'a Signals,
    outputs: Format,
    /// Edge and value of each output.
    written: Vec<Option<(u64, i64)>>,
    /// Outputs seen, where they come in order.
    in_order: usize,
    /// The last edge, from the first start.
    edge: Option<u64>,
}

impl Reader<'_> {
    /// All changes of a time are known: samples before a rising clock edge. Whether to go on.
    fn settled(&mut self, before: &[Watched], now: &[Watched]) -> Result<bool, Error> {
        if before[0].value != b"0" || now[0].value != b"1" {
            return Ok(true);
        }
        let [_, start, valid, address, data] = before else { unreachable!("five are watched") };
        let starts = start.value.last() == Some(&b'1');
        self.edge = match self.edge {
            // A second start belongs to another run.
            Some(_) if starts => return Ok(false),
            Some(edge) => Some(edge + 1),
            None => starts.then_some(0),
        };
        let Some(edge) = self.edge else { return Ok(true) };
        let place = format!("waveform, edge {edge}");
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
            let output = self
                .written
                .get_mut(at)
                .ok_or_else(|| Error::limit(&*place, "the address of an output", limit, at))?;
            if output.replace((edge, value)).is_some() {
                return Err(Error::malformed(place, format!("writes output {at} again")));
            }
        }
        Ok(true)
    }

    fn finish(self) -> Result<Seen, Error> {
        if self.edge.is_none() {
            let reason = format!("`{}` is never 1 at a clock edge", self.signals.start);
            return Err(Error::malformed("waveform", reason));
        }
        let missing = self.written.iter().filter(|output| output.is_none()).count();
        if missing != 0 {
            return Err(Error::limit("waveform", "the outputs not written", "0", missing));
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
mod tests {
    use super::*;
    use crate::network::Sign;

    const TOML: &str = "format = 1\nclock = \"t.clk\"\nstart = \"t.start\"\nvalid = \"t.m.valid\"\n\
                        address = \"t.m.at\"\ndata = \"t.m.out\"\nports = 2\n";
    const HEAD: &str = "$date today $end\n$scope module t $end\n$var wire 1 ! clk $end\n\
                        $var wire 1 \" start $end\n$scope module m $end\n$var wire 2 # valid [1:0] $end\n\
                        $var wire 4 $ at [3:0] $end\n$var wire 16 % out [15:0] $end\n$upscope $end\n\
                        $upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n0!\n0\"\nb0 #\n$end\n";
    /// Edge 0 samples start at 10; edge 1 writes output 1 as −1 on port 0; edge 2 outputs 0 and 2 as 5 and 127.
    const BODY: &str = "#5\n1\"\n#10\n1!\n0\"\nb01 #\nb0001 $\nb11111111 %\n#15\n0!\n#20\n1!\nb11 #\nb1000 $\n\
                        b0111111100000101 %\n#25\n0!\n#30\n1!\nb0 #\n#35\n0!\n#40\n1!\n";

    fn read(toml: &str, vcd: &str) -> Result<Seen, String> {
        let outputs = Format::of(3, 8, Sign::Signed);
        let signals = Signals::from_toml(toml).map_err(|error| error.to_string())?;
        signals.read(vcd, outputs).map_err(|error| error.to_string())
    }

    #[test]
    fn outputs_of_a_waveform_by_hand() {
        let seen = read(TOML, &format!("{HEAD}{BODY}")).unwrap();
        assert_eq!(seen, Seen { outputs: vec![5, -1, 127], written_at: vec![2, 1, 2] });
        // Without addresses, in the order in which they come, the lowest port first.
        let toml = TOML.replace("address = \"t.m.at\"\n", "");
        let seen = read(&toml, &format!("{HEAD}{BODY}")).unwrap();
        assert_eq!(seen, Seen { outputs: vec![-1, 5, 127], written_at: vec![1, 2, 2] });
    }

    #[test]
    fn broken_waveforms_are_refused_with_edge_and_signal() {
        let whole = format!("{HEAD}{BODY}");
        let refusals = [
            (
                TOML,
                whole.replace("b1000 $", "b1x00 $"),
                "waveform, edge 2: `t.m.at` has unknown bits: `x`",
            ),
            (
                TOML,
                whole.replace("b11 #", "bz1 #"),
                "waveform, edge 2: `t.m.valid` has unknown bits: `z`",
            ),
            (TOML, whole.replace("b1000 $", "b1101 $"), "waveform, edge 2: writes output 1 again"),
            (
                TOML,
                whole.replace("b1000 $", "b1100 $"),
                "waveform, edge 2: the address of an output must be below 3, got 3",
            ),
            (
                TOML,
                whole.replace("b11 #", "b01 #"),
                "waveform: the outputs not written must be 0, got 1",
            ),
            (TOML, HEAD.to_owned(), "waveform: `t.start` is never 1 at a clock edge"),
            (TOML, String::new(), "waveform, signal `t.clk`: is not declared"),
            (
                TOML,
                whole.replace("wire 4 $", "wire 5 $"),
                "waveform, signal `t.m.at`: the bits must be a multiple of 2 between 2 and 4194304, got 5",
            ),
        ];
        for (toml, vcd, refusal) in refusals {
            assert_eq!(read(toml, &vcd).unwrap_err(), refusal);
        }
        assert_eq!(
            read(&TOML.replace("format = 1", "format = 2"), &whole).unwrap_err(),
            "signals: format must be 1, got 2"
        );
        assert!(read(&TOML.replace("ports", "port"), &whole).unwrap_err().contains("line 7"));
        for end in 0..whole.len() {
            // Cut short anywhere it is refused or, past the last write, complete.
            drop(read(TOML, &whole[..end]));
        }
    }
}
