//! The foreign tools: Verilator, Icarus, Yosys.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tridot_sim::Error;
use tridot_sim::arch::Architecture;
use tridot_sim::rtl::{
    Case, HARNESS, Image, LIBRARY, Observed, PARAMETERS_HEADER, Sizes, TOP, parameters_header, top,
};

use crate::support::skip;

/// Whether a tool answers; if not, a told skip.
pub(super) fn has(test: &str, tool: &str, version: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg(version).stdout(Stdio::null()).stderr(Stdio::null());
    let answers = command.status().is_ok_and(|status| status.success());
    if !answers {
        skip(test, &format!("no {tool}"));
    }
    answers
}

/// Runs a tool in a folder; what it said where it fails or warns.
pub(super) fn quiet(folder: &Path, command: &[&str]) -> Result<(), String> {
    let output = Command::new(command[0]).args(&command[1..]).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let warned = said.to_lowercase().contains("warning");
    if output.status.success() && !warned { Ok(()) } else { Err(said) }
}

/// A text of the library that is changed: file, what is there, what takes its place.
pub(super) type Change = (&'static str, &'static str, &'static str);

/// A folder with the library, the top of an architecture and the harness.
pub(super) fn write_library(arch: &Architecture, changes: &[Change]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in LIBRARY {
        let mut text = text.to_owned();
        for (_, old, new) in changes.iter().filter(|change| change.0 == name) {
            assert_eq!(text.matches(old).count(), 1, "{name} has `{old}` once");
            text = text.replace(old, new);
        }
        fs::write(folder.path().join(name), text).unwrap();
    }
    let sizes = Sizes::SMALL;
    fs::write(folder.path().join(format!("{TOP}.sv")), top(arch, sizes)).unwrap();
    fs::write(folder.path().join(PARAMETERS_HEADER), parameters_header(arch, sizes)).unwrap();
    fs::write(folder.path().join("harness.cpp"), HARNESS).unwrap();
    folder
}

/// The names of all modules' files.
pub(super) fn files() -> Vec<String> {
    let library = LIBRARY.iter().map(|&(name, _)| name.to_owned());
    library.chain([format!("{TOP}.sv")]).collect()
}

/// An architecture's RTL, built by Verilator.
pub(super) struct Simulator {
    folder: TempDir,
}

impl Simulator {
    /// Builds it; none and a told skip where Verilator is missing.
    pub(super) fn build(arch: &Architecture) -> Option<Self> {
        if !has(&format!("rtl of {}", arch.name), "verilator", "--version") {
            return None;
        }
        let folder = write_library(arch, &[]);
        let mut command = vec!["verilator", "--cc", "--exe", "--build", "-O3"];
        command.extend(["-CFLAGS", "-O0 -std=c++17", "--top-module", TOP, "harness.cpp"]);
        let files = files();
        command.extend(files.iter().map(String::as_str));
        quiet(folder.path(), &command).unwrap_or_else(|said| panic!("{}: {said}", arch.name));
        Some(Self { folder })
    }

    /// Runs a layer.
    pub(super) fn run(&self, case: &Case, arch: &Architecture) -> Result<Observed, Error> {
        let image = Image::new(&case.network, 0, arch, case.images, &case.codes)?;
        assert_eq!(image.sizes().with(Sizes::SMALL), Sizes::SMALL, "{}", case.name);
        let folder = self.folder.path().join("image");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in image.files() {
            fs::write(folder.join(name), text).unwrap();
        }
        let output = Command::new(self.folder.path().join(format!("obj_dir/V{TOP}")))
            .args([folder.to_str().unwrap(), &image.limit.to_string()])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        Observed::parse(&text, image.outputs, arch)
    }
}
