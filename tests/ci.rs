//! `cargo ci`: every check of this workspace, in order, with the time that each took.
//!
//! Uses only std, so that it builds in a second. A missing tool is a named skip, and a failure where
//! `CI` is set; `--install` first installs what is missing.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its only purpose is to run and to tell"
)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Reasons for which a test may be skipped even under CI: what no install step can bring.
const ALLOWED_SKIPS: [&str; 3] = ["no data", "no AVX-512 VNNI", "no AVX2"];

/// Tools that are not part of the toolchain.
const TOOLS: [Tool; 8] = [
    Tool {
        name: "cargo-nextest",
        version: &["cargo", "nextest", "--version"],
        install: Install::Cargo,
    },
    Tool { name: "cargo-deny", version: &["cargo", "deny", "--version"], install: Install::Cargo },
    Tool {
        name: "cargo-machete",
        version: &["cargo", "machete", "--version"],
        install: Install::Cargo,
    },
    Tool { name: "typos", version: &["typos", "--version"], install: Install::Pip },
    // The tests of the RTL run these four.
    Tool { name: "cocotb", version: &["cocotb-config", "--version"], install: Install::Pip },
    Tool { name: "verilator", version: &["verilator", "--version"], install: Install::Apt },
    Tool { name: "iverilog", version: &["iverilog", "-V"], install: Install::Apt },
    Tool { name: "yosys", version: &["yosys", "-V"], install: Install::Apt },
];

struct Tool {
    name: &'static str,
    version: &'static [&'static str],
    install: Install,
}

enum Install {
    Cargo,
    Pip,
    Apt,
}

struct Step {
    name: &'static str,
    /// The tool that must be there, if it is not part of the toolchain.
    tool: Option<&'static str>,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

/// A step of cargo itself.
const fn cargo(name: &'static str, arguments: &'static [&'static str]) -> Step {
    Step { name, tool: None, arguments, environment: &[] }
}

fn steps(has_nextest: bool) -> Vec<Step> {
    let test: &[&str] = if has_nextest {
        &["cargo", "nextest", "run", "--workspace", "--no-fail-fast"]
    } else {
        &[
            "cargo",
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            "--no-fail-fast",
        ]
    };
    vec![
        cargo("format", &["cargo", "fmt", "--all", "--check"]),
        cargo(
            "clippy",
            &["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        ),
        cargo("build without train", &["cargo", "build", "-p", "tridot", "--no-default-features"]),
        cargo("tests", test),
        cargo("doc tests", &["cargo", "test", "--workspace", "--doc"]),
        Step {
            name: "documentation",
            tool: None,
            arguments: &["cargo", "doc", "--workspace", "--no-deps"],
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
        },
        // All platforms' packages, which the next step looks at.
        cargo("fetch", &["cargo", "fetch", "--locked"]),
        Step {
            name: "deny",
            tool: Some("cargo-deny"),
            arguments: &["cargo", "deny", "--offline", "check", "bans", "licenses", "sources"],
            environment: &[],
        },
        Step { name: "typos", tool: Some("typos"), arguments: &["typos"], environment: &[] },
        Step {
            name: "machete",
            tool: Some("cargo-machete"),
            arguments: &["cargo", "machete"],
            environment: &[],
        },
    ]
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let install = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--install"] => true,
        _ => {
            eprintln!("usage: cargo ci [--install]");
            return ExitCode::from(2);
        }
    };
    if install {
        install_missing();
    }
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests folder has a parent");
    let strict = env::var_os("CI").is_some();
    let skipped_file = prepare_skip_list(root);
    let mut failed = Vec::new();
    let mut times = Vec::new();
    for step in steps(is_there("cargo-nextest")) {
        if let Some(tool) = step.tool.filter(|tool| !is_there(tool)) {
            println!("== {}: skipped: no {tool} (`cargo ci --install` installs it)", step.name);
            if strict {
                failed.push(step.name);
            }
            continue;
        }
        println!("== {}: {}", step.name, step.arguments.join(" "));
        let start = Instant::now();
        if !run(&step, root, &skipped_file) {
            println!("== {}: FAILED", step.name);
            failed.push(step.name);
        }
        times.push((step.name, start.elapsed()));
    }
    report(&times, &skipped_file, strict, failed)
}

fn run(step: &Step, root: &Path, skipped_file: &Path) -> bool {
    let mut command = command(step.arguments);
    command.current_dir(root).env("TRIDOT_SKIPPED", skipped_file);
    command.envs(step.environment.iter().copied());
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("{}: {error}", step.arguments[0]);
            false
        }
    }
}

/// An empty file to which skipped tests append a line each, `name: reason`.
fn prepare_skip_list(root: &Path) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let file = target.join("skipped.txt");
    fs::create_dir_all(&target)
        .and_then(|()| fs::write(&file, ""))
        .expect("the build folder can be written");
    file
}

fn report(
    times: &[(&str, Duration)],
    skipped_file: &Path,
    strict: bool,
    mut failed: Vec<&str>,
) -> ExitCode {
    println!("\n{:<22}{:>9}", "step", "seconds");
    for (name, time) in times {
        println!("{name:<22}{:>9.1}", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time)| time).sum();
    println!("{:<22}{:>9.1}", "all", total.as_secs_f64());
    let skipped = fs::read_to_string(skipped_file).unwrap_or_default();
    if !skipped.is_empty() {
        println!("\nskipped tests:\n{skipped}");
    }
    let is_allowed = |line: &str| ALLOWED_SKIPS.iter().any(|reason| line.ends_with(reason));
    if strict && !skipped.lines().all(is_allowed) {
        failed.push("skipped tests");
    }
    if failed.is_empty() {
        println!("cargo ci: all passed");
        return ExitCode::SUCCESS;
    }
    println!("cargo ci: failed: {}", failed.join(", "));
    ExitCode::FAILURE
}

fn is_there(name: &str) -> bool {
    let tool =
        TOOLS.iter().find(|tool| tool.name == name).expect("every named tool is in the list");
    succeeds(tool.version)
}

/// A program with its arguments, as from a shell: `cargo-machete` takes `CARGO_PKG_NAME`, which
/// `cargo run` sets, for a sign that it runs under itself.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(arguments[0]);
    command.args(&arguments[1..]).env_remove("CARGO_PKG_NAME");
    command
}

fn succeeds(arguments: &[&str]) -> bool {
    let mut command = command(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Installs what is missing; a tool that cannot be installed is named by the step that needs it.
fn install_missing() {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !succeeds(tool.version)).collect();
    let mut packages = Vec::new();
    for tool in missing {
        match tool.install {
            Install::Cargo => install(&["cargo", "install", "--locked", tool.name], tool.name),
            Install::Pip => {
                install(&["python3", "-m", "pip", "install", "--quiet", tool.name], tool.name);
            }
            Install::Apt => packages.push(tool.name),
        }
    }
    if !packages.is_empty() {
        install_packages(&packages);
    }
}

/// All packages at once; a second time with new lists, which a fresh machine may not have.
fn install_packages(packages: &[&str]) {
    let arguments = [&["apt-get", "install", "-y"], packages].concat();
    println!("== install {}: {}", packages.join(", "), arguments.join(" "));
    if !succeeds(&arguments) {
        succeeds(&["apt-get", "update"]);
        install(&arguments, &packages.join(", "));
    }
}

/// Runs an install command; names what could not be installed.
fn install(arguments: &[&str], what: &str) {
    println!("== install {what}: {}", arguments.join(" "));
    let installed = command(arguments).stdin(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        println!("{what} could not be installed: run `{}` by hand", arguments.join(" "));
    }
}
