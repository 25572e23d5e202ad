//! Does the example of the DPI model run under Verilator?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tridot_sim::arch::Architecture;
use tridot_sim::rtl::Case;
use tridot_sim::vectors::Vectors;

use crate::random::Random;
use crate::support::{skip, slow};

/// The library lies beside the tests or in the folder above.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folders = test.ancestors().skip(1).take(2).map(|folder| folder.join("libtridot_golden.so"));
    folders.clone().find(|path| path.is_file()).unwrap_or_else(|| panic!("none of {folders:?}"))
}

#[test]
fn the_dpi_example_runs_under_verilator() {
    // Naming the crate links it, so cargo builds its library, too.
    let version: extern "C" fn(*mut tridot_golden::Handle) = tridot_golden::tridot_golden_close;
    version(std::ptr::null_mut());
    let has = Command::new("verilator").arg("--version").output().is_ok_and(|o| o.status.success());
    if !has || !slow() {
        skip("dpi example", if has { "slow" } else { "no verilator" });
        return;
    }
    let arch = Architecture::preset("tiny").unwrap();
    let mut random = Random::new(31, 0);
    let mut case = Case::random("any", &arch, &mut |n| random.below_u64(n)).unwrap();
    case.images = 1;
    let codes = case.network.input.tensor.shape.elements();
    case.codes = (0..codes).map(|i| i64::from(i % 2 == 1)).collect();
    let vectors = Vectors::new(&case.network, 0, &arch, 1, &case.codes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("net"), case.network.to_bytes()).unwrap();
    fs::write(path("arch.toml"), Architecture::preset_text("tiny").unwrap()).unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sim/dpi");
    let library = library();
    let mut build = Command::new("verilator");
    build.args(["--cc", "--exe", "--build", "-Wall", "--top-module", "dpi_example"]);
    build.arg("-LDFLAGS").arg(format!("-Wl,-rpath,{}", library.parent().unwrap().display()));
    build.arg(sources.join("tridot_golden_pkg.sv")).arg(sources.join("example/dpi_example.sv"));
    build.arg(sources.join("example/main.cpp")).arg(&library).current_dir(folder.path());
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = Command::new(path("obj_dir/Vdpi_example"))
        .arg(format!("+network={}", path("net").display()))
        .arg(format!("+architecture={}", path("arch.toml").display()))
        .arg("+layer=dot")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let (outputs, cycles) = (&vectors.expected.outputs, vectors.expected.cycles);
    let sum: i64 = outputs.iter().sum();
    let expected = format!("PASSED: {} outputs, sum {sum}, {cycles} cycles", outputs.len());
    assert!(said.contains(&expected), "expected {expected}, got {said}");
}
