//! The one decision whether a token stands. Every endpoint that accepts a token asks here.

use crate::{CheckSignature, Claims, Denied, DenyList, OpenSeal, Position, Scratch, Timestamp, open};

/// For which client the token must have been issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// For this one.
    Client(&'a str),
    /// For any: the caller has shown that it may ask about tokens of every client.
    AnyClient,
}

/// Why a token does not stand. For audit records and operators; the wire never tells these apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the full form of an access token: length, prefix or header, alphabet, checksum or version.
    #[error("it is not a complete access token")]
    Malformed,
    /// Sealed or signed with a key that this installation does not have, or no longer.
    #[error("it was sealed or signed with a key that is not in use here")]
    UnknownKey,
    /// Seal or signature do not fit.
    #[error("its seal or its signature does not fit")]
    Forged,
    /// Issued to another client than the one asked about.
    #[error("it was issued to another client")]
    OtherClient,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Revoked: itself, its family, its person, its client, or everything.
    #[error("it was revoked at position {1}")]
    Denied(Denied, Position),
}

impl Refusal {
    /// The reason in a word or two.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown key",
            Self::Forged => "forged",
            Self::OtherClient => "of another client",
            Self::Expired => "expired",
            Self::Denied(..) => "revoked",
        }
    }
}

/// Opens the token, which may have either form, compares the client, checks expiry and the deny list.
///
/// Reads no database. The caller has shown before that the deny list may be trusted at this moment: see
/// `obol_replica::Replica::vouch`.
///
/// # Errors
/// The first [`Refusal`] in the order: form, key, seal, signature, client, expiry, deny list.
pub fn verify<'a>(
    presented: &str,
    asked: Asked<'_>,
    keys: &(impl OpenSeal + CheckSignature),
    deny_list: &DenyList,
    now: Timestamp,
    scratch: &'a mut Scratch,
) -> Result<Claims<'a>, Refusal> {
    let claims = open(presented, keys, scratch)?;
    match asked {
        Asked::Client(client) if client != claims.client_id => return Err(Refusal::OtherClient),
        Asked::Client(_) | Asked::AnyClient => {}
    }
    if claims.expires_at.is_over(now) {
        return Err(Refusal::Expired);
    }
    match deny_list.refusing(&claims) {
        Some((what, position)) => Err(Refusal::Denied(what, position)),
        None => Ok(claims),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tests::KEY;
    use crate::claims::tests::sample;
    use crate::{Denial, Expiry, seal};

    fn verdict(token: &str, asked: Asked<'_>, deny_list: &DenyList, now: i64) -> Result<Position, Refusal> {
        let now = Timestamp::from_secs(now);
        verify(token, asked, &KEY, deny_list, now, &mut Scratch::default()).map(|claims| claims.position)
    }

    #[test]
    fn a_token_stands_until_the_second_it_expires() {
        let token = seal(&sample(), &KEY, [7; 12]).unwrap();
        for (now, expected) in
            [(1_800_003_599, Ok(Position::new(42))), (1_800_003_600, Err(Refusal::Expired))]
        {
            assert_eq!(verdict(&token, Asked::Client("fcare"), &DenyList::default(), now), expected);
        }
    }

    #[test]
    fn a_token_is_for_its_own_client() {
        let token = seal(&sample(), &KEY, [7; 12]).unwrap();
        let now = 1_800_000_000;
        for other in ["", "FCARE", "fcare ", "fcar", "other"] {
            let verdict = verdict(&token, Asked::Client(other), &DenyList::default(), now);
            assert_eq!(verdict, Err(Refusal::OtherClient), "{other:?}");
        }
        assert_eq!(verdict(&token, Asked::AnyClient, &DenyList::default(), now), Ok(Position::new(42)));
    }

    #[test]
    fn a_denied_token_is_refused_for_whoever_asks() {
        let token = seal(&sample(), &KEY, [7; 12]).unwrap();
        let list = DenyList::default();
        let (what, position) = (Denied::Family(sample().family.unwrap()), Position::new(43));
        list.insert(&Denial { what: what.clone(), position, leaves_at: Expiry::Never });
        for asked in [Asked::Client("fcare"), Asked::AnyClient] {
            let verdict = verdict(&token, asked, &list, 1_800_000_000);
            assert_eq!(verdict, Err(Refusal::Denied(what.clone(), position)));
        }
    }
}
