//! Assertions that are not good, most of them signed with the right key: whoever forges here may do more than an outsider can.

use aws_lc_rs::rsa::KeySize;
use obol_testkit::{ClientKey, encoded, hs256, now_secs};
use serde_json::{Value, json};

use crate::asserting::{Asserting, CLIENT, ISSUER};

/// A forged assertion, by the name of the attack.
pub(crate) type Row = (String, String);

pub(crate) fn table(house: &Asserting) -> Vec<Row> {
    [headers(house), unsigned_and_keyed(house), other_keys(house), payloads(house), forms(house)].concat()
}

/// Headers that ask for something, or that others read otherwise; each signed with the right key.
fn headers(house: &Asserting) -> Vec<Row> {
    let (kid, attacker) = (house.key.kid(), ClientKey::new("ES256"));
    let with = |member: &str| format!(r#"{{"alg":"ES256","kid":"{kid}",{member}}}"#);
    let rows = [
        ("crit", with(r#""crit":["exp"]"#)),
        ("empty crit", with(r#""crit":[]"#)),
        ("b64 and crit", with(r#""b64":false,"crit":["b64"]"#)),
        ("alg twice, none first", format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}"}}"#)),
        ("alg twice, none last", with(r#""alg":"none""#)),
        ("kid twice", with(r#""kid":"x""#)),
        ("typ twice", with(r#""typ":"JWT","typ":"JWT""#)),
        ("no alg", format!(r#"{{"kid":"{kid}"}}"#)),
        ("alg null", format!(r#"{{"alg":null,"kid":"{kid}"}}"#)),
        ("alg a list", format!(r#"{{"alg":["ES256"],"kid":"{kid}"}}"#)),
        ("alg in small letters", format!(r#"{{"alg":"es256","kid":"{kid}"}}"#)),
        ("alg ES384", format!(r#"{{"alg":"ES384","kid":"{kid}"}}"#)),
        ("alg ES256K", format!(r#"{{"alg":"ES256K","kid":"{kid}"}}"#)),
        ("alg RS256 of an EC key", format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#)),
        ("alg EdDSA of an EC key", format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#)),
        ("kid unknown", r#"{"alg":"ES256","kid":"unknown"}"#.to_owned()),
        ("kid empty", r#"{"alg":"ES256","kid":""}"#.to_owned()),
        ("kid null", r#"{"alg":"ES256","kid":null}"#.to_owned()),
        ("kid a list", format!(r#"{{"alg":"ES256","kid":["{kid}"]}}"#)),
        ("kid a path", r#"{"alg":"ES256","kid":"../../dev/null"}"#.to_owned()),
        ("typ at+jwt", with(r#""typ":"at+jwt""#)),
        ("typ logout+jwt", with(r#""typ":"logout+jwt""#)),
        ("typ oauth-authz-req+jwt", with(r#""typ":"oauth-authz-req+jwt""#)),
        ("typ dpop+jwt", with(r#""typ":"dpop+jwt""#)),
        ("typ application/at+jwt", with(r#""typ":"application/at+jwt""#)),
        ("typ a number", with(r#""typ":1"#)),
        ("in a list", format!("[{}]", with(r#""typ":"JWT""#))),
        ("null", "null".to_owned()),
        ("empty", String::new()),
        ("cut", with(r#""typ":"JWT""#)[..30].to_owned()),
        ("after a byte order mark", format!("\u{feff}{}", with(r#""typ":"JWT""#))),
    ];
    let said = house.claims().to_string();
    let mut rows: Vec<Row> =
        rows.map(|(name, header)| (format!("header: {name}"), house.key.sign(&header, &said))).to_vec();
    // The key that the header brings, or says where to find, is not looked at.
    let jwk = attacker.jwk();
    for (name, member) in [
        ("jwk", format!(r#""jwk":{jwk}"#)),
        ("jku", r#""jku":"https://evil.example/jwks""#.to_owned()),
        ("x5u", r#""x5u":"https://evil.example/cert""#.to_owned()),
    ] {
        let token = attacker.sign(&with(&member), &house.claims().to_string());
        rows.push((format!("another key, brought by {name}"), token));
    }
    rows
}

/// Not signed at all, or with what is public taken for a secret (RFC 8725 §2.1).
fn unsigned_and_keyed(house: &Asserting) -> Vec<Row> {
    let (kid, said) = (house.key.kid(), house.claims().to_string());
    let mut rows = Vec::new();
    for algorithm in ["none", "None", "nOnE", "NONE", ""] {
        let header = json!({ "alg": algorithm, "kid": kid }).to_string();
        let message = format!("{}.{}", encoded(header), encoded(&said));
        let genuine = house.assertion();
        let (_, signature) = genuine.rsplit_once('.').unwrap();
        rows.push((format!("alg {algorithm:?}, no signature"), format!("{message}.")));
        rows.push((format!("alg {algorithm:?}, two parts"), message.clone()));
        rows.push((format!("alg {algorithm:?}, another's signature"), format!("{message}.{signature}")));
    }
    let jwk = house.key.jwk();
    let header = json!({ "alg": "HS256", "kid": kid }).to_string();
    for (name, secret) in [
        ("the JWK", jwk.to_string()),
        ("the key set", house.key.jwks().to_string()),
        ("x", jwk["x"].as_str().unwrap().to_owned()),
        ("kid", kid.to_owned()),
        ("the client_id", CLIENT.to_owned()),
        ("nothing", String::new()),
    ] {
        rows.push((format!("HS256 keyed with {name}"), hs256(secret.as_bytes(), &header, &said)));
    }
    rows
}

/// Signed with a key that is not the client's.
fn other_keys(house: &Asserting) -> Vec<Row> {
    let said = || house.claims().to_string();
    let mut rows = Vec::new();
    for algorithm in ClientKey::ALGORITHMS {
        let attacker = ClientKey::new(algorithm);
        let as_ours = json!({ "alg": algorithm, "kid": house.key.kid() }).to_string();
        rows.push((format!("{algorithm}, another key under our kid"), attacker.sign(&as_ours, &said())));
        rows.push((format!("{algorithm}, another key"), attacker.jwt(&house.claims())));
        let bare = json!({ "alg": algorithm }).to_string();
        rows.push((format!("{algorithm}, another key without kid"), attacker.sign(&bare, &said())));
    }
    let short = ClientKey::rsa("RS256", KeySize::Rsa2048);
    rows.push(("RS256 under ES256".to_owned(), short.sign(&house.key.header().to_string(), &said())));
    rows
}

/// What is signed well and says the wrong thing.
fn payloads(house: &Asserting) -> Vec<Row> {
    let now = now_secs();
    let changed = |name: &str, value: Value| {
        let mut claims = house.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        (format!("{name}: {}", claims[name]), house.key.jwt(&claims))
    };
    let mut rows = Vec::new();
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        rows.push(changed(name, Value::Null));
        rows.push(changed(name, json!(true)));
        rows.push(changed(name, json!([])));
        rows.push(changed(name, json!({})));
    }
    for name in ["iss", "sub"] {
        for value in [json!("other"), json!(""), json!("SERVICE"), json!([CLIENT]), json!("service ")] {
            rows.push(changed(name, value));
        }
    }
    for audience in [
        json!([ISSUER]),
        json!([ISSUER, "https://other.example"]),
        json!(format!("{ISSUER}/")),
        json!(format!("{ISSUER}/oauth2/token")),
        json!(format!("{ISSUER}/api/v1/oauth")),
        json!(ISSUER.to_uppercase()),
        json!("https://other.example"),
        json!(""),
        json!(CLIENT),
    ] {
        rows.push(changed("aud", audience));
    }
    for expiry in [json!(now - 1), json!(now - 3_600), json!(0), json!(-1), json!(now + 900), json!(i64::MAX)]
    {
        rows.push(changed("exp", expiry));
    }
    rows.push(changed("exp", json!((now + 60).to_string())));
    rows.push(changed("exp", json!(1e300)));
    for name in ["iat", "nbf"] {
        for time in [json!(now + 120), json!(now.to_string()), json!([now]), json!(true)] {
            rows.push(changed(name, time));
        }
    }
    for id in [json!(""), json!("x".repeat(257)), json!(7), json!(["x"])] {
        rows.push(changed("jti", id));
    }
    rows.extend(malformed_payloads(house));
    rows
}

fn malformed_payloads(house: &Asserting) -> Vec<Row> {
    let said = house.claims().to_string();
    let twice = |member: &str| said.replacen('{', &format!("{{{member},"), 1);
    let rows = [
        ("sub twice, the other first", twice(r#""sub":"other""#)),
        ("iss twice", twice(r#""iss":"other""#)),
        ("aud twice", twice(r#""aud":"https://other.example""#)),
        ("exp twice", twice(r#""exp":1"#)),
        ("a name twice, written otherwise", twice(r#""\u0073ub":"other""#)),
        ("a list", format!("[{said}]")),
        ("a text", json!(said).to_string()),
        ("null", "null".to_owned()),
        ("empty", String::new()),
        ("cut", said[..said.len() / 2].to_owned()),
        ("with more after it", format!("{said}{said}")),
        ("too deep", format!(r#"{{"x":{}{}}}"#, "[".repeat(2_000), "]".repeat(2_000))),
    ];
    let header = house.key.header().to_string();
    rows.map(|(name, payload)| (format!("payload: {name}"), house.key.sign(&header, &payload))).to_vec()
}

/// Good ones, written in another form.
fn forms(house: &Asserting) -> Vec<Row> {
    let token = || house.assertion();
    let [header, payload, signature] = {
        let token = token();
        <[String; 3]>::try_from(token.split('.').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    };
    let rows = [
        ("after a blank", format!(" {}", token())),
        ("before a newline", format!("{}\n", token())),
        ("with padding", format!("{header}=.{payload}=.{signature}=")),
        ("in quotation marks", format!("\"{}\"", token())),
        ("with a newline inside", format!("{header}.{payload}\n.{signature}")),
        ("with the other alphabet", format!("{header}.{payload}.+/{}", &signature[2..])),
        ("in four parts", format!("{}.{signature}", token())),
        ("in five parts", format!("{header}.{payload}.{signature}.{payload}.{signature}")),
        ("without its header", format!(".{payload}.{signature}")),
        ("without its payload", format!("{header}..{signature}")),
        ("without a signature", format!("{header}.{payload}")),
        ("with an empty signature", format!("{header}.{payload}.")),
        ("with a cut signature", format!("{header}.{payload}.{}", &signature[..40])),
        ("with a longer signature", format!("{header}.{payload}.{signature}AAAA")),
        ("with a signature of zeros", format!("{header}.{payload}.{}", encoded([0; 64]))),
        ("with a signature in DER", format!("{header}.{payload}.{}", encoded([0x30, 6, 2, 1, 1, 2, 1, 1]))),
        ("of another payload", format!("{header}.{}.{signature}", encoded(house.claims().to_string()))),
        ("as JSON", json!({ "protected": header, "payload": payload, "signature": signature }).to_string()),
        ("too long", format!("{}{}", token(), "A".repeat(9_000))),
        ("not a JWT", "secret".to_owned()),
        ("dots", "..".to_owned()),
    ];
    rows.map(|(name, token)| (format!("form: {name}"), token)).to_vec()
}
