//! Loads, slopes and delays of a netlist, and its slowest path.

use super::netlist::{Gate, Netlist, Signal};
use crate::Error;
use crate::liberty::{Arc, Cell};

/// Slope of the clock and of input ports: that of a flip-flop's output with this many inverters on it.
const INPUT_LOADS: f64 = 4.0;

/// Loads, slopes and delays.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// Of each net, fF: pins, and a wire to each of them.
    pub loads_ff: Vec<f64>,
    /// Of each net, ps.
    pub slopes_ps: Vec<f64>,
    /// Of each gate's outputs: ps until it rises and falls, the mean of its inputs.
    pub delays_ps: Vec<Vec<(f64, f64)>>,
    /// From a clock's edge to the outputs of the registers that drive the ports, ps.
    pub input_delay_ps: f64,
    /// Slope of the clock, ps.
    pub clock_slope_ps: f64,
    /// From a clock's edge to the last edge at which a flip-flop may take its input, ps.
    pub slowest_ps: f64,
    /// The cells of that path, from its first to its last.
    pub slowest_path: Vec<String>,
}

/// When a net is last settled, and the gate that settles it.
#[derive(Clone, Copy)]
struct Arrival {
    ps: f64,
    from: Option<usize>,
}

impl Timing {
    /// Times a netlist whose wires weigh `wire_ff` for each pin that they lead to. `constant_inputs` names ports that do not
    /// change while a layer runs: no path begins there.
    pub fn new(
        netlist: &Netlist<'_>,
        wire_ff: f64,
        inverter_ff: f64,
        constant_inputs: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Error> {
        let flip_flop = netlist.gates.iter().map(|gate| gate.cell);
        let flip_flop = flip_flop.into_iter().find(|cell| cell.flip_flop.is_some());
        let flip_flop = flip_flop.ok_or_else(|| Error::malformed("netlist", "has no flip-flop"))?;
        let (input_delay_ps, slope) = ends(flip_flop, 0.0, INPUT_LOADS * inverter_ff);
        let nets = netlist.sinks.len();
        let mut timing = Self {
            loads_ff: (0..nets).map(|net| load(netlist, net, wire_ff)).collect(),
            slopes_ps: vec![slope; nets],
            delays_ps: netlist
                .gates
                .iter()
                .map(|gate| vec![(0.0, 0.0); gate.outputs.len()])
                .collect(),
            input_delay_ps,
            clock_slope_ps: slope,
            slowest_ps: 0.0,
            slowest_path: Vec::new(),
        };
        let mut arrivals = vec![Arrival { ps: 0.0, from: None }; nets];
        for (name, port) in &netlist.inputs {
            let is_constant = name == "clk" || constant_inputs(name);
            for net in port.bits.iter().filter_map(net_of) {
                arrivals[net].ps = if is_constant { 0.0 } else { input_delay_ps };
            }
        }
        let is_flip_flop = |gate: &usize| netlist.gates[*gate].cell.flip_flop.is_some();
        let flip_flops = (0..netlist.gates.len()).filter(is_flip_flop);
        for gate in flip_flops.clone().chain(netlist.order.iter().copied()) {
            timing.pass(netlist, gate, &mut arrivals);
        }
        for gate in flip_flops {
            timing.end(netlist, gate, &arrivals);
        }
        Ok(timing)
    }

    /// Delays, slopes and arrivals at the outputs of a gate.
    fn pass(&mut self, netlist: &Netlist<'_>, at: usize, arrivals: &mut [Arrival]) {
        let gate = &netlist.gates[at];
        for (pin, output) in gate.cell.outputs.iter().enumerate() {
            let Some(net) = gate.outputs[pin] else { continue };
            let load = self.loads_ff[net];
            let (mut rise, mut fall, mut slope, mut arcs) = (0.0, 0.0, 0.0, 0.0);
            let mut latest = Arrival { ps: 0.0, from: Some(at) };
            for arc in &output.arcs {
                let input = self.slope(gate, arc.input);
                let Some(delay) = arc.delay.both(input, load) else { continue };
                // Extrapolated tables may go below zero.
                let delay = (delay.0.max(0.1), delay.1.max(0.1));
                let transition = arc.transition.both(input, load).unwrap_or((input, input));
                rise += delay.0;
                fall += delay.1;
                slope += f64::midpoint(transition.0, transition.1).max(0.1);
                arcs += 1.0;
                let before = match gate.inputs[arc.input] {
                    Signal::Net(net) if gate.cell.flip_flop.is_none() => arrivals[net].ps,
                    Signal::Net(_) | Signal::Constant(_) => 0.0,
                };
                latest.ps = latest.ps.max(before + delay.0.max(delay.1));
            }
            if arcs != 0.0 {
                self.delays_ps[at][pin] = (rise / arcs, fall / arcs);
                self.slopes_ps[net] = slope / arcs;
            }
            arrivals[net] = latest;
        }
    }

    /// A path's end at the input of a flip-flop.
    fn end(&mut self, netlist: &Netlist<'_>, at: usize, arrivals: &[Arrival]) {
        let gate = &netlist.gates[at];
        let data = gate.cell.flip_flop.expect("a flip-flop").data;
        let Signal::Net(net) = gate.inputs[data] else { return };
        let setup = gate.cell.inputs[data].setup.iter();
        let setup = setup.map(|table| table.at(self.slopes_ps[net], self.clock_slope_ps));
        let total = arrivals[net].ps + setup.fold(0.0, f64::max);
        if self.slowest_ps < total {
            self.slowest_ps = total;
            self.slowest_path = path(netlist, net, arrivals);
            self.slowest_path.push(gate.cell.name.clone());
        }
    }

    /// The slope at an input of a gate.
    pub fn slope(&self, gate: &Gate<'_>, input: usize) -> f64 {
        let is_clock = gate.cell.flip_flop.is_some_and(|flip_flop| flip_flop.clock == input);
        match gate.inputs[input] {
            Signal::Net(net) if !is_clock => self.slopes_ps[net],
            Signal::Net(_) | Signal::Constant(_) => self.clock_slope_ps,
        }
    }
}

/// Pins on a net, and a wire to each.
fn load(netlist: &Netlist<'_>, net: usize, wire_ff: f64) -> f64 {
    let pin = |&(gate, pin): &(usize, usize)| {
        wire_ff + netlist.gates[gate].cell.inputs[pin].capacitance_ff
    };
    netlist.sinks[net].iter().map(pin).sum()
}

/// Delay and transition of a cell's first output.
fn ends(cell: &Cell, slope: f64, load: f64) -> (f64, f64) {
    let mean = |of: fn(&Arc) -> &crate::liberty::Edges| {
        let arcs = cell.outputs[0].arcs.iter().filter_map(|arc| of(arc).both(slope, load));
        let arcs: Vec<f64> = arcs.map(|(rise, fall)| f64::midpoint(rise, fall)).collect();
        arcs.iter().sum::<f64>() / arcs.len().max(1) as f64
    };
    (mean(|arc| &arc.delay), mean(|arc| &arc.transition))
}

const fn net_of(signal: &Signal) -> Option<usize> {
    match signal {
        Signal::Net(net) => Some(*net),
        Signal::Constant(_) => None,
    }
}

/// The cells that settle a net last, the first first.
fn path(netlist: &Netlist<'_>, net: usize, arrivals: &[Arrival]) -> Vec<String> {
    let mut path = Vec::new();
    let mut at = arrivals[net].from;
    while let Some(gate) = at {
        let gate = &netlist.gates[gate];
        path.push(gate.cell.name.clone());
        if gate.cell.flip_flop.is_some() {
            break;
        }
        let nets = gate.inputs.iter().filter_map(net_of);
        let latest = nets.max_by(|&a, &b| arrivals[a].ps.total_cmp(&arrivals[b].ps));
        at = latest.and_then(|net| arrivals[net].from);
    }
    path.reverse();
    path
}
