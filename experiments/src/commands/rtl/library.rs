//! The modules that run: the built-in ones, or those of a folder.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use tridot_sim::arch::Architecture;
use tridot_sim::rtl::{HARNESS, LIBRARY, PARAMETERS_HEADER, Sizes, TOP, parameters_header, top};

use crate::files;
use crate::files::folder::Contents;

/// Most files of a folder.
const MAX_FILES: usize = 1024;
/// What is made anew for every architecture, and test benches: not modules of the library.
const NOT_OF_IT: [&str; 3] = ["tridot_top.sv", "tridot_bench.sv", "tridot_bench_top.sv"];

/// Modules in SystemVerilog, by the names of their files.
#[derive(Debug)]
pub(crate) struct Library(BTreeMap<String, Vec<u8>>);

impl Library {
    /// The one that is part of the command.
    pub(crate) fn built_in() -> Self {
        Self(LIBRARY.iter().map(|&(name, text)| (name.to_owned(), text.into())).collect())
    }

    /// The modules of a folder, where one is named. Refuses one without any.
    pub(crate) fn of(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else { return Ok(Self::built_in()) };
        let is_module =
            |name: &str| (is_compiled(name) || is_header(name)) && !NOT_OF_IT.contains(&name);
        let names = files::names_in(folder, MAX_FILES)?;
        let mut library = BTreeMap::new();
        for name in names.into_iter().filter(|name| is_module(name)) {
            // Tools take names apart, and one that begins with `-` for an option.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.starts_with('-') || !name.chars().all(is_plain) {
                bail!(
                    "{}: names of modules must be of letters, digits, `-`, `_` and `.`, got `{}`",
                    folder.display(),
                    name.escape_debug()
                );
            }
            let text = files::read_text(&folder.join(&name))?;
            library.insert(name, text.into_bytes());
        }
        if !library.keys().any(|name| is_compiled(name)) {
            bail!("{}: must hold modules of the RTL (*.sv), there are none", folder.display());
        }
        Ok(Self(library))
    }

    /// The library, the top of an architecture, the harness.
    pub(crate) fn sources(&self, arch: &Architecture, sizes: Sizes) -> Contents {
        let mut contents = self.0.clone();
        contents.insert(format!("{TOP}.sv"), top(arch, sizes).into());
        contents.insert("harness.cpp".to_owned(), HARNESS.into());
        contents.insert(PARAMETERS_HEADER.to_owned(), parameters_header(arch, sizes).into());
        contents
    }

    /// The names of the files that are compiled, the top too: packages first.
    pub(crate) fn modules(&self) -> Vec<String> {
        let is_package =
            |name: &&String| name.rsplit_once('.').is_some_and(|(stem, _)| stem.ends_with("_pkg"));
        let compiled = || self.0.keys().filter(|name| is_compiled(name));
        let packages = compiled().filter(is_package);
        let others = compiled().filter(|name| !is_package(name));
        packages.chain(others).cloned().chain([format!("{TOP}.sv")]).collect()
    }
}

fn is_compiled(name: &str) -> bool {
    ends_as(name, ["sv", "v"])
}

/// Headers are included, not compiled.
fn is_header(name: &str) -> bool {
    ends_as(name, ["svh", "vh"])
}

fn ends_as(name: &str, extensions: [&str; 2]) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| extensions.iter().any(|one| extension == *one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_a_folder_are_its_sources_with_packages_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.sv", "a.v", "z_pkg.sv", "defs.svh", "tridot_top.sv", "harness.cpp"] {
            std::fs::write(folder.path().join(name), "// empty\n").unwrap();
        }
        let library = Library::of(Some(folder.path())).unwrap();
        assert_eq!(library.modules(), ["z_pkg.sv", "a.v", "b.sv", "tridot_top.sv"]);
        for name in ["my engine.sv", "-x.v", "x;exec -- ls;.sv"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), "// empty\n").unwrap();
            let error = Library::of(Some(folder.path())).unwrap_err().to_string();
            assert!(error.ends_with(&format!("got `{name}`")), "{error}");
        }
        let sources = library.sources(&Architecture::preset("tiny").unwrap(), Sizes::SMALL);
        assert!(sources.contains_key("defs.svh") && sources.contains_key("harness.cpp"));
        assert_ne!(sources["tridot_top.sv"], b"// empty\n");
    }

    #[test]
    fn a_folder_without_modules_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("only.svh"), "").unwrap();
        let refusal = Library::of(Some(folder.path())).unwrap_err().to_string();
        assert!(refusal.ends_with("must hold modules of the RTL (*.sv), there are none"));
        let absent = Library::of(Some(&folder.path().join("absent"))).unwrap_err();
        assert!(absent.to_string().ends_with("absent"), "{absent}");
    }
}
