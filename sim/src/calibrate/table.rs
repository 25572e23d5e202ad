//! The energy table of a calibration, as the text of its file.

use std::fmt::Write as _;

use super::model::{Fitted, Quantity};
use super::netlist::Part;
use super::power::Power;
use super::stimulus::Stimulus;
use crate::Error;
use crate::arch::Architecture;
use crate::energy::{CalibratedEngine, EnergyTables, FORMAT, MULTIPLIER_NETS, Net};
use crate::limits::MAX_Y_BITS;

/// The table whose memories stand in, and the supply that they are at.
const MEMORIES: (&str, f64) = ("published-45nm", 1.0);
/// Bits of the one row of each kind of arithmetic.
const ROW_BITS: u32 = 32;

/// What a table is made of besides prices.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Feature size in nm: no liberty file says it.
    pub node_nm: f64,
    /// The supply in V.
    pub voltage_v: f64,
    /// The engine.
    pub arch: &'a Architecture,
    /// Its gates.
    pub power: &'a Power,
    /// ps.
    pub slowest_ps: f64,
    /// Windows that were fitted.
    pub windows: &'a [Stimulus],
    /// Cross-validated errors, in percent: mean and worst.
    pub errors_percent: (f64, f64),
    /// The same of the windows of a 2×2 array: mean and worst.
    pub array_percent: (f64, f64),
    /// fJ a cycle of flip-flops that are not counted: of the array, of each column.
    pub control_fj: (f64, f64),
    /// Texts of `[calibration]`: library, recipe, simulation, wire load.
    pub texts: [String; 4],
}

/// The file of the tables of one size of engines, or of several: facts of each and what was fitted. What the tables are called
/// together goes before a size, `sky130-16x1`, where there are several.
pub fn table(name: &str, sizes: &[(Facts<'_>, Fitted)]) -> Result<String, Error> {
    let mut writer = Writer { text: String::new(), below: "", source: String::new() };
    let Some((first, _)) = sizes.first() else {
        return Err(Error::limit("calibration", "the number of sizes", "at least 1", 0));
    };
    if let [(facts, fitted)] = sizes {
        writer.line(&format!(
            "# Gates of an engine of {}; written by `tridot calibrate`.",
            size(facts.arch)
        ));
        writer.line(FIRST_LINE);
        writer.line(&format!("format = {FORMAT}"));
        writer.size(name, facts, fitted);
    } else {
        writer.line("# Gates of engines of several sizes; written by `tridot calibrate`.");
        writer.line(FIRST_LINE);
        writer.line(&format!("format = {FORMAT}\nname = {}", quoted(name)));
        writer.below = "size.";
        for (facts, fitted) in sizes {
            writer.line(&format!("\n[[size]]\nformat = {FORMAT}"));
            let arch = facts.arch;
            writer.size(&format!("{name}-{}x{}", arch.lanes, arch.branches), facts, fitted);
        }
        writer.below = "";
    }
    writer.memories(first);
    // What is written can be read.
    EnergyTables::from_toml(&writer.text)?;
    Ok(writer.text)
}

/// What a file says of itself at once.
const FIRST_LINE: &str = "# ENERGY.md, section 9, says how, and how far off it is on windows and layers that it was not fitted to.";

fn size(arch: &Architecture) -> String {
    format!("{} lanes × {} branches", arch.lanes, arch.branches)
}

struct Writer {
    text: String,
    /// What all heads lie below.
    below: &'static str,
    /// Of all rows that gates gave.
    source: String,
}

/// The head of a row.
#[derive(Clone, Copy)]
enum Head<'a> {
    /// `[toggle.tree]`.
    Only(&'a str),
    /// `[[add]]`: one of several.
    OneOf(&'a str),
}

impl Writer {
    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("a text has room");
    }

    fn row(&mut self, head: Head<'_>, extra: &str, value: f64, unit: &str, source: &str) {
        let (value, source, below) = (rounded(value), quoted(source), self.below);
        let head = match head {
            Head::Only(name) => format!("[{below}{name}]"),
            Head::OneOf(name) => format!("[[{below}{name}]]"),
        };
        self.line(&format!(
            "\n{head}\n{extra}value = {value}\nunit = \"{unit}\"\nsource = {source}"
        ));
    }

    /// All but the memories.
    fn size(&mut self, name: &str, facts: &Facts<'_>, fitted: &Fitted) {
        let engine = size(facts.arch);
        self.source =
            format!("calibrated on one engine of {engine} with its scaler, {}", facts.texts[0]);
        self.head(name, facts);
        self.prices(facts, fitted);
        self.whole(facts);
        self.arithmetic(facts, fitted);
    }

    fn head(&mut self, name: &str, facts: &Facts<'_>) {
        let Facts { arch, errors_percent, array_percent, texts, .. } = facts;
        let [library, recipe, simulation, wire_load] = texts;
        self.line(&format!("name = {}", quoted(name)));
        self.line(&format!("node_nm = {}\nvoltage_v = {}", facts.node_nm, facts.voltage_v));
        let warning = "logic against gate-level simulation before layout, without a clock tree; memories scaled from another node, not measured";
        let below = self.below;
        self.line(&format!("warning = \"{warning}\"\n\n[{below}calibration]"));
        self.line(&format!("lanes = {}\nbranches = {}", arch.lanes, arch.branches));
        for (key, value) in CalibratedEngine::of(arch).parameters() {
            let value = if key == "zero_trits" { quoted(&value) } else { value };
            self.line(&format!("{key} = {value}"));
        }
        self.line(&format!("mean_error_percent = {:.2}", errors_percent.0));
        self.line(&format!("worst_error_percent = {:.2}", errors_percent.1));
        self.line(&format!("array_mean_error_percent = {:.2}", array_percent.0));
        self.line(&format!("array_worst_error_percent = {:.2}", array_percent.1));
        self.line(&format!("library = {}\nrecipe = {}", quoted(library), quoted(recipe)));
        self.line(&format!(
            "simulation = {}\nwire_load = {}",
            quoted(simulation),
            quoted(wire_load)
        ));
        let edges: u64 = facts.windows.iter().map(Stimulus::edges).sum();
        self.line(&format!(
            "windows = \"{} of {edges} clock edges together\"",
            facts.windows.len()
        ));
    }

    /// A row a quantity that was there at all.
    fn prices(&mut self, facts: &Facts<'_>, fitted: &Fitted) {
        for (quantity, price) in &fitted.prices_fj {
            let amount = |window| quantity.amount(window, facts.arch);
            let amount: f64 = facts.windows.iter().map(amount).sum();
            if amount != 0.0 || quantity.is_of_arrays() {
                let head = quantity.row();
                self.row(Head::Only(&head), "", *price, "fJ", &self.source.clone());
            }
        }
    }

    /// Clock, leakage, slowest path, flip-flops.
    fn whole(&mut self, facts: &Facts<'_>) {
        let (power, source) = (facts.power, self.source.clone());
        let counted = facts.arch.flip_flops().total() as f64;
        let spread = format!(
            "{source}; its {} flip-flops spread over the {counted} of the data path that are counted",
            power.flip_flops
        );
        self.row(Head::Only("clock"), "", power.flip_flop_fj(), "fJ", &source);
        let others =
            format!("{source} and on a 2×2 array; clock of the flip-flops that are not counted");
        self.row(Head::Only("control.array"), "", facts.control_fj.0, "fJ", &others);
        self.row(Head::Only("control.column"), "", facts.control_fj.1, "fJ", &others);
        self.row(Head::Only("leakage"), "", power.leakage_nw / power.area_um2(), "nW/um2", &source);
        let slowest = format!("{source}; static timing, reset and layer registers constant");
        self.row(Head::Only("max_clock"), "", 1e6 / facts.slowest_ps, "MHz", &slowest);
        self.row(
            Head::Only("area_flip_flop"),
            "",
            power.flip_flop_area_um2 / counted,
            "um2",
            &spread,
        );
    }

    /// Adders and multipliers, for area and for the vector unit.
    fn arithmetic(&mut self, facts: &Facts<'_>, fitted: &Fitted) {
        let (arch, source) = (facts.arch, self.source.clone());
        let area = |part: Part| facts.power.logic_area_um2[part as usize];
        let adder_bits = adder_bits(arch) as f64;
        let per_bit = (area(Part::Bus) + area(Part::Engine) + area(Part::Tree)) / adder_bits;
        let cells = f64::from(arch.accumulator_bits * arch.scale_bits);
        let multiplier =
            area(Part::Scaler) / arch.multipliers as f64 - f64::from(MAX_Y_BITS) * per_bit;
        let row_cells = f64::from(ROW_BITS * ROW_BITS);
        let bits = format!("bits = {ROW_BITS}\n");
        let of_engine = format!(
            "{source}; cells of buses, leaves, trees and accumulators over their {adder_bits} adder bits"
        );
        self.row(Head::OneOf("area_add"), &bits, per_bit * f64::from(ROW_BITS), "um2", &of_engine);
        let of_scaler = format!(
            "{source}; cells of a scaler without its adder of y, per product of operand bits"
        );
        let value = multiplier.max(0.0) / cells * row_cells;
        self.row(Head::OneOf("area_multiply"), &bits, value, "um2", &of_scaler);
        let price = |net: Net| fitted.price(Quantity::Toggle(net));
        let total = |net: Net| -> f64 {
            facts.windows.iter().map(|window| Quantity::Toggle(net).amount(window, arch)).sum()
        };
        let adder = price(Net::Tree).max(price(Net::Accumulators));
        let of_tree = format!(
            "{source}; half of the bits toggle, as dear as those of trees and accumulators"
        );
        self.row(Head::OneOf("add"), &bits, adder * f64::from(ROW_BITS) / 2.0, "fJ", &of_tree);
        let operations: u64 =
            facts.windows.iter().map(|window| window.counts.scaler_operations).sum();
        let energy: f64 = MULTIPLIER_NETS.iter().map(|&net| price(net) * total(net)).sum();
        let of_operations =
            format!("{source}; mean of the scalers' operations, per product of operand bits");
        let value = energy / operations.max(1) as f64 / cells * row_cells;
        self.row(Head::OneOf("multiply"), &bits, value, "fJ", &of_operations);
    }

    /// No liberty file has memories: those of another table, scaled to first order.
    fn memories(&mut self, facts: &Facts<'_>) {
        let (name, volts) = MEMORIES;
        let text = EnergyTables::builtin_text(name).expect("it is built in");
        let source: toml::Table = text.parse().expect("a test reads every built-in table");
        let node = source["node_nm"].as_integer().expect("a number") as f64;
        let factor = rounded(facts.node_nm / node * (facts.voltage_v / volts).powi(2));
        let scaled = format!(
            "node_nm = {node}\nscaled_by = {{ factor = {factor}, formula = \"({} / {node}) · ({} V / {volts} V)^2\", \
             source = 'first order: capacitance with the feature size, energy with C·V^2 (Dennard et al., IEEE JSSC 9(5), 1974); not measured' }}\n",
            facts.node_nm, facts.voltage_v
        );
        for kind in ["memory_read", "memory_write"] {
            for row in source[kind].as_array().expect("rows") {
                let number = |key: &str| {
                    let whole = row[key].as_integer().map(|number| number as f64);
                    whole.or(row[key].as_float()).expect("a number")
                };
                let place = format!(
                    "capacity_kib = {}\nwidth_bits = {}\n{scaled}",
                    number("capacity_kib"),
                    number("width_bits")
                );
                let source = row["source"].as_str().expect("a text");
                self.row(Head::OneOf(kind), &place, number("value"), "pJ", source);
            }
        }
    }
}

/// Bits of the adders of leaves, trees and accumulators, as ENERGY.md, section 5, counts them.
fn adder_bits(arch: &Architecture) -> u64 {
    let leaf = u64::from(arch.activation_bits_per_step) + 1;
    let level = |level: usize| (arch.lanes >> level) as u64 * (leaf + level as u64);
    let trees: u64 = (0..=arch.tree_levels()).map(level).sum();
    let accumulators = arch.segments() as u64 * u64::from(arch.accumulator_bits);
    arch.engines() as u64 * arch.branches as u64 * (trees + accumulators)
}

/// Six digits, which are more than are known.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().expect("a number")
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
