//! Quantized model to integer network.
