//! PyTorch zip checkpoints: a pickled dictionary of tensors, and one record for each storage.

mod pickle;
mod zip;

use super::element::ElementType;
use super::{BATCH_COUNTER, CheckpointTensor, Tensors, check_name, elements, one_line};
use crate::Error;
use pickle::{Node, NodeId, Pickle, Storage, StridedView};
use zip::Archive;

const PICKLE: &str = "data.pkl";
/// Keys under which training scripts keep the state dict beside other things.
const WRAPPERS: [&str; 4] = ["state_dict", "model_state_dict", "model", "net"];

/// All floating-point tensors of the state dict of a PyTorch zip checkpoint.
pub(super) fn read(bytes: &[u8]) -> Result<Tensors, Error> {
    let archive = Archive::open(bytes)?;
    let folder = folder_of_pickle(&archive)?;
    if archive.names().any(|name| name == format!("{folder}constants.pkl")) {
        let reason = "is a TorchScript program (torch.jit.save); save its state_dict() instead";
        return Err(Error::malformed("checkpoint", reason));
    }
    let byte_order = format!("{folder}byteorder");
    if archive.names().any(|name| name == byte_order) && archive.record(&byte_order)? != b"little" {
        return Err(Error::malformed(byte_order, "the tensors must be little-endian"));
    }
    let pickle = Pickle::parse(archive.record(&format!("{folder}{PICKLE}"))?)?;
    let mut reader = Reader { archive, folder, pickle, elements_left: bytes.len() };
    reader.tensors()
}

/// What stands before `data.pkl` in the names of the archive, `/` included.
fn folder_of_pickle(archive: &Archive<'_>) -> Result<String, Error> {
    let is_pickle = |name: &&str| *name == PICKLE || name.ends_with(&format!("/{PICKLE}"));
    let mut found = archive.names().filter(is_pickle);
    match (found.next(), found.next()) {
        (Some(name), None) => Ok(name[..name.len() - PICKLE.len()].to_owned()),
        (None, _) => Err(Error::malformed(
            "checkpoint",
            "is a zip archive without data.pkl, so no PyTorch checkpoint",
        )),
        (Some(first), Some(second)) => {
            let reason = format!("holds two pickles, `{first}` and `{second}`");
            Err(Error::malformed("checkpoint", reason))
        }
    }
}

struct Reader<'a> {
    archive: Archive<'a>,
    folder: String,
    pickle: Pickle<'a>,
    /// Tensors may share a storage; together they may have as many elements as the file has bytes.
    elements_left: usize,
}

impl Reader<'_> {
    fn tensors(&mut self) -> Result<Tensors, Error> {
        let mut tensors = Tensors::new();
        for (key, value) in self.state_dict()? {
            let Node::Text(name) = *self.pickle.node(key) else {
                let got = self.pickle.describe(key);
                return Err(Error::limit("state dict", "a key", "text", got));
            };
            check_name(name)?;
            if name.ends_with(BATCH_COUNTER) {
                continue;
            }
            let Node::Tensor(view) = self.pickle.node(value) else {
                let got = self.pickle.describe(value);
                return Err(Error::limit("state dict", format!("`{name}`"), "a tensor", got));
            };
            let view = view.clone();
            let tensor = self.tensor(name, view)?;
            if tensors.insert(name.to_owned(), tensor).is_some() {
                return Err(Error::malformed("state dict", format!("`{name}` is there twice")));
            }
        }
        Ok(tensors)
    }

    /// The entries of the root or, where that is a wrapper, of the dictionary inside it.
    fn state_dict(&self) -> Result<Vec<(NodeId, NodeId)>, Error> {
        let root = self.pickle.root();
        let Node::Dict(entries) = self.pickle.node(root) else {
            let got = self.pickle.describe(root);
            let limit = "a dictionary of tensors, as model.state_dict() gives";
            return Err(Error::limit("checkpoint", "its content", limit, got));
        };
        for wrapper in WRAPPERS {
            let inner = entries.iter().find_map(|&(key, value)| {
                let is_wrapper =
                    matches!(self.pickle.node(key), Node::Text(text) if *text == wrapper);
                is_wrapper.then_some(value)
            });
            if let Some(Node::Dict(inner)) = inner.map(|inner| self.pickle.node(inner)) {
                return Ok(inner.clone());
            }
        }
        Ok(entries.clone())
    }

    fn tensor(&mut self, name: &str, view: StridedView) -> Result<CheckpointTensor, Error> {
        let place = || format!("tensor `{name}`");
        let Node::Storage(Storage { class, key, length }) = *self.pickle.node(view.storage) else {
            unreachable!("the pickle reader puts storages only there");
        };
        let kind = match class {
            "HalfStorage" => ElementType::F16,
            "BFloat16Storage" => ElementType::Bf16,
            "FloatStorage" => ElementType::F32,
            "DoubleStorage" => ElementType::F64,
            other => {
                let limit = "Half, BFloat16, Float or DoubleStorage";
                return Err(Error::limit(place(), "storage", limit, one_line(other)));
            }
        };
        let bytes = self.archive.record(&format!("{}data/{key}", self.folder))?;
        if length.checked_mul(kind.bytes()) != Some(bytes.len()) {
            let what = format!("bytes of storage `{}`", one_line(key));
            let limit = format!("{length} elements of {} bytes", kind.bytes());
            return Err(Error::limit(place(), what, limit, bytes.len()));
        }
        let count = elements(&view.shape).filter(|&count| count <= self.elements_left).ok_or_else(
            || {
                let what = format!("elements of shape {:?}", view.shape);
                let limit = format!("at most {} in a file of this length", self.elements_left);
                Error::malformed(place(), format!("{what} must be {limit}"))
            },
        )?;
        self.elements_left -= count;
        let outside = || {
            let StridedView { shape, strides, offset, .. } = &view;
            let reason = format!(
                "shape {shape:?} with strides {strides:?} from element {offset} leaves its storage \
                 of {length} elements"
            );
            Error::malformed(place(), reason)
        };
        if count != 0 && view.last().is_none_or(|last| length <= last) {
            return Err(outside());
        }
        let values = kind.decode(name, &gather(&view, count, bytes, kind.bytes()))?;
        Ok(CheckpointTensor { shape: view.shape, values })
    }
}

/// The bytes of the elements of a view, last axis fastest. The view lies within the storage.
fn gather<'a>(
    view: &StridedView,
    count: usize,
    storage: &'a [u8],
    element_bytes: usize,
) -> std::borrow::Cow<'a, [u8]> {
    if count == 0 {
        return storage[..0].into();
    }
    if view.is_contiguous() {
        let first = view.offset * element_bytes;
        return storage[first..first + count * element_bytes].into();
    }
    let mut gathered = Vec::with_capacity(count * element_bytes);
    let mut index = vec![0; view.shape.len()];
    for _ in 0..count {
        let position: usize = index.iter().zip(&view.strides).map(|(i, stride)| i * stride).sum();
        let first = (view.offset + position) * element_bytes;
        gathered.extend_from_slice(&storage[first..first + element_bytes]);
        for (axis, length) in view.shape.iter().enumerate().rev() {
            index[axis] += 1;
            if index[axis] < *length {
                break;
            }
            index[axis] = 0;
        }
    }
    gathered.into()
}
