//! Hand-worked prices, and what a table may not hold.
#![expect(
    clippy::float_cmp,
    reason = "numbers of a file, and sums of few exact ones, come out exactly"
)]

use super::*;
use crate::counts::{Counts, ToggleCounts, Toggles};
use crate::units::Cycles;

fn published() -> EnergyTable {
    EnergyTable::builtin("published-45nm").unwrap()
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
    Priced { counts, toggles, input_bits: 8, output_bits: 8 }
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
    let mut text = EnergyTable::builtin_text("published-45nm").unwrap().to_owned();
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
    let table = EnergyTable::from_toml(&calibrated()).unwrap();
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
    let text = EnergyTable::builtin_text("published-45nm").unwrap();
    let refusal = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        EnergyTable::from_toml(&text.replacen(from, to, 1)).unwrap_err().to_string()
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
         `area_add`, `area_multiply`, `area_flip_flop`, `toggle`, `handover`, `select`, `control`, `clock`, `leakage`, `max_clock`, `calibration`"
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
    let text = EnergyTable::builtin_text("published-45nm").unwrap();
    let with = |row: &str| {
        EnergyTable::from_toml(&text.replacen(
            "value = 0.03\n",
            &format!("value = 0.03\n{row}\n"),
            1,
        ))
    };
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
    for name in EnergyTable::builtin_names() {
        let table = EnergyTable::builtin(name).unwrap();
        assert_eq!(table.name, name);
        // Memories of a calibrated table come from another one.
        assert_eq!(table.scaled_rows.len(), usize::from(table.calibration.is_some()));
        assert!(table.warning.is_some(), "none is measured in silicon");
    }
    assert_eq!(published().n_rows, 34);
}
