//! A window of a layer: what stands at the ports of `tridot_core` after each clock edge, and what the stepped model counts meanwhile.

use crate::Error;
use crate::arch::Architecture;
use crate::counts::{Counts, ToggleCounts};
use crate::limits::MAX_Y_BITS;
use crate::mapping::{Mapping, StepIndex};
use crate::network::{Dot, DotOutput, Network, Sign, Weights};
use crate::rtl::Bus;
use crate::stepped::{Job, State, ToggleCounting};

/// Vectors of reset before each window.
pub const RESETS: u64 = 2;
/// Most edges of a window.
pub const MAX_EDGES: u64 = 1 << 16;

/// A layer and a place in it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The network.
    pub network: &'a Network,
    /// The layer.
    pub layer_idx: usize,
    /// Pictures.
    pub images: usize,
    /// Their codes at the layer's input, NHWC.
    pub codes: &'a [i64],
    /// The step with which the window begins, after a reset.
    pub first: StepIndex,
    /// Edges at most.
    pub edges: u64,
}

/// What goes in, and what is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Stimulus {
    /// A hexadecimal word for each of [`RESETS`] vectors of reset and for each edge: all inputs of [`inputs`], the first lowest.
    pub vectors: Vec<String>,
    /// What the stepped model counts.
    pub counts: Counts,
    /// What toggles there.
    pub toggles: ToggleCounts,
}

impl Stimulus {
    /// Edges of the window.
    pub const fn edges(&self) -> u64 {
        self.counts.cycles.0
    }
}

/// The inputs of `tridot_core` but its clock, with their bits.
pub fn inputs(arch: &Architecture) -> Vec<(&'static str, usize)> {
    let bits = |most: usize| (most + 1).next_power_of_two().trailing_zeros() as usize;
    let per_column = arch.columns * arch.segments();
    vec![
        ("reset", 1),
        ("layer_segmented", 1),
        ("layer_merged", 1),
        ("layer_raw", 1),
        ("layer_shift", 6),
        ("layer_low", 9),
        ("layer_high", 9),
        ("step_valid", 1),
        ("step_signed", 1),
        ("step_first", 1),
        ("step_widen", 1),
        ("step_last", 1),
        ("step_shift", 3),
        ("step_codes", arch.rows * arch.lanes * arch.activation_bits_per_step as usize),
        ("step_trits", arch.columns * arch.branches * arch.lanes * 2),
        ("round_values", bits(arch.branches)),
        ("round_rows", bits(arch.rows)),
        ("round_segments", bits(arch.segments())),
        ("round_starts", 1),
        ("round_ends", 1),
        ("round_scales", per_column * arch.branches * arch.scale_bits as usize),
        ("round_biases", per_column * MAX_Y_BITS as usize),
    ]
}

/// Runs the stepped model over a window; refuses what the architecture cannot run, and a first step that the layer has not.
pub fn stimulus(source: &Source<'_>, arch: &Architecture) -> Result<Stimulus, Error> {
    let Source { network, layer_idx, images, codes, first, edges } = *source;
    let job = Job::new(network, layer_idx, arch, images, codes)?;
    let place = format!("layer `{}`", network.layers[layer_idx].name);
    if !(1..=MAX_EDGES).contains(&edges) {
        let limit = format!("between 1 and {MAX_EDGES}");
        return Err(Error::limit(place, "the edges of a window", limit, edges));
    }
    let job = job.counting(ToggleCounting::On).starting_at(first)?;
    let dot = network.layers[layer_idx].dot().expect("a job is a dot product");
    let ports = Ports { arch, dot, mapping: job.mapping() };
    let mut held = Held::new(arch, first);
    let mut vectors: Vec<String> = (0..RESETS).map(|_| ports.word(&held, true)).collect();
    let mut state = job.reset();
    while state.edge < edges && !job.is_done(&state) {
        let moves = state.counts.moves;
        job.step(&mut state);
        held.follow(&state, state.counts.moves - moves, job.mapping());
        vectors.push(ports.word(&held, false));
    }
    let nets = state.nets.as_ref().expect("toggles are counted");
    let toggles = ToggleCounts { counted: nets.toggles, tiles_counted: 1, tiles: 1 };
    Ok(Stimulus { vectors, counts: state.counts, toggles })
}

/// What the registers before the core hold.
struct Held {
    step: Option<StepIndex>,
    is_valid: bool,
    codes: Vec<i16>,
    trits: Vec<i16>,
    /// The round that the next move hands over: none until its words are read.
    round: Option<StepIndex>,
    next_round: Option<StepIndex>,
}

impl Held {
    fn new(arch: &Architecture, first: StepIndex) -> Self {
        Self {
            step: None,
            is_valid: false,
            codes: vec![0; arch.rows * arch.lanes],
            trits: vec![0; arch.columns * arch.branches * arch.lanes],
            round: None,
            next_round: Some(first),
        }
    }

    fn follow(&mut self, state: &State, moves: u64, mapping: &Mapping) {
        self.is_valid = state.fetched.step.is_some();
        if state.fetched.step.is_some() {
            self.step = state.fetched.step;
            self.codes.clone_from(&state.fetched.codes);
            self.trits.clone_from(&state.fetched.trits);
        }
        // The first round's words are there one edge after the start, the next with each move.
        if (state.edge == 2 || moves != 0)
            && let Some(round) = self.next_round
        {
            self.round = Some(round);
            self.next_round = next_round(mapping, round);
        }
    }
}

/// The step that opens the round after one.
fn next_round(mapping: &Mapping, round: StepIndex) -> Option<StepIndex> {
    let last_pass = mapping.passes - 1;
    let pass = if mapping.work().merged { last_pass } else { round.pass };
    let (chunk, slice) = (mapping.chunks.len() - 1, mapping.slices - 1);
    mapping.next(StepIndex { pass, chunk, slice, ..round })
}

struct Ports<'a> {
    arch: &'a Architecture,
    dot: &'a Dot,
    mapping: &'a Mapping,
}

impl Ports<'_> {
    /// All inputs in the order of [`inputs`].
    fn word(&self, held: &Held, reset: bool) -> String {
        let mut bus = Bus::default();
        let sizes = inputs(self.arch);
        let bits =
            |name: &str| sizes.iter().find(|input| input.0 == name).map_or(0, |&(_, bits)| bits);
        bus.push(reset.into(), 1);
        self.layer(&mut bus);
        self.step(held, &mut bus);
        let slice = self.arch.activation_bits_per_step as usize;
        held.codes.iter().for_each(|&code| bus.push(code.into(), slice));
        held.trits.iter().for_each(|&trit| bus.push(trit.into(), 2));
        let Some(round) = held.round else {
            return padded(&bus, &sizes);
        };
        let map = self.mapping;
        let merged = map.work().merged;
        let values = if merged { 1 } else { map.planes(round.pass).len().max(1) };
        bus.push(number(values), bits("round_values"));
        bus.push(number(map.active_rows(round.row_tile)), bits("round_rows"));
        bus.push(number(map.active_segments(round.column_tile)), bits("round_segments"));
        bus.push((merged || round.pass == 0).into(), 1);
        bus.push((merged || round.pass + 1 == map.passes).into(), 1);
        self.scales(round, &mut bus);
        bus.hex()
    }

    fn layer(&self, bus: &mut Bus) {
        let (raw, shift, low, high) = match self.dot.output {
            DotOutput::Raw => (true, 1, 0, 0),
            DotOutput::Requantize(end) => (false, end.shift, end.low, end.high),
        };
        bus.push((self.mapping.segments != 1).into(), 1);
        bus.push(self.mapping.work().merged.into(), 1);
        bus.push(raw.into(), 1);
        bus.push(shift.into(), 6);
        bus.push(low.into(), 9);
        bus.push(high.into(), 9);
    }

    fn step(&self, held: &Held, bus: &mut Bus) {
        let map = self.mapping;
        let merged = map.work().merged;
        bus.push(held.is_valid.into(), 1);
        let Some(step) = held.step else {
            return bus.push(0, 4 + 3);
        };
        let opens = step.chunk == 0 && step.slice == 0;
        let last_slice = step.slice + 1 == map.slices;
        let is_signed = map.work().activation_sign == Sign::Signed;
        let last_pass = step.pass + 1 == map.passes;
        bus.push((is_signed && last_slice).into(), 1);
        bus.push((opens && (!merged || step.pass == 0)).into(), 1);
        bus.push((opens && merged && step.pass != 0).into(), 1);
        bus.push((map.ends_pass(step) && (last_pass || !merged)).into(), 1);
        bus.push(number(step.slice) * i64::from(self.arch.activation_bits_per_step), 3);
    }

    /// m of value v, segment g, column q at (q·segments + g)·branches + v, then the biases at q·segments + g.
    fn scales(&self, round: StepIndex, bus: &mut Bus) {
        let (arch, map) = (self.arch, self.mapping);
        let first_plane = if map.work().merged { 0 } else { map.planes(round.pass).start };
        let planes = if map.work().merged { 1 } else { map.planes(round.pass).len() };
        for place in self.places(round) {
            for value in 0..arch.branches {
                let m = place.filter(|_| value < planes).map_or(0, |channel| {
                    let at = match self.dot.weights {
                        Weights::Fixed { .. } => channel,
                        Weights::Dbq { branches, .. } => {
                            channel * branches as usize + first_plane + value
                        }
                    };
                    self.dot.multipliers[at]
                });
                bus.push(m.into(), arch.scale_bits as usize);
            }
        }
        for place in self.places(round) {
            bus.push(place.map_or(0, |channel| self.dot.bias[channel]), MAX_Y_BITS as usize);
        }
    }

    /// The output channel of each column and segment, if there is one.
    fn places(&self, round: StepIndex) -> impl Iterator<Item = Option<usize>> {
        let map = self.mapping;
        let tile = round.column_tile;
        let all = (0..self.arch.columns)
            .flat_map(|column| (0..self.arch.segments()).map(move |segment| (column, segment)));
        all.map(move |(column, segment)| {
            let active = column < map.active_columns(tile) && segment < map.active_segments(tile);
            active.then(|| map.channel(tile, column, segment))
        })
    }
}

/// The word with zeros for all inputs that were not put.
fn padded(bus: &Bus, sizes: &[(&str, usize)]) -> String {
    let digits = sizes.iter().map(|input| input.1).sum::<usize>().div_ceil(4);
    format!("{:0>digits$}", bus.hex())
}

fn number(value: usize) -> i64 {
    i64::try_from(value).expect("a small number")
}
