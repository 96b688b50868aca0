//! The installation in the data folder, as the command line works on it: beside the server, or before its first start.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use obol_oauth::administration::KeySchedule;
use obol_outgoing::Authorities;
use obol_replica::{Clock, LeaseOptions, Memory, OnStale, Revoked, SystemClock, confirm_from_outside};
use obol_store::{Appended, Audit, AuditEvent, AuditRecord, Store};
use obol_token::Timestamp;
use obol_web::PageSettings;
use tokio::runtime::{Builder, Runtime};

use crate::audit_trail::{AuditTrail, Rotation};
use crate::config::{Settings, StalePolicy};
use crate::failure::{End, Failure};
use crate::storage;

/// What the audit records of the command line name as their source.
const SOURCE: &str = "command line";

/// How long a command waits at its end for the audit file.
const AUDIT_WAIT: Duration = Duration::from_secs(5);

/// Store, audit file and clocks of one command.
pub(crate) struct Installation {
    store: Arc<dyn Store>,
    audit: AuditTrail,
    lease: LeaseOptions,
    settings: Settings,
    /// When the command began.
    pub(crate) now: Timestamp,
}

impl Installation {
    /// Does `work` on the installation that is there, and returns when its audit records are written.
    ///
    /// # Errors
    /// When there is none, when it cannot be opened, and whatever `work` returns.
    pub(crate) fn visit(
        settings: &Settings,
        work: impl AsyncFnOnce(&Self) -> Result<End, Failure>,
    ) -> Result<End, Failure> {
        storage::require(settings)?;
        Self::visit_or_begin(settings, work)
    }

    /// As [`Self::visit`], and begins the installation when there is none.
    ///
    /// # Errors
    /// When it cannot be opened, and whatever `work` returns.
    pub(crate) fn visit_or_begin(
        settings: &Settings,
        work: impl AsyncFnOnce(&Self) -> Result<End, Failure>,
    ) -> Result<End, Failure> {
        runtime()?.block_on(async {
            let installation = Self::open(settings).await?;
            let end = work(&installation).await;
            installation.close();
            end
        })
    }

    /// Opens the data folder, and makes it when there is none.
    async fn open(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            store: storage::open(settings).await?,
            audit: AuditTrail::start(&settings.data, rotation(settings), || SystemClock.wall())?,
            lease: lease(settings),
            settings: settings.clone(),
            now: SystemClock.wall(),
        })
    }

    /// Everything that is kept.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// What a server with these settings does when its lease is over.
    pub(crate) fn on_stale(&self) -> OnStale {
        self.lease.on_stale
    }

    /// What a server would know now: deny list, keys and clients.
    ///
    /// # Errors
    /// When there is no master key yet, or the log cannot be read.
    pub(crate) async fn load_memory(&self) -> anyhow::Result<Memory> {
        let master = storage::present_master_key(&self.settings)?;
        let master =
            master.context("this data folder has issued no token yet: start `obol serve` on it once")?;
        let memory = Memory::new(master);
        memory.catch_up(&*self.store).await.context("the change log cannot be read")?;
        Ok(memory)
    }

    /// Returns when no server can answer without having applied a change.
    ///
    /// # Errors
    /// When it could not be found out whether a server runs.
    pub(crate) async fn confirm(&self, appended: Appended) -> Result<Revoked, Failure> {
        confirm_from_outside(&*self.store, &SystemClock, &self.lease, appended)
            .await
            .map_err(Failure::refused)
    }

    /// Records that something was done, or why it was refused.
    pub(crate) fn record(
        &self,
        event: AuditEvent,
        refused: Option<String>,
        fill_in: impl FnOnce(&mut AuditRecord),
    ) {
        let mut record = AuditRecord::new(event, self.now);
        record.source = Some(SOURCE.to_owned());
        fill_in(&mut record);
        if let Some(reason) = refused {
            record.done = false;
            record.reason = Some(reason.into());
        }
        self.audit.record(record);
    }

    /// Waits until the audit file is written. What was done is done also when it cannot be.
    fn close(self) {
        if !self.audit.flush(AUDIT_WAIT) {
            tracing::warn!("the audit file is not written yet, and this command does not wait for it longer");
        }
    }
}

/// What a command runs on.
///
/// # Errors
/// When the system gives no event queue.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("the system gives no event queue")
}

/// How the audit file is put aside.
pub(crate) fn rotation(settings: &Settings) -> Rotation {
    Rotation { max_bytes: settings.audit_max_bytes, keep: settings.audit_keep }
}

/// How long a server vouches for its memory, and what it does then.
pub(crate) fn lease(settings: &Settings) -> LeaseOptions {
    LeaseOptions {
        lease: Duration::from_millis(settings.lease_ms.into()),
        renew_every: Duration::from_millis(settings.lease_renewal_ms.into()),
        on_stale: on_stale(settings),
    }
}

/// Whose certificates count when other servers are asked.
///
/// # Errors
/// When the file of `outgoing_ca` holds none.
pub(crate) fn outgoing_authorities(settings: &Settings) -> anyhow::Result<Authorities> {
    match &settings.outgoing_ca {
        Some(path) => Authorities::with_file(path).context("outgoing_ca"),
        None => Ok(Authorities::of_the_machine()),
    }
}

/// What the settings say of the pages.
pub(crate) fn page_settings(settings: &Settings) -> PageSettings {
    PageSettings {
        display_name: settings.display_name.clone(),
        templates: settings.templates.clone(),
        gateway_hosts: settings.forward_auth_hosts.clone(),
    }
}

/// When signing keys change.
pub(crate) fn key_schedule(settings: &Settings) -> KeySchedule {
    let days = i64::from(settings.signing_key_rotation_days);
    KeySchedule {
        signs_for_secs: (days > 0).then_some(days * 86_400),
        key_set_max_age_secs: settings.jwks_max_age_secs,
    }
}

fn on_stale(settings: &Settings) -> OnStale {
    match (settings.on_stale, settings.on_stale_max_age_ms) {
        (StalePolicy::Serve, Some(ms)) => OnStale::Serve { max_age: Duration::from_millis(ms.into()) },
        // Without an age: refused where settings are put together.
        (StalePolicy::Serve, None) | (StalePolicy::Refuse, _) => OnStale::Refuse,
    }
}
