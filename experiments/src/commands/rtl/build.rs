//! Simulators that Verilator builds, one an architecture and memory size.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tridot_sim::arch::Architecture;
use tridot_sim::digest::Digest;
use tridot_sim::rtl::{Image, Observed, Sizes, TOP};

use super::library::Library;
use crate::files::folder::Contents;
use crate::tools::{self, Tool};
use crate::{files, threads};

/// How hard the compiler tries: building takes longer than small layers run.
const COMPILER_FLAGS: &str = "-std=c++17";
/// The same for parts of Verilator's makefile: the model, what runs once, the library.
const MAKE_FLAGS: &str = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0";

/// A simulator of one architecture's RTL.
pub(super) struct Simulator {
    program: PathBuf,
    scratch: TempDir,
    /// Whether it was built before.
    pub(super) is_reused: bool,
}

impl Simulator {
    /// Builds it, or finds it in the folder of earlier ones.
    pub(super) fn new(
        library: &Library,
        arch: &Architecture,
        sizes: Sizes,
        kept: &Path,
        verilator: &str,
    ) -> Result<Self> {
        let scratch = files::scratch_folder()?;
        let sources = library.sources(arch, sizes);
        // Whatever the build depends on is in its name.
        let parts = sources.iter().flat_map(|(name, content)| [name.as_bytes(), content]);
        let tail = [verilator, COMPILER_FLAGS, MAKE_FLAGS].map(str::as_bytes);
        let name = Digest::of_parts(parts.chain(tail)).to_string();
        let (folder, program) = (kept.join(&name), format!("obj_dir/V{TOP}"));
        let program = std::path::absolute(folder.join(program)).context("the folder of builds")?;
        let is_reused = program.is_file();
        if !is_reused {
            check_path(kept)?;
            let part = files::part_folder(kept)?;
            build(part.path(), &arch.name, &sources, library.modules())?;
            if !program.is_file() {
                // A folder without its program is of no use, and the new one could not take its name.
                files::remove_folder(&folder)?;
            }
            files::finish_folder(part, &folder)?;
        }
        Ok(Self { program, scratch, is_reused })
    }

    /// Runs a layer; the refusal of what the RTL did is told apart from one of the system. Several may run at once.
    pub(super) fn run(
        &self,
        image: &Image,
        arch: &Architecture,
    ) -> Result<Result<Observed, String>> {
        let own = files::part_folder(self.scratch.path())?;
        for (name, text) in image.files() {
            files::write_scratch(&own.path().join(name), text.as_bytes())?;
        }
        let folder = own.path().as_os_str().to_owned();
        let said = tools::run_built(&self.program, &[folder, image.limit.to_string().into()])?;
        if !said.succeeded {
            let refused = said.output.lines().find_map(|line| line.strip_prefix("refused "));
            return Ok(Err(refused.map_or_else(|| said.complaint(), str::to_owned)));
        }
        Ok(Observed::parse(&said.output, image.outputs, arch).map_err(|error| error.to_string()))
    }
}

/// Refuses a folder in which make cannot build.
fn check_path(folder: &Path) -> Result<()> {
    let path = std::path::absolute(folder).context("the folder of builds")?;
    if path.to_string_lossy().contains(char::is_whitespace) {
        bail!(
            "{}: Verilator's makefiles cannot build in a folder with spaces in its path: choose another \
             with -o, or set TMPDIR",
            path.display()
        );
    }
    Ok(())
}

/// Builds in a folder.
fn build(folder: &Path, arch: &str, sources: &Contents, modules: Vec<String>) -> Result<()> {
    for (name, content) in sources {
        files::write_scratch(&folder.join(name), content)?;
    }
    let threads = threads::count().to_string();
    let mut arguments: Vec<String> = [
        "--cc",
        "--exe",
        "--build",
        "-O3",
        "-Wno-fatal",
        "-j",
        &threads,
        "-CFLAGS",
        COMPILER_FLAGS,
    ]
    .map(str::to_owned)
    .to_vec();
    let more = ["-MAKEFLAGS", MAKE_FLAGS, "--top-module", TOP, "harness.cpp"];
    arguments.extend(more.map(str::to_owned));
    arguments.extend(modules);
    let said = Tool::Verilator.run(folder, &arguments)?;
    if !said.succeeded {
        bail!("architecture `{arch}`: verilator: {}", said.complaint());
    }
    Ok(())
}
