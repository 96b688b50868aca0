//! The one list of endpoints of these tests.

use std::collections::BTreeSet;

use obol_oauth::{FEATURES, Method};
use obol_testkit::{METADATA, obol};

/// Where a request can be sent.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    /// Without the final slash.
    pub(crate) path: &'static str,
}

const fn endpoint(method: &'static str, path: &'static str) -> Endpoint {
    Endpoint { method, path }
}

/// All of them.
pub(crate) const ENDPOINTS: [Endpoint; 41] = [
    endpoint("POST", "/api/v1/oauth/token"),
    endpoint("GET", "/api/v1/oauth/verify_token"),
    endpoint("POST", "/api/v1/oauth/revoke_token"),
    endpoint("GET", "/api/v1/oauth/authorize"),
    endpoint("GET", "/api/v1/oauth/userinfo"),
    endpoint("GET", "/api/v1/oauth/.well-known/keys"),
    endpoint("GET", "/api/v1/oauth/.well-known/openid-configuration"),
    endpoint("GET", "/api/v1/oauth/.well-known/oauth-authorization-server"),
    endpoint("GET", "/oauth2/authorize"),
    endpoint("POST", "/oauth2/authorize"),
    endpoint("POST", "/oauth2/par"),
    endpoint("POST", "/oauth2/register"),
    endpoint("GET", "/oauth2/register/x"),
    endpoint("PUT", "/oauth2/register/x"),
    endpoint("DELETE", "/oauth2/register/x"),
    endpoint("POST", "/oauth2/token"),
    endpoint("POST", "/oauth2/revoke"),
    endpoint("POST", "/oauth2/introspect"),
    endpoint("POST", "/oauth2/introspect/batch"),
    endpoint("GET", "/oauth2/userinfo"),
    endpoint("POST", "/oauth2/userinfo"),
    endpoint("GET", "/oauth2/logout"),
    endpoint("POST", "/oauth2/logout"),
    endpoint("GET", "/oauth2/jwks"),
    endpoint("GET", "/forward-auth"),
    endpoint("GET", "/forward-auth/for/scope=read/x"),
    endpoint("GET", "/.well-known/oauth-protected-resource"),
    endpoint("GET", "/.well-known/oauth-protected-resource/x"),
    endpoint("GET", METADATA),
    endpoint("GET", "/.well-known/openid-configuration"),
    endpoint("POST", "/sign-in"),
    endpoint("GET", "/continue"),
    endpoint("POST", "/consent"),
    endpoint("GET", "/sessions"),
    endpoint("POST", "/sessions/end"),
    endpoint("POST", "/sessions/withdraw"),
    endpoint("POST", "/sessions/end-all"),
    endpoint("POST", "/sign-out"),
    endpoint("GET", "/pages/x/style.css"),
    endpoint("GET", "/healthz"),
    endpoint("GET", "/readyz"),
];

/// Those that no feature has: longer paths of one, pages beside the authorization endpoints, and probes.
const OUTSIDE_THE_FEATURES: [(&str, &str); 16] = [
    ("/oauth2/register/x", "GET"),
    ("/oauth2/register/x", "PUT"),
    ("/oauth2/register/x", "DELETE"),
    ("/sign-in", "POST"),
    ("/continue", "GET"),
    ("/consent", "POST"),
    ("/sessions", "GET"),
    ("/sessions/end", "POST"),
    ("/sessions/withdraw", "POST"),
    ("/sessions/end-all", "POST"),
    ("/sign-out", "POST"),
    ("/pages/x/style.css", "GET"),
    ("/forward-auth/for/scope=read/x", "GET"),
    ("/.well-known/oauth-protected-resource/x", "GET"),
    ("/healthz", "GET"),
    ("/readyz", "GET"),
];

#[test]
fn every_endpoint_of_the_server_is_in_the_list() {
    let name = |method: &Method| match method {
        Method::Get | Method::Any => "GET",
        Method::Post => "POST",
    };
    let served = FEATURES
        .iter()
        .flat_map(|feature| feature.endpoints)
        .flat_map(|endpoint| endpoint.methods.iter().map(move |method| (endpoint.path, name(method))));
    let served: BTreeSet<_> = served.chain(OUTSIDE_THE_FEATURES).collect();
    let listed: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| (endpoint.path, endpoint.method)).collect();
    assert_eq!(listed, served);
}

#[test]
fn every_endpoint_that_the_metadata_names_is_in_the_list() {
    let server = obol!().server().start();
    let document = server.http().get(METADATA).send().expect(200).json();
    let members = document.as_object().expect("an object").iter();
    let named: Vec<_> = members.filter(|(name, _)| name.ends_with("_endpoint")).collect();
    assert!(named.len() >= 5, "{document}");
    for (name, url) in named {
        let path = url.as_str().and_then(|url| url.strip_prefix(server.url())).expect("a URL of this server");
        assert!(ENDPOINTS.iter().any(|endpoint| endpoint.path == path), "{name}: {path}");
    }
}
