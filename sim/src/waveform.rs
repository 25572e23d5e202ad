//! Waveforms: a window of a layer on the stepped model as FST, with the names that its registers have in the RTL.
//!
//! Signals lie below `tridot_top.machine`, as a simulator of the RTL dumps them. Edge k is at time 10·k + 10: from there on
//! stands what the registers hold after it.

use fst_writer::{
    FstBodyWriter, FstFileType, FstHeaderWriter, FstInfo, FstScopeType, FstSignalId, FstSignalType,
    FstVarDirection, FstVarType,
};

use crate::Error;
use crate::arch::{Architecture, ZeroTrits};
use crate::mapping::Mapping;
use crate::stepped::{Job, Nets, State, ToggleCounting};

mod signals;

use signals::{Signal, signals};

/// Time of an edge, in nanoseconds a clock cycle.
pub const PERIOD: u64 = 10;

/// Most bits of all signals and edges of a waveform together.
pub const MAX_BITS: u64 = 1 << 32;

/// Which edges a waveform shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub first: u64,
    /// How many; fewer where the layer ends before.
    pub edges: u64,
}

/// The waveform of a layer in a window, as the bytes of an FST file.
///
/// Refuses a window that begins after the layer's end, and one whose signals fill more than [`MAX_BITS`].
pub fn fst(job: Job<'_>, arch: &Architecture, window: Window) -> Result<Vec<u8>, Error> {
    let job = job.counting(ToggleCounting::On);
    let signals = signals(arch, job.mapping());
    let place = format!("layer `{}`", job.mapping().work().name);
    let bits = signals.iter().map(|signal| signal.bits as u64).sum::<u64>();
    if MAX_BITS < bits.saturating_mul(window.edges) {
        let limit = format!("at most {MAX_BITS}");
        let what = "the bits of its waveform (signals · edges)";
        return Err(Error::limit(place, what, limit, bits.saturating_mul(window.edges)));
    }
    let mut state = job.reset();
    while state.edge < window.first && !job.is_done(&state) {
        job.step(&mut state);
    }
    if job.is_done(&state) {
        let limit = format!("below its {} cycles", state.edge);
        return Err(Error::limit(place, "the first edge of its waveform", limit, window.first));
    }
    let written = write(&job, arch, &signals, state, window.edges);
    written.map_err(|error| Error::malformed(place, format!("its waveform: {error}")))
}

fn write(
    job: &Job<'_>,
    arch: &Architecture,
    signals: &[Signal],
    mut state: State,
    edges: u64,
) -> fst_writer::Result<Vec<u8>> {
    let info = FstInfo {
        start_time: state.edge * PERIOD,
        timescale_exponent: -9,
        version: concat!("tridot ", env!("CARGO_PKG_VERSION")).to_owned(),
        // The same input gives the same bytes.
        date: String::new(),
        file_type: FstFileType::Verilog,
    };
    let mut header = FstHeaderWriter::write_to_mem(&info)?;
    let clk = variable(&mut header, "clk", 1)?;
    let ids = declare(&mut header, signals)?;
    let mut body = header.finish()?;
    let mut shown = Shown { arch, mapping: job.mapping(), fetched: (vec![0; 0], vec![0; 0]) };
    for _ in 0..edges {
        if job.is_done(&state) {
            break;
        }
        let before = state.clone();
        job.step(&mut state);
        // Whether the array advances at an edge is known when it has.
        let frozen = before.counts.stall_scaler != state.counts.stall_scaler;
        let moves = before.counts.moves != state.counts.moves;
        body.time_change(before.edge * PERIOD)?;
        body.signal_change(clk, b"1")?;
        shown.change(&mut body, signals, &ids, &before, !frozen, moves)?;
        body.time_change(before.edge * PERIOD + PERIOD / 2)?;
        body.signal_change(clk, b"0")?;
    }
    body.time_change(state.edge * PERIOD)?;
    body.signal_change(clk, b"1")?;
    shown.change(&mut body, signals, &ids, &state, true, false)?;
    Ok(body.finish()?.into_inner())
}

type Header = FstHeaderWriter<std::io::Cursor<Vec<u8>>>;
type Body = FstBodyWriter<std::io::Cursor<Vec<u8>>>;

fn variable(header: &mut Header, name: &str, bits: usize) -> fst_writer::Result<FstSignalId> {
    let bits = u32::try_from(bits).expect("a bus of an architecture");
    let name = if bits == 1 { name.to_owned() } else { format!("{name} [{}:0]", bits - 1) };
    let kind = FstSignalType::bit_vec(bits);
    header.var(name, kind, FstVarType::Logic, FstVarDirection::Implicit, None)
}

/// Declares all signals in their scopes; signals of a scope follow each other.
fn declare(header: &mut Header, signals: &[Signal]) -> fst_writer::Result<Vec<FstSignalId>> {
    let mut open: Vec<&str> = Vec::new();
    let mut ids = Vec::new();
    for signal in signals {
        let (scopes, name) = signal.path.rsplit_once('.').expect("every path has a scope");
        let scopes: Vec<&str> = scopes.split('.').collect();
        let common = open.iter().zip(&scopes).take_while(|(a, b)| a == b).count();
        for _ in common..open.len() {
            header.up_scope()?;
        }
        for scope in &scopes[common..] {
            header.scope(scope, "", FstScopeType::Module)?;
        }
        open = scopes;
        ids.push(variable(header, name, signal.bits)?);
    }
    for _ in open {
        header.up_scope()?;
    }
    Ok(ids)
}

/// What a signal reads from: the state after an edge, and what is known of the next.
struct Source<'a> {
    arch: &'a Architecture,
    mapping: &'a Mapping,
    state: &'a State,
    nets: &'a Nets,
    /// Codes and trits in the memories' output registers, which hold where nothing is fetched.
    fetched: &'a (Vec<i16>, Vec<i16>),
    enable: bool,
    moves: bool,
}

/// What was shown, where it holds.
struct Shown<'a> {
    arch: &'a Architecture,
    mapping: &'a Mapping,
    fetched: (Vec<i16>, Vec<i16>),
}

impl Shown<'_> {
    fn change(
        &mut self,
        body: &mut Body,
        signals: &[Signal],
        ids: &[FstSignalId],
        state: &State,
        enable: bool,
        moves: bool,
    ) -> fst_writer::Result<()> {
        if state.fetched.step.is_some() || self.fetched.0.is_empty() {
            self.fetched = (state.fetched.codes.clone(), state.fetched.trits.clone());
        }
        let source = Source {
            arch: self.arch,
            mapping: self.mapping,
            state,
            nets: state.nets.as_ref().expect("toggles are counted"),
            fetched: &self.fetched,
            enable,
            moves,
        };
        for (signal, &id) in signals.iter().zip(ids) {
            body.signal_change(id, &signal.read(&source))?;
        }
        Ok(())
    }
}

/// Whether an architecture has operand registers.
fn has_operands(arch: &Architecture) -> bool {
    arch.zero_trits == ZeroTrits::Gate
}

#[cfg(test)]
mod tests;
