//! The CPU time of a process, user and system, by the finest source that the system has.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// A reading of the CPU time of a process.
#[derive(Debug, Clone)]
pub(crate) struct CpuTime {
    /// Nanoseconds of each thread that lives, by the scheduler's own account.
    threads: BTreeMap<u64, u64>,
    /// Clock ticks of the whole process, with the threads that have ended.
    ticks: u64,
}

impl CpuTime {
    /// Reads it; `None` when there is no such process, or none that may be read.
    pub(crate) fn of(pid: Pid) -> Option<Self> {
        let folder = format!("/proc/{}", pid.as_raw_nonzero());
        let ticks = parse_ticks(&fs::read_to_string(format!("{folder}/stat")).ok()?)?;
        let tasks = fs::read_dir(format!("{folder}/task")).ok()?.flatten();
        let threads = tasks.filter_map(|task| {
            let nanos = fs::read_to_string(task.path().join("schedstat")).ok()?;
            Some((task.file_name().to_str()?.parse().ok()?, nanos.split(' ').next()?.parse().ok()?))
        });
        Some(Self { threads: threads.collect(), ticks })
    }

    /// The time from an earlier reading to this one. When a thread has ended meanwhile, by clock ticks.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let all_live = earlier.threads.keys().all(|thread| self.threads.contains_key(thread));
        if all_live && !self.threads.is_empty() {
            let nanos = |reading: &Self| reading.threads.values().sum::<u64>();
            return Duration::from_nanos(nanos(self).saturating_sub(nanos(earlier)));
        }
        let per_sec = rustix::param::clock_ticks_per_second().max(1);
        Duration::from_millis(self.ticks.saturating_sub(earlier.ticks) * 1_000 / per_sec)
    }
}

/// `utime` and `stime` of `/proc/<pid>/stat`; the name before them may hold anything, also blanks and brackets.
fn parse_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn time_spent_is_seen() {
        let this = rustix::process::getpid();
        let before = CpuTime::of(this).unwrap();
        let began = Instant::now();
        let mut spent = Duration::ZERO;
        while spent < Duration::from_millis(20) {
            assert!(began.elapsed() < Duration::from_secs(60), "{spent:?}");
            spent = CpuTime::of(this).unwrap().since(&before);
        }
    }

    #[test]
    fn when_a_thread_has_ended_the_ticks_of_the_process_count() {
        let reading =
            |threads: &[(u64, u64)], ticks| CpuTime { threads: threads.iter().copied().collect(), ticks };
        let per_sec = rustix::param::clock_ticks_per_second();
        let earlier = reading(&[(1, 5), (2, 9)], 100);
        assert_eq!(reading(&[(1, 7), (2, 9), (3, 4)], 100).since(&earlier), Duration::from_nanos(6));
        assert_eq!(reading(&[(1, 7)], 100 + per_sec).since(&earlier), Duration::from_secs(1));
    }

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "7 (a ) b) R 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20";
        assert_eq!(parse_ticks(stat), Some(42));
        assert_eq!(parse_ticks("7"), None);
    }
}
