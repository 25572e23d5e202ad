//! The DBQ quantizer.
