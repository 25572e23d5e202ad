//! Planted toggle faults: clock edges that toggle one thing wrong, or count it wrong. All must be found.

use tridot_sim::arch::{Architecture, ClockGating};
use tridot_sim::fast::{self, Sampling};
use tridot_sim::stepped::{Job, Nets, State, ToggleCounting};

use crate::generator::{Case, case};
use crate::planted::frozen;

/// A clock edge with a fault.
type Edge = fn(&Architecture, &Job<'_>, &mut State);

fn nets(state: &mut State) -> &mut Nets {
    state.nets.as_mut().unwrap()
}

/// Bits in which words differ.
fn bits<T: Copy + Into<i64>>(before: &[T], after: &[T], width: u32) -> u64 {
    let bits = |(&a, &b): (&T, &T)| {
        let differ = (a.into() ^ b.into()).cast_unsigned() << (64 - width);
        u64::from(differ.count_ones())
    };
    before.iter().zip(after).map(bits).sum()
}

/// A frozen bus shows the next chunk and falls back.
fn toggles_while_frozen(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    if frozen(job, state) {
        let there = bits(&state.bus.codes, &state.fetched.codes, arch.activation_bits_per_step);
        nets(state).toggles.activation_bus += 2 * there;
    }
    job.step(state);
}

/// The sign bit of the leaves is not counted.
fn leaves_without_sign(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    let before = nets(state).leaves.clone();
    job.step(state);
    let nets = nets(state);
    let width = arch.activation_bits_per_step;
    let signs = bits(&before, &nets.leaves, width + 1) - bits(&before, &nets.leaves, width);
    nets.toggles.leaves -= signs;
}

/// Accumulators are counted one bit too wide.
fn wide_accumulators(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    let before = state.accumulators.values.clone();
    job.step(state);
    let [right, wide] =
        [0, 1].map(|more| bits(&before, &state.accumulators.values, arch.accumulator_bits + more));
    nets(state).toggles.accumulators += wide - right;
}

/// The activation bus comes out of reset with all bits set.
fn bus_without_reset(_: &Architecture, job: &Job<'_>, state: &mut State) {
    if state.edge == 0 {
        state.bus.codes.fill(-1);
    }
    job.step(state);
}

/// Without clock gating, idle rows keep their codes instead of loading 0.
fn idle_rows_keep_their_codes(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    if let Some(step) = state.fetched.step.filter(|_| arch.clock_gating == ClockGating::None) {
        let idle = job.mapping().active_rows(step.row_tile) * arch.lanes;
        state.fetched.codes[idle..].copy_from_slice(&state.bus.codes[idle..]);
    }
    job.step(state);
}

/// With clock gating, idle columns fall to 0 instead of holding their trits.
fn gated_columns_fall_to_zero(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    job.step(state);
    if let Some(step) = state.bus.step.filter(|_| arch.clock_gating == ClockGating::Idle) {
        let columns = job.mapping().active_columns(step.column_tile);
        state.bus.trits[columns * arch.branches * arch.lanes..].fill(0);
    }
}

/// An operand register loads a code though its trit is zero, uncounted.
fn operands_load_for_zero_trits(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    let trees = arch.columns * arch.branches;
    if state.bus.step.is_some() && !frozen(job, state) {
        let codes = state.bus.codes.clone();
        for (i, operands) in nets(state).operands.chunks_mut(arch.lanes).enumerate() {
            operands.copy_from_slice(&codes[i / trees * arch.lanes..][..arch.lanes]);
        }
    }
    job.step(state);
}

/// The bus is cleared where no step comes.
fn bus_cleared_by_bubbles(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    job.step(state);
    if state.bus.step.is_none() {
        let before = state.bus.codes.clone();
        state.bus.codes.fill(0);
        let toggles = bits(&before, &state.bus.codes, arch.activation_bits_per_step);
        nets(state).toggles.activation_bus += toggles;
    }
}

/// Nothing past a segmented layer's tap is counted.
fn nothing_past_the_tap(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    job.step(state);
    let tap = (arch.lanes / job.mapping().segments).ilog2() as usize;
    nets(state).toggles.tree[tap..].fill(0);
}

/// A multiplier sees 0 where no value is taken.
fn operands_fall_to_zero_between_takes(arch: &Architecture, job: &Job<'_>, state: &mut State) {
    job.step(state);
    if state.scaler[0].take.is_none() {
        let nets = nets(state);
        let before = nets.scaler_operands.clone();
        nets.scaler_operands.fill(0);
        nets.toggles.scaler_operand += bits(&before, &nets.scaler_operands, arch.accumulator_bits);
    }
}

/// Trit −1 is 10 on the wires.
fn other_trit_encoding(_: &Architecture, job: &Job<'_>, state: &mut State) {
    let before = state.bus.trits.clone();
    job.step(state);
    let code = |trits: &[i16]| -> Vec<i16> {
        trits.iter().map(|&trit| if trit < 0 { 2 } else { trit }).collect()
    };
    let wrong = bits(&code(&before), &code(&state.bus.trits), 2);
    let right = bits(&before, &state.bus.trits, 2);
    let weight_bus = &mut nets(state).toggles.weight_bus;
    *weight_bus = *weight_bus + wrong - right;
}

/// The first tree register loads in engines and branches that are gated.
fn gated_trees_load(_: &Architecture, job: &Job<'_>, state: &mut State) {
    let nets = nets(state);
    if let Some(register) = nets.registers.first_mut() {
        let level = (nets.leaves.len() / register.len()).ilog2() as usize;
        register.clone_from(&nets.levels[level - 1]);
    }
    job.step(state);
}

/// Whether toggles differ from those of the fast model.
fn is_found(case: &Case, edge: Edge) -> bool {
    let codes = case.codes();
    let job = Job::new(&case.network, 0, &case.arch, case.images, &codes).unwrap();
    let job = job.counting(ToggleCounting::On);
    let right =
        fast::layer_toggles(&case.network, 0, &case.arch, case.images, &codes, Sampling::All);
    let mut state = job.reset();
    while !job.is_done(&state) {
        edge(&case.arch, &job, &mut state);
    }
    state.nets.unwrap().toggles != right.unwrap().counted
}

#[test]
fn planted_toggle_faults_are_found_and_the_model_itself_is_not() {
    let faults: [(&str, Edge); 12] = [
        ("toggles while frozen", toggles_while_frozen),
        ("leaves without sign", leaves_without_sign),
        ("wide accumulators", wide_accumulators),
        ("bus without reset", bus_without_reset),
        ("idle rows keep their codes", idle_rows_keep_their_codes),
        ("gated columns fall to zero", gated_columns_fall_to_zero),
        ("operands load for zero trits", operands_load_for_zero_trits),
        ("bus cleared by bubbles", bus_cleared_by_bubbles),
        ("nothing past the tap", nothing_past_the_tap),
        ("operands fall to zero between takes", operands_fall_to_zero_between_takes),
        ("other trit encoding", other_trit_encoding),
        ("gated trees load", gated_trees_load),
    ];
    let cases: Vec<Case> = (0..120).map(case).collect();
    let none: Edge = |_, job, state| job.step(state);
    assert!(!cases.iter().any(|case| is_found(case, none)));
    for (name, edge) in faults {
        let found = cases.iter().filter(|case| is_found(case, edge)).count();
        println!("{name}: found in {found} of {} cases", cases.len());
        assert!(3 <= found, "{name}");
    }
}
