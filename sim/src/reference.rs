//! The plain integer reference.
