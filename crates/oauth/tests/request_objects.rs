//! How long a request object is good, and with which keys.

mod rooms;

use std::sync::Arc;

use obol_keys::SigningKey;
use obol_oauth::administration::{ClientSpec, change_client};
use obol_oauth::{Authorized, Decision, ErrorCode, OAuthError};
use obol_store::ClientSettings;
use obol_token::Algorithm;
use rooms::browser::{Browser, CALLBACK, CHALLENGE};
use rooms::others::{Others, jwks, new_key};
use rooms::{Rooms, START_SECS, long_lease};
use serde_json::{Value, json};

async fn open(key: &SigningKey, others: Option<&Arc<Others>>) -> Rooms {
    let way_out = others.cloned().unwrap_or_default();
    let rooms = Rooms::open_to(long_lease(), way_out).await;
    let mut spec = rooms.spec("people", &["authorization_code"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    spec.default_scopes = "openid".parse().unwrap();
    spec.settings = ClientSettings {
        jwks: others.is_none().then(|| jwks(&[key])),
        jwks_uri: others.map(|_| Others::KEYS.to_owned()),
        ..ClientSettings::default()
    };
    rooms.add(spec).await;
    rooms
}

/// What a browser brings for an object with these times.
fn query(key: &SigningKey, times: &[(&str, i64)]) -> String {
    format!("client_id=people&request={}", object(key, times))
}

/// An object with these times, in seconds after the start.
fn object(key: &SigningKey, times: &[(&str, i64)]) -> String {
    let mut claims = json!({
        "iss": "people",
        "aud": "https://id.example.com",
        "client_id": "people",
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    });
    for (name, secs) in times {
        claims[name] = Value::from(START_SECS + secs);
    }
    key.sign_compact(Algorithm::Es256, "oauth-authz-req+jwt", claims.to_string().as_bytes()).unwrap()
}

fn is_refused(asked: Result<Authorized, OAuthError>) -> bool {
    match asked.unwrap() {
        Authorized::Consent(_) => false,
        Authorized::Answer(answer) => match answer.params.iter().find(|(name, _)| *name == "error") {
            Some((_, error)) => {
                assert_eq!(error, "invalid_request_object", "{answer:?}");
                true
            }
            None => false,
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9101_4_an_object_expires_for_who_comes_from_the_client_and_not_for_who_signs_in_meanwhile() {
    let key = new_key();
    let rooms = open(&key, None).await;
    let alice = Browser::signed_in(&rooms).await;
    let expiring = query(&key, &[("exp", 60)]);
    for (secs, refused) in [(0, false), (59, false), (60, true), (61, true), (3_000, true)] {
        rooms.clock.set_secs_after_start(secs);
        assert_eq!(is_refused(alice.ask(&expiring, None).await), refused, "{secs}");
        let again = alice.ask_again(&expiring, Some(Decision::Allow)).await;
        assert!(!is_refused(again), "{secs}: it was there in time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9101_4_an_object_is_not_good_before_its_time() {
    let key = new_key();
    let rooms = open(&key, None).await;
    let alice = Browser::signed_in(&rooms).await;
    for (begins, refused) in [(-1, false), (0, false), (10, false), (11, true), (600, true)] {
        let query = query(&key, &[("exp", 1_000), ("nbf", begins)]);
        assert_eq!(is_refused(alice.ask(&query, None).await), refused, "{begins}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_at_a_jwks_uri_verify_objects_as_well() {
    let (key, others) = (new_key(), Arc::new(Others::default()));
    let rooms = open(&key, Some(&others)).await;
    let alice = Browser::signed_in(&rooms).await;
    let query = query(&key, &[("exp", 60)]);
    let set = |key: &SigningKey| Ok(jwks(&[key]).to_string());
    others.publish_as(Others::KEYS, set(&new_key()), set(&key));
    assert!(!is_refused(alice.ask(&query, None).await));
    others.publish(Others::KEYS, jwks(&[&new_key()]));
    assert!(is_refused(alice.ask(&query, None).await));
    let failed = Err(obol_oauth::OutgoingError::Failed("it did not answer in time".to_owned()));
    others.publish_as(Others::KEYS, failed.clone(), failed);
    let Authorized::Answer(answer) = alice.ask(&query, None).await.unwrap() else { panic!("it is refused") };
    assert!(answer.params.contains(&("error", "temporarily_unavailable".to_owned())), "{answer:?}");
}

/// A change, and what comes of a request on whose way it is made.
type Case<Outcome> = (fn(&mut ClientSpec), Outcome);

/// What an operator has been told is done counts, however long a request has been on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_counts_as_it_is_when_its_object_and_its_keys_have_come() {
    let cases: [Case<&str>; 6] = [
        (|_| {}, "consent"),
        (|spec| spec.name = "renamed".to_owned(), "consent"),
        (|spec| spec.redirect_uris = vec![ELSEWHERE.to_owned()], "page"),
        (|spec| spec.settings.require_pushed_authorization_requests = true, "invalid_request"),
        (|spec| spec.settings.jwks_uri = Some(format!("{}/new", Others::KEYS)), "temporarily_unavailable"),
        (|spec| spec.settings.request_uris = vec![format!("{OBJECT}/new")], "temporarily_unavailable"),
    ];
    for held in [OBJECT, Others::KEYS] {
        for (number, (change, expected)) in cases.into_iter().enumerate() {
            assert_eq!(ask_while_held(held, change).await, expected, "{held}: {number}");
        }
    }
}

const OBJECT: &str = "https://service.example/object";
const ELSEWHERE: &str = "https://app.example.com/elsewhere";

/// What comes of asking by `request_uri`, where the operator changes the client before this document is answered.
async fn ask_while_held(held: &'static str, change: fn(&mut ClientSpec)) -> String {
    let (key, others) = (new_key(), Arc::new(Others::default()));
    let rooms = open(&key, Some(&others)).await;
    set(&rooms, |spec| spec.settings.request_uris = vec![OBJECT.to_owned()]).await;
    others.publish(OBJECT, object(&key, &[("exp", 60)]));
    others.publish(Others::KEYS, jwks(&[&key]));
    others.hold(held);
    let alice = Browser::signed_in(&rooms).await;
    let query = format!("client_id=people&request_uri={OBJECT}&redirect_uri={CALLBACK}");
    let (asked, ()) = tokio::join!(alice.ask(&query, None), change_while_held(&rooms, &others, held, change));
    match asked {
        Ok(Authorized::Consent(_)) => "consent".to_owned(),
        Ok(Authorized::Answer(answer)) => {
            let error = answer.params.into_iter().find(|(name, _)| *name == "error");
            error.map(|(_, error)| error).unwrap_or_default()
        }
        Ok(other) => panic!("{other:?}"),
        Err(_) => "page".to_owned(),
    }
}

/// Changes the client when the document is asked for that is held, and lets it be answered.
async fn change_while_held(rooms: &Rooms, others: &Others, held: &'static str, change: fn(&mut ClientSpec)) {
    while !others.take_asked().iter().any(|(url, _)| url == held) {
        tokio::task::yield_now().await;
    }
    set(rooms, change).await;
    others.answer_all();
}

/// Changes the client as an operator does, who is told that it is done.
async fn set(rooms: &Rooms, change: fn(&mut ClientSpec)) {
    let changed = change_client(&*rooms.store, &"people".parse().unwrap(), change).await.unwrap();
    let _everywhere = rooms.replica.confirm(changed).await.unwrap();
}

/// An object that was pushed is not looked at again when the browser comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_counts_as_it_is_when_the_keys_of_a_pushed_object_have_come() {
    let cases: [Case<Option<ErrorCode>>; 3] = [
        (|spec| spec.name = "renamed".to_owned(), None),
        (|spec| spec.settings.jwks_uri = Some(format!("{}/new", Others::KEYS)), Some(ErrorCode::Unavailable)),
        (|spec| spec.redirect_uris = vec![ELSEWHERE.to_owned()], Some(ErrorCode::InvalidRequest)),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let (key, others) = (new_key(), Arc::new(Others::default()));
        let rooms = open(&key, Some(&others)).await;
        others.publish(Others::KEYS, jwks(&[&key]));
        others.hold(Others::KEYS);
        let form = query(&key, &[("exp", 60)]);
        let pushing = rooms.ask("/oauth2/par", &form, "");
        let (pushed, ()) = tokio::join!(pushing, change_while_held(&rooms, &others, Others::KEYS, change));
        assert_eq!(pushed.err().map(|error| error.code()), expected, "{number}");
    }
}
