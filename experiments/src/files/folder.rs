//! Folders that a command writes as a whole, and replaces when it runs again.
//!
//! `files.txt` in the folder lists what the command wrote. A folder may be replaced if everything in it is on that
//! list. The list is written before the files, with those of before and those to come, so that a command that was
//! killed can run again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{check_no_file, make_all, read, text, write};

/// The name of the list.
const LIST: &str = "files.txt";
/// The largest list that is read.
const MAX_LIST_BYTES: usize = 1 << 24;
/// Folders in folders that are looked into.
const MAX_DEPTH: usize = 4;

/// What may be in the folder already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occupied {
    /// Only what the list names.
    Refuse,
    /// Anything; what the list does not name stays.
    Keep,
}

/// Files to write: path from the folder, with `/` → content.
pub(crate) type Contents = BTreeMap<String, Vec<u8>>;

/// Refuses a folder that holds files of others, apart from `spared`; found out before the work, not after.
pub(crate) fn check(folder: &Path, maker: &str, spared: &Path, occupied: Occupied) -> Result<()> {
    check_no_file(folder)?;
    if occupied == Occupied::Keep {
        return Ok(());
    }
    let listed = listed(folder, maker)?;
    let spared = fs::canonicalize(spared).ok();
    for path in present(folder)? {
        let is_spared = || fs::canonicalize(folder.join(&path)).ok() == spared;
        if path != LIST && !listed.contains(&path) && !is_part(&path) && !is_spared() {
            bail!(
                "{}: holds `{path}`, which no earlier `{maker}` wrote: name another folder, or add --force",
                folder.display()
            );
        }
    }
    if listed.is_empty() && folder.join(LIST).exists() {
        bail!(
            "{}: holds `{LIST}`, which is not of `{maker}`: name another folder, or add --force",
            folder.display()
        );
    }
    Ok(())
}

/// Writes the files and the list, and removes what the list named before and is no more.
pub(crate) fn replace(folder: &Path, maker: &str, contents: &Contents) -> Result<()> {
    let old = listed(folder, maker)?;
    let new: BTreeSet<String> = contents.keys().cloned().collect();
    let list = |names: &BTreeSet<String>| {
        let first = first_line(maker);
        let lines = std::iter::once(first.as_str()).chain(names.iter().map(String::as_str));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    make_all(folder)?;
    write(&folder.join(LIST), list(&old.union(&new).cloned().collect()).as_bytes())?;
    for (name, content) in contents {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        make_all(parent)?;
        write(&path, content)?;
    }
    for name in old.difference(&new) {
        let path = folder.join(name);
        if path.is_file() {
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    write(&folder.join(LIST), list(&new).as_bytes())
}

fn first_line(maker: &str) -> String {
    format!("files of `{maker}`, format 1")
}

/// The names on the list of an earlier run; none where there is no list, or where it is of something else.
fn listed(folder: &Path, maker: &str) -> Result<BTreeSet<String>> {
    let path = folder.join(LIST);
    if !path.is_file() {
        return Ok(BTreeSet::new());
    }
    let list = text(&path, read(&path, MAX_LIST_BYTES)?)?;
    let mut lines = list.lines();
    if lines.next() != Some(&first_line(maker)) {
        return Ok(BTreeSet::new());
    }
    // A list that was tampered with must not reach outside the folder.
    let is_inside = |name: &&str| {
        let mut parts = Path::new(name).components();
        parts.all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    Ok(lines.filter(is_inside).map(str::to_owned).collect())
}

/// Everything in the folder and below that is no folder, by its path from there; links are not followed.
fn present(folder: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![(PathBuf::new(), 0)];
    if !folder.exists() {
        return Ok(found);
    }
    while let Some((inner, depth)) = folders.pop() {
        let place = folder.join(&inner);
        let entries = fs::read_dir(&place).with_context(|| place.display().to_string())?;
        for entry in entries {
            let entry = entry.with_context(|| place.display().to_string())?;
            let path = inner.join(entry.file_name());
            let kind = entry.file_type().with_context(|| path.display().to_string())?;
            if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else {
                found.insert(path.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

/// What a killed run may have left: a file that was being written.
fn is_part(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_prefix(".tridot-").and_then(|rest| rest.strip_suffix(".part")).is_some()
}
