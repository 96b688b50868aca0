//! The resident memory of a process.

use std::fs;

use rustix::process::Pid;

/// Bytes of physical memory that the process holds, shared pages included; `None` when it cannot be read.
pub(crate) fn resident_bytes(pid: Pid) -> Option<u64> {
    let folder = format!("/proc/{}", pid.as_raw_nonzero());
    // The kernel adds `smaps_rollup` up page by page; `status` is a counter that lags behind.
    let exact =
        fs::read_to_string(format!("{folder}/smaps_rollup")).ok().and_then(|text| field(&text, "Rss:"));
    exact.or_else(|| field(&fs::read_to_string(format!("{folder}/status")).ok()?, "VmRSS:"))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_held_is_seen() {
        let this = rustix::process::getpid();
        let before = resident_bytes(this).unwrap();
        let held = vec![1_u8; 64 << 20];
        let after = resident_bytes(this).unwrap();
        assert!(after > before + (48 << 20), "{before} {after} {}", held.len());
    }

    #[test]
    fn kilobytes_are_read_as_the_system_writes_them() {
        assert_eq!(field("Name:\tobol\nVmRSS:\t    1200 kB\n", "VmRSS:"), Some(1_228_800));
        assert_eq!(field("Name:\tobol\n", "VmRSS:"), None);
    }
}
