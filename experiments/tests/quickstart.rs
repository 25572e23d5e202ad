//! Is the road the same twice, on any number of threads, and after it was killed?
#![cfg(test)]
#![cfg(feature = "train")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A road of seconds: one float network, one fine-tuned and one merely quantized, two arrays.
const ROAD: &str = r#"
format = 1
name = "short"
check_samples = 2
trace_samples = 1
architectures = ["tiny", "edge"]
energy = "published-45nm"
float = { train = "float.toml" }
variant = [{ name = "b1", train = "b1.toml" }, { name = "f8", quantize = "f8.toml" }]
"#;

const FLOAT: &str = r#"
format = 1
network = "quickstart"
start = "scratch"
synthetic = { training = 640, test = 100 }
stage = [{ weights = "float", epochs = 2, batch = 64, learning_rate = 0.1 }]
"#;

const B1: &str = r#"
format = 1
network = "quickstart"
start = "checkpoint"
synthetic = { training = 640, test = 100 }
quantization = { others = "dbq(1)" }

[[stage]]
weights = "quantized"
epochs = 2
batch = 64
learning_rate = 0.02
temperature = { from = 10.0, to = 100.0 }
"#;

const F8: &str = "format = 1\nothers = \"fixed(8)\"\ncalibration = { samples = 64 }\n";

fn plans(folder: &Path) {
    for (name, text) in
        [("road.toml", ROAD), ("float.toml", FLOAT), ("b1.toml", B1), ("f8.toml", F8)]
    {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn quickstart(folder: &Path, out: &str, threads: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tridot"));
    command.args([
        "quickstart",
        "--plan",
        "road.toml",
        "--out",
        out,
        "--threads",
        threads,
        "--quiet",
    ]);
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn finish(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a command says that must be refused.
fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

/// Every file that a result is read from. Logs and checkpoints say when and where they were made.
fn results(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["", "networks", "traces", "fronts", "layers", "plans"] {
        for entry in fs::read_dir(out.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            // A killed run may leave a half-written file, which nothing reads.
            let is_hidden = path.file_name().unwrap().to_str().unwrap().starts_with(".tridot-");
            if path.is_file() && !is_hidden {
                let name = path.strip_prefix(out).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (results(one), results(other));
    assert!(one.keys().eq(other.keys()), "{:?} and {:?}", one.keys(), other.keys());
    for (name, bytes) in &one {
        assert!(*bytes == other[name], "{name} differs");
    }
}

fn is_long_run() -> bool {
    ["CI", "RUN_SLOW_TESTS"].iter().any(|name| std::env::var_os(name).is_some())
}

#[test]
fn a_road_gives_the_same_bytes_on_one_thread_and_two_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    plans(folder.path());
    finish(quickstart(folder.path(), "one", "1"));
    let one = folder.path().join("one");
    for file in ["COMMANDS.md", "records.csv", "table.md", "index.html", "networks/b1.safetensors"]
    {
        assert!(one.join(file).is_file(), "{file}");
    }
    if !is_long_run() {
        return;
    }
    finish(quickstart(folder.path(), "two", "2"));
    assert_same(&one, &folder.path().join("two"));
    for (number, milliseconds) in [40, 150, 400, 900, 1600, 2500].into_iter().enumerate() {
        let out = format!("killed{number}");
        let mut child = quickstart(folder.path(), &out, "2").spawn().unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(milliseconds) {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        finish(quickstart(folder.path(), &out, "2"));
        assert_same(&one, &folder.path().join(out));
    }
}

#[test]
fn a_folder_of_something_else_and_a_road_without_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    plans(folder.path());
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/notes.txt"), "mine").unwrap();
    assert_eq!(
        refusal(&mut quickstart(folder.path(), "full", "1")),
        "tridot: full: must be new, empty or of the same road, got a folder with `notes.txt`\n"
    );
    let road = ROAD.replace("float = { train = \"float.toml\" }\n", "");
    fs::write(folder.path().join("road.toml"), road).unwrap();
    assert_eq!(
        refusal(&mut quickstart(folder.path(), "new", "1")),
        "tridot: --from: the road starts from a trained float network: name it\n"
    );
    fs::write(folder.path().join("road.toml"), ROAD.replace("\"edge\"", "\"edge2\"")).unwrap();
    let line = refusal(&mut quickstart(folder.path(), "new", "1"));
    assert!(
        line.starts_with("tridot: road.toml: no built-in architecture `edge2`: there are"),
        "{line}"
    );
    fs::write(
        folder.path().join("road.toml"),
        ROAD.replace("check_samples = 2", "check_sample = 2"),
    )
    .unwrap();
    let line = refusal(&mut quickstart(folder.path(), "new", "1"));
    assert!(
        line.starts_with("tridot: road.toml: line 4, column 1: unknown field `check_sample`"),
        "{line}"
    );
}

#[test]
fn a_road_that_a_later_stage_would_refuse_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    plans(folder.path());
    for (from, to, refused) in [
        (
            "trace_samples = 1",
            "trace_samples = 5000",
            "road.toml: trace_samples must be between 1 and 4096, got ",
        ),
        ("\"edge\"", "\"edge\", \"edge\"", "road.toml: the architecture `edge` is given twice"),
        (
            "quantize = \"f8.toml\"",
            "quantize = \"float.toml\"",
            "road.toml: float.toml: must be a quantization plan: ",
        ),
    ] {
        fs::write(folder.path().join("road.toml"), ROAD.replace(from, to)).unwrap();
        let line = refusal(&mut quickstart(folder.path(), "new", "1"));
        assert!(line.starts_with(&format!("tridot: {refused}")), "{line}");
    }
    fs::write(folder.path().join("road.toml"), ROAD).unwrap();
    for (name, text, from, to, refused) in [
        ("float.toml", FLOAT, "\"quickstart\"", "\"quickstar\"", "float.toml: network: "),
        ("b1.toml", B1, "\"checkpoint\"", "\"scratch\"", "b1.toml: must start from a checkpoint"),
    ] {
        fs::write(folder.path().join(name), text.replace(from, to)).unwrap();
        let line = refusal(&mut quickstart(folder.path(), "new", "1"));
        assert!(line.starts_with(&format!("tridot: road.toml: {refused}")), "{line}");
        fs::write(folder.path().join(name), text).unwrap();
    }
    let road = ROAD.replace("float = { train = \"float.toml\" }\n", "");
    fs::write(folder.path().join("road.toml"), road).unwrap();
    let mut command = quickstart(folder.path(), "new", "1");
    let line = refusal(command.args(["--from", "nope"]));
    assert!(line.starts_with("tridot: no trained network `nope`"), "{line}");
    let mut command = quickstart(folder.path(), "new", "1");
    let line = refusal(command.args(["--from", "resnet20-cifar10-b2", "--data", "nope"]));
    assert!(line.starts_with("tridot: nope: "), "{line}");
    assert!(!folder.path().join("new").exists(), "a refused road makes nothing");
}
