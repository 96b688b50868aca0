//! Tickets: what a browser carries for us from one request to the next, sealed, so that the server keeps nothing.
//!
//! A ticket says what it is for, for how long it is good and, but for the first hop, to which browser it was given. It is
//! sealed and not just signed: what binds it to the browser is never shown.

use obol_oauth::{Authorizing, Surface};
use obol_store::SessionEndRevokes;
use obol_token::{Scopes, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// How long a ticket is good: as long as a person may look at a page, in seconds.
pub(super) const VALID_SECS: i64 = Authorizing::ON_THE_WAY_SECS;

/// How long a notice is shown, in seconds.
const NOTICE_SECS: i64 = 60;

/// What a browser carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// What it is good for.
    #[serde(rename = "p")]
    pub(super) purpose: Purpose,
    /// Where the person is going.
    #[serde(rename = "t")]
    pub(super) target: Target,
    /// Who has signed in from this moment on has signed in for this, in seconds since the epoch.
    #[serde(rename = "c")]
    counts_from: i64,
    /// When it was sealed.
    #[serde(rename = "s")]
    sealed_at: i64,
    /// What the cookie of its browser holds; empty for any browser.
    #[serde(rename = "k")]
    browser: String,
    /// The session that it is about.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none", default)]
    session: Option<String>,
    /// The scopes that its page names, blank-separated.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none", default)]
    told: Option<String>,
    /// What stands for the rest that its page shows.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none", default)]
    shown: Option<String>,
}

/// What a ticket is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// To begin: what a client has posted to the authorization endpoint, where cookies do not come along.
    Begin,
    /// To sign in, or to go on under the name of its session.
    SignIn,
    /// To go on after signing in; the account of its session was chosen.
    Continue,
    /// To answer for the person of its session.
    Consent,
    /// To sign the person of its session out.
    SignOut,
    /// To be told that something was done.
    Notice(Notice),
}

/// Something that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Notice {
    SessionEnded,
    Withdrawn,
    Nothing,
    SignedOut,
    AllEnded,
}

impl Notice {
    /// Its message, where with a session ends so much.
    pub(super) const fn key(self, revokes: SessionEndRevokes) -> &'static str {
        match (self, revokes) {
            (Self::SessionEnded, SessionEndRevokes::Everything) => "session_ended",
            (Self::SessionEnded, SessionEndRevokes::Online) => "session_ended_online",
            (Self::Withdrawn, _) => "withdrawn",
            (Self::Nothing, _) => "nothing",
            (Self::SignedOut, SessionEndRevokes::Everything) => "signed_out",
            (Self::SignedOut, SessionEndRevokes::Online) => "signed_out_online",
            (Self::AllEnded, _) => "all_ended",
        }
    }
}

/// Where a person is going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Target {
    /// To a client, with this authorization request.
    Client {
        /// Where it arrived.
        surface: Surface,
        /// Its parameters, form-encoded.
        query: String,
    },
    /// To an application behind a gateway.
    Gateway {
        /// The address there.
        url: String,
        /// What the cookie of its browser holds there.
        browser: String,
    },
    /// To the person's own sessions.
    Sessions,
    /// Away, with this request to sign out.
    SignOut {
        /// Its parameters, form-encoded.
        query: String,
    },
}

impl Ticket {
    /// A ticket that is sealed at `now` for this browser; empty for any.
    pub(super) fn new(purpose: Purpose, target: Target, now: Timestamp, browser: &str) -> Self {
        Self {
            purpose,
            target,
            counts_from: NOBODY_YET.as_secs(),
            sealed_at: now.as_secs(),
            browser: browser.to_owned(),
            session: None,
            told: None,
            shown: None,
        }
    }

    /// This ticket, where a sign-in counts from this moment on.
    pub(super) fn counting_from(self, moment: Timestamp) -> Self {
        Self { counts_from: moment.as_secs(), ..self }
    }

    /// This ticket about a session.
    pub(super) fn about(self, session: SessionId) -> Self {
        Self { session: Some(session.to_string()), ..self }
    }

    /// This ticket for a page that names these scopes, and shows what this stands for.
    pub(super) fn telling(self, scopes: &[String], shown: String) -> Self {
        Self { told: Some(scopes.join(" ")), shown: Some(shown), ..self }
    }

    /// What stands for the rest that its page has shown.
    pub(super) fn shown(&self) -> Option<String> {
        self.shown.clone()
    }

    /// The scopes that its page has named.
    pub(super) fn told(&self) -> Option<Scopes> {
        self.told.as_deref()?.parse().ok()
    }

    /// From when on a sign-in counts.
    pub(super) fn counts_from(&self) -> Timestamp {
        Timestamp::from_secs(self.counts_from)
    }

    /// Whether it is about this session.
    pub(super) fn is_about(&self, session: SessionId) -> bool {
        self.session.as_deref() == Some(&*session.to_string())
    }

    /// Whether it is too old, or from a clock that is far ahead.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        let valid = match self.purpose {
            Purpose::Notice(_) => NOTICE_SECS,
            _ => VALID_SECS,
        };
        let sealed_at = Timestamp::from_secs(self.sealed_at);
        now.has_reached(sealed_at.plus_secs(valid)) || now.secs_until(sealed_at) > NOTICE_SECS
    }

    /// Whether the browser with this cookie may use it.
    pub(super) fn is_for(&self, browser: Option<&str>) -> bool {
        match self.purpose {
            Purpose::Begin => true,
            _ => browser.is_some_and(|browser| {
                !browser.is_empty() && bool::from(browser.as_bytes().ct_eq(self.browser.as_bytes()))
            }),
        }
    }

    /// Its bytes, to be sealed.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Texts and numbers always become JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What was sealed.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// A moment from which on nobody has signed in. Not one that comes soon: by the clock of another node, or by one that was
/// set back, a sign-in of before may have been in the future.
pub(super) const NOBODY_YET: Timestamp = Timestamp::from_secs(i64::MAX);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn target() -> Target {
        Target::Client { surface: Surface::Rfc, query: "client_id=a&state=%22%00\"".to_owned() }
    }

    fn ticket(purpose: Purpose) -> Ticket {
        Ticket::new(purpose, target(), NOW, "browser")
    }

    #[test]
    fn a_ticket_reads_back_as_itself() {
        let session = SessionId::from_bytes([7; 16]);
        for ticket in [
            ticket(Purpose::Begin),
            ticket(Purpose::Consent).about(session).counting_from(NOW.plus_secs(-5)),
            Ticket::new(Purpose::Notice(Notice::Withdrawn), Target::Sessions, NOW, "b"),
        ] {
            assert_eq!(Ticket::decode(&ticket.encode()), Some(ticket));
        }
        assert_eq!(Ticket::decode(b"{}"), None);
    }

    #[test]
    fn a_sign_in_of_before_counts_for_no_new_ticket_whatever_the_clocks_say() {
        let by_a_clock_ahead = NOW.plus_secs(10 * 365 * 86_400);
        for purpose in [Purpose::Begin, Purpose::SignIn, Purpose::Consent] {
            let read_back = Ticket::decode(&ticket(purpose).encode()).unwrap();
            assert!(by_a_clock_ahead < read_back.counts_from(), "{purpose:?}");
        }
    }

    #[test]
    fn a_ticket_is_good_for_an_hour_and_a_notice_for_a_minute() {
        for (purpose, valid) in [
            (Purpose::Begin, 3600),
            (Purpose::SignIn, 3600),
            (Purpose::Continue, 3600),
            (Purpose::Consent, 3600),
            (Purpose::Notice(Notice::Nothing), 60),
        ] {
            let ticket = ticket(purpose).counting_from(NOW.plus_secs(-3000));
            for (after, expired) in [(0, false), (valid - 1, false), (valid, true), (valid + 1, true)] {
                assert_eq!(ticket.has_expired(NOW.plus_secs(after)), expired, "{purpose:?} {after}");
            }
            assert!(ticket.has_expired(NOW.plus_secs(-61)), "sealed in the future");
        }
    }

    #[test]
    fn s_34_a_ticket_is_for_its_own_browser_only() {
        for purpose in [Purpose::SignIn, Purpose::Continue, Purpose::Consent] {
            let ticket = ticket(purpose);
            assert!(ticket.is_for(Some("browser")));
            for other in [None, Some(""), Some("brows"), Some("browser2"), Some("Browser")] {
                assert!(!ticket.is_for(other), "{purpose:?} {other:?}");
            }
            assert!(!Ticket::new(purpose, target(), NOW, "").is_for(Some("")), "no browser is any browser");
        }
        assert!(ticket(Purpose::Begin).is_for(None), "who begins is no browser yet");
    }

    #[test]
    fn a_ticket_is_about_one_session() {
        let (one, other) = (SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        let about = ticket(Purpose::Consent).about(one);
        assert!(about.is_about(one) && !about.is_about(other) && !ticket(Purpose::Consent).is_about(one));
    }
}
