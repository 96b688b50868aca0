//! The same bytes in other pieces, and the same body in other chunks, mean the same.

use obol_testkit::{Chance, Heard, Then};

use crate::corpus::{Sample, samples};
use crate::endpoints::{ENDPOINTS, Endpoint};
use crate::hunt::{Hunt, RequestBytes};

#[test]
fn split_anywhere_a_request_gets_the_same_answer() {
    let hunt = Hunt::start();
    let mut chance = Chance::seeded("split requests");
    for endpoint in &ENDPOINTS {
        for (name, request) in telling_requests(&hunt, endpoint) {
            let whole = hunt.hear(&name, &[&request], Then::Waits);
            let byte_by_byte: Vec<&[u8]> = request.chunks(1).collect();
            let at_random = pieces(&request, &mut chance);
            for split in [byte_by_byte, at_random] {
                let heard = hunt.hear(&name, &split, Then::Waits);
                assert_eq!(essence(&heard), essence(&whole), "{name} in {} pieces", split.len());
            }
        }
    }
    hunt.finish();
}

#[test]
fn in_chunks_of_any_size_a_body_gets_the_same_answer() {
    let hunt = Hunt::start();
    for endpoint in &ENDPOINTS {
        for Sample { name, bytes } in samples("fuzz/seeds/params") {
            for content_type in ["application/json", "application/x-www-form-urlencoded"] {
                let head = RequestBytes::new(endpoint.method, endpoint.path).content_type(content_type);
                let sized = hunt.hear(&name, &[&head.clone().body(&bytes)], Then::Waits);
                for most in [1, 7, 1_000] {
                    let heard = hunt.hear(&name, &[&head.clone().chunked(&bytes, most)], Then::Waits);
                    assert_eq!(essence(&heard), essence(&sized), "{name} in chunks of {most}");
                }
            }
        }
    }
    hunt.finish();
}

#[test]
fn malformed_requests_split_anywhere_are_met_civilly() {
    let hunt = Hunt::start();
    let mut chance = Chance::seeded("split malformed requests");
    for Sample { name, bytes } in samples("tests/corpus/requests") {
        let request = hunt.filled_in(&bytes, chance.pick(&ENDPOINTS));
        let byte_by_byte: Vec<&[u8]> = request.chunks(1).collect();
        hunt.hear(&name, &byte_by_byte, Then::Ends);
        for _ in 0..4 {
            hunt.hear(&name, &pieces(&request, &mut chance), Then::Ends);
        }
    }
    hunt.finish();
}

#[test]
fn cut_anywhere_a_request_gets_no_success() {
    let hunt = Hunt::start();
    for endpoint in &ENDPOINTS {
        let request = RequestBytes::new(endpoint.method, endpoint.path)
            .content_type("application/x-www-form-urlencoded")
            .authorization(&hunt.basic())
            .body(b"grant_type=client_credentials&token=oba_AAAA");
        // A GET is whole without its body.
        let whole = if endpoint.method == "GET" { request.len() - 44 } else { request.len() };
        for end in (0..whole).step_by(5) {
            let heard = hunt.hear("cut", &[&request[..end]], Then::Ends);
            assert!(heard.status.is_none_or(|status| status >= 400), "cut after {end}: {heard:?}");
        }
    }
    hunt.finish();
}

/// Requests whose answers differ when they are read differently.
fn telling_requests(hunt: &Hunt, endpoint: &Endpoint) -> Vec<(String, Vec<u8>)> {
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    let head = || RequestBytes::new(endpoint.method, endpoint.path);
    let named = |name: &str, bytes: Vec<u8>| (format!("{name} at {}", endpoint.path), bytes);
    vec![
        named("nothing", head().body(b"")),
        named("a form", head().content_type(form).body(b"token=x&client_id=fcare")),
        named("a form in chunks", head().content_type(form).chunked(b"token=x&client_id=fcare", 3)),
        named("JSON", head().content_type(json).body(br#"{"token":"x","client_id":"fcare"}"#)),
        named("malformed JSON", head().content_type(json).body(br#"{"token":"x""#)),
        named("an unknown client", head().content_type(form).body(b"token=x&client_id=nobody")),
        named(
            "a client that is known",
            head().content_type(form).authorization(&hunt.basic()).body(b"token=x"),
        ),
        named("text", head().content_type("text/plain").body(b"token=x&client_id=fcare")),
    ]
}

/// Pieces of a few bytes, the last one larger now and then.
fn pieces<'a>(bytes: &'a [u8], chance: &mut Chance) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(1 + chance.index(23)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// The answer without what differs by nature.
fn essence(heard: &Heard) -> (Option<u16>, String) {
    let text = String::from_utf8_lossy(&heard.bytes);
    let differs = ["date: ", "x-request-id: ", "set-cookie: "];
    let request_id = text.lines().find_map(|line| line.strip_prefix("x-request-id: "));
    let kept: Vec<_> =
        text.lines().filter(|line| !differs.iter().any(|name| line.starts_with(name))).collect();
    // Pages of errors say it, and tickets are sealed anew each time.
    let mut kept = without_tickets(&kept.join("\n").replace(request_id.unwrap_or("none"), ""));
    // In what `/readyz` says, the lease runs.
    if let Some(at) = kept.find(LEASE_LEFT).map(|at| at + LEASE_LEFT.len()) {
        let digits = kept[at..].bytes().take_while(u8::is_ascii_digit).count();
        kept.replace_range(at..at + digits, "");
    }
    (heard.status, kept)
}

fn without_tickets(text: &str) -> String {
    let sealed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let cut = |part: &str| part[part.bytes().take_while(sealed).count()..].to_owned();
    let mut parts = text.split(TICKET);
    let first = parts.next().unwrap_or_default().to_owned();
    std::iter::once(first).chain(parts.map(cut)).collect()
}

const LEASE_LEFT: &str = "\"lease_left_ms\":";

const TICKET: &str = "obt_";
