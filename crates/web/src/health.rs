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

/// The node holds a lease on the change log, or tells what it last knew by the policy `on_stale`, and is not about to stop.
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
    let (ready, weaknesses) = (node.ready(), node.weaknesses());
    let mut body = json!({
        "behind": node.behind(),
        "lease_left_ms": millis(node.lease_left),
        "node": node.node.to_string(),
        "others": others,
        "position": node.position.number(),
        "promise": if weaknesses.is_empty() { "held" } else { "not held" },
        "stale": node.is_stale(),
        "status": if ready.is_ok() { "ready" } else { "not ready" },
    });
    if node.lease_left.is_zero() {
        body["age_ms"] = json!(millis(node.age));
    }
    if !weaknesses.is_empty() {
        body["promise_reasons"] = json!(weaknesses);
    }
    let status = match ready {
        Ok(()) => StatusCode::OK,
        Err(reason) => {
            body["reason"] = json!(reason.to_string());
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    json_answer(status, &body)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
