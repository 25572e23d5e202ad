//! Does a calibration run, on gates that equal the RTL, and give a table that `simulate` and `rtl energy` take?
#![expect(clippy::unwrap_used, reason = "a test's functions, too, stop where something is missing")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Says that a test did not run, on standard output and in the list that `cargo ci` prints.
#[expect(clippy::print_stdout, reason = "whoever runs the tests sees what did not run")]
fn skip(test: &str, reason: &str) {
    println!("{test}: skipped: {reason}");
    if let Some(file) = std::env::var_os("TRIDOT_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}

/// The library's file, where data and tools are there and slow tests run.
fn library(test: &str) -> Option<PathBuf> {
    if !["CI", "RUN_SLOW_TESTS"].iter().any(|name| std::env::var_os(name).is_some()) {
        skip(test, "slow");
        return None;
    }
    for (tool, flag) in [("yosys", "-V"), ("iverilog", "-V")] {
        let mut command = Command::new(tool);
        let command = command.arg(flag).stdout(Stdio::null()).stderr(Stdio::null());
        if !command.status().is_ok_and(|status| status.success()) {
            skip(test, &format!("no {tool}"));
            return None;
        }
    }
    let path = std::env::var_os("TRIDOT_DATA")
        .map(|root| PathBuf::from(root).join("pdk/sky130hd_tt_025C_1v80.lib"))
        .filter(|path| path.exists());
    if path.is_none() {
        skip(test, "no data");
    }
    path
}

#[test]
fn small_engines_are_calibrated() {
    let Some(library) = library("calibration of small engines") else { return };
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("small.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_tridot"))
        .args([
            "calibrate",
            "--json",
            "--node-nm",
            "130",
            "--lanes",
            "4,2",
            "--branches",
            "1",
            "--edges",
            "64",
        ])
        .arg("--liberty")
        .arg(&library)
        .arg("-o")
        .arg(&table)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = std::fs::read_to_string(&table).unwrap();
    let tables = tridot_sim::energy::EnergyTables::from_toml(&text).unwrap();
    let sizes = report["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 2);
    for ((report, table), lanes) in sizes.iter().zip(tables.sizes()).zip([2, 4]) {
        // 68 windows of 64 edges of the engine and 25 of half as many of the array, without delays and with them.
        assert!(2 * (68 * 64 + 25 * 32) <= report["edges_compared"].as_u64().unwrap(), "{report}");
        let mean = report["mean_error_percent"].as_f64().unwrap();
        assert!(mean < 6.0, "short windows of a small engine are foretold within 6 %: {mean}");
        let glitches = report["glitch_factor"].as_f64().unwrap();
        assert!((1.05..2.0).contains(&glitches), "delays add toggles: {glitches}");
        let engine = &table.calibrations[0];
        assert_eq!((engine.lanes, engine.branches), (lanes, 1));
        assert_eq!(report["lanes"], lanes);
        assert!((5.0..500.0).contains(&report["max_clock_mhz"].as_f64().unwrap()));
    }
}

#[test]
fn libraries_without_power_tables_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silent.lib");
    let text = "library (silent) {\n time_unit : \"1ns\"; voltage_unit : \"1V\"; leakage_power_unit : \"1nW\";\n \
                capacitive_load_unit (1, pf); nom_voltage : 1; nom_temperature : 25;\n cell (inv) { area : 1;\n \
                pin (A) { direction : input; capacitance : 1; }\n pin (Y) { direction : output; function : \"!A\"; } } }\n";
    std::fs::write(&path, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tridot"))
        .args(["calibrate", "--node-nm", "45", "--arch", "tiny", "-o"])
        .arg(folder.path().join("table.toml"))
        .arg("--liberty")
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("silent.lib, line 4: cell `inv` has no internal_power"), "{said}");
}
