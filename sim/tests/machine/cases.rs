//! The worked cases of TIMING.md, section 8, edge by edge.

use tridot_sim::arch::{Architecture, Chunking, ClockGating, DepthwiseMode, Parameters, ZeroTrits};
use tridot_sim::fast;
use tridot_sim::mapping::Work;
use tridot_sim::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};
use tridot_sim::stepped::{self, Job, LayerRun, State};
use tridot_sim::units::Megahertz;

/// A 1×1 array with nothing optional; each case changes what it names.
pub(crate) fn arch(change: impl FnOnce(&mut Parameters)) -> Architecture {
    let mut parameters = Parameters {
        name: "case".to_owned(),
        clock: Megahertz(100.0),
        rows: 1,
        columns: 1,
        clock_gating: ClockGating::None,
        lanes: 4,
        branches: 1,
        tree_levels_per_stage: 1,
        activation_bits_per_step: 8,
        accumulator_bits: 32,
        zero_trits: ZeroTrits::None,
        chunking: Chunking::Flat,
        depthwise: DepthwiseMode::Column,
        multipliers: 1,
        scaler_stages: 1,
        scale_bits: 16,
        vector_lanes: 1,
        vector_latency_cycles: 1,
    };
    change(&mut parameters);
    Architecture::new(parameters).unwrap()
}

/// One layer on one row of pixels; every multiplier is 2, the shift 1, so an output is its dot product.
fn layer(geometry: Geometry, width: [usize; 2], channels: [usize; 2], weights: Weights) -> Network {
    let tensor = |width, channels, bits, sign| TensorType {
        shape: Shape::new(1, width, channels),
        bits,
        sign,
        scale: 1.0,
    };
    let per_channel = weights.multipliers_per_channel();
    let dot = Dot {
        geometry,
        weights,
        multipliers: vec![2; channels[1] * per_channel],
        bias: vec![0; channels[1]],
        output: DotOutput::Requantize(Requantize { shift: 1, low: -128, high: 127 }),
    };
    Network::new(Description {
        name: "case".to_owned(),
        digits: Digits::Csd,
        scale_bits: 16,
        input: Input {
            tensor: tensor(width[0], channels[0], 8, Sign::Unsigned),
            tables: vec![[0; 256]; channels[0]],
        },
        layers: vec![Layer {
            name: "dot".to_owned(),
            inputs: vec![TensorId::INPUT],
            operator: Operator::Dot(dot),
            output: tensor(width[1], channels[1], 8, Sign::Signed),
        }],
        provenance: Provenance::default(),
    })
    .unwrap()
}

pub(crate) fn pointwise(width: usize, channels: [usize; 2], weights: Weights) -> Network {
    let window = Window::square(1, 1);
    let geometry = Geometry::Convolution { window, pads: Pads::default() };
    layer(geometry, [width, width], channels, weights)
}

/// `dbq` weights whose trits are all +1.
fn ones(branches: u32, count: usize) -> Weights {
    let code = u8::try_from(3_u32.pow(branches) - 1).unwrap();
    Weights::Dbq { branches, codes: vec![code; count] }
}

/// Runs with codes 1, 2, 3, … and compares cycles, steps, stalls and empty with both models.
fn run(network: &Network, arch: &Architecture, codes: &[i64], counts: [u64; 4]) -> LayerRun {
    let run = stepped::run_layer(network, 0, arch, 1, codes).unwrap();
    let work = Work::of(network, 0, 1).unwrap();
    assert_eq!(run.counts, fast::dot_layer(&work, arch).unwrap());
    let c = run.counts;
    assert_eq!([c.cycles.0, c.steps, c.stall_scaler.0, c.empty.0], counts);
    run
}

/// The edges at which something happens.
fn edges(job: &Job<'_>, happens: impl Fn(&State, &State) -> bool) -> Vec<u64> {
    let mut state = job.reset();
    let mut edges = Vec::new();
    while !job.is_done(&state) {
        let before = state.clone();
        job.step(&mut state);
        if happens(&before, &state) {
            edges.push(before.edge);
        }
    }
    edges
}

fn moves(before: &State, after: &State) -> bool {
    before.counts.moves < after.counts.moves
}

fn takes(before: &State, after: &State) -> bool {
    before.counts.scaler_cycles < after.counts.scaler_cycles
}

fn issues(before: &State, after: &State) -> bool {
    before.counts.steps < after.counts.steps
}

fn freezes(before: &State, after: &State) -> bool {
    before.counts.stall_scaler < after.counts.stall_scaler
}

#[test]
fn one_step() {
    let network = pointwise(1, [4, 1], ones(1, 4));
    let arch = arch(|_| ());
    let run = run(&network, &arch, &[1, 2, 3, 4], [9, 1, 0, 8]);
    assert_eq!((run.outputs, run.written_at), (vec![10], vec![8]));
    // The step is in each register after the edge of the diagram.
    let job = Job::new(&network, 0, &arch, 1, &[1, 2, 3, 4]).unwrap();
    let mut state = job.reset();
    let mut seen = Vec::new();
    while !job.is_done(&state) {
        job.step(&mut state);
        seen.push([
            state.feeder.is_some(),
            state.fetched.step.is_some(),
            state.bus.step.is_some(),
            state.tree[0].step.is_some(),
            state.tree[1].step.is_some(),
            state.accumulators.complete.is_some(),
            state.shadow.round.is_some(),
            state.scaler[0].take.is_some(),
        ]);
    }
    for (edge, registers) in seen.iter().enumerate() {
        let one = std::array::from_fn(|register| register == edge);
        assert_eq!(*registers, one, "after edge {edge}");
    }
}

#[test]
fn tiles_without_bubble() {
    let network = pointwise(3, [8, 2], ones(1, 16));
    let arch = arch(|p| (p.rows, p.tree_levels_per_stage, p.scaler_stages) = (2, 2, 2));
    let codes: Vec<i64> = (0..24).map(|i| i / 8).collect();
    let run = run(&network, &arch, &codes, [16, 8, 0, 8]);
    assert_eq!(run.outputs, [0, 0, 8, 8, 16, 16]);
    assert_eq!(run.written_at, [9, 13, 10, 14, 11, 15]);
    let job = Job::new(&network, 0, &arch, 1, &codes).unwrap();
    assert_eq!(edges(&job, moves), [6, 8, 10, 12]);
    assert_eq!(edges(&job, takes), [7, 8, 9, 11, 12, 13]);
    assert_eq!(edges(&job, issues), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn scaler_bound() {
    let network = pointwise(4, [4, 2], ones(3, 8));
    let arch = arch(|p| {
        (p.rows, p.columns, p.branches, p.scaler_stages) = (2, 2, 2, 4);
    });
    let codes: Vec<i64> = (0..16).map(|i| i / 4).collect();
    let run = run(&network, &arch, &codes, [23, 4, 7, 12]);
    // Three branches of four codes i each: 12·i.
    assert_eq!(run.outputs, [0, 0, 12, 12, 24, 24, 36, 36]);
    assert_eq!(run.written_at, [15, 15, 16, 16, 21, 21, 22, 22]);
    let job = Job::new(&network, 0, &arch, 1, &codes).unwrap();
    assert_eq!(edges(&job, moves), [6, 10, 12, 16]);
    assert_eq!(edges(&job, takes), (7..=18).collect::<Vec<_>>());
    assert_eq!(edges(&job, freezes), [7, 8, 9, 11, 13, 14, 15]);
    assert_eq!(edges(&job, issues), [0, 1, 2, 3]);
}

#[test]
fn fixed_serial_gated() {
    let weights = Weights::Fixed { bits: 8, values: vec![3, -1, 0, 2, 0, 1] };
    let network = pointwise(1, [6, 1], weights);
    let arch = arch(|p| {
        (p.branches, p.tree_levels_per_stage, p.scaler_stages, p.multipliers) = (2, 2, 2, 2);
        (p.zero_trits, p.activation_bits_per_step) = (ZeroTrits::Gate, 4);
    });
    let codes = [17, 200, 5, 9, 100, 255];
    let run = run(&network, &arch, &codes, [17, 8, 0, 9]);
    assert_eq!((run.outputs, run.written_at), (vec![124], vec![16]));
    assert_eq!(run.counts.operand_loads, 10);
    let job = Job::new(&network, 0, &arch, 1, &codes).unwrap();
    assert_eq!(edges(&job, moves), [13]);
    assert_eq!(edges(&job, takes), [14]);
    let operand = |_: &State, after: &State| after.operand.step.is_some();
    assert_eq!(edges(&job, operand), (3..=10).collect::<Vec<_>>());
    // After pass 0, four steps accumulated at edges 5 to 8, plane 2 alone: 17.
    let mut state = job.reset();
    while state.edge <= 8 {
        job.step(&mut state);
    }
    assert_eq!(state.accumulators.values[0], 17);
}

/// Mode; cycles, steps, stalls, empty; edges of the moves; edge of each output, NHWC.
type Mode<'a> = (DepthwiseMode, [u64; 4], &'a [u64], &'a [u64]);

#[test]
fn depthwise_three_ways() {
    let window = Window { kernel_height: 1, kernel_width: 3, stride_height: 1, stride_width: 1 };
    let geometry = Geometry::Depthwise { window, pads: Pads::default() };
    let network = layer(geometry, [4, 2], [3, 3], ones(1, 9));
    // Channel c of pixel x holds x + 10·c, so outputs are 3 + 30·c and 6 + 30·c.
    let codes: Vec<i64> = (0..12).map(|i| i / 3 + 10 * (i % 3)).collect();
    let outputs = [3, 33, 63, 6, 36, 66];
    let modes: [Mode<'_>; 3] = [
        (DepthwiseMode::Column, [13, 3, 2, 8], &[5, 7, 9], &[7, 9, 11, 8, 10, 12]),
        (DepthwiseMode::Segments(2), [13, 2, 3, 8], &[5, 9], &[7, 8, 11, 9, 10, 12]),
        (DepthwiseMode::Diagonal, [14, 6, 0, 8], &[7, 10], &[9, 9, 12, 10, 10, 13]),
    ];
    for (mode, counts, moved, written) in modes {
        let arch = arch(|p| {
            (p.rows, p.columns, p.lanes, p.tree_levels_per_stage) = (2, 2, 8, 3);
            p.depthwise = mode;
        });
        let run = run(&network, &arch, &codes, counts);
        assert_eq!(run.outputs, outputs, "{mode:?}");
        assert_eq!(run.written_at, written, "{mode:?}");
        let job = Job::new(&network, 0, &arch, 1, &codes).unwrap();
        assert_eq!(edges(&job, moves), moved, "{mode:?}");
    }
}
