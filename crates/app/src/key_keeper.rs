//! Sees to the schedule of signing keys beside a running server, and records what was done.

use std::sync::Arc;
use std::time::Duration;

use obol_oauth::administration::{KeySchedule, Step, steps_due, take_step};
use obol_replica::Replica;
use obol_store::{Audit, AuditEvent, AuditRecord, Store};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::audit_trail::AuditTrail;

/// How often it looks; steps are hours or days apart.
const EVERY: Duration = Duration::from_secs(60);

/// Takes each step of the schedule when it is due, for as long as the server runs.
pub(crate) async fn keep_signing_keys(
    replica: Arc<Replica>,
    store: Arc<dyn Store>,
    audit: Arc<AuditTrail>,
    schedule: KeySchedule,
) {
    loop {
        let due = steps_due(&replica, &*store, &schedule).await;
        let due = due.inspect_err(|error| tracing::warn!(%error, "cannot look at the signing keys"));
        for step in due.unwrap_or_default() {
            // Making an RSA key takes a thread for longer than a request should wait.
            let taken = block_in_place(|| Handle::current().block_on(take_step(&replica, &*store, step)));
            match taken {
                Ok(Some(taken)) => {
                    tracing::info!(key = %taken.key, "{}", said(step));
                    audit.record(AuditRecord {
                        reason: Some(format!("key {}", taken.key).into()),
                        position: Some(taken.appended.position()),
                        source: Some("schedule".to_owned()),
                        ..AuditRecord::new(event(step), replica.now().0)
                    });
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a step of the signing keys has to wait"),
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

const fn said(step: Step) -> &'static str {
    match step {
        Step::Add(_) => "a new signing key is published",
        Step::Promote(_) => "a new signing key signs",
        Step::Retire(_) => "an old signing key is retired: all that it has signed is over",
    }
}

const fn event(step: Step) -> AuditEvent {
    match step {
        Step::Add(_) => AuditEvent::KeyAdded,
        Step::Promote(_) => AuditEvent::KeyRotated,
        Step::Retire(_) => AuditEvent::KeyRetired,
    }
}
