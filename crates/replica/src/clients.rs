//! The clients in a node's memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use obol_store::{Client, ClientKind};
use obol_token::ClientId;

/// All clients as of one position in the log, disabled ones included.
#[derive(Default)]
pub(crate) struct Clients {
    by_id: HashMap<ClientId, Arc<Client>>,
    /// Gathered when first asked for: clients change seldom, and many installations have no pages that ask.
    origins: OnceLock<HashSet<String>>,
}

impl Clients {
    pub(crate) fn find(&self, id: &str) -> Option<&Arc<Client>> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.by_id.values().map(|client| &**client)
    }

    /// Whether a public client that is enabled has its pages at this origin, as browsers write it (RFC 6454 §6.2).
    pub(crate) fn have_origin(&self, origin: &str) -> bool {
        let gather = || {
            let public = self.iter().filter(|client| client.enabled && client.kind == ClientKind::Public);
            public.flat_map(|client| &client.redirect_uris).filter_map(|uri| origin_of(uri)).collect()
        };
        self.origins.get_or_init(gather).contains(origin)
    }

    pub(crate) fn insert(&mut self, client: Client) {
        self.origins.take();
        self.by_id.insert(client.id.clone(), Arc::new(client));
    }

    pub(crate) fn remove(&mut self, id: &ClientId) {
        self.origins.take();
        self.by_id.remove(id);
    }
}

impl Clone for Clients {
    /// To be changed, so without what was gathered.
    fn clone(&self) -> Self {
        Self { by_id: self.by_id.clone(), origins: OnceLock::new() }
    }
}

/// The origin of pages at this address (RFC 6454 §4, §6.2): `None` where an application of a device is sent back to, by a scheme of
/// its own.
fn origin_of(redirect_uri: &str) -> Option<String> {
    let (scheme, rest) = redirect_uri.split_once("://")?;
    let usual_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority = rest.split(['/', '?']).next().filter(|authority| !authority.is_empty())?;
    let authority = authority.to_ascii_lowercase();
    Some(format!("{scheme}://{}", authority.strip_suffix(usual_port).unwrap_or(&authority)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6454_6_2_an_origin_is_scheme_host_and_unusual_port() {
        for (uri, origin) in [
            ("https://app.example/callback", Some("https://app.example")),
            ("https://App.Example:443/cb?a=b", Some("https://app.example")),
            ("https://app.example:8443", Some("https://app.example:8443")),
            ("https://app.example?x=https://other.example/", Some("https://app.example")),
            ("http://127.0.0.1:80/cb", Some("http://127.0.0.1")),
            ("http://[::1]:5173/cb", Some("http://[::1]:5173")),
            ("https://app.example:80/", Some("https://app.example:80")),
            ("com.example.app:/callback", None),
            ("com.example.app://host/callback", None),
            ("https:///callback", None),
        ] {
            assert_eq!(origin_of(uri).as_deref(), origin, "{uri}");
        }
    }
}
