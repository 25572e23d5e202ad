//! One network on one architecture, and the layer that runs.

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::Path;

use tridot_sim::arch::Architecture;
use tridot_sim::limits::MAX_NETWORK_FILE_BYTES;
use tridot_sim::mapping::Work;
use tridot_sim::network::Network;
use tridot_sim::stepped::{Job, State, ToggleCounting};
use tridot_sim::vectors::Vectors;

use super::Failure;

/// Bytes of the largest architecture file.
const MAX_ARCHITECTURE_BYTES: usize = 1 << 22;
/// Values of the edges that are run ahead of the one that is looked at, so that a layer is prepared for many at once.
/// Tests run a single edge ahead, so that every edge is at a seam.
const MAX_AHEAD: usize = if cfg!(test) { 1 } else { 1 << 22 };

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

/// A layer that runs edge by edge.
#[derive(Debug)]
struct Edges {
    segments: usize,
    /// After the last edge that was run.
    state: State,
    /// Registers after edges that were run and not stepped to yet.
    ahead: VecDeque<Registers>,
    /// Registers after the edge that is looked at.
    now: Option<Registers>,
    stepped: u64,
    is_done: bool,
}

/// The registers of the array after an edge.
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
        let job = self.job()?;
        let (segments, state) = (job.mapping().segments, job.reset());
        let (ahead, now, stepped, is_done) = (VecDeque::new(), None, 0, false);
        self.chosen()?.edges = Some(Edges { segments, state, ahead, now, stepped, is_done });
        Ok(0)
    }

    pub(super) fn step(&mut self) -> Result<i64, Failure> {
        let edges = self.chosen()?.edges.take();
        let mut edges = edges.ok_or_else(|| "the layer must be started first".to_owned())?;
        if edges.ahead.is_empty() && !edges.is_done {
            edges.run_ahead(&self.job()?);
        }
        let next = edges.ahead.pop_front();
        let ended = edges.stepped;
        edges.stepped += u64::from(next.is_some());
        let goes_on = !edges.is_done || !edges.ahead.is_empty();
        let is_past = next.is_none();
        edges.now = next.or(edges.now);
        self.chosen()?.edges = Some(edges);
        if is_past {
            return Err(format!("the layer ended after {ended} edges"));
        }
        Ok(goes_on.into())
    }

    /// The chosen layer with its input.
    fn job(&self) -> Result<Job<'_>, Failure> {
        let layer = self.layer.as_ref().ok_or_else(|| "a layer must be chosen first".to_owned())?;
        Job::new(&self.network, layer.index, &self.arch, layer.images, &layer.codes)
            .map(|job| job.counting(ToggleCounting::On))
            .map_err(|error| error.to_string())
    }

    fn registers(&self) -> Result<(&Registers, usize), Failure> {
        let edges = self.layer.as_ref().and_then(|layer| layer.edges.as_ref());
        let now = edges.and_then(|edges| Some((edges.now.as_ref()?, edges.segments)));
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

impl Edges {
    /// Runs on for as many edges as are held, or to the end.
    fn run_ahead(&mut self, job: &Job<'_>) {
        let state = &mut self.state;
        let each = state.bus.codes.len() + state.bus.trits.len() + state.accumulators.values.len();
        for _ in 0..(MAX_AHEAD / each).max(1) {
            job.step(state);
            self.ahead.push_back(Registers {
                codes: state.bus.codes.clone(),
                trits: state.bus.trits.clone(),
                accumulators: state.accumulators.values.clone(),
                written: state.written,
            });
            self.is_done = job.is_done(state);
            if self.is_done {
                break;
            }
        }
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
