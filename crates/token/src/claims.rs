//! What an access token says, and its compact binary form.
//!
//! Layout, version 1 (lengths in bytes, numbers as LEB128 unless a width is given):
//! flags (1) · token id (16) · [family id (16)] · client id (1 + n) · [subject id (16), username (1 + n)] ·
//! scopes (2 + n) · [audience (2 + n)] · [confirmation key (1 + n)] · issued at · lifetime, 0 for never · position

use crate::{Expiry, FamilyId, Position, SubjectId, Timestamp, TokenId};

const HAS_FAMILY: u8 = 1;
const HAS_SUBJECT: u8 = 1 << 1;
const HAS_AUDIENCE: u8 = 1 << 2;
const HAS_CONFIRMATION: u8 = 1 << 3;
const ALL_FLAGS: u8 = HAS_FAMILY | HAS_SUBJECT | HAS_AUDIENCE | HAS_CONFIRMATION;

/// The person for whom a token was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Never given out again.
    pub id: SubjectId,
    /// The name at the time of issue; 1 to 255 bytes.
    pub username: &'a str,
}

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims<'a> {
    /// This token (`jti`).
    pub token_id: TokenId,
    /// The line of descent; `None` for a token that came alone, without a refresh token.
    pub family: Option<FamilyId>,
    /// The client to which it was issued.
    pub client_id: &'a str,
    /// The person; `None` for a client that acts for itself.
    pub subject: Option<Subject<'a>>,
    /// Granted scopes, blank-separated.
    pub scopes: &'a str,
    /// The resource for which it is meant, if it was restricted.
    pub audience: Option<&'a str>,
    /// Reserved for DPoP and mTLS (RFC 7800 `cnf`).
    pub confirmation: Option<&'a [u8]>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Expiry,
    /// How far the issuing node had read the change log when the request arrived.
    pub position: Position,
}

/// Why bytes are not claims, or claims do not fit the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// A text is longer than its length field, or a username is empty.
    #[error("a claim does not fit the token")]
    DoesNotFit,
    /// The bytes end early, go on too long, or are not text where text belongs.
    #[error("the claims are not well formed")]
    Malformed,
}

impl<'a> Claims<'a> {
    /// The prefix of the name under which a client without a person appears; no person's name may begin with it.
    pub const SERVICE_ACCOUNT_PREFIX: &'static str = "service-account-";

    /// Appends the compact form to `out`.
    ///
    /// # Errors
    /// [`ClaimsError::DoesNotFit`] when a text is too long for its field.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), ClaimsError> {
        let flag = |present: bool, flag: u8| if present { flag } else { 0 };
        out.push(
            flag(self.family.is_some(), HAS_FAMILY)
                | flag(self.subject.is_some(), HAS_SUBJECT)
                | flag(self.audience.is_some(), HAS_AUDIENCE)
                | flag(self.confirmation.is_some(), HAS_CONFIRMATION),
        );
        out.extend_from_slice(self.token_id.as_bytes());
        if let Some(family) = self.family {
            out.extend_from_slice(family.as_bytes());
        }
        put_short(out, self.client_id.as_bytes())?;
        if let Some(subject) = self.subject {
            if subject.username.is_empty() {
                return Err(ClaimsError::DoesNotFit);
            }
            out.extend_from_slice(subject.id.as_bytes());
            put_short(out, subject.username.as_bytes())?;
        }
        put_long(out, self.scopes.as_bytes())?;
        if let Some(audience) = self.audience {
            put_long(out, audience.as_bytes())?;
        }
        if let Some(confirmation) = self.confirmation {
            put_short(out, confirmation)?;
        }
        let issued_at = u64::try_from(self.issued_at.as_secs()).map_err(|_| ClaimsError::DoesNotFit)?;
        put_number(out, issued_at);
        put_number(out, self.lifetime_secs()?);
        put_number(out, self.position.number());
        Ok(())
    }

    /// Reads the compact form; every byte must belong to it.
    ///
    /// # Errors
    /// [`ClaimsError::Malformed`] for anything that `encode` does not write.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, ClaimsError> {
        let mut reader = Reader { rest: bytes };
        let flags = reader.byte()?;
        if flags & !ALL_FLAGS != 0 {
            return Err(ClaimsError::Malformed);
        }
        let has = |flag: u8| flags & flag != 0;
        let claims = Self {
            token_id: TokenId::from_bytes(reader.array()?),
            family: match has(HAS_FAMILY) {
                true => Some(FamilyId::from_bytes(reader.array()?)),
                false => None,
            },
            client_id: reader.short_text()?,
            subject: match has(HAS_SUBJECT) {
                true => Some(reader.subject()?),
                false => None,
            },
            scopes: reader.long_text()?,
            audience: match has(HAS_AUDIENCE) {
                true => Some(reader.long_text()?),
                false => None,
            },
            confirmation: match has(HAS_CONFIRMATION) {
                true => Some(reader.short()?),
                false => None,
            },
            issued_at: Timestamp::from_secs(0),
            expires_at: Expiry::Never,
            position: Position::START,
        };
        let issued_at = i64::try_from(reader.number()?).map_err(|_| ClaimsError::Malformed)?;
        let lifetime_secs = i64::try_from(reader.number()?).map_err(|_| ClaimsError::Malformed)?;
        let position = Position::new(reader.number()?);
        if !reader.rest.is_empty() {
            return Err(ClaimsError::Malformed);
        }
        let issued_at = Timestamp::from_secs(issued_at);
        let expires_at = match lifetime_secs {
            0 => Expiry::Never,
            secs => Expiry::At(issued_at.plus_secs(secs)),
        };
        // An expiry past the end of time was cut there, and would be written with a shorter lifetime.
        if expires_at.secs_left(issued_at).is_some_and(|secs| secs != lifetime_secs) {
            return Err(ClaimsError::Malformed);
        }
        Ok(Self { issued_at, expires_at, position, ..claims })
    }

    fn lifetime_secs(&self) -> Result<u64, ClaimsError> {
        match self.expires_at {
            Expiry::Never => Ok(0),
            Expiry::At(at) => match self.issued_at.secs_until(at) {
                0 => Err(ClaimsError::DoesNotFit),
                secs => u64::try_from(secs).map_err(|_| ClaimsError::DoesNotFit),
            },
        }
    }
}

fn put_short(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ClaimsError> {
    out.push(u8::try_from(bytes.len()).map_err(|_| ClaimsError::DoesNotFit)?);
    out.extend_from_slice(bytes);
    Ok(())
}

fn put_long(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ClaimsError> {
    let length = u16::try_from(bytes.len()).map_err(|_| ClaimsError::DoesNotFit)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ClaimsError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(ClaimsError::Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ClaimsError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(ClaimsError::Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, ClaimsError> {
        self.array().map(|[byte]| byte)
    }

    fn short(&mut self) -> Result<&'a [u8], ClaimsError> {
        let length = self.byte()?;
        self.take(length.into())
    }

    fn short_text(&mut self) -> Result<&'a str, ClaimsError> {
        self.short().and_then(text)
    }

    fn long_text(&mut self) -> Result<&'a str, ClaimsError> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(length.into()).and_then(text)
    }

    fn subject(&mut self) -> Result<Subject<'a>, ClaimsError> {
        let subject = Subject { id: SubjectId::from_bytes(self.array()?), username: self.short_text()? };
        if subject.username.is_empty() { Err(ClaimsError::Malformed) } else { Ok(subject) }
    }

    fn number(&mut self) -> Result<u64, ClaimsError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            let shifted = part << shift;
            if shifted >> shift != part {
                return Err(ClaimsError::Malformed);
            }
            number |= shifted;
            if byte & 0x80 == 0 {
                // A last byte of nothing pads: a number has one form.
                return if byte == 0 && shift > 0 { Err(ClaimsError::Malformed) } else { Ok(number) };
            }
        }
        Err(ClaimsError::Malformed)
    }
}

fn text(bytes: &[u8]) -> Result<&str, ClaimsError> {
    std::str::from_utf8(bytes).map_err(|_| ClaimsError::Malformed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Claims<'static> {
        Claims {
            token_id: TokenId::from_bytes([1; 16]),
            family: Some(FamilyId::from_bytes([2; 16])),
            client_id: "fcare",
            subject: Some(Subject { id: SubjectId::from_bytes([3; 16]), username: "alice" }),
            scopes: "read write",
            audience: None,
            confirmation: None,
            issued_at: Timestamp::from_secs(1_800_000_000),
            expires_at: Expiry::At(Timestamp::from_secs(1_800_003_600)),
            position: Position::new(42),
        }
    }

    fn encoded(claims: &Claims<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        claims.encode(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn claims_read_back() {
        let full = Claims {
            audience: Some("https://api.example"),
            confirmation: Some(&[9; 32]),
            position: Position::new(u64::MAX),
            ..sample()
        };
        let bare = Claims { family: None, subject: None, scopes: "", expires_at: Expiry::Never, ..sample() };
        for claims in [sample(), full, bare] {
            assert_eq!(Claims::decode(&encoded(&claims)), Ok(claims));
        }
    }

    #[test]
    fn a_cut_or_lengthened_form_is_malformed() {
        let bytes = encoded(&sample());
        for length in 0..bytes.len() {
            assert_eq!(Claims::decode(&bytes[..length]), Err(ClaimsError::Malformed), "{length}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Claims::decode(&longer), Err(ClaimsError::Malformed));
    }

    #[test]
    fn claims_have_one_form() {
        let mut padded = encoded(&Claims { position: Position::START, ..sample() });
        assert_eq!(padded.pop(), Some(0), "the position is last");
        padded.extend([0x80, 0]);
        assert_eq!(Claims::decode(&padded), Err(ClaimsError::Malformed));

        let mut endless =
            encoded(&Claims { expires_at: Expiry::Never, position: Position::START, ..sample() });
        endless.truncate(endless.len() - 2);
        put_number(&mut endless, i64::MAX.unsigned_abs());
        endless.push(0);
        assert_eq!(Claims::decode(&endless), Err(ClaimsError::Malformed), "it ends after the end of time");
    }

    #[test]
    fn a_person_without_a_name_is_neither_written_nor_read() {
        let nameless = Subject { id: SubjectId::from_bytes([3; 16]), username: "" };
        let claims = Claims { subject: Some(nameless), ..sample() };
        assert_eq!(claims.encode(&mut Vec::new()), Err(ClaimsError::DoesNotFit));
        let mut bytes = encoded(&sample());
        let name = bytes.windows(6).position(|window| window == b"\x05alice").unwrap();
        bytes[name] = 0;
        bytes.drain(name + 1..name + 6);
        assert_eq!(Claims::decode(&bytes), Err(ClaimsError::Malformed));
    }

    #[test]
    fn unknown_flags_are_malformed() {
        let mut bytes = encoded(&sample());
        bytes[0] |= 0x80;
        assert_eq!(Claims::decode(&bytes), Err(ClaimsError::Malformed));
    }

    #[test]
    fn a_token_that_is_born_expired_is_not_encoded() {
        let claims = Claims { expires_at: Expiry::At(sample().issued_at), ..sample() };
        assert_eq!(claims.encode(&mut Vec::new()), Err(ClaimsError::DoesNotFit));
    }

    #[test]
    fn texts_longer_than_their_field_do_not_fit() {
        let long = "x".repeat(70_000);
        for claims in [Claims { client_id: &long, ..sample() }, Claims { scopes: &long, ..sample() }] {
            assert_eq!(claims.encode(&mut Vec::new()), Err(ClaimsError::DoesNotFit));
        }
    }
}
