//! The Python environment of the PyTorch side.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::cli::{Allocator, TrainingBenchArgs};
use crate::print::Printer;
use crate::tools;

/// Whether PyTorch is there; importing it would take seconds.
const CHECK: &str = "import importlib.util, sys; sys.exit(None if importlib.util.find_spec('torch') else 'no torch')";

/// The Python that has PyTorch; made first where that is asked for.
pub(super) fn python(arguments: &TrainingBenchArgs, printer: &Printer) -> Result<PathBuf> {
    let folder = match &arguments.venv {
        Some(folder) => folder.clone(),
        None => default_folder()?,
    };
    let python = folder.join("bin/python");
    if has_torch(&python) {
        return Ok(python);
    }
    if !arguments.install {
        bail!(
            "{}: no Python environment with PyTorch: name one with --venv, make this one with --install, \
             or measure --alone",
            folder.display()
        );
    }
    install(&folder, &python, printer)?;
    Ok(python)
}

fn default_folder() -> Result<PathBuf> {
    let from_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(from_home);
    let cache = cache.context("no cache folder, as HOME is not set: give --venv")?;
    Ok(cache.join("tridot/pytorch"))
}

fn has_torch(python: &Path) -> bool {
    python.is_file() && tools::run(python, &["-c", CHECK]).is_ok()
}

fn install(folder: &Path, python: &Path, printer: &Printer) -> Result<()> {
    printer.note(format_args!("{}: installing PyTorch", folder.display()));
    if !python.is_file() {
        let system = tools::find("python3").ok_or_else(|| anyhow!("no python3 in PATH"))?;
        let folder =
            folder.to_str().with_context(|| format!("{}: is not UTF-8", folder.display()))?;
        tools::run(&system, &["-m", "venv", folder])?;
    }
    tools::run(python, &["-m", "pip", "install", "--quiet", "torch"])?;
    if has_torch(python) {
        return Ok(());
    }
    bail!("{}: pip brought no PyTorch", folder.display())
}

/// Environment variables of both sides.
pub(super) fn variables(allocator: Allocator, threads: &str) -> Vec<(&'static str, &str)> {
    let mut variables = vec![("OMP_NUM_THREADS", threads), ("PYTHONWARNINGS", "ignore")];
    if allocator == Allocator::Keep {
        // Everything from the heap, whose top never shrinks and grows by 64 MiB.
        variables.extend([
            ("MALLOC_MMAP_MAX_", "0"),
            ("MALLOC_TRIM_THRESHOLD_", "1099511627776"),
            ("MALLOC_TOP_PAD_", "67108864"),
        ]);
    }
    variables
}
