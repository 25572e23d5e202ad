//! Planted timing bugs: copies of the stepped model whose edge does one thing wrong. All must be found.

use tridot_sim::fast;
use tridot_sim::stepped::{Job, State};

use crate::generator::{Case, case};
use crate::properties::expected;

/// A clock edge with a bug.
type Edge = fn(&Job<'_>, &mut State);

/// Everything that the enable freezes, as it was before.
fn hold_array(state: &mut State, before: State) {
    state.feeder = before.feeder;
    state.fetched = before.fetched;
    state.bus = before.bus;
    state.operand = before.operand;
    state.tree = before.tree;
    state.accumulators = before.accumulators;
    state.shadow = before.shadow;
    state.scaler = before.scaler;
    state.counts = before.counts;
    state.counts.cycles.0 += 1;
    state.counts.empty.0 += 1;
}

/// Outputs that the bank has still to give after the next edge, if each takes one cycle or more.
fn takes_left(job: &Job<'_>, state: &State) -> usize {
    let mut state = state.clone();
    let mut left = 0;
    let round = state.shadow.round;
    // Nothing new moves in, so the bank runs dry.
    state.accumulators.complete = None;
    state.tree.iter_mut().for_each(|sums| sums.step = None);
    (state.bus.step, state.operand.step, state.fetched.step) = (None, None, None);
    state.feeder = None;
    while round.is_some() && state.shadow.round == round {
        job.step(&mut state);
        left += 1;
    }
    left
}

/// The accumulators add one edge late, once.
fn late_accumulate(job: &Job<'_>, state: &mut State) {
    let before = state.clone();
    job.step(state);
    if before.edge == 5 {
        hold_array(state, before);
    }
}

/// A complete round overwrites the bank instead of waiting.
fn dropped_stall(job: &Job<'_>, state: &mut State) {
    if state.accumulators.complete.is_some() {
        state.shadow.round = None;
    }
    job.step(state);
}

/// The bank counts as free at the edge before its last value is taken.
fn bank_freed_one_edge_early(job: &Job<'_>, state: &mut State) {
    if state.accumulators.complete.is_some() && takes_left(job, state) == 2 {
        state.shadow.values.clone_from(&state.accumulators.values);
    }
    job.step(state);
}

/// The layer ends when the bank is empty, though stages of the scaler are not.
fn missing_drain(job: &Job<'_>, state: &mut State) {
    job.step(state);
    let idle = state.feeder.is_none()
        && state.fetched.step.is_none()
        && state.bus.step.is_none()
        && state.operand.step.is_none()
        && state.tree.iter().all(|sums| sums.step.is_none())
        && state.accumulators.complete.is_none()
        && state.shadow.round.is_none();
    if idle {
        state.written = state.outputs.len();
    }
}

/// The planes of the passes are fetched in the opposite order.
fn wrong_pass_order(job: &Job<'_>, state: &mut State) {
    let mut wrong = state.clone();
    if let Some(step) = &mut wrong.feeder {
        step.pass = job.mapping().passes - 1 - step.pass;
    }
    job.step(&mut wrong);
    job.step(state);
    state.fetched.trits = wrong.fetched.trits;
}

/// Whether the next edge freezes the array.
pub(crate) fn frozen(job: &Job<'_>, state: &State) -> bool {
    let mut after = state.clone();
    job.step(&mut after);
    state.counts.stall_scaler < after.counts.stall_scaler
}

/// The first step of a tile adds to what the accumulators hold.
fn stale_accumulators(job: &Job<'_>, state: &mut State) {
    let accumulators = state.accumulators.values.clone();
    let loads = state.tree.last().and_then(|sums| sums.step).is_some_and(|step| {
        step.pass == 0 && step.chunk == 0 && step.slice == 0 && !frozen(job, state)
    });
    job.step(state);
    if loads {
        for (now, before) in state.accumulators.values.iter_mut().zip(accumulators) {
            *now += before;
        }
    }
}

/// The bias starts y in every pass.
fn bias_in_every_pass(job: &Job<'_>, state: &mut State) {
    job.step(state);
    if let Some(take) = &mut state.scaler[0].take {
        take.starts = take.first_value == 0;
    }
}

/// The feeder skips a step, once.
fn skipped_step(job: &Job<'_>, state: &mut State) {
    job.step(state);
    if state.edge == 3
        && let Some(next) = state.feeder.and_then(|step| job.mapping().next(step))
    {
        state.feeder = Some(next);
    }
}

/// The scaler stands still for one edge with values in it.
fn late_scaler(job: &Job<'_>, state: &mut State) {
    let before = state.clone();
    job.step(state);
    if before.edge == 10
        && before.shadow.round.is_some()
        && before.counts.moves == state.counts.moves
    {
        (state.scaler, state.shadow) = (before.scaler, before.shadow);
        state.counts.scaler_cycles = before.counts.scaler_cycles;
        state.counts.scaler_operations = before.counts.scaler_operations;
    }
}

/// The bus shows a chunk one step too long while the trits move on.
fn codes_lag_behind_trits(job: &Job<'_>, state: &mut State) {
    let codes = state.bus.codes.clone();
    job.step(state);
    if state.bus.step.is_some_and(|step| step.chunk != 0) {
        state.bus.codes = codes;
    }
}

/// A freeze is not counted.
fn uncounted_stall(job: &Job<'_>, state: &mut State) {
    job.step(state);
    state.counts.stall_scaler.0 = 0;
}

/// Memories advance while the rest is frozen.
fn freeze_misses_the_memories(job: &Job<'_>, state: &mut State) {
    let fetched = state.bus.clone();
    let freezes = frozen(job, state);
    job.step(state);
    if freezes {
        state.fetched = fetched;
    }
}

/// Whether a run with the bug hangs, or differs in outputs or counts from what is right.
fn is_found(case: &Case, edge: Edge) -> bool {
    let codes = case.codes();
    let job = Job::new(&case.network, 0, &case.arch, case.images, &codes).unwrap();
    let counts = fast::dot_layer(&case.work(), &case.arch).unwrap();
    let mut state = job.reset();
    while !job.is_done(&state) {
        if 2 * counts.cycles.0 + 100 < state.edge {
            return true;
        }
        edge(&job, &mut state);
    }
    state.counts != counts || state.outputs != expected(case)
}

#[test]
fn planted_timing_bugs_are_found_and_the_model_itself_is_not() {
    let bugs: [(&str, Edge); 12] = [
        ("late accumulate", late_accumulate),
        ("dropped stall", dropped_stall),
        ("bank freed one edge early", bank_freed_one_edge_early),
        ("missing drain", missing_drain),
        ("wrong pass order", wrong_pass_order),
        ("stale accumulators", stale_accumulators),
        ("bias in every pass", bias_in_every_pass),
        ("skipped step", skipped_step),
        ("late scaler", late_scaler),
        ("codes lag behind trits", codes_lag_behind_trits),
        ("uncounted stall", uncounted_stall),
        ("freeze misses the memories", freeze_misses_the_memories),
    ];
    let cases: Vec<Case> = (0..60).map(case).collect();
    let none: Edge = |job, state| job.step(state);
    assert!(!cases.iter().any(|case| is_found(case, none)));
    for (name, edge) in bugs {
        let found = cases.iter().filter(|case| is_found(case, edge)).count();
        println!("{name}: found in {found} of {} cases", cases.len());
        assert!(3 <= found, "{name}");
    }
}
