//! How many connections the process's file descriptors allow.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for the database, logs and what else is open, at most half of all.
const KEPT_DESCRIPTORS: usize = 256;

/// Raises the soft limit on open files to the hard limit. For the start of the process; a refusal changes nothing.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::debug!(%error, "the limit on open files stays as it is");
        }
    }
}

/// The connection cap: what is wished, or what the soft limit on open files leaves.
pub(super) fn decide_connection_cap(wished: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let cap = cap_under(wished, limit);
    if cap < wished {
        tracing::warn!(
            cap,
            wished,
            open_files = limit,
            "fewer connections than configured: the limit on open files (ulimit -n) is too low"
        );
    }
    cap
}

fn cap_under(wished: usize, soft_limit: Option<u64>) -> usize {
    let Some(limit) = soft_limit.and_then(|limit| usize::try_from(limit).ok()) else { return wished };
    let kept = KEPT_DESCRIPTORS.min(limit / 2);
    wished.min(limit - kept).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_leaves_descriptors_for_everything_else() {
        let cases = [
            (16_384, None, 16_384),
            (16_384, Some(1_048_576), 16_384),
            (16_384, Some(20_000), 16_384),
            (16_384, Some(1024), 768),
            (16_384, Some(64), 32),
            (16_384, Some(0), 1),
            (10, Some(1024), 10),
        ];
        for (wished, limit, cap) in cases {
            assert_eq!(cap_under(wished, limit), cap, "{wished} wished under {limit:?}");
        }
    }
}
