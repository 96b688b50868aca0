//! The one decision what a request to revoke an access token must deny.

use crate::{Claims, ClientId, DenyList, FamilyId, Position, Timestamp, TokenId};

/// Who asks for a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority<'a> {
    /// An authenticated client, which may end its own tokens only (RFC 7009 §2.1).
    Client(&'a ClientId),
    /// The operator, who may end any.
    Administrator,
}

/// What a request to revoke an access token comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The family must end before the answer.
    EndFamily(FamilyId),
    /// The token has expired, but its family may live: if it is still known it must end before the answer.
    EndFamilyIfKnown(FamilyId),
    /// The token belongs to no family, and must itself be denied before the answer.
    DenyToken(TokenId),
    /// It is denied already, since this position; the answer must still wait until every node knows.
    AlreadyDenied(Position),
    /// The token belongs to another client: nothing is revoked.
    NotYours,
    /// It has expired and took nothing with it: there is nothing to revoke.
    NothingLeft,
}

/// Decides for a token whose seal was opened.
///
/// A token of a family ends the whole family, also when the token itself has expired: revoking either
/// token of a pair ends the pair.
pub fn decide_revocation(
    claims: &Claims<'_>,
    by: Authority<'_>,
    deny_list: &DenyList,
    now: Timestamp,
) -> Decision {
    match by {
        Authority::Client(client) if client.as_str() != claims.client_id => return Decision::NotYours,
        Authority::Client(_) | Authority::Administrator => {}
    }
    if let Some((_, position)) = deny_list.refusing(claims) {
        return Decision::AlreadyDenied(position);
    }
    match (claims.family, claims.expires_at.is_over(now)) {
        (Some(family), false) => Decision::EndFamily(family),
        (Some(family), true) => Decision::EndFamilyIfKnown(family),
        (None, false) => Decision::DenyToken(claims.token_id),
        (None, true) => Decision::NothingLeft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::tests::sample;
    use crate::{Denial, Denied, Expiry};

    const LIVE: Timestamp = Timestamp::from_secs(1_800_000_000);
    const EXPIRED: Timestamp = Timestamp::from_secs(1_800_003_600);

    fn decide(claims: &Claims<'_>, client: &str, now: Timestamp) -> Decision {
        let client = ClientId::new(client).unwrap();
        decide_revocation(claims, Authority::Client(&client), &DenyList::default(), now)
    }

    #[test]
    fn either_token_of_a_pair_ends_the_pair() {
        let family = sample().family.unwrap();
        assert_eq!(decide(&sample(), "fcare", LIVE), Decision::EndFamily(family));
        assert_eq!(decide(&sample(), "fcare", EXPIRED), Decision::EndFamilyIfKnown(family));
    }

    #[test]
    fn a_lone_token_is_denied_by_itself_while_it_lives() {
        let lone = Claims { family: None, ..sample() };
        assert_eq!(decide(&lone, "fcare", LIVE), Decision::DenyToken(lone.token_id));
        assert_eq!(decide(&lone, "fcare", EXPIRED), Decision::NothingLeft);
    }

    #[test]
    fn only_the_owner_or_the_administrator_may_revoke() {
        assert_eq!(decide(&sample(), "other", LIVE), Decision::NotYours);
        let by_operator = decide_revocation(&sample(), Authority::Administrator, &DenyList::default(), LIVE);
        assert_eq!(by_operator, Decision::EndFamily(sample().family.unwrap()));
    }

    #[test]
    fn a_token_denied_before_needs_no_second_entry() {
        let list = DenyList::default();
        let position = Position::new(43);
        list.insert(&Denial { what: Denied::Everything, position, leaves_at: Expiry::Never });
        let decision = decide_revocation(&sample(), Authority::Administrator, &list, LIVE);
        assert_eq!(decision, Decision::AlreadyDenied(position));
    }
}
