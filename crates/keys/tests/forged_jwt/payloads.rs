//! Payloads that say something else, each well signed.

use obol_token::{Algorithm, CredentialKind, from_text, seal, seal_bytes, to_text};

use crate::Row;
use crate::house::{House, claims, decoded, encoded, parts, payload, said, signed};

pub(crate) fn rows(house: &House) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, said) in [changed(house), moved(house)].concat() {
        rows.push((format!("{name}, signed anew"), resigned(house, &said)));
        let [header, _, signature] = parts(house.genuine(Algorithm::Es256));
        let old = format!("{header}.{}.{signature}", encoded(&said));
        rows.push((format!("{name}, with the old signature"), old));
    }
    rows.extend(id_tokens(house));
    rows
}

/// What others would read is changed; the sealed claims are not.
fn changed(house: &House) -> Vec<Row> {
    let genuine = payload(house.genuine(Algorithm::Es256));
    let replaced = |name: &str, from: &str, to: &str| (name.to_owned(), genuine.replacen(from, to, 1));
    vec![
        replaced("a later exp", "1800003600", "1900003600"),
        replaced("another sub", r#""sub":"alice""#, r#""sub":"admin""#),
        replaced("another aud", r#""aud":"https://a""#, r#""aud":"https://b""#),
        replaced("another iss", r#""iss":"https://a""#, r#""iss":"https://b""#),
        replaced("another client", r#""client_id":"fcare""#, r#""client_id":"other""#),
        replaced("a greater scope", "read write", "read write admin"),
        replaced("a second exp", "{", r#"{"exp":1900003600,"#),
        replaced("a blank more", "{", "{ "),
        ("a newline at the end".to_owned(), format!("{genuine}\n")),
        ("a blank before the end".to_owned(), genuine.replace("\"}", "\" }")),
        ("a member after the sealed claims".to_owned(), genuine.replace("\"}", "\",\"exp\":1}")),
        ("nothing".to_owned(), String::new()),
        ("null".to_owned(), "null".to_owned()),
        ("an empty object".to_owned(), "{}".to_owned()),
    ]
}

/// Other sealed claims, or those of ours elsewhere.
fn moved(house: &House) -> Vec<Row> {
    let genuine = payload(house.genuine(Algorithm::Es256));
    let (before, sealed) = genuine.rsplit_once(":\"").unwrap();
    let sealed = sealed.strip_suffix("\"}").unwrap();
    let with = |name: &str, sealed: &str| (name.to_owned(), format!("{before}:\"{sealed}\"}}"));
    let other = payload(&house.issue(Algorithm::Es256, 2));
    let other = other.rsplit('"').nth(1).unwrap();
    let mut plain = Vec::new();
    claims(1).encode(&mut plain).unwrap();
    let key = house.sealing.current().unwrap();
    let unbound = seal_bytes(CredentialKind::SignedClaims, plain, key, [7; 12]).unwrap();
    let opaque = seal(&claims(1), key, [7; 12]).unwrap();
    let without = said(1);
    vec![
        with("sealed claims of another token", other),
        with("sealed claims of no token", &unbound),
        with("an opaque token for sealed claims", &opaque),
        with("an opaque token relabelled", &relabelled(&opaque, CredentialKind::SignedClaims)),
        with("no sealed claims", ""),
        with("sealed claims with one bit changed", &flipped(sealed)),
        with("sealed claims cut", &sealed[..sealed.len() - 1]),
        with("sealed claims in standard base64", &format!("{sealed}=")),
        ("no member for sealed claims".to_owned(), without.clone()),
        ("sealed claims twice".to_owned(), genuine.replace("\"}", &format!("\",\"obol\":\"{other}\"}}"))),
        ("sealed claims under another name".to_owned(), genuine.replace("\"obol\"", "\"Obol\"")),
        ("sealed claims in a list".to_owned(), format!("{before}:[\"{sealed}\"]}}")),
        (
            "sealed claims moved under other words".to_owned(),
            without.replace("alice", "admin").replace("\"}", &format!("\",\"obol\":\"{sealed}\"}}")),
        ),
    ]
}

fn id_tokens(house: &House) -> Vec<Row> {
    let genuine = payload(house.genuine(Algorithm::Es256));
    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        let key = house.key(algorithm);
        let sign = |payload: &str| key.sign_compact(algorithm, "JWT", payload.as_bytes()).unwrap();
        let name = algorithm.name();
        rows.push((format!("an ID token of ours, {name}"), sign(&said(1))));
        rows.push((format!("an ID token of ours with sealed claims, {name}"), sign(&genuine)));
    }
    rows
}

fn resigned(house: &House, payload: &str) -> String {
    let header = decoded(parts(house.genuine(Algorithm::Es256))[0]);
    let header = String::from_utf8(header).unwrap();
    signed(house.key(Algorithm::Es256), Algorithm::Es256, &header, payload.as_bytes())
}

/// With a right checksum.
fn flipped(sealed: &str) -> String {
    let mut buffer = [0; 4_096];
    let bytes = from_text(CredentialKind::SignedClaims, sealed, &mut buffer).unwrap();
    bytes[30] ^= 1;
    to_text(CredentialKind::SignedClaims, bytes)
}

/// The same bytes as another kind, with a right checksum.
pub(crate) fn relabelled(text: &str, kind: CredentialKind) -> String {
    let mut buffer = [0; 4_096];
    let bytes = from_text(CredentialKind::claimed_by(text).unwrap(), text, &mut buffer).unwrap();
    to_text(kind, bytes)
}
