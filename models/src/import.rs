//! Checkpoints of other tools.
//!
//! [`Checkpoint::read`] takes the bytes of a safetensors file or of a PyTorch zip checkpoint;
//! [`float_network`] puts its tensors into a topology and names everything that is missing, left
//! over or of the wrong shape; [`identify`] says which topologies a checkpoint fits.

mod assign;
mod element;
mod names;
mod pytorch;
mod safetensors;

use std::collections::BTreeMap;

use tridot_sim::limits;

use crate::topology::{Naming, Topology};
use crate::{Error, checkpoint};

pub use assign::{float_network, identify};

/// Named tensors of finite numbers, as a checkpoint file holds them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    /// By name; of other tools without the prefix `module.` that data-parallel training leaves.
    pub tensors: BTreeMap<String, CheckpointTensor>,
    /// What only the training needs that wrote it; none in checkpoints of other tools.
    pub(crate) training: Option<TrainingPart>,
    /// Whether its names are the network file's, whatever that says about other checkpoints.
    has_layer_names: bool,
}

/// What a checkpoint of [`crate::train`] holds besides weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TrainingPart {
    /// A JSON object.
    pub(crate) metadata: String,
    /// By name without [`crate::checkpoint::PREFIX`].
    pub(crate) tensors: BTreeMap<String, Vec<f32>>,
}

/// One tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointTensor {
    /// Lengths of the axes, as in the file: convolution weights are OIHW.
    pub shape: Vec<usize>,
    /// The elements, last axis fastest.
    pub values: Vec<f32>,
}

/// Tensors of a checkpoint as one reader found them.
type Tensors = BTreeMap<String, CheckpointTensor>;

/// Left by data-parallel training in front of every name.
const MODULE_PREFIX: &str = "module.";
/// Counts that batch norm keeps beside its parameters; nothing reads them.
const BATCH_COUNTER: &str = "num_batches_tracked";

/// Whether a file is no checkpoint but an integer network, which [`crate::unfold`] takes.
pub fn is_integer_network(bytes: &[u8]) -> bool {
    safetensors::is_integer_network(bytes)
}

impl Checkpoint {
    /// Reads a safetensors file or a PyTorch zip checkpoint (`.pt`, `.pth`) of f16, bf16, f32 or
    /// f64 tensors; anything else is refused with what it looks like. Nothing in it is executed.
    /// Counters named `num_batches_tracked` are left out.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let (mut tensors, metadata) = match Form::of(bytes) {
            Form::Safetensors => safetensors::read(bytes)?,
            Form::Zip => (pytorch::read(bytes)?, None),
            Form::Refused(what) => {
                let reason = format!(
                    "is neither a safetensors file nor a PyTorch zip checkpoint, but {what}"
                );
                return Err(Error::malformed("checkpoint", reason));
            }
        };
        let training = metadata.map(|metadata| {
            let is_weights = |name: &str| !name.starts_with(checkpoint::PREFIX);
            let (weights, rest): (Tensors, Tensors) =
                std::mem::take(&mut tensors).into_iter().partition(|(name, _)| is_weights(name));
            tensors = weights;
            let strip = |(name, tensor): (String, CheckpointTensor)| {
                (name[checkpoint::PREFIX.len()..].to_owned(), tensor.values)
            };
            TrainingPart { metadata, tensors: rest.into_iter().map(strip).collect() }
        });
        if tensors.is_empty() {
            return Err(Error::malformed("checkpoint", "holds no tensor of weights"));
        }
        let has_layer_names = training.is_some();
        let tensors = if has_layer_names { tensors } else { without_prefix(tensors) };
        Ok(Self { tensors, training, has_layer_names })
    }
}

impl Checkpoint {
    /// How its tensors are named.
    fn naming(&self, topology: &Topology) -> Naming {
        if self.has_layer_names { Naming::Layer } else { topology.naming }
    }
}

/// Strips `module.` if every name begins with it.
fn without_prefix(tensors: Tensors) -> Tensors {
    if !tensors.keys().all(|name| name.starts_with(MODULE_PREFIX)) {
        return tensors;
    }
    let strip = |name: String| name[MODULE_PREFIX.len()..].to_owned();
    tensors.into_iter().map(|(name, tensor)| (strip(name), tensor)).collect()
}

/// What the first bytes of a file say about it.
enum Form {
    Safetensors,
    Zip,
    Refused(&'static str),
}

const LEGACY: &str = "a PyTorch checkpoint in the format before version 1.6; convert it in Python \
    with torch.save(torch.load(\"old.pth\", map_location=\"cpu\"), \"new.pth\")";

/// First bytes of files that are not checkpoints, or not ones that can be read.
const MAGIC: [(&[u8], &str); 9] = [
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", LEGACY),
    (b"\x80", "a Python pickle without PyTorch's zip archive around it"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5); save its weights as safetensors"),
    (b"\x93NUMPY", "a NumPy array; save the weights as safetensors"),
    (b"GGUF", "a GGUF file"),
    (b"\xfd7zXZ\x00", "an xz-compressed file; unpack it first (xz -dk FILE)"),
    (b"\x1f\x8b", "a gzip-compressed file; unpack it first (gunzip -k FILE)"),
    (b"\x28\xb5\x2f\xfd", "a zstd-compressed file; unpack it first (zstd -d FILE)"),
    (b"\x7fELF", "a program"),
];

impl Form {
    fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Refused("an empty file");
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return Self::Zip;
        }
        // Before the others: the header's length may begin like any of them.
        if let (Some((length, rest)), Some(&b'{')) = (bytes.split_first_chunk(), bytes.get(8))
            && u64::from_le_bytes(*length) <= rest.len() as u64
        {
            return Self::Safetensors;
        }
        if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Self::Refused(what);
        }
        if bytes.get(257..262) == Some(b"ustar".as_slice()) {
            return Self::Refused(LEGACY);
        }
        if bytes.get(4..8) == Some(b"TFL3".as_slice()) {
            return Self::Refused("a TensorFlow Lite file; save its weights as safetensors");
        }
        // Eight bytes of header length, then JSON.
        if bytes.get(8) == Some(&b'{') {
            return Self::Safetensors;
        }
        let start = &bytes[..bytes.len().min(64)];
        let is_text = start.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
        Self::Refused(if is_text { "a text file" } else { "a file of an unknown kind" })
    }
}

/// Refuses a tensor name that could not be printed on one line.
fn check_name(name: &str) -> Result<(), Error> {
    if name.len() <= limits::MAX_NAME_BYTES && !name.contains(char::is_control) {
        return Ok(());
    }
    let limit = format!("at most {} bytes of printable text", limits::MAX_NAME_BYTES);
    Err(Error::limit("checkpoint", "a tensor's name", limit, one_line(name)))
}

/// Foreign text fit for a message: no control characters, at most 120 characters.
fn one_line(text: &str) -> String {
    let mut line: String =
        text.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}

/// The number of elements of a shape, if it fits.
fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &length| product.checked_mul(length))
}

#[cfg(test)]
mod tests;
