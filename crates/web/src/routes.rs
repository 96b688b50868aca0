//! The routes, derived from the list of features. A path answers with and without a final slash, never by a redirect.

use std::collections::HashMap;

use http::Method;
use obol_oauth::{Endpoint, FEATURES, Issuer, PageKind, ProtectedResource, Surface};

use crate::gateway;
use crate::pages::Page;
use crate::registration;

/// What is found for a path and a method.
pub(crate) enum Route {
    /// An endpoint of a feature.
    Endpoint(&'static Endpoint),
    /// A gateway's question, by any method.
    Gateway,
    /// The document of a protected resource, with what follows the well-known path.
    Resource,
    /// A client that registers itself, or manages its registration.
    Registration,
    /// A page for people, or what belongs to one.
    Page(Page),
    /// The process lives.
    Health,
    /// The node answers truthfully.
    Readiness,
    /// The path takes another method.
    OtherMethod {
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// There is no such path.
    NotFound,
}

impl Route {
    /// For the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Endpoint(endpoint) => endpoint.path,
            Self::Gateway => "/forward-auth",
            Self::Resource => ProtectedResource::WELL_KNOWN,
            Self::Registration => "/oauth2/register",
            Self::Page(page) => page.name(),
            Self::Health => "/healthz",
            Self::Readiness => "/readyz",
            Self::OtherMethod { .. } => "another method",
            Self::NotFound => "none",
        }
    }
}

/// All routes of this server.
pub(crate) struct Routes {
    endpoints: HashMap<String, &'static Endpoint>,
    /// The path of the issuer: every URL that is printed begins with it. A proxy before the server may leave it out.
    base: String,
}

impl Routes {
    /// The routes of the list of features.
    pub(crate) fn new(issuer: &Issuer) -> Self {
        let mut endpoints = HashMap::new();
        for endpoint in FEATURES.iter().flat_map(|feature| feature.endpoints) {
            endpoints.insert(endpoint.path.to_owned(), endpoint);
            // RFC 8414 §3.1: the path of the issuer follows the well-known path.
            if endpoint.path.starts_with("/.well-known/") {
                endpoints.insert(format!("{}{}", endpoint.path, issuer.path()), endpoint);
            }
        }
        Self { endpoints, base: issuer.path().to_owned() }
    }

    /// What follows the path of the issuer, where a path begins with it.
    pub(crate) fn below<'a>(&self, path: &'a str) -> &'a str {
        // Most issuers have none: verify would notice the comparison.
        match &*self.base {
            "" => path,
            base => path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path),
        }
    }

    /// What answers this request; the path is [`Self::below`] the issuer's.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Route {
        let path = path.strip_suffix('/').unwrap_or(path);
        let (route, takes, allow) = match self.endpoints.get(path) {
            Some(endpoint) if endpoint.is_gateway() => return Route::Gateway,
            Some(endpoint) => {
                let route = match endpoint.page() {
                    Some(PageKind::Authorize) => Route::Page(Page::Authorize(endpoint.surface)),
                    Some(PageKind::SignOut) => Route::Page(Page::LogOut),
                    None if endpoint.is_resource() => Route::Resource,
                    None if endpoint.is_registration() => Route::Registration,
                    None => Route::Endpoint(endpoint),
                };
                match endpoint.methods {
                    [obol_oauth::Method::Get] => (route, &[Method::GET][..], "GET"),
                    [obol_oauth::Method::Post] => (route, &[Method::POST][..], "POST"),
                    _ => (route, &[Method::GET, Method::POST][..], "GET, POST"),
                }
            }
            // Probes like HEAD.
            None if path == "/healthz" => (Route::Health, &[Method::GET, Method::HEAD][..], "GET, HEAD"),
            None if path == "/readyz" => (Route::Readiness, &[Method::GET, Method::HEAD][..], "GET, HEAD"),
            None if gateway::is_prefixed(path) => return Route::Gateway,
            None if is_resource(path) => (Route::Resource, &[Method::GET][..], "GET"),
            None if registration::is_of_a_client(path) => {
                (Route::Registration, &[Method::GET, Method::PUT, Method::DELETE][..], "GET, PUT, DELETE")
            }
            None => match Page::find(path) {
                Some(page) if page.only_shows() => (Route::Page(page), &[Method::GET][..], "GET"),
                Some(page) => (Route::Page(page), &[Method::GET, Method::POST][..], "GET, POST"),
                None => return Route::NotFound,
            },
        };
        match takes.contains(method) {
            true => route,
            false => Route::OtherMethod { allow },
        }
    }
}

/// RFC 9728 §3.1: the path of the resource follows the well-known path.
fn is_resource(path: &str) -> bool {
    path.strip_prefix(ProtectedResource::WELL_KNOWN)
        .is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// The dialect in which a path below the issuer's is answered, also when nothing is there.
pub(crate) fn surface_of(path: &str) -> Surface {
    match path.starts_with("/api/") {
        true => Surface::FortiAuthenticator,
        false => Surface::Rfc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method_of(endpoint: &Endpoint) -> Method {
        match endpoint.methods {
            [obol_oauth::Method::Get, ..] => Method::GET,
            _ => Method::POST,
        }
    }

    #[test]
    fn probes_may_use_head() {
        for path in ["/healthz", "/readyz/"] {
            let found = routes("https://id.example.com").find(&Method::HEAD, path);
            assert!(matches!(found, Route::Health | Route::Readiness), "{path}");
        }
    }

    fn routes(issuer: &str) -> Routes {
        Routes::new(&issuer.parse().unwrap())
    }

    #[test]
    fn every_endpoint_answers_with_and_without_the_final_slash() {
        let routes = routes("https://id.example.com");
        for endpoint in FEATURES.iter().flat_map(|feature| feature.endpoints) {
            for path in [endpoint.path.to_owned(), format!("{}/", endpoint.path)] {
                let found = routes.find(&method_of(endpoint), &path);
                assert_eq!(found.name(), endpoint.path, "{path}");
                assert_eq!(matches!(found, Route::Page(_)), endpoint.page().is_some(), "{path}");
                let other = routes.find(&Method::DELETE, &path);
                assert_eq!(matches!(other, Route::OtherMethod { .. }), !endpoint.is_gateway(), "{path}");
                assert_eq!(surface_of(&path), endpoint.surface, "{path}");
            }
            let doubled = routes.find(&method_of(endpoint), &format!("{}//", endpoint.path));
            assert!(matches!(doubled, Route::NotFound), "{}", endpoint.path);
        }
    }

    #[test]
    fn rfc8414_3_1_the_issuers_path_follows_the_well_known_path() {
        let routes = routes("https://example.com/tenant");
        for path in [
            "/.well-known/oauth-authorization-server/tenant",
            "/.well-known/openid-configuration/tenant",
            "/tenant/.well-known/openid-configuration",
        ] {
            assert!(matches!(routes.find(&Method::GET, routes.below(path)), Route::Endpoint(_)), "{path}");
        }
    }

    #[test]
    fn what_is_below_the_path_of_the_issuer_is_found_there_and_without_it() {
        let routes = routes("https://example.com/tenant");
        for path in
            ["/oauth2/authorize", "/api/v1/oauth/userinfo", "/sessions", "/pages/0/style.css", "/healthz"]
        {
            assert_eq!(routes.below(&format!("/tenant{path}")), path);
            assert_eq!(routes.below(path), path);
            assert!(!matches!(routes.find(&Method::GET, path), Route::NotFound), "{path}");
        }
        for path in [
            "/tenant",
            "/tenant/",
            "/tenantoauth2/authorize",
            "/other/oauth2/authorize",
            "/tenant/tenant/sessions",
        ] {
            assert!(matches!(routes.find(&Method::GET, routes.below(path)), Route::NotFound), "{path}");
        }
    }
}
