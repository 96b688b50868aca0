//! `/healthz` and `/readyz`: small JSON for whoever watches the process.

use http::StatusCode;
use obol_oauth::Engine;
use serde_json::json;

use crate::dialect::json_answer;
use crate::server::Answer;

/// The process lives.
pub(crate) fn health() -> Answer {
    json_answer(StatusCode::OK, &json!({ "status": "ok" }))
}

/// The node answers truthfully: it holds a lease on the change log.
pub(crate) fn readiness(engine: &Engine) -> Answer {
    match engine.ready() {
        Ok(position) => {
            json_answer(StatusCode::OK, &json!({ "position": position.number(), "status": "ready" }))
        }
        Err(error) => {
            let body = json!({ "reason": error.sentence(), "status": "not ready" });
            json_answer(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}
