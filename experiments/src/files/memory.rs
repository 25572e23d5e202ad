//! How much memory a process held, as the system's files say.

/// The most memory that this process held since it started or was last reset; none where the system does not say.
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    peak_memory_bytes_of(std::process::id())
}

/// The most memory that a process of this number held so far; none where the system does not say.
pub(crate) fn peak_memory_bytes_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Begins a new count of the most memory; where the system cannot, the old count goes on.
pub(crate) fn reset_peak_memory() {
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}
