//! Rules of [`crate::Clients`].
#![allow(missing_docs, reason = "each rule is said by its name")]

use std::num::NonZeroU32;

use obol_token::{Algorithm, ClientId, Denied, Expiry, Position};
use serde_json::json;
use tokio::task::JoinSet;

use super::samples::{
    Fresh, add_client, at, begin, changed, client, client_id, denial, family, hash, is_live, lifetime,
    log_end, people, replaced, scopes, told,
};
use crate::{
    AccessTokenFormat, AddOutcome, ApplicationType, AssertionAudience, Change, ChangeOutcome, Client,
    ClientAuthMethod, ClientKind, ClientSettings, GrantType, RegisterOutcome, Registration, ReplaceOutcome,
    Store, StoredSecret, SubjectType,
};

pub async fn an_added_client_is_found_as_it_was(store: Fresh) {
    let bare = Client {
        grants: Vec::new(),
        default_scopes: scopes(""),
        access_token_lifetime: lifetime(0),
        refresh_token_lifetime: lifetime(0),
        ..client("bare")
    };
    let rich = Client {
        name: "Schalter 7, \"Süd\"".to_owned(),
        kind: ClientKind::Confidential(sealed_secret(1)),
        enabled: false,
        grants: vec![GrantType::new("client_credentials"), GrantType::new("urn:ietf:params:x")],
        optional_scopes: scopes("admin audit"),
        redirect_uris: vec!["https://a.example/back?x=1".to_owned(), "app:/back".to_owned()],
        access_token_lifetime: lifetime(i64::from(u32::MAX)),
        may_introspect: true,
        single_family: true,
        settings: ClientSettings {
            application_type: ApplicationType::Native,
            require_pkce: false,
            require_pushed_authorization_requests: true,
            ask_consent: false,
            access_token_format: AccessTokenFormat::Jwt,
            token_endpoint_auth_method: Some(ClientAuthMethod::ClientSecretJwt),
            jwks: Some(json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }] })),
            jwks_uri: Some("https://a.example/keys".to_owned()),
            assertion_audience: AssertionAudience::TokenEndpoint,
            require_signed_request_object: true,
            request_object_signing_alg: Some(Algorithm::Rs256),
            request_uris: vec!["https://a.example/request#1".to_owned()],
            id_token_signed_response_alg: Algorithm::EdDsa,
            userinfo_signed_response_alg: Some(Algorithm::Ps256),
            subject_type: SubjectType::Pairwise,
            sector_identifier: Some("sector.example".to_owned()),
            policy_uri: Some("https://a.example/policy".to_owned()),
            tos_uri: Some("https://a.example/terms".to_owned()),
            default_max_age_secs: Some(u32::MAX),
            post_logout_redirect_uris: vec!["https://a.example/bye".to_owned()],
            backchannel_logout_uri: Some("https://a.example/told".to_owned()),
            backchannel_logout_session_required: true,
            resources: vec!["https://api.example/a b".to_owned()],
            from_metadata_document: true,
            longest_access_token_ttl: Some(0),
            family_lifetime_secs: NonZeroU32::new(86_400),
            registration: Some(Registration {
                access_token: hash("registration", 7),
                sector_identifier_uri: Some("https://sector.example/uris.json".to_owned()),
                may_update: false,
            }),
        },
        created_at: at(-5),
        ..client("rich")
    };
    for client in [bare, rich] {
        add_client(&*store, &client).await;
        assert_eq!(store.find_client(&client.id).await, Ok(Some(client)));
    }
    assert_eq!(store.find_client(&client_id("other")).await, Ok(None));
}

pub async fn client_ids_are_case_sensitive(store: Fresh) {
    let (lower, upper) = (client("gateway"), client("GATEWAY"));
    add_client(&*store, &lower).await;
    assert_eq!(store.find_client(&upper.id).await, Ok(None));
    add_client(&*store, &upper).await;
    assert_eq!(store.find_client(&lower.id).await, Ok(Some(lower)));
}

pub async fn an_added_client_is_told_to_the_nodes(store: Fresh) {
    let client = client("gateway");
    let position = add_client(&*store, &client).await;
    assert_eq!(told(&*store, &client.id.clone()).await, Some((position, Some(client))));
}

pub async fn an_id_in_use_is_taken(store: Fresh) {
    let first = client("gateway");
    let position = add_client(&*store, &first).await;
    let second = Client { name: "Another".to_owned(), ..client("gateway") };
    assert_eq!(store.add_client(&second).await, Ok(AddOutcome::Taken));
    assert_eq!(told(&*store, &first.id.clone()).await, Some((position, Some(first))));
}

pub async fn the_id_of_a_deleted_client_is_never_given_out_again(store: Fresh) {
    let client = client("gateway");
    add_client(&*store, &client).await;
    changed(store.delete_client(&client.id, at(1)).await.unwrap());
    assert_eq!(store.add_client(&client).await, Ok(AddOutcome::NeverAgain));
    assert_eq!(store.find_client(&client.id).await, Ok(None));
    assert_eq!(store.list_clients().await, Ok(Vec::new()));
}

pub async fn clients_are_listed_by_id(store: Fresh) {
    assert_eq!(store.list_clients().await, Ok(Vec::new()));
    for id in ["b", "B", "a", "_", "b1"] {
        add_client(&*store, &client(id)).await;
    }
    let listed = store.list_clients().await.unwrap();
    assert_eq!(listed, ["B", "_", "a", "b", "b1"].map(client));
}

pub async fn an_unknown_client_cannot_be_changed(store: Fresh) {
    people(&*store).await;
    let (end, id) = (log_end(&*store).await, client_id("other"));
    assert_eq!(store.set_client_enabled(&id, false, at(1)).await, Ok(ChangeOutcome::Unknown));
    let other = client("other");
    assert_eq!(store.change_client(&other, &other).await, Ok(ReplaceOutcome::Unknown));
    assert_eq!(store.set_client_secret(&other, &hash("secret", 1).into()).await, Ok(ReplaceOutcome::Unknown));
    assert_eq!(store.delete_client(&id, at(1)).await, Ok(ChangeOutcome::Unknown));
    assert_eq!(log_end(&*store).await, end);
}

pub async fn disabling_denies_the_tokens_and_ends_the_families(store: Fresh) {
    people(&*store).await;
    let (own, other) = (family(1, "fcare", "alice"), family(2, "gateway", "alice"));
    begin(&*store, &own).await;
    begin(&*store, &other).await;

    let position = changed(store.set_client_enabled(&own.client_id, false, at(1)).await.unwrap());
    assert_eq!(log_end(&*store).await, position);
    let denial = denial(&*store, &Denied::Client(own.client_id.clone())).await.unwrap();
    assert_eq!(denial.leaves_at, Expiry::Never);
    let disabled = Client { enabled: false, ..client("fcare") };
    assert_eq!(store.find_client(&own.client_id).await, Ok(Some(disabled.clone())));
    let (told_at, state) = told(&*store, &own.client_id).await.unwrap();
    assert_eq!((told_at.max(denial.position), state), (position, Some(disabled)));
    assert!(!is_live(&*store, &own).await);
    assert!(is_live(&*store, &other).await);
}

pub async fn whoever_knows_of_the_denial_knows_that_the_client_is_gone(store: Fresh) {
    people(&*store).await;
    let (disabled, deleted) = (client_id("fcare"), client_id("gateway"));
    let end = log_end(&*store).await;
    changed(store.set_client_enabled(&disabled, false, at(1)).await.unwrap());
    assert_state_before_denial(&*store, end, &disabled).await;
    let end = log_end(&*store).await;
    changed(store.delete_client(&deleted, at(1)).await.unwrap());
    assert_state_before_denial(&*store, end, &deleted).await;
}

/// Reads on one entry at a time, as if each were the end of a page, for one that knew the client as enabled.
async fn assert_state_before_denial(store: &dyn Store, mut after: Position, id: &ClientId) {
    let mut enabled = true;
    let mut denied = false;
    while let Some(entry) = store.read_after(after, 1).await.unwrap().pop() {
        after = entry.position;
        match entry.change {
            Change::Client(client) if client.id == *id => enabled = client.enabled,
            Change::ClientDeleted(deleted) if deleted == *id => enabled = false,
            Change::Denied(denial) if denial.what == Denied::Client(id.clone()) => denied = true,
            _ => {}
        }
        assert!(!(denied && enabled), "at {after} {id} is denied and looks enabled");
    }
    assert!(denied && !enabled, "{id}");
}

pub async fn disabling_twice_is_changed_twice(store: Fresh) {
    people(&*store).await;
    let id = client_id("fcare");
    for _ in 0..2 {
        let position = changed(store.set_client_enabled(&id, false, at(1)).await.unwrap());
        assert!(position <= log_end(&*store).await);
        assert!(!store.find_client(&id).await.unwrap().unwrap().enabled);
    }
}

pub async fn enabling_brings_nothing_back(store: Fresh) {
    people(&*store).await;
    let family = family(1, "fcare", "alice");
    begin(&*store, &family).await;
    changed(store.set_client_enabled(&family.client_id, false, at(1)).await.unwrap());
    let denied = Denied::Client(family.client_id.clone());
    let before = denial(&*store, &denied).await;

    let position = changed(store.set_client_enabled(&family.client_id, true, at(2)).await.unwrap());
    assert!(!is_live(&*store, &family).await);
    assert_eq!(denial(&*store, &denied).await, before);
    assert_eq!(told(&*store, &family.client_id).await, Some((position, Some(client("fcare")))));
}

pub async fn what_may_change_of_a_client_is_replaced_and_told_and_nothing_else(store: Fresh) {
    people(&*store).await;
    let family = family(1, "gateway", "alice");
    begin(&*store, &family).await;
    let before = store.find_client(&family.client_id).await.unwrap().unwrap();
    let wanted = Client {
        name: "Another name".to_owned(),
        grants: vec![GrantType::new("authorization_code")],
        default_scopes: scopes("one"),
        optional_scopes: scopes("two three"),
        redirect_uris: vec!["https://a/b".to_owned(), "https://a/c".to_owned()],
        access_token_lifetime: lifetime(7),
        refresh_token_lifetime: lifetime(8),
        may_introspect: !before.may_introspect,
        single_family: !before.single_family,
        settings: ClientSettings { require_pkce: false, ..before.settings.clone() },
        ..before.clone()
    };
    // None of these is for this method to change.
    let asked = Client {
        kind: ClientKind::Confidential(hash("secret", 9).into()),
        enabled: false,
        created_at: at(99),
        ..wanted.clone()
    };
    let position = replaced(store.change_client(&before, &asked).await.unwrap());
    assert_eq!(log_end(&*store).await, position);
    assert_eq!(store.find_client(&wanted.id).await, Ok(Some(wanted.clone())));
    assert_eq!(told(&*store, &wanted.id.clone()).await, Some((position, Some(wanted))));
    assert!(is_live(&*store, &family).await, "it ends no token");
}

pub async fn a_client_that_is_not_as_it_was_read_is_not_replaced(store: Fresh) {
    let read = Client { kind: ClientKind::Confidential(hash("secret", 1).into()), ..client("gateway") };
    let asked = Client { name: "Asked".to_owned(), ..read.clone() };
    add_client(&*store, &read).await;
    let id = &read.id;
    // Whatever another has changed meanwhile.
    for what in ["settings", "secret", "enabled"] {
        let read = store.find_client(id).await.unwrap().unwrap();
        match what {
            "settings" => {
                let settings = ClientSettings { require_pkce: false, ..read.settings.clone() };
                let restricted = Client { settings, ..read.clone() };
                replaced(store.change_client(&read, &restricted).await.unwrap());
            }
            "secret" => {
                replaced(store.set_client_secret(&read, &hash("secret", 2).into()).await.unwrap());
            }
            _ => {
                changed(store.set_client_enabled(id, false, at(1)).await.unwrap());
            }
        }
        let (now, end) = (store.find_client(id).await, log_end(&*store).await);
        assert_eq!(store.change_client(&read, &asked).await, Ok(ReplaceOutcome::Raced), "{what}");
        let secret = hash("secret", 3).into();
        assert_eq!(store.set_client_secret(&read, &secret).await, Ok(ReplaceOutcome::Raced), "{what}");
        assert_eq!((store.find_client(id).await, log_end(&*store).await), (now, end), "{what}");
    }
}

pub async fn of_50_parallel_replacements_of_one_client_one_replaces(store: Fresh) {
    let read = client("gateway");
    add_client(&*store, &read).await;
    let mut replacements = JoinSet::new();
    for number in 0..50 {
        let (store, read) = (store.clone(), read.clone());
        let asked = Client { name: format!("number {number}"), ..read.clone() };
        replacements.spawn(async move { (store.change_client(&read, &asked).await.unwrap(), asked) });
    }
    let (winners, others): (Vec<_>, Vec<_>) = replacements
        .join_all()
        .await
        .into_iter()
        .partition(|(outcome, _)| matches!(outcome, ReplaceOutcome::Replaced(_)));
    assert!(others.iter().all(|(outcome, _)| *outcome == ReplaceOutcome::Raced));
    let [(_, winner)] = &winners[..] else { panic!("{} replaced it", winners.len()) };
    assert_eq!(store.find_client(&read.id).await, Ok(Some(winner.clone())));
}

pub async fn a_new_secret_replaces_the_old(store: Fresh) {
    let mut client = Client { kind: ClientKind::Confidential(hash("secret", 1).into()), ..client("gateway") };
    add_client(&*store, &client).await;
    for secret in [hash("secret", 2).into(), sealed_secret(3), sealed_secret(4), hash("secret", 5).into()] {
        let position = replaced(store.set_client_secret(&client, &secret).await.unwrap());
        client.kind = ClientKind::Confidential(secret);
        assert_eq!(store.find_client(&client.id).await, Ok(Some(client.clone())));
        assert_eq!(told(&*store, &client.id).await, Some((position, Some(client.clone()))));
    }
}

pub async fn a_client_without_a_secret_has_none_to_replace(store: Fresh) {
    for client in [client("fcare"), keyed("gateway")] {
        let position = add_client(&*store, &client).await;
        let outcome = store.set_client_secret(&client, &hash("secret", 1).into()).await;
        assert_eq!(outcome, Ok(ReplaceOutcome::Unknown));
        assert_eq!(told(&*store, &client.id.clone()).await, Some((position, Some(client))));
    }
}

pub async fn the_kind_of_a_client_without_a_secret_is_that_of_its_settings(store: Fresh) {
    let keyed = keyed("gateway");
    add_client(&*store, &keyed).await;
    assert_eq!(store.find_client(&keyed.id).await, Ok(Some(keyed.clone())));
    let public = Client { kind: ClientKind::Public, settings: ClientSettings::default(), ..keyed.clone() };
    replaced(store.change_client(&keyed, &public).await.unwrap());
    assert_eq!(store.find_client(&public.id).await, Ok(Some(public)));
}

/// A client that authenticates with its key.
fn keyed(id: &str) -> Client {
    let settings = ClientSettings {
        token_endpoint_auth_method: Some(ClientAuthMethod::PrivateKeyJwt),
        ..ClientSettings::default()
    };
    Client { kind: ClientKind::Keyed, settings, ..client(id) }
}

/// One that is kept under the master key as well.
fn sealed_secret(number: u8) -> StoredSecret {
    StoredSecret { hash: hash("secret", number), sealed: Some(vec![number; 90]) }
}

pub async fn deleting_denies_the_tokens_and_ends_the_families(store: Fresh) {
    people(&*store).await;
    let (own, other) = (family(1, "fcare", "alice"), family(2, "gateway", "alice"));
    begin(&*store, &own).await;
    begin(&*store, &other).await;

    let position = changed(store.delete_client(&own.client_id, at(1)).await.unwrap());
    assert_eq!(log_end(&*store).await, position);
    let denial = denial(&*store, &Denied::Client(own.client_id.clone())).await.unwrap();
    assert_eq!(denial.leaves_at, Expiry::Never);
    let (told_at, state) = told(&*store, &own.client_id).await.unwrap();
    assert_eq!((told_at.max(denial.position), state), (position, None));
    assert!(!is_live(&*store, &own).await);
    assert!(is_live(&*store, &other).await);
    assert_eq!(store.list_clients().await, Ok(vec![client("gateway")]));
}

pub async fn a_deleted_client_cannot_be_changed(store: Fresh) {
    let client = Client { kind: ClientKind::Confidential(hash("secret", 1).into()), ..client("gateway") };
    add_client(&*store, &client).await;
    let position = changed(store.delete_client(&client.id, at(1)).await.unwrap());
    let id = &client.id;
    assert_eq!(store.set_client_enabled(id, true, at(2)).await, Ok(ChangeOutcome::Unknown));
    assert_eq!(store.change_client(&client, &client).await, Ok(ReplaceOutcome::Unknown));
    assert_eq!(
        store.set_client_secret(&client, &hash("secret", 2).into()).await,
        Ok(ReplaceOutcome::Unknown)
    );
    assert_eq!(store.delete_client(id, at(2)).await, Ok(ChangeOutcome::Unknown));
    assert_eq!(log_end(&*store).await, position);
    assert_eq!(store.find_client(id).await, Ok(None));
}

pub async fn so_many_clients_are_registered_and_no_more_deleted_ones_counted(store: Fresh) {
    let register = async |id: &str, most: u32| store.register_client(&client(id), most).await.unwrap();
    let registered = |outcome| matches!(outcome, RegisterOutcome::Registered(_));
    for id in ["re", "reg", "reg`a", "reh_", "app"] {
        add_client(&*store, &client(id)).await;
    }
    assert!(registered(register("reg_a", 2).await));
    assert_eq!(register("reg_a", 2).await, RegisterOutcome::Taken);
    assert!(registered(register("reg_b", 2).await));
    assert_eq!(register("reg_c", 2).await, RegisterOutcome::TooMany);
    changed(store.delete_client(&client_id("reg_a"), at(1)).await.unwrap());
    assert_eq!(register("reg_c", 2).await, RegisterOutcome::TooMany, "its id stays taken");
    assert_eq!(register("reg_a", 3).await, RegisterOutcome::Taken);
    assert_eq!(store.find_client(&client_id("reg_c")).await, Ok(None));
    assert!(registered(register("reg_c", 3).await));
    let known = told(&*store, &client_id("reg_c")).await.and_then(|(_, state)| state);
    assert_eq!(known, Some(client("reg_c")));
}

pub async fn of_50_parallel_adds_of_one_id_one_adds(store: Fresh) {
    let mut adds = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        let client = Client { name: format!("number {number}"), ..client("gateway") };
        adds.spawn(async move { (store.add_client(&client).await.unwrap(), client) });
    }
    let (added, others): (Vec<_>, Vec<_>) =
        adds.join_all().await.into_iter().partition(|(outcome, _)| matches!(outcome, AddOutcome::Added(_)));
    assert!(others.iter().all(|(outcome, _)| *outcome == AddOutcome::Taken));
    let [(_, winner)] = &added[..] else { panic!("{} were added", added.len()) };
    assert_eq!(store.list_clients().await, Ok(vec![winner.clone()]));
}
