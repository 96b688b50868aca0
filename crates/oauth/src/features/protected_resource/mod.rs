//! Metadata of the protected resources that stand behind a gateway (RFC 9728). Home of RFC 9728.
//!
//! Which there are is a setting. The document of one is asked for at its own host (§3.1), from where the gateway sends
//! the request here: so a host in a request only chooses among what is configured, and nothing of it is printed.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::{Endpoint, Feature, Method, Steps};
use crate::{Engine, Surface};

/// RFC 9728.
pub(super) const FEATURE: Feature = Feature {
    name: "protected resource metadata",
    specification: "RFC 9728",
    endpoints: &[Endpoint {
        surface: Surface::Rfc,
        methods: &[Method::Get],
        path: ProtectedResource::WELL_KNOWN,
        steps: Steps::Resource,
    }],
    grants: &[],
    describe,
};

/// The identifier of a protected resource (§1.2): an https URL without query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    uri: String,
    /// Host and port in lower case, and where they end in `uri`.
    authority: String,
    path_at: usize,
}

/// Why a text is no identifier of a protected resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a protected resource is an https:// URL without query and fragment")]
pub struct ProtectedResourceError;

impl ProtectedResource {
    /// What stands between the host and the path of a resource (§3).
    pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// Where its document is, for others (§3.1).
    pub fn metadata_url(&self) -> String {
        let (origin, path) = self.uri.split_at_checked(self.path_at).unwrap_or((&self.uri, ""));
        format!("{origin}{}{}", Self::WELL_KNOWN, if path == "/" { "" } else { path })
    }

    /// Its path, without a final slash.
    fn path(&self) -> &str {
        self.uri.get(self.path_at..).unwrap_or_default().trim_end_matches('/')
    }
}

impl FromStr for ProtectedResource {
    type Err = ProtectedResourceError;

    fn from_str(text: &str) -> Result<Self, ProtectedResourceError> {
        let rest = text.strip_prefix("https://").ok_or(ProtectedResourceError)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"<>".contains(&byte));
        match !authority.is_empty() && plain {
            true => Ok(Self {
                uri: text.to_owned(),
                authority: authority.to_ascii_lowercase(),
                path_at: "https://".len().saturating_add(authority.len()),
            }),
            false => Err(ProtectedResourceError),
        }
    }
}

impl fmt::Display for ProtectedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}

impl Engine {
    /// The document of the resource at this host and path (§3.2); the path is what follows the well-known one. Where one
    /// resource alone has the path, the host may be another: not every gateway passes it on.
    pub fn resource_metadata(&self, host: &str, path: &str) -> Option<Value> {
        let path = path.trim_end_matches('/');
        let mut at_path = self.settings.protected_resources.iter().filter(|resource| resource.path() == path);
        let of_host = at_path.clone().find(|resource| resource.authority.eq_ignore_ascii_case(host));
        let resource = of_host.or_else(|| at_path.next().filter(|_| at_path.next().is_none()))?;
        Some(json!({
            "resource": resource.as_str(),
            "authorization_servers": [self.settings.issuer.as_str()],
            "bearer_methods_supported": ["header"],
        }))
    }

    /// Where the metadata of this resource is, if it is one of those that are configured.
    pub fn metadata_url_of(&self, resource: &str) -> Option<String> {
        let known = self.settings.protected_resources.iter();
        let known = known.clone().find(|known| known.as_str() == resource)?;
        Some(known.metadata_url())
    }
}

/// §4: the resources, for who has found the authorization server first.
fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    let resources = &engine.settings.protected_resources;
    if !resources.is_empty() {
        let uris: Vec<_> = resources.iter().map(ProtectedResource::as_str).collect();
        document.insert("protected_resources".into(), json!(uris));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9728_3_1_the_well_known_path_stands_between_host_and_path() {
        for (uri, url) in [
            ("https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
            ("https://a.example/", "https://a.example/.well-known/oauth-protected-resource"),
            ("https://a.example:8443/b/c", "https://a.example:8443/.well-known/oauth-protected-resource/b/c"),
            ("https://a.example/b/", "https://a.example/.well-known/oauth-protected-resource/b/"),
        ] {
            assert_eq!(uri.parse::<ProtectedResource>().unwrap().metadata_url(), url);
        }
    }

    #[test]
    fn rfc9728_1_2_a_resource_is_an_https_url_without_fragment() {
        for text in [
            "",
            "a.example",
            "http://a.example",
            "https://",
            "https:///a",
            "https://a.example#b",
            "https://a.example?b=c",
            "https://user@a.example",
            "https://a.example/\"b",
            "https://a.example/ b",
        ] {
            assert_eq!(text.parse::<ProtectedResource>(), Err(ProtectedResourceError), "{text}");
        }
    }
}
