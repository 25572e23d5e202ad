//! The only printing: tables for people, one JSON object for programs, bars on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;

#[cfg(feature = "train")]
use anyhow::Context as _;
use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::cli::Global;

/// The version of the objects that `--json` prints.
const JSON_FORMAT: u32 = 1;

/// Where results and notes go.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    /// What goes to standard output, printed at the end: a command that fails prints no half result.
    text: Mutex<String>,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    format: u32,
    command: &'a str,
    #[serde(flatten)]
    content: &'a T,
}

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet, text: Mutex::new(String::new()) }
    }

    /// One that swallows what a part of a larger command says, but shows its bars.
    #[cfg(feature = "train")]
    pub(crate) fn silent(&self) -> Self {
        Self { json: false, quiet: self.quiet, text: Mutex::new(String::new()) }
    }

    /// A sign of progress on standard error, for people.
    #[cfg(feature = "train")]
    pub(crate) fn note(&self, note: impl Display) {
        if !self.quiet {
            drop(writeln!(io::stderr(), "{}", visible(&note.to_string())));
        }
    }

    /// A line for people; nothing where JSON is asked for.
    pub(crate) fn line(&self, line: impl Display) {
        if !self.json {
            self.push(&format!("{}\n", visible(&line.to_string())));
        }
    }

    /// A table for people: the first column left, the others right.
    pub(crate) fn table(&self, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        if self.json {
            return;
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(heads.iter().copied());
        let visible_row =
            |row: Vec<String>| row.iter().map(|cell| visible(cell)).collect::<Vec<_>>();
        table.add_rows(rows.into_iter().map(visible_row));
        for (column_idx, column) in table.column_iter_mut().enumerate() {
            column.set_padding((if column_idx == 0 { 0 } else { 2 }, 0));
            if 0 < column_idx {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self.push(&format!("{}\n", table.trim_fmt()));
    }

    /// The result for programs: one object, with `format` and `command` first.
    pub(crate) fn object<T: Serialize>(&self, command: &str, content: &T) -> Result<()> {
        if self.json {
            let envelope = Envelope { format: JSON_FORMAT, command, content };
            let json = serde_json::to_string(&envelope)?;
            // Only strings hold such characters, and JSON writes them so, too.
            let escaped = |c: char| format!("\\u{:04x}", u32::from(c));
            self.push(&format!("{}\n", replaced(&json, acts_on_terminals, escaped)));
        }
        Ok(())
    }

    /// Text as it is, for people and programs alike.
    pub(crate) fn verbatim(&self, text: &str) {
        self.push(text);
    }

    fn push(&self, text: &str) {
        self.text.lock().expect("no thread panics while it holds the text").push_str(text);
    }

    /// Writes what was gathered to standard output. A closed pipe is no error.
    pub(crate) fn finish(&self) -> Result<()> {
        let text = std::mem::take(
            &mut *self.text.lock().expect("no thread panics while it holds the text"),
        );
        match io::stdout().lock().write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(anyhow::anyhow!("standard output: {error}"))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// A sign of life while something without steps runs.
    #[cfg(feature = "train")]
    pub(crate) fn spinner(&self, what: &str) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
        spinner.enable_steady_tick(std::time::Duration::from_millis(100));
        spinner
    }

    /// A bar over so many steps, where a person watches.
    pub(crate) fn bar(&self, what: &str, steps: u64) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}")
            .expect("a constant template");
        ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr())
            .with_style(style)
            .with_message(what.to_owned())
    }
}

/// A line of JSON for the program that asked, now.
#[cfg(feature = "train")]
pub(crate) fn answer<T: Serialize>(answer: &T) -> Result<()> {
    let line = format!("{}\n", serde_json::to_string(answer)?);
    let mut output = io::stdout().lock();
    output.write_all(line.as_bytes()).and_then(|()| output.flush()).context("standard output")
}

/// An error, in one line, whatever the options.
pub(crate) fn error(error: &anyhow::Error) {
    let line = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    drop(writeln!(io::stderr(), "tridot: {}", visible(&line)));
}

/// Text of a file or an argument as people may see it: lines stay lines, but nothing else in it moves
/// the cursor, changes colours or reorders what is read.
fn visible(text: &str) -> String {
    let is_hidden = |c: char| acts_on_terminals(c) && c != '\n';
    replaced(text, is_hidden, |c| c.escape_unicode().to_string())
}

/// Control characters, and those that change the direction of writing.
fn acts_on_terminals(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn replaced(text: &str, which: impl Fn(char) -> bool, by: impl Fn(char) -> String) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        if which(c) { result += &by(c) } else { result.push(c) }
    }
    result
}

/// A percentage with two decimals.
pub(crate) fn percent(value: f64) -> String {
    format!("{value:.2}")
}

/// A count with thousands apart: `40 551 040`.
pub(crate) fn grouped(count: impl Display) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if 0 < position && (digits.len() - position).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_acts_on_the_terminal() {
        assert_eq!(
            visible("a\u{1b}[2J\nb\r\u{9b}c\u{202e}d"),
            "a\\u{1b}[2J\nb\\u{d}\\u{9b}c\\u{202e}d"
        );
        assert_eq!(visible("résumé, 10⁹ ×"), "résumé, 10⁹ ×");
    }
}
