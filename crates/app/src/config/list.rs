//! The list of options. Command line, environment, file, sample and check all read it: adding an option is a field in
//! `settings.rs` and an entry here.

use std::num::NonZeroU32;
use std::path::PathBuf;

use obol_oauth::RegistrationMode;
use obol_store::{AssertionAudience, SessionEndRevokes};
use toml::Value;

use super::parse;
use super::settings::{LogFormat, LogLevel, Settings, StalePolicy, session_end_name};

/// One option, under the same name everywhere: `refresh_grace` in the file, `--refresh-grace`, `OBOL_REFRESH_GRACE`.
pub(crate) struct Setting {
    /// Its name in the file.
    pub(crate) key: &'static str,
    /// What stands for its value in the help.
    pub(crate) value_name: &'static str,
    /// What it does, for somebody who meets it for the first time.
    pub(crate) about: &'static str,
    /// A value for the sample, where there is no default: as it stands in the file.
    pub(crate) example: &'static str,
    /// What its value looks like in the file.
    pub(crate) shape: Shape,
    /// Which commands take it on their command line.
    pub(crate) reach: Reach,
    /// Reads the value from its texts (one, except for a list). The error says what a right value looks like.
    pub(crate) set: fn(&mut Settings, &[String]) -> Result<(), String>,
    /// The value as the file would say it; `None` when it is not set.
    pub(crate) get: fn(&Settings) -> Option<Value>,
}

/// What a value looks like in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A text in quotes.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    List,
}

/// Which commands take an option on their command line. Environment and file count for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of them.
    Everywhere,
    /// `serve` and `config check`.
    Server,
}

impl Setting {
    /// The option on the command line, without the dashes.
    pub(crate) fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// The environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("OBOL_{}", self.key.to_ascii_uppercase())
    }

    /// The default as the file would say it.
    pub(crate) fn default_value(&self) -> Option<Value> {
        (self.get)(&Settings::default())
    }
}

/// Every option, in the order of the help and of the sample.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        value_name: "DIR",
        about: "Folder that holds everything obol keeps: database, keys, audit file. The server creates it, \
                readable by its own user only. A relative path counts from the working directory.",
        example: "",
        shape: Shape::Text,
        reach: Reach::Everywhere,
        set: |settings, texts| parse::path(texts).map(|path| settings.data = path),
        get: |settings| path_value(&settings.data),
    },
    Setting {
        key: "database_url",
        value_name: "URL",
        about: "PostgreSQL database (15 or newer) that holds everything instead of a file in the data \
                folder, so that several nodes can answer for one installation; several hosts with commas between. \
                Not set: SQLite.",
        example: "\"postgres://obol@db1,db2:5432/obol?sslmode=verify-full&sslrootcert=/etc/obol/db-ca.pem\"",
        shape: Shape::Text,
        reach: Reach::Everywhere,
        set: |settings, texts| parse::database_url(texts).map(|url| settings.database_url = Some(url)),
        get: |settings| settings.database_url.as_ref().map(|url| Value::from(url.to_string())),
    },
    Setting {
        key: "database_user_file",
        value_name: "FILE",
        about: "File with the name of the database's user, in place of the one in database_url. Not set: that one.",
        example: "\"/etc/obol/db-user\"",
        shape: Shape::Text,
        reach: Reach::Everywhere,
        set: |settings, texts| parse::path(texts).map(|path| settings.database_user_file = Some(path)),
        get: |settings| settings.database_user_file.as_ref().and_then(path_value),
    },
    Setting {
        key: "database_password_file",
        value_name: "FILE",
        about: "File with the password of the database's user, so that it stands in no URL. Read again for every \
                connection. Not set: the one in database_url, if there is one.",
        example: "\"/etc/obol/db-password\"",
        shape: Shape::Text,
        reach: Reach::Everywhere,
        set: |settings, texts| parse::path(texts).map(|path| settings.database_password_file = Some(path)),
        get: |settings| settings.database_password_file.as_ref().and_then(path_value),
    },
    Setting {
        key: "migrate",
        value_name: "BOOL",
        about: "Whether the server makes the tables of the database, and changes them for a newer version. If false, \
                `obol migrate` has to be run first, perhaps as a user with more rights.",
        example: "",
        shape: Shape::Flag,
        reach: Reach::Server,
        set: |settings, texts| parse::flag(texts).map(|on| settings.migrate = on),
        get: |settings| Some(Value::from(settings.migrate)),
    },
    Setting {
        key: "master_key_file",
        value_name: "FILE",
        about: "File with the master key, which wraps all keys in the store; the same on every node. The first node makes it; \
                copy it to the others. Its text may stand in the environment variable OBOL_MASTER_KEY instead. Not \
                set: master.key in the data folder.",
        example: "\"/etc/obol/master.key\"",
        shape: Shape::Text,
        reach: Reach::Everywhere,
        set: |settings, texts| parse::path(texts).map(|path| settings.master_key_file = Some(path)),
        get: |settings| settings.master_key_file.as_ref().and_then(path_value),
    },
    Setting {
        key: "listen",
        value_name: "ADDR",
        about: "IP address and port on which the server answers. Port 0 lets the system choose one. An address that \
                is not loopback needs TLS or behind_proxy, because passwords and tokens never travel in clear.",
        example: "",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| parse::listen(texts).map(|address| settings.listen = address),
        get: |settings| Some(Value::from(settings.listen.to_string())),
    },
    Setting {
        key: "issuer",
        value_name: "URL",
        about: "URL under which clients reach the server, without a final slash; every URL that it prints begins \
                with it. https, or http for loopback. Not set: the URL of the listener.",
        example: "\"https://tokens.example.org\"",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| parse::issuer(texts).map(|url| settings.issuer = Some(url)),
        get: |settings| settings.issuer.as_ref().map(|issuer| Value::from(issuer.as_str())),
    },
    Setting {
        key: "tls_cert",
        value_name: "FILE",
        about: "Certificate chain in PEM, the server's own certificate first. Makes the server speak TLS; goes with \
                tls_key. Not set: no TLS from files.",
        example: "\"/etc/obol/cert.pem\"",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| parse::path(texts).map(|path| settings.tls_cert = Some(path)),
        get: |settings| settings.tls_cert.as_ref().and_then(path_value),
    },
    Setting {
        key: "tls_key",
        value_name: "FILE",
        about: "Private key of the certificate, in PEM. Goes with tls_cert. Not set: no TLS from files.",
        example: "\"/etc/obol/key.pem\"",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| parse::path(texts).map(|path| settings.tls_key = Some(path)),
        get: |settings| settings.tls_key.as_ref().and_then(path_value),
    },
    Setting {
        key: "tls_self_signed",
        value_name: "BOOL",
        about: "Speak TLS with a certificate that the server makes itself and keeps in the data folder. Clients must \
                be told to trust it (curl: -k, or --cacert with that file). For trying out and for closed networks.",
        example: "",
        shape: Shape::Flag,
        reach: Reach::Server,
        set: |settings, texts| parse::flag(texts).map(|on| settings.tls_self_signed = on),
        get: |settings| Some(Value::from(settings.tls_self_signed)),
    },
    Setting {
        key: "behind_proxy",
        value_name: "CIDR",
        about: "Networks of the reverse proxies that end TLS before this server, as in 10.0.0.0/8; may be named \
                several times. Only requests from there are answered on a listener that is not loopback, and only \
                their X-Forwarded-For is believed. Not set: there is no proxy, and the header is ignored.",
        example: "[\"10.0.0.0/8\"]",
        shape: Shape::List,
        reach: Reach::Server,
        set: |settings, texts| parse::networks(texts).map(|networks| settings.behind_proxy = networks),
        get: |settings| list_value(settings.behind_proxy.iter().map(ToString::to_string).collect()),
    },
    Setting {
        key: "forward_auth_hosts",
        value_name: "HOST",
        about: "Hosts of applications behind a gateway, with their ports, to which a person may be sent back after signing \
                in: /forward-auth sends browsers to sign in that ask for one of these, and only if one of behind_proxy \
                says so. May be named several times. Not set: browsers are answered 401 there, as all others.",
        example: "[\"app.example.org\"]",
        shape: Shape::List,
        reach: Reach::Server,
        set: |settings, texts| parse::hosts(texts).map(|hosts| settings.forward_auth_hosts = hosts),
        get: |settings| list_value(settings.forward_auth_hosts.clone()),
    },
    Setting {
        key: "protected_resources",
        value_name: "URL",
        about: "URLs of the APIs behind a gateway, as clients name them in `resource`: for each there is metadata below \
                /.well-known/oauth-protected-resource (RFC 9728). May be named several times. Not set: there is none.",
        example: "[\"https://api.example.org\"]",
        shape: Shape::List,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::resources(texts).map(|resources| settings.protected_resources = resources)
        },
        get: |settings| list_value(settings.protected_resources.iter().map(ToString::to_string).collect()),
    },
    Setting {
        key: "client_id_metadata_documents",
        value_name: "BOOL",
        about: "Whether applications that nobody has registered may ask people for access: their client_id is the https URL of \
                a document that describes them, which the server fetches. People are asked each time, and shown the host. \
                MCP clients come like this.",
        example: "",
        shape: Shape::Flag,
        reach: Reach::Server,
        set: |settings, texts| parse::flag(texts).map(|on| settings.client_id_metadata_documents = on),
        get: |settings| Some(Value::from(settings.client_id_metadata_documents)),
    },
    Setting {
        key: "client_id_metadata_hosts",
        value_name: "HOST",
        about: "The hosts whose documents count then, with the port if the client_id names one. May be named several times. \
                Not set: any host.",
        example: "[\"apps.example.org\"]",
        shape: Shape::List,
        reach: Reach::Server,
        set: |settings, texts| parse::hosts(texts).map(|hosts| settings.client_id_metadata_hosts = hosts),
        get: |settings| list_value(settings.client_id_metadata_hosts.clone()),
    },
    Setting {
        key: "client_id_metadata_scopes",
        value_name: "SCOPE",
        about: "The scopes for which such applications may ask. May be named several times. For the APIs of \
                protected_resources add theirs.",
        example: "",
        shape: Shape::List,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::scopes_of_strangers(texts).map(|scopes| settings.client_id_metadata_scopes = scopes)
        },
        get: |settings| {
            let scopes = settings.client_id_metadata_scopes.iter();
            list_value(scopes.map(|scope| scope.as_str().to_owned()).collect())
        },
    },
    Setting {
        key: "outgoing_allow",
        value_name: "HOST",
        about: "Hosts on private networks, with their ports if not 443, that the server may ask for what clients publish and \
                send notices to. All others are asked only if each of their addresses is a public one. May be named \
                several times. Not set: public addresses only.",
        example: "[\"app.internal.example\", \"app2.internal.example:8443\"]",
        shape: Shape::List,
        reach: Reach::Server,
        set: |settings, texts| parse::hosts(texts).map(|hosts| settings.outgoing_allow = hosts),
        get: |settings| list_value(settings.outgoing_allow.clone()),
    },
    Setting {
        key: "outgoing_ca",
        value_name: "FILE",
        about: "Certificates of authorities in PEM that may have signed for the servers that are asked, in addition to those \
                that the machine trusts. Read at the start. Not set: those of the machine alone.",
        example: "\"/etc/obol/internal-ca.pem\"",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| parse::path(texts).map(|path| settings.outgoing_ca = Some(path)),
        get: |settings| settings.outgoing_ca.as_ref().and_then(path_value),
    },
    Setting {
        key: "max_connections",
        value_name: "COUNT",
        about: "Most connections that are open at once; one more is closed at once. Lowered by itself when the \
                system allows the process fewer open files.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "connections", 1, 1_000_000).map(|count| settings.max_connections = count)
        },
        get: |settings| Some(Value::from(settings.max_connections)),
    },
    Setting {
        key: "log_level",
        value_name: "LEVEL",
        about: "How much is logged: error, warn, info, debug or trace; each includes the ones before it. No level \
                logs a password, a token or a secret. Libraries log warnings and errors only.",
        example: "",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::one_of(texts, LogLevel::ALL, LogLevel::name).map(|level| settings.log_level = level)
        },
        get: |settings| Some(Value::from(settings.log_level.name())),
    },
    Setting {
        key: "log_format",
        value_name: "FORMAT",
        about: "Form of the log on standard error: text, json (one object a line), or auto, which is text on a \
                terminal and json otherwise.",
        example: "",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::one_of(texts, LogFormat::ALL, LogFormat::name).map(|format| settings.log_format = format)
        },
        get: |settings| Some(Value::from(settings.log_format.name())),
    },
    Setting {
        key: "refresh_grace",
        value_name: "SECS",
        about: "Seconds for which a refresh token that was just replaced gets the same answer again, so that a lost \
                answer does no harm. Presented later, it ends all tokens of its line. 0: none; at most 300.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "seconds", 0, 300).map(|secs| settings.refresh_grace_secs = secs)
        },
        get: |settings| Some(Value::from(settings.refresh_grace_secs)),
    },
    Setting {
        key: "code_ttl",
        value_name: "SECS",
        about: "Seconds for which an authorization code is good: long enough for a browser to carry it to the client and the \
                client to bring it back. 1 to 56000.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "seconds", 1, 56_000).map(|secs| settings.code_lifetime_secs = secs)
        },
        get: |settings| Some(Value::from(settings.code_lifetime_secs)),
    },
    Setting {
        key: "pushed_request_ttl",
        value_name: "SECS",
        about: "Seconds within which a browser has to bring the reference to an authorization request that a client has pushed \
                (RFC 9126). Once it is there, the person may take longer. 5 to 600.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "seconds", 5, 600).map(|secs| settings.pushed_request_lifetime_secs = secs)
        },
        get: |settings| Some(Value::from(settings.pushed_request_lifetime_secs)),
    },
    Setting {
        key: "require_pushed_authorization_requests",
        value_name: "BOOL",
        about: "Whether every client must push its authorization requests (RFC 9126), also those that know only the \
                endpoints of FortiAuthenticator, which have none for it. If false, those must that were added with \
                --require-par.",
        example: "",
        shape: Shape::Flag,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::flag(texts).map(|on| settings.require_pushed_authorization_requests = on)
        },
        get: |settings| Some(Value::from(settings.require_pushed_authorization_requests)),
    },
    Setting {
        key: "registration",
        value_name: "MODE",
        about: "Who may register clients at /oauth2/register (RFC 7591): off (nobody), token (whoever has an initial access \
                token, see docs/registration.md) or open (anybody).",
        example: "",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::one_of(texts, RegistrationMode::ALL, RegistrationMode::name)
                .map(|mode| settings.registration.mode = mode)
        },
        get: |settings| Some(Value::from(settings.registration.mode.name())),
    },
    Setting {
        key: "registration_scopes",
        value_name: "SCOPE",
        about: "Scopes that registered clients may ask for; may be named several times.",
        example: "",
        shape: Shape::List,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::scopes_of_strangers(texts).map(|scopes| settings.registration.scopes = scopes)
        },
        get: |settings| {
            list_value(settings.registration.scopes.iter().map(|scope| scope.as_str().to_owned()).collect())
        },
    },
    Setting {
        key: "registration_most",
        value_name: "NUMBER",
        about: "So many clients may be registered, and no more. Deleted ones count, because their ids stay taken. 1 to 100000.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "clients", 1, 100_000).map(|most| settings.registration.most = most)
        },
        get: |settings| Some(Value::from(settings.registration.most)),
    },
    Setting {
        key: "registration_pkce",
        value_name: "BOOL",
        about: "Whether confidential clients that register themselves need PKCE (RFC 7636), as public ones do in any case.",
        example: "",
        shape: Shape::Flag,
        reach: Reach::Server,
        set: |settings, texts| parse::flag(texts).map(|on| settings.registration.require_pkce = on),
        get: |settings| Some(Value::from(settings.registration.require_pkce)),
    },
    Setting {
        key: "registration_assertion_audience",
        value_name: "WHAT",
        about: "What the assertions of clients that register themselves name as `aud` (RFC 7523): issuer, or token-endpoint for \
                libraries that know nothing newer than the URL of the token endpoint; the issuer is taken then, too.",
        example: "",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::one_of(texts, AssertionAudience::ALL, AssertionAudience::name)
                .map(|audience| settings.registration.assertion_audience = audience)
        },
        get: |settings| Some(Value::from(settings.registration.assertion_audience.name())),
    },
    Setting {
        key: "session_idle_mins",
        value_name: "MINUTES",
        about: "Minutes after which a person who does nothing has to sign in again: the session ends, not the tokens that \
                applications were given in it. 1 to 43200, 30 days.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            let most = NonZeroU32::MIN.saturating_add(43_199);
            parse::number(texts, "minutes", NonZeroU32::MIN, most)
                .map(|mins| settings.session_idle_mins = mins)
        },
        get: |settings| Some(Value::from(settings.session_idle_mins.get())),
    },
    Setting {
        key: "session_hours",
        value_name: "HOURS",
        about: "Hours after which a person has to sign in again, however much the session was used. 1 to 8760, a year.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            let most = NonZeroU32::MIN.saturating_add(8_759);
            parse::number(texts, "hours", NonZeroU32::MIN, most).map(|hours| settings.session_hours = hours)
        },
        get: |settings| Some(Value::from(settings.session_hours.get())),
    },
    Setting {
        key: "session_end_revokes",
        value_name: "WHAT",
        about: "What ends when a person signs out, or ends one session on the own page: everything that was given in that \
                session, or online, which leaves what was given with the scope offline_access. Other ends (of the person, \
                the client, a consent) take all with them.",
        example: "",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| {
            let all = [SessionEndRevokes::Everything, SessionEndRevokes::Online];
            parse::one_of(texts, all, session_end_name).map(|revokes| settings.session_end_revokes = revokes)
        },
        get: |settings| Some(Value::from(session_end_name(settings.session_end_revokes))),
    },
    Setting {
        key: "display_name",
        value_name: "NAME",
        about: "Name of this installation on the pages that people see, at most 60 characters.",
        example: "",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| parse::display_name(texts).map(|name| settings.display_name = name),
        get: |settings| Some(Value::from(settings.display_name.clone())),
    },
    Setting {
        key: "templates",
        value_name: "DIR",
        about: "Folder with own pages in the place of single ones of obol's: templates (sign_in.html and others), messages \
                (messages/de.toml, or another language), style.css, logo.svg. Read at the start, which fails if one of them \
                is broken. Not set: obol's own pages.",
        example: "\"/etc/obol/pages\"",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| parse::path(texts).map(|path| settings.templates = Some(path)),
        get: |settings| settings.templates.as_ref().and_then(path_value),
    },
    Setting {
        key: "signing_key_rotation_days",
        value_name: "DAYS",
        about: "Days after which the server puts a new signing key in the place of the one in use; the old one stays \
                published until what it has signed is over. 0: only by `obol keys rotate`; else 2 to 3650.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            let days: u32 = parse::number(texts, "days", 0, 3_650)?;
            if days == 1 {
                return Err("a signing key signs for 2 days at least; 0: until `obol keys rotate`".to_owned());
            }
            settings.signing_key_rotation_days = days;
            Ok(())
        },
        get: |settings| Some(Value::from(settings.signing_key_rotation_days)),
    },
    Setting {
        key: "jwks_max_age",
        value_name: "SECS",
        about: "Seconds for which who verifies signatures may keep the published keys (Cache-Control). A new signing \
                key is published for as long before it signs. At most 86400.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "seconds", 0, 86_400).map(|secs| settings.jwks_max_age_secs = secs)
        },
        get: |settings| Some(Value::from(settings.jwks_max_age_secs)),
    },
    Setting {
        key: "lease_ms",
        value_name: "MILLISECS",
        about: "Milliseconds for which the server vouches for its memory after it has read the change log. A \
                revocation waits at most about this long for a server that hangs. 200 to 60000, and at least \
                three times lease_renewal_ms.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "milliseconds", 200, 60_000).map(|ms| settings.lease_ms = ms)
        },
        get: |settings| Some(Value::from(settings.lease_ms)),
    },
    Setting {
        key: "lease_renewal_ms",
        value_name: "MILLISECS",
        about: "Milliseconds between two readings of the change log, each of which renews the lease. 20 to 20000.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "milliseconds", 20, 20_000).map(|ms| settings.lease_renewal_ms = ms)
        },
        get: |settings| Some(Value::from(settings.lease_renewal_ms)),
    },
    Setting {
        key: "on_stale",
        value_name: "POLICY",
        about: "What the server does with verify, forward-auth and introspection of access tokens when it cannot read the change log \
                and its lease is over: refuse (503), or serve, which answers from what it last knew and so accepts \
                what was revoked meanwhile. It issues and revokes nothing then. The same for all nodes.",
        example: "",
        shape: Shape::Text,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::one_of(texts, StalePolicy::ALL, StalePolicy::name).map(|policy| settings.on_stale = policy)
        },
        get: |settings| Some(Value::from(settings.on_stale.name())),
    },
    Setting {
        key: "on_stale_max_age_ms",
        value_name: "MILLISECS",
        about: "With on_stale = serve, and required there: milliseconds since it last read the change log for which the \
                server answers; then 503. More than lease_ms, and at most 3600000, an hour.",
        example: "60000",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "milliseconds", 1, 3_600_000)
                .map(|ms| settings.on_stale_max_age_ms = Some(ms))
        },
        get: |settings| settings.on_stale_max_age_ms.map(Value::from),
    },
    Setting {
        key: "stop_delay_ms",
        value_name: "MILLISECS",
        about: "Milliseconds for which the server goes on as before after it was told to stop, while /readyz says 503: \
                longer than a balancer takes to notice, so that no request fails. A second signal ends the \
                wait. 0: it stops at once; at most 60000.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "milliseconds", 0, 60_000).map(|ms| settings.stop_delay_ms = ms)
        },
        get: |settings| Some(Value::from(settings.stop_delay_ms)),
    },
    Setting {
        key: "audit_max_bytes",
        value_name: "BYTES",
        about: "Size in bytes at which audit.jsonl (what was done) or audit-refused.jsonl (what was refused) in the data \
                folder is renamed to end in .1 and begun anew; older ones become .2, .3 and so on. 0: never.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "bytes", 0, i64::MAX as u64).map(|bytes| settings.audit_max_bytes = bytes)
        },
        get: |settings| i64::try_from(settings.audit_max_bytes).ok().map(Value::from),
    },
    Setting {
        key: "audit_keep",
        value_name: "COUNT",
        about: "How many renamed audit files of each kind are kept; the oldest beyond that is deleted. 1 to 1000.",
        example: "",
        shape: Shape::Number,
        reach: Reach::Server,
        set: |settings, texts| {
            parse::number(texts, "files", 1, 1_000).map(|count| settings.audit_keep = count)
        },
        get: |settings| Some(Value::from(settings.audit_keep)),
    },
];

#[allow(clippy::ptr_arg, reason = "the fields are PathBuf, and the function is passed by name to and_then")]
fn path_value(path: &PathBuf) -> Option<Value> {
    Some(Value::from(path.to_string_lossy().into_owned()))
}

fn list_value(texts: Vec<String>) -> Option<Value> {
    (!texts.is_empty()).then(|| Value::from(texts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_reads_back_as_itself() {
        for setting in SETTINGS {
            let Some(value) = setting.default_value() else { continue };
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            let texts = match &value {
                Value::Array(values) => values.iter().map(text).collect(),
                value => vec![text(value)],
            };
            let mut settings = Settings::default();
            assert_eq!((setting.set)(&mut settings, &texts), Ok(()), "{}", setting.key);
            assert_eq!(settings, Settings::default(), "{}", setting.key);
        }
    }

    #[test]
    fn every_option_has_a_default_or_an_example_and_says_what_it_does() {
        for setting in SETTINGS {
            assert_eq!(setting.default_value().is_some(), setting.example.is_empty(), "{}", setting.key);
            assert!(setting.about.ends_with('.') && setting.about.len() > 40, "{}", setting.key);
            assert!(!setting.about.contains("  "), "{}", setting.key);
        }
    }

    #[test]
    fn names_are_single_and_the_same_everywhere() {
        let mut keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), SETTINGS.len());
        let listen = SETTINGS.iter().find(|setting| setting.key == "refresh_grace").unwrap();
        assert_eq!(
            (listen.flag().as_str(), listen.variable().as_str()),
            ("refresh-grace", "OBOL_REFRESH_GRACE")
        );
    }
}
