//! What can be wrong with an input of this crate: one line each, naming place, limit and value.

/// A refusal. Its text names the place, the limit and the value; the file is added by who opened it.
#[derive(Debug, thiserror::Error)]
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
    /// The integer network was refused.
    #[error(transparent)]
    Network(#[from] tridot_sim::Error),
    /// A tensor operation of candle failed.
    #[error("tensor operation: {0}")]
    Candle(String),
    /// A data-set folder could not be read.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// The cause: in the text above, so it is no source, which would be printed once more.
        cause: std::io::Error,
    },
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error.to_string())
    }
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
