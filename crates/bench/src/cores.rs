//! Which cores the servers and the load generator run on. They never share one where there are two.

use std::io;
use std::process::{Child, Command};
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The division of the cores. Without two cores, or without the right, nothing is pinned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cores {
    /// For each server; empty when nothing is pinned.
    pub servers: Vec<usize>,
    /// For the load generator, one thread on each; empty when nothing is pinned.
    pub generator: Vec<usize>,
}

impl Cores {
    /// Divides the cores that this process may use: `server_cores` for the servers, the rest for the generator.
    /// Where the system does not let it, nothing is pinned.
    pub fn of_this_machine(server_cores: usize) -> Self {
        let cores = Self::decide(&allowed(), server_cores, siblings);
        let trial = thread::spawn({
            let servers = cores.servers.clone();
            move || pin_this_thread(&servers) && allowed() == servers
        });
        if trial.join().unwrap_or(false) { cores } else { Self::default() }
    }

    /// The last cores are the servers', because interrupts mostly come to the first. The generator keeps off the
    /// other threads of the servers' cores if it has cores left then.
    fn decide(allowed: &[usize], server_cores: usize, siblings: impl Fn(usize) -> Vec<usize>) -> Self {
        if allowed.len() < 2 {
            return Self::default();
        }
        let server_cores = server_cores.clamp(1, allowed.len() - 1);
        let (rest, servers) = allowed.split_at(allowed.len() - server_cores);
        let apart = |core: &usize| !servers.iter().any(|server| siblings(*server).contains(core));
        let mut generator: Vec<usize> = rest.iter().copied().filter(apart).collect();
        if generator.is_empty() {
            generator = rest.to_vec();
        }
        // More threads than this only wait for each other.
        generator.truncate(server_cores * 2);
        Self { servers: servers.to_vec(), generator }
    }

    /// How many threads the generator uses for so many connections.
    pub(crate) fn generator_threads(&self, connections: usize) -> usize {
        self.generator.len().clamp(1, connections.max(1))
    }

    /// Starts a server on its cores. Its threads inherit them from the thread that starts it.
    pub(crate) fn spawn_server(&self, command: &mut Command) -> io::Result<Child> {
        let start = || {
            pin_this_thread(&self.servers);
            command.spawn()
        };
        let started = thread::scope(|scope| scope.spawn(start).join());
        started.unwrap_or_else(|_panicked| Err(io::Error::other("the thread that starts it failed")))
    }
}

/// Keeps the calling thread, and what it starts, on these cores. `false` when the system refuses or there are none.
pub(crate) fn pin_this_thread(cores: &[usize]) -> bool {
    let mut set = CpuSet::new();
    cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| set.set(*core));
    !cores.is_empty() && sched_setaffinity(None, &set).is_ok()
}

/// The cores that the calling thread may use.
fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// The threads of the same core as this one, itself included: `0,4` or `0-1`.
fn siblings(core: usize) -> Vec<usize> {
    let file = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    parse_list(&std::fs::read_to_string(file).unwrap_or_default())
}

fn parse_list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<usize>().ok()?..=last.trim().parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(
        allowed: &[usize],
        server_cores: usize,
        siblings: fn(usize) -> Vec<usize>,
    ) -> (Vec<usize>, Vec<usize>) {
        let cores = Cores::decide(allowed, server_cores, siblings);
        (cores.servers, cores.generator)
    }

    #[test]
    fn servers_and_generator_never_share_a_core() {
        let alone = |core| vec![core];
        assert_eq!(decided(&[3], 1, alone), (vec![], vec![]));
        assert_eq!(decided(&[0, 1], 1, alone), (vec![1], vec![0]));
        assert_eq!(decided(&[0, 1], 8, alone), (vec![1], vec![0]));
        assert_eq!(decided(&[0, 1, 2, 3], 2, alone), (vec![2, 3], vec![0, 1]));
        assert_eq!(decided(&(0..16).collect::<Vec<_>>(), 1, alone), (vec![15], vec![0, 1]));
    }

    #[test]
    fn the_generator_keeps_off_the_other_threads_of_the_servers_cores() {
        let pairs = |core: usize| vec![core / 2 * 2, core / 2 * 2 + 1];
        assert_eq!(decided(&[0, 1, 2, 3], 1, pairs), (vec![3], vec![0, 1]));
        assert_eq!(decided(&[2, 3], 1, pairs), (vec![3], vec![2]), "when there is no other core");
    }

    #[test]
    fn lists_of_cores_are_read_as_the_system_writes_them() {
        assert_eq!(parse_list("0-1,4\n"), [0, 1, 4]);
        assert_eq!(parse_list(""), [] as [usize; 0]);
    }

    #[test]
    fn a_thread_can_be_pinned_to_a_core_that_it_may_use() {
        let core = allowed()[0];
        thread::spawn(move || {
            assert!(pin_this_thread(&[core]));
            assert_eq!(allowed(), [core]);
        })
        .join()
        .unwrap();
        assert!(!pin_this_thread(&[]));
    }
}
