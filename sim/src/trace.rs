//! A trace: what some pictures ask of a network's layers, recorded as integers.
//!
//! For each picture it holds the input and the output of every layer: every tensor of the network, once.
//! It belongs to one network, which it names by its digest.

use crate::digest::Digest;
use crate::network::{Network, Shape, Sign, TensorId, TensorType};
use crate::{Error, limits};

mod codec;

pub use codec::FORMAT;

/// The recorded tensors of some pictures. Made by [`Trace::record`] or [`Trace::from_bytes`] and never wrong
/// in itself; [`Trace::fits`] says whether it belongs to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    network: String,
    digest: Digest,
    data: String,
    pictures: usize,
    tensors: Vec<Recorded>,
}

/// A tensor of all pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// `input`, or the layer's name and `.output`.
    pub name: String,
    /// Shape for one picture.
    pub shape: Shape,
    /// Width of a code.
    pub bits: u32,
    /// Whether codes are signed.
    pub sign: Sign,
    /// What the codes are like.
    pub statistics: Statistics,
    codes: Codes,
}

/// What the codes of a tensor are like, all pictures one behind the other in NHWC order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Codes.
    pub codes: u64,
    /// Of these, zero.
    pub zeros: u64,
    /// Σ of the Hamming distances of consecutive codes, in two's complement at the tensor's width.
    pub hamming_bits: u64,
}

impl Statistics {
    /// Zeros in percent of the codes.
    pub fn zeros_percent(&self) -> f64 {
        100.0 * self.zeros as f64 / self.codes.max(1) as f64
    }

    /// Mean Hamming distance of two consecutive codes, in bits.
    pub fn mean_hamming_bits(&self) -> f64 {
        self.hamming_bits as f64 / self.codes.saturating_sub(1).max(1) as f64
    }

    fn of(codes: impl Iterator<Item = i64>, bits: u32) -> Self {
        let mask = (1_u64 << bits) - 1;
        let mut statistics = Self::default();
        let mut previous: Option<i64> = None;
        for code in codes {
            let distance = previous
                .map_or(0, |previous| ((previous ^ code).cast_unsigned() & mask).count_ones());
            statistics.codes += 1;
            statistics.zeros += u64::from(code == 0);
            statistics.hamming_bits += u64::from(distance);
            previous = Some(code);
        }
        statistics
    }
}

/// Codes, as narrow as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Codes {
    /// Of at most 8 bits, as bytes whatever their sign.
    Narrow(Vec<u8>),
    /// y itself.
    Wide(Vec<i64>),
}

impl Recorded {
    /// The codes of all pictures, NHWC.
    pub fn codes(&self) -> impl Iterator<Item = i64> + '_ {
        let (narrow, wide) = match &self.codes {
            Codes::Narrow(codes) => (codes.as_slice(), [].as_slice()),
            Codes::Wide(codes) => ([].as_slice(), codes.as_slice()),
        };
        let sign = self.sign;
        let code = move |&byte: &u8| match sign {
            Sign::Unsigned => i64::from(byte),
            Sign::Signed => i64::from(byte.cast_signed()),
        };
        narrow.iter().map(code).chain(wide.iter().copied())
    }

    /// Refuses codes that the tensor's width and sign do not hold, and computes the statistics.
    fn checked(mut self) -> Result<Self, Error> {
        let (low, high) = match self.sign {
            Sign::Unsigned => (0, (1_i64 << self.bits) - 1),
            Sign::Signed => (-(1_i64 << (self.bits - 1)), (1_i64 << (self.bits - 1)) - 1),
        };
        if let Some(code) = self.codes().find(|code| !(low..=high).contains(code)) {
            let limit = format!("between {low} and {high}");
            return Err(Error::limit(format!("tensor `{}`", self.name), "a code", limit, code));
        }
        self.statistics = Statistics::of(self.codes(), self.bits);
        Ok(self)
    }
}

/// A width of a code that a byte holds.
const fn is_narrow(bits: u32) -> bool {
    bits <= limits::MAX_ACTIVATION_BITS
}

/// The name of a tensor in a trace.
fn tensor_name(network: &Network, id: TensorId) -> String {
    id.layer().map_or("input".to_owned(), |i| format!("{}.output", network.layers[i].name))
}

impl Trace {
    /// Records runs of a network: of each picture all tensors, by id. `data` says where the pictures come from.
    pub fn record(
        network: &Network,
        data: impl Into<String>,
        runs: &[Vec<Vec<i64>>],
    ) -> Result<Self, Error> {
        let data = data.into();
        codec::text("trace", "data", &data)?;
        codec::count("the number of pictures", runs.len(), limits::MAX_TRACE_PICTURES)?;
        let n_tensors = network.layers.len() + 1;
        if let Some(run) = runs.iter().find(|run| run.len() != n_tensors) {
            return Err(Error::limit("run", "the tensors", n_tensors.to_string(), run.len()));
        }
        let tensors = (0..n_tensors).map(|id| recorded(network, TensorId(id), runs));
        Ok(Self {
            network: network.name.clone(),
            digest: network.digest(),
            data,
            pictures: runs.len(),
            tensors: tensors.collect::<Result<_, _>>()?,
        })
    }

    /// The name of the network that was recorded.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The digest of that network.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Where the pictures come from.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Pictures recorded; at least one.
    pub const fn pictures(&self) -> usize {
        self.pictures
    }

    /// Every tensor, by id.
    pub fn tensors(&self) -> &[Recorded] {
        &self.tensors
    }

    /// The codes of a tensor, of all pictures.
    pub fn codes(&self, id: TensorId) -> Vec<i64> {
        self.tensors[id.0].codes().collect()
    }

    /// Refuses a network that is not the recorded one.
    pub fn fits(&self, network: &Network) -> Result<(), Error> {
        let digest = network.digest();
        if digest != self.digest {
            let limit = format!("{digest} (`{}`)", network.name);
            let value = format!("{} (`{}`)", self.digest, self.network);
            return Err(Error::limit("trace", "the digest of its network", limit, value));
        }
        // A file may claim another network's digest.
        let fits = |id: usize, tensor: &Recorded| {
            let TensorType { shape, bits, sign, .. } = *network.tensor(TensorId(id));
            let name = tensor_name(network, TensorId(id));
            (name, shape, bits, sign)
                == (tensor.name.clone(), tensor.shape, tensor.bits, tensor.sign)
        };
        if self.tensors.len() != network.layers.len() + 1 {
            let tensors = (network.layers.len() + 1).to_string();
            return Err(Error::limit(
                "trace",
                "the number of tensors",
                tensors,
                self.tensors.len(),
            ));
        }
        match self.tensors.iter().enumerate().find(|(id, tensor)| !fits(*id, tensor)) {
            None => Ok(()),
            Some((_, tensor)) => {
                let reason = "name, shape, bits or sign are not those of the network";
                Err(Error::malformed(format!("tensor `{}`", tensor.name), reason))
            }
        }
    }
}

/// A tensor of all runs.
fn recorded(network: &Network, id: TensorId, runs: &[Vec<Vec<i64>>]) -> Result<Recorded, Error> {
    let TensorType { shape, bits, sign, .. } = *network.tensor(id);
    let name = tensor_name(network, id);
    let place = format!("tensor `{name}`");
    let mut all = Vec::with_capacity(shape.elements() * runs.len());
    for run in runs {
        if run[id.0].len() != shape.elements() {
            let elements = shape.elements().to_string();
            return Err(Error::limit(place, "the number of codes", elements, run[id.0].len()));
        }
        all.extend(&run[id.0]);
    }
    let range = network.range(id);
    if let Some(code) = all.iter().find(|&&code| !(range.low..=range.high).contains(&code)) {
        let limit = format!("between {} and {}", range.low, range.high);
        return Err(Error::limit(place, "a code", limit, code));
    }
    let codes = if is_narrow(bits) {
        // The low byte: a code of at most 8 bits, whatever its sign.
        Codes::Narrow(all.iter().map(|code| code.to_le_bytes()[0]).collect())
    } else {
        Codes::Wide(all)
    };
    Recorded { name, shape, bits, sign, statistics: Statistics::default(), codes }.checked()
}

#[cfg(test)]
mod tests;
