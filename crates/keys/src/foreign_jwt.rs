//! JWTs that clients have signed: their assertions and request objects. Home of RFC 7519.
//!
//! The text is read strictly, the algorithm has to be one of ours and to fit the key, and the key is one that the client has
//! registered: where a header says that a key may be found (`jku`, `jwk`, `x5c`, `x5u`) is never looked at (RFC 8725 §3.1, §3.10).

use std::fmt;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_token::Algorithm;
use serde_json::Value;

use crate::PlainSecret;
use crate::foreign_keys::ForeignKeys;
use crate::jwt_claims::{JwtClaims, UniqueMembers};

/// A JWT that somebody else has made, read and not verified.
pub struct ForeignJwt<'a> {
    message: &'a str,
    signature: Vec<u8>,
    algorithm: JwtAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
    claims: JwtClaims,
}

/// How it says that it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// With a private key.
    Signed(Algorithm),
    /// With a shared secret: HMAC with SHA-256 (RFC 7518 §3.2).
    Hs256,
}

/// Why a text is no JWT that could be verified here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignJwtError {
    /// Longer than [`ForeignJwt::MAX_CHARS`].
    #[error("it is longer than {} characters", ForeignJwt::MAX_CHARS)]
    TooLong,
    /// Not a JWS in its compact form (RFC 7515 §7.1).
    #[error("it is not a signed JWT: three parts in base64url without padding, joined by dots")]
    NotCompact,
    /// The header is not a JSON object with a text for `alg`, or has a member twice.
    #[error("its header is not a JSON object that names `alg`, each member once")]
    Header,
    /// It demands an extension (RFC 7515 §4.1.11).
    #[error("its header demands extensions with `crit`, and none is known here")]
    Critical,
    /// Signed in a way that is not taken, or not at all.
    #[error("it is not signed with ES256, RS256, PS256, EdDSA or, with a client secret, HS256")]
    Algorithm,
    /// The payload is not a JSON object, or has a member twice.
    #[error("its payload is not a JSON object with each member once")]
    Payload,
}

/// Why it is not known to be from who it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// No key has its `kid` and fits its algorithm.
    #[error("none of the keys has its `kid` and fits its algorithm")]
    UnknownKey,
    /// The signature is not one of that key.
    #[error("its signature does not fit")]
    Forged,
}

impl<'a> ForeignJwt<'a> {
    /// The most characters that are read.
    pub const MAX_CHARS: usize = 8_192;

    /// Reads the compact form.
    ///
    /// # Errors
    /// [`ForeignJwtError`]
    pub fn read(text: &'a str) -> Result<Self, ForeignJwtError> {
        if text.len() > Self::MAX_CHARS {
            return Err(ForeignJwtError::TooLong);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(ForeignJwtError::NotCompact)?;
        let (header, payload) = message.split_once('.').ok_or(ForeignJwtError::NotCompact)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| ForeignJwtError::NotCompact);
        let (header, payload, signature) = (decoded(header)?, decoded(payload)?, decoded(signature)?);
        let header = Header::read(&header)?;
        let claims: UniqueMembers = serde_json::from_slice(&payload).map_err(|_| ForeignJwtError::Payload)?;
        let Header { algorithm, kid, typ } = header;
        Ok(Self { message, signature, algorithm, kid, typ, claims: claims.into() })
    }

    /// How it says that it is signed.
    pub fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// Whether its `typ` is one of these media types, which are without `application/`; a missing one is the empty text
    /// (RFC 7515 §4.1.9).
    pub fn is_of_type(&self, types: &[&str]) -> bool {
        let typ = self.typ.as_deref().unwrap_or_default();
        let (prefix, name) = typ.split_at_checked("application/".len()).unwrap_or_default();
        let name = if prefix.eq_ignore_ascii_case("application/") { name } else { typ };
        types.iter().any(|accepted| accepted.eq_ignore_ascii_case(name))
    }

    /// What it says of itself before anything is verified: to find the keys, and for nothing else.
    pub fn danger_unverified_text(&self, claim: &str) -> Option<&str> {
        self.claims.text(claim)
    }

    /// What it says, if one of these keys has signed it.
    ///
    /// # Errors
    /// [`NotSigned`]
    pub fn verify(&self, keys: &ForeignKeys) -> Result<&JwtClaims, NotSigned> {
        let JwtAlgorithm::Signed(algorithm) = self.algorithm else { return Err(NotSigned::UnknownKey) };
        let key = keys.find(algorithm, self.kid.as_deref()).ok_or(NotSigned::UnknownKey)?;
        match key.verify_sig(self.message.as_bytes(), &self.signature) {
            Ok(()) => Ok(&self.claims),
            Err(_) => Err(NotSigned::Forged),
        }
    }

    /// What it says, if whoever has this secret has authenticated it.
    ///
    /// # Errors
    /// [`NotSigned`]
    pub fn verify_with_secret(&self, secret: &PlainSecret) -> Result<&JwtClaims, NotSigned> {
        if self.algorithm != JwtAlgorithm::Hs256 {
            return Err(NotSigned::UnknownKey);
        }
        let key = hmac::Key::new(HMAC_SHA256, secret.reveal().as_bytes());
        match hmac::verify(&key, self.message.as_bytes(), &self.signature) {
            Ok(()) => Ok(&self.claims),
            Err(_) => Err(NotSigned::Forged),
        }
    }
}

impl fmt::Debug for ForeignJwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignJwt(..)")
    }
}

/// What of a header counts.
struct Header {
    algorithm: JwtAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, ForeignJwtError> {
        let UniqueMembers(mut members) =
            serde_json::from_slice(bytes).map_err(|_| ForeignJwtError::Header)?;
        if members.contains_key("crit") {
            return Err(ForeignJwtError::Critical);
        }
        let mut text = |name| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ForeignJwtError::Header),
        };
        let name = text("alg")?.ok_or(ForeignJwtError::Header)?;
        let algorithm = match Algorithm::from_name(&name) {
            Some(algorithm) => JwtAlgorithm::Signed(algorithm),
            None if name == "HS256" => JwtAlgorithm::Hs256,
            None => return Err(ForeignJwtError::Algorithm),
        };
        Ok(Self { algorithm, kid: text("kid")?, typ: text("typ")? })
    }
}

#[cfg(test)]
mod tests {
    use obol_token::Timestamp;
    use serde_json::json;

    use super::*;

    const PAYLOAD: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const BY_RSA: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const BY_EC: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn keys() -> ForeignKeys {
        let rsa = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let (x, y) =
            ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        ForeignKeys::read(&json!({ "keys": [
            { "kty": "RSA", "n": rsa, "e": "AQAB" },
            { "kty": "EC", "crv": "P-256", "x": x, "y": y },
        ] }))
        .unwrap()
    }

    fn text(header: &str, payload: &str, signature: &str) -> String {
        format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header))
    }

    /// The signature of ES256 there has its S in the upper half: what others sign may.
    #[test]
    fn rfc7515_a_2_and_a_3_the_examples_verify() {
        for (algorithm, signature) in [(Algorithm::Rs256, BY_RSA), (Algorithm::Es256, BY_EC)] {
            let text = text(&format!(r#"{{"alg":"{}"}}"#, algorithm.name()), PAYLOAD, signature);
            let jwt = ForeignJwt::read(&text).unwrap();
            assert_eq!(jwt.algorithm(), JwtAlgorithm::Signed(algorithm));
            let claims = jwt.verify(&keys()).unwrap();
            assert_eq!(claims.text("iss"), Some("joe"));
            assert_eq!(claims.time("exp"), Ok(Some(Timestamp::from_secs(1_300_819_380))));
            assert_eq!(claims.get("http://example.com/is_root"), Some(&json!(true)));
        }
    }

    #[test]
    fn a_signature_is_good_for_its_own_text_and_algorithm_only() {
        let other = URL_SAFE_NO_PAD.encode(r#"{"iss":"jane"}"#);
        for (header, payload, signature, expected) in [
            (r#"{"alg":"ES256"}"#, other.as_str(), BY_EC, NotSigned::Forged),
            (r#"{"alg":"ES256","a":1}"#, PAYLOAD, BY_EC, NotSigned::Forged),
            (r#"{"alg":"ES256"}"#, PAYLOAD, BY_RSA, NotSigned::Forged),
            (r#"{"alg":"ES256"}"#, PAYLOAD, "", NotSigned::Forged),
            (r#"{"alg":"PS256"}"#, PAYLOAD, BY_RSA, NotSigned::Forged),
            (r#"{"alg":"EdDSA"}"#, PAYLOAD, BY_EC, NotSigned::UnknownKey),
            (r#"{"alg":"HS256"}"#, PAYLOAD, BY_EC, NotSigned::UnknownKey),
            (r#"{"alg":"ES256","kid":"x"}"#, PAYLOAD, BY_EC, NotSigned::UnknownKey),
        ] {
            let text = text(header, payload, signature);
            assert_eq!(ForeignJwt::read(&text).unwrap().verify(&keys()), Err(expected), "{header}");
        }
    }

    #[test]
    fn a_secret_authenticates_hs256_and_nothing_else() {
        let secret = PlainSecret::generate();
        let mac = |header: &str, secret: &PlainSecret| {
            let message = format!("{}.{PAYLOAD}", URL_SAFE_NO_PAD.encode(header));
            let key = hmac::Key::new(HMAC_SHA256, secret.reveal().as_bytes());
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
        };
        let verdict = |text: &str| ForeignJwt::read(text).unwrap().verify_with_secret(&secret).map(drop);
        assert_eq!(verdict(&mac(r#"{"alg":"HS256"}"#, &secret)), Ok(()));
        assert_eq!(verdict(&mac(r#"{"alg":"HS256"}"#, &PlainSecret::generate())), Err(NotSigned::Forged));
        assert_eq!(verdict(&mac(r#"{"alg":"ES256"}"#, &secret)), Err(NotSigned::UnknownKey));
        let cut = mac(r#"{"alg":"HS256"}"#, &secret);
        assert_eq!(verdict(&cut[..cut.len() - 3]), Err(NotSigned::Forged));
    }

    #[test]
    fn what_is_no_signed_jwt_of_ours_to_verify_is_not_read() {
        let with = |header: &str| text(header, PAYLOAD, "AAAA");
        let list = URL_SAFE_NO_PAD.encode("[]");
        for (text, expected) in [
            // RFC 7515 A.5.
            (with(r#"{"alg":"none"}"#), ForeignJwtError::Algorithm),
            (with(r#"{"alg":"HS512"}"#), ForeignJwtError::Algorithm),
            (with(r#"{"alg":"es256"}"#), ForeignJwtError::Algorithm),
            // RFC 7515 A.6, RFC 7516 and E.
            (format!("{}.a.b.c", with(r#"{"alg":"ES256"}"#)), ForeignJwtError::NotCompact),
            (with(r#"{"alg":"none","crit":["x"],"x":true}"#), ForeignJwtError::Critical),
            (with(r#"{"alg":"ES256","crit":[]}"#), ForeignJwtError::Critical),
            (with("{}"), ForeignJwtError::Header),
            (with(r#"{"alg":1}"#), ForeignJwtError::Header),
            (with(r#"{"alg":"ES256","typ":null}"#), ForeignJwtError::Header),
            (with(r#"{"alg":"ES256","kid":1}"#), ForeignJwtError::Header),
            (with(r#"{"alg":"ES256","alg":"ES256"}"#), ForeignJwtError::Header),
            (text(r#"{"alg":"ES256"}"#, &list, "AAAA"), ForeignJwtError::Payload),
            (text(r#"{"alg":"ES256"}"#, "", "AAAA"), ForeignJwtError::Payload),
            (text(r#"{"alg":"ES256"}"#, PAYLOAD, "AA=="), ForeignJwtError::NotCompact),
            // Bits that belong to no byte (RFC 4648 §3.5).
            (text(r#"{"alg":"ES256"}"#, PAYLOAD, "AB"), ForeignJwtError::NotCompact),
            (text(r#"{"alg":"ES256"}"#, PAYLOAD, &"A".repeat(8_192)), ForeignJwtError::TooLong),
            (String::new(), ForeignJwtError::NotCompact),
            ("..".to_owned(), ForeignJwtError::Header),
        ] {
            assert_eq!(ForeignJwt::read(&text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn rfc7515_4_1_9_types_are_media_types() {
        let is = |member: &str, types: &[&str]| {
            let text = text(&format!(r#"{{"alg":"ES256"{member}}}"#), PAYLOAD, "AAAA");
            ForeignJwt::read(&text).unwrap().is_of_type(types)
        };
        assert!(is("", &[""]) && !is("", &["JWT"]));
        assert!(is(r#","typ":"jwt""#, &["JWT"]));
        assert!(is(r#","typ":"application/a+jwt""#, &["a+jwt"]));
        assert!(is(r#","typ":"Application/A+JWT""#, &["a+jwt"]));
        for other in ["at+jwt", "text/a+jwt", "a+jwt ", "application/", "application/application/a+jwt"] {
            assert!(!is(&format!(r#","typ":"{other}""#), &["a+jwt", "JWT"]), "{other}");
        }
    }

    #[test]
    fn neither_prints_what_it_says() {
        let text = text(r#"{"alg":"ES256"}"#, PAYLOAD, BY_EC);
        let jwt = ForeignJwt::read(&text).unwrap();
        let shown = format!("{jwt:?} {:?}", jwt.verify(&keys()).unwrap());
        assert_eq!(shown, r#"ForeignJwt(..) {"exp", "http://example.com/is_root", "iss"}"#);
    }
}
