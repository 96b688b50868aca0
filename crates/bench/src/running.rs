//! A server that runs already, as somebody names it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use http::Uri;
use rustix::process::Pid;

use crate::tls::Trust;
use crate::{BenchError, Credentials};

/// A server that runs already.
#[derive(Debug, Clone)]
pub struct RunningServer {
    /// Its URL, for people.
    pub url: String,
    /// Its address.
    pub address: SocketAddr,
    /// Host and port for its requests.
    pub authority: String,
    /// Whom to trust, with TLS.
    pub trust: Option<Trust>,
    /// Its process, if it runs on this machine and may be watched.
    pub pid: Option<Pid>,
    /// What may ask there.
    pub credentials: Credentials,
}

impl RunningServer {
    /// The server at this URL; over https it has to show a certificate that leads to one in `ca_file`.
    ///
    /// # Errors
    /// [`BenchError::Asked`] with what to change.
    pub fn at(
        url: &str,
        ca_file: Option<&Path>,
        pid: Option<i32>,
        credentials: Credentials,
    ) -> Result<Self, BenchError> {
        let uri: Uri = url.parse().map_err(|_| asked(format!("`{url}` is no URL")))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(asked(format!("`{url}` has to begin with http:// or https:// and a host")));
        };
        let host = authority.host().trim_matches(['[', ']']);
        let trust = decide_trust(scheme, ca_file, host)?;
        let port = authority.port_u16().unwrap_or(if trust.is_some() { 443 } else { 80 });
        let found = (host, port).to_socket_addrs().ok().and_then(|mut all| all.next());
        Ok(Self {
            url: url.to_owned(),
            address: found.ok_or_else(|| asked(format!("`{host}` has no address")))?,
            authority: authority.to_string(),
            trust,
            pid: pid.and_then(Pid::from_raw),
            credentials,
        })
    }

    /// Whether a ceiling can stand beside it: on the same machine, and over TLS not without its certificate.
    pub(crate) fn is_comparable(&self) -> bool {
        self.address.ip().is_loopback() && self.trust.is_none()
    }
}

fn decide_trust(scheme: &str, ca_file: Option<&Path>, host: &str) -> Result<Option<Trust>, BenchError> {
    match (scheme, ca_file) {
        ("http", None) => Ok(None),
        ("http", Some(_)) => Err(asked("a certificate to trust goes with an https URL".to_owned())),
        ("https", Some(file)) => {
            let trust = Trust::in_file(file, host);
            trust.map(Some).map_err(|error| asked(format!("{}: {error}", file.display())))
        }
        ("https", None) => Err(asked("name the certificate to trust with --target-ca".to_owned())),
        _ => Err(asked(format!("`{scheme}` is neither http nor https"))),
    }
}

fn asked(sentence: String) -> BenchError {
    BenchError::Asked(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str, ca_file: Option<&str>) -> Result<RunningServer, String> {
        let running = RunningServer::at(url, ca_file.map(Path::new), Some(7), Credentials::default());
        running.map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_says_where_the_server_is() {
        for (url, address, authority) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.0.0.1/", "127.0.0.1:80", "127.0.0.1"),
            ("http://[::1]:81", "[::1]:81", "[::1]:81"),
        ] {
            let running = at(url, None).unwrap();
            assert_eq!(
                (running.address.to_string().as_str(), running.authority.as_str()),
                (address, authority)
            );
            assert!(running.is_comparable());
        }
        assert!(!at("http://192.0.2.1", None).unwrap().is_comparable());
    }

    #[test]
    fn what_cannot_be_reached_is_said() {
        for (url, ca_file, sentence) in [
            ("127.0.0.1:8080", None, "http"),
            ("ftp://127.0.0.1", None, "neither http nor https"),
            ("https://127.0.0.1", None, "--target-ca"),
            ("https://127.0.0.1", Some("/no/such/file"), "/no/such/file"),
            ("http://127.0.0.1", Some("/no/such/file"), "https"),
        ] {
            let refused = at(url, ca_file).unwrap_err();
            assert!(refused.contains(sentence), "{url}: {refused}");
        }
    }
}
