//! Rows of the file, cell by cell.

use std::rc::Rc;
use std::str::FromStr;

use super::check_heads;
use crate::Error;
use crate::error::quoted;
use crate::store::columns::columns;
use tridot_sim::digest::{self, Digest};

/// The rows of a text, of which the heads have been checked.
pub(super) struct Rows<'a> {
    reader: csv::Reader<&'a [u8]>,
    names: Rc<[String]>,
    /// The first row, read early for its version.
    first: Option<csv::StringRecord>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::malformed("line 1, column 1", "the file is empty"));
        }
        if !text.ends_with('\n') {
            let line = text.lines().count();
            return Err(Error::malformed(
                format!("line {line}"),
                "the last line has no end: cut off?",
            ));
        }
        let mut builder = csv::ReaderBuilder::new();
        let mut reader = builder.has_headers(false).flexible(true).from_reader(text.as_bytes());
        let heads = next(&mut reader)?.unwrap_or_default();
        let first = next(&mut reader)?;
        check_heads(&heads, first.as_ref())?;
        Ok(Self { reader, names: columns().into(), first })
    }

    pub(super) fn next(&mut self) -> Result<Option<Row>, Error> {
        let cells = match self.first.take() {
            Some(first) => Some(first),
            None => next(&mut self.reader)?,
        };
        let Some(cells) = cells else { return Ok(None) };
        let line = cells.position().map_or(0, csv::Position::line);
        if cells.len() != self.names.len() {
            let limit = self.names.len().to_string();
            return Err(Error::limit(
                format!("line {line}"),
                "the number of cells",
                limit,
                cells.len(),
            ));
        }
        Ok(Some(Row { line, next: 0, cells, names: Rc::clone(&self.names) }))
    }
}

fn next(reader: &mut csv::Reader<&[u8]>) -> Result<Option<csv::StringRecord>, Error> {
    let mut cells = csv::StringRecord::new();
    let line = reader.position().line();
    let more = reader
        .read_record(&mut cells)
        .map_err(|error| Error::malformed(format!("line {line}"), error.to_string()))?;
    Ok(more.then_some(cells))
}

/// A row, read from left to right.
pub(super) struct Row {
    pub(super) line: u64,
    /// The cell that is read next.
    pub(super) next: usize,
    cells: csv::StringRecord,
    names: Rc<[String]>,
}

impl Row {
    /// The next cell.
    pub(super) fn text(&mut self) -> &str {
        let cell = &self.cells[self.next];
        self.next += 1;
        cell
    }

    /// Passes over the next cell.
    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// Cells by index.
    pub(super) fn cells(&self, begin: usize, end: usize) -> Vec<String> {
        (begin..end).map(|at| self.cells[at].to_owned()).collect()
    }

    /// The cell that was read last is not what it must be.
    pub(super) fn fault(&self, limit: &str) -> Error {
        let at = self.next - 1;
        let place = format!("line {}, column {}", self.line, at + 1);
        Error::limit(place, self.names[at].as_str(), limit, quoted(&self.cells[at]))
    }

    /// The next cell, or none where it is empty.
    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.cells[self.next].is_empty() {
            self.next += 1;
            return Ok(None);
        }
        read(self).map(Some)
    }

    pub(super) fn number<T: FromStr>(&mut self) -> Result<T, Error> {
        let number = whole(self.text());
        number.ok_or_else(|| self.fault("a whole number within the limits of its kind"))
    }

    pub(super) fn real(&mut self) -> Result<f64, Error> {
        let real = self.text().parse().ok().filter(|real: &f64| real.is_finite());
        real.ok_or_else(|| self.fault("a finite number"))
    }

    pub(super) fn digest(&mut self) -> Result<Digest, Error> {
        let digest = self.text().parse();
        digest.map_err(|_| self.fault(digest::EXPECTED))
    }

    pub(super) fn choice<T: Copy>(&mut self, names: &[(&'static str, T)]) -> Result<T, Error> {
        let text = self.text();
        let found = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let all: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            self.fault(&format!("one of {}", all.join(", ")))
        })
    }

    /// A cell that follows from others: the same number as computed from them.
    pub(super) fn derived(&mut self, expected: &str) -> Result<(), Error> {
        let cell = self.text();
        let same = cell == expected
            || cell
                .parse()
                .ok()
                .zip(expected.parse().ok())
                .is_some_and(|(a, b): (f64, f64)| a.to_bits() == b.to_bits());
        if same {
            return Ok(());
        }
        Err(self.fault(&format!(
            "{}, as other columns say",
            if expected.is_empty() { "empty" } else { expected }
        )))
    }
}

/// Digits alone, as a number.
pub(super) fn whole<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
