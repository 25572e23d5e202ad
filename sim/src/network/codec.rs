//! The file form of a network.

/// The version of the file form that this reader accepts and this writer writes.
pub const FORMAT: u32 = 1;
