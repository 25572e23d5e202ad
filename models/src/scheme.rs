//! How each layer is quantized.
