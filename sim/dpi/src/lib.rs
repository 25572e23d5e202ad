//! The DPI model: layers of an integer network on an architecture, for SystemVerilog test benches.
//!
//! `tridot_golden.h` is its contract, `tridot_golden_pkg.sv` the same in SystemVerilog. A handle holds all state behind a
//! lock; nothing is global, and no call unwinds into its caller.

use std::ffi::{CStr, CString, c_char, c_int, c_longlong};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

mod model;

use model::Model;

/// What a handle points to.
#[derive(Debug)]
pub struct Handle(Mutex<Guarded>);

#[derive(Debug)]
struct Guarded {
    /// None where the files could not be read.
    model: Option<Model>,
    /// Why the last call failed.
    error: CString,
}

/// What fails, in one line.
type Failure = String;

/// Text of C; refuses null and what is no UTF-8.
fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(format!("{what} must be a text, got null"));
    }
    #[expect(unsafe_code, reason = "a text comes from C as a pointer")]
    // SAFETY: it is not null, and the header demands a text that ends with 0 and outlives the call.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| format!("{what} must be UTF-8"))
}

/// A line without the 0 that would end it.
fn line(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// What a handle holds, locked; none where it is null.
fn locked<'a>(handle: *const Handle) -> Option<MutexGuard<'a, Guarded>> {
    if handle.is_null() {
        return None;
    }
    #[expect(unsafe_code, reason = "a handle comes from C as a pointer")]
    // SAFETY: it is not null, so it is of `tridot_golden_open` and, as the header demands, not closed yet.
    let handle = unsafe { &*handle };
    Some(handle.0.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Takes a handle back; none where it is null.
fn taken(handle: *mut Handle) -> Option<Box<Handle>> {
    if handle.is_null() {
        return None;
    }
    #[expect(unsafe_code, reason = "a handle comes from C as a pointer")]
    // SAFETY: it is of `tridot_golden_open` and, as the header demands, closed once and used no more.
    let handle = unsafe { Box::from_raw(handle) };
    Some(handle)
}

/// Does something with a handle; -1 where it fails, panics, or the handle is null.
fn with(
    handle: *const Handle,
    work: impl FnOnce(&mut Model) -> Result<i64, Failure>,
) -> c_longlong {
    let Some(mut guarded) = locked(handle) else { return -1 };
    let Guarded { model, error } = &mut *guarded;
    let Some(model) = model else { return -1 };
    let result = catch_unwind(AssertUnwindSafe(|| work(model)))
        .unwrap_or_else(|_| Err("an assertion of the model failed: choose the layer anew".into()));
    match result {
        Ok(value) => {
            *error = CString::default();
            value
        }
        Err(failure) => {
            *error = line(&failure);
            -1
        }
    }
}

fn narrow(value: c_longlong) -> c_int {
    c_int::try_from(value).unwrap_or(-1)
}

/// Opens a network file and an architecture file; never null.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_open(
    network: *const c_char,
    architecture: *const c_char,
) -> *mut Handle {
    let open = || {
        let network = Path::new(text(network, "the network's path")?);
        Model::open(network, Path::new(text(architecture, "the architecture's path")?))
    };
    let opened = catch_unwind(open).unwrap_or_else(|_| Err("the files could not be read".into()));
    let (model, error) = match opened {
        Ok(model) => (Some(model), CString::default()),
        Err(failure) => (None, line(&failure)),
    };
    Box::into_raw(Box::new(Handle(Mutex::new(Guarded { model, error }))))
}

/// Frees a handle; null is allowed.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_close(handle: *mut Handle) {
    let handle = taken(handle);
    drop(catch_unwind(AssertUnwindSafe(|| drop(handle))));
}

/// Why the last call failed; empty if it did not.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_error(handle: *mut Handle) -> *const c_char {
    let null = c"the handle must not be null".as_ptr();
    locked(handle).map_or(null, |guarded| guarded.error.as_ptr())
}

/// Chooses a dot-product layer by name; returns how many input codes it has.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_layer(
    handle: *mut Handle,
    name: *const c_char,
    images: c_int,
) -> c_int {
    narrow(with(handle, |model| model.choose(text(name, "the layer's name")?, images)))
}

/// Sets an input code.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_input(handle: *mut Handle, index: c_int, code: c_int) -> c_int {
    narrow(with(handle, |model| model.set_input(index, code)))
}

/// Runs the whole layer; returns its cycles.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_run(handle: *mut Handle) -> c_longlong {
    with(handle, Model::run)
}

/// After a run: how many outputs there are.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_outputs(handle: *mut Handle) -> c_int {
    narrow(with(handle, |model| model.outputs()))
}

/// After a run: an output.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_output(handle: *mut Handle, index: c_int) -> c_longlong {
    with(handle, |model| model.output(index))
}

/// After a run: the edge that writes an output.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_edge(handle: *mut Handle, index: c_int) -> c_longlong {
    with(handle, |model| model.edge(index))
}

/// After a run: how many accumulators the scaler takes for an output.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_accumulators(handle: *mut Handle) -> c_int {
    narrow(with(handle, |model| model.accumulators()))
}

/// After a run: one of them.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_accumulator(
    handle: *mut Handle,
    index: c_int,
    plane: c_int,
) -> c_longlong {
    with(handle, |model| model.accumulator(index, plane))
}

/// Begins the layer anew, edge by edge.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_start(handle: *mut Handle) -> c_int {
    narrow(with(handle, Model::start))
}

/// One clock edge; 1 while outputs are still to be written, 0 after the last.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_step(handle: *mut Handle) -> c_int {
    narrow(with(handle, Model::step))
}

/// After a step: the code on a lane of a row's bus.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_bus_code(handle: *mut Handle, row: c_int, lane: c_int) -> c_int {
    narrow(with(handle, |model| model.bus_code(row, lane)))
}

/// After a step: the trit on a lane of a column's bus.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_bus_trit(
    handle: *mut Handle,
    column: c_int,
    branch: c_int,
    lane: c_int,
) -> c_int {
    narrow(with(handle, |model| model.bus_trit(column, branch, lane)))
}

/// After a step: an accumulator.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_register(
    handle: *mut Handle,
    row: c_int,
    column: c_int,
    branch: c_int,
    segment: c_int,
) -> c_longlong {
    with(handle, |model| model.register([row, column, branch, segment]))
}

/// After a step: how many outputs are written so far.
#[expect(unsafe_code, reason = "C finds a function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn tridot_golden_written(handle: *mut Handle) -> c_int {
    narrow(with(handle, |model| model.written()))
}

#[cfg(test)]
mod tests;
