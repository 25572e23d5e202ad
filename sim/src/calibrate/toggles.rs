//! Toggles of nets, counted from a stream of value changes.

use std::io::BufRead;

use crate::Error;

/// The longest line that is read.
const MAX_LINE_BYTES: u64 = 1 << 16;
/// Most letters of an identifier.
const MAX_ID_LETTERS: usize = 4;
/// Letters of identifiers: `!` to `~`.
const LETTERS: usize = 94;

/// When toggles are counted: from the first time on, before the second.
pub type Span = (u64, u64);

/// Counts, of the nets `n0`, `n1`, … of a value change dump, how often each changed between 0 and 1 in each of some spans of time, which
/// follow each other. What leaves x is no toggle.
///
/// The dump is read line by line and not kept.
pub fn toggles(
    dump: &mut impl BufRead,
    nets: usize,
    spans: &[Span],
) -> Result<Vec<Vec<u32>>, Error> {
    let mut counter = Counter {
        net_of_id: Vec::new(),
        values: vec![b'x'; nets],
        counts: vec![vec![0; nets]; spans.len()],
        spans,
        span: 0,
        is_inside: false,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = std::io::Read::take(&mut *dump, MAX_LINE_BYTES).read_until(b'\n', &mut line);
        let read = read.map_err(|error| Error::malformed("value changes", error.to_string()))?;
        if read == 0 {
            return Ok(counter.counts);
        }
        counter.line(line.trim_ascii())?;
    }
}

struct Counter<'a> {
    /// By identifier.
    net_of_id: Vec<Option<usize>>,
    values: Vec<u8>,
    counts: Vec<Vec<u32>>,
    spans: &'a [Span],
    span: usize,
    is_inside: bool,
}

impl Counter<'_> {
    fn line(&mut self, line: &[u8]) -> Result<(), Error> {
        match line {
            [value @ (b'0' | b'1' | b'x' | b'z'), id @ ..] => self.change(*value, id),
            [b'#', time @ ..] => self.time(time)?,
            [b'$', b'v', b'a', b'r', ..] => self.variable(line)?,
            _ => {}
        }
        Ok(())
    }

    fn change(&mut self, value: u8, id: &[u8]) {
        let net = index(id).and_then(|id| *self.net_of_id.get(id)?);
        let Some(net) = net else { return };
        let before = std::mem::replace(&mut self.values[net], value);
        let is_toggle = matches!((before, value), (b'0', b'1') | (b'1', b'0'));
        if is_toggle && self.is_inside {
            self.counts[self.span][net] += 1;
        }
    }

    fn time(&mut self, digits: &[u8]) -> Result<(), Error> {
        let time = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
        let Some(time) = time else {
            let text = String::from_utf8_lossy(digits).into_owned();
            return Err(
                Error::malformed("value changes", format!("`{text}` is no time")).on_one_line()
            );
        };
        while self.spans.get(self.span).is_some_and(|span| span.1 <= time) {
            self.span += 1;
        }
        self.is_inside = self.spans.get(self.span).is_some_and(|span| span.0 <= time);
        Ok(())
    }

    /// `$var wire 1 ! n12 $end`
    fn variable(&mut self, line: &[u8]) -> Result<(), Error> {
        let text = String::from_utf8_lossy(line);
        let words: Vec<&str> = text.split_whitespace().collect();
        let [_, _, "1", id, name, ..] = words[..] else { return Ok(()) };
        let net = name.strip_prefix('n').and_then(|number| number.parse::<usize>().ok());
        let Some(net) = net.filter(|&net| net < self.values.len()) else { return Ok(()) };
        let Some(id) = index(id.as_bytes()) else {
            let reason = format!("the identifier `{id}` has more than {MAX_ID_LETTERS} letters");
            return Err(Error::malformed("value changes", reason).on_one_line());
        };
        if self.net_of_id.len() <= id {
            self.net_of_id.resize(id + 1, None);
        }
        self.net_of_id[id] = Some(net);
        Ok(())
    }
}

/// An identifier as a number; none where it has too many letters.
fn index(id: &[u8]) -> Option<usize> {
    let is_letter = |byte: &u8| (b'!'..=b'~').contains(byte);
    if id.is_empty() || MAX_ID_LETTERS < id.len() || !id.iter().all(is_letter) {
        return None;
    }
    // Shorter ones first, so that no two are one number.
    Some(id.iter().fold(0, |index, &byte| index * LETTERS + usize::from(byte - b'!') + 1) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "$date today $end\n$scope module gates $end\n$var wire 1 ! n0 $end\n\
        $var wire 1 \" n1 $end\n$var wire 8 # bus $end\n$var wire 1 $ other $end\n$upscope $end\n\
        $enddefinitions $end\n#0\n$dumpvars\nx!\n0\"\nb0 #\n$end\n#10\n1!\n1\"\n#15\n0\"\n#20\n0!\n1\"\n1$\n#30\n0\"\n";

    #[test]
    fn changes_between_0_and_1_are_counted_in_their_spans() {
        let counts = toggles(&mut DUMP.as_bytes(), 2, &[(10, 20), (20, 30)]).unwrap();
        // Net 0 leaves x in the first span. Net 1 goes up and down in it, and up in the second.
        assert_eq!(counts, [[0, 2], [1, 1]]);
        let counts = toggles(&mut DUMP.as_bytes(), 2, &[(12, 16), (16, 99)]).unwrap();
        assert_eq!(counts, [[0, 1], [1, 2]]);
    }

    #[test]
    fn identifiers_are_numbers() {
        assert_eq!(index(b"!"), Some(0));
        assert_eq!(index(b"~"), Some(93));
        assert_eq!(index(b"!!"), Some(94));
        assert_eq!((index(b""), index(b"!!!!!"), index(b" ")), (None, None, None));
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        let error = toggles(&mut "#1x\n".as_bytes(), 0, &[]).unwrap_err().to_string();
        assert_eq!(error, "value changes: `1x` is no time");
    }
}
