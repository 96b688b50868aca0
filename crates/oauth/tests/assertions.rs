//! Assertions at the exact edges of their times, and with keys that clients publish.

mod rooms;

use std::sync::Arc;

use obol_keys::{SigningKey, assertion_hash};
use obol_oauth::{ErrorCode, Freshness, OAuthError, Outcome, OutgoingError};
use obol_replica::Clock;
use obol_store::{
    Appended, ChangeOutcome, ClientAuthMethod, ClientSettings, ReplaceOutcome, StoreError, UseOutcome,
};
use obol_token::Algorithm;
use rooms::others::{Others, jwks, new_key};
use rooms::{Rooms, START_SECS, TOKEN, long_lease};
use serde_json::json;

const ISSUER: &str = "https://id.example.com";
const TYPE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

struct Service {
    rooms: Rooms,
    others: Arc<Others>,
    key: SigningKey,
}

impl Service {
    /// A client with this key by value, or with one to be fetched.
    async fn open(by_value: bool) -> Self {
        let others = Arc::new(Others::default());
        let rooms = Rooms::open_to(long_lease(), others.clone()).await;
        let key = new_key();
        let mut spec = rooms.spec("service", &["client_credentials"], None);
        spec.settings = ClientSettings {
            token_endpoint_auth_method: Some(ClientAuthMethod::PrivateKeyJwt),
            jwks: by_value.then(|| jwks(&[&key])),
            jwks_uri: (!by_value).then(|| Others::KEYS.to_owned()),
            ..ClientSettings::default()
        };
        rooms.add(spec).await;
        Self { rooms, others, key }
    }

    async fn ask(&self, assertion: &str) -> Result<(), OAuthError> {
        let form = format!(
            "grant_type=client_credentials&client_assertion_type={TYPE}&client_assertion={assertion}"
        );
        self.rooms.ask(TOKEN, &form, "").await.map(|outcome| match outcome {
            Outcome::Done(_) => {}
            Outcome::PasswordNeeded(_) => panic!("of a client for itself"),
        })
    }

    /// Asks with an assertion that says this of times, in seconds after the start, and has this id.
    async fn ask_at(&self, times: &[(&str, i64)], jti: &str) -> Result<(), OAuthError> {
        let times: Vec<_> = times.iter().map(|(name, secs)| (*name, START_SECS + secs)).collect();
        self.ask(&signed(&self.key, &times, jti)).await
    }
}

fn signed(key: &SigningKey, times: &[(&str, i64)], jti: &str) -> String {
    let mut claims = json!({ "iss": "service", "sub": "service", "aud": ISSUER, "jti": jti });
    for (name, secs) in times {
        claims[name] = json!(secs);
    }
    key.sign_compact(Algorithm::Es256, "JWT", claims.to_string().as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7523_3_times_count_to_the_second() {
    let service = Service::open(true).await;
    let now = 1_000;
    service.rooms.clock.set_secs_after_start(now);
    for (number, (times, good)) in [
        (&[("exp", now - 1)][..], false),
        (&[("exp", now)], false),
        (&[("exp", now + 1)], true),
        (&[("exp", now + 310)], true),
        (&[("exp", now + 311)], false),
        (&[("exp", now + 60), ("iat", now + 10)], true),
        (&[("exp", now + 60), ("iat", now + 11)], false),
        (&[("exp", now + 60), ("iat", now - 1_000)], true),
        (&[("exp", now + 60), ("nbf", now + 10)], true),
        (&[("exp", now + 60), ("nbf", now + 11)], false),
        (&[("iat", now), ("nbf", now)], false),
    ]
    .into_iter()
    .enumerate()
    {
        let asked = service.ask_at(times, &format!("{number}")).await;
        match good {
            true => asked.unwrap(),
            false => assert_eq!(asked.unwrap_err().code(), ErrorCode::InvalidClient, "{times:?}"),
        }
    }
}

/// S-40. Whatever leaves the store, there is no second at which the assertion is good again.
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_not_good_a_second_time_at_any_moment() {
    let service = Service::open(true).await;
    service.ask_at(&[("exp", 60)], "one").await.unwrap();
    for secs in [0, 1, 30, 59, 60, 61, 119, 120, 121, 600] {
        service.rooms.clock.set_secs_after_start(secs);
        let again = service.ask_at(&[("exp", 60)], "one").await.unwrap_err();
        assert_eq!(again.code(), ErrorCode::InvalidClient, "{secs}");
        // Others are noted meanwhile, and take along what is over.
        for number in 0..20 {
            service.ask_at(&[("exp", secs + 60)], &format!("{secs} {number}")).await.unwrap();
        }
    }
}

/// A node whose clock is behind takes it for good when others have let it go already.
#[tokio::test(flavor = "multi_thread")]
async fn a_used_assertion_is_known_for_a_minute_longer_than_it_is_good() {
    for (secs, outcome) in [(119, UseOutcome::Again), (120, UseOutcome::First)] {
        let service = Service::open(true).await;
        service.ask_at(&[("exp", 60)], "one").await.unwrap();
        service.rooms.clock.set_secs_after_start(secs);
        // Others are noted, and take along what is over.
        for number in 0..20 {
            service.ask_at(&[("exp", secs + 60)], &format!("{number}")).await.unwrap();
        }
        let (hash, now) = (assertion_hash("service", "one"), service.rooms.clock.wall());
        assert_eq!(service.rooms.store.use_assertion(hash, now, now).await, Ok(outcome), "{secs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_at_a_jwks_uri_are_asked_for_as_they_are_kept_and_once_more_for_a_kid_that_is_new() {
    let service = Service::open(false).await;
    let (old, other) = (new_key(), new_key());
    let set = |keys: &[&SigningKey]| jwks(keys).to_string();
    service.others.publish(Others::KEYS, set(&[&service.key]));
    service.ask_at(&[("exp", 60)], "kept").await.unwrap();
    assert_eq!(service.others.asked(), [Freshness::Kept]);

    service.others.take_asked();
    service.others.publish_as(Others::KEYS, Ok(set(&[&old])), Ok(set(&[&old, &service.key])));
    service.ask_at(&[("exp", 60)], "renewed").await.unwrap();
    assert_eq!(service.others.asked(), [Freshness::Kept, Freshness::Renewed]);

    service.others.take_asked();
    service.others.publish_as(Others::KEYS, Ok(set(&[&old])), Ok(set(&[&old, &other])));
    let unknown = service.ask_at(&[("exp", 60)], "unknown").await.unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::InvalidClient);
    assert_eq!(service.others.asked(), [Freshness::Kept, Freshness::Renewed]);

    // What does not fit a key that is there is no reason to ask again.
    service.others.take_asked();
    service.others.publish(Others::KEYS, set(&[&service.key]));
    let good = signed(&service.key, &[("exp", START_SECS + 60)], "forged");
    let (rest, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = signed(&service.key, &[("exp", START_SECS + 60)], "another")
        .rsplit_once('.')
        .map(|(rest, signature)| (rest.to_owned(), signature.to_owned()))
        .unwrap();
    let forged = service.ask(&format!("{rest}.{signature}")).await.unwrap_err();
    assert_eq!(forged.code(), ErrorCode::InvalidClient);
    assert_eq!(service.others.asked(), [Freshness::Kept]);
}

fn changed(outcome: Result<ChangeOutcome, StoreError>) -> Appended {
    match outcome.unwrap() {
        ChangeOutcome::Changed(appended) => appended,
        ChangeOutcome::Unknown => panic!("it is there"),
    }
}

/// What an operator has been told is done counts, however long a request has been on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_counts_as_it_is_when_its_keys_have_come() {
    for (change, expected) in [
        ("nothing", None),
        ("renamed", None),
        ("disabled", Some(ErrorCode::InvalidClient)),
        ("deleted", Some(ErrorCode::InvalidClient)),
        ("other keys", Some(ErrorCode::Unavailable)),
        ("another method", Some(ErrorCode::Unavailable)),
    ] {
        let service = Service::open(false).await;
        let (store, id, now) = (&service.rooms.store, "service".parse().unwrap(), service.rooms.clock.wall());
        service.others.publish(Others::KEYS, jwks(&[&service.key]));
        service.others.hold("");
        let changing = async {
            while service.others.asked().is_empty() {
                tokio::task::yield_now().await;
            }
            let former = store.find_client(&id).await.unwrap().unwrap();
            let mut client = former.clone();
            match change {
                "renamed" => client.name = "renamed".to_owned(),
                "other keys" => {
                    (client.settings.jwks, client.settings.jwks_uri) = (Some(jwks(&[&new_key()])), None);
                }
                "another method" => client.settings.token_endpoint_auth_method = None,
                _ => {}
            }
            let appended = match change {
                "disabled" => changed(store.set_client_enabled(&id, false, now).await),
                "deleted" => changed(store.delete_client(&id, now).await),
                _ => match store.change_client(&former, &client).await.unwrap() {
                    ReplaceOutcome::Replaced(appended) => appended,
                    outcome => panic!("{change}: {outcome:?}"),
                },
            };
            let _everywhere = service.rooms.replica.confirm(appended).await.unwrap();
            service.others.answer_all();
        };
        let (asked, ()) = tokio::join!(service.ask_at(&[("exp", 60)], "one"), changing);
        assert_eq!(asked.err().map(|error| error.code()), expected, "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_keys_cannot_be_had_nobody_is_let_in() {
    let service = Service::open(false).await;
    let mut private = jwks(&[&service.key]);
    private["keys"][0]["d"] = json!("AAAA");
    let failed = |why: &str| Err(OutgoingError::Failed(why.to_owned()));
    for (answer, code) in [
        (failed("it did not answer in time"), ErrorCode::Unavailable),
        (Err(OutgoingError::Refused("a private address".to_owned())), ErrorCode::Unavailable),
        (Ok("{".to_owned()), ErrorCode::InvalidClient),
        (Ok("[]".to_owned()), ErrorCode::InvalidClient),
        (Ok(r#"{"keys":[]}"#.to_owned()), ErrorCode::InvalidClient),
        (Ok(private.to_string()), ErrorCode::InvalidClient),
    ] {
        let named = format!("{answer:?}");
        service.others.publish_as(Others::KEYS, answer.clone(), answer);
        let refused = service.ask_at(&[("exp", 60)], "one").await.unwrap_err();
        assert_eq!(refused.code(), code, "{named}");
        assert!(!refused.sentence().contains("private"), "the cause is private: {refused:?}");
    }
    let of_another = jwks(&[&new_key()]).to_string();
    service.others.publish_as(Others::KEYS, Ok(of_another), failed("it did not answer in time"));
    let refused = service.ask_at(&[("exp", 60)], "one").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unavailable);
    service.others.publish(Others::KEYS, jwks(&[&service.key]));
    service.ask_at(&[("exp", 60)], "one").await.unwrap();
}
