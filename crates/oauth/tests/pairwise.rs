//! What a client is told that knows people by subjects of its own sector (OpenID Connect Core §8): nothing that names them.

mod rooms;

use obol_oauth::administration::{ClientSpec, change_client};
use obol_oauth::{About, Answer, Introspection, Outcome, Userinfo};
use obol_store::{ReplaceOutcome, SubjectType};
use obol_token::ClientId;
use rooms::browser::{Browser, CALLBACK, VERIFIER};
use rooms::{GATEWAY_SECRET, INTROSPECT, Rooms, VERIFY};

const FORTI_USERINFO: &str = "/api/v1/oauth/userinfo";

/// With the client `people`, which knows people by pairwise subjects and may ask for `openid`, `email` and `groups`.
async fn open() -> Rooms {
    let rooms = Rooms::open().await;
    let mut spec = rooms.spec("people", &["authorization_code", "password", "refresh_token"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    spec.default_scopes = "openid".parse().unwrap();
    spec.optional_scopes = "email groups".parse().unwrap();
    spec.settings.subject_type = SubjectType::Pairwise;
    rooms.add(spec).await;
    let profile = [("groups".to_owned(), vec!["staff"].into())].into_iter().collect();
    let username = "alice".parse().unwrap();
    let email = Some("alice@example.org");
    let former = rooms.store.find_user(&username).await.unwrap().unwrap();
    let replaced = rooms.store.set_user_profile(&former, email, &profile).await.unwrap();
    assert!(matches!(replaced, ReplaceOutcome::Replaced(_)), "{replaced:?}");
    rooms
}

async fn userinfo(rooms: &Rooms, access_token: &str) -> Userinfo {
    let asked = rooms.ask(FORTI_USERINFO, "", &format!("Bearer {access_token}")).await;
    match asked.unwrap() {
        Outcome::Done(Answer::Userinfo(userinfo)) => userinfo,
        other => panic!("{other:?}"),
    }
}

/// `username` of `verify_token/`, `username` and `sub` of introspection.
async fn names(rooms: &Rooms, access_token: &str) -> [String; 3] {
    let bearer = format!("Bearer {access_token}");
    let verified = match rooms.ask(VERIFY, "client_id=people", &bearer).await.unwrap() {
        Outcome::Done(Answer::Verification(verified)) => verified.username.into_owned(),
        other => panic!("{other:?}"),
    };
    let form = format!("client_id=gateway&client_secret={GATEWAY_SECRET}&token={access_token}");
    match rooms.ask(INTROSPECT, &form, "").await.unwrap() {
        Outcome::Done(Answer::Introspection(Introspection::Active { username, sub, .. })) => match sub {
            About::Named(sub) => [verified, username.into_owned(), sub.into_owned()],
            About::Person(subject) => panic!("{subject}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_core_8_a_token_names_nobody_whatever_grant_gave_it() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let by_code = alice.redeem(&alice.code("").await, VERIFIER).await.unwrap();
    let by_password = rooms.sign_in_at("people").await;
    let subject = userinfo(&rooms, &by_code.access_token).await.sub;
    assert_ne!(subject, rooms::ALICE.to_string());
    for token in [&by_code.access_token, &by_password.access_token] {
        assert_eq!(names(&rooms, token).await, [&*subject; 3]);
        assert_eq!(userinfo(&rooms, token).await.sub, subject);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_userinfo_of_fortiauthenticator_reaches_as_far_as_the_scopes_where_subjects_are_pairwise() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    for (more, email, groups) in [
        ("", None, &[][..]),
        ("&scope=openid+email", Some("alice@example.org"), &[]),
        ("&scope=openid+groups", None, &["staff"]),
    ] {
        let tokens = alice.redeem(&alice.code(more).await, VERIFIER).await.unwrap();
        let told = userinfo(&rooms, &tokens.access_token).await;
        assert_eq!(told.username, told.sub, "{more}");
        assert_eq!(told.email.as_deref(), email, "{more}");
        assert_eq!(told.groups, groups, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_core_8_1_a_new_redirect_uri_changes_nobody_s_subject() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let before = alice.redeem(&alice.code("").await, VERIFIER).await.unwrap();
    let subject = userinfo(&rooms, &before.access_token).await.sub;
    let id = ClientId::new("people").unwrap();
    let elsewhere = "https://elsewhere.example/callback";
    let moved = change_client(&*rooms.store, &id, |spec| spec.redirect_uris = vec![elsewhere.to_owned()]);
    let appended = moved.await.unwrap();
    let _everywhere = rooms.replica.confirm(appended).await.unwrap();
    assert_eq!(userinfo(&rooms, &before.access_token).await.sub, subject);
}

async fn sector_of(rooms: &Rooms, id: &str) -> Option<String> {
    let client = rooms.store.find_client(&id.parse().unwrap()).await.unwrap().unwrap();
    client.settings.sector_identifier
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_core_8_1_the_sector_is_the_host_and_stays_what_it_is() {
    let rooms = open().await;
    let (host, with_port) = ("app.example.com", "app.example.com:8443");
    // By the same host; and as it was named before, whatever would come of it now.
    for (id, named, sector) in [("ports", None, host), ("before", Some(with_port), with_port)] {
        let mut spec = rooms.spec(id, &["authorization_code"], None);
        spec.redirect_uris = vec!["https://app.example.com:8443/cb".to_owned(), CALLBACK.to_owned()];
        spec.settings.subject_type = SubjectType::Pairwise;
        spec.settings.sector_identifier = named.map(str::to_owned);
        rooms.add(spec).await;
        assert_eq!(sector_of(&rooms, id).await.as_deref(), Some(sector));
        let renamed = |spec: &mut ClientSpec| spec.name = "renamed".to_owned();
        let _appended = change_client(&*rooms.store, &id.parse().unwrap(), renamed).await.unwrap();
        assert_eq!(sector_of(&rooms, id).await.as_deref(), Some(sector));
    }
    assert_eq!(sector_of(&rooms, "people").await.as_deref(), Some(host));
}
