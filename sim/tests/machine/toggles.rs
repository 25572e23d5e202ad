//! Toggles: the worked case by hand, on against off, fast against stepped, and planted faults.

use tridot_sim::arch::{Architecture, Parameters, ZeroTrits};
use tridot_sim::counts::{ToggleCounts, Toggles};
use tridot_sim::fast::{self, Sampling};
use tridot_sim::network::Weights;
use tridot_sim::stepped::{Job, LayerRun, ToggleCounting};

use crate::cases::{arch, pointwise};
use crate::generator::{Case, case};
use crate::properties::{cases, run};

/// A run with toggles counted.
pub(crate) fn counted(case: &Case) -> LayerRun {
    let job = Job::new(&case.network, 0, &case.arch, case.images, &case.codes()).unwrap();
    job.counting(ToggleCounting::On).run()
}

/// TIMING.md, section 9: trits (+, −, 0, +) and codes (1, 2, 3, 4) on two lanes.
fn by_hand(change: impl FnOnce(&mut Parameters)) -> ToggleCounts {
    // A code of one branch is its trit + 1.
    let network = pointwise(1, [4, 1], Weights::Dbq { branches: 1, codes: vec![2, 0, 1, 2] });
    let arch = arch(|p| {
        p.lanes = 2;
        change(p);
    });
    let job = Job::new(&network, 0, &arch, 1, &[1, 2, 3, 4]).unwrap();
    job.counting(ToggleCounting::On).run().toggles.unwrap()
}

/// The table of the worked case, and its last line for `gate`.
#[test]
fn toggles_by_hand() {
    let mut expected = Toggles {
        activation_bus: 5,
        weight_bus: 5,
        operand: 0,
        leaves: 17,
        accumulators: 62,
        scaler_operand: 2,
        scaler_scale: 1,
        scaler_partial_products: 2,
        scaler_product: 2,
        scaler_y: 2,
        ..Toggles::default()
    };
    expected.tree[0] = 19;
    let counts = by_hand(|_| ());
    assert_eq!(counts, ToggleCounts { counted: expected, tiles_counted: 1, tiles: 1 });
    // A second multiplier has no value to take: 0 reaches it.
    assert_eq!(by_hand(|p| p.multipliers = 2), counts);
    (expected.weight_bus, expected.operand) = (10, 4);
    assert_eq!(by_hand(|p| p.zero_trits = ZeroTrits::Gate).counted, expected);
}

/// Whole trees in place of exact sums change neither outputs nor time nor any other count.
#[test]
fn counting_toggles_changes_nothing_else() {
    for number in 0..cases() {
        let case = case(number);
        let counted = counted(&case);
        assert!(counted.toggles.is_some());
        assert_eq!(LayerRun { toggles: None, ..counted }, run(&case), "case {number}: {case:?}");
    }
}

fn fast_toggles(case: &Case, sampling: Sampling) -> ToggleCounts {
    fast::layer_toggles(&case.network, 0, &case.arch, case.images, &case.codes(), sampling).unwrap()
}

/// Is every toggle of the fast model that of the stepped one, to the bit?
#[test]
fn fast_toggles_are_stepped_toggles() {
    for number in 0..cases() {
        let case = case(number);
        let stepped = counted(&case).toggles.unwrap();
        assert_eq!(stepped, fast_toggles(&case, Sampling::All), "case {number}: {case:?}");
    }
}

/// Trees of 512 lanes have sums that 16 bits do not hold.
#[test]
fn fast_toggles_are_stepped_toggles_in_wide_trees() {
    for number in 0..40 {
        let case = case(number);
        let mut parameters = case.arch.clone().into_parameters();
        parameters.lanes = 512;
        let case = Case { arch: Architecture::new(parameters).unwrap(), ..case };
        let stepped = counted(&case).toggles.unwrap();
        assert_eq!(stepped, fast_toggles(&case, Sampling::All), "case {number}: {case:?}");
    }
}

/// A sample counts the tiles of its rule; each is what the tile and the one before it, as a layer of their own, toggle more
/// than the one before it alone.
#[test]
fn a_sampled_tile_follows_its_predecessor_from_reset() {
    // Eight pixels on one row are eight tiles of one column tile. Blocks of 4: places 0 and 2 (4·618/1000 = 2).
    let weights = || Weights::Dbq { branches: 2, codes: vec![8, 0, 4, 2, 7, 5] };
    let codes =
        [9, 80, 255, 3, 17, 0, 6, 61, 100, 101, 44, 2, 250, 5, 77, 31, 8, 1, 0, 0, 90, 12, 13, 14];
    let arch = arch(|p| (p.branches, p.tree_levels_per_stage) = (2, 2));
    let of_pixels = |pixels: std::ops::Range<usize>, sampling| {
        let network = pointwise(pixels.len(), [3, 2], weights());
        let codes = &codes[3 * pixels.start..3 * pixels.end];
        fast::layer_toggles(&network, 0, &arch, 1, codes, sampling).unwrap()
    };
    let one_column = |pixels: std::ops::Range<usize>| {
        let network =
            pointwise(pixels.len(), [3, 1], Weights::Dbq { branches: 2, codes: vec![8, 0, 4] });
        let codes = &codes[3 * pixels.start..3 * pixels.end];
        fast::layer_toggles(&network, 0, &arch, 1, codes, Sampling::All).unwrap().counted
    };
    let sampled = {
        let network = pointwise(8, [3, 1], Weights::Dbq { branches: 2, codes: vec![8, 0, 4] });
        fast::layer_toggles(&network, 0, &arch, 1, &codes, Sampling::OneOf(4)).unwrap()
    };
    assert_eq!((sampled.tiles_counted, sampled.tiles), (2, 8));
    let [first, pair, before] = [one_column(0..1), one_column(5..7), one_column(5..6)];
    assert_eq!(sampled.counted.leaves, first.leaves + pair.leaves - before.leaves);
    let accumulators = first.accumulators + pair.accumulators - before.accumulators;
    assert_eq!(sampled.counted.accumulators, accumulators);
    assert_eq!(sampled.counted.scaler_y, first.scaler_y + pair.scaler_y - before.scaler_y);
    // One of one is all; a sample of a layer with two column tiles has half of 16 tiles.
    assert_eq!(of_pixels(0..8, Sampling::OneOf(1)), of_pixels(0..8, Sampling::All));
    assert_eq!(of_pixels(0..8, Sampling::OneOf(2)).tiles_counted, 8);
}

/// Scaled to all tiles, a sample of one tile in five is near the whole.
#[test]
fn a_sample_is_near_the_whole() {
    let network = pointwise(400, [24, 8], ones_and_more(24 * 8));
    let codes: Vec<i64> = (0..400 * 24_i64).map(|i| i * i * 31 % 257 % 256).collect();
    let arch = arch(|p| (p.rows, p.columns, p.lanes) = (2, 2, 8));
    let [whole, sample] = [Sampling::All, Sampling::OneOf(5)]
        .map(|sampling| fast::layer_toggles(&network, 0, &arch, 1, &codes, sampling).unwrap());
    assert_eq!((whole.tiles_counted, sample.tiles_counted, sample.tiles), (800, 160, 800));
    assert_eq!(whole.of_all_tiles(), whole.counted);
    let [whole, sample] = [whole, sample].map(|counts| counts.of_all_tiles());
    for (part, whole, sample) in [
        ("activation bus", whole.activation_bus, sample.activation_bus),
        ("weight bus", whole.weight_bus, sample.weight_bus),
        ("leaves", whole.leaves, sample.leaves),
        ("accumulators", whole.accumulators, sample.accumulators),
        ("partial products", whole.scaler_partial_products, sample.scaler_partial_products),
        ("product", whole.scaler_product, sample.scaler_product),
    ] {
        let error = (sample as f64 - whole as f64).abs() / whole as f64;
        println!("{part}: {:.2} % off", 100.0 * error);
        assert!(error < 0.06, "{part}: {sample} of {whole}");
    }
}

/// Weights of one branch without a pattern in lanes or channels.
fn ones_and_more(count: usize) -> Weights {
    let code = |i: usize| u8::try_from((i * i / 3 + i / 5) % 3).unwrap();
    Weights::Dbq { branches: 1, codes: (0..count).map(code).collect() }
}

#[test]
fn wrong_codes_are_refused_by_layer() {
    let network = pointwise(1, [4, 1], ones_and_more(4));
    let arch = arch(|_| ());
    let refusal = |codes: &[i64], images| {
        fast::layer_toggles(&network, 0, &arch, images, codes, Sampling::All)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refusal(&[0; 3], 1),
        "layer `dot`: the number of input codes must be 4 for each of 1 images, got 3"
    );
    assert_eq!(
        refusal(&[0, 0, 256, 0], 1),
        "layer `dot`: an input code must be between 0 and 255, got 256"
    );
    assert_eq!(
        fast::network_with_toggles(&network, &arch, 1, &[], Sampling::All).unwrap_err().to_string(),
        "toggles: the number of inputs must be one for each of 1 layers, got 0"
    );
}
