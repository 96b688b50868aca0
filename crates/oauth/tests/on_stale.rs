//! The policy `on_stale`: without a lease, what only tells about access tokens may be answered, and nothing else is.

mod rooms;

use std::time::Duration;

use obol_oauth::{Answer, ErrorCode, Introspection, Needed, Outcome};
use obol_replica::{LeaseOptions, OnStale};
use obol_token::{Position, Scratch};
use rooms::{BATCH, GATEWAY_SECRET, INTROSPECT, KEY_SET, LOOPBACK, REVOKE, Rooms, TOKEN, VERIFY};

const LEASE_SECS: i64 = 10;
const MAX_AGE_SECS: i64 = 30;

/// A house that can read its log no more, with an access token that stands, one that is revoked, and a refresh token.
struct Stale {
    rooms: Rooms,
    good: String,
    revoked: String,
    refresh_token: String,
}

impl Stale {
    async fn house(on_stale: OnStale) -> Self {
        let lease = Duration::from_secs(LEASE_SECS.unsigned_abs());
        let rooms = Rooms::open_with(LeaseOptions { lease, on_stale, ..LeaseOptions::default() }).await;
        let (good, revoked) = (rooms.sign_in().await, rooms.sign_in().await);
        let form = format!("client_id=app&token={}", revoked.access_token);
        rooms.ask(REVOKE, &form, "").await.unwrap();
        rooms.take_database_away();
        let refresh_token = good.refresh_token.clone().unwrap();
        let (good, revoked) = (good.access_token.clone(), revoked.access_token.clone());
        Self { rooms, good, revoked, refresh_token }
    }

    async fn serving() -> Self {
        let max_age = Duration::from_secs(MAX_AGE_SECS.unsigned_abs());
        let house = Self::house(OnStale::Serve { max_age }).await;
        house.rooms.clock.set_secs_after_start(LEASE_SECS + 1);
        house
    }

    /// What the endpoint and its short form say, which is the same.
    async fn verify(&self, token: &str) -> Result<(), ErrorCode> {
        let long = self.rooms.ask(VERIFY, "client_id=app", &format!("Bearer {token}")).await;
        let long = long.map(drop).map_err(|error| error.code());
        let mut scratch = Scratch::default();
        let short = self.rooms.engine.verify(token, "app", &mut scratch);
        assert_eq!(short.map(drop).map_err(|error| error.code()), long);
        long
    }

    async fn batch(&self, tokens: &str) -> Result<String, ErrorCode> {
        let credentials = format!(r#""client_id":"gateway","client_secret":"{GATEWAY_SECRET}""#);
        let body = format!(r#"{{{credentials},"tokens":{tokens}}}"#);
        match self.rooms.ask(BATCH, &body, "").await {
            Ok(Outcome::Done(Answer::Introspections(written))) => Ok(String::from_utf8(written).unwrap()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.code()),
        }
    }

    async fn refusal(&self, path: &str, form: &str) -> Option<ErrorCode> {
        self.rooms.ask(path, form, "").await.err().map(|error| error.code())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_nothing_is_answered_without_a_lease() {
    let house = Stale::house(OnStale::Refuse).await;
    assert_eq!(house.verify(&house.good).await, Ok(()), "the lease runs");
    house.rooms.clock.set_secs_after_start(LEASE_SECS + 1);
    for token in [&house.good, &house.revoked] {
        assert_eq!(house.verify(token).await, Err(ErrorCode::Unavailable));
        let form = format!("client_id=gateway&client_secret={GATEWAY_SECRET}&token={token}");
        assert_eq!(house.refusal(INTROSPECT, &form).await, Some(ErrorCode::Unavailable));
        for tokens in
            [format!("[\"{token}\"]"), format!("[\"{token}\",\"{}\"]", house.refresh_token), "[]".into()]
        {
            assert_eq!(house.batch(&tokens).await, Err(ErrorCode::Unavailable), "{tokens}");
        }
        let admitted = house.rooms.engine.admit(token, &Needed::default(), &mut Scratch::default()).map(drop);
        assert_eq!(admitted.map_err(|error| error.code()), Err(ErrorCode::Unavailable));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_serves_what_is_stale_does_so_in_batches_and_at_gateways_and_not_for_refresh_tokens() {
    let house = Stale::serving().await;
    let answer = house.batch(&format!("[\"{}\",\"{}\"]", house.good, house.revoked)).await.unwrap();
    let active: Vec<_> = answer.split("\"active\":").skip(1).map(|rest| rest.starts_with("true")).collect();
    assert_eq!(active, [true, false], "{answer}");
    let with_refresh = format!("[\"{}\",\"{}\"]", house.good, house.refresh_token);
    assert_eq!(house.batch(&with_refresh).await, Err(ErrorCode::Unavailable));
    for (token, expected) in [(&house.good, Ok(())), (&house.revoked, Err(ErrorCode::InvalidToken))] {
        let admitted = house.rooms.engine.admit(token, &Needed::default(), &mut Scratch::default()).map(drop);
        assert_eq!(admitted.map_err(|error| error.code()), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_serves_what_is_stale_tells_of_access_tokens_what_it_knew_until_that_is_too_old() {
    let house = Stale::serving().await;
    let introspected = async |token: &str| {
        let form = format!("client_id=gateway&client_secret={GATEWAY_SECRET}&token={token}");
        match house.rooms.ask(INTROSPECT, &form, "").await {
            Ok(Outcome::Done(Answer::Introspection(Introspection::Active { .. }))) => Ok(true),
            Ok(Outcome::Done(Answer::Introspection(_))) => Ok(false),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.code()),
        }
    };
    for secs in [LEASE_SECS + 1, MAX_AGE_SECS - 5] {
        house.rooms.clock.set_secs_after_start(secs);
        assert_eq!(house.verify(&house.good).await, Ok(()));
        assert_eq!(house.verify(&house.revoked).await, Err(ErrorCode::InvalidToken));
        assert_eq!(introspected(&house.good).await, Ok(true));
        assert_eq!(introspected(&house.revoked).await, Ok(false));
    }
    house.rooms.clock.set_secs_after_start(MAX_AGE_SECS);
    for token in [&house.good, &house.revoked] {
        assert_eq!(house.verify(token).await, Err(ErrorCode::Unavailable));
        assert_eq!(introspected(token).await, Err(ErrorCode::Unavailable));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_serves_what_is_stale_issues_refreshes_and_revokes_nothing() {
    let house = Stale::serving().await;
    let (good, refresh_token) = (&house.good, &house.refresh_token);
    let gateway = format!("client_id=gateway&client_secret={GATEWAY_SECRET}");
    for (path, form) in [
        (TOKEN, format!("{gateway}&grant_type=client_credentials")),
        (TOKEN, format!("{gateway}&grant_type=unheard-of")),
        (TOKEN, format!("client_id=app&grant_type=refresh_token&refresh_token={refresh_token}")),
        (TOKEN, "client_id=app&grant_type=password&username=alice&password=correct+horse".to_owned()),
        (REVOKE, format!("client_id=app&token={good}")),
        (INTROSPECT, format!("{gateway}&token={refresh_token}")),
    ] {
        assert_eq!(house.refusal(path, &form).await, Some(ErrorCode::Unavailable), "{path} {form}");
    }
    // A retired key must not be handed out again.
    assert_eq!(house.refusal(KEY_SET, "").await, Some(ErrorCode::Unavailable));
    assert_eq!(house.verify(good).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_serves_what_is_stale_refuses_no_client_that_may_have_come_since() {
    let house = Stale::serving().await;
    for (credentials, code) in [
        ("client_id=newcomer&client_secret=of-its-own", Some(ErrorCode::Unavailable)),
        ("client_id=gateway&client_secret=a-newer-secret", Some(ErrorCode::Unavailable)),
        (&format!("client_id=gateway&client_secret={GATEWAY_SECRET}"), None),
    ] {
        let form = format!("{credentials}&token={}", house.good);
        assert_eq!(house.refusal(INTROSPECT, &form).await, code, "{credentials}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_serves_what_is_stale_honours_the_position_that_is_asked_for() {
    let house = Stale::serving().await;
    let applied = house.rooms.replica.applied();
    let bearer = format!("Bearer {}", house.good);
    for (wanted, answered) in
        [(Position::START, true), (applied, true), (Position::new(applied.number() + 1), false)]
    {
        let asked = ("client_id=app", bearer.as_str());
        let answer = house.rooms.ask_at(Some(wanted), LOOPBACK, VERIFY, asked).await;
        let code = answer.map(drop).map_err(|error| error.code());
        assert_eq!(code, if answered { Ok(()) } else { Err(ErrorCode::Unavailable) }, "{wanted}");
    }
}
