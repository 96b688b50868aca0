//! `/healthz` and `/readyz`: small JSON for whoever watches the process.

use std::time::Duration;

use http::StatusCode;
use obol_oauth::Engine;
use serde_json::{Value, json};

use crate::dialect::json_answer;
use crate::server::Answer;

/// The process lives.
pub(crate) fn health() -> Answer {
    json_answer(StatusCode::OK, &json!({ "status": "ok" }))
}

/// The node answers truthfully, since it holds a lease on the change log, and is not about to stop.
pub(crate) fn readiness(engine: &Engine) -> Answer {
    let node = engine.status();
    let others: Vec<Value> = node
        .seen
        .peers
        .iter()
        .map(|peer| {
            json!({
                "lease_left_ms": millis(peer.lease_left),
                "node": peer.node.to_string(),
                "position": peer.applied.number(),
            })
        })
        .collect();
    let vouches = !node.lease_left.is_zero();
    let ready = vouches && !node.draining;
    let newest = node.seen.peers.iter().map(|peer| peer.applied).max().unwrap_or_default();
    let mut body = json!({
        "behind": newest.number().saturating_sub(node.position.number()),
        "lease_left_ms": millis(node.lease_left),
        "node": node.node.to_string(),
        "others": others,
        "position": node.position.number(),
        "promise": if node.seen.weaknesses.is_empty() { "held" } else { "not held" },
        "status": if ready { "ready" } else { "not ready" },
    });
    if !node.seen.weaknesses.is_empty() {
        body["promise_reasons"] = json!(node.seen.weaknesses);
    }
    if node.draining {
        body["reason"] = json!("this node is about to stop; send requests to another one");
    }
    if !vouches {
        body["reason"] = json!(obol_replica::Stale.to_string());
    }
    json_answer(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
