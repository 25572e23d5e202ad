//! Folders that a command writes as a whole, and replaces when it runs again.
//!
//! `files.txt` in the folder lists what the command wrote, each file with the digest of its content. A folder may be
//! replaced if everything in it is on that list and as it was written. The list is written before the files, with
//! those of before and those to come, so that a command that was killed can run again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tridot_sim::digest::Digest;

use super::{check_no_file, is_same, make_all, read, text, write};

/// The name of the list.
const LIST: &str = "files.txt";
/// The largest list that is read.
const MAX_LIST_BYTES: usize = 1 << 24;
/// The largest file of such a folder that is read.
const MAX_FILE_BYTES: usize = 1 << 32;
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

/// What a list names: path → what the file may hold, one content or, where a run was killed, two; none of a list
/// that said nothing of contents.
type Listed = BTreeMap<String, BTreeSet<Digest>>;

/// A folder that a command writes as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output<'a> {
    pub(crate) folder: &'a Path,
    /// The command.
    pub(crate) maker: &'a str,
    /// A file that may lie in it: an input.
    pub(crate) spared: &'a Path,
    pub(crate) occupied: Occupied,
}

impl Output<'_> {
    /// Refuses a folder that holds files of others, or changed ones; found out before the work, not after.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { folder, maker, .. } = self;
        check_no_file(folder)?;
        if self.occupied == Occupied::Keep {
            return Ok(());
        }
        let listed = listed(folder, maker)?;
        let spared = fs::canonicalize(self.spared).ok();
        let place = || folder.display();
        for path in present(folder)? {
            let is_spared = || fs::canonicalize(folder.join(&path)).ok() == spared;
            if path == LIST || is_passing(&path) || is_spared() {
                continue;
            }
            let Some(digests) = listed.get(&path) else {
                bail!(
                    "{}: holds `{path}`, which no earlier `{maker}` wrote: name another folder, or add --force",
                    place()
                );
            };
            if !is_as_written(&folder.join(&path), digests)? {
                bail!(
                    "{}: holds `{path}`, which was changed since `{maker}` wrote it: name another folder, or add \
                     --force",
                    place()
                );
            }
        }
        if listed.is_empty() && folder.join(LIST).exists() {
            bail!(
                "{}: holds `{LIST}`, which is not of `{maker}`: name another folder, or add --force",
                place()
            );
        }
        Ok(())
    }

    /// Writes the files and the list, and removes what the list named before and is no more, with the folders that
    /// are empty then. Refuses, before it writes anything, what [`Self::check`] refuses, a file that is read-only,
    /// and another content over an input.
    pub(crate) fn replace(&self, inputs: &[&Path], contents: &Contents) -> Result<()> {
        // The work may have taken long.
        self.check()?;
        let Self { folder, maker, .. } = self;
        let old = listed(folder, maker)?;
        let gone: Vec<PathBuf> = gone(folder, &old, contents)?;
        let paths = contents.keys().map(|name| folder.join(name)).chain(gone.iter().cloned());
        for path in paths.filter(|path| path.exists()) {
            super::target(&path)?;
        }
        for (name, content) in contents {
            let path = folder.join(name);
            if inputs.iter().any(|input| is_same(&path, input))
                && read(&path, MAX_FILE_BYTES)? != *content
            {
                bail!(
                    "{}: is an input, which `{maker}` would overwrite: name another folder",
                    path.display()
                );
            }
        }
        let digest =
            |(name, content): (&String, &Vec<u8>)| (name.clone(), [Digest::of(content)].into());
        let new: Listed = contents.iter().map(digest).collect();
        let mut both = old;
        for (name, digests) in &new {
            both.entry(name.clone()).or_default().extend(digests);
        }
        make_all(folder)?;
        write(&folder.join(LIST), list(maker, &both).as_bytes())?;
        for (name, content) in contents {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            make_all(parent)?;
            write(&path, content)?;
        }
        for path in gone {
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
            let above = path.ancestors().skip(1).take_while(|inner| inner != folder);
            above.for_each(remove_if_empty);
        }
        write(&folder.join(LIST), list(maker, &new).as_bytes())
    }
}

/// Files as a list names them, that are not to be written again.
fn gone(folder: &Path, old: &Listed, contents: &Contents) -> Result<Vec<PathBuf>> {
    let mut gone = Vec::new();
    for (name, digests) in old.iter().filter(|(name, _)| !contents.contains_key(*name)) {
        let path = folder.join(name);
        if path.is_file() && is_as_written(&path, digests)? {
            gone.push(path);
        }
    }
    Ok(gone)
}

/// Removes a folder in which nothing is but what a killed run left. It stays where something else is in it.
fn remove_if_empty(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let is_part = |path: &PathBuf| is_passing(&path.to_string_lossy()) && path.is_file();
    if paths.iter().all(is_part) {
        for path in paths {
            drop(fs::remove_file(path));
        }
        drop(fs::remove_dir(folder));
    }
}

/// Whether a file is what a list says of it. What is no plain file is something else.
fn is_as_written(path: &Path, digests: &BTreeSet<Digest>) -> Result<bool> {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(false);
    }
    Ok(digests.is_empty() || digests.contains(&Digest::of(&read(path, MAX_FILE_BYTES)?)))
}

fn first_line(maker: &str) -> String {
    format!("files of `{maker}`, format 2")
}

/// Of lists that named files alone.
fn first_line_without_digests(maker: &str) -> String {
    format!("files of `{maker}`, format 1")
}

fn list(maker: &str, files: &Listed) -> String {
    let pairs = files.iter().flat_map(|(name, digests)| digests.iter().map(move |d| (d, name)));
    let lines = pairs.map(|(digest, name)| format!("{digest} {name}"));
    let lines: Vec<String> = std::iter::once(first_line(maker)).chain(lines).collect();
    lines.join("\n") + "\n"
}

/// The files on the list of an earlier run; none where there is no list, or where it is of something else.
fn listed(folder: &Path, maker: &str) -> Result<Listed> {
    let path = folder.join(LIST);
    let mut listed = Listed::new();
    if !path.is_file() {
        return Ok(listed);
    }
    let list = text(&path, read(&path, MAX_LIST_BYTES)?)?;
    let mut lines = list.lines();
    let first = lines.next().unwrap_or_default();
    let has_digests = first == first_line(maker);
    if !has_digests && first != first_line_without_digests(maker) {
        return Ok(listed);
    }
    // A list that was tampered with must not reach outside the folder.
    let is_inside = |name: &str| {
        let mut parts = Path::new(name).components();
        parts.all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    for line in lines {
        let (digest, name) = match line.split_once(' ') {
            Some((digest, name)) if has_digests => (digest.parse::<Digest>().ok(), name),
            _ => (None, line),
        };
        if is_inside(name) && digest.is_some() == has_digests {
            listed.entry(name.to_owned()).or_default().extend(digest);
        }
    }
    Ok(listed)
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
                // Named as lists name them.
                let parts = path.iter().map(|part| part.to_string_lossy());
                found.insert(parts.collect::<Vec<_>>().join("/"));
            }
        }
    }
    Ok(found)
}

/// What passes, and belongs to no list: a file that was being written when its run was killed, a lock.
fn is_passing(path: &str) -> bool {
    path.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(path).starts_with(".tridot-")
}
