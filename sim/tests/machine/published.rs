//! Step counts of a whole published topology, from its shapes alone.

use tridot_sim::arch::{Architecture, DepthwiseMode};
use tridot_sim::counts::Counts;
use tridot_sim::fast;
use tridot_sim::mapping::Work;
use tridot_sim::network::{Geometry, Pads, Shape, Sign, Window};

/// The 13 blocks of MobileNetV1 1.0-224: side of the input, its channels, stride, output channels.
const BLOCKS: [(usize, usize, usize, usize); 13] = [
    (112, 32, 1, 64),
    (112, 64, 2, 128),
    (56, 128, 1, 128),
    (56, 128, 2, 256),
    (28, 256, 1, 256),
    (28, 256, 2, 512),
    (14, 512, 1, 512),
    (14, 512, 1, 512),
    (14, 512, 1, 512),
    (14, 512, 1, 512),
    (14, 512, 1, 512),
    (14, 512, 2, 1024),
    (7, 1024, 1, 1024),
];

fn work(geometry: Geometry, input: Shape, output: Shape, planes: u32, merged: bool) -> Work {
    Work {
        name: "block".to_owned(),
        geometry,
        input,
        output,
        images: 1,
        activation_bits: 8,
        activation_sign: Sign::Unsigned,
        planes,
        merged,
        nonzero_trits: 0,
        accumulator_bits: 32,
        scale_bits: 16,
    }
}

/// `fixed(8)` weights have 8 planes of canonical signed digits.
fn depthwise() -> impl Iterator<Item = Work> {
    BLOCKS.into_iter().map(|(side, channels, stride, _)| {
        let (input, output) =
            (Shape::new(side, side, channels), Shape::new(side / stride, side / stride, channels));
        let pads = Pads::all(1);
        work(
            Geometry::Depthwise { window: Window::square(3, stride), pads },
            input,
            output,
            8,
            true,
        )
    })
}

fn pointwise() -> impl Iterator<Item = Work> {
    BLOCKS.into_iter().map(|(side, channels, stride, filters)| {
        let side = side / stride;
        let (input, output) = (Shape::new(side, side, channels), Shape::new(side, side, filters));
        let window = Window::square(1, 1);
        let geometry = Geometry::Convolution { window, pads: Pads::default() };
        work(geometry, input, output, 2, false)
    })
}

/// 16 × 16 engines of 64 lanes and 2 branches.
fn total(works: impl Iterator<Item = Work>, mode: DepthwiseMode, multipliers: usize) -> Counts {
    let mut parameters = Architecture::preset("wide").unwrap().into_parameters();
    (parameters.rows, parameters.columns) = (16, 16);
    (parameters.depthwise, parameters.multipliers) = (mode, multipliers);
    let arch = Architecture::new(parameters).unwrap();
    let mut total = Counts::default();
    for work in works {
        total += fast::dot_layer(&work, &arch).unwrap();
    }
    total
}

/// Σ over blocks of channels · ⌈pixels/16⌉ is 124,288, at 4 passes of 2 planes: 497,152 steps of one channel each;
/// four segments run four channels a step; diagonally 16 channels take 9 steps: 497,152 · 9/16.
#[test]
fn depthwise_layers_of_mobilenetv1_take_the_steps_of_their_mode() {
    for (mode, steps) in [
        (DepthwiseMode::Column, 497_152),
        (DepthwiseMode::Segments(4), 124_288),
        (DepthwiseMode::Diagonal, 279_648),
    ] {
        assert_eq!(total(depthwise(), mode, 2).steps, steps, "{mode:?}");
    }
}

/// The same sums over the pointwise layers: Σ ⌈K/64⌉ · ⌈N/16⌉ · ⌈pixels/16⌉ = 36,992 steps. With 2 multipliers
/// a tile's 16 rows keep the scaler busy for 16 cycles, while its steps are only ⌈K/64⌉ ≤ 16. Σ max(⌈K/64⌉, rows) over
/// tiles is 171,392; to it each layer adds the last tile's drain (or fill) and its latency. The last row tile of a
/// column tile has 4 rows of 196 pixels and 1 of 49: were idle rows not skipped, it would be 173,776 cycles.
#[test]
fn pointwise_layers_of_mobilenetv1_wait_for_the_scaler() {
    let slow = total(pointwise(), DepthwiseMode::Column, 2);
    assert_eq!(slow.steps, 36_992);
    println!("{} cycles with 2 multipliers", slow.cycles);
    assert_eq!(slow.cycles.0, 171_558);
    let fast = total(pointwise(), DepthwiseMode::Column, 64);
    println!("{} cycles with 64 multipliers", fast.cycles);
    assert!(fast.cycles.0 < 38_000);
}
