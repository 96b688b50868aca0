//! Clients that bring a document of their own, where a test holds the document: what becomes of a change, of a number of
//! them, and of many who ask.

mod rooms;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use obol_oauth::administration::{ClientSpec, change_client};
use obol_oauth::{
    AuthorizationAnswer, Authorized, Decision, DescribedClients, DocumentKind, ErrorCode, Freshness,
    OAuthError, Outgoing, OutgoingError,
};
use obol_replica::{Clock, LeaseOptions};
use obol_store::{AuditEvent, Client, Registration};
use obol_token::SecretHash;
use rooms::Rooms;
use rooms::browser::{Browser, CALLBACK, CHALLENGE};
use serde_json::json;
use tokio::sync::Notify;

const URL: &str = "https://app.example/client.json";
/// A request object whose signature has to be looked at: `{"alg":"ES256","kid":"a"}`, `{}`.
const NOT_SIGNED_YET: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AAAA";

/// Documents by address, as they are kept and as they are now.
#[derive(Default)]
struct Documents {
    kept: Mutex<HashMap<String, String>>,
    current: Mutex<HashMap<String, String>>,
    asked: Mutex<Vec<(String, Freshness)>>,
    /// While this is there, nobody is answered who asks for what ends so.
    slow: Mutex<Option<(&'static str, Arc<Notify>)>>,
}

impl Documents {
    /// Publishes a document, which is the one that is kept.
    fn publish(&self, url: &str, callback: &str) {
        self.publish_as(url, &json!({ "client_id": url, "redirect_uris": [callback] }));
    }

    /// The same of a client that signs, with keys at another address.
    fn publish_with_keys(&self, url: &str) {
        let method = "private_key_jwt";
        let keys = format!("{url}/keys");
        self.publish_as(
            url,
            &json!({
                "client_id": url, "redirect_uris": [CALLBACK],
                "token_endpoint_auth_method": method, "jwks_uri": keys,
            }),
        );
    }

    fn publish_as(&self, url: &str, document: &serde_json::Value) {
        let document = document.to_string();
        self.kept.lock().unwrap().insert(url.to_owned(), document.clone());
        self.current.lock().unwrap().insert(url.to_owned(), document);
    }

    fn asked(&self) -> Vec<Freshness> {
        self.asked.lock().unwrap().iter().map(|(_, freshness)| *freshness).collect()
    }
}

#[async_trait]
impl Outgoing for Documents {
    async fn fetch_document(
        &self,
        url: &str,
        _: DocumentKind,
        freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError> {
        self.asked.lock().unwrap().push((url.to_owned(), freshness));
        let slow = self.slow.lock().unwrap().clone();
        if let Some((_, slow)) = slow.filter(|(end, _)| url.ends_with(end)) {
            slow.notified().await;
        }
        let found = match freshness {
            Freshness::Kept => self.kept.lock().unwrap().get(url).cloned(),
            Freshness::Renewed => self.current.lock().unwrap().get(url).cloned(),
        };
        found.map(Into::into).ok_or_else(|| OutgoingError::Failed("10.0.0.1: it answered 418.".to_owned()))
    }

    async fn post_form(&self, _url: &str, _form: String) -> Result<(), OutgoingError> {
        Err(OutgoingError::Refused("not here".to_owned()))
    }
}

/// Rooms that let at most so many clients in, and the documents.
async fn rooms(most: usize) -> (Rooms, Arc<Documents>) {
    let documents = Arc::new(Documents::default());
    let described = DescribedClients { hosts: Vec::new(), scopes: "openid".parse().unwrap(), most };
    let lease = LeaseOptions { lease: Duration::from_secs(7_200), ..LeaseOptions::default() };
    let rooms = Rooms::open_among(lease, documents.clone(), Some(described)).await;
    (rooms, documents)
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
    let (rooms, documents) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    documents.publish(URL, CALLBACK);
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
    documents.publish(URL, other);
    assert_eq!(code_of(browser.ask(&query(URL, CALLBACK), None).await), ErrorCode::InvalidRequest);
    assert_eq!(stored(&rooms, URL).await, Some(before.clone()));
    rooms.clock.set_secs_after_start(60);
    assert!(param(&allows(&browser, URL, other).await, "code").is_some());
    assert_eq!(of_clients(), [AuditEvent::ClientAdded, AuditEvent::ClientChanged]);
    assert_eq!(stored(&rooms, URL).await, Some(Client { redirect_uris: vec![other.to_owned()], ..before }));
}

#[tokio::test]
async fn cimd_5_2_a_document_that_is_not_good_is_not_kept() {
    let (rooms, documents) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    documents.publish(URL, CALLBACK);
    documents.kept.lock().unwrap().insert(URL.to_owned(), "{}".to_owned());
    let asked = browser.ask(&query(URL, CALLBACK), None).await.unwrap();
    assert!(matches!(asked, Authorized::Consent(_)), "{asked:?}");
    assert_eq!(documents.asked(), [Freshness::Kept, Freshness::Renewed]);

    documents.current.lock().unwrap().insert(URL.to_owned(), "{}".to_owned());
    let refused = browser.ask(&query(URL, CALLBACK), None).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidClient);
    assert!(refused.sentence().contains("redirect_uris"), "{}", refused.sentence());
}

#[tokio::test]
async fn what_stands_in_our_network_is_told_to_nobody() {
    let (rooms, _documents) = rooms(10).await;
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
    let (rooms, documents) = rooms(2).await;
    let browser = Browser::signed_in(&rooms).await;
    let urls: Vec<_> = (0..3).map(|number| format!("https://app.example/{number}")).collect();
    for url in &urls {
        documents.publish(url, CALLBACK);
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
    let (rooms, documents) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    documents.publish(URL, CALLBACK);
    let slow = Arc::new(Notify::new());
    *documents.slow.lock().unwrap() = Some(("", slow.clone()));
    let query = query(URL, CALLBACK);
    let asking = browser.answer(&query, Some(Decision::Allow));
    let registering = async {
        // For the page, and for the answer.
        for times in [1, 2] {
            if times == 2 {
                slow.notify_waiters();
            }
            while documents.asked().len() < times {
                tokio::task::yield_now().await;
            }
        }
        let mut spec = rooms.spec(URL, &["authorization_code"], None);
        spec.redirect_uris = vec!["https://registered.example/cb".to_owned()];
        rooms.add(spec).await;
        slow.notify_waiters();
    };
    let (answer, ()) = tokio::join!(asking, registering);
    assert_eq!(param(&answer, "error"), Some("unauthorized_client"));
    let client = stored(&rooms, URL).await.unwrap();
    assert_eq!(client.redirect_uris, ["https://registered.example/cb"]);
    assert_eq!(rooms.store.list_consents(rooms::ALICE).await.unwrap(), []);
}

/// What no document says is the operator's.
#[tokio::test]
async fn what_an_operator_has_set_stays() {
    let (rooms, documents) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    documents.publish(URL, CALLBACK);
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
    let (rooms, documents) = rooms(10).await;
    let browser = Browser::signed_in(&rooms).await;
    documents.publish(URL, CALLBACK);
    allows(&browser, URL, CALLBACK).await;
    let other = "https://app.example.com/other";
    documents.publish(URL, other);
    let Authorized::Consent(page) = browser.ask(&query(URL, other), None).await.unwrap() else {
        panic!("she is asked")
    };
    let slow = Arc::new(Notify::new());
    *documents.slow.lock().unwrap() = Some(("", slow.clone()));
    let (times, query, now) = (documents.asked().len(), query(URL, other), rooms.clock.wall());
    let allowing = browser.handed_in(&query, Some(Decision::Allow), Some(&page.shown), now, false);
    let restricting = async {
        while documents.asked().len() == times {
            tokio::task::yield_now().await;
        }
        let restrict = |spec: &mut ClientSpec| spec.settings.require_pushed_authorization_requests = true;
        let _ = change_client(&*rooms.store, &URL.parse().unwrap(), restrict).await.unwrap();
        slow.notify_waiters();
    };
    let (allowed, ()) = tokio::join!(allowing, restricting);
    assert!(matches!(allowed, Ok(Authorized::Answer(answer)) if param(&answer, "code").is_some()));
    let client = stored(&rooms, URL).await.unwrap();
    assert_eq!(client.redirect_uris, [other]);
    assert!(client.settings.require_pushed_authorization_requests);
}

#[tokio::test]
async fn strangers_are_waited_for_only_so_often_at_once() {
    let (rooms, documents) = rooms(10).await;
    let slow = Arc::new(Notify::new());
    let (rooms, documents) = (Arc::new(rooms), documents);
    // For their documents, and for the keys that these name.
    for (end, asked) in [("", 16), ("/keys", 48)] {
        *documents.slow.lock().unwrap() = Some((end, slow.clone()));
        let waiting: Vec<_> = (0..16)
            .map(|number| {
                let (rooms, url) = (rooms.clone(), format!("https://app.example/{number}"));
                if end == "/keys" {
                    documents.publish_with_keys(&url);
                }
                let query = format!("{}&request={NOT_SIGNED_YET}", query(&url, CALLBACK));
                tokio::spawn(async move { Browser::signed_in(&rooms).await.ask(&query, None).await.is_err() })
            })
            .collect();
        while documents.asked().len() < asked {
            tokio::task::yield_now().await;
        }
        let browser = Browser::signed_in(&rooms).await;
        let refused = browser.ask(&query(URL, CALLBACK), None).await.unwrap_err();
        assert_eq!((refused.code(), documents.asked().len()), (ErrorCode::Unavailable, asked));
        // Clients that are registered are not concerned, and the turns come back.
        let registered = browser.ask(&query("nobody", CALLBACK), None).await;
        assert_eq!(code_of(registered), ErrorCode::InvalidClient);
        *documents.slow.lock().unwrap() = None;
        slow.notify_waiters();
        for one in waiting {
            one.await.unwrap();
        }
    }
    documents.publish(URL, CALLBACK);
    let browser = Browser::signed_in(&rooms).await;
    assert!(matches!(browser.ask(&query(URL, CALLBACK), None).await.unwrap(), Authorized::Consent(_)));
}

#[tokio::test]
async fn requests_at_addresses_that_strangers_have_registered_are_waited_for_only_so_often_at_once() {
    let (rooms, documents) = rooms(10).await;
    let uris: Vec<_> = (0..17).map(|number| format!("https://app.example/{number}")).collect();
    let registered =
        Registration { access_token: SecretHash::from_bytes([1; 32]), sector_identifier_uri: None };
    for (id, registration) in [("stranger", Some(registered)), ("known", None)] {
        let mut spec = rooms.spec(id, &["authorization_code"], None);
        spec.redirect_uris = vec![CALLBACK.to_owned()];
        (spec.settings.request_uris, spec.settings.registration) = (uris.clone(), registration);
        rooms.add(spec).await;
    }
    let (rooms, slow) = (Arc::new(rooms), Arc::new(Notify::new()));
    *documents.slow.lock().unwrap() = Some(("", slow.clone()));
    let ask = |id: &str, uri: &str| {
        let (rooms, query) = (rooms.clone(), format!("client_id={id}&request_uri={uri}"));
        tokio::spawn(async move {
            let answer = Browser::signed_in(&rooms).await.answer(&query, None).await;
            param(&answer, "error").map(str::to_owned)
        })
    };
    let mut waiting: Vec<_> = uris[..16].iter().map(|uri| ask("stranger", uri)).collect();
    while documents.asked().len() < 16 {
        tokio::task::yield_now().await;
    }
    let refused = ask("stranger", &uris[16]).await.unwrap();
    assert_eq!((refused.as_deref(), documents.asked().len()), (Some("temporarily_unavailable"), 16));
    // Clients of the operator's go on.
    waiting.push(ask("known", &uris[16]));
    while documents.asked().len() < 17 {
        tokio::task::yield_now().await;
    }
    *documents.slow.lock().unwrap() = None;
    slow.notify_waiters();
    for one in waiting {
        assert_eq!(one.await.unwrap().as_deref(), Some("invalid_request_uri"), "there is nothing");
    }
}
