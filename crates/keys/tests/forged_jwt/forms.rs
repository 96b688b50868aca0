//! Other forms of a genuine token, and other things in its place.

use obol_token::{Algorithm, CredentialKind, seal};

use crate::Row;
use crate::house::{House, claims, decoded, encoded, parts, payload};
use crate::payloads::relabelled;

pub(crate) fn rows(house: &House) -> Vec<Row> {
    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let written = written_otherwise(house.genuine(algorithm));
        rows.extend(written.into_iter().map(|(how, token)| (format!("{name} {how}"), token)));
    }
    rows.extend(something_else(house));
    rows
}

fn written_otherwise(token: &str) -> Vec<Row> {
    let [header, payload, signature] = parts(token);
    let rows = vec![
        ("after a blank", format!(" {token}")),
        ("before a blank", format!("{token} ")),
        ("before a newline", format!("{token}\n")),
        ("before a tab", format!("{token}\t")),
        ("before a NUL", format!("{token}\0")),
        ("after Bearer", format!("Bearer {token}")),
        ("in quotation marks", format!("\"{token}\"")),
        ("in capitals", token.to_uppercase()),
        ("in small letters", token.to_lowercase()),
        ("with the other alphabet", format!("{header}.{payload}.{}", other_alphabet(signature))),
        ("with padding", format!("{header}=.{payload}=.{signature}=")),
        ("with a padded signature", format!("{token}==")),
        ("with loose bits in the signature", loosened(token)),
        ("with a newline inside", format!("{header}.{payload}\n.{signature}")),
        ("with an escaped dot", token.replacen('.', "%2E", 1)),
        ("with another dot", token.replacen('.', "\u{2024}", 1)),
        ("in four parts", format!("{token}.{signature}")),
        ("in five parts", format!("{header}.{payload}.{signature}.{payload}.{signature}")),
        ("in five parts, two empty", format!("{token}..")),
        ("with an empty part before", format!(".{token}")),
        ("without its header", format!(".{payload}.{signature}")),
        ("without its payload", format!("{header}..{signature}")),
        ("without a signature", format!("{header}.{payload}")),
        ("without a signature, with the dot", format!("{header}.{payload}.")),
        ("twice", format!("{token}{token}")),
        ("too long", format!("{token}{}", "A".repeat(4_096))),
        ("cut", token[..token.len() / 2].to_owned()),
        ("nested", format!("{header}.{}.{signature}", encoded(token))),
        ("as JSON", format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#)),
    ];
    rows.into_iter().map(|(how, token)| (how.to_owned(), token)).collect()
}

fn something_else(house: &House) -> Vec<Row> {
    let token = house.genuine(Algorithm::Es256);
    let said = payload(token);
    let sealed = said.rsplit('"').nth(1).unwrap();
    let opaque = seal(&claims(1), house.sealing.current().unwrap(), [7; 12]).unwrap();
    let jwe = encoded(r#"{"alg":"dir","enc":"A256GCM","typ":"at+jwt"}"#);
    let [header, payload, signature] = parts(token);
    let rows = [
        ("sealed claims alone", sealed.to_owned()),
        ("sealed claims as an opaque token", relabelled(sealed, CredentialKind::AccessToken)),
        ("sealed claims with another prefix", sealed.replacen("obj_", "oba_", 1)),
        ("an opaque token as sealed claims", relabelled(&opaque, CredentialKind::SignedClaims)),
        ("an opaque token as a ticket", relabelled(&opaque, CredentialKind::Ticket)),
        ("an opaque token for a payload", format!("{header}.{opaque}.{signature}")),
        ("an opaque token and a signature", format!("{opaque}.{payload}.{signature}")),
        ("a prefix before a signed token", format!("oba_{token}")),
        ("a JWE", format!("{jwe}..{payload}.{payload}.{signature}")),
        ("a JWE of three parts", format!("{jwe}.{payload}.{signature}")),
        ("nothing", String::new()),
        ("two dots", "..".to_owned()),
        ("one dot", ".".to_owned()),
    ];
    rows.map(|(name, token)| (name.to_owned(), token)).to_vec()
}

fn other_alphabet(text: &str) -> String {
    text.replace('-', "+").replace('_', "/")
}

/// The last letter of a signature holds bits that belong to no byte; here one of them is set.
fn loosened(token: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let value = ALPHABET.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
    assert_ne!(decoded(parts(token)[2]).len() % 3, 0, "there are such bits");
    format!("{rest}{}", ALPHABET[value | 1] as char)
}
