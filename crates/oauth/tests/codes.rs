//! Codes: good once, for their time, for who shows what belongs to them.

mod rooms;

use obol_oauth::administration::{ClientSpec, change_client};
use obol_oauth::{Authorized, Decision, ErrorCode, Params};
use obol_replica::Clock;
use obol_store::{AuditEvent, SessionEndRevokes};
use obol_token::{ClientId, Timestamp};
use rooms::browser::{Browser, CALLBACK, CHALLENGE, VERIFIER};
use rooms::{ALICE, Rooms, START_SECS};

async fn open() -> Rooms {
    let rooms = Rooms::open().await;
    let mut spec = rooms.spec("people", &["authorization_code", "refresh_token"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    spec.default_scopes = "openid".parse().unwrap();
    rooms.add(spec).await;
    rooms
}

#[tokio::test(flavor = "multi_thread")]
async fn s_26_a_code_is_good_until_the_second_it_expires() {
    for (secs, good) in [(0, true), (59, true), (60, false), (61, false)] {
        let rooms = open().await;
        let alice = Browser::signed_in(&rooms).await;
        let code = alice.code("").await;
        rooms.clock.set_secs_after_start(secs);
        let redeemed = alice.redeem(&code, VERIFIER).await;
        match good {
            true => assert!(rooms.stands_at("people", &redeemed.unwrap().access_token).await, "{secs}"),
            false => assert_eq!(redeemed.unwrap_err().code(), ErrorCode::InvalidGrant, "{secs}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_25_a_late_valid_replay_ends_the_family_and_one_at_the_same_time_ends_nothing() {
    for (secs, ends) in [(0, false), (1, false), (2, true), (59, true), (600, true)] {
        let rooms = open().await;
        let alice = Browser::signed_in(&rooms).await;
        let code = alice.code("").await;
        let pair = alice.redeem(&code, VERIFIER).await.unwrap();
        rooms.clock.set_secs_after_start(secs);
        assert_eq!(alice.redeem(&code, VERIFIER).await.unwrap_err().code(), ErrorCode::InvalidGrant);
        // Asked as of the beginning, when the token had not expired yet.
        rooms.clock.set_secs_after_start(secs.min(30));
        assert_eq!(rooms.stands_at("people", &pair.access_token).await, !ends, "{secs}");
        assert_eq!(rooms.audit.events().contains(&AuditEvent::CodeReused), ends, "{secs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_25_a_replay_that_does_not_show_what_belongs_to_the_code_ends_nothing() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let code = alice.code("").await;
    let pair = alice.redeem(&code, VERIFIER).await.unwrap();
    rooms.clock.set_secs_after_start(10);
    let other_verifier = "x".repeat(43);
    for verifier in [CHALLENGE, &other_verifier, ""] {
        let refused = alice.redeem(&code, verifier).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidGrant, "{verifier}");
        assert!(rooms.stands_at("people", &pair.access_token).await, "{verifier}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_verifier_does_not_use_the_code_up() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let code = alice.code("").await;
    alice.redeem(&code, CHALLENGE).await.unwrap_err();
    assert!(alice.redeem(&code, VERIFIER).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn s_24_of_fifty_uses_at_once_one_succeeds_and_its_tokens_stand() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let code = alice.code("").await;
    let mut answers = Vec::new();
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Handle::current();
        let (alice, code) = (&alice, &code);
        let uses: Vec<_> = (0..50)
            .map(|_| {
                let runtime = runtime.clone();
                scope.spawn(move || runtime.block_on(alice.redeem(code, VERIFIER)))
            })
            .collect();
        answers = uses.into_iter().map(|one| one.join().unwrap()).collect();
    });
    let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), refused.len()), (1, 49));
    for refusal in refused {
        assert_eq!(refusal.unwrap_err().code(), ErrorCode::InvalidGrant);
    }
    let pair = good.into_iter().next().unwrap().unwrap();
    assert!(rooms.stands_at("people", &pair.access_token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_core_3_1_2_1_max_age_and_prompt_have_their_edges() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    alice.code("").await;
    let began = |secs: i64| Timestamp::from_secs(START_SECS + secs);
    for (more, now_secs, began_secs, signs_in_again) in [
        ("&max_age=100", 100, 100, false),
        ("&max_age=100", 101, 101, true),
        ("&max_age=0", 0, 1, true),
        ("&max_age=0", 1, 1, true),
        ("&max_age=0", 1, 0, false),
        ("&prompt=login", 50, 50, true),
        ("&prompt=login", 50, 0, false),
        ("", 5_000, 5_000, false),
    ] {
        rooms.clock.set_secs_after_start(now_secs);
        let next = alice.ask_since(&Browser::query(more), None, began(began_secs)).await.unwrap();
        assert_eq!(matches!(next, Authorized::SignIn(_)), signs_in_again, "{more} {now_secs}: {next:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_71_a_code_dies_with_what_it_came_from() {
    let rooms = open().await;
    let now = rooms.clock.wall();
    let client = "people".parse().unwrap();
    let username = "alice".parse().unwrap();
    for cause in ["session", "consent", "password", "person", "client"] {
        let alice = Browser::signed_in(&rooms).await;
        let code = alice.code("").await;
        let other = alice.code("").await;
        let pair = alice.redeem(&other, VERIFIER).await.unwrap();
        let store = &rooms.store;
        let ended = match cause {
            "session" => store
                .end_session(alice.person.session, ALICE, SessionEndRevokes::Everything, now)
                .await
                .unwrap(),
            "consent" => store.withdraw_consent(ALICE, &client, now).await.unwrap(),
            _ => None,
        };
        let changed = match cause {
            "password" => {
                let hash = obol_store::PasswordHash::from_phc("another");
                Some(store.set_user_password(&username, &hash, now).await.unwrap())
            }
            "person" => Some(store.set_user_enabled(&username, false, now).await.unwrap()),
            "client" => Some(store.set_client_enabled(&client, false, now).await.unwrap()),
            _ => None,
        };
        let changed = changed.map(|outcome| match outcome {
            obol_store::ChangeOutcome::Changed(appended) => appended,
            obol_store::ChangeOutcome::Unknown => panic!("{cause}"),
        });
        let _ = rooms.replica.confirm(ended.or(changed).unwrap()).await.unwrap();
        let refused = alice.redeem(&code, VERIFIER).await.unwrap_err().code();
        assert!(
            matches!(refused, ErrorCode::InvalidGrant | ErrorCode::InvalidClient),
            "{cause}: {refused:?}"
        );
        assert!(!rooms.stands_at("people", &pair.access_token).await, "{cause}");
        // Nor does it come back with what was switched off.
        let _ = store.set_user_enabled(&username, true, now).await.unwrap();
        let enabled = store.set_client_enabled(&client, true, now).await.unwrap();
        let obol_store::ChangeOutcome::Changed(enabled) = enabled else { panic!("{cause}") };
        let _ = rooms.replica.confirm(enabled).await.unwrap();
        let refused = alice.redeem(&code, VERIFIER).await.unwrap_err().code();
        assert_eq!(refused, ErrorCode::InvalidGrant, "{cause}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_says_no_is_believed() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let answer = alice.answer(&Browser::query(""), Some(Decision::Deny)).await;
    let expected = vec![("error", "access_denied"), ("state", "xyz"), ("iss", "https://id.example.com")];
    let said: Vec<_> = answer
        .params
        .iter()
        .filter(|(name, _)| *name != "error_description")
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(said, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn s_59_a_family_ends_at_its_absolute_end_with_all_its_tokens() {
    let rooms = Rooms::open().await;
    let mut spec = rooms.spec("people", &["authorization_code", "refresh_token"], None);
    spec.redirect_uris = vec![CALLBACK.to_owned()];
    spec.settings.family_lifetime_secs = std::num::NonZeroU32::new(30);
    rooms.add(spec).await;
    let alice = Browser::signed_in(&rooms).await;
    let first = alice.redeem(&alice.code("").await, VERIFIER).await.unwrap();
    assert_eq!(first.expires_in, 30);
    rooms.clock.set_secs_after_start(20);
    let rooms = &rooms;
    let refresh = |token: String| async move {
        let form = format!("grant_type=refresh_token&client_id=people&refresh_token={token}");
        match rooms.ask(rooms::TOKEN, &form, "").await? {
            obol_oauth::Outcome::Done(obol_oauth::Answer::Token(token)) => Ok(token),
            other => panic!("{other:?}"),
        }
    };
    let second: obol_oauth::TokenAnswer = refresh(first.refresh_token.clone().unwrap()).await.unwrap();
    assert_eq!(second.expires_in, 10);
    for (secs, stands) in [(29, true), (30, false)] {
        rooms.clock.set_secs_after_start(secs);
        for token in [&first.access_token, &second.access_token] {
            assert_eq!(rooms.stands_at("people", token).await, stands, "{secs}");
        }
    }
    let late: obol_oauth::OAuthError = refresh(second.refresh_token.clone().unwrap()).await.unwrap_err();
    assert_eq!(late.code(), ErrorCode::InvalidGrant);
}

#[tokio::test(flavor = "multi_thread")]
async fn rp_logout_2_oidc_core_3_1_2_1_an_id_token_that_has_expired_is_a_hint_all_the_same() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let given = alice.redeem(&alice.code("").await, VERIFIER).await.unwrap();
    let hint = format!("id_token_hint={}", given.id_token.as_deref().unwrap());
    rooms.clock.set_secs_after_start(3_601);
    let params = Params::from_form(hint.as_bytes()).unwrap();
    let asked = rooms.engine.sign_out(&params, Some(&alice.person)).unwrap();
    assert!(!asked.ask, "who brings it is believed");
    let query = Browser::query(&format!("&prompt=none&{hint}"));
    assert!(matches!(alice.ask(&query, None).await.unwrap(), Authorized::Answer(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn s_35_an_answer_allows_what_the_page_has_shown_and_no_other_way_back() {
    let rooms = open().await;
    let alice = Browser::signed_in(&rooms).await;
    let query =
        format!("client_id=people&response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256");
    let Authorized::Consent(asked) = alice.ask(&query, None).await.unwrap() else { panic!("she is asked") };
    let elsewhere = "https://elsewhere.example/callback";
    let move_on = |spec: &mut ClientSpec| spec.redirect_uris = vec![elsewhere.to_owned()];
    let moved = change_client(&*rooms.store, &ClientId::new("people").unwrap(), move_on).await.unwrap();
    let _everywhere = rooms.replica.confirm(moved).await.unwrap();
    let allowed = async |shown: &str| {
        let now = rooms.clock.wall();
        alice.handed_in(&query, Some(Decision::Allow), Some(shown), now, false).await.unwrap()
    };
    let Authorized::Consent(again) = allowed(&asked.shown).await else { panic!("she is asked again") };
    assert_eq!(again.destination, "elsewhere.example");
    let Authorized::Answer(answer) = allowed(&again.shown).await else { panic!("now she has seen it") };
    assert_eq!(answer.redirect_uri, elsewhere);
}
