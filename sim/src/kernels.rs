//! The same outputs, fast.
