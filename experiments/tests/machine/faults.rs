//! Ten deliberate faults in copies of the RTL: do `rtl check` and `verify` find each, and name its kind and place?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::Value;
use tempfile::TempDir;
use tridot_sim::network::{Description, Input, Network, Sign, Window};
use tridot_sim::rtl::{Case, Kind, Recipe, Scheme};

use super::hardware::output;
use super::rtl_check::{runs, skip, write_arch};

const SCALER: &str = "tridot_scaler_column.sv";
const ENGINE: &str = "tridot_engine.sv";

/// The kind that must be told, the file, what is there, what takes its place.
type Fault = (&'static str, &'static str, &'static str, &'static str);

const FAULTS: [Fault; 10] = [
    ("sign", ENGINE, "trit[1] ? -extended : extended", "extended"),
    (
        "products of K",
        "tridot_feeder.sv",
        "< active_rows && used[n]",
        "< active_rows && used[n] && n != LANES - 1",
    ),
    ("rounding", SCALER, "(y + half) >>> shift", "y >>> shift"),
    ("saturation", SCALER, "rounded < least ? least : most", "most"),
    ("shift", SCALER, ">>> shift", ">>> (shift + 6'd1)"),
    (
        "branch scale",
        "tridot_scaler.sv",
        "32'(segment) * BRANCHES + 32'(value[j*VALUE_BITS+:VALUE_BITS]));",
        "32'(segment) * BRANCHES);",
    ),
    (
        "missing pass",
        "tridot_scaler.sv",
        ".d({starts, used,",
        ".d({starts, ends && !starts ? '0 : used,",
    ),
    ("stale accumulator", ENGINE, "acc_first ? '0 : acc_widen", "acc_widen"),
    ("order", ENGINE, "leaf_trits[(b*LANES+n)*2+:2]", "leaf_trits[(b*LANES+(n^1))*2+:2]"),
    (
        "off by one cycle",
        "tridot_machine.sv",
        ".SCALER_STAGES(SCALER_STAGES)",
        ".SCALER_STAGES(SCALER_STAGES + 1)",
    ),
];

/// A convolution of three branches, 5×4×5 to 7 channels, whose sizes divide little; pixels are its codes.
fn network() -> Network {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut draw = |below: u64| random.next_u64() % below;
    let window = Window { kernel_height: 3, kernel_width: 2, stride_height: 1, stride_width: 2 };
    let recipe = Recipe {
        kind: Kind::Convolution(window),
        weights: Scheme::Dbq(3),
        bits: 8,
        sign: Sign::Unsigned,
        input: (5, 4, 5),
        channels: 7,
        images: 1,
        raw: false,
        scale_bits: 16,
    };
    let network = Case::new("case", recipe, &mut draw).unwrap().network;
    let table = std::array::from_fn(|pixel| i16::try_from(pixel).unwrap());
    Network::new(Description {
        name: network.name.clone(),
        digits: network.digits,
        scale_bits: network.scale_bits,
        input: Input { tables: vec![table; 5], ..network.input.clone() },
        layers: network.layers.clone(),
        provenance: network.provenance.clone(),
    })
    .unwrap()
}

/// A folder with the network, the architecture, golden vectors and which signals to read.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.safetensors"), network().to_bytes()).unwrap();
    let changes = [("rows", "2"), ("columns", "3"), ("lanes", "8"), ("branches", "2")];
    write_arch(folder.path(), "array", changes.iter());
    output(folder.path(), "golden net.safetensors --arch array.toml -o vectors", 0);
    let machine = "tridot_bench_top.bench.machine";
    let signals = format!(
        "format = 1\nclock = \"{machine}.clk\"\nstart = \"{machine}.start\"\nvalid = \"{machine}.write\"\n\
         address = \"{machine}.write_address\"\ndata = \"{machine}.write_data\"\nports = 3\n"
    );
    std::fs::write(folder.path().join("signals.toml"), signals).unwrap();
    folder
}

/// A copy of the RTL with a fault, or without.
fn copy(folder: &Path, name: &str, fault: Option<Fault>) -> PathBuf {
    let copy = folder.join(name);
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(folder.join("vectors")).unwrap() {
        let from = entry.unwrap().path();
        if from.extension().is_none_or(|extension| extension != "sv") {
            continue;
        }
        let mut text = std::fs::read_to_string(&from).unwrap();
        let file = from.file_name().unwrap().to_str().unwrap();
        if let Some((_, _, old, new)) = fault.filter(|fault| fault.1 == file) {
            assert_eq!(text.matches(old).count(), 1, "{file} has `{old}` once");
            text = text.replace(old, new);
        }
        std::fs::write(copy.join(file), text).unwrap();
    }
    copy
}

fn is_a(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// Runs the test bench of a copy under Icarus; `dump` is written there. What it printed.
fn bench(folder: &Path, copy: &Path, dump: &str) -> String {
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let output = command.args(arguments).current_dir(copy).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    if !copy.join("bench.vvp").exists() {
        let mut arguments = vec!["-g2012", "-s", "tridot_bench_top", "-o", "bench.vvp"];
        let files = std::fs::read_dir(copy).unwrap().map(|entry| entry.unwrap().file_name());
        let files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
        arguments.extend(files.iter().map(String::as_str).filter(|name| is_a(name, "sv")));
        run("iverilog", &arguments);
    }
    let vectors = format!("+vectors={}", folder.join("vectors/layers/000-dot").display());
    let dumps = format!("+dump={dump}");
    let mut arguments = vec!["-N", "bench.vvp"];
    // Options of the simulator come last.
    arguments.extend([vectors.as_str(), "+events", &dumps]);
    if is_a(dump, "fst") {
        arguments.push("-fst");
    }
    run("vvp", &arguments)
}

/// The words of a file of vectors.
fn words(folder: &Path, name: &str) -> Vec<u64> {
    let text = std::fs::read_to_string(folder.join("vectors/layers/000-dot").join(name)).unwrap();
    text.lines().map(|word| u64::from_str_radix(word, 16).unwrap()).collect()
}

/// Where a value first differs from the vectors, by what the bench printed: the words of `verify`.
fn place(folder: &Path, kind: &str, events: &str) -> String {
    let (outputs, edges) = (words(folder, "outputs.hex"), words(folder, "edges.hex"));
    let mut seen = BTreeMap::new();
    for line in events.lines().filter_map(|line| line.strip_prefix("write ")) {
        let numbers: Vec<i64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let value = numbers[2].cast_unsigned() & 0xffff_ffff_ffff;
        seen.insert(usize::try_from(numbers[1]).unwrap(), (value, numbers[0].cast_unsigned()));
    }
    assert_eq!(seen.len(), outputs.len(), "{kind}: every output is written");
    let is_late = kind == "off by one cycle";
    let differs = |(at, (value, edge)): (&usize, &(u64, u64))| {
        if is_late { *edge != edges[*at] } else { *value != outputs[*at] }
    };
    let first = *seen.iter().find(|(at, seen)| differs((at, seen))).expect("it shows").0;
    // The output has 7 channels, 5 rows and 2 columns.
    let (pixel, channel) = (first / 7, first % 7);
    let what = if is_late { "edge" } else { "output" };
    format!("{what} of channel {channel}, row {}, column {}, picture 0: ", pixel / 2, pixel % 2)
}

fn has_icarus() -> bool {
    let icarus = Command::new("iverilog").arg("-V").output();
    let has = icarus.is_ok_and(|output| output.status.success());
    if !has {
        skip("faults by kind", "no iverilog");
    }
    has
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Asserts that a first mismatch, in words, is of this kind at this place.
fn assert_told(told: &Value, kind: &str, place: &str) {
    let text = told.as_str().unwrap_or_else(|| panic!("{kind}: nothing is found"));
    assert!(text.contains(place), "{kind}: not at {place}: {text}");
    let named = text.split("; ").next().unwrap();
    assert!(named.ends_with(&format!(": {kind}")), "{kind}: {text}");
}

#[test]
fn ten_faults_are_told_by_verify_from_dumps() {
    if !has_icarus() {
        return;
    }
    let folder = workplace();
    let verify = |dump: &Path, code| {
        let dump = dump.display();
        let run = format!("verify vectors --layer dot --wave {dump} --signals signals.toml --json");
        json(&output(folder.path(), &run, code))
    };
    let right = copy(folder.path(), "right", None);
    for dump in ["dump.vcd", "dump.fst"] {
        bench(folder.path(), &right, dump);
        let report = verify(&right.join(dump), 0);
        assert_eq!((&report["values_compared"], &report["mismatches"]), (&140.into(), &0.into()));
    }
    for (i, fault) in FAULTS.into_iter().enumerate() {
        let (kind, ..) = fault;
        let wrong = copy(folder.path(), &format!("fault-{i}"), Some(fault));
        for dump in ["dump.vcd", "dump.fst"] {
            let events = bench(folder.path(), &wrong, dump);
            let place = place(folder.path(), kind, &events);
            let report = verify(&wrong.join(dump), 1);
            let of = usize::from(kind == "off by one cycle");
            assert_eq!(
                report["dumps"][0]["mismatches"] == 0,
                of == 1,
                "{kind}: only time is wrong"
            );
            let dump = &report["dumps"][of];
            assert_told(&dump["first_mismatch"]["text"], kind, &place);
            assert_eq!(dump["first_mismatch"]["kind"], kind);
            let named = dump["kinds"][kind].as_u64().unwrap();
            assert!(dump["mismatches"].as_u64().unwrap() <= 2 * named, "{kind}: {dump}");
        }
    }
}

/// The same ten through Verilator, with the folder of the changed copy.
#[test]
fn ten_faults_are_told_by_rtl_check() {
    if !runs("faults by rtl check", true) || !has_icarus() {
        return;
    }
    let folder = workplace();
    let check = |copy: &Path, code| {
        let copy = copy.display();
        let run = format!("rtl check net.safetensors --arch array.toml --rtl-dir {copy} --json");
        json(&output(folder.path(), &run, code))
    };
    let report = check(&copy(folder.path(), "right", None), 0);
    assert_eq!((&report["values_compared"], &report["mismatches"]), (&70.into(), &0.into()));
    for (i, fault) in FAULTS.into_iter().enumerate() {
        let (kind, ..) = fault;
        let wrong = copy(folder.path(), &format!("fault-{i}"), Some(fault));
        let events = bench(folder.path(), &wrong, "dump.vcd");
        let report = check(&wrong, 1);
        println!("{kind}: {}", report["first_mismatch"]);
        assert_told(&report["first_mismatch"], kind, &place(folder.path(), kind, &events));
    }
}
