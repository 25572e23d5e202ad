//! The commands for hardware designers.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::{folder, shown, tridot};

/// The output of a run as text; its exit code must be this.
pub(super) fn output(folder: &Path, arguments: &str, code: i32) -> String {
    let output = tridot(folder, arguments);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A file of `vectors/layers/000-first` with some of its lines changed.
fn changed(folder: &Path, name: &str, change: impl Fn(usize, &str) -> String) {
    let text = std::fs::read_to_string(folder.join("vectors/layers/000-first").join(name)).unwrap();
    let lines = text.lines().enumerate().map(|(i, line)| change(i, line) + "\n");
    std::fs::write(folder.join(name), lines.collect::<String>()).unwrap();
}

#[test]
fn golden_vectors_and_what_is_wrong_with_a_dump() {
    let folder = folder();
    output(folder.path(), "golden net.safetensors --arch tiny -o vectors", 0);
    // Every output of channel 2 is one too large, every edge one too late.
    changed(folder.path(), "outputs.hex", |i, line| {
        let value = u64::from_str_radix(line, 16).unwrap();
        format!("{:012x}", if i % 4 == 2 { value + 1 } else { value })
    });
    changed(folder.path(), "edges.hex", |_, line| {
        format!("{:08x}", u64::from_str_radix(line, 16).unwrap() + 1)
    });
    insta::assert_snapshot!(shown(
        folder.path(),
        &[
            "golden net.safetensors --arch tiny -o vectors",
            "verify vectors --layer first --outputs vectors/layers/000-first/outputs.npy \
             --accumulators vectors/layers/000-first/accumulators.hex",
            "verify vectors --layer first --outputs outputs.hex --edges edges.hex --junit result.xml",
            "rtl generate net.safetensors --arch edge --layers classes -o rtl",
        ]
    ));
    // With fewer layers nothing of the others is left, so that the scripts find only what is there.
    output(folder.path(), "golden net.safetensors --arch tiny --layers classes -o few", 0);
    output(folder.path(), "golden net.safetensors --arch tiny --layers first -o few", 0);
    let layers = std::fs::read_dir(folder.path().join("few/layers")).unwrap();
    let layers: Vec<_> = layers.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(layers, ["000-first"]);
    // What a designer changed stays.
    let changed = folder.path().join("rtl/tridot_scaler.sv");
    std::fs::write(&changed, "// mine").unwrap();
    let again = "rtl generate net.safetensors --arch edge --layers classes -o rtl";
    output(folder.path(), again, 2);
    assert_eq!(std::fs::read_to_string(&changed).unwrap(), "// mine");
    output(folder.path(), &format!("{again} --force"), 0);
    assert_ne!(std::fs::read_to_string(&changed).unwrap(), "// mine");
    let xml = std::fs::read_to_string(folder.path().join("result.xml")).unwrap();
    assert!(xml.contains("tests=\"2\" failures=\"2\""), "{xml}");
    assert!(xml.contains("channel 2, row 0, column 0, picture 0"), "{xml}");
    // A run that ends early does not leave the word of an earlier one, and a link stays.
    std::fs::write(folder.path().join("edges.hex"), "x\n").unwrap();
    let result = folder.path().join("link.xml");
    #[cfg(unix)]
    std::os::unix::fs::symlink("result.xml", &result).unwrap();
    #[cfg(not(unix))]
    std::fs::copy(folder.path().join("result.xml"), &result).unwrap();
    output(folder.path(), "verify vectors --layer first --edges edges.hex --junit link.xml", 2);
    assert!(std::fs::read_to_string(&result).unwrap().contains("errors=\"1\""));
    assert_eq!(result.is_symlink(), cfg!(unix));
    // What it reads is never written over.
    for input in ["edges.hex", "vectors/network.safetensors"] {
        let before = std::fs::read(folder.path().join(input)).unwrap();
        let command = format!("verify vectors --layer first --edges edges.hex --junit {input}");
        output(folder.path(), &command, 2);
        assert_eq!(std::fs::read(folder.path().join(input)).unwrap(), before, "{input}");
    }
}

#[test]
fn dumps_and_layers_that_are_refused() {
    let folder = folder();
    output(folder.path(), "golden net.safetensors --arch tiny --layers first -o vectors", 0);
    let word = |i: usize, wrong: &'static str| {
        move |at: usize, line: &str| if at == i { wrong.to_owned() } else { line.to_owned() }
    };
    changed(folder.path(), "outputs.hex", word(4, "00000000000x"));
    changed(folder.path(), "edges.hex", word(7, "001"));
    std::fs::write(folder.path().join("short.hex"), "00\n01\n").unwrap();
    let wave = "rtl waveform net.safetensors --arch tiny --layer first --edges 50 -o first.fst";
    output(folder.path(), wave, 0);
    let fst = std::fs::read(folder.path().join("first.fst")).unwrap();
    std::fs::write(folder.path().join("cut.fst"), &fst[..fst.len() - 9]).unwrap();
    let signals = "format = 1\nclock = \"clk\"\nstart = \"tridot_top.machine.busy\"\n\
                   valid = \"tridot_top.machine.core.full\"\ndata = \"tridot_top.machine.core.bank\"\nports = 1\n";
    std::fs::write(folder.path().join("signals.toml"), signals).unwrap();
    let other = signals.replace("core.full", "core.empty");
    std::fs::write(folder.path().join("other.toml"), other).unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    insta::assert_snapshot!(shown(
        folder.path(),
        &[
            "verify vectors --layer first --outputs outputs.hex",
            "verify vectors --layer first --edges edges.hex",
            "verify vectors --layer first --accumulators short.hex",
            "verify vectors --layer first --outputs vectors/layers/000-first/planes.npy",
            "verify vectors --layer first",
            "verify vectors --layer second --outputs outputs.hex",
            "verify vectors --layer sum --outputs outputs.hex",
            "verify . --layer first --outputs outputs.hex",
            "golden net.safetensors --arch tiny --layers sum -o vectors",
            "golden net.safetensors --arch tiny -o .",
            "verify vectors --layer first --wave first.fst --signals signals.toml",
            "verify vectors --layer first --wave first.fst --signals other.toml",
            "verify vectors --layer first --wave cut.fst --signals signals.toml",
            "verify vectors --layer first --wave short.hex --signals signals.toml",
            "verify vectors --layer first --wave first.fst --signals short.hex",
            "rtl check --random 3 --arch tiny --rtl-dir empty",
            "rtl check net.safetensors --arch tiny --random 3",
            "rtl check --arch tiny",
        ]
    ));
}

/// Vectors of one architecture say nothing of another: their edges differ.
#[test]
fn vectors_whose_architecture_was_exchanged_are_refused() {
    let folder = folder();
    output(folder.path(), "golden net.safetensors --arch tiny --layers first -o vectors", 0);
    let path = folder.path().join("vectors/architecture.toml");
    let arch = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, arch.replace("scaler_stages = 4", "scaler_stages = 3")).unwrap();
    let outputs = "--outputs vectors/layers/000-first/outputs.hex";
    let run = tridot(folder.path(), &format!("verify vectors --layer first {outputs}"));
    assert_eq!(run.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(run.stderr).unwrap(),
        "tridot: vectors/layers/000-first/edges.npy: is not of this network, architecture and input\n"
    );
}

/// Runs with these programs alone.
#[cfg(unix)]
fn with_path(folder: &Path, programs: &Path, arguments: &str) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tridot"))
        .args(arguments.split(' '))
        .current_dir(folder)
        .env("PATH", programs)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
#[cfg(unix)]
fn tools_that_are_missing_or_old_are_refused_with_their_package() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let programs = tempfile::tempdir().unwrap();
    let check = "rtl check --random 1 --arch tiny";
    let refusal = |arguments| with_path(folder.path(), programs.path(), arguments);
    let missing =
        "tridot: verilator is not there: install the package `verilator`, version 5.006 or later\n";
    assert_eq!(refusal(check), (2, missing.to_owned()));
    assert_eq!(refusal("rtl lint --arch tiny"), (2, missing.to_owned()));
    let check_all = "check net.safetensors --synthetic --samples 1 --arch tiny --rtl";
    assert_eq!(refusal(check_all), (2, missing.to_owned()));
    let library = concat!(env!("CARGO_MANIFEST_DIR"), "/../sim/src/liberty/tiny.lib");
    let calibrate = format!("calibrate --liberty {library} --node-nm 45 --arch tiny -o t.toml");
    let missing =
        "tridot: yosys is not there: install the package `yosys`, version 0.23 or later\n";
    assert_eq!(refusal(&calibrate), (2, missing.to_owned()));
    let old = programs.path().join("verilator");
    let mut file = std::fs::File::create(&old).unwrap();
    file.write_all(b"#!/bin/sh\necho Verilator 4.038 2020-07-11 rev v4.036\n").unwrap();
    drop(file);
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    let told = "tridot: verilator: the version must be at least 5.006, got 4.038: \
                install the package `verilator`, version 5.006 or later\n";
    assert_eq!(refusal(check), (2, told.to_owned()));
    assert_eq!(refusal(check_all), (2, told.to_owned()));
}
