//! `/forward-auth`: what a gateway asks before it lets a request through.

#[path = "forward_auth/browsers.rs"]
mod browsers;
#[path = "forward_auth/nginx.rs"]
mod nginx;

use http::Method;
use obol_testkit::{ALICE, Answer, ClientSpec, House, PASSWORD, Request, Server, obol};

const PATH: &str = "/forward-auth";
const API: &str = "https://api.example/v1";

/// What an answer tells of who it is, in this order.
const IDENTITY: [&str; 5] =
    ["x-auth-subject", "x-auth-username", "x-auth-client", "x-auth-scope", "x-auth-expires"];

#[track_caller]
fn identity(answer: &Answer) -> [String; 5] {
    IDENTITY.map(|name| {
        answer.header(name).unwrap_or_else(|| panic!("{name} is not there: {answer:?}")).to_owned()
    })
}

/// Nobody is told of, and every field is there all the same.
#[track_caller]
fn expect_nobody(answer: &Answer) {
    assert_eq!(identity(answer), [(); 5].map(|()| String::new()), "{answer:?}");
}

fn ask(server: &Server, query: &str) -> Request {
    server.http().get(&format!("{PATH}{query}"))
}

#[test]
fn who_bears_a_token_that_stands_is_told_to_the_gateway() {
    let House { server, fcare, gateway } = obol!().house();
    let person = server.rfc_token_by_password(&fcare, ALICE, PASSWORD).access;
    let service = server.token_by_client_credentials(&gateway).access;
    for (token, needed) in [(&person, ""), (&person, "?scope=read"), (&service, "?client_id=gateway")] {
        let said = server.introspect(&gateway, token).expect(200).json();
        let text = |name: &str| match &said[name] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let answer = ask(&server, needed).bearer(token).send().expect(200);
        assert_eq!(identity(&answer), ["sub", "username", "client_id", "scope", "exp"].map(text));
        assert_eq!((answer.header("cache-control"), &answer.body[..]), (Some("no-store"), &b""[..]));
        assert_eq!(answer.header("x-auth-redirect"), Some(""));
    }
}

#[test]
fn every_method_is_answered_alike_with_and_without_a_final_slash() {
    let House { server, gateway, .. } = obol!().house();
    let token = server.token_by_client_credentials(&gateway).access;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X"] {
        for path in [PATH, "/forward-auth/", "/forward-auth/for/any/a/b", "/forward-auth/for/any"] {
            let ask = || server.http().request(Method::from_bytes(method.as_bytes()).unwrap(), path);
            let answer = ask().bearer(&token).send().expect(200);
            assert_eq!(identity(&answer)[2], "gateway", "{method} {path}");
            let body = ask().bearer(&token).body("application/json", "{").send().expect(200);
            assert_eq!(identity(&body), identity(&answer), "{method} {path}");
            expect_nobody(&ask().bearer("unknown").send().expect(401));
        }
    }
    for path in ["/forward-auth//", "/forward-auth/x", "/forward-auth/for/", "/forward-auth/for//a"] {
        server.http().get(path).bearer(&token).send().expect(404);
    }
}

#[test]
fn a_gateway_may_ask_below_the_path_of_the_issuer() {
    let House { server, gateway, .. } =
        obol!().house_with(|server| server.option("--issuer", "http://localhost/tenant"));
    let token = server.token_by_client_credentials(&gateway).access;
    for (path, status) in [("", 200), ("?scope=admin", 403), ("/for/any/a", 200), ("/for/scope=admin/a", 403)]
    {
        for base in ["", "/tenant"] {
            let asked = server.http().get(&format!("{base}{PATH}{path}"));
            asked.bearer(&token).send().expect(status);
        }
    }
    server.http().get(&format!("/tenant/tenant{PATH}")).bearer(&token).send().expect(404);
}

#[test]
fn what_a_client_says_of_itself_is_never_echoed() {
    let House { server, gateway, .. } = obol!().house();
    let token = server.token_by_client_credentials(&gateway).access;
    let hostile = |request: Request| {
        let names = IDENTITY.iter().chain(["x-auth-redirect", "X-AUTH-SUBJECT", "x_auth_subject"].iter());
        names.fold(request, |request, name| request.header(name, "root-of-all"))
    };
    let browser = || ask(&server, "").header("accept", "text/html");
    for (request, status) in [
        (ask(&server, "").bearer(&token), 200),
        (ask(&server, "?scope=admin").bearer(&token), 403),
        (ask(&server, "?scope=").bearer(&token), 400),
        (ask(&server, "").bearer("x"), 401),
        (ask(&server, ""), 401),
        (browser(), 401),
    ] {
        let answer = hostile(request).send().expect(status);
        assert!(!format!("{answer:?}").contains("root-of-all"), "{answer:?}");
        match status {
            200 => assert_eq!(identity(&answer)[2], "gateway"),
            _ => expect_nobody(&answer),
        }
    }
}

#[test]
fn rfc6750_3_refusals_say_why_and_what_is_needed() {
    let House { server, gateway, .. } =
        obol!().house_with(|server| server.option("--protected-resources", API));
    let token = server.token_by_client_credentials(&gateway).access;
    let metadata = "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/v1\"";
    let for_api = "?audience=https%3A%2F%2Fapi.example%2Fv1";
    for (query, credential, status, challenge) in [
        ("", None, 401, "Bearer".to_owned()),
        ("?scope=read", None, 401, "Bearer scope=\"read\"".to_owned()),
        (for_api, None, 401, format!("Bearer {metadata}")),
        ("", Some("Bearer x"), 401, "Bearer error=\"invalid_token\"".to_owned()),
        ("", Some("Basic eDp4"), 401, "Bearer".to_owned()),
        ("", Some("Bearer"), 401, "Bearer".to_owned()),
        ("", Some(&*format!("Bearer {token} x")), 401, "Bearer".to_owned()),
        (
            "?client_id=fcare",
            Some(&format!("Bearer {token}")),
            401,
            "Bearer error=\"invalid_token\"".to_owned(),
        ),
        (
            for_api,
            Some(&format!("Bearer {token}")),
            401,
            format!("Bearer error=\"invalid_token\", {metadata}"),
        ),
        (
            "?scope=admin+read",
            Some(&format!("bearer {token}")),
            403,
            "Bearer error=\"insufficient_scope\", scope=\"admin read\"".to_owned(),
        ),
    ] {
        let request = ask(&server, query);
        let request = match credential {
            Some(credential) => request.header("authorization", credential),
            None => request,
        };
        let answer = request.send().expect(status);
        assert_eq!(answer.header("www-authenticate"), Some(&*challenge), "{query} {credential:?}");
        assert!(answer.json()["error"].is_string(), "{answer:?}");
        expect_nobody(&answer);
    }
}

#[test]
fn rfc8707_a_token_for_another_resource_is_not_let_through() {
    let builder = obol!().server().alice();
    let spec = ClientSpec::confidential("shop").option("--resource", API).option("--resource", "urn:other");
    let shop = builder.add_client(&spec);
    let server = builder.start();
    let token_for = |resource: &str| {
        let fields = [("grant_type", "client_credentials"), ("resource", resource)];
        server.post_form("/oauth2/token", &shop, &fields).expect(200).text("access_token")
    };
    for (resource, status) in [(API, 200), ("urn:other", 401)] {
        let query = "?audience=https%3A%2F%2Fapi.example%2Fv1&scope=read";
        ask(&server, query).bearer(&token_for(resource)).send().expect(status);
    }
}

#[test]
fn a_slip_in_what_is_needed_closes_the_gateway() {
    let House { server, gateway, .. } = obol!().house();
    let token = server.token_by_client_credentials(&gateway).access;
    for needed in [
        "scopes=read",
        "scope=",
        "scope=read&scope=write",
        "audience=",
        "scope=%22",
        "scope=%20",
        "x",
        "scope=%zz",
    ] {
        for path in [format!("{PATH}?{needed}"), format!("/forward-auth/for/{needed}/a")] {
            let answer = server.http().get(&path).bearer(&token).send().expect_error(400, "invalid_request");
            expect_nobody(&answer);
        }
    }
    ask(&server, "").bearer(&token).bearer(&token).send().expect_error(400, "invalid_request");
}

#[test]
fn behind_envoy_the_clients_own_query_asks_for_nothing_less() {
    let House { server, gateway, .. } = obol!().house();
    let token = server.token_by_client_credentials(&gateway).access;
    for (rest, status) in [
        ("for/scope=admin/a", 403),
        ("for/scope=admin/a?scope=read", 403),
        ("for/scope=admin", 403),
        ("for/scope=admin/../any/a", 403),
        ("for/scope=read%20write/a?scope=admin&x=%zz", 200),
        ("for/client_id=gateway&scope=read/", 200),
    ] {
        server.http().get(&format!("{PATH}/{rest}")).bearer(&token).send().expect(status);
    }
}

#[test]
fn what_is_revoked_is_not_let_through_any_more() {
    let House { server, fcare, gateway } = obol!().house();
    let passes = |token: &str| ask(&server, "").bearer(token).send().status;
    let tokens = || server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    let (one, two) = (tokens(), tokens());
    server.rfc_revoke(&fcare, &one.access).expect(200);
    assert_eq!([passes(&one.access), passes(&two.access)], [401, 200]);
    server.rfc_revoke(&fcare, two.refresh()).expect(200);
    assert_eq!(passes(&two.access), 401);
    let three = tokens();
    server.run(&["revoke", "--user", ALICE, "--yes"]).exits(0);
    assert_eq!(passes(&three.access), 401);
    let service = server.token_by_client_credentials(&gateway).access;
    assert_eq!(passes(&service), 200);
    server.run(&["client", "disable", "gateway"]).exits(0);
    assert_eq!(passes(&service), 401);
}

#[test]
fn a_refresh_token_lets_nobody_through() {
    let House { server, fcare, .. } = obol!().house();
    let tokens = server.rfc_token_by_password(&fcare, ALICE, PASSWORD);
    ask(&server, "").bearer(tokens.refresh()).send().expect(401);
}
