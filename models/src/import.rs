//! Checkpoints of other tools.
