//! The store of Records in a folder of results, which several processes may add to.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use tridot_reports::record::Record;
use tridot_reports::store::Store;

use super::{check_writable, make_all, read, text, write};

/// The largest store that is read: 1 GiB.
pub(crate) const MAX_RECORDS_BYTES: usize = 1 << 30;

/// The name of the store in a folder of results.
const RECORDS: &str = "records.csv";
/// The empty file that a process locks while it changes the store.
const HELD: &str = ".tridot-records.lock";

/// The store of a folder, empty where there is none; makes the folder, and refuses one that cannot be written.
pub(crate) fn open_records(folder: &Path) -> Result<Store> {
    make_all(folder)?;
    let path = folder.join(RECORDS);
    check_writable(&path)?;
    if !path.exists() {
        return Ok(Store::default());
    }
    let text = text(&path, read(&path, MAX_RECORDS_BYTES)?)?;
    Store::from_csv(&text).with_context(|| path.display().to_string())
}

/// Adds a Record to the store of a folder, as it is now: of several processes one after the other.
pub(crate) fn append_record(folder: &Path, record: Record) -> Result<()> {
    let _held = hold(folder)?;
    let mut store = open_records(folder)?;
    let path = folder.join(RECORDS);
    store.insert(record).with_context(|| path.display().to_string())?;
    write(&path, store.to_csv().as_bytes())
}

/// Waits until no other process holds a folder, and holds it as long as what is returned lives.
fn hold(folder: &Path) -> Result<File> {
    let path = folder.join(HELD);
    let place = || path.display().to_string();
    let file = File::options().write(true).create(true).truncate(true).open(&path);
    let file = file.with_context(place)?;
    match file.lock() {
        // Some network file systems have no locks; processes in turn are safe there as well.
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
        locked => locked.with_context(place)?,
    }
    Ok(file)
}
