//! Do golden vectors pass their own test bench under Icarus, and fail it where the RTL is wrong?

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use tridot_sim::arch::Architecture;
use tridot_sim::rtl::{Case, Image, Sizes};
use tridot_sim::vectors::{self, BENCH, Vectors, bench_top};

use super::cases;
use super::tools::{Change, files, has, write_library};

/// The bench of an array, compiled by Icarus.
pub(super) struct Bench<'a> {
    arch: &'a Architecture,
    folder: TempDir,
}

impl<'a> Bench<'a> {
    pub(super) fn compile(arch: &'a Architecture, changes: &[Change]) -> Self {
        let folder = write_library(arch, changes);
        fs::write(folder.path().join(BENCH.0), BENCH.1).unwrap();
        let top = bench_top(arch, Sizes::SMALL);
        fs::write(folder.path().join("tridot_bench_top.sv"), top).unwrap();
        let mut command = Command::new("iverilog");
        command.args(["-g2012", "-Wall", "-s", "tridot_bench_top", "-o", "bench.vvp"]);
        command.args(files()).args([BENCH.0, "tridot_bench_top.sv"]).current_dir(folder.path());
        let compiled = command.output().unwrap();
        let said = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success() && !said.contains(".sv"), "{}: {said}", arch.name);
        Self { arch, folder }
    }

    /// A file that a run has left.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the vectors of a layer: whether they pass, and what the bench says.
    pub(super) fn run(&self, case: &Case, options: &[&str]) -> (bool, String) {
        let arch = self.arch;
        let image = Image::new(&case.network, 0, arch, case.images, &case.codes).unwrap();
        let vectors = Vectors::new(&case.network, 0, arch, case.images, &case.codes).unwrap();
        for (name, content) in vectors::files(&case.network, 0, &image, &vectors).unwrap() {
            fs::write(self.folder.path().join(name), content).unwrap();
        }
        let mut command = Command::new("vvp");
        command.args(["-N", "bench.vvp", "+vectors=.", &format!("+limit={}", image.limit)]);
        let output = command.args(options).current_dir(self.folder.path()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[test]
fn icarus_runs_golden_vectors_of_every_array() {
    if !has("golden vectors in icarus", "iverilog", "-V") {
        return;
    }
    for setup in cases::all() {
        let setup = setup();
        let bench = Bench::compile(&setup.arch, &[]);
        for case in &setup.cases {
            let (passed, said) = bench.run(case, &[]);
            assert!(passed, "{}, {}: {said}", setup.arch.name, case.name);
            assert!(said.contains("outputs, 0 wrong, 0 at another edge"), "{said}");
        }
    }
}

#[test]
fn the_bench_fails_where_the_rtl_is_wrong() {
    if !has("golden vectors on wrong rtl", "iverilog", "-V") {
        return;
    }
    let setup = cases::small();
    let changes = [
        ("tridot_scaler_column.sv", "(y + half) >>> shift", "y >>> shift"),
        ("tridot_core.sv", "!complete || !full || last;", "!complete || !full;"),
    ];
    for change in changes {
        let (passed, said) = Bench::compile(&setup.arch, &[change]).run(&setup.cases[0], &[]);
        assert!(!passed && said.contains("expected"), "{said}");
    }
}
