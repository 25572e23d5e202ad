//! A netlist in Verilog, and the test bench that runs windows on it beside the RTL.

use std::fmt::Write as _;

use super::netlist::{Netlist, Port, Signal};
use super::timing::Timing;
use super::toggles::Span;

/// The module that [`gates()`] makes.
pub const GATES: &str = "tridot_gates";
/// The module that [`bench()`] makes.
pub const BENCH: &str = "tridot_gates_bench";

/// Units of time a picosecond.
const UNITS: f64 = 10.0;
/// Differences that are told one by one.
const TOLD: usize = 8;

/// Whether gates take time.
#[derive(Debug, Clone, Copy)]
pub enum Delays<'a> {
    /// They settle at once.
    Zero,
    /// Each as its cell and its load say; a pulse shorter than a gate's delay is swallowed.
    Timed(&'a Timing),
}

/// The netlist as one module: a wire `n<net>` a net, an assignment a gate, one block for all flip-flops.
pub fn gates(netlist: &Netlist<'_>, delays: Delays<'_>) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a text has room");
    line(format!("`timescale 100fs/100fs\nmodule {GATES} ({});", names(netlist).join(", ")));
    for (direction, ports) in [("input", &netlist.inputs), ("output", &netlist.outputs)] {
        for port in ports.values() {
            line(format!("  {direction} [{}:0] {};", port.bits.len() - 1, port.name));
        }
    }
    for net in 0..netlist.sinks.len() {
        line(format!("  wire n{net};"));
    }
    for port in netlist.inputs.values() {
        for (bit, signal) in port.bits.iter().enumerate() {
            if let Signal::Net(net) = signal {
                line(format!("  assign n{net} = {}[{bit}];", port.name));
            }
        }
    }
    for port in netlist.outputs.values() {
        let bits: Vec<String> = port.bits.iter().rev().map(|&bit| of(bit)).collect();
        line(format!("  assign {} = {{{}}};", port.name, bits.join(", ")));
    }
    let mut registers = Vec::new();
    for (at, gate) in netlist.gates.iter().enumerate() {
        for (pin, output) in gate.cell.outputs.iter().enumerate() {
            let Some(net) = gate.outputs[pin] else { continue };
            let input = |name: &str| {
                let found = gate.cell.inputs.iter().position(|input| input.name == name);
                of(gate.inputs[found.expect("a function reads its cell's inputs")])
            };
            let value = match (&output.function, gate.cell.flip_flop) {
                (Some(function), _) => function.verilog(&input),
                (None, Some(flip_flop)) => {
                    registers.push((at, of(gate.inputs[flip_flop.data])));
                    format!("{}q{at}", if output.is_inverted { "~" } else { "" })
                }
                (None, None) => continue,
            };
            line(format!("  assign {}n{net} = {value};", delay(delays, at, pin)));
        }
    }
    registers.dedup_by_key(|register| register.0);
    for (at, _) in &registers {
        line(format!("  reg q{at} = 1'b0;"));
    }
    line("  always @(posedge clk) begin".to_owned());
    for (at, data) in &registers {
        line(format!("    q{at} <= {data};"));
    }
    line("  end\nendmodule".to_owned());
    text
}

/// Clock first, then inputs and outputs by name.
fn names<'n>(netlist: &'n Netlist<'_>) -> Vec<&'n str> {
    netlist.inputs.keys().chain(netlist.outputs.keys()).map(String::as_str).collect()
}

fn of(signal: Signal) -> String {
    match signal {
        Signal::Net(net) => format!("n{net}"),
        Signal::Constant(value) => format!("1'b{}", u8::from(value)),
    }
}

fn delay(delays: Delays<'_>, gate: usize, pin: usize) -> String {
    match delays {
        Delays::Zero => String::new(),
        Delays::Timed(timing) => {
            let (rise, fall) = timing.delays_ps[gate][pin];
            format!("#({}, {}) ", units(rise), units(fall))
        }
    }
}

/// At least one: no gate is faster than the clock's edge.
fn units(ps: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "delays are positive and short"
    )]
    let units = (ps * UNITS).round().max(1.0) as u64;
    units
}

/// How a bench is clocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Half of its period, in units of 100 fs.
    half: u64,
    /// From an edge to the new inputs.
    input_delay: u64,
}

impl Clock {
    /// A clock that leaves gates the time that they need and a tenth more; without delays, any.
    pub fn new(timing: &Timing) -> Self {
        let half = units(timing.slowest_ps * 1.1) / 2 + 1;
        Self { half, input_delay: units(timing.input_delay_ps).min(half) }
    }

    /// The period in ps.
    pub fn period_ps(self) -> f64 {
        (2 * self.half) as f64 / UNITS
    }

    /// The time from the edge that applies a vector to that which applies another.
    pub fn span(self, first: u64, end: u64) -> Span {
        let edge = |vector| self.half + vector * 2 * self.half;
        (edge(first), edge(end))
    }
}

/// A test bench: applies `vectors.hex`, one at each edge, to the gates and to the RTL with these parameters, compares all outputs of
/// both just before every edge, and dumps the gates' nets into `dump.vcd`. What differs is told on standard error, at last
/// `compared <edges> differ <edges>`.
pub fn bench(
    netlist: &Netlist<'_>,
    inputs: &[(&str, usize)],
    parameters: &[(&str, usize)],
    vectors: usize,
    clock: Clock,
    delays: Delays<'_>,
) -> String {
    let width: usize = inputs.iter().map(|input| input.1).sum();
    let mut text = format!(
        "`timescale 100fs/100fs\nmodule {BENCH};\n  reg clk = 1'b0;\n  reg [{0}:0] vectors [0:{1}];\n  \
         reg [{0}:0] now = 0;\n  integer at = 0, compared = 0, differ = 0;\n",
        width - 1,
        vectors - 1
    );
    let mut first = 0;
    for &(name, bits) in inputs {
        writeln!(text, "  wire [{}:0] {name} = now[{first}+:{bits}];", bits - 1).expect("room");
        first += bits;
    }
    let outputs: Vec<&Port> = netlist.outputs.values().collect();
    for (instance, module, values) in [("rtl", "tridot_core", true), ("gates", GATES, false)] {
        for port in &outputs {
            writeln!(text, "  wire [{}:0] {instance}_{};", port.bits.len() - 1, port.name)
                .expect("room");
        }
        let ports = inputs.iter().map(|(name, _)| format!(".{name}({name})"));
        let ports =
            ports.chain(outputs.iter().map(|port| format!(".{0}({instance}_{0})", port.name)));
        let ports: Vec<String> = [".clk(clk)".to_owned()].into_iter().chain(ports).collect();
        let parameters: Vec<String> =
            parameters.iter().map(|(name, value)| format!(".{name}({value})")).collect();
        let parameters =
            if values { format!("#({}) ", parameters.join(", ")) } else { String::new() };
        writeln!(text, "  {module} {parameters}{instance} ({});", ports.join(", ")).expect("room");
    }
    let all = |instance: &str| {
        let names: Vec<_> =
            outputs.iter().map(|port| format!("{instance}_{}", port.name)).collect();
        format!("{{{}}}", names.join(", "))
    };
    let half = clock.half;
    let input_delay = match delays {
        Delays::Zero => 0,
        Delays::Timed(_) => clock.input_delay,
    };
    write!(
        text,
        "  initial begin\n    $readmemh(\"vectors.hex\", vectors);\n    $dumpfile(\"dump.vcd\");\n    \
         $dumpvars(1, gates);\n  end\n  always begin\n    #{half} clk = 1'b1;\n    #{half} clk = 1'b0;\n  end\n  \
         // The first vectors are those of a reset.\n  always @(posedge clk) begin\n    \
         if (2 < at) begin\n      compared = compared + 1;\n      if ({rtl} !== {gates}) begin\n        differ = differ + 1;\n        \
         if (differ <= {TOLD}) $fdisplay(32'h8000_0002, \"edge %0d rtl %h gates %h\", at, {rtl}, {gates});\n      \
         end\n    end\n    if (at == {vectors}) begin\n      \
         $fdisplay(32'h8000_0002, \"compared %0d differ %0d\", compared, differ);\n      $finish(0);\n    end else begin\n      \
         now <= #{input_delay} vectors[at];\n      at <= at + 1;\n    end\n  end\nendmodule\n",
        rtl = all("rtl"),
        gates = all("gates"),
    )
    .expect("room");
    text
}
