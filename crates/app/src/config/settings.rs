//! The settings that count after command line, environment and file were put together.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use ipnet::IpNet;
use obol_accounts::SessionLimits;
use obol_oauth::{Issuer, ProtectedResource, RegistrationSettings};
use obol_store::SessionEndRevokes;
use obol_token::Scopes;

use super::database_url::DatabaseUrl;

/// What the program runs with. `list.rs` holds one entry for each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The folder that holds everything that obol keeps.
    pub(crate) data: PathBuf,
    /// The PostgreSQL database that holds everything instead, except for what is a node's own.
    pub(crate) database_url: Option<DatabaseUrl>,
    /// The file with the name of the database's user.
    pub(crate) database_user_file: Option<PathBuf>,
    /// The file with the password of the database's user.
    pub(crate) database_password_file: Option<PathBuf>,
    /// Whether the server makes and changes the tables of the database.
    pub(crate) migrate: bool,
    /// The file of the key that wraps all others; `None` for the one in the data folder.
    pub(crate) master_key_file: Option<PathBuf>,
    /// Where the server answers; port 0 lets the system choose one.
    pub(crate) listen: SocketAddr,
    /// The URL under which clients reach the server; `None` for the one of the listener.
    pub(crate) issuer: Option<Issuer>,
    /// The certificate chain, PEM.
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of the certificate, PEM.
    pub(crate) tls_key: Option<PathBuf>,
    /// Whether the server makes its own certificate.
    pub(crate) tls_self_signed: bool,
    /// The proxies that end TLS before this server.
    pub(crate) behind_proxy: Vec<IpNet>,
    /// Hosts of applications behind gateways, to which sign-in may lead back.
    pub(crate) forward_auth_hosts: Vec<String>,
    /// The resources whose metadata is told.
    pub(crate) protected_resources: Vec<ProtectedResource>,
    /// Whether clients may come with a document of their own in place of a registration.
    pub(crate) client_id_metadata_documents: bool,
    /// The hosts of these documents; empty for any.
    pub(crate) client_id_metadata_hosts: Vec<String>,
    /// The scopes that such clients may ask for.
    pub(crate) client_id_metadata_scopes: Scopes,
    /// Hosts that may be asked although they are on a private network.
    pub(crate) outgoing_allow: Vec<String>,
    /// Authorities that other servers' certificates may be from, besides those of the machine, PEM.
    pub(crate) outgoing_ca: Option<PathBuf>,
    /// The most connections at once.
    pub(crate) max_connections: u32,
    /// The least important level that is logged.
    pub(crate) log_level: LogLevel,
    /// The form of the log.
    pub(crate) log_format: LogFormat,
    /// How long a refresh token that was just replaced gets the same answer again.
    pub(crate) refresh_grace_secs: u32,
    /// How long an authorization code is good.
    pub(crate) code_lifetime_secs: u32,
    /// How long a browser may take to bring the reference to a pushed request.
    pub(crate) pushed_request_lifetime_secs: u32,
    /// Whether every client must push its authorization requests.
    pub(crate) require_pushed_authorization_requests: bool,
    /// Whether clients may register themselves, and with what.
    pub(crate) registration: RegistrationSettings,
    /// When a session of a person ends unless it is used, in minutes.
    pub(crate) session_idle_mins: NonZeroU32,
    /// When it ends in any case, in hours after the person signed in.
    pub(crate) session_hours: NonZeroU32,
    /// What of all that was given in a session ends with it.
    pub(crate) session_end_revokes: SessionEndRevokes,
    /// The name of the installation on its pages.
    pub(crate) display_name: String,
    /// The folder with an operator's own templates, messages, style and picture.
    pub(crate) templates: Option<PathBuf>,
    /// For how long a signing key signs, in days; 0: until an operator says otherwise.
    pub(crate) signing_key_rotation_days: u32,
    /// For how long the key set may be kept by who has asked for it.
    pub(crate) jwks_max_age_secs: u32,
    /// How long the server vouches for its memory after it has read the change log.
    pub(crate) lease_ms: u32,
    /// How often it reads the change log and renews the lease.
    pub(crate) lease_renewal_ms: u32,
    /// What the server does with questions about access tokens when its lease is over.
    pub(crate) on_stale: StalePolicy,
    /// How old what it answers from may be then; set where it serves.
    pub(crate) on_stale_max_age_ms: Option<u32>,
    /// How long it goes on answering after it was told to stop, while `/readyz` says that it is not ready.
    pub(crate) stop_delay_ms: u32,
    /// The size at which the audit file is put aside; 0 for never.
    pub(crate) audit_max_bytes: u64,
    /// How many audit files that were put aside are kept.
    pub(crate) audit_keep: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./obol-data"),
            database_url: None,
            database_user_file: None,
            database_password_file: None,
            migrate: true,
            master_key_file: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            issuer: None,
            tls_cert: None,
            tls_key: None,
            tls_self_signed: false,
            behind_proxy: Vec::new(),
            forward_auth_hosts: Vec::new(),
            protected_resources: Vec::new(),
            client_id_metadata_documents: false,
            client_id_metadata_hosts: Vec::new(),
            client_id_metadata_scopes: "openid profile email offline_access".parse().unwrap_or_default(),
            outgoing_allow: Vec::new(),
            outgoing_ca: None,
            max_connections: 16_384,
            log_level: LogLevel::Info,
            log_format: LogFormat::Auto,
            refresh_grace_secs: 10,
            code_lifetime_secs: 60,
            pushed_request_lifetime_secs: 90,
            require_pushed_authorization_requests: false,
            registration: RegistrationSettings::default(),
            session_idle_mins: SessionLimits::default().idle_mins,
            session_hours: SessionLimits::default().hours,
            session_end_revokes: SessionEndRevokes::Everything,
            display_name: "obol".to_owned(),
            templates: None,
            signing_key_rotation_days: 90,
            jwks_max_age_secs: 3_600,
            lease_ms: 2_000,
            lease_renewal_ms: 500,
            on_stale: StalePolicy::Refuse,
            on_stale_max_age_ms: None,
            stop_delay_ms: 0,
            audit_max_bytes: 64 * 1024 * 1024,
            audit_keep: 10,
        }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// What needs a person.
    Error,
    /// What may come to need one.
    Warn,
    /// What the server does.
    Info,
    /// Each request.
    Debug,
    /// Each step.
    Trace,
}

impl LogLevel {
    /// Every level, the quietest first.
    pub(crate) const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Its name in the settings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What a server does without a lease when it is asked about access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StalePolicy {
    /// It says 503.
    Refuse,
    /// It answers from what it last knew.
    Serve,
}

impl StalePolicy {
    /// Every policy.
    pub(crate) const ALL: [Self; 2] = [Self::Refuse, Self::Serve];

    /// Its name in the settings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Serve => "serve",
        }
    }
}

/// How the settings name what ends with a session.
pub(crate) const fn session_end_name(revokes: SessionEndRevokes) -> &'static str {
    match revokes {
        SessionEndRevokes::Everything => "everything",
        SessionEndRevokes::Online => "online",
    }
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// One line of text a record.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Every form.
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Text, Self::Json];

    /// Its name in the settings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}
