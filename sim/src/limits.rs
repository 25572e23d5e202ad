//! Upper limits of everything that a file can ask for, in one place.
//!
//! Readers check against these before they allocate; the largest published networks of the field stay far below.

/// Layers of a network.
pub const MAX_LAYERS: usize = 4096;
/// Bytes of a name.
pub const MAX_NAME_BYTES: usize = 256;
/// Height or width of a tensor, in pixels.
pub const MAX_SIDE: usize = 16_384;
/// Channels of a tensor.
pub const MAX_CHANNELS: usize = 65_536;
/// Elements of one tensor (16.8 M: a 4096 × 4096 picture).
pub const MAX_TENSOR_ELEMENTS: usize = 1 << 24;
/// Elements of all tensors of a network together, for one picture: ten times those of MobileNetV2 at 224 × 224.
pub const MAX_NETWORK_ELEMENTS: usize = 1 << 26;
/// Kernel height or width.
pub const MAX_KERNEL_SIDE: usize = 1024;
/// Stride, in pixels.
pub const MAX_STRIDE: usize = 64;
/// Length of a dot product.
pub const MAX_FAN_IN: usize = 1 << 20;
/// Weights of one layer.
pub const MAX_LAYER_WEIGHTS: usize = 1 << 27;
/// Branches of a `dbq` layer: 3^5 codes fit a byte.
pub const MAX_BRANCHES: u32 = 5;
/// Bits of a `fixed` weight.
pub const FIXED_BITS: std::ops::RangeInclusive<u32> = 2..=16;
/// Bits of a multiplier.
pub const SCALE_BITS: std::ops::RangeInclusive<u32> = 2..=18;
/// Right shift of a requantization.
pub const SHIFT: std::ops::RangeInclusive<u32> = 1..=40;
/// Bits of an activation tensor.
pub const MAX_ACTIVATION_BITS: u32 = 8;
/// Bits that y may need, the rounding constant included.
pub const MAX_Y_BITS: u32 = 48;
/// Bytes of a network file.
pub const MAX_NETWORK_FILE_BYTES: usize = 1 << 30;
/// Bytes of the JSON description inside a network file.
pub const MAX_DESCRIPTION_BYTES: usize = 1 << 24;
/// Bytes of the header of a network file: the description, escaped, and the list of tensors.
pub const MAX_HEADER_BYTES: usize = 3 * MAX_DESCRIPTION_BYTES;
/// Bytes of all weights, multipliers and biases of a network.
pub const MAX_NETWORK_WEIGHT_BYTES: usize = MAX_NETWORK_FILE_BYTES - (1 << 27);
/// Inputs of all layers of a network together.
pub const MAX_NETWORK_INPUTS: usize = 1 << 16;
/// Bytes of all texts of a provenance together.
pub const MAX_PROVENANCE_BYTES: usize = 1 << 20;
/// Bytes of a trace file.
pub const MAX_TRACE_FILE_BYTES: usize = 1 << 32;
/// Pictures of a trace.
pub const MAX_TRACE_PICTURES: usize = 4096;
