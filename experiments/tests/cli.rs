//! Do help, tables and errors read well? Snapshots of what the command prints.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

fn tridot(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tridot"))
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

/// Everything that a run shows: exit code, standard output, standard error.
fn shown(arguments: &[&str]) -> String {
    let output = tridot(arguments);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "$ tridot {}\n{}{}exit code {}\n",
        arguments.join(" "),
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap()
    )
}

fn all_shown(runs: &[&[&str]]) -> String {
    runs.iter().map(|arguments| shown(arguments)).collect::<Vec<_>>().join("\n")
}

#[test]
fn help_of_every_command() {
    insta::assert_snapshot!(all_shown(&[
        &["--help"],
        &["quickstart", "--help"],
        &["train", "--help"],
        &["export", "--help"],
        &["quantize", "--help"],
        &["accuracy", "--help"],
        &["check", "--help"],
        &["complexity", "--help"],
        &["inspect", "--help"],
        &["record", "--help"],
        &["simulate", "--help"],
        &["networks", "--help"],
        &["archs", "--help"],
        &["energies", "--help"],
        &["report", "--help"],
        &["rtl", "--help"],
        &["rtl", "generate", "--help"],
        &["rtl", "lint", "--help"],
        &["rtl", "check", "--help"],
        &["rtl", "waveform", "--help"],
        &["rtl", "energy", "--help"],
        &["calibrate", "--help"],
        &["golden", "--help"],
        &["verify", "--help"],
        &["bench", "--help"],
        &["bench", "training", "--help"],
    ]));
}

#[test]
fn tables_of_built_in_networks() {
    insta::assert_snapshot!(all_shown(&[
        &["networks"],
        &["complexity", "resnet20", "--uniform", "8,8"],
        &["complexity", "resnet20", "--ternary", "2"],
        &["complexity", "mobilenetv1-0.25-96-vww", "--uniform", "8,8", "--json"],
    ]));
}

#[test]
fn errors_of_one_line() {
    insta::assert_snapshot!(all_shown(&[
        &["complexity", "resnet21", "--uniform", "8,8"],
        &["complexity", "resnet20"],
        &["complexity", "resnet20", "--uniform", "8"],
        &["complexity", "resnet20", "--uniform", "8,99"],
        &["complexity", "./absent.toml", "--uniform", "8,8"],
        &["accuracy", "absent.safetensors", "--data", "."],
        &["accuracy", ".", "--data", "."],
        &["inspect", "tests/cli.rs"],
        &["quantize", "absent.pth", "--synthetic", "-o", "absent-folder/net.safetensors"],
        &["quantize", "absent.pth", "--synthetic", "-o", "/dev/null/net.safetensors"],
        &["networks", "--show", "resnet21"],
        &["check", "net.safetensors"],
        &["train"],
        &["bench", "training", "--venv", "absent-folder"],
        &["bench", "training", "resnet21", "--alone"],
        &["bench", "training", "--alone", "--install"],
        &["bench", "training", "--alone", "--thread-counts", "1,0"],
        &["report", "absent.csv", "-o", "absent-folder"],
        &["report", "tests/cli.rs", "-o", "absent-folder"],
        &["report", "tests/cli.rs", "-o", "tests"],
        &["report", "tests/cli.rs", "-o", "tests/cli.rs"],
    ]));
}

#[test]
fn an_error_prints_nothing_on_standard_output() {
    let output = tridot(&["inspect", "absent.safetensors", "--json"]);
    assert!(output.stdout.is_empty());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}

#[test]
fn shown_network_files_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    for name in ["resnet20", "mobilenetv1-0.5-32", "mobilenetv2-1.4-224"] {
        std::fs::write(&file, tridot(&["networks", "--show", name]).stdout).unwrap();
        let mine = tridot(&["complexity", path(&file), "--uniform", "8,8", "--json"]);
        let built_in = tridot(&["complexity", name, "--uniform", "8,8", "--json"]);
        assert_eq!(mine.status.code(), Some(0), "{name}");
        assert_eq!(mine.stdout, built_in.stdout, "{name}");
        let [mine, built_in] = [path(&file), name].map(|file| tridot(&["inspect", file, "--json"]));
        assert_eq!(mine.status.code(), Some(0), "{name}");
        assert_eq!(mine.stdout, built_in.stdout, "{name}");
    }
}

#[cfg(feature = "train")]
#[test]
fn a_training_takes_any_member_of_a_family() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, out) = (folder.path().join("plan.toml"), folder.path().join("out"));
    let text = "format = 1\nnetwork = \"mobilenetv1-0.25-32\"\nstart = \"scratch\"\n[[stage]]\n\
                weights = \"float\"\nepochs = 1\nlearning_rate = 0.1\n";
    std::fs::write(&plan, text).unwrap();
    // Its 1000 classes are not those of the synthetic set, which is found out behind the network's file.
    let output = tridot(&["train", path(&plan), "--synthetic", "--out", path(&out)]);
    assert_eq!(output.status.code(), Some(2));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("1000"), "{line}");
}

#[test]
fn a_bench_of_our_own_steps_prints_what_is_documented() {
    let output = tridot(&[
        "bench",
        "training",
        "quickstart",
        "--alone",
        "--batch",
        "2",
        "--rounds",
        "2",
        "--thread-counts",
        "2",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["format"], &report["command"]), (&1.into(), &"bench training".into()));
    let [result] = &report["results"].as_array().unwrap()[..] else { panic!("one network") };
    // 3·3·3·8 + 9·8 + 8·8 + 3·(9·8·8) + 8·10 weights; γ and β of 6 batch norms of 8 channels, 10 biases.
    assert_eq!(result["parameters"], 2160 + 6 * 16 + 10);
    assert_eq!((&result["batch"], &result["threads"]), (&2.into(), &2.into()));
    assert!(result["pytorch"].is_null() && result["float_over_pytorch"].is_null());
    for side in ["float", "quantized"] {
        let spread = &result[side]["step_seconds"];
        let [low, median, high] = ["lower_quartile", "median", "upper_quartile"]
            .map(|name| spread[name].as_f64().unwrap());
        assert!(0.0 < low && low <= median && median <= high);
        // No order of times: other work shares the processor.
        assert!(0.0 < result[side]["start_seconds"].as_f64().unwrap());
        assert!(result[side]["last_loss"].as_f64() < result[side]["first_loss"].as_f64());
    }
    let documented = include_str!("../../docs/json.md");
    for field in report.as_object().unwrap().keys().chain(result.as_object().unwrap().keys()) {
        let named = [format!("`{field}`"), format!("`{field}[]`")];
        assert!(
            named.iter().any(|name| documented.contains(name))
                || field == "format"
                || field == "command"
        );
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
