//! Hand-worked prices, and what a table may not hold.
#![expect(
    clippy::float_cmp,
    reason = "numbers of a file, and sums of few exact ones, come out exactly"
)]

use super::*;
use crate::counts::{Counts, ToggleCounts, Toggles};
use crate::units::Cycles;

fn published() -> EnergyTable {
    EnergyTables::builtin("published-45nm").unwrap().of(&tiny())
}

fn read(text: &str) -> Result<EnergyTable, Error> {
    EnergyTables::from_toml(text).map(|tables| tables.sizes()[0].clone())
}

fn tiny() -> Architecture {
    Architecture::preset("tiny").unwrap()
}

/// 4 KiB of codes, 1 KiB of trits.
const STORAGE: Storage = Storage { activation_bits: 4 * 8192, weight_bits: 8192 };

/// The events of ENERGY.md's worked case.
fn events() -> (Counts, ToggleCounts) {
    let counts = Counts {
        cycles: Cycles(200),
        steps: 100,
        activation_reads: 1600,
        weight_reads: 1600,
        output_writes: 10,
        scaler_operations: 10,
        ..Counts::default()
    };
    let mut counted = Toggles {
        activation_bus: 5000,
        weight_bus: 1500,
        leaves: 3000,
        accumulators: 400,
        scaler_y: 80,
        ..Toggles::default()
    };
    counted.tree[0] = 2000;
    counted.tree[3] = 500;
    (counts, ToggleCounts { counted, tiles_counted: 10, tiles: 10 })
}

fn layer<'a>(counts: &'a Counts, toggles: Option<&'a ToggleCounts>) -> Priced<'a> {
    Priced { counts, toggles, input_bits: 8.0, output_bits: 8 }
}

#[track_caller]
fn close(got: Picojoules, expected: f64) {
    assert!((got.value() - expected).abs() < 1e-5, "{} is not {expected}", got.value());
}

#[test]
fn the_worked_case_of_energy_md() {
    let prices = Prices::new(&published(), &tiny(), STORAGE).unwrap();
    let (counts, toggles) = events();
    let priced = prices.layer("layer", &layer(&counts, Some(&toggles))).unwrap();
    // 128-bit words lie half-way between 64 and 256 bits: (3.3 + 9.4) / 2 = 6.35 pJ a read of 4 KiB.
    close(priced.activation_reads, 1600.0 * 8.0 * 6.35 / 128.0);
    // 32-bit ports take 64-bit words of 1 KiB.
    close(priced.weight_reads, 1600.0 * 2.0 * 1.6 / 64.0);
    close(priced.output_writes, 10.0 * 8.0 * (6.0 + 16.0) / 2.0 / 128.0);
    // Leaves have 9 bits: 0.0325 pJ an addition, 4.5 bits of which toggle.
    close(priced.leaves, 3000.0 * 0.0325 / 4.5);
    // Levels 1 and 4 have 10 and 13 bits.
    close(priced.tree, 2000.0 * 0.035 / 5.0 + 500.0 * 0.0425 / 6.5);
    close(priced.accumulators, 400.0 * 0.1 / 16.0);
    // 32 × 16 bits lie between 8 × 8 and 32 × 32; 48-bit sums beyond 32 bits.
    close(priced.scaler, 10.0 * (0.2 + 2.9 * 448.0 / 960.0) + 80.0 * 0.15 / 24.0);
    for part in [priced.activation_bus, priced.weight_bus, priced.clock, priced.leakage] {
        assert_eq!(part, Picojoules::default(), "nothing is published for it");
    }
    close(priced.total(), 635.0 + 80.0 + 6.875 + 21.666_667 + 17.269_231 + 2.5 + 16.033_333);
}

#[test]
fn a_sample_of_tiles_stands_for_all() {
    let prices = Prices::new(&published(), &tiny(), STORAGE).unwrap();
    let (counts, mut toggles) = events();
    let all = prices.layer("layer", &layer(&counts, Some(&toggles))).unwrap();
    toggles.tiles = 30;
    let sampled = prices.layer("layer", &layer(&counts, Some(&toggles))).unwrap();
    close(sampled.tree, 3.0 * all.tree.value());
    assert_eq!(sampled.weight_reads, all.weight_reads);
}

#[test]
fn logic_has_no_price_without_toggles() {
    let prices = Prices::new(&published(), &tiny(), STORAGE).unwrap();
    let (counts, _) = events();
    let refusal = prices.layer("layer `a`", &layer(&counts, None)).unwrap_err();
    assert_eq!(refusal.to_string(), "layer `a`: its logic cannot be priced without toggles");
}

#[test]
fn the_vector_unit_by_hand() {
    let prices = Prices::new(&published(), &tiny(), STORAGE).unwrap();
    let counts = Counts {
        vector_multiplies: 20,
        vector_adds: 10,
        vector_reads: 20,
        vector_writes: 10,
        ..Counts::default()
    };
    let priced = prices.layer("layer", &layer(&counts, None)).unwrap();
    let arithmetic = 20.0 * (0.2 + 2.9 * 64.0 / 960.0) + 10.0 * 0.15;
    close(priced.vector, arithmetic + 160.0 * 6.35 / 128.0 + 80.0 * 11.0 / 128.0);
    assert_eq!(priced.total(), priced.vector);
}

#[test]
fn a_large_memory_is_made_of_banks_and_a_small_one_of_the_smallest() {
    let storage = Storage { activation_bits: 100, weight_bits: 5 * 1024 * 8192 / 2 };
    let prices = Prices::new(&published(), &tiny(), storage).unwrap();
    let (small, large) = (prices.activation_memory, prices.weight_memory);
    assert_eq!((small.banks, small.bank_kib, small.word_bits), (1, 1.0, 128.0));
    assert_eq!((large.banks, large.needed_kib, large.word_bits), (3, 2560.0, 64.0));
    assert!((large.bank_kib - 2560.0 / 3.0).abs() < 1e-9);
}

#[test]
fn rows_outside_the_grid_are_refused() {
    let table = published();
    let refusal = |kib, bits| table.memory_read.at("t", kib, bits).unwrap_err().to_string();
    assert_eq!(
        refusal(0.5, 64.0),
        "t: the capacity in KiB must be between 1 and 1024, as the rows are, got 0.5"
    );
    assert_eq!(
        refusal(1.0, 512.0),
        "t: the width in bits must be between 64 and 256, as the rows are, got 512"
    );
    // 8 KiB lies half-way between 4 and 16 KiB.
    assert_eq!(table.memory_read.at("t", 8.0, 64.0), Ok(f64::midpoint(3.3, 8.9)));
    assert_eq!(table.memory_read.at("t", 1024.0, 256.0), Ok(208.0));
}

/// A table such as a calibration writes: every net, the clock, leakage, flip-flops, the slowest path.
fn calibrated() -> String {
    let nets = [
        "activation_bus",
        "weight_bus",
        "operand",
        "leaves",
        "tree",
        "accumulators",
        "scaler_operand",
        "scaler_partial_products",
        "scaler_product",
        "scaler_y",
    ];
    let row = |key: &str, value: f64, unit: &str| {
        format!("\n[{key}]\nvalue = {value}\nunit = \"{unit}\"\nsource = \"by hand\"\n")
    };
    let mut text = EnergyTables::builtin_text("published-45nm").unwrap().to_owned();
    for (net, value) in nets.iter().zip(1..) {
        text += &row(&format!("toggle.{net}"), f64::from(value), "fJ");
    }
    text += &row("clock", 2.0, "fJ");
    text += &row("leakage", 10.0, "nW/um2");
    text += &row("area_flip_flop", 5.0, "um2");
    text + &row("max_clock", 450.0, "MHz")
}

#[test]
fn a_calibrated_table_prices_every_net_the_clock_and_leakage() {
    let table = read(&calibrated()).unwrap();
    let arch = tiny();
    let prices = Prices::new(&table, &arch, STORAGE).unwrap();
    let (mut counts, mut toggles) = events();
    counts.flip_flop_cycles.tree = 7000;
    toggles.counted.operand = 100;
    toggles.counted.scaler_operand = 300;
    toggles.counted.scaler_partial_products = 1000;
    toggles.counted.scaler_product = 200;
    let priced = prices.layer("layer", &layer(&counts, Some(&toggles))).unwrap();
    close(priced.activation_bus, 5.0);
    close(priced.weight_bus, 3.0);
    close(priced.leaves, 0.3 + 12.0);
    close(priced.tree, 12.5);
    close(priced.accumulators, 2.4);
    // With nets of its own the multiplier has no price an operation beside them.
    close(priced.scaler, 2.1 + 8.0 + 1.8 + 0.80);
    close(priced.clock, 14.0);
    let area = Area::of(&table, &arch);
    let flip_flops = area.flip_flops.unwrap().0;
    assert!((flip_flops - 5.0 * arch.flip_flops().total() as f64).abs() < 1e-6);
    // 200 cycles at 200 MHz are 1 µs.
    assert_eq!(arch.clock.0, 200.0);
    close(priced.leakage, 10.0 * area.total().0 * 1e-3);
    let mut fast = arch.into_parameters();
    fast.clock.0 = 500.0;
    let fast = Architecture::new(fast).unwrap();
    assert_eq!(
        Prices::new(&table, &fast, STORAGE).unwrap_err().to_string(),
        "architecture `tiny`: clock_mhz must be at most 450, the slowest path of energy table \
         `published-45nm`, got 500"
    );
}

#[test]
fn area_of_tiny_by_hand() {
    // 1 engine of 16 lanes, 1 branch: 16 leaves of 9 bits; 8, 4, 2, 1 adders of 10 … 13 bits; one
    // accumulator; 31 µm² more from 8 to 16 bits.
    let arch = tiny();
    let area = Area::of(&published(), &arch);
    let adder = |bits: f64| 36.0 + 31.0 * (bits - 8.0) / 8.0;
    assert_eq!(area.leaves.0, 16.0 * adder(9.0));
    let tree = 8.0 * adder(10.0) + 4.0 * adder(11.0) + 2.0 * adder(12.0) + adder(13.0);
    assert!((area.tree.0 - tree).abs() < 1e-9);
    assert_eq!((area.accumulators.0, area.flip_flops), (137.0, None));
    let multiplier = 282.0 + 3213.0 * 448.0 / 960.0;
    let scaler = arch.multipliers as f64 * (multiplier + 137.0 * 1.5);
    assert!((area.scaler.0 - scaler).abs() < 1e-9);
}

#[test]
fn what_a_table_may_not_hold() {
    let text = EnergyTables::builtin_text("published-45nm").unwrap();
    let refusal = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        read(&text.replacen(from, to, 1)).unwrap_err().to_string()
    };
    let first = "energy table `published-45nm`, add of 8 bits";
    let between = "must be between 0 and 1000000000, got";
    assert_eq!(refusal("0.03", "-0.03"), format!("{first}: value {between} -0.03"));
    assert_eq!(refusal("0.03", "nan"), format!("{first}: value {between} NaN"));
    assert_eq!(refusal("0.03", "inf"), format!("{first}: value {between} inf"));
    assert_eq!(refusal("\"pJ\"", "\"J\""), format!("{first}: unit must be pJ or fJ, got J"));
    assert_eq!(
        refusal("bits = 16", "bits = 8"),
        "energy table `published-45nm`, add: two rows for 8"
    );
    assert_eq!(
        refusal("capacity_kib = 4\n", "capacity_kib = 1\n"),
        "energy table `published-45nm`, memory_read: two rows for 1 KiB and 64 bits"
    );
    assert_eq!(
        refusal("capacity_kib = 4\n", "capacity_kib = 5\n"),
        "energy table `published-45nm`, memory_read: no row for 4 KiB and 64 bits"
    );
    assert_eq!(refusal("format = 1", "format = 2"), "energy table: format must be 1, got 2");
    assert_eq!(
        refusal("node_nm = 45", "node_nm = 45\nnodes = 2"),
        "energy table, line 6, column 1: unknown field `nodes`, expected one of `format`, `name`, \
         `node_nm`, `voltage_v`, `warning`, `add`, `multiply`, `memory_read`, `memory_write`, \
         `area_add`, `area_multiply`, `area_flip_flop`, `toggle`, `handover`, `handover_to_empty`, `handover_to_full`, `select`, `control`, `clock`, `leakage`, `max_clock`, `calibration`"
    );
    assert_eq!(
        refusal("value = 0.03\n", "value = 0.03\nvalue = 0.04\n"),
        "energy table, line 12, column 1: duplicate key"
    );
    let source = "source = 'Horowitz, \"Computing’s Energy Problem\", ISSCC 2014, 45 nm, 0.9 V'\n";
    assert_eq!(refusal(source, ""), "energy table, line 9, column 1: missing field `source`");
    assert_eq!(
        refusal(source, "source = ' '\n"),
        format!("{first}: source must be between 1 and 1024 bytes long, got 1")
    );
}

#[test]
fn rows_of_another_node_say_how_they_were_scaled() {
    let text = EnergyTables::builtin_text("published-45nm").unwrap();
    let with =
        |row: &str| read(&text.replacen("value = 0.03\n", &format!("value = 0.03\n{row}\n"), 1));
    let place = "energy table `published-45nm`, add of 8 bits";
    assert_eq!(
        with("node_nm = 28").unwrap_err().to_string(),
        format!(
            "{place}: a row of 28 nm in a table of 45 nm needs scaled_by (factor, formula, source)"
        )
    );
    let scaled = "scaled_by = { factor = 2.0, formula = \"C·V²\", source = \"by hand\" }";
    assert_eq!(
        with(scaled).unwrap_err().to_string(),
        format!("{place}: scaled_by goes with a node_nm that is not the table's")
    );
    let table = with(&format!("node_nm = 28\n{scaled}")).unwrap();
    assert_eq!(table.scaled_rows, ["add of 8 bits: from 28 nm by 2 = C·V² (by hand)"]);
    assert_eq!(table.add.at(8.0), 0.06);
}

#[test]
fn every_built_in_table_reads_under_its_own_name() {
    for name in EnergyTables::builtin_names() {
        let tables = EnergyTables::builtin(name).unwrap();
        assert_eq!(tables.name, name);
        for table in tables.sizes() {
            // Memories of a calibrated table come from another one.
            assert_eq!(table.scaled_rows.len(), table.calibrations.len());
            assert!(table.warning.is_some(), "none is measured in silicon");
        }
    }
    assert_eq!(EnergyTables::builtin("published-45nm").unwrap().n_rows, 34);
}

/// Sizes of a file as (lanes, branches, value of its leaves, MHz).
fn sizes(sizes: &[(usize, usize, f64, f64)]) -> String {
    let row = |key: &str, extra: &str, value: f64, unit: &str| {
        format!("\n{key}\n{extra}value = {value}\nunit = \"{unit}\"\nsource = \"by hand\"\n")
    };
    let mut text = "format = 1\nname = \"hand\"\n".to_owned();
    for &(lanes, branches, leaves, mhz) in sizes {
        let head = format!(
            "\n[[size]]\nformat = 1\nname = \"hand-{lanes}x{branches}\"\nnode_nm = 45\nvoltage_v = 0.9\n\
             [size.calibration]\nlanes = {lanes}\nbranches = {branches}\ntree_levels_per_stage = 2\n\
             activation_bits_per_step = 8\naccumulator_bits = 32\nzero_trits = \"none\"\n\
             segments = 1\nscaler_stages = 4\n\
             mean_error_percent = 1.0\nworst_error_percent = 2.0\narray_mean_error_percent = 1.0\narray_worst_error_percent = 2.0\n\
             library = \"l\"\nrecipe = \"r\"\nsimulation = \"s\"\nwire_load = \"w\"\nwindows = \"none\"\n"
        );
        text += &head;
        for (kind, unit) in
            [("add", "fJ"), ("multiply", "fJ"), ("area_add", "um2"), ("area_multiply", "um2")]
        {
            text += &row(&format!("[[size.{kind}]]"), "bits = 32\n", 8.0, unit);
        }
        text += &row("[size.toggle.leaves]", "", leaves, "fJ");
        text += &row("[size.max_clock]", "", mhz, "MHz");
    }
    for kind in ["memory_read", "memory_write"] {
        text += &row(&format!("[[{kind}]]"), "capacity_kib = 4\nwidth_bits = 64\n", 1.0, "pJ");
    }
    text
}

fn engine(lanes: usize, branches: usize) -> Architecture {
    let mut parameters = tiny().into_parameters();
    (parameters.lanes, parameters.branches, parameters.multipliers) = (lanes, branches, branches);
    Architecture::new(parameters).unwrap()
}

#[test]
fn prices_lie_between_those_of_the_sizes_around() {
    let text = sizes(&[
        (32, 2, 60.0, 250.0),
        (8, 1, 10.0, 1000.0),
        (8, 2, 20.0, 500.0),
        (32, 1, 30.0, 500.0),
    ]);
    let tables = EnergyTables::from_toml(&text).unwrap();
    let leaves = |lanes, branches| {
        let table = tables.of(&engine(lanes, branches));
        let price = table.toggle(Net::Leaves).unwrap() * 1e3;
        (
            (price * 1e6).round() / 1e6,
            table.max_clock_mhz().unwrap().round(),
            table.calibrations.len(),
        )
    };
    assert_eq!(leaves(8, 1), (10.0, 1000.0, 1));
    assert_eq!(leaves(32, 2), (60.0, 250.0, 1));
    // 16 lies half-way from 8 to 32 in logarithms; a path of 1 ns and one of 2 ns have one of 1.5 ns between them.
    assert_eq!(leaves(16, 1), (20.0, 667.0, 2));
    assert_eq!(leaves(16, 2), (40.0, 333.0, 2));
    // Beyond the sizes those of the nearest.
    assert_eq!(leaves(64, 2), (60.0, 250.0, 1));
    assert_eq!(leaves(4, 4), (20.0, 500.0, 1));
    // Two rows of memories, and six of each size.
    assert_eq!(tables.n_rows, 26);
    assert_eq!(tables.of(&engine(16, 1)).name, "hand");
}

#[test]
fn between_in_both_directions_lie_four_sizes() {
    let text =
        sizes(&[(8, 1, 10.0, 9.0), (8, 4, 30.0, 9.0), (32, 1, 50.0, 9.0), (32, 4, 90.0, 9.0)]);
    let table = EnergyTables::from_toml(&text).unwrap().of(&engine(16, 2));
    assert!((table.toggle(Net::Leaves).unwrap() * 1e3 - 45.0).abs() < 1e-9);
    assert_eq!(table.calibrations.len(), 4);
}

#[test]
fn sizes_that_are_no_grid_or_differ_are_refused() {
    let refusal = |text: &str| EnergyTables::from_toml(text).unwrap_err().to_string();
    let place = "energy table `hand`";
    let grid = format!("{place}: its sizes are no full grid of lanes and branches, each once");
    let (a, b) = ((8, 1, 1.0, 9.0), (16, 2, 1.0, 9.0));
    assert_eq!(refusal(&sizes(&[a, b])), grid);
    assert_eq!(refusal(&sizes(&[a, a])), grid);
    assert_eq!(refusal(&sizes(&[a, b, (8, 2, 1.0, 9.0)])), grid);
    let two = sizes(&[a, (16, 1, 1.0, 9.0)]);
    let changed = |from: &str, to: &str| refusal(&two.replacen(from, to, 1));
    let differ = |what: &str| format!("{place}: sizes `hand-8x1` and `hand-16x1` differ in {what}");
    assert_eq!(changed("node_nm = 45", "node_nm = 7"), differ("node_nm"));
    assert_eq!(changed("per_stage = 2", "per_stage = 4"), differ("what else their engines are"));
    assert_eq!(changed("toggle.leaves", "toggle.tree"), differ("their rows of toggle"));
    assert_eq!(changed("\nbits = 32", "\nbits = 16"), differ("the widths of their rows"));
    assert_eq!(
        changed(
            "\n[size.calibration]",
            "\n[[size.memory_read]]\ncapacity_kib = 4\nwidth_bits = 64\nvalue = 1\nunit = \"pJ\"\nsource = \"s\"\n[size.calibration]"
        ),
        format!("{place}: memories are of all sizes, not of `hand-8x1` alone")
    );
    assert_eq!(
        refusal("format = 1\nname = \"hand\"\nsize = []\nmemory_read = []\nmemory_write = []\n"),
        format!("{place}: the number of sizes must be between 1 and 256, got 0")
    );
    let uncalibrated = format!("{two}[[size]]\nname = \"n\"\n");
    assert!(
        refusal(&uncalibrated).contains("missing field `format`"),
        "{}",
        refusal(&uncalibrated)
    );
}
