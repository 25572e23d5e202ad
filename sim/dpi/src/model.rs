//! One network on one architecture, and the layer that runs.

use std::io::Read as _;
use std::path::Path;

use tridot_sim::arch::Architecture;
use tridot_sim::limits::MAX_NETWORK_FILE_BYTES;
use tridot_sim::mapping::Work;
use tridot_sim::network::Network;
use tridot_sim::stepped::{Job, ToggleCounting};
use tridot_sim::vectors::Vectors;

use super::Failure;

/// Bytes of the largest architecture file.
const MAX_ARCHITECTURE_BYTES: usize = 1 << 22;
/// Values that all edges of a layer may have together.
const MAX_REGISTERS: u64 = 1 << 27;

/// What a handle holds.
#[derive(Debug)]
pub(super) struct Model {
    network: Network,
    arch: Architecture,
    layer: Option<Layer>,
}

/// The layer that was chosen.
#[derive(Debug)]
struct Layer {
    index: usize,
    images: usize,
    codes: Vec<i64>,
    vectors: Option<Vectors>,
    edges: Option<Edges>,
}

/// The registers of the array after every edge of a layer, and the edge that is looked at.
#[derive(Debug)]
struct Edges {
    segments: usize,
    after: Vec<Registers>,
    now: Option<usize>,
}

#[derive(Debug)]
struct Registers {
    codes: Vec<i16>,
    trits: Vec<i16>,
    accumulators: Vec<i64>,
    written: usize,
}

impl Model {
    pub(super) fn open(network: &Path, architecture: &Path) -> Result<Self, Failure> {
        let of =
            |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let bytes = read(network, MAX_NETWORK_FILE_BYTES)?;
        let text = String::from_utf8(read(architecture, MAX_ARCHITECTURE_BYTES)?)
            .map_err(|_| of(architecture, &"is not UTF-8 text"))?;
        Ok(Self {
            network: Network::from_bytes(&bytes).map_err(|error| of(network, &error))?,
            arch: Architecture::from_toml(&text).map_err(|error| of(architecture, &error))?,
            layer: None,
        })
    }

    pub(super) fn choose(&mut self, name: &str, images: i32) -> Result<i64, Failure> {
        self.layer = None;
        let index = self.network.layers.iter().position(|layer| layer.name == name);
        let index = index.ok_or_else(|| {
            format!("network `{}` has no layer `{}`", self.network.name, name.escape_debug())
        })?;
        let images = usize::try_from(images).unwrap_or(0);
        let work = Work::of(&self.network, index, images)
            .ok_or_else(|| format!("layer `{name}`: is no dot-product layer"))?;
        work.fits(&self.arch).map_err(|error| error.to_string())?;
        let codes = work.input.elements().checked_mul(images).filter(|&n| n < 1 << 28);
        let codes = codes.ok_or_else(|| {
            format!("layer `{name}`: the number of images must be below 2^28 codes, got {images}")
        })?;
        let layer = Layer { index, images, codes: vec![0; codes], vectors: None, edges: None };
        self.layer = Some(layer);
        i64::try_from(codes).map_err(|error| error.to_string())
    }

    fn chosen(&mut self) -> Result<&mut Layer, Failure> {
        self.layer.as_mut().ok_or_else(|| "a layer must be chosen first".to_owned())
    }

    pub(super) fn set_input(&mut self, index: i32, code: i32) -> Result<i64, Failure> {
        let layer = self.chosen()?;
        let count = layer.codes.len();
        let place = at(index, count, "the index of an input code")?;
        layer.codes[place] = code.into();
        (layer.vectors, layer.edges) = (None, None);
        Ok(0)
    }

    pub(super) fn run(&mut self) -> Result<i64, Failure> {
        self.chosen()?;
        let Self { network, arch, layer: Some(layer) } = self else { unreachable!("it is chosen") };
        let vectors = Vectors::new(network, layer.index, arch, layer.images, &layer.codes)
            .map_err(|error| error.to_string())?;
        let cycles = vectors.expected.cycles;
        layer.vectors = Some(vectors);
        i64::try_from(cycles).map_err(|error| error.to_string())
    }

    fn ran(&self) -> Result<&Vectors, Failure> {
        let vectors = self.layer.as_ref().and_then(|layer| layer.vectors.as_ref());
        vectors.ok_or_else(|| "the layer must be run first".to_owned())
    }

    pub(super) fn outputs(&self) -> Result<i64, Failure> {
        i64::try_from(self.ran()?.expected.outputs.len()).map_err(|error| error.to_string())
    }

    pub(super) fn output(&self, index: i32) -> Result<i64, Failure> {
        let outputs = &self.ran()?.expected.outputs;
        Ok(outputs[at(index, outputs.len(), "the index of an output")?])
    }

    pub(super) fn edge(&self, index: i32) -> Result<i64, Failure> {
        let edges = &self.ran()?.expected.written_at;
        Ok(edges[at(index, edges.len(), "the index of an output")?].cast_signed())
    }

    pub(super) fn accumulators(&self) -> Result<i64, Failure> {
        i64::try_from(self.ran()?.values).map_err(|error| error.to_string())
    }

    pub(super) fn accumulator(&self, index: i32, plane: i32) -> Result<i64, Failure> {
        let vectors = self.ran()?;
        let index = at(index, vectors.expected.outputs.len(), "the index of an output")?;
        let plane = at(plane, vectors.values, "the plane")?;
        Ok(vectors.accumulators[index * vectors.values + plane])
    }

    pub(super) fn start(&mut self) -> Result<i64, Failure> {
        self.chosen()?;
        let Self { network, arch, layer: Some(layer) } = self else { unreachable!("it is chosen") };
        let job = Job::new(network, layer.index, arch, layer.images, &layer.codes)
            .map_err(|error| error.to_string())?
            .counting(ToggleCounting::On);
        let mut state = job.reset();
        let each = state.bus.codes.len() + state.bus.trits.len() + state.accumulators.values.len();
        let mut after = Vec::new();
        while !job.is_done(&state) {
            if MAX_REGISTERS < (after.len() as u64).saturating_mul(each as u64) {
                return Err(format!("the registers of all edges must be at most {MAX_REGISTERS}"));
            }
            job.step(&mut state);
            after.push(Registers {
                codes: state.bus.codes.clone(),
                trits: state.bus.trits.clone(),
                accumulators: state.accumulators.values.clone(),
                written: state.written,
            });
        }
        layer.edges = Some(Edges { segments: job.mapping().segments, after, now: None });
        Ok(0)
    }

    pub(super) fn step(&mut self) -> Result<i64, Failure> {
        let edges = self.chosen()?.edges.as_mut();
        let edges = edges.ok_or_else(|| "the layer must be started first".to_owned())?;
        let next = edges.now.map_or(0, |now| now + 1);
        if edges.after.len() <= next {
            return Err(format!("the layer ended after {} edges", edges.after.len()));
        }
        edges.now = Some(next);
        Ok(i64::from(next + 1 < edges.after.len()))
    }

    fn registers(&self) -> Result<(&Registers, usize), Failure> {
        let edges = self.layer.as_ref().and_then(|layer| layer.edges.as_ref());
        let now = edges.and_then(|edges| Some((&edges.after[edges.now?], edges.segments)));
        now.ok_or_else(|| "the layer must be stepped first".to_owned())
    }

    pub(super) fn bus_code(&self, row: i32, lane: i32) -> Result<i64, Failure> {
        let row = at(row, self.arch.rows, "the row")?;
        let lane = at(lane, self.arch.lanes, "the lane")?;
        Ok(self.registers()?.0.codes[row * self.arch.lanes + lane].into())
    }

    pub(super) fn bus_trit(&self, column: i32, branch: i32, lane: i32) -> Result<i64, Failure> {
        let arch = &self.arch;
        let column = at(column, arch.columns, "the column")?;
        let branch = at(branch, arch.branches, "the branch")?;
        let lane = at(lane, arch.lanes, "the lane")?;
        let place = (column * arch.branches + branch) * arch.lanes + lane;
        Ok(self.registers()?.0.trits[place].into())
    }

    pub(super) fn register(&self, place: [i32; 4]) -> Result<i64, Failure> {
        let arch = &self.arch;
        let (registers, segments) = self.registers()?;
        let row = at(place[0], arch.rows, "the row")?;
        let column = at(place[1], arch.columns, "the column")?;
        let branch = at(place[2], arch.branches, "the branch")?;
        let segment = at(place[3], segments, "the segment")?;
        let tree = (row * arch.columns + column) * arch.branches + branch;
        Ok(registers.accumulators[tree * segments + segment])
    }

    pub(super) fn written(&self) -> Result<i64, Failure> {
        i64::try_from(self.registers()?.0.written).map_err(|error| error.to_string())
    }
}

/// An index within its bound.
fn at(index: i32, bound: usize, what: &str) -> Result<usize, Failure> {
    let place = usize::try_from(index).ok().filter(|&place| place < bound);
    place.ok_or_else(|| format!("{what} must be at least 0 and below {bound}, got {index}"))
}

/// A file of at most so many bytes.
fn read(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let of = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(|error| of(&error))?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| of(&error))?;
    if most < bytes.len() {
        return Err(of(&format!("must be at most {most} bytes, but there are more")));
    }
    Ok(bytes)
}
