//! What the rules about people who sign in with a browser are tried on.

use obol_token::{Position, SessionId};

use super::samples::{at, client_id, family, family_id, hash, people, scopes, subject_id, until};
use crate::{
    AddCodeOutcome, BeginSessionOutcome, Code, Consent, NewCode, NewFamily, NewSession, RedeemOutcome,
    Redemption, Session, Store,
};

/// After so long without use a [`session`] ends.
pub(super) const IDLE_SECS: i64 = 1_800;
/// After so long it ends in any case.
pub(super) const SESSION_SECS: i64 = 36_000;
/// How long a [`code`] lives.
pub(super) const CODE_SECS: i64 = 60;

pub(super) fn session_id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

/// A session of this person that begins with the rule.
pub(super) fn session(number: u8, person: &str) -> NewSession {
    NewSession {
        id: session_id(number),
        secret: hash("session", number),
        subject: subject_id(person),
        authenticated_at: at(0),
        methods: "pwd".to_owned(),
        idle_ends_at: at(IDLE_SECS),
        ends_at: at(SESSION_SECS),
        user_agent: format!("Browser {number}"),
        source: "192.0.2.7".to_owned(),
        // As if the node had read all that is ever appended: rules about denials say how far it had read.
        position: Position::new(i64::MAX as u64),
    }
}

/// A code for this client, given in this session when the rule begins.
pub(super) fn code(number: u8, client: &str, session: &NewSession) -> NewCode {
    NewCode {
        hash: hash("code", number),
        client_id: client_id(client),
        subject: session.subject,
        session: session.id,
        details: format!("{{\"nonce\":{number}}}"),
        issued_at: at(0),
        expires_at: at(CODE_SECS),
        position: session.position,
    }
}

/// The family of this number that a code begins.
pub(super) fn family_of(number: u8, code: &NewCode) -> NewFamily {
    NewFamily {
        client_id: code.client_id.clone(),
        subject: code.subject,
        session: Some(code.session),
        details: code.details.clone(),
        position: code.position,
        ..family(number, "fcare", "alice")
    }
}

/// Redeems a code at a moment, with a grace of 2 s; the family has its number.
pub(super) fn redemption(number: u8, code: &NewCode, secs: i64) -> Redemption {
    Redemption {
        hash: code.hash,
        family: NewFamily { issued_at: at(secs), ..family_of(number, code) },
        told_of_end: None,
        grace_secs: 2,
        now: at(secs),
    }
}

pub(super) fn consent(person: &str, client: &str) -> Consent {
    Consent {
        subject: subject_id(person),
        client_id: client_id(client),
        scopes: scopes("read"),
        given_at: at(0),
    }
}

/// [`people`] who have all allowed all clients.
pub(super) async fn people_who_consent(store: &dyn Store) {
    people(store).await;
    all_consent(store).await;
}

/// They allow it, again if everything was denied.
pub(super) async fn all_consent(store: &dyn Store) {
    for (person, client) in [("alice", "fcare"), ("alice", "gateway"), ("bob", "fcare"), ("bob", "gateway")] {
        store.give_consent(&consent(person, client)).await.unwrap();
    }
}

/// Begins a session that renews none.
pub(super) async fn sign_in(store: &dyn Store, session: &NewSession) {
    assert_eq!(store.begin_session(session, None).await, Ok(BeginSessionOutcome::Begun(session.id)));
}

/// The session at that moment, if it stands. Finding and listing have to agree.
pub(super) async fn standing(store: &dyn Store, session: &NewSession, secs: i64) -> Option<Session> {
    let found = store.find_session(session.secret, at(secs)).await.unwrap();
    let listed = store.list_sessions(session.subject, at(secs)).await.unwrap();
    assert_eq!(found, listed.into_iter().find(|listed| listed.id == session.id), "at {secs}");
    found
}

pub(super) async fn add_code(store: &dyn Store, code: &NewCode) {
    assert_eq!(store.add_code(code).await, Ok(AddCodeOutcome::Added));
}

pub(super) async fn redeem(store: &dyn Store, redemption: &Redemption) -> RedeemOutcome {
    store.redeem_code(redemption).await.unwrap()
}

/// The code as stored, if it is there.
pub(super) async fn stored_code(store: &dyn Store, code: &NewCode) -> Option<Code> {
    store.find_code(code.hash).await.unwrap()
}

/// A family that was authorized in this session; its first access token lives its number times 100 s.
pub(super) fn in_session(number: u8, client: &str, session: &NewSession) -> NewFamily {
    NewFamily {
        id: family_id(number),
        access_expires_at: until(i64::from(number) * 100),
        ..family_of(number, &code(number, client, session))
    }
}
