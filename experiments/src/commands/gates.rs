//! Synthesis of the machine's core with a library's cells, and windows simulated on them.

use std::collections::BTreeMap;
use std::io::BufRead;

use anyhow::{Result, bail};
use tridot_sim::arch::Architecture;
use tridot_sim::calibrate::{
    self, BENCH, Clock, Delays, Measured, Netlist, Power, Quantity, RESETS, Span, Stimulus, Timing,
};
use tridot_sim::energy::{Breakdown, EnergyTable, Priced, Prices, Storage};
use tridot_sim::liberty::Library;
use tridot_sim::rtl::{LIBRARY, Sizes};

use crate::cli::LibraryArgs;
use crate::files::{self, liberty::link_to_output};
use crate::threads;
use crate::tools::Tool;

/// The module that is synthesized.
const CORE: &str = "tridot_core";
/// Modules of the core and below, the smallest parts first.
const CORE_FILES: usize = 8;

/// The delay that is asked for, in ps: so long that cells stay small. Nets with many pins are buffered all the same.
const TARGET_PS: u64 = 1_000_000;
/// The largest netlist that is read: 2 GiB.
const MAX_JSON_BYTES: usize = 1 << 31;

/// A core of gates.
pub(super) struct Core<'l> {
    pub(super) netlist: Netlist<'l>,
    pub(super) timing: Timing,
    pub(super) power: Power,
    /// How it was made: script and versions.
    pub(super) recipe: String,
}

/// What windows did on gates.
pub(super) struct Simulated {
    /// Of each window, of each net.
    pub(super) toggles: Vec<Vec<u32>>,
    /// Edges at which all outputs were compared with the RTL.
    pub(super) compared: u64,
    /// Edges at which any differed, and the first of them.
    pub(super) differ: u64,
    pub(super) first: Option<String>,
}

/// The parameters of the core.
fn parameters(arch: &Architecture) -> Vec<(&'static str, usize)> {
    let of_memories = ["WORDS"];
    let all = tridot_sim::rtl::parameters(arch, Sizes::SMALL).into_iter();
    all.filter(|(name, _)| !of_memories.iter().any(|end| name.ends_with(end))).collect()
}

/// Synthesizes the core of an architecture.
pub(super) fn synthesize<'l>(
    arch: &Architecture,
    library: &'l Library,
    wire_ff: f64,
) -> Result<Core<'l>> {
    let version = Tool::Yosys.version()?;
    let folder = files::scratch_folder()?;
    for (name, text) in &LIBRARY[..CORE_FILES] {
        files::write_scratch(&folder.path().join(name), text.as_bytes())?;
    }
    files::write_scratch(&folder.path().join("cells.lib"), library.merged.as_bytes())?;
    let Some((inverter, inverter_ff)) = library.inverter() else {
        bail!("the library has no inverter");
    };
    let constraints = format!("set_driving_cell {inverter}\nset_load {:.3}\n", 4.0 * inverter_ff);
    files::write_scratch(&folder.path().join("abc.constr"), constraints.as_bytes())?;
    let sources: Vec<&str> = LIBRARY[..CORE_FILES].iter().map(|(name, _)| *name).collect();
    let set: Vec<String> =
        parameters(arch).iter().map(|(name, value)| format!("-set {name} {value}")).collect();
    let steps = format!(
        "synth -top {CORE}; dfflibmap -liberty cells.lib; \
         abc -liberty cells.lib -constr abc.constr -D {TARGET_PS}; flatten; opt_clean -purge"
    );
    let script = format!(
        "read_verilog -sv {}; chparam {} {CORE}; hierarchy -check -top {CORE}; {steps}; write_json gates.json",
        sources.join(" "),
        set.join(" ")
    );
    let said = Tool::Yosys.run(folder.path(), &["-q", "-p", &script])?;
    if !said.succeeded {
        bail!("architecture `{}`: yosys: {}", arch.name, said.complaint());
    }
    let json = files::read(&folder.path().join("gates.json"), MAX_JSON_BYTES)?;
    let json = String::from_utf8_lossy(&json);
    let netlist = Netlist::from_yosys(&json, CORE, library)?;
    let constant = |name: &str| name == "reset" || name.starts_with("layer_");
    let timing = Timing::new(&netlist, wire_ff, inverter_ff, &constant)?;
    let power = Power::new(&netlist, &timing, library.voltage_v, wire_ff);
    let recipe = format!("Yosys {version}: {steps} (driver {inverter}, load 4 inverters)");
    Ok(Core { netlist, timing, power, recipe })
}

impl Core<'_> {
    /// What a window costs with these toggles, at the slowest clock of the core.
    pub(super) fn measured(&self, toggles: &[u32], edges: u64) -> Measured {
        let toggles_fj = self.power.of_toggles(toggles);
        let clock_fj = self.power.clock_fj.iter().sum::<f64>() * edges as f64;
        // 1 nW over 1 ps is 10⁻⁶ fJ.
        let time_ps = edges as f64 * self.timing.slowest_ps;
        Measured { toggles_fj, clock_fj, leakage_fj: self.power.leakage_nw * time_ps * 1e-6 }
    }
}

/// fJ that leak at the clock of an architecture.
pub(super) fn leakage_fj(core: &Core<'_>, arch: &Architecture, edges: u64) -> f64 {
    core.power.leakage_nw * edges as f64 / arch.clock.0
}

/// The weight of wires as asked, or that of the lightest inverter's input.
pub(super) fn wire_ff(arguments: &LibraryArgs, library: &Library) -> Result<f64> {
    let lightest = library.inverter().map(|(_, capacitance)| capacitance);
    let Some(wire_ff) = arguments.wire_ff.or(lightest) else {
        bail!("the library has no inverter");
    };
    if !(0.0..=1e6).contains(&wire_ff) {
        bail!("--wire-ff must be between 0 and 1000000, got {wire_ff}");
    }
    Ok(wire_ff)
}

/// Prices the counts of a window.
pub(super) fn priced(
    table: &EnergyTable,
    arch: &Architecture,
    window: &Stimulus,
) -> Result<Breakdown> {
    let prices = Prices::new(table, arch, Storage { activation_bits: 8, weight_bits: 8 })?;
    let priced = Priced {
        counts: &window.counts,
        toggles: Some(&window.toggles),
        input_bits: 8.0,
        output_bits: 8,
    };
    Ok(prices.layer("window", &priced)?)
}

/// What a window has of every quantity that has a price.
pub(super) fn quantities(window: &Stimulus, arch: &Architecture) -> BTreeMap<String, f64> {
    Quantity::all().map(|one| (one.row(), one.amount(window, arch))).collect()
}

/// How gates settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settling {
    /// At once.
    AtOnce,
    /// With the delays of their cells.
    Timed,
}

/// Runs windows on the gates beside the RTL, some at a time on each thread.
pub(super) fn simulate(
    arch: &Architecture,
    core: &Core<'_>,
    windows: &[Stimulus],
    settling: Settling,
) -> Result<Simulated> {
    Tool::Icarus.version()?;
    let group = windows.len().div_ceil(threads::count()).max(1);
    let groups: Vec<&[Stimulus]> = windows.chunks(group).collect();
    let parts = threads::map(groups.len(), || (), |(), i| run(arch, core, groups[i], settling))?;
    let mut all = Simulated { toggles: Vec::new(), compared: 0, differ: 0, first: None };
    for part in parts {
        all.toggles.extend(part.toggles);
        all.compared += part.compared;
        all.differ += part.differ;
        all.first = all.first.or(part.first);
    }
    Ok(all)
}

fn run(
    arch: &Architecture,
    core: &Core<'_>,
    windows: &[Stimulus],
    settling: Settling,
) -> Result<Simulated> {
    let folder = files::scratch_folder()?;
    let write =
        |name: &str, text: String| files::write_scratch(&folder.path().join(name), text.as_bytes());
    for (name, text) in &LIBRARY[..CORE_FILES] {
        write(name, (*text).to_owned())?;
    }
    let clock = Clock::new(&core.timing);
    let delays = match settling {
        Settling::AtOnce => Delays::Zero,
        Settling::Timed => Delays::Timed(&core.timing),
    };
    let vectors: Vec<&str> =
        windows.iter().flat_map(|window| &window.vectors).map(String::as_str).collect();
    let (inputs, parameters) = (calibrate::inputs(arch), parameters(arch));
    let count = vectors.len();
    write("gates.v", calibrate::gates(&core.netlist, delays))?;
    write("bench.sv", calibrate::bench(&core.netlist, &inputs, &parameters, count, clock, delays))?;
    write("vectors.hex", vectors.join("\n") + "\n")?;
    let mut arguments: Vec<&str> = vec!["-g2012", "-o", "gates.vvp", "-s", BENCH];
    arguments.extend(LIBRARY[..CORE_FILES].iter().map(|(name, _)| *name));
    arguments.extend(["gates.v", "bench.sv"]);
    let said = Tool::Icarus.run(folder.path(), &arguments)?;
    if !said.succeeded {
        bail!("architecture `{}`: iverilog: {}", arch.name, said.complaint());
    }
    link_to_output(&folder.path().join("dump.vcd"))?;
    let spans = spans(windows, clock);
    let nets = core.netlist.sinks.len();
    let count = |dump: &mut dyn BufRead| Ok(calibrate::toggles(&mut &mut *dump, nets, &spans)?);
    let (toggles, errors) = Tool::stream(folder.path(), "vvp", &["-n", "gates.vvp"], count)?;
    let Some((compared, differ)) = totals(&errors) else {
        let last = errors.lines().last().unwrap_or("says nothing");
        bail!("architecture `{}`: vvp: {last}", arch.name);
    };
    let first = errors.lines().find(|line| line.starts_with("edge ")).map(str::to_owned);
    Ok(Simulated { toggles, compared, differ, first })
}

/// When the windows' edges are.
fn spans(windows: &[Stimulus], clock: Clock) -> Vec<Span> {
    let mut first = 0;
    let span = |window: &Stimulus| {
        let begin = first + RESETS;
        first += window.vectors.len() as u64;
        clock.span(begin, first)
    };
    windows.iter().map(span).collect()
}

/// `compared <edges> differ <edges>`
fn totals(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find(|line| line.starts_with("compared "))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    Some((words.get(1)?.parse().ok()?, words.get(3)?.parse().ok()?))
}
