//! The only place that opens, writes and renames files.

use std::fs::File;
use std::io::{Read as _, Write as _};
#[cfg(feature = "train")]
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tridot_reports::plot::Figure;
use tridot_sim::limits::MAX_TRACE_FILE_BYTES;
use tridot_sim::network::Network;
use tridot_sim::trace::Trace;

mod arguments;
pub(crate) mod folder;
pub(crate) mod liberty;
#[cfg(feature = "train")]
mod memory;
mod records;

pub(crate) use arguments::{
    architecture, architecture_text, energy_tables, file_hint, is_path, of_argument, read_network,
};
#[cfg(feature = "train")]
pub(crate) use arguments::{
    at_line, may_be_integer_network, topology, topology_text, trained_bytes,
};
#[cfg(feature = "train")]
pub(crate) use memory::{peak_memory_bytes, peak_memory_bytes_of, reset_peak_memory};
pub(crate) use records::{MAX_RECORDS_BYTES, append_record, open_records};

/// The largest checkpoint that is read: 4 GiB.
pub(crate) const MAX_CHECKPOINT_BYTES: usize = 1 << 32;
/// The largest TOML file that is read: 4 MiB.
pub(crate) const MAX_TEXT_BYTES: usize = 1 << 22;

/// The first bytes of a file, which say what it is.
const HEAD_BYTES: u64 = 4096;

/// Reads a whole file of at most so many bytes. A pipe or a device may be a text, which is short.
pub(crate) fn read(path: &Path, max_bytes: usize) -> Result<Vec<u8>> {
    let file = open(path, max_bytes)?;
    rest(path, &file, Vec::new(), max_bytes)
}

/// Reads a plain file of at most so many bytes, after a look at its first ones: a `safetensors` file
/// whose header cannot be there is refused, and one that is neither that nor a zip archive is no
/// longer than a text; of a longer one only the beginning is returned, if it is no text.
pub(crate) fn read_plain(path: &Path, max_bytes: usize) -> Result<Vec<u8>> {
    let file = open(path, max_bytes)?;
    let metadata = file.metadata().with_context(|| path.display().to_string())?;
    if !metadata.is_file() {
        bail!("{}: must be a plain file, not a device, pipe or socket", path.display());
    }
    let mut head = Vec::new();
    (&file).take(HEAD_BYTES).read_to_end(&mut head).with_context(|| path.display().to_string())?;
    if head.starts_with(b"PK") {
        return rest(path, &file, head, max_bytes);
    }
    // A length of eight letters would be beyond every file: this is a text.
    let is_letter = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if head.get(8) == Some(&b'{') && !head[..8].iter().all(is_letter) {
        let (length, _) = head.split_first_chunk().expect("there are nine bytes");
        let (length, most) = (u64::from_le_bytes(*length), metadata.len() - 8);
        if most < length {
            bail!(
                "{}: the header's length must be at most {most}, as the file has {} bytes, got {length}",
                path.display(),
                metadata.len()
            );
        }
        return rest(path, &file, head, max_bytes);
    }
    let is_text = head.first().is_some_and(|byte| !matches!(byte, 0 | 0x80..));
    if MAX_TEXT_BYTES as u64 <= metadata.len() && !is_text {
        return Ok(head);
    }
    rest(path, &file, head, max_bytes.min(MAX_TEXT_BYTES))
}

/// Opens a file of at most so many bytes that is no folder.
fn open(path: &Path, max_bytes: usize) -> Result<File> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(place)?;
    let metadata = file.metadata().with_context(place)?;
    if metadata.is_dir() {
        bail!("{}: is a folder, not a file", path.display());
    }
    if max_bytes as u64 <= metadata.len() {
        bail!("{}: must be smaller than {max_bytes} bytes, got {}", path.display(), metadata.len());
    }
    Ok(file)
}

/// What was read of a file and what is left of it, at most so many bytes.
fn rest(path: &Path, file: &File, mut bytes: Vec<u8>, max_bytes: usize) -> Result<Vec<u8>> {
    // A pipe or a growing file has no length to trust.
    let most = (max_bytes + 1).saturating_sub(bytes.len()) as u64;
    match file.take(most).read_to_end(&mut bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::OutOfMemory => {
            bail!("{}: memory for its contents must be there, got none", path.display())
        }
        result => result.with_context(|| path.display().to_string())?,
    };
    if max_bytes < bytes.len() {
        bail!("{}: must be smaller than {max_bytes} bytes, but there are more", path.display());
    }
    Ok(bytes)
}

/// A file to be read bit by bit, however long it is.
pub(crate) fn reader(path: &Path) -> Result<std::io::BufReader<File>> {
    Ok(std::io::BufReader::with_capacity(1 << 16, open(path, usize::MAX)?))
}

/// Reads a UTF-8 text file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    text(path, read(path, MAX_TEXT_BYTES)?)
}

/// What was read from a text file, as text.
pub(crate) fn text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        anyhow::anyhow!(
            "{}: byte {}: is not UTF-8 text",
            path.display(),
            error.utf8_error().valid_up_to()
        )
    })
}

/// Writes beside the target, syncs and renames: the target is whole or untouched at any moment.
/// A symbolic link stays, and the file that it leads to is replaced.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let place = || path.display().to_string();
    let target = target(path)?;
    let folder = folder_of(&target);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tridot-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As for any new file, the umask takes its part.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut beside = builder.tempfile_in(folder).map_err(|error| unwritable(path, &error))?;
    beside.as_file_mut().write_all(bytes).with_context(place)?;
    beside.as_file().sync_all().with_context(place)?;
    beside.persist(&target).map_err(|error| error.error).with_context(place)?;
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(place)?;
    Ok(())
}

/// The plain file that a path leads to, there or not; refuses what a rename would destroy or miss.
fn target(path: &Path) -> Result<PathBuf> {
    let text = path.as_os_str().as_encoded_bytes();
    if text.ends_with(b"/") || text.ends_with(b"/.") || path.file_name().is_none() {
        bail!("{}: names a folder, not a file", path.display());
    }
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => bail!("{}: is a folder, not a file", path.display()),
        Ok(metadata) if !metadata.is_file() => {
            bail!("{}: must be a plain file or absent, is a device, pipe or socket", path.display())
        }
        // To take another file's place its own permission is not asked for: whoever took it away meant it.
        Ok(metadata) if metadata.permissions().readonly() => {
            bail!("{}: is read-only", path.display())
        }
        Ok(_) => std::fs::canonicalize(path).map_err(|error| unwritable(path, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if path.is_symlink() {
                bail!("{}: is a symbolic link to a file that is not there", path.display());
            }
            Ok(path.to_path_buf())
        }
        Err(error) => Err(unwritable(path, &error)),
    }
}

/// Whether a file can be written there without loss of an input: found out before hours of work, not
/// after. Inputs are files, or folders of files.
pub(crate) fn check_output(path: &Path, inputs: &[&Path]) -> Result<()> {
    check_writable(path)?;
    for input in inputs {
        let inside = input.is_dir() && path.exists() && is_same(folder_of(&target(path)?), input);
        if inside || is_same(path, input) {
            bail!(
                "{}: must not be an input, which it would overwrite ({}): choose another output",
                path.display(),
                input.display()
            );
        }
    }
    Ok(())
}

/// Whether two paths lead to one file or folder, by whatever names and links.
fn is_same(a: &Path, b: &Path) -> bool {
    let (Ok(a_metadata), Ok(b_metadata)) = (std::fs::metadata(a), std::fs::metadata(b)) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        a_metadata.dev() == b_metadata.dev() && a_metadata.ino() == b_metadata.ino()
    }
    #[cfg(not(unix))]
    {
        let canonical = |path: &Path| std::fs::canonicalize(path).ok();
        a_metadata.is_file() == b_metadata.is_file() && canonical(a) == canonical(b)
    }
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The kind of error alone: its text would name the passing file beside the one that is asked for.
fn unwritable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let folder = folder_of(path);
    if error.kind() == std::io::ErrorKind::NotFound && !folder.exists() {
        return anyhow::anyhow!(
            "{}: cannot be written: there is no folder `{}`",
            path.display(),
            folder.display()
        );
    }
    anyhow::anyhow!("{}: cannot be written: {}", path.display(), error.kind())
}

/// Whether a file can be written there: found out before hours of work, not after.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    let target = target(path)?;
    let beside = tempfile::Builder::new().prefix(".tridot-").tempfile_in(folder_of(&target));
    beside.map(drop).map_err(|error| unwritable(path, &error))
}

/// A file's text, if there is such a file.
#[cfg(feature = "train")]
pub(crate) fn read_text_if_present(path: &Path) -> Result<Option<String>> {
    if path.exists() { read_text(path).map(Some) } else { Ok(None) }
}

/// A folder that goes when it is dropped.
pub(crate) fn scratch_folder() -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("tridot-").tempdir().context("a temporary folder")
}

/// Writes a file of such a folder: nothing is lost if it is cut short.
pub(crate) fn write_scratch(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Writes a figure and its numbers, beside each other.
pub(crate) fn write_figure(folder: &Path, figure: &Figure) -> Result<()> {
    write(&folder.join(format!("{}.svg", figure.name)), figure.svg.as_bytes())?;
    write(&folder.join(format!("{}.csv", figure.name)), figure.csv.as_bytes())
}

/// A folder in another one, made if need be, that goes when it is dropped unfinished.
pub(crate) fn part_folder(within: &Path) -> Result<tempfile::TempDir> {
    make_all(within)?;
    let folder = tempfile::Builder::new().prefix(".tridot-").tempdir_in(within);
    folder.with_context(|| within.display().to_string())
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.with_context(|| folder.display().to_string()),
    }
}

/// Gives it its name. If another process was faster, that one's stays.
pub(crate) fn finish_folder(part: tempfile::TempDir, folder: &Path) -> Result<()> {
    let renamed = std::fs::rename(part.path(), folder);
    if !folder.is_dir() {
        renamed.with_context(|| folder.display().to_string())?;
    } else if renamed.is_ok() {
        // What was moved away is not to be removed.
        drop(part.keep());
    }
    Ok(())
}

/// The names of a folder's files, but of its folders, in order; at most so many.
pub(crate) fn names_in(folder: &Path, most: usize) -> Result<Vec<String>> {
    let place = || folder.display().to_string();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(place)? {
        let entry = entry.with_context(place)?;
        if !entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        if most < names.len() {
            bail!("{}: must hold at most {most} files, but there are more", place());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Refuses a file where a folder belongs.
fn check_no_file(folder: &Path) -> Result<()> {
    if folder.exists() && !folder.is_dir() {
        bail!("{}: is a file, not a folder", folder.display());
    }
    Ok(())
}

/// Makes a folder with all above it, unless it is there.
pub(crate) fn make_all(folder: &Path) -> Result<()> {
    check_no_file(folder)?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// Whether anything lies in a folder, except half-written files; nothing does where there is none yet.
#[cfg(feature = "train")]
pub(crate) fn contents(path: &Path) -> Result<Contents> {
    let place = || path.display().to_string();
    check_no_file(path)?;
    if !path.exists() {
        return Ok(Contents::Nothing);
    }
    let mut first: Option<String> = None;
    for entry in std::fs::read_dir(path).with_context(place)? {
        let name = entry.with_context(place)?.file_name().to_string_lossy().into_owned();
        if !name.starts_with(".tridot-") && first.as_ref().is_none_or(|first| name < *first) {
            first = Some(name);
        }
    }
    Ok(first.map_or(Contents::Nothing, Contents::Some))
}

/// What is in a folder.
#[cfg(feature = "train")]
#[derive(Debug)]
pub(crate) enum Contents {
    /// No file.
    Nothing,
    /// The first of its files by name.
    Some(String),
}

/// Reads a trace and refuses one of another network.
pub(crate) fn read_trace(path: &Path, network: &Network) -> Result<Trace> {
    let place = || path.display().to_string();
    let trace = Trace::from_bytes(&read_plain(path, MAX_TRACE_FILE_BYTES)?).with_context(place)?;
    trace.fits(network).with_context(place)?;
    Ok(trace)
}

/// A file without a name, for what a program says.
#[cfg(feature = "train")]
pub(crate) fn unnamed() -> Result<File> {
    tempfile::tempfile().context("temporary folder")
}

/// What a file without a name holds, of the most that is read as text.
#[cfg(feature = "train")]
pub(crate) fn text_from_start(file: &mut File) -> Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(MAX_TEXT_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A path from the root, for commands that run in another folder.
#[cfg(feature = "train")]
pub(crate) fn absolute(path: &Path) -> Result<String> {
    let absolute = std::path::absolute(path).with_context(|| path.display().to_string())?;
    let text = absolute.to_str().with_context(|| format!("{}: is not UTF-8", path.display()))?;
    Ok(text.to_owned())
}

/// From here on, paths are relative to this folder.
#[cfg(feature = "train")]
pub(crate) fn enter(folder: &Path) -> Result<()> {
    std::env::set_current_dir(folder).with_context(|| folder.display().to_string())
}
