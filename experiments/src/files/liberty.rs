//! Liberty files, plain or compressed, and the place where a simulator's value changes go.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tridot_sim::liberty::{Library, MAX_FILE_BYTES};

/// Reads liberty files as one library; a `.gz` is decompressed.
pub(crate) fn read_liberty(paths: &[PathBuf]) -> Result<Library> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = super::read(path, MAX_FILE_BYTES)?;
        let is_compressed = bytes.starts_with(&[0x1f, 0x8b]);
        let bytes = if is_compressed { decompressed(path, &bytes)? } else { bytes };
        files.push((path.display().to_string(), super::text(path, bytes)?));
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Ok(Library::read(&files)?)
}

fn decompressed(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = MAX_FILE_BYTES as u64 + 1;
    let mut reader = flate2::read::GzDecoder::new(bytes).take(most);
    reader.read_to_end(&mut content).with_context(|| path.display().to_string())?;
    if MAX_FILE_BYTES < content.len() {
        bail!(
            "{}: must be smaller than {MAX_FILE_BYTES} bytes without compression",
            path.display()
        );
    }
    Ok(content)
}

/// Makes a file that is the standard output of whoever writes it, so that what a simulator dumps is read and not kept.
#[cfg(unix)]
pub(crate) fn link_to_output(path: &Path) -> Result<()> {
    std::os::unix::fs::symlink("/dev/stdout", path).with_context(|| path.display().to_string())
}

/// Only where `/dev/stdout` is.
#[cfg(not(unix))]
pub(crate) fn link_to_output(path: &Path) -> Result<()> {
    bail!("{}: a system with /dev/stdout is needed", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_compressed_file_is_what_was_compressed() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"library (a) { }").unwrap();
        let bytes = encoder.finish().unwrap();
        let content = decompressed(Path::new("a.lib.gz"), &bytes).unwrap();
        assert_eq!(content, b"library (a) { }");
        let error = decompressed(Path::new("a.lib.gz"), &bytes[..bytes.len() - 9]).unwrap_err();
        assert!(error.to_string().starts_with("a.lib.gz"), "{error}");
    }
}
