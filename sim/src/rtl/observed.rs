//! What the harness saw of one layer.

use super::bus;
use crate::Error;
use crate::arch::Architecture;

/// A move of the accumulators to the shadow bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Its edge.
    pub edge: u64,
    /// What moved: segment g of branch b of the engine in row r, column q at
    /// `((r·columns + q)·branches + b)·segments + g`, all segments of the architecture.
    pub accumulators: Vec<i64>,
}

/// A layer's run on the RTL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Outputs of all images, NHWC.
    pub outputs: Vec<i64>,
    /// The edge that wrote each output.
    pub written_at: Vec<u64>,
    /// All moves, in order.
    pub moves: Vec<Move>,
    /// Edges to the last write, inclusive, as the RTL counts them.
    pub cycles: u64,
    /// Steps issued, likewise.
    pub steps: u64,
    /// Edges at which the enable was low, likewise.
    pub stalls: u64,
}

impl Observed {
    /// Reads what the harness printed for a layer of so many outputs. Refuses what is malformed, an output that
    /// does not exist, one that is written twice, and one that is missing.
    pub fn parse(text: &str, outputs: usize, arch: &Architecture) -> Result<Self, Error> {
        let mut reader =
            Reader { arch, written: vec![None; outputs], moves: Vec::new(), done: None };
        for (i, line) in text.lines().enumerate() {
            reader.line(&format!("observation, line {}", i + 1), line)?;
        }
        let Some([cycles, steps, stalls]) = reader.done else {
            return Err(Error::malformed("observation", "ends without `done`"));
        };
        let missing = reader.written.iter().filter(|output| output.is_none()).count();
        if missing != 0 {
            return Err(Error::limit("observation", "the outputs not written", "0", missing));
        }
        let (written_at, outputs) = reader.written.into_iter().flatten().unzip();
        Ok(Self { outputs, written_at, moves: reader.moves, cycles, steps, stalls })
    }
}

struct Reader<'a> {
    arch: &'a Architecture,
    /// Edge and value of each output.
    written: Vec<Option<(u64, i64)>>,
    moves: Vec<Move>,
    done: Option<[u64; 3]>,
}

impl Reader<'_> {
    fn line(&mut self, place: &str, line: &str) -> Result<(), Error> {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("move") => {
                let edge = number(place, words.next())?;
                self.moved(edge, words.next().unwrap_or_default())
            }
            Some("write") => {
                let edge = number(place, words.next())?;
                let at: usize = number(place, words.next())?;
                let value = number(place, words.next())?;
                let limit = format!("below {}", self.written.len());
                let output = self
                    .written
                    .get_mut(at)
                    .ok_or_else(|| Error::limit(place, "the address of an output", limit, at))?;
                if output.replace((edge, value)).is_some() {
                    return Err(Error::malformed(place, format!("writes output {at} again")));
                }
                Ok(())
            }
            Some("done") => {
                let mut next = || number(place, words.next());
                self.done = Some([next()?, next()?, next()?]);
                Ok(())
            }
            _ => Err(Error::malformed(place, line)),
        }
    }

    fn moved(&mut self, edge: u64, hex: &str) -> Result<(), Error> {
        let arch = self.arch;
        let group = arch.branches * arch.segments();
        let values = bus::values(hex, arch.accumulator_bits as usize, arch.engines() * group)?;
        // The bus goes column by column.
        let engine = |i: usize| i % arch.columns * arch.rows + i / arch.columns;
        let accumulators =
            (0..arch.engines()).flat_map(|i| values[engine(i) * group..][..group].iter().copied());
        self.moves.push(Move { edge, accumulators: accumulators.collect() });
        Ok(())
    }
}

fn number<T: std::str::FromStr>(place: &str, word: Option<&str>) -> Result<T, Error> {
    let word = word.unwrap_or_default();
    word.parse().map_err(|_| Error::malformed(place, format!("`{word}` is no number")))
}
