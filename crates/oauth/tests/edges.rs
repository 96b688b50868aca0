//! Time has edges: one second before, at, and after.

mod rooms;

use obol_oauth::administration::{ChosenSecret, ClientSpec, add_client};
use obol_oauth::{Answer, ErrorCode, Introspection, Outcome};
use obol_replica::Clock;
use obol_store::AuditEvent;
use obol_token::Scopes;
use rooms::{GATEWAY_SECRET, INTROSPECT, Rooms, TOKEN};
use std::net::{IpAddr, Ipv4Addr};

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_stands_until_the_second_it_expires() {
    let rooms = Rooms::open().await;
    let pair = rooms.sign_in().await;
    for (secs, stands) in [(0, true), (59, true), (60, false), (61, false)] {
        rooms.clock.set_secs_after_start(secs);
        assert_eq!(rooms.stands(&pair.access_token).await, stands, "{secs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_refresh_token_gets_the_same_answer_inside_the_window_only() {
    for (secs, same) in [(0, true), (9, true), (10, false), (11, false)] {
        let rooms = Rooms::open().await;
        let first = rooms.sign_in().await.refresh_token.clone().unwrap();
        let pair = rooms.refresh(&first).await.unwrap();
        rooms.clock.set_secs_after_start(secs);
        let again = rooms.refresh(&first).await;
        match same {
            true => assert!(again.unwrap() == pair, "{secs}: the same stored answer"),
            false => assert_eq!(again.unwrap_err().code(), ErrorCode::InvalidGrant, "{secs}"),
        }
        assert_eq!(rooms.stands(&pair.access_token).await, same, "{secs}: reuse ends the family");
        let next = rooms.refresh(pair.refresh_token.as_deref().unwrap()).await;
        assert_eq!(next.is_ok(), same, "{secs}");
        assert_eq!(rooms.audit.events().contains(&AuditEvent::FamilyReused), !same, "{secs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_never_covers_a_family_that_was_revoked() {
    let rooms = Rooms::open().await;
    let first = rooms.sign_in().await.refresh_token.clone().unwrap();
    let pair = rooms.refresh(&first).await.unwrap();
    let form = format!("client_id=app&token={}", pair.access_token);
    rooms.ask(rooms::REVOKE, &form, "").await.unwrap();
    assert_eq!(rooms.refresh(&first).await.unwrap_err().code(), ErrorCode::InvalidGrant);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_lives_its_time_from_its_last_use() {
    let rooms = Rooms::open().await;
    let first = rooms.sign_in().await.refresh_token.clone().unwrap();
    rooms.clock.set_secs_after_start(599);
    let second = rooms.refresh(&first).await.unwrap().refresh_token.clone().unwrap();
    rooms.clock.set_secs_after_start(599 + 600);
    assert_eq!(rooms.refresh(&second).await.unwrap_err().code(), ErrorCode::InvalidGrant);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_or_expired_refresh_token_introspects_as_inactive() {
    let rooms = Rooms::open().await;
    let basic = basic("gateway", GATEWAY_SECRET);
    let active = async |token: &str| {
        let outcome = rooms.ask(INTROSPECT, &format!("token={token}"), &basic).await.unwrap();
        match outcome {
            Outcome::Done(Answer::Introspection(found)) => found != Introspection::INACTIVE,
            other => panic!("{other:?}"),
        }
    };
    let first = rooms.sign_in().await.refresh_token.clone().unwrap();
    assert!(active(&first).await);
    let second = rooms.refresh(&first).await.unwrap().refresh_token.clone().unwrap();
    assert!(!active(&first).await);
    assert!(active(&second).await);
    rooms.clock.set_secs_after_start(600);
    assert!(!active(&second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_a_client_secret_is_throttled_for_the_guesser_only() {
    let rooms = Rooms::open().await;
    let guesser = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let form = "grant_type=client_credentials";
    let (wrong, right) = (basic("gateway", "a-wrong-secret"), basic("gateway", GATEWAY_SECRET));
    for _ in 0..30 {
        let refused = rooms.ask_from(guesser, TOKEN, form, &wrong).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidClient);
    }
    for credentials in [&wrong, &right] {
        let refused = rooms.ask_from(guesser, TOKEN, form, credentials).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::TooManyRequests);
        assert!(refused.retry_after_secs().is_some_and(|secs| (1..=30).contains(&secs)));
    }
    assert!(rooms.ask(TOKEN, form, &right).await.is_ok(), "one guesser does not lock a client out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_secret_is_never_throttled_away_from_its_owner() {
    let rooms = Rooms::open().await;
    let spec = rooms.spec("robot", &["client_credentials"], Some(ChosenSecret::Generate));
    let added = add_client(&*rooms.store, spec, rooms.clock.wall()).await.unwrap();
    let _ = rooms.replica.confirm(added.appended).await.unwrap();
    let secret = added.generated_secret.unwrap();
    for _ in 0..40 {
        let _ =
            rooms.ask(TOKEN, "grant_type=client_credentials", &basic("robot", "a-guess-of-16-chars")).await;
    }
    let guess =
        rooms.ask(TOKEN, "grant_type=client_credentials", &basic("robot", "a-guess-of-16-chars")).await;
    assert_eq!(guess.unwrap_err().code(), ErrorCode::TooManyRequests);
    let own = rooms.ask(TOKEN, "grant_type=client_credentials", &basic("robot", secret.reveal())).await;
    assert!(own.is_ok(), "it cannot be guessed, so its owner may share the guesser's address");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_no_more_scopes_than_its_tokens_can_say() {
    let rooms = Rooms::open().await;
    let scopes = |count: usize| (0..count).map(|n| format!("{n:064} ")).collect::<String>().parse().unwrap();
    for (count, fits) in [(23, true), (24, false)] {
        let spec = ClientSpec {
            default_scopes: scopes(count),
            optional_scopes: Scopes::default(),
            ..rooms.spec(&format!("wide-{count}"), &["password", "refresh_token"], None)
        };
        let added = add_client(&*rooms.store, spec, rooms.clock.wall()).await;
        assert_eq!(added.is_ok(), fits, "{count}");
        if let Ok(added) = added {
            let _ = rooms.replica.confirm(added.appended).await.unwrap();
            assert!(!rooms.sign_in_at(&format!("wide-{count}")).await.access_token.is_empty());
        }
    }
}

fn basic(id: &str, secret: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
}
