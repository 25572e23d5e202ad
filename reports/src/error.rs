//! What can be wrong with an input of this crate: one line each, naming place, limit and value.

/// A refusal. Its text names the place, the limit and the value; the file is added by who opened it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value lies outside its limit.
    #[error("{place}: {what} must be {limit}, got {value}")]
    Limit {
        /// Where: a line and column, a layer.
        place: String,
        /// Which quantity.
        what: String,
        /// The condition that it must meet, to be read after "must be".
        limit: String,
        /// What was found.
        value: String,
    },
    /// The text or its structure cannot be read.
    #[error("{place}: {reason}")]
    Malformed {
        /// Where: a line and column.
        place: String,
        /// What is wrong there.
        reason: String,
    },
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
}

/// Characters of a quotation from a file.
const MAX_QUOTED_CHARS: usize = 60;

/// Text of a file in a message: in quotes, on one line, not too long.
pub(crate) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(MAX_QUOTED_CHARS).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    format!("\"{}{rest}\"", head.escape_debug())
}
