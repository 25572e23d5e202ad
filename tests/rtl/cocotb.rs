//! Does the cocotb example pass on golden vectors, and fail where they are wrong?

use std::fs;
use std::process::Command;

use tridot_sim::rtl::{Image, Sizes};
use tridot_sim::vectors::{self, COCOTB, Vectors};

use super::cases;
use super::tools::{has, write_library};

#[test]
fn cocotb_runs_golden_vectors() {
    let tools = [("cocotb-config", "--version"), ("iverilog", "-V"), ("make", "--version")];
    if !tools.iter().all(|(tool, version)| has("cocotb example", tool, version)) {
        return;
    }
    let setup = cases::small();
    let (arch, case) = (&setup.arch, &setup.cases[1]);
    let image = Image::new(&case.network, 0, arch, case.images, &case.codes).unwrap();
    let vectors = Vectors::new(&case.network, 0, arch, case.images, &case.codes).unwrap();
    let folder = write_library(arch, &[]);
    let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).unwrap();
    let files = vectors::files(&case.network, 0, &image, &vectors).unwrap();
    let one = std::slice::from_ref(&vectors);
    let manifest = vectors::manifest(&case.network, arch, Sizes::SMALL, one);
    write("manifest.json", manifest.to_string().as_bytes());
    for (name, text) in COCOTB {
        write(name, text.as_bytes());
    }
    fs::create_dir_all(folder.path().join("layers/000-dot")).unwrap();
    for (name, content) in &files {
        write(&format!("layers/000-dot/{name}"), content);
    }
    let run = || {
        let mut make = Command::new("make");
        let output = make.current_dir(folder.path()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let said = run();
    assert!(said.contains("PASS=1 FAIL=0"), "{said}");
    // The first output as another one.
    let outputs = &files.iter().find(|(name, _)| *name == "outputs.hex").unwrap().1;
    let wrong = String::from_utf8(outputs.clone()).unwrap().replacen('0', "1", 1);
    write("layers/000-dot/outputs.hex", wrong.as_bytes());
    let said = run();
    assert!(said.contains("PASS=0 FAIL=1") && said.contains("output 0: expected"), "{said}");
}
