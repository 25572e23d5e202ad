//! The stepped model: every register of the machine as a value, advanced clock edge by clock edge.
//!
//! It is the definition of time here; TIMING.md says the same in words. A [`Job`] is one layer on one
//! architecture with its input; a [`State`] is all registers; [`Job::step`] is one clock edge.

use crate::Error;
use crate::arch::{Architecture, ClockGating, ZeroTrits};
use crate::counts::{Counts, ToggleCounts};
use crate::mapping::{Mapping, StepIndex, VectorWork, Work};
use crate::network::{Dot, Network, Sign, Weights, signed_digits};
use crate::outcome::LayerOutcome;

mod engine;
mod exact;
mod fetch;
mod nets;
mod scaler;
mod state;
mod vector;

pub use nets::{Nets, ToggleCounting};
pub use state::{Accumulators, Bank, Beat, Chunk, Round, State, Sums, Take};
pub use vector::{VectorState, run_vector};

/// One dot-product layer on one architecture, with its input codes: all that does not change from edge to edge.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    arch: &'a Architecture,
    dot: &'a Dot,
    mapping: Mapping,
    /// Plane j of weight i is `planes[j][i]`.
    planes: Vec<Vec<i16>>,
    /// Input codes of all images, NHWC.
    codes: Vec<i16>,
    /// Registers that a sum passes in the tree.
    tree_stages: usize,
    counting: ToggleCounting,
    /// The step that edge 0 issues.
    first: StepIndex,
}

/// What a layer's run leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerRun {
    /// Outputs of all images, NHWC.
    pub outputs: Vec<i64>,
    /// The edge that wrote each output.
    pub written_at: Vec<u64>,
    /// What happened.
    pub counts: Counts,
    /// Toggles, where they are counted.
    pub toggles: Option<ToggleCounts>,
}

impl<'a> Job<'a> {
    /// Prepares a dot-product layer for `images` pictures, whose input codes follow each other in
    /// `codes`; refuses what the architecture cannot run.
    pub fn new(
        network: &'a Network,
        layer_idx: usize,
        arch: &'a Architecture,
        images: usize,
        codes: &[i64],
    ) -> Result<Self, Error> {
        let layer = &network.layers[layer_idx];
        let place = format!("layer `{}`", layer.name);
        let (Some(dot), Some(work)) = (layer.dot(), Work::of(network, layer_idx, images)) else {
            return Err(Error::malformed(place, "is no dot-product layer"));
        };
        let elements = images.saturating_mul(work.input.elements());
        if images == 0 || codes.len() != elements {
            let limit = format!("{} for each of at least 1 image", work.input.elements());
            return Err(Error::limit(place, "the number of input codes", limit, codes.len()));
        }
        let mapping = Mapping::new(&work, arch)?;
        let (low, high) = match work.activation_sign {
            Sign::Unsigned => (0, (1 << work.activation_bits) - 1),
            Sign::Signed => {
                (-(1 << (work.activation_bits - 1)), (1 << (work.activation_bits - 1)) - 1)
            }
        };
        let narrow = |&code: &i64| {
            i16::try_from(code).ok().filter(|_| (low..=high).contains(&code)).ok_or_else(|| {
                let limit = format!("between {low} and {high}");
                Error::limit(place.as_str(), "an input code", limit, code)
            })
        };
        let codes = codes.iter().map(narrow).collect::<Result<_, _>>()?;
        Ok(Self {
            tree_stages: arch.tree_stages(mapping.segments),
            planes: planes(network, dot, work.planes),
            arch,
            dot,
            mapping,
            codes,
            counting: ToggleCounting::Off,
            first: StepIndex::default(),
        })
    }

    /// The same job, with toggles counted or not; without this call they are not.
    #[must_use]
    pub fn counting(self, counting: ToggleCounting) -> Self {
        Self { counting, ..self }
    }

    /// The same job from the first step of another tile on, as if the layer began with it; refuses a step that opens no tile of the
    /// layer. Such a job is not run to its end: outputs of the tiles before are never written.
    pub fn starting_at(self, first: StepIndex) -> Result<Self, Error> {
        let map = &self.mapping;
        let opens_tile = StepIndex {
            column_tile: first.column_tile,
            row_tile: first.row_tile,
            ..StepIndex::default()
        };
        if first != opens_tile
            || map.column_tiles <= first.column_tile
            || map.row_tiles <= first.row_tile
        {
            let limit =
                format!("the first of one of {} × {} tiles", map.column_tiles, map.row_tiles);
            let got = format!("{first:?}");
            return Err(Error::limit(
                format!("layer `{}`", map.work().name),
                "a first step",
                limit,
                got,
            ));
        }
        Ok(Self { first, ..self })
    }

    /// The tiles and steps of the layer.
    pub const fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// All registers at reset, before edge 0.
    pub fn reset(&self) -> State {
        State::reset(self.arch, &self.mapping, self.tree_stages, self.counting)
    }

    /// One clock edge: the last stage moves first, so that each stage sees what the one before it held.
    pub fn step(&self, state: &mut State) {
        if state.edge == 0 {
            self.feed_first(state);
        } else {
            self.write(state);
            self.advance_scaler(state);
            if state.is_frozen() {
                state.counts.stall_scaler.0 += 1;
            } else {
                self.advance_array(state);
            }
        }
        if self.arch.clock_gating == ClockGating::None {
            self.clock_everything(state);
        }
        state.edge += 1;
        state.counts.cycles.0 += 1;
    }

    /// Whether the last output is written.
    pub const fn is_done(&self, state: &State) -> bool {
        state.written == state.outputs.len()
    }

    /// Feeder, memories, bus, operands, tree, accumulators: all advance, or none.
    fn advance_array(&self, state: &mut State) {
        self.move_round(state);
        if let Some(mut nets) = state.nets.take() {
            self.advance_exactly(state, &mut nets);
            state.nets = Some(nets);
        } else {
            self.advance_sums(state);
        }
        self.fetch(state);
        self.feed_next(state);
    }

    /// Bus to accumulators, with exact sums in place of the trees' terms.
    fn advance_sums(&self, state: &mut State) {
        if self.tree_stages == 0 {
            // Without tree registers the leaf is the sum, in the same cycle.
            self.add_up(state);
            self.accumulate(state);
        } else {
            self.accumulate(state);
            self.add_up(state);
        }
        if self.arch.zero_trits == ZeroTrits::Gate {
            self.load_operands(state);
        }
        self.load_bus(state);
    }

    /// Runs the layer from reset to its last output.
    pub fn run(&self) -> LayerRun {
        let mut state = self.reset();
        let most = self.most_edges();
        while !self.is_done(&state) {
            self.step(&mut state);
            assert!(state.edge < most, "the pipeline must not hang: edge {}", state.edge);
        }
        let counts = state.counts;
        let work = self.mapping.work();
        assert_eq!(counts.products, work.products(self.arch), "work done is work required");
        assert_eq!(counts.steps, self.mapping.steps(), "every step is issued once");
        crate::bounds::of(work, self.arch).assert_held_by(&counts);
        let tiles = (self.mapping.column_tiles * self.mapping.row_tiles) as u64;
        let toggles = state.nets.map(|nets| ToggleCounts {
            counted: nets.toggles,
            tiles_counted: tiles,
            tiles,
        });
        LayerRun { outputs: state.outputs, written_at: state.written_at, counts, toggles }
    }

    /// More edges than any layer can take: each round waits for its steps and for all its values.
    fn most_edges(&self) -> u64 {
        let tiles = self.mapping.column_tiles * self.mapping.row_tiles;
        let values = self.arch.rows * self.mapping.segments * self.arch.branches;
        let rounds = (tiles * self.mapping.passes * values) as u64;
        self.mapping.steps() + rounds + 64
    }
}

/// Runs a dot-product layer of a network: exact outputs, the edge of every output, and counts.
pub fn run_layer(
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    images: usize,
    codes: &[i64],
) -> Result<LayerRun, Error> {
    Job::new(network, layer_idx, arch, images, codes).map(|job| job.run())
}

/// Any layer of a network, without toggles; see [`layer_counting`].
pub fn layer(
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    images: usize,
    codes: &[i64],
) -> Result<(LayerOutcome, Option<LayerRun>), Error> {
    layer_counting(network, layer_idx, arch, images, codes, ToggleCounting::Off)
}

/// Any layer of a network; `codes` are the input codes of all images (a layer of the vector unit needs
/// none). Outputs only of a dot-product layer.
pub fn layer_counting(
    network: &Network,
    layer_idx: usize,
    arch: &Architecture,
    images: usize,
    codes: &[i64],
    counting: ToggleCounting,
) -> Result<(LayerOutcome, Option<LayerRun>), Error> {
    let name = network.layers[layer_idx].name.clone();
    if let Some(work) = VectorWork::of(network, layer_idx, images) {
        let counts = run_vector(&work, arch);
        return Ok((LayerOutcome { name, counts, toggles: None, bounds: None }, None));
    }
    let job = Job::new(network, layer_idx, arch, images, codes)?.counting(counting);
    let bounds = Some(crate::bounds::of(job.mapping.work(), arch));
    let run = job.run();
    Ok((LayerOutcome { name, counts: run.counts, toggles: run.toggles, bounds }, Some(run)))
}

/// The planes of a layer as trits.
fn planes(network: &Network, dot: &Dot, count: u32) -> Vec<Vec<i16>> {
    match &dot.weights {
        Weights::Dbq { codes, .. } => {
            let plane = |j| {
                let trits: [i16; 256] =
                    std::array::from_fn(|code| [-1, 0, 1][code / 3_usize.pow(j) % 3]);
                codes.iter().map(|&code| trits[usize::from(code)]).collect::<Vec<_>>()
            };
            (0..count).map(plane).collect()
        }
        Weights::Fixed { values, .. } => {
            let mut planes = vec![Vec::with_capacity(values.len()); count as usize];
            for &value in values {
                let trits = signed_digits(value, network.digits);
                for (plane, &trit) in planes.iter_mut().zip(&trits) {
                    plane.push(trit.into());
                }
            }
            planes
        }
    }
}

#[cfg(test)]
mod tests;
