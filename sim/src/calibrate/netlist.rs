//! A synthesized netlist: cells of a library, and the nets between them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Error;
use crate::liberty::{Cell, Library};

/// Most cells of a netlist.
const MAX_GATES: usize = 1 << 24;

/// What drives or is driven: a net by its index, or a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A net.
    Net(usize),
    /// 0 or 1; a bit that nothing drives is 0.
    Constant(bool),
}

/// A port of the design, its least significant bit first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What each bit is.
    pub bits: Vec<Signal>,
}

/// The part of the machine that a cell belongs to, by the module that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Row and column buses with the control of the steps: module `tridot_array`.
    Bus,
    /// Operand registers, leaves, accumulators: module `tridot_engine`.
    Engine,
    /// Adder trees: module `tridot_tree`.
    Tree,
    /// Shadow bank, parameters, and the scalers with their control.
    Scaler,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bus, Self::Engine, Self::Tree, Self::Scaler];

    /// What it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bus => "buses",
            Self::Engine => "engines",
            Self::Tree => "trees",
            Self::Scaler => "scalers",
        }
    }

    /// By the path of the instance.
    fn of(path: &str) -> Self {
        let has = |scope: &str| path.contains(scope);
        if has("tree.") {
            Self::Tree
        } else if has("engine.") {
            Self::Engine
        } else if has("array.") {
            Self::Bus
        } else {
            Self::Scaler
        }
    }
}

/// An instance of a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate<'l> {
    /// The cell.
    pub cell: &'l Cell,
    /// Where it belongs.
    pub part: Part,
    /// In the order of the cell's inputs.
    pub inputs: Vec<Signal>,
    /// In the order of the cell's outputs; none where nothing is connected.
    pub outputs: Vec<Option<usize>>,
}

/// Gates and the nets between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Netlist<'l> {
    /// Input ports, by name.
    pub inputs: BTreeMap<String, Port>,
    /// Output ports, by name.
    pub outputs: BTreeMap<String, Port>,
    /// All instances.
    pub gates: Vec<Gate<'l>>,
    /// The combinational gates, each after all that drive it.
    pub order: Vec<usize>,
    /// Of each net: the gate and its output; none for a bit of an input port.
    pub drivers: Vec<Option<(usize, usize)>>,
    /// Of each net: gates and their inputs.
    pub sinks: Vec<Vec<(usize, usize)>>,
}

#[derive(Deserialize)]
struct Design {
    modules: BTreeMap<String, Module>,
}

#[derive(Deserialize)]
struct Module {
    ports: BTreeMap<String, RawPort>,
    cells: BTreeMap<String, RawCell>,
}

#[derive(Deserialize)]
struct RawPort {
    direction: String,
    bits: Vec<Bit>,
}

#[derive(Deserialize)]
struct RawCell {
    #[serde(rename = "type")]
    kind: String,
    connections: BTreeMap<String, Vec<Bit>>,
}

/// A net's number, or a constant: "0", "1", "x", "z".
#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum Bit {
    Net(u64),
    Constant(String),
}

/// Nets by the numbers of the file.
#[derive(Default)]
struct Nets {
    indices: BTreeMap<u64, usize>,
}

impl Nets {
    fn signal(&mut self, bit: &Bit) -> Signal {
        match bit {
            Bit::Constant(value) => Signal::Constant(value == "1"),
            Bit::Net(number) => {
                let next = self.indices.len();
                Signal::Net(*self.indices.entry(*number).or_insert(next))
            }
        }
    }
}

impl<'l> Netlist<'l> {
    /// Reads the JSON form of Yosys of a flat module `top` whose cells are all of a library.
    pub fn from_yosys(text: &str, top: &str, library: &'l Library) -> Result<Self, Error> {
        let place = "netlist";
        let wrong = |reason: String| Error::malformed(place, reason).on_one_line();
        let mut design: Design =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let module = design.modules.remove(top);
        let module = module.ok_or_else(|| wrong(format!("has no module `{top}`")))?;
        if MAX_GATES < module.cells.len() {
            let limit = format!("at most {MAX_GATES}");
            return Err(Error::limit(place, "the number of cells", limit, module.cells.len()));
        }
        let mut nets = Nets::default();
        let (mut inputs, mut outputs) = (BTreeMap::new(), BTreeMap::new());
        for (name, port) in &module.ports {
            let bits = port.bits.iter().map(|bit| nets.signal(bit)).collect();
            let port_of = Port { name: name.clone(), bits };
            match port.direction.as_str() {
                "input" => inputs.insert(name.clone(), port_of),
                "output" => outputs.insert(name.clone(), port_of),
                _ => return Err(wrong(format!("port `{name}` is no input or output"))),
            };
        }
        let mut gates = Vec::with_capacity(module.cells.len());
        for (name, raw) in &module.cells {
            let cell = library.cells.get(&raw.kind).ok_or_else(|| {
                wrong(format!("cell `{name}` is a `{}`, which the library has not", raw.kind))
            })?;
            gates.push(gate(name, cell, raw, &mut nets).map_err(wrong)?);
        }
        connected(inputs, outputs, gates, nets.indices.len()).map_err(wrong)
    }
}

fn gate<'l>(
    name: &str,
    cell: &'l Cell,
    raw: &RawCell,
    nets: &mut Nets,
) -> Result<Gate<'l>, String> {
    let mut pin = |pin: &str| -> Result<Option<Signal>, String> {
        match raw.connections.get(pin).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([bit]) => Ok(Some(nets.signal(bit))),
            Some(bits) => {
                Err(format!("cell `{name}`: pin `{pin}` must have one bit, got {}", bits.len()))
            }
        }
    };
    let mut inputs = Vec::with_capacity(cell.inputs.len());
    for input in &cell.inputs {
        inputs.push(pin(&input.name)?.unwrap_or(Signal::Constant(false)));
    }
    let mut outputs = Vec::with_capacity(cell.outputs.len());
    for output in &cell.outputs {
        outputs.push(match pin(&output.name)? {
            Some(Signal::Net(net)) => Some(net),
            None => None,
            Some(Signal::Constant(_)) => {
                return Err(format!("cell `{name}` drives a constant"));
            }
        });
    }
    Ok(Gate { cell, part: Part::of(name), inputs, outputs })
}

/// Drivers and sinks, and an order without loops.
fn connected(
    inputs: BTreeMap<String, Port>,
    outputs: BTreeMap<String, Port>,
    gates: Vec<Gate<'_>>,
    nets: usize,
) -> Result<Netlist<'_>, String> {
    let (mut drivers, mut sinks) = (vec![None; nets], vec![Vec::new(); nets]);
    let mut is_driven = vec![false; nets];
    let mut drive = |net: usize| {
        if std::mem::replace(&mut is_driven[net], true) {
            return Err(format!("net {net} is driven twice"));
        }
        Ok(())
    };
    for signal in inputs.values().flat_map(|port| &port.bits) {
        if let Signal::Net(net) = *signal {
            drive(net)?;
        }
    }
    for (at, gate) in gates.iter().enumerate() {
        for (pin, output) in gate.outputs.iter().enumerate() {
            if let Some(net) = *output {
                drive(net)?;
                drivers[net] = Some((at, pin));
            }
        }
        for (pin, input) in gate.inputs.iter().enumerate() {
            if let Signal::Net(net) = *input {
                sinks[net].push((at, pin));
            }
        }
    }
    if let Some(net) = (0..nets).find(|&net| !is_driven[net] && !sinks[net].is_empty()) {
        return Err(format!("net {net} is driven by nothing"));
    }
    let order = order(&gates, &drivers, &sinks)?;
    Ok(Netlist { inputs, outputs, gates, order, drivers, sinks })
}

/// The combinational gates, each after those that drive it.
fn order(
    gates: &[Gate<'_>],
    drivers: &[Option<(usize, usize)>],
    sinks: &[Vec<(usize, usize)>],
) -> Result<Vec<usize>, String> {
    let is_combinational = |gate: usize| gates[gate].cell.flip_flop.is_none();
    let waits_for = |gate: &Gate<'_>| {
        let by_gate = |signal: &&Signal| matches!(signal, Signal::Net(net) if drivers[*net].is_some_and(|(gate, _)| is_combinational(gate)));
        gate.inputs.iter().filter(by_gate).count()
    };
    let mut waiting: Vec<usize> = gates.iter().map(waits_for).collect();
    let ready = |&gate: &usize| is_combinational(gate) && waiting[gate] == 0;
    let mut order: Vec<usize> = (0..gates.len()).filter(ready).collect();
    let mut next = 0;
    while let Some(&gate) = order.get(next) {
        next += 1;
        for net in gates[gate].outputs.iter().flatten() {
            for &(sink, _) in &sinks[*net] {
                waiting[sink] -= 1;
                if waiting[sink] == 0 && is_combinational(sink) {
                    order.push(sink);
                }
            }
        }
    }
    let combinational = (0..gates.len()).filter(|&gate| is_combinational(gate)).count();
    if order.len() == combinational {
        return Ok(order);
    }
    Err(format!("{} cells lie in combinational loops", combinational - order.len()))
}
