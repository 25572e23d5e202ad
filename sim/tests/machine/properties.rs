//! What must hold for every layer on every architecture.

use tridot_sim::arch::Architecture;
use tridot_sim::mapping::{CodeSource, Mapping, StepIndex, Work};
use tridot_sim::network::{Geometry, Pads, Window};
use tridot_sim::stepped::{self, LayerRun};
use tridot_sim::{fast, reference};

use crate::generator::{Case, Histogram, case};

/// Cases of one run; a longer run sets `TRIDOT_MACHINE_CASES`.
pub(crate) fn cases() -> u64 {
    std::env::var("TRIDOT_MACHINE_CASES").map_or(2_000, |n| n.parse().unwrap())
}

/// The layer's outputs for all pictures, from the plain reference.
pub(crate) fn expected(case: &Case) -> Vec<i64> {
    let one = case.network.input.tensor.shape.elements();
    case.pixels.chunks(one).flat_map(|picture| outputs(case, picture)).collect()
}

fn outputs(case: &Case, picture: &[u8]) -> Vec<i64> {
    reference::run(&case.network, picture).unwrap().pop().unwrap()
}

pub(crate) fn run(case: &Case) -> LayerRun {
    stepped::run_layer(&case.network, 0, &case.arch, case.images, &case.codes()).unwrap()
}

/// Are stepped outputs those of the reference, is every counter of the fast model that of the
/// stepped one, and do cycles split into their causes?
#[test]
fn stepped_is_the_reference_and_fast_is_stepped() {
    let mut histogram = Histogram::default();
    let mut outputs = 0;
    for number in 0..cases() {
        let case = case(number);
        let run = run(&case);
        assert_eq!(run.outputs, expected(&case), "case {number}: {case:?}");
        let counts = fast::dot_layer(&case.work(), &case.arch).unwrap();
        assert_eq!(run.counts, counts, "case {number}: {case:?}");
        assert_eq!(
            counts.cycles.0,
            counts.steps + counts.stall_scaler.0 + counts.empty.0,
            "case {number}"
        );
        assert_eq!(run.written_at.iter().max(), Some(&(counts.cycles.0 - 1)), "case {number}");
        histogram.add(&case, counts.stall_scaler.0 != 0);
        outputs += run.outputs.len();
    }
    println!("{outputs} outputs of {} cases", cases());
    histogram.assert_reach();
}

/// Does every step's every lane carry one product of the layer, and each product exactly one lane?
#[test]
fn every_product_is_scheduled_exactly_once() {
    for number in 0..cases() / 4 {
        let case = case(number);
        let work = case.work();
        let map = Mapping::new(&work, &case.arch).unwrap();
        let slices = map.slices;
        let (channels, planes) = (work.output.channels, work.planes as usize);
        let products = work.pixels() * channels * work.fan_in() * planes * slices;
        let mut seen = vec![0_u8; products];
        let mut step = Some(StepIndex::default());
        let mut steps = 0;
        while let Some(at) = step {
            for (pixel, channel, k) in products_of(&map, &case.arch, at) {
                for plane in map.planes(at.pass) {
                    let place = (pixel * channels + channel) * work.fan_in() + k;
                    seen[(place * planes + plane) * slices + at.slice] += 1;
                }
            }
            steps += 1;
            let next = map.next(at);
            assert!(next.is_none_or(|next| at < next), "case {number}: steps are in order");
            step = next;
        }
        assert!(seen.iter().all(|&times| times == 1), "case {number}: {case:?}");
        assert_eq!((steps, products as u64), (map.steps(), work.products(&case.arch)));
    }
}

/// Pixel, channel and k of every lane that works in a step; each lane's code is the one that k names.
fn products_of(map: &Mapping, arch: &Architecture, at: StepIndex) -> Vec<(usize, usize, usize)> {
    let mut products = Vec::new();
    for row in 0..arch.rows {
        for column in 0..arch.columns {
            for lane in 0..arch.lanes {
                let source = map.code_source(at, row, lane);
                let Some((channel, k)) = map.trit_source(at, column, lane) else { continue };
                if map.active_rows(at.row_tile) <= row {
                    assert_eq!(source, CodeSource::Idle);
                    continue;
                }
                let pixel = map.pixel(at.row_tile, row);
                assert_eq!(source, named_by(map.work(), pixel, channel, k));
                products.push((pixel, channel, k));
            }
        }
    }
    products
}

/// The input element of output (pixel, channel) and k, from the definition of a convolution.
fn named_by(work: &Work, pixel: usize, channel: usize, k: usize) -> CodeSource {
    let whole = Window {
        kernel_height: work.input.height,
        kernel_width: work.input.width,
        stride_height: 1,
        stride_width: 1,
    };
    let (window, pads, tap, input_channel) = match work.geometry {
        Geometry::Depthwise { window, pads } => (window, pads, k, channel),
        Geometry::Convolution { window, pads } => {
            (window, pads, k / work.input.channels, k % work.input.channels)
        }
        Geometry::Linear => {
            (whole, Pads::default(), k / work.input.channels, k % work.input.channels)
        }
    };
    let (image, rest) = (pixel / work.output.pixels(), pixel % work.output.pixels());
    let y = rest / work.output.width * window.stride_height + tap / window.kernel_width;
    let x = rest % work.output.width * window.stride_width + tap % window.kernel_width;
    let (Some(y), Some(x)) = (y.checked_sub(pads.top), x.checked_sub(pads.left)) else {
        return CodeSource::Padding;
    };
    if work.input.height <= y || work.input.width <= x {
        return CodeSource::Padding;
    }
    let pixel = (image * work.input.height + y) * work.input.width + x;
    CodeSource::Element(pixel * work.input.channels + input_channel)
}

/// The edge of every output after TIMING.md, section 5: moves by recurrence, takes in the order of
/// rows and segments, the write `scaler_stages` edges after an output's last take.
fn edges_of_outputs(case: &Case) -> Vec<u64> {
    let (work, arch) = (case.work(), &case.arch);
    let map = Mapping::new(&work, arch).unwrap();
    let stages = arch.operand_stages() + arch.tree_stages(map.segments);
    let steps_per_pass = map.chunks.len() * map.slices;
    let rounds: Vec<(usize, usize)> = if work.merged {
        vec![(steps_per_pass * map.passes, 1)]
    } else {
        (0..map.passes).map(|pass| (steps_per_pass, map.planes(pass).len())).collect()
    };
    let mut edges = vec![0; usize::try_from(work.outputs()).unwrap()];
    // The edge from which the next round's steps and the last round's takes count.
    let (mut moved, mut drain) = (3 + stages, 0);
    for column_tile in 0..map.column_tiles {
        for row_tile in 0..map.row_tiles {
            let segments = map.active_segments(column_tile);
            let outputs = map.active_rows(row_tile) * segments;
            for &(steps, values) in &rounds {
                moved += steps.max(drain);
                // The take, counted from 1, that has the last value of output i.
                let take = |i: usize| match arch.multipliers / values {
                    0 | 1 => (i + 1) * values.div_ceil(arch.multipliers),
                    at_once => i / at_once + 1,
                };
                drain = take(outputs - 1);
                for (i, column) in (0..outputs)
                    .flat_map(|i| (0..map.active_columns(column_tile)).map(move |q| (i, q)))
                {
                    let pixel = map.pixel(row_tile, i / segments);
                    let channel = map.channel(column_tile, column, i % segments);
                    let edge = (moved + take(i) + arch.scaler_stages) as u64;
                    edges[pixel * work.output.channels + channel] = edge;
                }
            }
        }
    }
    edges
}

#[test]
fn every_output_is_written_at_the_edge_of_the_formula() {
    for number in 0..cases() {
        let case = case(number);
        assert_eq!(run(&case).written_at, edges_of_outputs(&case), "case {number}: {case:?}");
    }
}

/// More multipliers, and more of what a step holds at one latency, never cost cycles.
#[test]
fn more_bandwidth_never_costs_cycles() {
    for number in 0..cases() {
        let case = case(number);
        let work = case.work();
        let cycles = |multipliers| {
            let mut parameters = case.arch.clone().into_parameters();
            parameters.multipliers = multipliers;
            let arch = Architecture::new(parameters).unwrap();
            fast::dot_layer(&work, &arch).unwrap().cycles
        };
        let all: Vec<_> = (1..=12).map(cycles).collect();
        assert!(all.is_sorted_by(|fewer, more| more <= fewer), "case {number}: {all:?}");
    }
}

/// Is each parameter of an architecture seen in cycles or counts, on some layer?
#[test]
fn every_parameter_changes_cycles_or_counts() {
    type Change = fn(&mut tridot_sim::arch::Parameters);
    use tridot_sim::arch::{Chunking, ClockGating, DepthwiseMode, ZeroTrits};
    let changes: [(&str, Change); 15] = [
        ("rows", |p| p.rows += 1),
        ("columns", |p| p.columns += 1),
        ("clock_gating", |p| {
            p.clock_gating = match p.clock_gating {
                ClockGating::None => ClockGating::Idle,
                ClockGating::Idle => ClockGating::None,
            };
        }),
        ("lanes", |p| p.lanes *= 2),
        ("branches", |p| p.branches += 1),
        ("tree_levels_per_stage", |p| p.tree_levels_per_stage += 1),
        ("activation_bits_per_step", |p| p.activation_bits_per_step = 8),
        ("accumulator_bits", |p| p.accumulator_bits += 1),
        ("zero_trits", |p| p.zero_trits = ZeroTrits::Gate),
        ("chunking", |p| p.chunking = Chunking::Tap),
        ("depthwise.mode", |p| p.depthwise = DepthwiseMode::Diagonal),
        ("segments", |p| {
            if let DepthwiseMode::Segments(segments) = p.depthwise {
                p.depthwise = DepthwiseMode::Segments((2 * segments).min(p.lanes));
            }
        }),
        ("multipliers", |p| p.multipliers += 1),
        ("scaler_stages", |p| p.scaler_stages += 1),
        ("scale_bits", |p| p.scale_bits = 17),
    ];
    for (name, change) in changes {
        let changed = (0..400).filter(|&number| {
            let case = case(number);
            let mut parameters = case.arch.clone().into_parameters();
            change(&mut parameters);
            let Ok(arch) = Architecture::new(parameters) else { return false };
            let before = fast::dot_layer(&case.work(), &case.arch).unwrap();
            fast::dot_layer(&case.work(), &arch).is_ok_and(|after| after != before)
        });
        let changed = changed.count();
        assert!(10 <= changed, "{name} changed {changed} of 400 cases");
    }
}
