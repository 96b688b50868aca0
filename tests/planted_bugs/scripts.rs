//! For each bug, faults and questions that show it. Each leaves the cluster as it was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use obol_testkit::cluster::Calls;

use crate::witness::Witness;

/// What a node has not read when its line is cut, it cannot learn.
pub(crate) fn node_cut_off(witness: &Witness<'_>) {
    let [first, _, third] = witness.nodes();
    let token = witness.issue(first);
    witness.verify(third, &token);
    third.route().order(|proxy| proxy.refuse());
    witness.revoke(first, &token);
    witness.verify(third, &token);
    third.route().pass();
}

/// None of a node's commits arrives while it revokes.
pub(crate) fn lost_commit(witness: &Witness<'_>) {
    let [first, second, third] = witness.nodes();
    let token = witness.issue(first);
    first.route().order(|proxy| proxy.cut_before_commits(1_000));
    witness.revoke(first, &token);
    first.route().pass();
    first.await_ready();
    for node in [first, second, third] {
        witness.verify(node, &token);
    }
}

/// A node's wall clock is set back by an hour, and then its line is cut.
pub(crate) fn wall_clock_set_back(witness: &Witness<'_>) {
    let [first, _, third] = witness.nodes();
    let token = witness.issue(first);
    witness.verify(third, &token);
    third.with_installation(|place| place.write("wall-clock", "-3600"));
    third.route().order(|proxy| proxy.refuse());
    witness.revoke(first, &token);
    witness.verify(third, &token);
    third.with_installation(|place| place.write("wall-clock", "0"));
    third.route().pass();
    third.await_ready();
}

/// Requests that come while a node is paused are what it reads first when it goes on.
pub(crate) fn requests_queued_before_a_paused_node(witness: &Witness<'_>) {
    const REQUESTS: usize = 24;
    const ROUNDS: usize = 3;
    let [first, _, third] = witness.nodes();
    for _ in 0..ROUNDS {
        let token = witness.issue(first);
        witness.verify(third, &token);
        third.pause();
        witness.revoke(first, &token);
        thread::scope(|scope| {
            for _ in 0..REQUESTS {
                scope.spawn(|| witness.verify(third, &token));
            }
            // Until they have been sent: nothing can be awaited from a node that is paused.
            thread::sleep(Duration::from_millis(200));
            third.resume();
        });
        third.await_ready();
    }
}

/// A node is asked without pause while it has no lease, reads what it missed, and has one again.
pub(crate) fn flood_while_a_node_comes_back(witness: &Witness<'_>) {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 4;
    let [first, _, third] = witness.nodes();
    for _ in 0..ROUNDS {
        let token = witness.issue(first);
        witness.verify(third, &token);
        third.route().order(|proxy| proxy.refuse());
        witness.revoke(first, &token);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut calls = Calls::default();
                    while !over.load(Ordering::SeqCst) {
                        witness.verify_by(&mut calls, third, &token);
                    }
                });
            }
            third.route().pass();
            third.await_ready();
            over.store(true, Ordering::SeqCst);
        });
    }
}

/// A family is revoked at one node, and its refresh token presented to another.
pub(crate) fn family_revoked(witness: &Witness<'_>) {
    let [first, second, _] = witness.nodes();
    let refresh = witness.sign_in(first);
    witness.revoke(first, &refresh);
    witness.present(second, &refresh);
}

/// A node is killed, and starts again after a revocation.
pub(crate) fn node_restarted(witness: &Witness<'_>) {
    let [first, _, third] = witness.nodes();
    let token = witness.issue(first);
    witness.verify(third, &token);
    third.kill();
    witness.revoke(first, &token);
    third.start();
    third.await_ready();
    witness.verify(third, &token);
}
