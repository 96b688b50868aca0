//! S-06 (the CORS protocol of the Fetch standard): which pages of other origins may read which answers.

use http::Method;
use obol_testkit::{
    Answer, AuthorizationRequest, Client, ClientSpec, JWKS, METADATA, REDIRECT_URI, RFC_TOKEN, Server, obol,
};

/// Where the pages of the client are that may.
const ORIGIN: &str = "https://spa.example";
const CALLBACK: &str = "https://spa.example/callback";

/// A server with an application that runs in the browser, and one that does not.
fn scene() -> (Server, Client) {
    let server = obol!().server().alice().option("--protected-resources", "https://api.example/v1");
    let spa = ClientSpec::public("spa").grants(&["authorization_code", "refresh_token"]);
    let spa = server.add_client(&spa.option("--redirect-uri", CALLBACK));
    server.add_client(&ClientSpec::application("elsewhere"));
    (server.start(), spa)
}

/// What a browser asks before a page of this origin may send this.
fn preflight(server: &Server, path: &str, method: &str, origin: &str) -> Answer {
    let request = server.http().request(Method::OPTIONS, path).header("origin", origin);
    request.header("access-control-request-method", method).send()
}

/// The fields of the CORS protocol in an answer.
fn cors(answer: &Answer) -> Vec<(&str, &str)> {
    let fields = answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    fields.filter(|(name, _)| name.starts_with("access-control-")).collect()
}

/// The origin that may read an answer.
fn shared_with(answer: &Answer) -> Option<&str> {
    assert!(answer.header("access-control-allow-credentials").is_none(), "{answer:?}");
    answer.header("access-control-allow-origin")
}

#[test]
fn s_06_a_page_of_a_public_client_reads_what_endpoints_answer() {
    let (server, spa) = scene();
    let ask = |method: Method, path: &str| server.http().request(method, path).header("origin", ORIGIN);
    let resource = "/.well-known/oauth-protected-resource/v1";
    for path in [METADATA, "/.well-known/openid-configuration", JWKS, resource] {
        let answer = ask(Method::GET, path).send().expect(200);
        assert_eq!(shared_with(&answer), Some(ORIGIN), "{path}");
    }
    // Refusals as well, or the page could not tell what is wrong.
    let refused =
        ask(Method::POST, RFC_TOKEN).form(&[("grant_type", "magic"), ("client_id", &spa.id)]).send();
    assert_eq!((refused.status, shared_with(&refused)), (400, Some(ORIGIN)));
    for path in ["/oauth2/userinfo", "/api/v1/oauth/userinfo/", "/api/v1/oauth/verify_token/?client_id=spa"] {
        let answer = ask(Method::GET, path).bearer("none").send();
        assert_eq!((answer.status, shared_with(&answer)), (401, Some(ORIGIN)), "{path}");
        let read = answer.header("access-control-expose-headers").expect("what may be read");
        assert!(read.contains("www-authenticate") && read.contains("x-request-id"), "{read}");
    }
    for path in ["/api/v1/oauth/token/", "/api/v1/oauth/revoke_token/", "/oauth2/revoke", "/oauth2/par"] {
        assert_eq!(shared_with(&ask(Method::POST, path).form(&[]).send()), Some(ORIGIN), "{path}");
    }
    let too_large =
        ask(Method::POST, RFC_TOKEN).body("application/x-www-form-urlencoded", vec![b'a'; 1 << 20]);
    let too_large = too_large.send();
    assert_eq!((too_large.status, shared_with(&too_large)), (413, Some(ORIGIN)));
}

#[test]
fn s_06_a_browser_that_looks_first_is_told_what_may_be_sent() {
    let (server, _) = scene();
    for (path, method) in [(RFC_TOKEN, "POST"), ("/oauth2/userinfo", "GET"), ("/api/v1/oauth/token/", "POST")]
    {
        let answer = preflight(&server, path, method, ORIGIN);
        assert_eq!((answer.status, shared_with(&answer)), (204, Some(ORIGIN)), "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), Some(method));
        let headers = answer.header("access-control-allow-headers").expect("what may be sent");
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    // What is not taken there, or is no endpoint.
    for (path, method) in
        [(RFC_TOKEN, "GET"), (RFC_TOKEN, "DELETE"), ("/nothing", "GET"), ("/oauth2/authorize", "GET")]
    {
        let answer = preflight(&server, path, method, ORIGIN);
        assert!(matches!(answer.status, 404 | 405), "{path}: {answer:?}");
        assert_eq!(cors(&answer), [], "{path}");
    }
}

#[test]
fn s_06_nobody_else_reads_anything() {
    let (server, _) = scene();
    let strangers = [
        "https://evil.example",
        "http://spa.example",
        "https://spa.example:444",
        "https://spa.example.evil.example",
        "https://sub.spa.example",
        "https://SPA.example",
        "https://spa.example/",
        "null",
        "*",
        "",
        // A confidential client has a server that asks.
        REDIRECT_URI.strip_suffix("/cb").expect("the application's origin"),
    ];
    for origin in strangers {
        for path in [METADATA, JWKS, "/oauth2/userinfo"] {
            let answer = server.http().get(path).header("origin", origin).send();
            assert_eq!(cors(&answer), [], "{origin:?} {path}");
        }
        let answer = preflight(&server, RFC_TOKEN, "POST", origin);
        assert_eq!((answer.status, cors(&answer)), (405, vec![]), "{origin:?}");
    }
    let twice = server.http().get(JWKS).header("origin", ORIGIN).header("origin", "https://evil.example");
    assert_eq!(cors(&twice.send()), []);
    assert_eq!(cors(&server.http().get(JWKS).send()), [], "no page asks");
}

#[test]
fn s_06_pages_are_shared_with_nobody() {
    let (server, spa) = scene();
    let authorize = AuthorizationRequest::of(&spa).with("redirect_uri", CALLBACK).path();
    for path in [
        &*authorize,
        "/sessions",
        "/oauth2/logout",
        "/forward-auth",
        "/healthz",
        "/readyz",
        "/oauth2/register",
    ] {
        let answer = server.http().get(path).header("origin", ORIGIN).send();
        assert_eq!(cors(&answer), [], "{path}");
        assert_eq!(cors(&preflight(&server, path, "GET", ORIGIN)), [], "{path}");
    }
}

#[test]
fn what_a_cache_keeps_does_not_depend_on_who_asked_first() {
    let (server, _) = scene();
    let answer = server.http().get(JWKS).send().expect(200);
    assert!(answer.header("cache-control").is_some_and(|kept| kept.starts_with("public")), "{answer:?}");
    assert_eq!(answer.header("vary"), Some("origin"));
    for path in [METADATA, "/.well-known/openid-configuration", "/api/v1/oauth/.well-known/keys/"] {
        let answer = server.http().get(path).send().expect(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[test]
fn s_43_pages_of_a_client_that_is_disabled_read_nothing_from_then_on() {
    let (server, spa) = scene();
    let reads = || shared_with(&server.http().get(JWKS).header("origin", ORIGIN).send()).is_some();
    assert!(reads());
    server.run(&["client", "disable", &spa.id]).exits(0);
    assert!(!reads());
    server.run(&["client", "enable", &spa.id]).exits(0);
    assert!(reads());
    server.run(&["client", "set", &spa.id, "--redirect-uri", "https://moved.example/callback"]).exits(0);
    assert!(!reads());
}
