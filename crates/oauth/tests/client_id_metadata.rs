//! Clients that bring a document of their own, where a test holds the document: what becomes of a change, and of a number
//! of them.

mod rooms;

use std::sync::Arc;
use std::time::Duration;

use obol_oauth::administration::{ClientSpec, change_client};
use obol_oauth::{
    AuthorizationAnswer, Authorized, Decision, DescribedClients, ErrorCode, Freshness, OAuthError,
};
use obol_replica::{Clock, LeaseOptions};
use obol_store::{AuditEvent, ChangeOutcome, Client};
use rooms::Rooms;
use rooms::browser::{Browser, CALLBACK, CHALLENGE};
use rooms::others::Others;
use serde_json::json;

const URL: &str = "https://app.example/client.json";

/// Publishes a document, which is the one that is kept.
fn publish(others: &Others, url: &str, callback: &str) {
    others.publish(url, json!({ "client_id": url, "redirect_uris": [callback] }));
}

/// Rooms that let at most so many clients in, and what they publish.
async fn rooms(most: usize) -> (Rooms, Arc<Others>) {
    let others = Arc::new(Others::default());
    let described = DescribedClients { hosts: Vec::new(), scopes: "openid".parse().unwrap(), most };
    let lease = LeaseOptions { lease: Duration::from_secs(7_200), ..LeaseOptions::default() };
    let rooms = Rooms::open_among(lease, others.clone(), Some(described)).await;
    (rooms, others)
}

fn query(url: &str, callback: &str) -> String {
    format!(
        "client_id={url}&response_type=code&scope=openid&redirect_uri={callback}&code_challenge={CHALLENGE}\
         &code_challenge_method=S256"
    )
}

async fn allows(browser: &Browser<'_>, url: &str, callback: &str) -> AuthorizationAnswer {
    browser.answer(&query(url, callback), Some(Decision::Allow)).await
}

fn param<'a>(answer: &'a AuthorizationAnswer, name: &str) -> Option<&'a str> {
    answer.params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

async fn stored(rooms: &Rooms, url: &str) -> Option<Client> {
    rooms.store.find_client(&url.parse().unwrap()).await.unwrap()
}

fn code_of(refused: Result<Authorized, OAuthError>) -> ErrorCode {
    refused.unwrap_err().code()
}

#[tokio::test]
async fn a_client_is_stored_when_it_is_allowed_and_written_again_only_when_it_has_changed() {
    let (rooms, others) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    publish(&others, URL, CALLBACK);
    let asked = browser.ask(&query(URL, CALLBACK), None).await.unwrap();
    let Authorized::Consent(asked) = asked else { panic!("{asked:?}") };
    assert_eq!((asked.known_by.as_deref(), asked.client_name.as_str()), (Some("app.example"), "app.example"));
    assert_eq!(stored(&rooms, URL).await, None);

    for _ in 0..2 {
        assert!(param(&allows(&browser, URL, CALLBACK).await, "code").is_some());
    }
    let of_clients = || {
        let events = rooms.audit.events().into_iter();
        events
            .filter(|event| matches!(event, AuditEvent::ClientAdded | AuditEvent::ClientChanged))
            .collect::<Vec<_>>()
    };
    assert_eq!(of_clients(), [AuditEvent::ClientAdded]);
    let before = stored(&rooms, URL).await.unwrap();

    // A change counts with the next authorization, and is stored with the next that is allowed.
    let other = "https://app.example.com/other";
    publish(&others, URL, other);
    assert_eq!(code_of(browser.ask(&query(URL, CALLBACK), None).await), ErrorCode::InvalidRequest);
    assert_eq!(stored(&rooms, URL).await, Some(before.clone()));
    rooms.clock.set_secs_after_start(60);
    assert!(param(&allows(&browser, URL, other).await, "code").is_some());
    assert_eq!(of_clients(), [AuditEvent::ClientAdded, AuditEvent::ClientChanged]);
    assert_eq!(stored(&rooms, URL).await, Some(Client { redirect_uris: vec![other.to_owned()], ..before }));
}

#[tokio::test]
async fn cimd_5_2_a_document_that_is_not_good_is_not_kept() {
    let (rooms, others) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    let good = json!({ "client_id": URL, "redirect_uris": [CALLBACK] }).to_string();
    others.publish_as(URL, Ok("{}".to_owned()), Ok(good));
    let asked = browser.ask(&query(URL, CALLBACK), None).await.unwrap();
    assert!(matches!(asked, Authorized::Consent(_)), "{asked:?}");
    assert_eq!(others.asked(), [Freshness::Kept, Freshness::Renewed]);

    others.publish(URL, "{}");
    let refused = browser.ask(&query(URL, CALLBACK), None).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidClient);
    assert!(refused.sentence().contains("redirect_uris"), "{}", refused.sentence());
}

#[tokio::test]
async fn what_stands_in_our_network_is_told_to_nobody() {
    let (rooms, _others) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    let refused = browser.ask(&query(URL, CALLBACK), None).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidClient);
    assert!(!refused.sentence().contains("418") && !refused.sentence().contains("10.0.0.1"));
    assert!(refused.reason().contains("10.0.0.1: it answered 418"), "{}", refused.reason());
}

#[tokio::test]
async fn without_the_setting_such_a_client_of_before_is_not_let_in() {
    let rooms = Rooms::open().await;
    let browser = Browser::signed_in(&rooms).await;
    let mut spec = rooms.spec(URL, &["authorization_code"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    spec.settings.from_metadata_document = true;
    rooms.add(spec).await;
    let refused = browser.ask(&query(URL, CALLBACK), Some(Decision::Allow)).await;
    assert_eq!(code_of(refused), ErrorCode::InvalidClient);
}

#[tokio::test]
async fn there_are_only_so_many_such_clients() {
    let (rooms, others) = rooms(2).await;
    let browser = Browser::signed_in(&rooms).await;
    let urls: Vec<_> = (0..3).map(|number| format!("https://app.example/{number}")).collect();
    for url in &urls {
        publish(&others, url, CALLBACK);
    }
    for url in &urls[..2] {
        assert!(param(&allows(&browser, url, CALLBACK).await, "code").is_some());
    }
    let refused = allows(&browser, &urls[2], CALLBACK).await;
    assert_eq!(param(&refused, "error"), Some("unauthorized_client"));
    assert_eq!(stored(&rooms, &urls[2]).await, None);
    // Those that are there go on.
    assert!(param(&allows(&browser, &urls[0], CALLBACK).await, "code").is_some());
    let consents = rooms.store.list_consents(rooms::ALICE).await.unwrap();
    assert_eq!(consents.len(), 2);
}

/// Also where the operator registers the URL while the document is on its way.
#[tokio::test]
async fn a_document_never_changes_a_registered_client() {
    let (rooms, others) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    publish(&others, URL, CALLBACK);
    others.hold("");
    let query = query(URL, CALLBACK);
    let asking = browser.ask(&query, Some(Decision::Allow));
    let registering = async {
        // For the page, and for the answer.
        for times in [1, 2] {
            if times == 2 {
                others.answer_one();
            }
            while others.asked().len() < times {
                tokio::task::yield_now().await;
            }
        }
        let mut spec = rooms.spec(URL, &["authorization_code"], None);
        spec.redirect_uris = vec!["https://registered.example/cb".to_owned()];
        rooms.add(spec).await;
        others.answer_all();
    };
    let (asked, ()) = tokio::join!(asking, registering);
    // Its redirect URI is none of those that are registered.
    assert_eq!(code_of(asked), ErrorCode::InvalidRequest);
    let client = stored(&rooms, URL).await.unwrap();
    assert_eq!(client.redirect_uris, ["https://registered.example/cb"]);
    assert_eq!(rooms.store.list_consents(rooms::ALICE).await.unwrap(), []);
}

/// What no document says is the operator's.
#[tokio::test]
async fn what_an_operator_has_set_stays() {
    let (rooms, others) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    publish(&others, URL, CALLBACK);
    allows(&browser, URL, CALLBACK).await;
    let lifetime = obol_token::Lifetime::from_setting_secs(60);
    let change = |spec: &mut ClientSpec| {
        spec.access_token_lifetime = lifetime;
        spec.redirect_uris = vec!["https://operator.example/cb".to_owned()];
    };
    let changed = change_client(&*rooms.store, &URL.parse().unwrap(), change).await.unwrap();
    let _ = rooms.replica.confirm(changed).await.unwrap();
    allows(&browser, URL, CALLBACK).await;
    let client = stored(&rooms, URL).await.unwrap();
    assert_eq!((client.access_token_lifetime, client.redirect_uris), (lifetime, vec![CALLBACK.to_owned()]));
    assert_eq!(client.settings.longest_access_token_ttl, Some(3_600));
}

/// Also what is set while the document is on its way.
#[tokio::test]
async fn what_an_operator_sets_beside_an_authorization_stays() {
    let (rooms, others) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    publish(&others, URL, CALLBACK);
    allows(&browser, URL, CALLBACK).await;
    let other = "https://app.example.com/other";
    publish(&others, URL, other);
    let Authorized::Consent(page) = browser.ask(&query(URL, other), None).await.unwrap() else {
        panic!("she is asked")
    };
    others.hold("");
    let (times, query, now) = (others.asked().len(), query(URL, other), rooms.clock.wall());
    let allowing = browser.handed_in(&query, Some(Decision::Allow), Some(&page.shown), now, false);
    let lifetime = obol_token::Lifetime::from_setting_secs(60);
    let restricting = async {
        while others.asked().len() == times {
            tokio::task::yield_now().await;
        }
        let restrict = |spec: &mut ClientSpec| spec.access_token_lifetime = lifetime;
        let _ = change_client(&*rooms.store, &URL.parse().unwrap(), restrict).await.unwrap();
        others.answer_all();
    };
    let (allowed, ()) = tokio::join!(allowing, restricting);
    assert!(matches!(allowed, Ok(Authorized::Answer(answer)) if param(&answer, "code").is_some()));
    let client = stored(&rooms, URL).await.unwrap();
    assert_eq!((client.access_token_lifetime, client.redirect_uris), (lifetime, vec![other.to_owned()]));
}

/// And it counts at once: what an operator has been told is done.
#[tokio::test]
async fn a_client_that_is_disabled_while_its_document_is_on_its_way_is_refused() {
    let (rooms, others) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    publish(&others, URL, CALLBACK);
    allows(&browser, URL, CALLBACK).await;
    let (times, query) = (others.asked().len(), query(URL, CALLBACK));
    others.hold("");
    let disabling = async {
        while others.asked().len() == times {
            tokio::task::yield_now().await;
        }
        let (id, now) = (URL.parse().unwrap(), rooms.clock.wall());
        match rooms.store.set_client_enabled(&id, false, now).await.unwrap() {
            ChangeOutcome::Changed(appended) => drop(rooms.replica.confirm(appended).await.unwrap()),
            ChangeOutcome::Unknown => panic!("it is there"),
        }
        others.answer_all();
    };
    let (asked, ()) = tokio::join!(browser.ask(&query, None), disabling);
    assert_eq!(code_of(asked), ErrorCode::InvalidClient);
}
