//! People with browsers at a gateway.

use obol_testkit::{ALICE, Answer, Person, Request, Server, obol};

use crate::{PATH, expect_nobody, identity};

/// The address of the gateways, all trusted.
const PROXY: [u8; 4] = [127, 0, 0, 1];
const APP: &str = "app.example:8443";
const OTHER: &str = "other.example";

/// Behind gateways for two applications.
fn server() -> Server {
    let server = obol!().server().alice().option("--behind-proxy", "127.0.0.1");
    server.option("--forward-auth-hosts", APP).option("--forward-auth-hosts", OTHER).start()
}

/// How a gateway says for what it asks.
#[derive(Debug, Clone, Copy)]
enum Style {
    Nginx,
    Traefik,
    Envoy,
}

const STYLES: [Style; 3] = [Style::Nginx, Style::Traefik, Style::Envoy];

/// A gateway's question about a browser that goes to `uri` at `host`, and holds these cookies.
fn asked(server: &Server, style: Style, host: &str, uri: &str, cookies: &str) -> Request {
    let http = server.http().from(PROXY);
    let request = match style {
        Style::Nginx => http.get(PATH).header("x-original-url", &format!("http://{host}{uri}")),
        Style::Traefik => {
            let request =
                http.get(PATH).header("x-forwarded-proto", "http").header("x-forwarded-method", "GET");
            request.header("x-forwarded-host", host).header("x-forwarded-uri", uri)
        }
        Style::Envoy => {
            http.at_host(host).get(&format!("{PATH}/for/any{uri}")).header("x-forwarded-proto", "http")
        }
    };
    let request = request.header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    if cookies.is_empty() { request } else { request.header("cookie", cookies) }
}

/// Where the gateway is told to send the browser.
#[track_caller]
fn sent_to(style: Style, answer: &Answer) -> String {
    expect_nobody(answer);
    let redirect = answer.header("x-auth-redirect").filter(|url| !url.is_empty());
    match style {
        Style::Nginx => assert_eq!((answer.status, answer.header("location")), (401, None), "{answer:?}"),
        Style::Traefik | Style::Envoy => {
            assert_eq!((answer.status, answer.header("location")), (302, redirect), "{answer:?}");
        }
    }
    redirect.unwrap_or_else(|| panic!("it is sent nowhere: {answer:?}")).to_owned()
}

/// The cookie that an answer sets, as the browser sends it.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    assert!(set.contains("; HttpOnly; SameSite=Lax") && !set.contains("Domain"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

/// The path on our server of a URL that the browser is sent to.
fn here<'a>(server: &Server, url: &'a str) -> &'a str {
    url.strip_prefix(server.url()).unwrap_or_else(|| panic!("not to us: {url}"))
}

/// The address to which a person comes back who signs in for `uri` at `host`, and what the browser holds there.
#[track_caller]
fn comes_back(server: &Server, person: &mut Person, style: Style, host: &str, uri: &str) -> (String, String) {
    let first = asked(server, style, host, uri, "").send();
    let shown = person.opens(here(server, &sent_to(style, &first))).sign_in();
    let back = person.signs_in(&shown).returns();
    let separator = if uri.contains('?') { '&' } else { '?' };
    let (path, _) = uri.split_once('?').unwrap_or((uri, ""));
    assert_eq!(back.uri, format!("http://{host}{path}"));
    (format!("{uri}{separator}obol_handover={}", back.get("obol_handover").unwrap()), cookie(&first))
}

/// What the browser holds at the host after it has come back.
#[track_caller]
fn enters(server: &Server, person: &mut Person, style: Style, host: &str, uri: &str) -> String {
    let (back, browser) = comes_back(server, person, style, host, uri);
    let entered = asked(server, style, host, &back, &browser).send();
    assert_eq!(sent_to(style, &entered), format!("http://{host}{uri}"));
    format!("{browser}; {}", cookie(&entered))
}

#[test]
fn a_person_signs_in_and_is_let_through_at_each_kind_of_gateway_until_signing_out() {
    let server = server();
    let subject = server.run(&["user", "show", ALICE, "--json"]).exits(0).json()["subject"].clone();
    for style in STYLES {
        let mut person = server.person();
        let held = enters(&server, &mut person, style, APP, "/a/b?c=d&e=%20");
        let answer = asked(&server, style, APP, "/anything", &held).send().expect(200);
        let [found, username, client, scope, expires] = identity(&answer);
        assert_eq!([found.as_str(), &username, &client, &scope], [subject.as_str().unwrap(), ALICE, "", ""]);
        assert!(expires.parse::<i64>().is_ok_and(|at| at > 1_700_000_000), "{expires}");
        // What is no browser's way to somewhere is let through with the cookie as well.
        asked(&server, style, APP, "/data", &held).header("x-requested-with", "x").send().expect(200);
        let page = person.browser().open("/sessions");
        person.browser().send(&page.form("/sign-out"), &[]);
        let ended = asked(&server, style, APP, "/anything", &held).send();
        sent_to(style, &ended);
        assert_eq!(ended.header("set-cookie"), None, "it holds one that binds it already");
    }
}

#[test]
fn who_is_signed_in_is_not_asked_again_at_the_next_host() {
    let server = server();
    let mut person = server.person();
    enters(&server, &mut person, Style::Traefik, APP, "/");
    let first = asked(&server, Style::Traefik, OTHER, "/x", "").send();
    let back = person.opens(here(&server, &sent_to(Style::Traefik, &first))).returns();
    let uri = format!("/x?obol_handover={}", back.get("obol_handover").unwrap());
    let entered = asked(&server, Style::Traefik, OTHER, &uri, &cookie(&first)).send();
    asked(&server, Style::Traefik, OTHER, "/x", &cookie(&entered)).send().expect(200);
}

#[test]
fn whatever_ends_a_persons_tokens_ends_this_at_once() {
    let server = server();
    for end in [&["revoke", "--user", ALICE, "--yes"][..], &["user", "disable", ALICE]] {
        let held = enters(&server, &mut server.person(), Style::Traefik, APP, "/");
        asked(&server, Style::Traefik, APP, "/", &held).send().expect(200);
        server.run(end).exits(0);
        asked(&server, Style::Traefik, APP, "/", &held).send().expect(302);
    }
}

#[test]
fn a_pass_is_for_its_own_host_and_counts_from_a_proxy_only() {
    let server = server();
    let held = enters(&server, &mut server.person(), Style::Traefik, APP, "/");
    asked(&server, Style::Traefik, APP, "/", &held).send().expect(200);
    asked(&server, Style::Traefik, OTHER, "/", &held).send().expect(302);
    asked(&server, Style::Traefik, "unknown.example", "/", &held).send().expect(401);
    // The client of one gateway adds the field of another kind of gateway.
    let forged = asked(&server, Style::Traefik, OTHER, "/", &held);
    forged.header("x-original-url", &format!("http://{APP}/")).send().expect(401);
    let forged = asked(&server, Style::Traefik, OTHER, "/", &held);
    forged.header("x-forwarded-host", APP).send().expect(401);
    let stranger = server.http().from([127, 0, 0, 2]).get(PATH).header("cookie", &held);
    let stranger = stranger.header("x-forwarded-proto", "http").header("x-forwarded-host", APP);
    expect_nobody(&stranger.header("x-forwarded-uri", "/").header("accept", "text/html").send().expect(401));
}

#[test]
fn a_handover_is_for_the_browser_and_the_address_that_it_was_made_for() {
    let server = server();
    let (back, browser) = comes_back(&server, &mut server.person(), Style::Traefik, APP, "/a");
    let handover = back.split_once('?').unwrap().1;
    let stolen = asked(&server, Style::Traefik, APP, "/a", "").send();
    for (host, uri, bare, cookies) in [
        (APP, back.clone(), "/a", String::new()),
        (APP, back.clone(), "/a", cookie(&stolen)),
        (APP, back.clone(), "/a", format!("{browser}; {browser}")),
        (APP, format!("/b?{handover}"), "/b", browser.clone()),
        (APP, format!("/a?x&{handover}"), "/a?x", browser.clone()),
        (OTHER, back.clone(), "/a", browser.clone()),
    ] {
        // Whoever is signed in already, too: the application never sees it.
        let entered = enters(&server, &mut server.person(), Style::Traefik, host, "/");
        let pass = entered.split_once("; ").unwrap().1;
        for signed_in in [String::new(), format!("; {pass}")] {
            let answer = asked(&server, Style::Traefik, host, &uri, &format!("{cookies}{signed_in}")).send();
            assert_eq!(sent_to(Style::Traefik, &answer), format!("http://{host}{bare}"), "{cookies}");
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    let answer = asked(&server, Style::Traefik, APP, &format!("{back}x"), &browser).send();
    let to = sent_to(Style::Traefik, &answer);
    assert!(to.starts_with(&format!("{}/continue?ticket=", server.url())), "{to}");
    // A handover is no pass, and neither is a ticket.
    let as_pass = format!("obol-gateway={}", handover.split_once('=').unwrap().1);
    asked(&server, Style::Traefik, APP, "/a", &as_pass).send().expect(302);
    let ticket = sent_to(Style::Traefik, &stolen).split_once('=').unwrap().1.to_owned();
    asked(&server, Style::Traefik, APP, "/a", &format!("obol-gateway={ticket}")).send().expect(302);
    let entered = asked(&server, Style::Traefik, APP, &back, &browser).send();
    assert_eq!(sent_to(Style::Traefik, &entered), format!("http://{APP}/a"));
}

#[test]
fn nobody_is_sent_to_a_host_that_is_not_in_the_setting() {
    let server = server();
    let long = format!("/{}", "x".repeat(2_100));
    for (host, uri) in [
        ("evil.example", "/"),
        ("app.example", "/"),
        ("app.example:8443.evil.example", "/"),
        ("evil.example@app.example:8443", "/"),
        ("app.example:8443@evil.example", "/"),
        ("app.example:8443,evil.example", "/"),
        ("", "/"),
        (APP, "//evil.example\\@x"),
        (APP, "x"),
        (APP, &long),
    ] {
        for style in [Style::Nginx, Style::Traefik] {
            let answer = asked(&server, style, host, uri, "").send().expect(401);
            expect_nobody(&answer);
            assert_eq!((answer.header("location"), answer.header("x-auth-redirect")), (None, Some("")));
            assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
        }
    }
    for proto in ["https", "javascript", ""] {
        let request = server.http().from(PROXY).get(PATH).header("accept", "text/html");
        let request = request.header("x-forwarded-proto", proto).header("x-forwarded-host", APP);
        request.header("x-forwarded-uri", "/").send().expect(401);
    }
}

#[test]
fn what_is_no_browser_on_its_way_is_told_401() {
    let server = server();
    let base = || {
        let request = server.http().from(PROXY).get(PATH).header("x-forwarded-proto", "http");
        request.header("x-forwarded-host", APP).header("x-forwarded-uri", "/")
    };
    base().header("accept", "text/html").send().expect(302);
    base().header("accept", "application/json, TEXT/HTML ;q=0.5").send().expect(302);
    for (request, what) in [
        (base(), "no accept"),
        (base().header("accept", "*/*"), "anything"),
        (base().header("accept", "application/json"), "JSON"),
        (base().header("accept", "text/html;q=0, */*"), "not HTML"),
        (base().header("accept", "text/html").header("authorization", "Bearer x"), "a token"),
        (base().header("accept", "text/html").header("authorization", "Basic eDp4"), "a password"),
        (base().header("accept", "text/html").header("x-forwarded-method", "POST"), "a form"),
        (base().header("accept", "text/html").header("x-original-method", "DELETE"), "another method"),
    ] {
        let answer = request.send();
        assert_eq!((answer.status, answer.header("location")), (401, None), "{what}: {answer:?}");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{what}");
    }
    // A session has no scope: signing in would not help.
    let needs = server.http().from(PROXY).get("/forward-auth?scope=read").header("x-forwarded-proto", "http");
    let needs = needs.header("x-forwarded-host", APP).header("x-forwarded-uri", "/");
    needs.header("accept", "text/html").send().expect(401);
    let held = enters(&server, &mut server.person(), Style::Traefik, APP, "/");
    let needs = server.http().from(PROXY).get("/forward-auth?scope=read").header("x-forwarded-proto", "http");
    let needs = needs.header("x-forwarded-host", APP).header("x-forwarded-uri", "/").header("cookie", &held);
    needs.send().expect_error(403, "insufficient_scope");
}

#[test]
fn at_the_issuers_own_host_its_own_cookie_counts() {
    let server = server();
    let mut person = server.person();
    enters(&server, &mut person, Style::Traefik, APP, "/");
    let session = person.browser().cookies()["obol-session"].clone();
    let ask = |cookies: &str| server.http().get(PATH).header("cookie", cookies).send();
    assert_eq!(identity(&ask(&format!("obol-session={session}")).expect(200))[1], ALICE);
    expect_nobody(&ask(&format!("obol-session={session}x")).expect(401));
    expect_nobody(&ask(&format!("obol-session={session}; obol-session={session}")).expect(401));
}
