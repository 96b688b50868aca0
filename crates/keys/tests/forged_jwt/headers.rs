//! Headers that ask for something.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use obol_token::{Algorithm, KeyKind};
use serde_json::Value;

use crate::Row;
use crate::house::{House, decoded, encoded, new_key, parts, payload, signed};

pub(crate) fn rows(house: &House) -> Vec<Row> {
    let rows = [unsigned(house), keyed_with_what_is_public(house), kids(house), members(house), types(house)];
    rows.concat()
}

fn unsigned(house: &House) -> Vec<Row> {
    let [_, payload, signature] = parts(house.genuine(Algorithm::Es256));
    let mut rows = Vec::new();
    for algorithm in ["none", "None", "nOnE", "NONE", "", " none"] {
        for (kind, header) in [
            ("bare", header(algorithm, "", "at+jwt")),
            ("with kid", header(algorithm, &kid(house), "at+jwt")),
        ] {
            let token = format!("{}.{payload}", encoded(header));
            rows.push((format!("alg {algorithm:?} {kind}, no signature"), format!("{token}.")));
            rows.push((format!("alg {algorithm:?} {kind}, two parts"), token.clone()));
            rows.push((format!("alg {algorithm:?} {kind}, old signature"), format!("{token}.{signature}")));
        }
    }
    rows
}

/// The public key taken for a secret (RFC 8725 §2.1).
fn keyed_with_what_is_public(house: &House) -> Vec<Row> {
    let jwk = serde_json::to_value(house.key(Algorithm::Es256).jwk()).unwrap();
    let member = |jwk: &Value, name: &str| decoded(jwk[name].as_str().unwrap());
    let point = [&[4][..], &member(&jwk, "x"), &member(&jwk, "y")].concat();
    let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).unwrap();
    let spki: Vec<u8> = parsed.as_der().unwrap().as_ref().to_vec();
    let mut base64 = String::new();
    STANDARD.encode_string(&spki, &mut base64);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
    let jwk_of = |algorithm| serde_json::to_value(house.key(algorithm).jwk()).unwrap();
    let keys = [
        ("the JWK", jwk.to_string().into_bytes()),
        ("the SPKI", spki),
        ("the SPKI in base64", base64.into_bytes()),
        ("the PEM", pem.clone().into_bytes()),
        ("the PEM without its last newline", pem.trim_end().as_bytes().to_vec()),
        ("the point", point.clone()),
        ("the point without its first byte", point[1..].to_vec()),
        ("x", member(&jwk, "x")),
        ("x as it is written", jwk["x"].as_str().unwrap().as_bytes().to_vec()),
        ("kid", kid(house).into_bytes()),
        ("nothing", Vec::new()),
        ("the modulus of the RSA key", member(&jwk_of(Algorithm::Rs256), "n")),
        ("the JWK of the RSA key", jwk_of(Algorithm::Rs256).to_string().into_bytes()),
        ("the Ed25519 key", member(&jwk_of(Algorithm::EdDsa), "x")),
    ];
    let said = encoded(payload(house.genuine(Algorithm::Es256)));
    let mut rows = Vec::new();
    for (what, secret) in keys {
        for (name, algorithm) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            let message = format!("{}.{said}", encoded(header(name, &kid(house), "at+jwt")));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), message.as_bytes());
            rows.push((format!("{name} keyed with {what}"), format!("{message}.{}", encoded(tag.as_ref()))));
        }
        // The header stays, and who reads it takes the key for a secret.
        let message = format!("{}.{said}", parts(house.genuine(Algorithm::Es256))[0]);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &secret), message.as_bytes());
        let name = format!("a MAC with {what} for an ES256 signature");
        rows.push((name, format!("{message}.{}", encoded(tag.as_ref()))));
    }
    rows
}

fn kids(house: &House) -> Vec<Row> {
    let unknown = new_key(KeyKind::EcP256);
    let rsa = house.key(Algorithm::Rs256).kid().to_owned();
    let short = kid(house)[..42].to_owned();
    let mut rows = well_signed(
        house,
        "kid",
        &[
            ("of another key", header("ES256", &rsa, "at+jwt")),
            ("unknown", header("ES256", unknown.kid(), "at+jwt")),
            ("empty", header("ES256", "", "at+jwt")),
            ("missing", r#"{"alg":"ES256","typ":"at+jwt"}"#.to_owned()),
            ("null", r#"{"alg":"ES256","kid":null,"typ":"at+jwt"}"#.to_owned()),
            ("a list", format!(r#"{{"alg":"ES256","kid":["{}"],"typ":"at+jwt"}}"#, kid(house))),
            ("a path", header("ES256", "../../../../dev/null", "at+jwt")),
            ("a statement", header("ES256", "' OR 1=1 --", "at+jwt")),
            ("cut", header("ES256", &short, "at+jwt")),
            ("in capitals", header("ES256", &kid(house).to_uppercase(), "at+jwt")),
            ("with a newline", header("ES256", &format!("{}\\n", kid(house)), "at+jwt")),
        ],
    );
    let said = payload(house.genuine(Algorithm::Es256));
    let by_unknown =
        |kid: &str| signed(&unknown, Algorithm::Es256, &header("ES256", kid, "at+jwt"), said.as_bytes());
    rows.push(("kid unknown, of the key that signs".into(), by_unknown(unknown.kid())));
    rows.push(("kid ours, signed with another key".into(), by_unknown(&kid(house))));
    rows
}

fn members(house: &House) -> Vec<Row> {
    let kid = kid(house);
    let with = |member: &str| format!(r#"{{"alg":"ES256",{member},"kid":"{kid}","typ":"at+jwt"}}"#);
    let attacker = new_key(KeyKind::EcP256);
    let jwk = serde_json::to_string(attacker.jwk()).unwrap();
    let mut rows = well_signed(
        house,
        "header",
        &[
            ("with jku", with(r#""jku":"https://evil.example/jwks""#)),
            ("with jwk", with(&format!(r#""jwk":{jwk}"#))),
            ("with x5u", with(r#""x5u":"https://evil.example/cert""#)),
            ("with x5c", with(r#""x5c":["MIIB"]"#)),
            ("with x5t", with(r#""x5t":"AAAA""#)),
            ("with crit", with(r#""crit":["exp"]"#)),
            ("with empty crit", with(r#""crit":[]"#)),
            ("with b64", with(r#""b64":false"#)),
            ("with b64 and crit", with(r#""b64":false,"crit":["b64"]"#)),
            ("with zip", with(r#""zip":"DEF""#)),
            ("with cty", with(r#""cty":"JWT""#)),
            ("with enc", with(r#""enc":"A256GCM""#)),
            ("with iss", with(r#""iss":"https://a""#)),
            (
                "with alg twice, none first",
                format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#),
            ),
            ("with alg twice, none last", with(r#""alg":"none""#)),
            ("with kid twice", with(r#""kid":"x""#)),
            ("with typ twice", with(r#""typ":"JWT""#)),
            ("with a blank", format!(r#"{{"alg": "ES256","kid":"{kid}","typ":"at+jwt"}}"#)),
            ("after a blank", format!(r#" {{"alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#)),
            ("before a newline", format!("{{\"alg\":\"ES256\",\"kid\":\"{kid}\",\"typ\":\"at+jwt\"}}\n")),
            ("in another order", format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#)),
            ("with an escape", format!(r#"{{"alg":"E\u0053256","kid":"{kid}","typ":"at+jwt"}}"#)),
            ("after a byte order mark", format!("\u{feff}{}", header("ES256", &kid, "at+jwt"))),
            ("in a list", format!("[{}]", header("ES256", &kid, "at+jwt"))),
            ("empty", String::new()),
            ("of an empty object", "{}".to_owned()),
            ("null", "null".to_owned()),
            ("cut", header("ES256", &kid, "at+jwt")[..60].to_owned()),
        ],
    );
    let own_key = format!(r#"{{"alg":"ES256","jwk":{jwk},"typ":"at+jwt"}}"#);
    let said = payload(house.genuine(Algorithm::Es256));
    let brought = signed(&attacker, Algorithm::Es256, &own_key, said.as_bytes());
    rows.push(("signed with the key that the header brings".into(), brought));
    rows
}

fn types(house: &House) -> Vec<Row> {
    let kid = kid(house);
    let names = [
        "JWT",
        "jwt",
        "at+JWT",
        "AT+JWT",
        "application/at+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "JOSE",
        "at+jwt ",
        "",
    ];
    let mut types: Vec<_> = names.map(|typ| (typ, header("ES256", &kid, typ))).to_vec();
    types.push(("missing", format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#)));
    types.push(("null", format!(r#"{{"alg":"ES256","kid":"{kid}","typ":null}}"#)));
    well_signed(house, "typ", &types)
}

/// The payload of a genuine token under each of these headers, signed anew with the right key.
fn well_signed(house: &House, what: &str, headers: &[(&str, String)]) -> Vec<Row> {
    let said = payload(house.genuine(Algorithm::Es256));
    let key = house.key(Algorithm::Es256);
    let token = |header: &str| signed(key, Algorithm::Es256, header, said.as_bytes());
    headers.iter().map(|(name, header)| (format!("{what} {name}"), token(header))).collect()
}

fn header(algorithm: &str, kid: &str, typ: &str) -> String {
    format!(r#"{{"alg":"{algorithm}","kid":"{kid}","typ":"{typ}"}}"#)
}

fn kid(house: &House) -> String {
    house.key(Algorithm::Es256).kid().to_owned()
}
