use super::*;
use crate::network::Sign;

fn work(geometry: Geometry, input: Shape, output: Shape, planes: u32) -> Work {
    Work {
        name: "layer".to_owned(),
        geometry,
        input,
        output,
        images: 1,
        activation_bits: 8,
        activation_sign: Sign::Unsigned,
        planes,
        merged: false,
        nonzero_trits: 0,
        accumulator_bits: 20,
        scale_bits: 16,
    }
}

fn arch(name: &str, change: impl FnOnce(&mut crate::arch::Parameters)) -> Architecture {
    let mut parameters = Architecture::preset(name).unwrap().into_parameters();
    change(&mut parameters);
    Architecture::new(parameters).unwrap()
}

fn convolution(kernel: usize) -> Geometry {
    Geometry::Convolution { window: Window::square(kernel, 1), pads: Pads::default() }
}

/// 2 × 2 taps of 6 channels on 16 lanes: flat cuts at lane 16 of 24, tap by tap there are four chunks.
#[test]
fn chunks_cross_taps_only_when_flat() {
    let work = work(convolution(2), Shape::new(4, 4, 6), Shape::new(3, 3, 5), 2);
    let lanes = |runs: &Vec<Run>| runs.iter().map(|run| (run.lane, run.len, run.k)).collect();
    let flat = Mapping::new(&work, &arch("edge", |_| ())).unwrap();
    let cut: Vec<Vec<_>> = flat.chunks.iter().map(lanes).collect();
    assert_eq!(cut, [vec![(0, 6, 0), (6, 6, 6), (12, 4, 12)], vec![(0, 2, 16), (2, 6, 18)]]);
    let by_tap = arch("edge", |p| p.chunking = Chunking::Tap);
    let by_tap = Mapping::new(&work, &by_tap).unwrap();
    let cut: Vec<Vec<_>> = by_tap.chunks.iter().map(lanes).collect();
    assert_eq!(cut, [vec![(0, 6, 0)], vec![(0, 6, 6)], vec![(0, 6, 12)], vec![(0, 6, 18)]]);
}

#[test]
fn tiles_pixels_and_channels_by_hand() {
    // 9 pixels on 4 rows, 5 channels on 4 columns, one pass of 2 planes, 2 chunks.
    let work = work(convolution(2), Shape::new(4, 4, 6), Shape::new(3, 3, 5), 2);
    let map = Mapping::new(&work, &arch("edge", |_| ())).unwrap();
    assert_eq!((map.row_tiles, map.column_tiles, map.passes, map.slices), (3, 2, 1, 1));
    assert_eq!((map.active_rows(2), map.active_columns(1), map.steps()), (1, 1, 12));
    // Pixel 4 is the middle one; its tap (1, 0) is row 2, column 1 of the picture.
    let run = map.chunks[0][2];
    assert_eq!((run.kernel_row, run.kernel_column), (1, 0));
    assert_eq!(map.element(0, 4, &run), Some((2 * 4 + 1) * 6));
}

#[test]
fn planes_run_upwards_for_dbq_and_downwards_for_fixed() {
    let mut work = work(convolution(1), Shape::new(1, 1, 4), Shape::new(1, 1, 4), 5);
    let edge = arch("edge", |_| ());
    let map = Mapping::new(&work, &edge).unwrap();
    assert_eq!([0, 1, 2].map(|pass| map.planes(pass)), [0..2, 2..4, 4..5]);
    work.merged = true;
    let map = Mapping::new(&work, &edge).unwrap();
    assert_eq!([0, 1, 2].map(|pass| map.planes(pass)), [4..5, 2..4, 0..2]);
    work.planes = 0;
    let map = Mapping::new(&work, &edge).unwrap();
    assert_eq!((map.passes, map.planes(0)), (1, 0..0));
}

#[test]
fn what_an_architecture_cannot_run_is_refused_with_layer_need_and_limit() {
    let depthwise = Geometry::Depthwise { window: Window::square(3, 1), pads: Pads::default() };
    let work = work(depthwise, Shape::new(4, 4, 6), Shape::new(2, 2, 6), 1);
    let refusal = |change: fn(&mut crate::arch::Parameters)| {
        Mapping::new(&work, &arch("segments", change)).unwrap_err().to_string()
    };
    let on = "layer `layer` on architecture `segments`";
    assert_eq!(
        refusal(|p| p.depthwise = DepthwiseMode::Segments(4)),
        format!("{on}: the kernel's taps must be at most the 8 lanes of a segment, got 9")
    );
    assert_eq!(
        refusal(|p| p.accumulator_bits = 19),
        format!("{on}: the accumulator bits needed must be at most the array's 19, got 20")
    );
    assert_eq!(
        refusal(|p| p.scale_bits = 15),
        format!("{on}: the bits of the multipliers must be at most the scaler's 15, got 16")
    );
}
