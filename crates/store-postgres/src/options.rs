//! Where the database is, from what an operator writes.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, config};
use zeroize::Zeroizing;

use crate::tls::Check;

/// Where the database is and who asks. Prints neither URL nor password.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user@host1,host2:port/database?sslmode=…&sslrootcert=…`
    pub url: String,
    /// A file with the user's name, in place of the URL's.
    pub user_file: Option<PathBuf>,
    /// A file with the password, in place of the URL's. Read again for every connection, so that it can be changed.
    pub password_file: Option<PathBuf>,
}

/// Why options do not say where the database is. Each sentence says what to change, and none repeats a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The URL cannot be read.
    #[error("--database-url is not a URL of PostgreSQL ({0}): write postgres://user@host:5432/database")]
    Url(String),
    /// A part of it has no meaning here.
    #[error("--database-url: {name} cannot be {value:?}; write {instead}")]
    Parameter {
        /// Which parameter.
        name: &'static str,
        /// What was written.
        value: String,
        /// What can be written.
        instead: &'static str,
    },
    /// The authorities for TLS are missing.
    #[error("--database-url: sslmode={0} needs sslrootcert=FILE, the certificates of the authorities in PEM")]
    NoRootCertificates(&'static str),
    /// A file cannot be used.
    #[error("{setting}: {path} cannot be used ({cause})", path = .path.display())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("user_file", &self.user_file)
            .field("password_file", &self.password_file)
            .finish_non_exhaustive()
    }
}

impl PostgresOptions {
    /// What the URL says, without files.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), user_file: None, password_file: None }
    }

    /// Reads the URL and the files that do not change.
    pub(crate) fn parse(&self) -> Result<Target, OptionsError> {
        let (server, tls) = split(&self.url)?;
        let mut config: Config = server.parse().map_err(|error| unreadable(&error))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OptionsError::Url("it names no host".to_owned()));
        }
        if !matches!(
            config.get_target_session_attrs(),
            config::TargetSessionAttrs::Any | config::TargetSessionAttrs::ReadWrite
        ) {
            return Err(OptionsError::Parameter {
                name: "target_session_attrs",
                value: "read-only".to_owned(),
                instead: "read-write, or leave it out",
            });
        }
        config.target_session_attrs(config::TargetSessionAttrs::ReadWrite);
        config.ssl_mode(tls.mode);
        if let Some(path) = &self.user_file {
            config.user(read_line("--database-user-file", path)?.as_str());
        }
        if config.get_application_name().is_none() {
            config.application_name("obol");
        }
        Ok(Target { config, tls, password_file: self.password_file.clone() })
    }
}

/// A database, with what is needed to connect to it.
#[derive(Clone)]
pub(crate) struct Target {
    config: Config,
    pub(crate) tls: Tls,
    password_file: Option<PathBuf>,
}

/// What the URL says of TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    mode: SslMode,
    pub(crate) check: Check,
    pub(crate) authorities: Option<Vec<u8>>,
}

impl Target {
    /// One configuration per host, in the order of the URL, with the present password.
    pub(crate) fn hosts(&self) -> Result<Vec<Config>, OptionsError> {
        let mut config = self.config.clone();
        if let Some(path) = &self.password_file {
            config.password(read_line("--database-password-file", path)?.as_bytes());
        }
        let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
        let ports = config.get_ports();
        let count = hosts.len().max(addresses.len());
        Ok((0..count)
            .map(|number| {
                let mut one = without_hosts(&config);
                match hosts.get(number) {
                    Some(Host::Tcp(host)) => one.host(host),
                    Some(Host::Unix(folder)) => one.host_path(folder),
                    None => &mut one,
                };
                if let Some(address) = addresses.get(number) {
                    one.hostaddr(*address);
                }
                one.port(ports.get(number).or(ports.first()).copied().unwrap_or(5432));
                one
            })
            .collect())
    }

    /// The database as it can be shown: hosts and name.
    pub(crate) fn shown(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        });
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("{hosts}/{}", self.config.get_dbname().or(self.config.get_user()).unwrap_or_default())
    }

    pub(crate) fn user(&self) -> String {
        self.config.get_user().unwrap_or_default().to_owned()
    }

    pub(crate) fn database(&self) -> String {
        self.config.get_dbname().map_or_else(|| self.user(), str::to_owned)
    }
}

/// The same configuration for another host: the library has no way to take hosts out.
fn without_hosts(config: &Config) -> Config {
    let mut copy = Config::new();
    copy.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs());
    if let Some(user) = config.get_user() {
        copy.user(user);
    }
    if let Some(password) = config.get_password() {
        copy.password(password);
    }
    if let Some(database) = config.get_dbname() {
        copy.dbname(database);
    }
    if let Some(options) = config.get_options() {
        copy.options(options);
    }
    if let Some(name) = config.get_application_name() {
        copy.application_name(name);
    }
    copy
}

/// Takes what concerns TLS out of the URL: the library knows fewer modes than PostgreSQL's own clients, and no files.
fn split(url: &str) -> Result<(Zeroizing<String>, Tls), OptionsError> {
    let url = Zeroizing::new(url.to_owned());
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(OptionsError::Url("it does not begin with postgres://".to_owned()));
    }
    let (server, parameters) = url.split_once('?').unwrap_or((&url, ""));
    let (mut mode, mut authorities) = ("prefer".to_owned(), None);
    let mut others = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
        match &*name {
            "sslmode" => mode = value.into_owned(),
            "sslrootcert" => authorities = Some(PathBuf::from(&*value)),
            _ => drop(others.append_pair(&name, &value)),
        }
    }
    let others = Zeroizing::new(others.finish().replace('+', "%20"));
    let server = if others.is_empty() { server.to_owned() } else { format!("{server}?{}", *others) };
    Ok((Zeroizing::new(server), tls(&mode, authorities.as_deref())?))
}

fn tls(mode: &str, authorities: Option<&Path>) -> Result<Tls, OptionsError> {
    let (mode, check) = match mode {
        "disable" => (SslMode::Disable, Check::Nothing),
        "prefer" => (SslMode::Prefer, Check::Nothing),
        // With authorities at hand it would be odd not to ask them; PostgreSQL's own clients do the same.
        "require" if authorities.is_some() => (SslMode::Require, Check::Authority),
        "require" => (SslMode::Require, Check::Nothing),
        "verify-ca" if authorities.is_none() => return Err(OptionsError::NoRootCertificates("verify-ca")),
        "verify-ca" => (SslMode::Require, Check::Authority),
        "verify-full" if authorities.is_none() => {
            return Err(OptionsError::NoRootCertificates("verify-full"));
        }
        "verify-full" => (SslMode::Require, Check::AuthorityAndHost),
        other => {
            return Err(OptionsError::Parameter {
                name: "sslmode",
                value: other.to_owned(),
                instead: "disable, prefer, require, verify-ca or verify-full",
            });
        }
    };
    let authorities = authorities
        .map(|path| fs::read(path).map_err(|error| file("sslrootcert in --database-url", path, &error)));
    Ok(Tls { mode, check, authorities: authorities.transpose()? })
}

/// The first line of a file, which must not be empty.
fn read_line(setting: &'static str, path: &Path) -> Result<Zeroizing<String>, OptionsError> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| file(setting, path, &error))?);
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(file(setting, path, &"its first line is empty")),
    }
}

fn file(setting: &'static str, path: &Path, cause: &dyn fmt::Display) -> OptionsError {
    OptionsError::File { setting, path: path.to_owned(), cause: cause.to_string() }
}

/// The library's causes name a part of the URL; those of values could repeat one.
fn unreadable(error: &tokio_postgres::Error) -> OptionsError {
    use std::error::Error as _;
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    OptionsError::Url(cause.split('`').next().unwrap_or_default().trim().to_owned())
}
