use super::*;
use crate::arch::DepthwiseMode;
use crate::rtl::Case;
use crate::vectors::tests::{array, draws};

fn refusal(window: Window) -> Result<usize, String> {
    let arch = array(1, DepthwiseMode::Column);
    let case = Case::random("any", &arch, &mut draws(6)).unwrap();
    let job = Job::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    fst(job, &arch, window).map(|bytes| bytes.len()).map_err(|error| error.to_string())
}

#[test]
fn windows_that_show_nothing_or_too_much_are_refused() {
    assert!(0 < refusal(Window { first: 3, edges: 2 }).unwrap());
    let late = refusal(Window { first: 1 << 20, edges: 1 }).unwrap_err();
    assert!(
        late.starts_with("layer `dot`: the first edge of its waveform must be below"),
        "{late}"
    );
    let large = refusal(Window { first: 0, edges: u64::MAX }).unwrap_err();
    assert!(large.contains("the bits of its waveform"), "{large}");
}

#[test]
fn the_same_window_has_the_same_bytes() {
    let arch = array(2, DepthwiseMode::Diagonal);
    let case = Case::random("any", &arch, &mut draws(7)).unwrap();
    let bytes = || {
        let job = Job::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
        fst(job, &arch, Window { first: 0, edges: 50 }).unwrap()
    };
    assert_eq!(bytes(), bytes());
}
