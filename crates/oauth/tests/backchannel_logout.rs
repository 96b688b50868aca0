//! Telling clients of logouts: when it is tried again, when it is given up, and that a node without a lease tells nobody.

mod rooms;

use std::sync::Arc;
use std::time::Duration;

use obol_oauth::administration::{ClientSpec, change_client};
use obol_oauth::{ErrorCode, LogoutTold, NoWayOut, Outgoing, OutgoingError};
use obol_replica::{Clock, LeaseOptions};
use obol_store::{AuditEvent, ChangeOutcome, LogoutNotice, SessionEndRevokes};
use obol_token::ClientId;
use rooms::browser::{Browser, CALLBACK, VERIFIER};
use rooms::others::Others;
use rooms::{ALICE, Rooms};

const TOLD: &str = "https://app.example.com/told";

/// Every client is at an address that nobody may ask. One session of the client `people` has ended at the start.
async fn open(lease_secs: u64) -> Rooms {
    open_to(lease_secs, Arc::new(NoWayOut)).await
}

/// The same with a way out.
async fn open_to(lease_secs: u64, outgoing: Arc<dyn Outgoing>) -> Rooms {
    let lease = Duration::from_secs(lease_secs);
    let rooms = Rooms::open_to(LeaseOptions { lease, ..LeaseOptions::default() }, outgoing).await;
    let mut spec = rooms.spec("people", &["authorization_code", "refresh_token"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    spec.default_scopes = "openid".parse().unwrap();
    spec.settings.backchannel_logout_uri = Some(TOLD.to_owned());
    rooms.add(spec).await;
    let alice = Browser::signed_in(&rooms).await;
    let code = alice.code("").await;
    alice.redeem(&code, VERIFIER).await.unwrap();
    let (session, now) = (alice.person.session, rooms.clock.wall());
    let ended = rooms.store.end_session(session, ALICE, SessionEndRevokes::Everything, now).await;
    assert!(ended.unwrap().is_some());
    rooms
}

fn people() -> ClientId {
    "people".parse().unwrap()
}

/// What is due, and the seconds until more is.
async fn due(rooms: &Rooms) -> (Vec<LogoutNotice>, Option<i64>) {
    let notices = rooms.engine.take_notices(&people(), 10).await.unwrap();
    let waiting = rooms.engine.clients_to_tell().await.unwrap();
    assert!(waiting.iter().all(|client| client.client_id == people()));
    (notices, waiting.first().map(|client| client.due_in_secs))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_tried_for_a_day_less_and_less_often_and_then_given_up() {
    let rooms = open(200_000).await;
    let (mut now_secs, mut waits) = (0, Vec::new());
    let failure = loop {
        let (notices, until_another_node_tries) = due(&rooms).await;
        assert_eq!(until_another_node_tries, Some(30));
        assert_eq!(notices.iter().map(|notice| notice.tries as usize).collect::<Vec<_>>(), [waits.len() + 1]);
        match rooms.engine.tell_of_logout(&notices[0]).await.unwrap() {
            LogoutTold::PutOff { .. } => {}
            LogoutTold::GivenUp { failure } => break failure,
            other => panic!("{other:?}"),
        }
        let (early, wait) = due(&rooms).await;
        assert_eq!(early, []);
        let wait = wait.unwrap();
        waits.push(wait);
        now_secs += wait;
        rooms.clock.set_secs_after_start(now_secs);
    };
    assert!((5..=6).contains(&waits[0]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 600) && waits.iter().filter(|wait| **wait >= 480).count() > 100);
    assert!((86_400 - 600..86_400).contains(&now_secs), "{now_secs}");
    assert!(failure.contains("asks no other"), "{failure}");
    assert_eq!(rooms.engine.clients_to_tell().await.unwrap(), []);
    assert_eq!(rooms.audit.events().last(), Some(&AuditEvent::LogoutNotTold));
}

/// However often, and it counts as no try: the client has refused nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_has_found_no_place_is_tried_again_soon() {
    let others = Arc::new(Others::default());
    let busy = || Err(OutgoingError::Busy("too much is asked".to_owned()));
    let down = || Err(OutgoingError::Failed("it is down".to_owned()));
    others.publish_as(TOLD, busy(), busy());
    let rooms = open_to(7_200, others.clone()).await;
    let mut now_secs = 0;
    for _ in 0..10 {
        let (notices, _) = due(&rooms).await;
        let told = rooms.engine.tell_of_logout(&notices[0]).await.unwrap();
        assert_eq!(told, LogoutTold::PutOff { failure: "too much is asked".to_owned() });
        let (_, wait) = due(&rooms).await;
        assert!(wait.is_some_and(|secs| (5..=6).contains(&secs)), "{wait:?}");
        now_secs += wait.unwrap();
        rooms.clock.set_secs_after_start(now_secs);
    }
    others.publish_as(TOLD, down(), down());
    let (notices, _) = due(&rooms).await;
    let told = rooms.engine.tell_of_logout(&notices[0]).await.unwrap();
    assert_eq!(told, LogoutTold::PutOff { failure: "it is down".to_owned() });
    let (_, wait) = due(&rooms).await;
    assert!(wait.is_some_and(|secs| (5..=6).contains(&secs)), "{wait:?}");
    rooms.clock.set_secs_after_start(now_secs + wait.unwrap());

    others.publish(TOLD, "");
    let (notices, _) = due(&rooms).await;
    assert_eq!(rooms.engine.tell_of_logout(&notices[0]).await.unwrap(), LogoutTold::Told);
    assert_eq!(rooms.engine.clients_to_tell().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_gone_or_wants_to_know_no_more_is_not_told_what_waits() {
    for gone in ["disabled", "deleted", "silenced"] {
        let rooms = open(7_200).await;
        let now = rooms.clock.wall();
        let (notices, _) = due(&rooms).await;
        let changed = match gone {
            "disabled" => rooms.store.set_client_enabled(&people(), false, now).await.unwrap(),
            "deleted" => rooms.store.delete_client(&people(), now).await.unwrap(),
            _ => {
                let silence = |spec: &mut ClientSpec| spec.settings.backchannel_logout_uri = None;
                ChangeOutcome::Changed(change_client(&*rooms.store, &people(), silence).await.unwrap())
            }
        };
        let ChangeOutcome::Changed(appended) = changed else { panic!("{changed:?}") };
        let _ = rooms.replica.confirm(appended).await.unwrap();
        let told = rooms.engine.tell_of_logout(&notices[0]).await;
        assert_eq!(told.unwrap(), LogoutTold::NotToBeTold, "{gone}");
        assert_eq!(rooms.engine.clients_to_tell().await.unwrap(), [], "{gone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_lease_tells_nobody() {
    let rooms = open(10).await;
    let (notices, _) = due(&rooms).await;
    rooms.take_database_away();
    rooms.clock.set_secs_after_start(11);
    let refused = |code: ErrorCode| assert_eq!(code, ErrorCode::Unavailable);
    refused(rooms.engine.clients_to_tell().await.unwrap_err().code());
    refused(rooms.engine.take_notices(&people(), 10).await.unwrap_err().code());
    refused(rooms.engine.tell_of_logout(&notices[0]).await.unwrap_err().code());
}
