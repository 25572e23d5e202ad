//! What a toggle of each net costs, what an edge of the clock costs, leakage and area.

use super::netlist::{Gate, Netlist, Part, Signal};
use super::timing::Timing;
use crate::liberty::Edges;

/// A quantity of each part of the machine, in the order of [`Part::ALL`].
pub type ByPart = [f64; Part::ALL.len()];

/// Energies of a netlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Power {
    /// Of each net: fJ a toggle, by part. The driver's internal energy belongs to the driver; half of C·V² of a pin and of the wire
    /// to it, and what a change of that pin alone costs, to the cell that it reaches.
    pub toggle_fj: Vec<ByPart>,
    /// fJ a clock cycle, by part.
    pub clock_fj: ByPart,
    /// Flip-flops.
    pub flip_flops: usize,
    /// nW.
    pub leakage_nw: f64,
    /// µm² of flip-flops.
    pub flip_flop_area_um2: f64,
    /// µm² of all other cells, by part.
    pub logic_area_um2: ByPart,
}

impl Power {
    /// Adds up the tables of all cells.
    pub fn new(netlist: &Netlist<'_>, timing: &Timing, voltage_v: f64, wire_ff: f64) -> Self {
        let square = voltage_v * voltage_v;
        let mut power = Self {
            toggle_fj: vec![[0.0; Part::ALL.len()]; netlist.sinks.len()],
            clock_fj: [0.0; Part::ALL.len()],
            flip_flops: 0,
            leakage_nw: 0.0,
            flip_flop_area_um2: 0.0,
            logic_area_um2: [0.0; Part::ALL.len()],
        };
        for gate in &netlist.gates {
            power.add_gate(gate, timing, square, wire_ff);
        }
        // What the clock's own net costs is in `clock_fj`.
        let clock = netlist.inputs.get("clk").and_then(|port| port.bits.first());
        for (net, sinks) in netlist.sinks.iter().enumerate() {
            if clock == Some(&Signal::Net(net)) {
                continue;
            }
            for &(gate, pin) in sinks {
                let gate = &netlist.gates[gate];
                let load = gate.cell.inputs[pin].capacitance_ff + wire_ff;
                power.toggle_fj[net][gate.part as usize] += 0.5 * load * square;
            }
        }
        power
    }

    fn add_gate(&mut self, gate: &Gate<'_>, timing: &Timing, square: f64, wire_ff: f64) {
        let (cell, part) = (gate.cell, gate.part as usize);
        self.leakage_nw += cell.leakage_nw;
        let clock = cell.flip_flop.map(|flip_flop| flip_flop.clock);
        if let Some(clock) = clock {
            let pin = &cell.inputs[clock];
            let both_edges = 2.0 * mean(&pin.energy, timing.clock_slope_ps, 0.0);
            self.clock_fj[part] += both_edges + (pin.capacitance_ff + wire_ff) * square;
            self.flip_flops += 1;
            self.flip_flop_area_um2 += cell.area_um2;
        } else {
            self.logic_area_um2[part] += cell.area_um2;
        }
        for (pin, input) in cell.inputs.iter().enumerate() {
            if let (Signal::Net(net), true) = (gate.inputs[pin], Some(pin) != clock) {
                self.toggle_fj[net][part] += mean(&input.energy, timing.slopes_ps[net], 0.0);
            }
        }
        let slopes = (0..cell.inputs.len()).map(|input| timing.slope(gate, input));
        let slope = slopes.sum::<f64>() / cell.inputs.len() as f64;
        for (output, net) in cell.outputs.iter().zip(&gate.outputs) {
            if let Some(net) = *net {
                self.toggle_fj[net][part] += mean(&output.energy, slope, timing.loads_ff[net]);
            }
        }
    }

    /// fJ of toggles of all nets by part, without clock and leakage.
    pub fn of_toggles(&self, toggles: &[u32]) -> ByPart {
        let mut energy = [0.0; Part::ALL.len()];
        for (toggles, cost) in toggles.iter().zip(&self.toggle_fj) {
            for (part, cost) in energy.iter_mut().zip(cost) {
                *part += f64::from(*toggles) * cost;
            }
        }
        energy
    }

    /// fJ a clock cycle of one flip-flop, on average.
    pub fn flip_flop_fj(&self) -> f64 {
        self.clock_fj.iter().sum::<f64>() / self.flip_flops as f64
    }

    /// µm² of all cells.
    pub fn area_um2(&self) -> f64 {
        self.flip_flop_area_um2 + self.logic_area_um2.iter().sum::<f64>()
    }
}

/// The mean over a pin's entries of both edges' mean.
fn mean(entries: &[Edges], slope: f64, load: f64) -> f64 {
    let sum: f64 = entries.iter().map(|edges| edges.mean(slope, load)).sum();
    sum / entries.len().max(1) as f64
}
