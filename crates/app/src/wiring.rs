//! How the rooms are put together into a running server. Holds no decisions.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use obol_accounts::{PasswordCheck, PoolSize, SessionDesk, SessionLimits};
use obol_oauth::administration::{KeySchedule, add_first_keys};
use obol_oauth::{DescribedClients, Engine, Issuer, RegistrationMode};
use obol_outgoing::GuardedDoor;
use obol_replica::{Clock, Replica, SystemClock};
use obol_store::{Audit, AuditEvent, AuditRecord, ClientSettings, Store, Users};
use obol_token::Algorithm;
use obol_web::server::{
    Entrance, Listener, ListenerOptions, TlsIdentity, decide_exposure, raise_descriptor_limit,
};
use obol_web::{Door, OpenDoor, Pages};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::audit_trail::AuditTrail;
use crate::config::Settings;
use crate::installation::{key_schedule, lease, outgoing_authorities, page_settings, rotation};
use crate::key_keeper::keep_signing_keys;
use crate::logout_teller::LogoutTeller;
use crate::running_server::RunningServer;
use crate::service_manager;
use crate::storage;

/// From SIGTERM until accepted requests are cut: the rest of 10 s is for what must still be written.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(7);

/// People make them by allowing them, so that there must be an end; each node has all of them in its memory.
const MOST_DESCRIBED_CLIENTS: usize = 1_000;

/// For so long a server that stops waits for clients that are being told of logouts.
const LAST_NOTICES: Duration = Duration::from_secs(1);

/// A server that has loaded its memory and bound its address, but does not answer yet.
pub(crate) struct Server {
    listener: Listener,
    door: OpenDoor,
    engine: Arc<Engine>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) store: Arc<dyn Store>,
    audit: Arc<AuditTrail>,
    tls: Option<Arc<TlsIdentity>>,
    data: PathBuf,
    stop_delay: Duration,
    key_schedule: KeySchedule,
    /// Where it answers, with the real port.
    pub(crate) url: String,
}

impl Server {
    /// Opens the data folder, makes what is missing in it, and starts the node.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let has_tls = settings.tls_self_signed || settings.tls_cert.is_some();
        decide_exposure(settings.listen, has_tls, &settings.behind_proxy)?;
        let store = storage::open(settings).await?;
        let tls = tls_identity(settings)?;
        let entrance = Entrance { tls: tls.clone(), proxies: settings.behind_proxy.clone() };
        raise_descriptor_limit();
        let options = ListenerOptions {
            max_connections: usize::try_from(settings.max_connections)?,
            drain_timeout: DRAIN_TIMEOUT,
            ..ListenerOptions::default()
        };
        let listener = Listener::bind(settings.listen, entrance, options)?;
        let url = url_of(listener.local_addr(), tls.is_some());
        if settings.issuer.is_none() && !listener.local_addr().ip().is_loopback() {
            tracing::warn!(
                url,
                "clients elsewhere cannot reach this URL, yet metadata names it; give --issuer URL"
            );
        }

        let audit = Arc::new(AuditTrail::start(&settings.data, rotation(settings), || SystemClock.wall())?);
        let master = storage::master_key(settings, &*store).await?;
        let (clock, lease) = (Arc::new(SystemClock), lease(settings));
        if let Some(weakness) = lease.on_stale.weakness() {
            tracing::warn!("the promise that a revocation holds everywhere is NOT held: {weakness}");
        }
        let replica = Replica::start(Arc::clone(&store), master, clock, lease).await?;
        if settings.registration.mode != RegistrationMode::Off {
            make_keys_for_any_client(&replica, &store, &audit).await?;
        }
        let engine = Arc::new(engine(settings, &url, &replica, &store, &audit)?);
        let door = door(settings, Arc::clone(&engine), &store)?;
        let stop_delay = Duration::from_millis(settings.stop_delay_ms.into());
        let data = settings.data.clone();
        let key_schedule = key_schedule(settings);
        Ok(Self { listener, door, engine, replica, store, audit, tls, data, stop_delay, key_schedule, url })
    }

    /// Records what was done before the server answers.
    pub(crate) fn record(&self, record: AuditRecord) {
        self.audit.record(AuditRecord { source: Some("serve --dev".to_owned()), ..record });
    }

    /// Answers requests until the process is told to stop (SIGTERM, SIGINT), then lets accepted ones finish.
    ///
    /// # Errors
    /// When signals cannot be caught.
    pub(crate) async fn serve(self) -> anyhow::Result<()> {
        let shutdown = stop(Arc::clone(&self.replica), self.stop_delay)?;
        // Also without a certificate: by default the signal would end the process.
        tokio::spawn(reload_certificate(self.tls, signal(SignalKind::hangup())?, self.url.clone()));
        let (replica, store, audit) = (self.replica.clone(), self.store.clone(), self.audit.clone());
        tokio::spawn(keep_signing_keys(replica, store, audit, self.key_schedule));
        let teller = LogoutTeller::start(self.engine);
        let running = RunningServer::note(&self.data)?;
        tracing::info!(url = self.url, position = self.replica.applied().number(), "listening");
        service_manager::say_ready(&self.url);
        tokio::spawn(service_manager::feed_watchdog());
        let end = self.listener.serve(self.door, shutdown).await;
        teller.stop(LAST_NOTICES).await;
        if let Err(error) = self.replica.leave().await {
            tracing::warn!(%error, "could not say that this node has stopped; its lease ends by itself");
        }
        if !self.audit.flush(Duration::from_secs(1)) {
            tracing::warn!("the last audit records could not be written");
        }
        tracing::info!(cut_connections = end.cut_connections, "stopped");
        drop(running);
        Ok(())
    }
}

/// A client that registers itself may ask for any algorithm, and is not to wait for a key.
async fn make_keys_for_any_client(
    replica: &Arc<Replica>,
    store: &Arc<dyn Store>,
    audit: &Arc<AuditTrail>,
) -> anyhow::Result<()> {
    for id_token_signed_response_alg in Algorithm::ALL {
        let wanted = ClientSettings { id_token_signed_response_alg, ..ClientSettings::default() };
        let (memory, now) = (replica.vouch()?, replica.now().0);
        for (key, appended) in add_first_keys(memory.memory(), &**store, &wanted, now).await? {
            let record = AuditRecord::new(AuditEvent::KeyAdded, now);
            let (reason, position) = (Some(format!("key {key}").into()), Some(appended.position()));
            audit.record(AuditRecord { reason, position, source: Some("start".to_owned()), ..record });
            let _ = replica.confirm(appended).await?;
        }
    }
    Ok(())
}

fn engine(
    settings: &Settings,
    url: &str,
    replica: &Arc<Replica>,
    store: &Arc<dyn Store>,
    audit: &Arc<AuditTrail>,
) -> anyhow::Result<Engine> {
    let issuer: Issuer = match &settings.issuer {
        Some(issuer) => issuer.clone(),
        None => url.parse().with_context(|| {
            format!("clients cannot reach this server as {url}; give its public URL with --issuer URL")
        })?,
    };
    let outgoing = GuardedDoor::new(outgoing_authorities(settings)?, settings.outgoing_allow.clone());
    let settings = obol_oauth::Settings {
        issuer,
        refresh_grace_secs: settings.refresh_grace_secs,
        code_lifetime_secs: settings.code_lifetime_secs,
        pushed_request_lifetime_secs: settings.pushed_request_lifetime_secs,
        require_pushed_authorization_requests: settings.require_pushed_authorization_requests,
        key_set_max_age_secs: settings.jwks_max_age_secs,
        protected_resources: settings.protected_resources.clone(),
        registration: settings.registration.clone(),
        described_clients: settings.client_id_metadata_documents.then(|| DescribedClients {
            hosts: settings.client_id_metadata_hosts.clone(),
            scopes: settings.client_id_metadata_scopes.clone(),
            most: MOST_DESCRIBED_CLIENTS,
        }),
    };
    let (audit, outgoing) = (Arc::clone(audit), Arc::new(outgoing));
    Ok(Engine::new(Arc::clone(replica), Arc::clone(store), audit, outgoing, settings))
}

fn door(settings: &Settings, engine: Arc<Engine>, store: &Arc<dyn Store>) -> anyhow::Result<OpenDoor> {
    let users: Arc<dyn Users> = Arc::clone(store) as Arc<dyn Users>;
    let passwords = PasswordCheck::start(users, PoolSize::for_this_machine())
        .context("the system gives no thread for checking passwords")?;
    let passwords = Arc::new(passwords);
    let limits = SessionLimits { idle_mins: settings.session_idle_mins, hours: settings.session_hours };
    let desk = SessionDesk::new(Arc::clone(store), limits, settings.session_end_revokes);
    let pages = Pages::open(Arc::clone(&engine), Arc::clone(&passwords), desk, &page_settings(settings))?;
    Ok(Door::new(engine, passwords, pages).open())
}

fn tls_identity(settings: &Settings) -> anyhow::Result<Option<Arc<TlsIdentity>>> {
    let identity = match (&settings.tls_cert, &settings.tls_key) {
        (Some(cert), Some(key)) => TlsIdentity::from_files(cert.clone(), key.clone())?,
        _ if settings.tls_self_signed => {
            TlsIdentity::self_signed(&settings.data, settings.listen.ip(), SystemClock.wall())?
        }
        _ => return Ok(None),
    };
    Ok(Some(Arc::new(identity)))
}

/// The URL of the listener; one that listens on every address is reached on this machine as localhost.
fn url_of(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("{scheme}://localhost:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("{scheme}://localhost:{}", address.port()),
        _ => format!("{scheme}://{address}"),
    }
}

/// Returns when the listener is to stop: after the signal, and a while in which whoever asks for the health of this node
/// sends requests elsewhere.
fn stop(replica: Arc<Replica>, delay: Duration) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut told = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        told().await;
        service_manager::say_stopping(delay);
        replica.drain();
        if !delay.is_zero() {
            tracing::info!(delay_ms = delay.as_millis(), "about to stop: not ready any more");
            // Told again: at once.
            let _ = tokio::time::timeout(delay, told()).await;
        }
        tracing::info!("stopping: accepted requests finish first");
    })
}

/// Reads the certificate again on SIGHUP, and once a minute in case nobody says so.
async fn reload_certificate(tls: Option<Arc<TlsIdentity>>, mut hangup: Signal, url: String) {
    loop {
        let told = tokio::time::timeout(Duration::from_secs(60), hangup.recv()).await.is_ok();
        if told {
            service_manager::say_reloading();
        }
        if let Some(tls) = &tls {
            reload(tls).await;
        }
        if told {
            service_manager::say_ready(&url);
        }
    }
}

async fn reload(tls: &Arc<TlsIdentity>) {
    let reading = Arc::clone(tls);
    match tokio::task::spawn_blocking(move || reading.reload()).await {
        Ok(Ok(true)) => tracing::info!(file = %tls.cert_file().display(), "took the new certificate"),
        Ok(Ok(false)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the certificate in use stays"),
        Err(error) => tracing::error!(%error, "the certificate could not be read again"),
    }
}
