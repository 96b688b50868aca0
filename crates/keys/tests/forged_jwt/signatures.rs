//! Signatures that are none, of something else, or of another form, under header and payload of a genuine token.

use obol_token::Algorithm;

use crate::Row;
use crate::house::{House, decoded, encoded, new_key, parts};

/// The order of P-256 (SEC 2 §2.4.2), big-endian.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of edwards25519 (RFC 8032 §5.1), little-endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub(crate) fn rows(house: &House) -> Vec<Row> {
    [of_any(house), of_es256(house), of_eddsa(house), of_rsa(house), of_other_keys(house)].concat()
}

fn of_any(house: &House) -> Vec<Row> {
    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        let token = house.genuine(algorithm);
        let signature = decoded(parts(token)[2]);
        let other = house.issue(algorithm, 2);
        let mut flipped = signature.clone();
        flipped[0] ^= 1;
        let of_payload = house.key(algorithm).sign(algorithm, parts(token)[1].as_bytes()).unwrap();
        for (what, signature) in [
            ("empty", Vec::new()),
            ("of another token", decoded(parts(&other)[2])),
            ("cut by a byte", signature[..signature.len() - 1].to_vec()),
            ("cut by half", signature[..signature.len() / 2].to_vec()),
            ("and a byte", [&signature[..], &[0]].concat()),
            ("after a byte", [&[0], &signature[..]].concat()),
            ("with a bit changed", flipped),
            ("of the payload alone", of_payload),
            ("of zeros", vec![0; signature.len()]),
            ("of ones", vec![0xff; signature.len()]),
            ("too long for any key", vec![1; 1_500]),
        ] {
            rows.push((format!("{} signature {what}", algorithm.name()), with(token, &signature)));
        }
    }
    rows
}

fn of_es256(house: &House) -> Vec<Row> {
    let token = house.genuine(Algorithm::Es256);
    let signature = decoded(parts(token)[2]);
    let (r, s) = signature.split_at(32);
    let zero = [0; 32];
    let mut row = Vec::new();
    let mut add = |what: &str, parts: &[&[u8]]| {
        row.push((format!("ES256 signature {what}"), with(token, &parts.concat())));
    };
    add("in DER", &[&der(r, s)]);
    add("with r zero", &[&zero, s]);
    add("with s zero", &[r, &zero]);
    add("with r the order", &[&P256_ORDER, s]);
    add("with s the order", &[r, &P256_ORDER]);
    add("with s the counterpart", &[r, &difference(&P256_ORDER, s)]);
    add("with r the counterpart", &[&difference(&P256_ORDER, r), s]);
    add("with r and s exchanged", &[s, r]);
    add("with wider numbers", &[&[0], r, &[0], s]);
    row
}

fn of_eddsa(house: &House) -> Vec<Row> {
    let token = house.genuine(Algorithm::EdDsa);
    let signature = decoded(parts(token)[2]);
    let (r, s) = signature.split_at(32);
    let zero = [0; 32];
    let mut identity = zero;
    identity[0] = 1;
    let mut order_4 = zero;
    order_4[31] = 0x80;
    let mut negative = identity;
    negative[31] = 0x80;
    let order_2 = {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (0xec, 0x7f);
        point
    };
    let rows = [
        ("with the identity for R and s zero", [&identity, &zero[..]].concat()),
        ("with a point of order 2 for R and s zero", [&order_2, &zero[..]].concat()),
        ("with a point of order 4 for R and s zero", [&zero, &zero[..]].concat()),
        ("with the other point of order 4 for R and s zero", [&order_4, &zero[..]].concat()),
        ("with a negative identity for R and s zero", [&negative, &zero[..]].concat()),
        ("with the order added to s", [r, &sum(s, &ED25519_ORDER)].concat()),
        ("with the order for s", [&identity, &ED25519_ORDER[..]].concat()),
        ("with R and s exchanged", [s, r].concat()),
    ];
    rows.map(|(what, signature)| (format!("EdDSA signature {what}"), with(token, &signature))).to_vec()
}

/// The other padding with the same key, under either header.
fn of_rsa(house: &House) -> Vec<Row> {
    let key = house.key(Algorithm::Rs256);
    let mut rows = Vec::new();
    for (said, done) in [(Algorithm::Rs256, Algorithm::Ps256), (Algorithm::Ps256, Algorithm::Rs256)] {
        let token = house.genuine(said);
        let message = token.rsplit_once('.').unwrap().0;
        let signature = key.sign(done, message.as_bytes()).unwrap();
        rows.push((format!("{} for {}", done.name(), said.name()), with(token, &signature)));
        let relabelled = format!("{}.{}", parts(house.genuine(done))[0], token.split_once('.').unwrap().1);
        rows.push((format!("{} relabelled {}", said.name(), done.name()), relabelled));
    }
    rows
}

fn of_other_keys(house: &House) -> Vec<Row> {
    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        let token = house.genuine(algorithm);
        let message = token.rsplit_once('.').unwrap().0;
        let name = algorithm.name();
        let other = new_key(algorithm.key_kind());
        let by_other = other.sign(algorithm, message.as_bytes()).unwrap();
        rows.push((format!("{name} by a key of nobody"), with(token, &by_other)));
        let retired = house.signing.without(house.key(algorithm).id()).with(other);
        rows.push((format!("{name} by a retired key"), house.issue_with(&retired, algorithm, 1, 1)));
        for of in Algorithm::ALL.into_iter().filter(|of| of.key_kind() != algorithm.key_kind()) {
            let signature = house.key(of).sign(of, message.as_bytes()).unwrap();
            rows.push((format!("{name} signed with {}", of.name()), with(token, &signature)));
        }
    }
    let other = House::new();
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        rows.push((format!("{name} of another installation"), other.genuine(algorithm).to_owned()));
        let ours = other.issue_with(&house.signing, algorithm, 1, 1);
        rows.push((format!("{name} sealed by another installation"), ours));
        let theirs = house.issue_with(&other.signing, algorithm, 1, 1);
        rows.push((format!("{name} signed by another installation"), theirs));
    }
    rows
}

fn with(token: &str, signature: &[u8]) -> String {
    let [header, payload, _] = parts(token);
    format!("{header}.{payload}.{}", encoded(signature))
}

fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let pad: &[u8] = if number[0] & 0x80 == 0 { &[] } else { &[0] };
        [&[2, (number.len() + pad.len()) as u8], pad, number].concat()
    };
    let both = [integer(r), integer(s)].concat();
    [&[0x30, both.len() as u8], &both[..]].concat()
}

/// Of big-endian numbers.
fn difference(from: &[u8; 32], number: &[u8]) -> [u8; 32] {
    let (mut difference, mut borrow) = ([0; 32], 0_i16);
    for at in (0..32).rev() {
        let digit = i16::from(from[at]) - i16::from(number[at]) - borrow;
        (difference[at], borrow) = (digit.rem_euclid(256) as u8, i16::from(digit < 0));
    }
    difference
}

/// Of little-endian numbers.
fn sum(number: &[u8], other: &[u8; 32]) -> [u8; 32] {
    let (mut sum, mut carry) = ([0; 32], 0_u16);
    for at in 0..32 {
        let digit = u16::from(number[at]) + u16::from(other[at]) + carry;
        (sum[at], carry) = (digit as u8, digit >> 8);
    }
    sum
}

#[test]
fn the_counterpart_of_a_signature_is_one_by_the_mathematics() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
    let house = House::new();
    let token = house.genuine(Algorithm::Es256);
    let signature = decoded(parts(token)[2]);
    let counterpart = [&signature[..32], &difference(&P256_ORDER, &signature[32..])].concat();
    let jwk = serde_json::to_value(house.key(Algorithm::Es256).jwk()).unwrap();
    let coordinate = |name: &str| decoded(jwk[name].as_str().unwrap());
    let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).unwrap();
    let message = token.rsplit_once('.').unwrap().0.as_bytes();
    for signature in [signature, counterpart] {
        assert!(public.verify_sig(message, &signature).is_ok(), "so it must be refused by rule");
    }
}
