//! Does every tool take the library: lint in Verilator, elaboration in Icarus, synthesis in Yosys?

use tridot_sim::arch::Architecture;
use tridot_sim::rtl::TOP;

use super::cases;
use super::tools::{files, has, quiet, write_library};

/// The built-in architectures, and those that the tests build.
fn architectures() -> Vec<Architecture> {
    let presets = Architecture::preset_names().into_iter().filter_map(Architecture::preset);
    presets.chain(cases::all().into_iter().map(|setup| setup().arch)).collect()
}

/// Runs a tool on these architectures; any warning is a failure.
fn assert_quiet(archs: &[Architecture], command: impl Fn(&[String]) -> Vec<String>) {
    for arch in archs {
        let folder = write_library(arch, &[]);
        let command = command(&files());
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        quiet(folder.path(), &command)
            .unwrap_or_else(|said| panic!("{}: {}: {said}", arch.name, command.join(" ")));
    }
}

fn with(words: &[&str], files: &[String]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).chain(files.iter().cloned()).collect()
}

#[test]
fn verilator_lints_every_architecture_without_a_warning() {
    if has("lint of the rtl", "verilator", "--version") {
        let words = ["verilator", "--lint-only", "-Wall", "--top-module", TOP];
        assert_quiet(&architectures(), |files| with(&words, files));
    }
}

#[test]
fn icarus_elaborates_every_array_of_the_tests() {
    if has("elaboration of the rtl", "iverilog", "-V") {
        let archs: Vec<_> = cases::all().into_iter().map(|setup| setup().arch).collect();
        let words = ["iverilog", "-g2012", "-Wall", "-s", TOP, "-o", "top.vvp"];
        assert_quiet(&archs, |files| with(&words, files));
    }
}

#[test]
fn yosys_synthesizes_every_array_of_the_tests_without_latches() {
    if has("synthesis of the rtl", "yosys", "-V") {
        let archs: Vec<_> = cases::all().into_iter().map(|setup| setup().arch).collect();
        assert_quiet(&archs, |files| {
            let script = format!(
                "read_verilog -sv {}; hierarchy -check -top {TOP}; proc; opt; \
                 select -assert-none t:$dlatch; check -assert; stat",
                files.join(" ")
            );
            with(&["yosys", "-q", "-p", &script], &[])
        });
    }
}
