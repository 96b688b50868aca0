//! The machine and the build: a figure without them cannot be compared.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// What the figures were taken on, and what was built how.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The model of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The system.
    pub kernel: String,
    /// How the kernel chooses the clock frequency, where it says so.
    pub governor: Option<String>,
    /// Whether it says that it is a virtual machine.
    pub virtual_machine: bool,
    /// The file system in which the data folders were.
    pub file_system: String,
    /// The version of obol.
    pub version: String,
    /// The compiler.
    pub rustc: String,
    /// How it was compiled.
    pub profile: String,
    /// The commit of the checkout in which the program lies, with `+` when files were changed there.
    pub commit: Option<String>,
    /// Processes that were ready to run, on average over the last minute before the benchmark.
    pub load_average: f64,
}

impl Machine {
    /// This one, with a program and a folder on it.
    pub fn describe(program: &Path, place: &Path) -> Self {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let uname = rustix::system::uname();
        let cpuinfo = read("/proc/cpuinfo");
        let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        Self {
            cpu: after_colon(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: after_colon(&read("/proc/meminfo"), "MemTotal").map_or(0, kilobytes),
            kernel: format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy()),
            governor: Some(governor.trim().to_owned()).filter(|governor| !governor.is_empty()),
            virtual_machine: after_colon(&cpuinfo, "flags")
                .is_some_and(|flags| flags.contains(" hypervisor")),
            file_system: file_system(&read("/proc/self/mountinfo"), place)
                .unwrap_or_else(|| "unknown".to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: env!("OBOL_BENCH_RUSTC").to_owned(),
            profile: env!("OBOL_BENCH_PROFILE").to_owned(),
            commit: fs::read_link(program).ok().and_then(|program| commit(program.parent()?)),
            load_average: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
        }
    }

    /// Whether what is written to the data folder reaches no disk.
    pub fn keeps_files_in_memory(&self) -> bool {
        ["tmpfs", "ramfs"].contains(&self.file_system.as_str())
    }
}

fn after_colon<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

fn kilobytes(text: &str) -> u64 {
    text.trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

/// The type of the file system of the longest mount point above `place`.
fn file_system(mountinfo: &str, place: &Path) -> Option<String> {
    let place = fs::canonicalize(place).ok()?;
    let mounts = mountinfo.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?;
        place.starts_with(point).then(|| (point.len(), after.split(' ').next().unwrap_or_default()))
    });
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind.to_owned())
}

fn commit(folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(folder).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|files| !files.is_empty());
    Some(if changed { commit + "+" } else { commit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described() {
        let machine = Machine::describe(Path::new("/proc/self/exe"), Path::new("/"));
        assert!(machine.cores > 0 && machine.memory_bytes > 1 << 20, "{machine:?}");
        assert!(machine.kernel.starts_with("Linux ") && machine.rustc.starts_with("rustc "), "{machine:?}");
        assert_ne!(machine.file_system, "unknown");
    }

    #[test]
    fn the_nearest_mount_point_counts() {
        let mounts = "21 1 0:1 / / rw - ext4 /dev/x rw\n22 1 0:2 / /proc rw - proc proc rw\n";
        assert_eq!(file_system(mounts, Path::new("/proc")).as_deref(), Some("proc"));
        assert_eq!(file_system(mounts, Path::new("/dev")).as_deref(), Some("ext4"));
    }
}
