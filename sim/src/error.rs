//! What can be wrong with an input of this crate: one line each, naming place, limit and value.

/// A refusal. Its text names the place, the limit and the value; the file is added by who opened it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value lies outside its limit.
    #[error("{place}: {what} must be {limit}, got {value}")]
    Limit {
        /// Where: a layer, a tensor, a key.
        place: String,
        /// Which quantity.
        what: String,
        /// The condition that it must meet, to be read after "must be".
        limit: String,
        /// What was found.
        value: String,
    },
    /// The bytes or the structure cannot be read.
    #[error("{place}: {reason}")]
    Malformed {
        /// Where: a byte offset, a key, a line and column.
        place: String,
        /// What is wrong there.
        reason: String,
    },
}

/// Where a byte of a text lies, for people: line and column from 1, the column in characters.
///
/// ```
/// assert_eq!(tridot_sim::error::line_and_column("a = 1\né = 2", 9), "line 2, column 3");
/// ```
pub fn line_and_column(text: &str, offset: usize) -> String {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("line {line}, column {column}")
}

impl Error {
    /// A value outside its limit; `limit` is read after "must be".
    pub fn limit(
        place: impl Into<String>,
        what: impl Into<String>,
        limit: impl Into<String>,
        value: impl std::fmt::Display,
    ) -> Self {
        Self::Limit {
            place: place.into(),
            what: what.into(),
            limit: limit.into(),
            value: value.to_string(),
        }
    }

    /// Something that cannot be read.
    pub fn malformed(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed { place: place.into(), reason: reason.into() }
    }

    /// What the TOML reader refuses, in one line: the kind of file, line and column, the reason.
    pub(crate) fn of_toml(kind: &str, text: &str, error: &toml::de::Error) -> Self {
        let reason = error.message().lines().collect::<Vec<_>>().join(" ");
        let place = match error.span() {
            Some(span) => format!("{kind}, {}", line_and_column(text, span.start)),
            None => kind.to_owned(),
        };
        Self::malformed(place, reason)
    }

    /// The same on one line: text from a file may hold control characters, or be very long.
    pub(crate) fn on_one_line(self) -> Self {
        let clean = |text: String| -> String {
            let mut chars = text.chars();
            let mut line = String::new();
            for c in chars.by_ref().take(MAX_TEXT_CHARS) {
                if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
            }
            if chars.next().is_some() { line + "…" } else { line }
        };
        match self {
            Self::Limit { place, what, limit, value } => Self::Limit {
                place: clean(place),
                what: clean(what),
                limit: clean(limit),
                value: clean(value),
            },
            Self::Malformed { place, reason } => {
                Self::Malformed { place: clean(place), reason: clean(reason) }
            }
        }
    }
}

/// Characters of one part of a message that quotes a file.
const MAX_TEXT_CHARS: usize = 400;
