//! Toggles: the worked case by hand, on against off, fast against stepped, and planted faults.

use tridot_sim::arch::{Parameters, ZeroTrits};
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
        scaler_product: 2,
        scaler_y: 2,
        ..Toggles::default()
    };
    expected.tree[0] = 19;
    let counts = by_hand(|_| ());
    assert_eq!(counts, ToggleCounts { counted: expected, tiles_counted: 1, tiles: 1 });
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
