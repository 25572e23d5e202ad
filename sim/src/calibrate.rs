//! Calibration: what the machine's toggles cost in the gates of a library.
//!
//! An engine with its scaler is synthesized; [`Netlist`] is what comes out, [`Timing`] and [`Power`] what a
//! [`Library`](crate::liberty::Library) says of it. Windows of layers ([`stimulus`]) run through the gates beside the RTL ([`bench()`]), and
//! through the stepped model, whose counts [`fit`](fit::fit) prices. ENERGY.md derives what is fitted.

pub mod fit;
mod model;
mod netlist;
mod power;
mod stimulus;
mod table;
mod timing;
mod toggles;
mod verilog;
mod windows;

pub use model::{Fitted, Measured, Quantity, Seen, control_fj};
pub use netlist::{Gate, Netlist, Part, Port, Signal};
pub use power::{ByPart, Power};
pub use stimulus::{MAX_EDGES, RESETS, Source, Stimulus, inputs, stimulus};
pub use table::{Facts, table};
pub use timing::Timing;
pub use toggles::{Span, toggles};
pub use verilog::{BENCH, Clock, Delays, GATES, bench, gates};
pub use windows::{
    Activations, Recipe, Sample, Trits, calibration, calibration_of_arrays, engine, sample,
};

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact in binary")]
mod tests;
