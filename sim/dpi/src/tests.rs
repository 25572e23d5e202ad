use std::ffi::CString;

use tridot_sim::arch::Architecture;
use tridot_sim::rtl::Case;
use tridot_sim::vectors::Vectors;

use super::*;

/// Numbers that look drawn.
fn draws() -> impl FnMut(u64) -> u64 {
    let mut state = 1_u64;
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn error(handle: *mut Handle) -> String {
    text(tridot_golden_error(handle), "the error").unwrap().to_owned()
}

/// A folder with a network, `tiny`, and a handle on both.
fn opened(case: &Case) -> (tempfile::TempDir, *mut Handle) {
    let folder = tempfile::tempdir().unwrap();
    let (network, arch) = (folder.path().join("net"), folder.path().join("arch.toml"));
    std::fs::write(&network, case.network.to_bytes()).unwrap();
    std::fs::write(&arch, Architecture::preset_text("tiny").unwrap()).unwrap();
    let path = |path: &Path| c(path.to_str().unwrap());
    let handle = tridot_golden_open(path(&network).as_ptr(), path(&arch).as_ptr());
    assert_eq!(error(handle), "");
    (folder, handle)
}

#[test]
fn a_layer_through_c_is_the_layer() {
    let arch = Architecture::preset("tiny").unwrap();
    let case = Case::random("any", &arch, &mut draws()).unwrap();
    let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    let (_folder, handle) = opened(&case);
    let images = c_int::try_from(case.images).unwrap();
    let codes = tridot_golden_layer(handle, c("dot").as_ptr(), images);
    assert_eq!(usize::try_from(codes).unwrap(), case.codes.len());
    for (i, &code) in (0..).zip(&case.codes) {
        assert_eq!(tridot_golden_input(handle, i, c_int::try_from(code).unwrap()), 0);
    }
    assert_eq!(tridot_golden_run(handle), vectors.expected.cycles.cast_signed());
    let outputs = usize::try_from(tridot_golden_outputs(handle)).unwrap();
    assert_eq!(outputs, vectors.expected.outputs.len());
    let values = tridot_golden_accumulators(handle);
    for (i, at) in (0..outputs).zip(0..) {
        assert_eq!(tridot_golden_output(handle, at), vectors.expected.outputs[i]);
        assert_eq!(tridot_golden_edge(handle, at).cast_unsigned(), vectors.expected.written_at[i]);
        for plane in 0..values {
            let sum = tridot_golden_accumulator(handle, at, plane);
            let place = i * vectors.values + usize::try_from(plane).unwrap();
            assert_eq!(sum, vectors.accumulators[place]);
        }
    }
    // Edge by edge, what moves stands in the accumulators before.
    assert_eq!(tridot_golden_start(handle), 0);
    let mut edges = 0;
    let mut moves = vectors.expected.moves.iter().peekable();
    while moves.next_if(|next| next.edge == edges).is_none() {
        assert_eq!(tridot_golden_step(handle), 1);
        edges += 1;
        if moves.peek().is_some_and(|next| next.edge == edges) {
            let first = moves.peek().unwrap().accumulators[0];
            assert_eq!(tridot_golden_register(handle, 0, 0, 0, 0), first);
        }
    }
    while tridot_golden_step(handle) == 1 {
        edges += 1;
    }
    assert_eq!(edges + 1, vectors.expected.cycles);
    assert_eq!(usize::try_from(tridot_golden_written(handle)).unwrap(), outputs);
    tridot_golden_close(handle);
}

#[test]
fn what_fails_is_told_and_nothing_unwinds() {
    let arch = Architecture::preset("tiny").unwrap();
    let case = Case::random("any", &arch, &mut draws()).unwrap();
    let (_folder, handle) = opened(&case);
    let fails = |result: c_longlong, why: &str| {
        assert_eq!(result, -1);
        assert_eq!(error(handle), why);
    };
    fails(tridot_golden_run(handle), "a layer must be chosen first");
    fails(tridot_golden_output(handle, 0), "the layer must be run first");
    let none = tridot_golden_layer(handle, c("none").as_ptr(), 1);
    fails(none.into(), "network `case` has no layer `none`");
    let null = tridot_golden_layer(handle, std::ptr::null(), 1);
    fails(null.into(), "the layer's name must be a text, got null");
    assert!(0 < tridot_golden_layer(handle, c("dot").as_ptr(), 1));
    assert_eq!(error(handle), "");
    let below = format!("below {}", case.network.input.tensor.shape.elements());
    let why = format!("the index of an input code must be at least 0 and {below}, got -3");
    fails(tridot_golden_input(handle, -3, 0).into(), &why);
    fails(tridot_golden_step(handle).into(), "the layer must be started first");
    assert_eq!(tridot_golden_input(handle, 0, 1000), 0);
    assert_eq!(tridot_golden_run(handle), -1);
    assert!(error(handle).starts_with("layer `dot`: an input code must be between"));
    tridot_golden_close(handle);
    tridot_golden_close(std::ptr::null_mut());
    assert_eq!(tridot_golden_run(std::ptr::null_mut()), -1);
    let missing = tridot_golden_open(c("/none/net").as_ptr(), c("/none/arch.toml").as_ptr());
    assert!(error(missing).starts_with("/none/net: "), "{}", error(missing));
    assert_eq!(tridot_golden_run(missing), -1);
    tridot_golden_close(missing);
}

/// Are handles independent, and do threads on one handle wait for each other?
#[test]
fn handles_may_be_shared_and_be_many() {
    struct Shared(*mut Handle);
    #[expect(unsafe_code, reason = "the header allows calls from several threads")]
    // SAFETY: all state of a handle is behind its lock.
    unsafe impl Send for Shared {}
    #[expect(unsafe_code, reason = "the header allows calls from several threads")]
    // SAFETY: all state of a handle is behind its lock.
    unsafe impl Sync for Shared {}
    let arch = Architecture::preset("tiny").unwrap();
    let case = Case::random("any", &arch, &mut draws()).unwrap();
    let (_folder, handle) = opened(&case);
    assert!(0 < tridot_golden_layer(handle, c("dot").as_ptr(), 1));
    let cycles = tridot_golden_run(handle);
    let shared = Shared(handle);
    std::thread::scope(|scope| {
        let shared = &shared;
        for _ in 0..4 {
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(tridot_golden_run(shared.0), cycles);
                }
            });
        }
    });
    tridot_golden_close(handle);
}
