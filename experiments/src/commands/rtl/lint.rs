//! `tridot rtl lint`: do the tools take the RTL?

use anyhow::Result;
use serde::Serialize;
use tridot_sim::arch::Architecture;
use tridot_sim::rtl::{Sizes, TOP};

use super::library::Library;
use crate::cli::{RtlLintArgs, Verdict};
use crate::files;
use crate::print::Printer;
use crate::tools::Tool;

#[derive(Serialize)]
struct Report {
    warnings: usize,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    architecture: String,
    tool: String,
    /// What the tool complained of first.
    complaint: Option<String>,
}

pub(crate) fn run(arguments: &RtlLintArgs, printer: &Printer) -> Result<Verdict> {
    let library = Library::of(arguments.library.rtl_dir.as_deref())?;
    let archs = arguments.arch.iter().map(|name| files::architecture(name));
    let archs = archs.collect::<Result<Vec<Architecture>>>()?;
    let tools =
        [(Tool::Verilator, "verilator"), (Tool::Icarus, "iverilog"), (Tool::Yosys, "yosys")];
    let mut versions = Vec::new();
    for (tool, name) in tools {
        versions.push((tool, format!("{name} {}", tool.version()?)));
    }
    let bar = printer.bar("lint", (archs.len() * tools.len()) as u64);
    let mut runs = Vec::new();
    for arch in &archs {
        let folder = files::scratch_folder()?;
        for (name, content) in library.sources(arch, Sizes::SMALL) {
            files::write_scratch(&folder.path().join(name), &content)?;
        }
        for (tool, version) in &versions {
            let said = tool.run(folder.path(), &command(*tool, library.modules()))?;
            let complaint = (!said.is_quiet()).then(|| said.complaint());
            runs.push(Run { architecture: arch.name.clone(), tool: version.clone(), complaint });
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let warnings = runs.iter().filter(|run| run.complaint.is_some()).count();
    let report = Report { warnings, runs };
    let row = |run: &Run| {
        let complaint = run.complaint.clone().unwrap_or_else(|| "quiet".to_owned());
        vec![run.architecture.clone(), run.tool.clone(), complaint]
    };
    printer.table(&["architecture", "tool", "says"], report.runs.iter().map(row));
    printer.object("rtl lint", &report)?;
    Ok(if report.warnings == 0 { Verdict::Yes } else { Verdict::No })
}

/// Lint with all warnings, elaboration, synthesis without latches.
fn command(tool: Tool, modules: Vec<String>) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    match tool {
        Tool::Verilator => {
            [words(&["--lint-only", "-Wall", "--top-module", TOP]), modules].concat()
        }
        Tool::Icarus => [words(&["-g2012", "-Wall", "-s", TOP, "-o", "top.vvp"]), modules].concat(),
        Tool::Yosys => {
            let script = format!(
                "read_verilog -sv {}; hierarchy -check -top {TOP}; proc; opt; \
                 select -assert-none t:$dlatch; check -assert; stat",
                modules.join(" ")
            );
            words(&["-q", "-p", &script])
        }
    }
}
