//! Inputs and outputs that a command must refuse in one line, before it destroys or allocates anything.
#![cfg(test)]
#![cfg(feature = "train")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tridot_sim::network::{
    Accuracy, Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator,
    Provenance, Shape, Sign, TensorId, TensorType, Weights,
};

#[path = "support/command.rs"]
mod command;

use command::{refusal, tridot};

/// A linear layer on 2×2 grey pixels.
fn network(side: usize, provenance: Provenance) -> Network {
    let tensor = |shape, bits, sign| TensorType { shape, bits, sign, scale: 1.0 };
    let picture = Shape::new(side, side, 1);
    let linear = Dot {
        geometry: Geometry::Linear,
        weights: Weights::Fixed { bits: 4, values: vec![1; 2 * side * side] },
        multipliers: vec![3, -2],
        bias: vec![0; 2],
        output: DotOutput::Raw,
    };
    Network::new(Description {
        name: "small".to_owned(),
        digits: Digits::Csd,
        scale_bits: 8,
        input: Input {
            tensor: tensor(picture, 8, Sign::Unsigned),
            tables: vec![std::array::from_fn(|pixel| i16::try_from(pixel).unwrap())],
        },
        layers: vec![Layer {
            name: "classes".to_owned(),
            inputs: vec![TensorId(0)],
            operator: Operator::Dot(linear),
            output: tensor(Shape::new(1, 1, 2), 48, Sign::Signed),
        }],
        provenance,
    })
    .unwrap()
}

/// A folder with `net.safetensors`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bytes = network(2, Provenance::default()).to_bytes();
    fs::write(folder.path().join("net.safetensors"), bytes).unwrap();
    folder
}

fn accepted(folder: &Path, arguments: &str) -> String {
    let output = tridot(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const RECORD: &str = "record net.safetensors --synthetic --samples 2 -o";

#[test]
fn an_output_never_replaces_an_input() {
    let folder = folder();
    let path = folder.path();
    let before = fs::read(path.join("net.safetensors")).unwrap();
    fs::hard_link(path.join("net.safetensors"), path.join("hard.safetensors")).unwrap();
    fs::write(path.join("mine.toml"), "format = 1").unwrap();
    fs::create_dir(path.join("data")).unwrap();
    fs::write(path.join("data/test_batch.bin"), "pictures").unwrap();
    let waveform = "rtl waveform net.safetensors --arch mine.toml --layer classes -o";
    let calibrate = "calibrate --liberty mine.toml --node-nm 45 --arch edge -o";
    let quantize = "quantize net.safetensors --network mine.toml --plan mine.toml";
    for (arguments, output, input) in [
        (RECORD.to_owned(), "net.safetensors", "net.safetensors"),
        (RECORD.to_owned(), "./data/../net.safetensors", "net.safetensors"),
        (RECORD.to_owned(), "hard.safetensors", "net.safetensors"),
        (waveform.to_owned(), "net.safetensors", "net.safetensors"),
        (waveform.to_owned(), "mine.toml", "mine.toml"),
        (calibrate.to_owned(), "mine.toml", "mine.toml"),
        (format!("{quantize} --synthetic -o"), "net.safetensors", "net.safetensors"),
        (format!("{quantize} --synthetic -o"), "mine.toml", "mine.toml"),
        (format!("{quantize} --data data -o"), "data/test_batch.bin", "data"),
    ] {
        assert_eq!(
            refusal(path, &format!("{arguments} {output}")),
            format!(
                "tridot: {output}: must not be an input, which it would overwrite ({input}): choose \
                 another output"
            )
        );
    }
    assert_eq!(fs::read(path.join("net.safetensors")).unwrap(), before);
    assert_eq!(fs::read(path.join("data/test_batch.bin")).unwrap(), b"pictures");
}

#[test]
fn an_output_is_a_plain_file() {
    let folder = folder();
    let path = folder.path();
    let record = |output: &str| refusal(path, &format!("{RECORD} {output}"));
    fs::create_dir(path.join("sub")).unwrap();
    assert_eq!(record("sub"), "tridot: sub: is a folder, not a file");
    assert_eq!(record("new/"), "tridot: new/: names a folder, not a file");
    assert_eq!(record("new/."), "tridot: new/.: names a folder, not a file");
    let old = path.join("old.safetensors");
    fs::write(&old, "mine").unwrap();
    let mut permissions = fs::metadata(&old).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&old, permissions).unwrap();
    assert_eq!(record("old.safetensors"), "tridot: old.safetensors: is read-only");
    let summary = |output: &str| {
        refusal(path, &format!("quantize net.safetensors --synthetic --summary -o {output}"))
    };
    for output in ["q.toml", "q.json"] {
        let refused =
            format!("tridot: {output}: is where --summary writes: give the network another");
        assert!(summary(output).starts_with(&refused));
    }
    #[cfg(unix)]
    {
        let special = "must be a plain file or absent, is a device, pipe or socket";
        assert!(Command::new("mkfifo").arg(path.join("pipe")).status().unwrap().success());
        std::os::unix::fs::symlink("/dev/null", path.join("device")).unwrap();
        std::os::unix::fs::symlink("absent", path.join("dangling")).unwrap();
        assert_eq!(record("pipe"), format!("tridot: pipe: {special}"));
        assert_eq!(record("device"), format!("tridot: device: {special}"));
        let dangling = "tridot: dangling: is a symbolic link to a file that is not there";
        assert_eq!(record("dangling"), dangling);
    }
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_and_its_target_is_replaced() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("sub")).unwrap();
    fs::write(path.join("sub/trace"), "old").unwrap();
    std::os::unix::fs::symlink("sub/trace", path.join("link")).unwrap();
    accepted(path, &format!("{RECORD} link"));
    assert!(path.join("link").is_symlink());
    let kind = accepted(path, "inspect sub/trace --json");
    assert!(kind.contains(r#""kind":"trace""#), "{kind}");
}

#[test]
fn sizes_are_refused_before_anything_is_allocated() {
    let folder = folder();
    let path = folder.path();
    // 1024 × 1024 pixels: 512 pictures fill 2^29 bytes.
    let large = network(1024, Provenance::default()).to_bytes();
    fs::write(path.join("large.safetensors"), large).unwrap();
    assert_eq!(
        refusal(path, "check large.safetensors --synthetic --samples 1000000"),
        "tridot: synthetic pictures: their number must be at most 512, as 1024×1024×1 pictures fill \
         536870912 bytes, got 1000000"
    );
    fs::write(
        path.join("plan.toml"),
        "format = 1\nothers = \"dbq(2)\"\n[calibration]\nsamples = 4611686018427387904\n",
    )
    .unwrap();
    assert_eq!(
        refusal(path, "quantize absent.pth --synthetic --plan plan.toml -o out.safetensors"),
        "tridot: plan.toml: plan: calibration.samples must be between 1 and 1000000, got \
         4611686018427387904"
    );
}

#[test]
fn files_are_judged_by_their_first_bytes() {
    let folder = folder();
    let path = folder.path();
    // Two sparse files of 3 GiB: zeros, and a header that could not be there.
    for (name, head) in [("zeros", [0; 9]), ("header", [0, 0, 0, 0, 0, 0, 0, 1, b'{'])] {
        fs::write(path.join(name), head).unwrap();
        fs::File::options().write(true).open(path.join(name)).unwrap().set_len(3 << 30).unwrap();
    }
    let zeros = refusal(path, "quantize zeros --synthetic -o out.safetensors");
    assert!(
        zeros.contains("is neither a safetensors file nor a PyTorch zip checkpoint"),
        "{zeros}"
    );
    assert!(refusal(path, "inspect zeros").starts_with(
        "tridot: zeros: is no integer network, trace or checkpoint, and no TOML: line 1, column "
    ));
    assert_eq!(
        refusal(path, "inspect header"),
        "tridot: header: the header's length must be at most 3221225464, as the file has 3221225472 \
         bytes, got 72057594037927936"
    );
    #[cfg(unix)]
    assert_eq!(
        refusal(path, "inspect /dev/zero"),
        "tridot: /dev/zero: must be a plain file, not a device, pipe or socket"
    );
}

#[test]
fn a_toml_file_is_told_by_its_keys() {
    let folder = folder();
    let path = folder.path();
    for (text, kind) in [
        ("format = 1\nname = \"r\"\nbase=\"resnet20\"\nclasses = 10\n", "topology"),
        (
            "format = 1\nothers = \"dbq(2)\"\n[layers]\nblock = \"dbq(1)\"\nstage = \"dbq(1)\"\n",
            "plan",
        ),
        ("format = 1\n\"others\" = \"dbq(2)\"\n", "plan"),
    ] {
        fs::write(path.join("any.toml"), text).unwrap();
        let told = accepted(path, "inspect any.toml --json");
        assert!(told.contains(&format!("\"kind\":\"{kind}\"")), "{told}");
    }
    fs::write(path.join("any.toml"), "a = 1\n").unwrap();
    assert!(
        refusal(path, "inspect any.toml").contains("is no integer network, trace, checkpoint, ")
    );
    // A folder in the way of a name is not meant.
    fs::create_dir(path.join("edge")).unwrap();
    assert!(accepted(path, "inspect edge --json").contains("\"kind\":\"architecture\""));
}

#[test]
fn what_a_file_says_does_not_act_on_the_terminal() {
    let folder = folder();
    let provenance = Provenance {
        data: Some("x\u{1b}[2Jy".to_owned()),
        plan: "format = 1\n# \u{1b}]0;title\u{7}\u{9b}\n".to_owned(),
        float_accuracy: Some(Accuracy { samples: 4, correct: 1 }),
        ..Provenance::default()
    };
    let file = folder.path().join("odd.safetensors");
    fs::write(file, network(2, provenance).to_bytes()).unwrap();
    for arguments in ["inspect odd.safetensors", "inspect odd.safetensors --json"] {
        let text = accepted(folder.path(), arguments);
        let bad: Vec<char> = text.chars().filter(|&c| c.is_control() && c != '\n').collect();
        assert!(bad.is_empty(), "{arguments}: {bad:?}");
    }
    let text = accepted(folder.path(), "inspect odd.safetensors");
    assert!(text.contains("(x\\u{1b}[2Jy)") && text.contains("\nformat = 1\n# \\u{1b}]0;title"));
}

#[test]
fn complexity_takes_the_shapes_of_an_integer_network() {
    let folder = folder();
    let text = accepted(folder.path(), "complexity net.safetensors --uniform 8,8 --json");
    assert!(text.contains(r#""precision":"uniform 8,8""#), "{text}");
    assert!(text.contains(r#""macs":8,"weights":8"#), "{text}");
    fs::write(folder.path().join("mine.toml"), "format = 1").unwrap();
    assert_eq!(
        refusal(folder.path(), "complexity mine.toml"),
        "tridot: mine.toml: has shapes alone: add --uniform W,A or --ternary B"
    );
}

#[test]
fn wrong_usage_is_told_in_one_line() {
    let folder = folder();
    for arguments in [
        "check net.safetensors",
        "check net.safetensors --sinthetic",
        "trains",
        "quantize",
        "record -o",
    ] {
        let line = refusal(folder.path(), arguments);
        assert!(line.ends_with("--help)"), "{line}");
    }
    for (arguments, refused) in [
        (
            "record net.safetensors --synthetic --samples -1 -o t",
            "tridot: invalid value '-1' for '--samples <N>': -1 is not in 1..=4096 (help: tridot record --help)",
        ),
        (
            "rtl check --random -2 --arch tiny",
            "tridot: invalid value '-2' for '--random <N>': -2 is not in 1..=100000 (help: tridot rtl check --help)",
        ),
        (
            "--threads 0 archs",
            "tridot: invalid value '0' for '--threads <N>': 0 is not in 1..=1024 (help: tridot archs --help)",
        ),
    ] {
        assert_eq!(refusal(folder.path(), arguments), refused);
    }
    // An option that would change nothing is refused.
    for arguments in [
        "accuracy net.safetensors --data data --seed 5",
        "check net.safetensors --data data --seed 5",
        "record net.safetensors --data data --seed 5 -o t",
        "verify vectors --layer a --outputs b.hex --signals c.toml",
    ] {
        let line = refusal(folder.path(), arguments);
        assert!(line.contains("cannot be used with"), "{line}");
    }
    let typo = refusal(folder.path(), "check net.safetensors --sinthetic");
    assert!(typo.contains("'--synthetic'"), "{typo}");
    assert!(accepted(folder.path(), "check --help").contains("Usage: tridot check"));
    assert!(accepted(folder.path(), "--version").starts_with("tridot "));
}

#[test]
fn a_missing_data_file_is_told_once() {
    let folder = folder();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/test_batch.bin"), "").unwrap();
    let line = refusal(folder.path(), "accuracy net.safetensors --data data");
    assert!(line.starts_with("tridot: data/test_batch.bin: length must be"), "{line}");
    fs::remove_file(folder.path().join("data/test_batch.bin")).unwrap();
    fs::write(folder.path().join("data/y_labels.csv"), "a.bin,2,0\nb.bin,2,1\n").unwrap();
    let line = refusal(folder.path(), "accuracy net.safetensors --data data");
    assert_eq!(line, "tridot: data/a.bin: No such file or directory (os error 2)");
}
