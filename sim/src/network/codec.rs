//! The file form of a network: one `safetensors` file, with the graph as JSON in its metadata.
//!
//! [`Network::to_bytes`] lists the tensors. Same content, same bytes.

use std::borrow::Cow;

use safetensors::tensor::Dtype;

use super::{Description, Dot, Input, Layer, Network, Operator, Sign, TensorType, Weights};
use crate::container::{self, Container, Tensor, numbers};
use crate::digest::Digest;
use crate::{Error, limits};
use description::{RawDescription, RawLayer, RawOperator, RawWeights};

mod description;

/// The version of the file form that this reader accepts and this writer writes.
pub const FORMAT: u32 = 1;

/// The metadata key that holds the description.
const METADATA_KEY: &str = "tridot";

impl Network {
    /// The network as the bytes of a file: equal networks give equal bytes.
    ///
    /// | tensor | element, shape |
    /// |---|---|
    /// | `input.tables` | u8 (unsigned input) or i8 (signed), channels × 256 |
    /// | `<layer>.codes` | u8, output channels × K: weights of a `dbq` layer |
    /// | `<layer>.weights` | i8 (at most 8 bits) or i16, output channels × K: weights of a `fixed` layer |
    /// | `<layer>.multipliers` | i32, output channels × branches (`fixed`: × 1) |
    /// | `<layer>.bias` | i64, output channels |
    ///
    /// The metadata key `tridot` holds everything else as JSON, and `tridot_digest` the digest of that text and
    /// the tensors' bytes. So Python reads a layer's planes:
    ///
    /// ```python
    /// import json
    /// from safetensors import safe_open
    /// from safetensors.numpy import load_file
    ///
    /// with safe_open("net.safetensors", "np") as file:
    ///     network = json.loads(file.metadata()["tridot"])
    /// tensors = load_file("net.safetensors")
    /// layer = network["layers"][1]  # a `dbq` layer
    /// codes = tensors[layer["name"] + ".codes"]  # [output channel, k]
    /// branches = layer["operator"]["dot"]["weights"]["dbq"]["branches"]
    /// planes = [codes // 3**j % 3 - 1.0 for j in range(branches)]  # -1, 0, +1
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut tensors = vec![("input.tables".to_owned(), tables_tensor(&self.input))];
        for layer in &self.layers {
            if let Some(dot) = layer.dot() {
                tensors.extend(dot_tensors(layer, dot));
            }
        }
        container::write(tensors, METADATA_KEY, &RawDescription::of(self))
    }

    /// The digest of the network's file: what a trace names the network by.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// Reads a network; refuses whatever [`Network::new`] refuses, and a file with anything missing,
    /// repeated, unknown or different from what is computed from the rest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        read(bytes).map_err(Error::on_one_line)
    }
}

fn read(bytes: &[u8]) -> Result<Network, Error> {
    if limits::MAX_NETWORK_FILE_BYTES < bytes.len() {
        let limit = format!("at most {}", limits::MAX_NETWORK_FILE_BYTES);
        return Err(Error::limit("network file", "the number of bytes", limit, bytes.len()));
    }
    let mut file = Container::read("network", bytes)?;
    let raw: RawDescription = container::description(&file.take_metadata(METADATA_KEY)?, FORMAT)?;
    let input = Input { tables: read_tables(&mut file, &raw.input)?, tensor: raw.input };
    let mut layers = Vec::with_capacity(raw.layers.len());
    let mut recorded = Vec::with_capacity(raw.layers.len());
    for layer in raw.layers {
        let (layer, widths) = read_layer(&mut file, layer)?;
        layers.push(layer);
        recorded.push(widths);
    }
    file.nothing_left()?;
    let network = Network::new(Description {
        name: raw.name,
        digits: raw.digits,
        scale_bits: raw.scale_bits,
        input,
        layers,
        provenance: raw.provenance,
    })?;
    for (layer_idx, recorded) in recorded.into_iter().enumerate() {
        recorded_widths_hold(&network, layer_idx, recorded)?;
    }
    file.unchanged()?;
    Ok(network)
}

/// The widths of a file are there for its readers; they must be those that its weights need.
fn recorded_widths_hold(
    network: &Network,
    layer_idx: usize,
    recorded: Option<(u32, u32)>,
) -> Result<(), Error> {
    let (Some(recorded), Some(needed)) = (recorded, network.widths(layer_idx)) else {
        return Ok(());
    };
    for (what, recorded, needed) in [
        ("accumulator_bits", recorded.0, needed.accumulator_bits),
        ("y_bits", recorded.1, needed.y_bits),
    ] {
        if recorded != needed {
            let place = format!("layer `{}`", network.layers[layer_idx].name);
            let limit = format!("the {needed} that its weights need");
            return Err(Error::limit(place, what, limit, recorded));
        }
    }
    Ok(())
}

fn read_layer(
    file: &mut Container<'_>,
    raw: RawLayer,
) -> Result<(Layer, Option<(u32, u32)>), Error> {
    let mut widths = None;
    let operator = match raw.operator {
        RawOperator::Dot { geometry, weights, output, accumulator_bits, y_bits } => {
            widths = Some((accumulator_bits, y_bits));
            let channels = raw.output.shape.channels;
            let name = &raw.name;
            let weights = read_weights(file, name, &weights, channels)?;
            let shape = [channels, weights.multipliers_per_channel()];
            let multipliers =
                file.take(&format!("{name}.multipliers"), Dtype::I32, &shape.map(Some))?;
            let bias = file.take(&format!("{name}.bias"), Dtype::I64, &[Some(channels)])?;
            Operator::Dot(Dot {
                geometry,
                weights,
                multipliers: numbers(multipliers, i32::from_le_bytes),
                bias: numbers(bias, i64::from_le_bytes),
                output,
            })
        }
        RawOperator::Add { multipliers, requantize } => Operator::Add { multipliers, requantize },
        RawOperator::Rescale { multiplier, requantize } => {
            Operator::Rescale { multiplier, requantize }
        }
        RawOperator::AveragePool { window, multiplier, requantize } => {
            Operator::AveragePool { window, multiplier, requantize }
        }
        RawOperator::MaxPool { window, pads } => Operator::MaxPool { window, pads },
        RawOperator::Split { first, channels } => Operator::Split { first, channels },
        RawOperator::Concat {} => Operator::Concat,
        RawOperator::Shuffle { groups } => Operator::Shuffle { groups },
        RawOperator::Subsample { stride_height, stride_width } => {
            Operator::Subsample { stride_height, stride_width }
        }
        RawOperator::ChannelPad { before, after } => Operator::ChannelPad { before, after },
    };
    let layer = Layer { name: raw.name, inputs: raw.inputs, operator, output: raw.output };
    Ok((layer, widths))
}

fn read_weights(
    file: &mut Container<'_>,
    layer: &str,
    raw: &RawWeights,
    channels: usize,
) -> Result<Weights, Error> {
    // K follows from the geometry; validation compares it with what is there.
    let shape = [Some(channels), None];
    match *raw {
        RawWeights::Dbq { branches } => {
            let codes = file.take(&format!("{layer}.codes"), Dtype::U8, &shape)?;
            Ok(Weights::Dbq { branches, codes: codes.to_vec() })
        }
        RawWeights::Fixed { bits } => {
            let name = format!("{layer}.weights");
            let values = if fits_a_byte(bits) {
                numbers(file.take(&name, Dtype::I8, &shape)?, |b| i8::from_le_bytes(b).into())
            } else {
                numbers(file.take(&name, Dtype::I16, &shape)?, i16::from_le_bytes)
            };
            Ok(Weights::Fixed { bits, values })
        }
    }
}

fn read_tables(file: &mut Container<'_>, input: &TensorType) -> Result<Vec<[i16; 256]>, Error> {
    let dtype = table_dtype(input.sign);
    let shape = [Some(input.shape.channels), Some(256)];
    let (tables, rest) = file.take("input.tables", dtype, &shape)?.as_chunks::<256>();
    assert!(rest.is_empty(), "the shape is a multiple of 256");
    let code = |byte: u8| match input.sign {
        Sign::Unsigned => i16::from(byte),
        Sign::Signed => i16::from(byte.cast_signed()),
    };
    Ok(tables.iter().map(|table| table.map(code)).collect())
}

const fn table_dtype(sign: Sign) -> Dtype {
    match sign {
        Sign::Unsigned => Dtype::U8,
        Sign::Signed => Dtype::I8,
    }
}

const fn fits_a_byte(bits: u32) -> bool {
    bits <= 8
}

/// The low bytes: validation has shown that every code fits the input's bits, at most 8.
fn tables_tensor(input: &Input) -> Tensor<'static> {
    let bytes = input.tables.iter().flatten().map(|code| code.to_le_bytes()[0]).collect();
    Tensor {
        dtype: table_dtype(input.tensor.sign),
        shape: vec![input.tables.len(), 256],
        bytes: Cow::Owned(bytes),
    }
}

fn dot_tensors<'a>(layer: &Layer, dot: &'a Dot) -> [(String, Tensor<'a>); 3] {
    let channels = layer.output.shape.channels;
    let (suffix, dtype, bytes) = match &dot.weights {
        Weights::Dbq { codes, .. } => ("codes", Dtype::U8, Cow::Borrowed(codes.as_slice())),
        Weights::Fixed { bits, values } if fits_a_byte(*bits) => {
            let bytes = values.iter().map(|value| value.to_le_bytes()[0]).collect();
            ("weights", Dtype::I8, Cow::Owned(bytes))
        }
        Weights::Fixed { values, .. } => {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            ("weights", Dtype::I16, Cow::Owned(bytes))
        }
    };
    let weights = Tensor { dtype, shape: vec![channels, dot.weights.len() / channels], bytes };
    let multipliers = Tensor {
        dtype: Dtype::I32,
        shape: vec![channels, dot.weights.multipliers_per_channel()],
        bytes: dot.multipliers.iter().flat_map(|m| m.to_le_bytes()).collect(),
    };
    let bias = Tensor {
        dtype: Dtype::I64,
        shape: vec![channels],
        bytes: dot.bias.iter().flat_map(|bias| bias.to_le_bytes()).collect(),
    };
    let name = |suffix: &str| format!("{}.{suffix}", layer.name);
    [(name(suffix), weights), (name("multipliers"), multipliers), (name("bias"), bias)]
}

#[cfg(test)]
mod tests;
