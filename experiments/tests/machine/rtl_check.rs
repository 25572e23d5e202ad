//! `rtl check` under Verilator: a few arrays in every run, many in a long one, whole networks where there is data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::folder;
use super::hardware::output;

/// Keys of an architecture file and their values; the others are those of `tiny`.
type Changes = &'static [(&'static str, &'static str)];

/// Three arrays that differ in what is built.
const FEW: [(&str, Changes); 3] = [
    ("one", &[("lanes", "4")]),
    ("two", &[("lanes", "4"), ("branches", "2"), ("rows", "2")]),
    ("bits", &[("lanes", "4"), ("activation_bits_per_step", "1")]),
];

/// What a simulator is built for, and what the architectures that share it set in the layer's registers.
const MANY: [(&str, Changes, &[Changes]); 9] = [
    ("one", &[("lanes", "4")], &[FLAT, TAP, DIAGONAL, IDLE]),
    (
        "two",
        &[
            ("rows", "2"),
            ("columns", "3"),
            ("lanes", "8"),
            ("branches", "2"),
            ("tree_levels_per_stage", "2"),
            ("scaler_stages", "1"),
            ("multipliers", "2"),
        ],
        &[FLAT, TAP, DIAGONAL, IDLE],
    ),
    (
        "gate",
        &[
            ("rows", "3"),
            ("columns", "2"),
            ("lanes", "8"),
            ("tree_levels_per_stage", "3"),
            ("zero_trits", "\"gate\""),
            ("scaler_stages", "2"),
        ],
        &[FLAT, TAP, DIAGONAL, IDLE],
    ),
    (
        "nibbles",
        &[
            ("rows", "2"),
            ("columns", "2"),
            ("lanes", "8"),
            ("branches", "2"),
            ("activation_bits_per_step", "4"),
            ("segments", "2"),
            ("scaler_stages", "3"),
        ],
        &[SEGMENTS, SEGMENTS_TAP, SEGMENTS_IDLE],
    ),
    (
        "pairs",
        &[
            ("rows", "2"),
            ("lanes", "4"),
            ("zero_trits", "\"gate\""),
            ("activation_bits_per_step", "2"),
            ("segments", "4"),
            ("multipliers", "2"),
        ],
        &[SEGMENTS, SEGMENTS_TAP],
    ),
    (
        "bits",
        &[
            ("columns", "2"),
            ("lanes", "4"),
            ("activation_bits_per_step", "1"),
            ("scaler_stages", "6"),
            ("multipliers", "3"),
        ],
        &[FLAT, TAP, DIAGONAL],
    ),
    (
        "three",
        &[
            ("rows", "2"),
            ("columns", "2"),
            ("lanes", "4"),
            ("branches", "3"),
            ("scaler_stages", "5"),
            ("accumulator_bits", "24"),
        ],
        &[FLAT, DIAGONAL, IDLE],
    ),
    (
        "deep",
        &[
            ("columns", "2"),
            ("lanes", "16"),
            ("branches", "2"),
            ("tree_levels_per_stage", "4"),
            ("multipliers", "8"),
            ("scale_bits", "18"),
        ],
        &[FLAT, TAP, DIAGONAL],
    ),
    (
        "lane",
        &[("rows", "4"), ("lanes", "1"), ("branches", "2"), ("zero_trits", "\"gate\"")],
        &[FLAT, IDLE],
    ),
];

const FLAT: Changes = &[("mode", "\"column\"")];
const TAP: Changes = &[("mode", "\"column\""), ("chunking", "\"tap\"")];
const DIAGONAL: Changes = &[("mode", "\"diagonal\"")];
const IDLE: Changes = &[("mode", "\"diagonal\""), ("clock_gating", "\"idle\"")];
const SEGMENTS: Changes = &[("mode", "\"segments\"")];
const SEGMENTS_TAP: Changes = &[("mode", "\"segments\""), ("chunking", "\"tap\"")];
const SEGMENTS_IDLE: Changes = &[("mode", "\"segments\""), ("clock_gating", "\"idle\"")];

/// Whether tests that take minutes shall run.
pub(super) fn is_long() -> bool {
    ["CI", "RUN_SLOW_TESTS"].iter().any(|name| std::env::var_os(name).is_some())
}

/// Whether Verilator is there and the run long enough; else a told skip.
pub(super) fn runs(test: &str, is_slow: bool) -> bool {
    let answers = || Command::new("verilator").arg("--version").output();
    let has_verilator = answers().is_ok_and(|output| output.status.success());
    let reason = match (has_verilator, is_slow && !is_long()) {
        (true, false) => return true,
        (false, _) => "no verilator",
        (true, true) => "slow",
    };
    skip(test, reason);
    false
}

pub(super) fn skip(test: &str, reason: &str) {
    println!("{test}: skipped: {reason}");
    if let Some(path) = std::env::var_os("TRIDOT_SKIPPED") {
        use std::io::Write as _;
        let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}

/// Writes an architecture file that differs from `tiny` in these keys.
pub(super) fn write_arch<'a>(
    folder: &Path,
    name: &str,
    changes: impl Iterator<Item = &'a (&'static str, &'static str)>,
) {
    let tiny = output(folder, "archs --show tiny", 0);
    let mut lines: Vec<String> = tiny.lines().map(str::to_owned).collect();
    let mut set = |key: &str, value: &str| {
        let start = format!("{key} = ");
        let at = lines.iter().position(|line| line.starts_with(&start));
        if let Some(at) = at {
            lines[at] = start + value;
        } else {
            // Segments are a key of this mode alone.
            let mode = lines.iter().position(|line| line.starts_with("mode = ")).unwrap();
            lines.insert(mode + 1, start + value);
        }
    };
    set("name", &format!("\"{name}\""));
    for (key, value) in changes {
        set(key, value);
    }
    std::fs::write(folder.join(format!("{name}.toml")), lines.join("\n")).unwrap();
}

/// Runs `rtl check` and asserts that nothing differs; the report.
fn check(folder: &Path, subject: &str, archs: &[String]) -> Value {
    let archs: Vec<String> = archs.iter().map(|name| format!("--arch {name}.toml")).collect();
    let archs = archs.join(" ");
    let start = Instant::now();
    let said = output(folder, &format!("rtl check {subject} {archs} -o builds --json"), 0);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["mismatches"], 0, "{report}");
    assert_eq!(report["cycles_rtl"], report["cycles_stepped"]);
    assert_eq!(report["cycles_rtl"], report["cycles_fast"]);
    println!(
        "rtl check {subject}: {} architectures, {} runs of a layer; {} values, {} edges, {} accumulators and {} cycles \
         compared, {} differ; {}; {} s",
        report["architectures"].as_array().unwrap().len(),
        report["layers"],
        report["values_compared"],
        report["edges_compared"],
        report["accumulators_compared"],
        report["cycles_rtl"],
        report["mismatches"],
        report["layer_kinds"],
        start.elapsed().as_secs()
    );
    report
}

/// Three small arrays, builds included, in less than three minutes; builds are used again.
#[test]
fn rtl_of_three_small_arrays_is_the_models() {
    if !runs("rtl check of three arrays", false) {
        return;
    }
    let folder = folder();
    for (name, changes) in FEW {
        write_arch(folder.path(), name, changes.iter());
    }
    let names = FEW.map(|(name, _)| name.to_owned());
    let start = Instant::now();
    let report = check(folder.path(), "--random 14", &names);
    assert_eq!(report["layers"], 3 * 14);
    let seconds = start.elapsed().as_secs();
    assert!(seconds < 180, "{seconds} s");
    let report = check(folder.path(), "net.safetensors", &names);
    // Two maps of 144 and two logits on each array; the add is of the vector unit.
    assert_eq!(report["values_compared"], 3 * (2 * 144 + 2));
    assert_eq!(report["layers_not_covered"], serde_json::json!(["sum"]));
    let reused = report["architectures"].as_array().unwrap();
    assert!(reused.iter().all(|arch| arch["is_build_reused"] == true));
}

/// Every parameter of the array, every mode of a layer: 28 architectures × 24 layers.
#[test]
fn rtl_of_many_arrays_is_the_models() {
    const LAYERS: u64 = 24;
    if !runs("rtl check of many arrays", true) {
        return;
    }
    let folder = folder();
    let mut names = Vec::new();
    for (build, changes, variants) in MANY {
        for (i, variant) in variants.iter().enumerate() {
            let name = format!("{build}-{i}");
            write_arch(folder.path(), &name, changes.iter().chain(*variant));
            names.push(name);
        }
    }
    let report = check(folder.path(), &format!("--random {LAYERS} --seed 5"), &names);
    let archs = report["architectures"].as_array().unwrap();
    assert_eq!((archs.len(), &report["layers"]), (28, &(28 * LAYERS).into()));
    let built = archs.iter().filter(|arch| arch["is_build_reused"] == false);
    assert_eq!(built.count(), MANY.len());
    // Depthwise layers run on every architecture, so in all three modes.
    assert!(archs.iter().all(|arch| arch["layer_kinds"]["depthwise"].as_u64() >= Some(2)));
    for kind in ["dense", "strided", "depthwise", "linear", "dbq_1", "dbq_2", "dbq_3_or_more"] {
        assert!(20 <= report["layer_kinds"][kind].as_u64().unwrap(), "{kind}: {report}");
    }
    let more = ["fixed", "signed_codes", "several_passes", "several_slices", "several_images"];
    for kind in more.into_iter().chain(["scaler_bound", "does_not_divide"]) {
        assert!(28 <= report["layer_kinds"][kind].as_u64().unwrap(), "{kind}: {report}");
    }
}

/// All dot-product layers of two trained networks, one of them with depthwise layers in all three modes.
#[test]
fn rtl_of_whole_trained_networks_is_the_models() {
    let test = "rtl check of trained networks";
    if !runs(test, true) {
        return;
    }
    let data = std::env::var_os("TRIDOT_DATA").map(PathBuf::from).filter(|data| data.is_dir());
    let Some(data) = data else { return skip(test, "no data") };
    let folder = folder();
    let array: Changes = &[("rows", "2"), ("columns", "4"), ("lanes", "16"), ("branches", "2")];
    let mut modes = Vec::new();
    for (mode, changes) in [("flat", FLAT), ("diagonal", DIAGONAL), ("segments", SEGMENTS)] {
        // A segment of 16 lanes holds the nine taps.
        let segments: Changes =
            if mode == "segments" { &[("segments", "2"), ("lanes", "32")] } else { &[] };
        write_arch(folder.path(), mode, array.iter().chain(changes).chain(segments));
        modes.push(mode.to_owned());
    }
    // As many values as the layers have outputs: NHWC of every convolution, and the logits.
    let networks = [
        ("resnet20_cifar10", "cifar-10-batches-bin", 1, 7 * 16384 + 6 * 8192 + 6 * 4096 + 10),
        ("vww_mobilenetv1_0.25_96_mlperf", "vww01", 3, 231_554),
    ];
    for (weights, pictures, archs, values) in networks {
        let (weights, pictures) =
            (data.join(format!("weights/{weights}.safetensors")), data.join(pictures));
        let (weights, pictures) = (weights.display(), pictures.display());
        let quantize = "--branches 2 --calibration-samples 64 -o trained.safetensors";
        output(folder.path(), &format!("quantize {weights} --data {pictures} {quantize}"), 0);
        let record = "--samples 1 -o trace.safetensors";
        output(folder.path(), &format!("record trained.safetensors --data {pictures} {record}"), 0);
        let subject = "trained.safetensors --trace trace.safetensors";
        let report = check(folder.path(), subject, &modes[..archs]);
        assert_eq!(report["values_compared"], values * archs as u64);
    }
}
