use super::*;
use crate::arch::{DepthwiseMode, Parameters};
use crate::mapping::StepIndex;
use crate::network::{
    Description, Digits, DotOutput, Geometry, Input, Layer, Network, Operator, Pads, Provenance,
    Requantize, Shape, TensorId, TensorType, Window,
};

/// A 1×1 convolution of 4 channels to 1 on one pixel, `dbq` of one branch with trits (+, +, −, 0).
fn network() -> Network {
    let tensor = |channels, bits| TensorType {
        shape: Shape::new(1, 1, channels),
        bits,
        sign: Sign::Unsigned,
        scale: 1.0,
    };
    let dot = Dot {
        geometry: Geometry::Convolution { window: Window::square(1, 1), pads: Pads::default() },
        weights: Weights::Dbq { branches: 1, codes: vec![2, 2, 0, 1] },
        multipliers: vec![3],
        bias: vec![5],
        output: DotOutput::Requantize(Requantize { shift: 1, low: 0, high: 255 }),
    };
    Network::new(Description {
        name: "one".to_owned(),
        digits: Digits::Csd,
        scale_bits: 16,
        input: Input { tensor: tensor(4, 8), tables: vec![[0; 256]; 4] },
        layers: vec![Layer {
            name: "dot".to_owned(),
            inputs: vec![TensorId::INPUT],
            operator: Operator::Dot(dot),
            output: tensor(1, 8),
        }],
        provenance: Provenance::default(),
    })
    .unwrap()
}

fn tiny(change: impl FnOnce(&mut Parameters)) -> Architecture {
    let mut parameters = Architecture::preset("tiny").unwrap().into_parameters();
    change(&mut parameters);
    Architecture::new(parameters).unwrap()
}

/// Gate: a complete round is refused while the bank gives values, and accepted at the edge of the last.
#[test]
fn the_bank_takes_a_round_at_the_edge_that_empties_it_and_not_before() {
    let (network, arch) = (network(), tiny(|p| p.multipliers = 1));
    let job = Job::new(&network, 0, &arch, 1, &[1, 2, 3, 4]).unwrap();
    let round = Round { column_tile: 0, row_tile: 0, pass: 0 };
    let mut state = job.reset();
    state.edge = 9;
    state.accumulators.complete = Some(round);
    state.accumulators.values[0] = 7;
    state.shadow.round = Some(round);
    assert!(state.is_frozen());
    // The one value of the bank is taken at this edge, so the move is made at it too.
    job.step(&mut state);
    assert_eq!((state.counts.stall_scaler.0, state.counts.moves), (0, 1));
    assert_eq!((state.accumulators.complete, state.shadow.round), (None, Some(round)));
    assert_eq!((state.shadow.values[0], state.shadow.taken), (7, 0));
    assert!(state.scaler[0].take.is_some());
}

#[test]
fn a_frozen_array_keeps_every_register_and_the_scaler_goes_on() {
    // Two rows of pixels would need two takes; here the bank is told it has two outputs by its rows.
    let (network, arch) = (network(), tiny(|p| p.rows = 2));
    let job = Job::new(&network, 0, &arch, 2, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let mut state = job.reset();
    for _ in 0..3 {
        job.step(&mut state);
    }
    let round = Round { column_tile: 0, row_tile: 0, pass: 0 };
    state.accumulators.complete = Some(round);
    state.shadow.round = Some(round);
    let before = state.clone();
    job.step(&mut state);
    assert_eq!(state.counts.stall_scaler.0, 1);
    assert_eq!((&state.bus, &state.tree), (&before.bus, &before.tree));
    assert_eq!((&state.fetched, state.feeder), (&before.fetched, before.feeder));
    assert_eq!(state.accumulators, before.accumulators);
    assert_eq!((state.shadow.taken, state.scaler[0].take.is_some()), (1, true));
    job.step(&mut state);
    assert_eq!((state.counts.stall_scaler.0, state.counts.moves), (1, 1));
}

#[test]
fn one_output_by_hand_and_the_same_state_twice() {
    let (network, arch) = (network(), tiny(|_| ()));
    let job = Job::new(&network, 0, &arch, 1, &[10, 20, 7, 9]).unwrap();
    let (mut one, mut two) = (job.reset(), job.reset());
    while !job.is_done(&one) {
        job.step(&mut one);
        job.step(&mut two);
        assert_eq!(one, two);
    }
    // (3·(10 + 20 − 7) + 5 + 1) >> 1 = 37.
    assert_eq!(one.outputs, [37]);
}

#[test]
fn wrong_inputs_are_refused_by_layer() {
    let (network, arch) = (network(), tiny(|_| ()));
    let refusal = |codes: &[i64], images| {
        Job::new(&network, 0, &arch, images, codes).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&[0; 3], 1),
        "layer `dot`: the number of input codes must be 4 for each of at least 1 image, got 3"
    );
    assert_eq!(
        refusal(&[], 0),
        "layer `dot`: the number of input codes must be 4 for each of at least 1 image, got 0"
    );
    assert_eq!(
        refusal(&[0, 0, 256, 0], 1),
        "layer `dot`: an input code must be between 0 and 255, got 256"
    );
}

#[test]
fn the_vector_unit_by_hand() {
    // 10 elements on 4 lanes are 3 groups; the last is issued at edge 2 and written 5 edges later.
    let arch = tiny(|p| (p.vector_lanes, p.vector_latency_cycles) = (4, 5));
    let counts = run_vector(
        &VectorWork { elements: 10, multiplies: 20, adds: 10, reads: 20, writes: 10 },
        &arch,
    );
    assert_eq!((counts.cycles.0, counts.vector_elements, counts.vector_reads), (8, 10, 20));
    // Without clock gating the array has its clock meanwhile, at each of the 8 edges.
    let all = arch.flip_flops();
    assert_eq!(arch.clock_gating, ClockGating::None);
    assert_eq!(counts.flip_flop_cycles.total(), 8 * (all.total() - all.operand));
    let idle = tiny(|p| p.clock_gating = ClockGating::Idle);
    let work = VectorWork { elements: 10, multiplies: 20, adds: 10, reads: 20, writes: 10 };
    assert_eq!(run_vector(&work, &idle).flip_flop_cycles.total(), 0);
}

#[test]
fn sums_wrap_at_the_accumulators_width() {
    assert_eq!(engine::wrap(127, 8), 127);
    assert_eq!(engine::wrap(128, 8), -128);
    assert_eq!(engine::wrap(-129, 8), 127);
}

#[test]
fn segments_have_accumulators_of_their_own() {
    let arch = tiny(|p| p.depthwise = DepthwiseMode::Segments(4));
    assert_eq!(arch.segments(), 4);
    assert_eq!(arch.flip_flops().accumulator, 4 * 32);
}

#[test]
fn toggled_bits_are_those_of_the_width() {
    assert_eq!(exact::toggled(0, -2, 9), 8);
    assert_eq!(exact::toggled(-2, 4, 9), 7);
    assert_eq!(exact::toggled(-1, 4, 10), 9);
    // 66 bits of a product: 64 and two copies of the sign.
    assert_eq!(exact::toggled(0, -1, 66), 66);
    assert_eq!(exact::toggled(3, 3, 66), 0);
}

/// A job that counts toggles, after edges enough that the bus holds its one step: codes 10, 20, 7, 9 on trits +, +, −, 0.
fn with_step_on_the_bus(
    network: &Network,
    arch: &Architecture,
    check: impl FnOnce(&Job<'_>, State),
) {
    let job = Job::new(network, 0, arch, 1, &[10, 20, 7, 9]).unwrap();
    let job = job.counting(ToggleCounting::On);
    let mut state = job.reset();
    for _ in 0..3 {
        job.step(&mut state);
    }
    assert_eq!((state.bus.step, state.bus.codes[0]), (Some(StepIndex::default()), 10));
    check(&job, state);
}

/// Gate: an operand register whose trit is zero keeps its code, and its leaf blanks to 0.
#[test]
fn an_operand_register_with_a_zero_trit_holds() {
    let (network, arch) = (network(), tiny(|p| p.zero_trits = ZeroTrits::Gate));
    with_step_on_the_bus(&network, &arch, |job, mut state| {
        let nets = state.nets.as_mut().unwrap();
        nets.operands[..5].copy_from_slice(&[0, 0, 0, 77, 78]);
        let before = nets.toggles;
        job.step(&mut state);
        let nets = state.nets.unwrap();
        assert_eq!(nets.operands[..5], [10, 20, 7, 77, 78]);
        assert_eq!(nets.leaves[..5], [10, 20, -7, 0, 0]);
        // 10, 20 and 7 have 2, 2 and 3 bits set; the trits are seen a second time.
        assert_eq!(nets.toggles.operand - before.operand, 7);
        assert_eq!(nets.toggles.weight_bus, 2 * (1 + 1 + 2));
        // 9 bits: 10, 20 and 1 1111 1001.
        assert_eq!(nets.toggles.leaves, 2 + 2 + 7);
    });
}

/// Levels before the first register settle with the bus, later ones one edge after their register's load.
#[test]
fn levels_settle_behind_their_registers() {
    // 16 lanes: registers after levels 2 and 4.
    let (network, arch) = (network(), tiny(|p| p.tree_levels_per_stage = 2));
    with_step_on_the_bus(&network, &arch, |job, mut state| {
        let nets = state.nets.as_ref().unwrap();
        assert_eq!(nets.levels[0][..2], [30, -7]);
        assert_eq!((nets.levels[1][0], nets.registers[0][0], nets.levels[2][0]), (23, 0, 0));
        job.step(&mut state);
        let nets = state.nets.as_ref().unwrap();
        assert_eq!((nets.registers[0][0], nets.levels[2][0], nets.levels[3][0]), (23, 23, 23));
        assert_eq!((nets.registers[1][0], state.accumulators.values[0]), (0, 0));
        let settled = nets.toggles.tree;
        for value in [0, 23] {
            job.step(&mut state);
            assert_eq!(state.accumulators.values[0], value);
        }
        // 30 has 4 bits set, −7 of 10 bits has 8, 23 four.
        assert_eq!(settled[..5], [12, 4, 4, 4, 0]);
        assert_eq!(state.nets.unwrap().toggles.tree, settled);
    });
}

/// A second column without a channel loads trit 0 if it is clocked, and keeps its trits if not.
#[test]
fn an_idle_column_loads_zero_or_holds() {
    for (clock_gating, trit, leaf) in [(ClockGating::None, 0, 0), (ClockGating::Idle, -1, -10)] {
        let arch = tiny(|p| (p.columns, p.clock_gating) = (2, clock_gating));
        let network = network();
        let job = Job::new(&network, 0, &arch, 1, &[10, 20, 7, 9]).unwrap();
        let job = job.counting(ToggleCounting::On);
        let mut state = job.reset();
        let idle = arch.lanes;
        state.bus.trits[idle] = -1;
        for _ in 0..3 {
            job.step(&mut state);
        }
        assert_eq!(state.bus.trits[idle], trit);
        assert_eq!(state.nets.as_ref().unwrap().leaves[idle], leaf);
        while !job.is_done(&state) {
            job.step(&mut state);
        }
        // The engine of the idle column accumulates nothing either way.
        assert_eq!((state.accumulators.values[1], state.outputs[0]), (0, 37));
    }
}
