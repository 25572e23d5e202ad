//! The commands of the machine on a small network. Snapshots of what they print.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

#[path = "machine/faults.rs"]
mod faults;
#[path = "machine/hardware.rs"]
mod hardware;
#[path = "machine/rtl_check.rs"]
mod rtl_check;

use tridot_sim::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};

/// A 3×3 convolution of two branches, a residual add and a classifier of fixed weights, on 6×6 pixels.
fn network(name: &str) -> Network {
    let tensor = |shape, bits, sign| TensorType { shape, bits, sign, scale: 1.0 };
    let (picture, map) = (Shape::new(6, 6, 3), Shape::new(6, 6, 4));
    let codes = |n: usize, levels: usize| (0..n).map(move |i| (7 * i + i / 5) % levels);
    let convolution = |channels: usize| {
        let n = 9 * channels * 4;
        Operator::Dot(Dot {
            geometry: Geometry::Convolution { window: Window::square(3, 1), pads: Pads::all(1) },
            weights: Weights::Dbq {
                branches: 2,
                codes: codes(n, 9).map(|code| u8::try_from(code).unwrap()).collect(),
            },
            multipliers: vec![40, 13, 37, 11, 41, 17, 43, 9],
            bias: vec![500; 4],
            output: DotOutput::Requantize(Requantize { shift: 8, low: 0, high: 255 }),
        })
    };
    let linear = Operator::Dot(Dot {
        geometry: Geometry::Linear,
        weights: Weights::Fixed {
            bits: 4,
            values: codes(288, 15).map(|code| i16::try_from(code).unwrap() - 7).collect(),
        },
        multipliers: vec![3, -2],
        bias: vec![0; 2],
        output: DotOutput::Raw,
    });
    let add = Operator::Add {
        multipliers: [64, 64],
        requantize: Requantize { shift: 7, low: 0, high: 255 },
    };
    let layer = |name: &str, inputs: &[usize], operator, output| Layer {
        name: name.to_owned(),
        inputs: inputs.iter().map(|&id| TensorId(id)).collect(),
        operator,
        output,
    };
    let codes = tensor(map, 8, Sign::Unsigned);
    Network::new(Description {
        name: name.to_owned(),
        digits: Digits::Csd,
        scale_bits: 8,
        input: Input {
            tensor: tensor(picture, 8, Sign::Unsigned),
            tables: vec![std::array::from_fn(|pixel| i16::try_from(pixel).unwrap()); 3],
        },
        layers: vec![
            layer("first", &[0], convolution(3), codes),
            layer("second", &[1], convolution(4), codes),
            layer("sum", &[1, 2], add, codes),
            layer("classes", &[3], linear, tensor(Shape::new(1, 1, 2), 48, Sign::Signed)),
        ],
        provenance: Provenance { mean: vec![0.0; 3], std: vec![1.0; 3], ..Provenance::default() },
    })
    .unwrap()
}

/// A folder with `net.safetensors` and `other.safetensors`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["net", "other"] {
        let file = folder.path().join(format!("{name}.safetensors"));
        std::fs::write(file, network(name).to_bytes()).unwrap();
    }
    folder
}

fn tridot(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tridot"))
        .args(arguments.split(' '))
        .current_dir(folder)
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

/// Everything that runs in a folder show: exit code, standard output, standard error.
fn shown(folder: &Path, runs: &[&str]) -> String {
    let show = |arguments: &&str| {
        let output = tridot(folder, arguments);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code().unwrap();
        format!("$ tridot {arguments}\n{out}{err}exit code {code}\n")
    };
    runs.iter().map(show).collect::<Vec<_>>().join("\n")
}

#[test]
fn built_in_architectures_and_energy_tables() {
    let folder = folder();
    insta::assert_snapshot!(shown(
        folder.path(),
        &["archs", "energies", "energies --json", "archs --show huge", "energies --show gold"]
    ));
}

#[test]
fn simulations() {
    let folder = folder();
    insta::assert_snapshot!(shown(
        folder.path(),
        &[
            "record net.safetensors --synthetic --samples 2 -o trace.safetensors",
            "inspect trace.safetensors",
            "simulate net.safetensors --arch edge",
            "simulate net.safetensors --arch tiny --trace trace.safetensors --json",
        ]
    ));
}

#[test]
fn refusals_of_one_line() {
    let folder = folder();
    let record = "record net.safetensors --synthetic -o trace.safetensors";
    assert_eq!(tridot(folder.path(), record).status.code(), Some(0));
    let narrow = tridot(folder.path(), "archs --show edge").stdout;
    let narrow = String::from_utf8(narrow)
        .unwrap()
        .replace("accumulator_bits = 32", "accumulator_bits = 12");
    std::fs::write(folder.path().join("narrow.toml"), narrow).unwrap();
    insta::assert_snapshot!(shown(
        folder.path(),
        &[
            "simulate net.safetensors --arch narrow.toml",
            "simulate other.safetensors --arch edge --trace trace.safetensors",
            "simulate net.safetensors --arch edge --trace net.safetensors",
            "simulate trace.safetensors --arch edge",
            "simulate net.safetensors --arch ./edge",
            "simulate net.safetensors --arch huge",
            "simulate net.safetensors --arch edge --energy narrow.toml",
            "simulate net.safetensors --arch edge --model stepped --one-tile-of 2",
            "check net.safetensors --synthetic --samples 1 --arch edge,narrow.toml",
        ]
    ));
}

#[test]
fn both_models_say_the_same() {
    let folder = folder();
    let run = |model: &str| {
        let arguments = format!("simulate net.safetensors --arch serial --model {model} --json");
        String::from_utf8(tridot(folder.path(), &arguments).stdout).unwrap()
    };
    assert_eq!(run("stepped").replace("\"stepped\"", "\"fast\""), run("fast"));
}

#[test]
fn every_preset_passes_the_check() {
    let folder = folder();
    let arguments = "check net.safetensors --synthetic --samples 2 --arch all --json";
    let output = tridot(folder.path(), arguments);
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["mismatches"], &report["cycles_fast"]),
        (&0.into(), &report["cycles_stepped"])
    );
    let architectures = report["architectures"].as_array().unwrap();
    assert_eq!(architectures.len(), 6);
    for architecture in architectures {
        // Two pictures of two maps and two logits; four layers of each.
        assert_eq!(architecture["values_compared"], 2 * (2 * 144 + 2));
        assert_eq!(architecture["layers_counted"], 8);
    }
}

/// The RTL runs the three dot-product layers of each picture.
#[test]
fn the_check_adds_the_rtl_where_it_is_asked_for() {
    if !rtl_check::runs("check --rtl", true) {
        return;
    }
    let folder = folder();
    let arguments = "check net.safetensors --synthetic --samples 2 --arch tiny --rtl --json";
    let output = tridot(folder.path(), arguments);
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rtl = &report["architectures"][0]["rtl"];
    assert_eq!((&rtl["layers"], &rtl["values_compared"]), (&6.into(), &(2 * (2 * 144 + 2)).into()));
    assert_eq!((&rtl["mismatches"], &report["mismatches"]), (&0.into(), &0.into()));
    for cycles in ["cycles_stepped", "cycles_fast"] {
        assert_eq!(rtl[cycles], rtl["cycles_rtl"]);
    }
    // The add is of the vector unit, whose cycles the other models have, too.
    assert_eq!(report["cycles_rtl"], rtl["cycles_rtl"]);
    assert!(report["cycles_rtl"].as_u64() < report["cycles_stepped"].as_u64());
    assert_eq!(report["layers_not_covered"], serde_json::json!(["sum"]));
    let documented = include_str!("../../docs/json.md");
    let fields = report.as_object().unwrap().keys().chain(rtl.as_object().unwrap().keys());
    for field in fields.filter(|field| *field != "format" && *field != "command") {
        let named = [format!("`{field}`"), format!("`{field}[]`"), format!("`{field}{{}}`")];
        assert!(named.iter().any(|name| documented.contains(name)), "{field}");
    }
}

#[test]
fn records_are_kept_once() {
    let folder = folder();
    let simulate = |arch: &str, more: &str| {
        let arguments = format!("simulate net.safetensors --arch {arch} -o results{more}");
        assert_eq!(tridot(folder.path(), &arguments).status.code(), Some(0), "{arguments}");
        let text = std::fs::read_to_string(folder.path().join("results/records.csv")).unwrap();
        tridot_reports::store::Store::from_csv(&text).unwrap().records().to_vec()
    };
    assert_eq!(simulate("edge", "").len(), 1);
    assert_eq!(simulate("edge", "").len(), 1);
    assert_eq!(simulate("wide", "").len(), 2);
    let records = simulate("wide", " --one-tile-of 3");
    assert_eq!(records.len(), 3);
    assert_eq!(
        records[0].command,
        "tridot simulate net.safetensors --arch edge --energy published-45nm --model fast -o results"
    );
    assert!(records.iter().all(|record| record.layers.len() == 4 && record.area.is_some()));
}

#[test]
fn results_of_commands_at_the_same_time_are_all_kept() {
    let folder = folder();
    std::fs::copy(folder.path().join("net.safetensors"), folder.path().join("a net.safetensors"))
        .unwrap();
    let archs = ["tiny", "edge", "serial", "segments", "deep", "wide"];
    let start = |arch: &&str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tridot"));
        let arguments = ["simulate", "a net.safetensors", "--arch", arch, "-o", "results"];
        command.current_dir(folder.path()).args(arguments).stdout(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    let mut running: Vec<_> = archs.iter().map(start).collect();
    assert!(running.iter_mut().all(|child| child.wait().unwrap().success()));
    let text = std::fs::read_to_string(folder.path().join("results/records.csv")).unwrap();
    let store = tridot_reports::store::Store::from_csv(&text).unwrap();
    assert_eq!(store.records().len(), archs.len());
    let warning = "the input is synthetic: toggles and energy are not those of real pictures";
    for record in store.records() {
        assert!(record.command.starts_with("tridot simulate 'a net.safetensors' --arch "));
        assert_eq!(record.warnings[0], warning);
    }
}

#[test]
fn a_table_of_other_engines_says_so() {
    let folder = folder();
    let warnings = |arch: &str| {
        let arguments =
            format!("simulate net.safetensors --arch {arch} --energy sky130 --any-clock --json");
        let output = tridot(folder.path(), &arguments);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let warnings = report["warnings"].as_array().unwrap().clone();
        warnings.into_iter().map(|warning| warning.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of_engines =
        |warning: &&String| warning.starts_with("prices and slowest path are of engines");
    assert_eq!(warnings("edge").iter().filter(of_engines).count(), 0);
    let serial = warnings("serial");
    assert_eq!(
        serial.iter().find(of_engines).unwrap(),
        "prices and slowest path are of engines with activation_bits_per_step 8, not 1; \
         zero_trits none, not gate: not calibrated"
    );
    let segments = warnings("segments");
    assert!(
        segments.iter().find(of_engines).unwrap().contains("segments 1, not 2"),
        "{segments:?}"
    );
}
