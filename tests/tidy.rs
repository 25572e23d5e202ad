//! Are the rules of ARCHITECTURE.md kept: crate edges, independence of the implementations, current texts?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust sources below a folder, with their paths from the root.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The lines of code of a source file, without comments; none of its tests.
fn code<'a>(path: &Path, text: &'a str) -> impl Iterator<Item = &'a str> {
    let is_test = path
        .components()
        .any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name));
    let code = if is_test { "" } else { text.split("#[cfg(test)]\nmod tests {").next().unwrap() };
    code.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = read(manifest).parse().unwrap();
    manifest
        .get("dependencies")
        .map_or_else(BTreeSet::new, |table| table.as_table().unwrap().keys().cloned().collect())
}

#[test]
fn crates_depend_one_way_and_foreign_crates_have_one_home() {
    let allowed_ours = [
        ("sim/Cargo.toml", vec![]),
        ("sim/dpi/Cargo.toml", vec!["tridot-sim"]),
        ("models/Cargo.toml", vec!["tridot-sim"]),
        ("reports/Cargo.toml", vec!["tridot-sim"]),
        ("experiments/Cargo.toml", vec!["tridot-models", "tridot-reports", "tridot-sim"]),
    ];
    let homes = [
        ("candle-core", vec!["models"]),
        ("gemm", vec!["models"]),
        ("zune-jpeg", vec!["models"]),
        ("plotters", vec!["reports"]),
        ("csv", vec!["reports"]),
        ("clap", vec!["experiments"]),
        ("anyhow", vec!["experiments"]),
        ("indicatif", vec!["experiments"]),
        ("rayon", vec!["experiments", "models"]),
    ];
    for (manifest, allowed) in allowed_ours {
        let dependencies = dependencies(manifest);
        for ours in dependencies.iter().filter(|name| name.starts_with("tridot")) {
            assert!(allowed.contains(&ours.as_str()), "{manifest} must not depend on {ours}");
        }
        let package = manifest.split('/').next().unwrap();
        for (foreign, homes) in &homes {
            assert!(
                !dependencies.contains(*foreign) || homes.contains(&package),
                "{foreign} belongs in {homes:?}, not in {package}"
            );
        }
    }
}

/// Every module that computes outputs, with the names that none of the others may write in code.
const IMPLEMENTATIONS: [(&str, &str); 6] = [
    ("sim/src/reference", "reference"),
    ("sim/src/kernels", "kernels"),
    ("sim/src/stepped", "stepped"),
    ("sim/src/fast", "fast"),
    ("sim/src/rtl", "rtl"),
    ("models/src/candle_model", "candle_model"),
];

#[test]
fn implementations_import_nothing_of_one_another() {
    let files: Vec<_> = ["sim/src", "models/src"].into_iter().flat_map(sources).collect();
    let mut read_files = 0;
    for (home, own) in IMPLEMENTATIONS {
        let is_home = |path: &Path| path.with_extension("").starts_with(home);
        for (path, text) in files.iter().filter(|(path, _)| is_home(path)) {
            read_files += 1;
            for line in code(path, text) {
                for (_, other) in IMPLEMENTATIONS.iter().filter(|(_, other)| *other != own) {
                    let used = [
                        format!("crate::{other}"),
                        format!("tridot_sim::{other}"),
                        format!("super::{other}::"),
                    ];
                    assert!(
                        !used.iter().any(|used| line.contains(used)),
                        "{}: {line}",
                        path.display()
                    );
                }
            }
        }
    }
    assert!(3 <= read_files, "the homes of the implementations have moved");
}

#[test]
fn libraries_neither_print_nor_open_paths_nor_spawn_threads() {
    let sim = [
        "std::fs",
        "std::thread",
        "std::time",
        "std::env",
        "std::process",
        "println!",
        "rand_chacha",
    ];
    let models = ["std::thread", "std::time", "std::env", "std::process", "println!"];
    let folders = [("sim/src", &sim[..]), ("reports/src", &sim[..]), ("models/src", &models[..])];
    for (folder, forbidden) in folders {
        for (path, text) in sources(folder) {
            for line in code(&path, &text) {
                // Pictures are read ahead on threads of their own, which may wait for a disk.
                let reads_ahead = path == Path::new("models/src/data/ahead.rs");
                assert!(
                    !forbidden.iter().any(|word| line.contains(word))
                        || (reads_ahead && line.contains("std::thread")),
                    "{}: {line}",
                    path.display()
                );
                let is_data = path.with_extension("").starts_with("models/src/data");
                assert!(
                    is_data || !line.contains("std::fs"),
                    "{}: only data.rs opens files: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn unsafe_code_stays_in_the_kernels_and_says_why() {
    for folder in ["sim/src", "sim/dpi", "models/src", "reports/src", "experiments/src"] {
        for (path, text) in sources(folder) {
            let homes = ["sim/src/kernels", "models/src/kernels", "sim/dpi/src"];
            let at_home = homes.iter().any(|home| path.with_extension("").starts_with(home));
            assert!(
                at_home || !text.contains("unsafe {"),
                "{}: unsafe code outside the kernels and the DPI model",
                path.display()
            );
            let lines: Vec<_> = text.lines().collect();
            for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("unsafe {"))
            {
                let explained =
                    lines[i.saturating_sub(6)..=i].iter().any(|line| line.contains("// SAFETY:"));
                assert!(explained, "{}:{}: no `// SAFETY:` above {line}", path.display(), i + 1);
            }
        }
    }
}

#[test]
fn the_map_names_every_source_file() {
    let map = read("ARCHITECTURE.md");
    for folder in
        ["sim/src", "sim/dpi/src", "models/src", "reports/src", "experiments/src", "tests"]
    {
        for (path, _) in sources(folder) {
            // A submodule is covered by its folder.
            let covered = path.ancestors().any(|part| {
                map.contains(&format!("`{}`", part.display())) || {
                    let folder = format!("`{}/`", part.display());
                    part != Path::new("") && 1 < part.components().count() && map.contains(&folder)
                }
            });
            assert!(covered, "{} is not on the map", path.display());
        }
    }
}

#[test]
fn built_in_files_load() {
    for name in tridot_models::topology::builtin_names() {
        tridot_models::topology::builtin(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for entry in fs::read_dir(root().join("experiments/plans")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // Roads are the command's own; it tests that each loads.
        if text.contains("[[variant]]") {
            continue;
        }
        let read = if text.contains("[[stage]]") {
            tridot_models::train::TrainingPlan::from_toml(&text).map(drop)
        } else {
            tridot_models::scheme::Plan::from_toml(&text).map(drop)
        };
        read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    for (folder, names) in [
        ("arch", tridot_sim::arch::Architecture::preset_names()),
        ("energy", tridot_sim::energy::EnergyTables::builtin_names()),
    ] {
        let files = fs::read_dir(root().join("sim/presets").join(folder)).unwrap();
        assert_eq!(files.count(), names.len(), "every file of sim/presets/{folder} is built in");
    }
}

#[test]
fn the_changelog_has_an_unreleased_section() {
    assert!(read("CHANGELOG.md").contains("\n## Unreleased\n"));
}

#[test]
fn the_json_documentation_names_every_command_that_prints_json() {
    let documented = read("docs/json.md");
    for (path, text) in sources("experiments/src/commands") {
        for call in text.split("printer.object(\"").skip(1) {
            let command = call.split('"').next().unwrap();
            assert!(
                documented.contains(&format!("## {command}\n")),
                "{}: `{command}`",
                path.display()
            );
        }
    }
}
