//! Several nodes on one database, each with a store of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use obol_store::{
    AddCodeOutcome, AddOutcome, BeginOutcome, BeginSessionOutcome, ChangeLog, ChangeOutcome, Client,
    ClientKind, ClientSettings, Clients, Codes, Consent, Consents, Denials, Deny, Families, GrantType,
    NewCode, NewFamily, NewSession, PasswordHash, Profile, RedeemOutcome, Redemption, SessionEndRevokes,
    Sessions, User, Users,
};
use obol_store_postgres::{PostgresOptions, PostgresStore};
use obol_testkit::Postgres;
use obol_token::{
    ClientId, Expiry, FamilyId, Lifetime, Position, SecretHash, SessionId, SubjectId, Timestamp, TokenId,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const NOW: Timestamp = Timestamp::from_secs(4_000_000_000);
const ALICE: SubjectId = SubjectId::from_bytes([7; 16]);

async fn nodes<const N: usize>(server: &Postgres) -> [Arc<PostgresStore>; N] {
    let options = PostgresOptions::new(&server.database());
    PostgresStore::migrate(&options).await.unwrap();
    let mut stores = Vec::new();
    for _ in 0..N {
        stores.push(Arc::new(PostgresStore::open(&options).await.unwrap()));
    }
    stores.try_into().unwrap_or_else(|_| panic!("as many as were made"))
}

fn client() -> Client {
    Client {
        id: ClientId::new("fcare").unwrap(),
        name: "A client".to_owned(),
        kind: ClientKind::Public,
        enabled: true,
        grants: vec![GrantType::new("password")],
        default_scopes: "read".parse().unwrap(),
        optional_scopes: "write".parse().unwrap(),
        redirect_uris: Vec::new(),
        access_token_lifetime: Lifetime::from_setting_secs(3_600),
        refresh_token_lifetime: Lifetime::from_setting_secs(3_600),
        may_introspect: false,
        single_family: false,
        settings: ClientSettings::default(),
        created_at: NOW,
    }
}

fn user(id: SubjectId, name: &str) -> User {
    User {
        id,
        username: name.parse().unwrap(),
        email: None,
        profile: Profile::default(),
        password: PasswordHash::from_phc("$argon2id$"),
        enabled: true,
        created_at: NOW,
    }
}

fn family(number: u16, position: Position) -> NewFamily {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_le_bytes());
    let mut hash = [1; 32];
    hash[..2].copy_from_slice(&number.to_le_bytes());
    NewFamily {
        id: FamilyId::from_bytes(id),
        client_id: client().id,
        subject: ALICE,
        scopes: "read".parse().unwrap(),
        lineage: SecretHash::from_bytes(hash),
        current: SecretHash::from_bytes(hash),
        issued_at: NOW,
        refresh_expires_at: Expiry::Never,
        access_expires_at: Expiry::Never,
        single: false,
        session: None,
        details: String::new(),
        position,
    }
}

async fn add_alice_and_client(store: &PostgresStore) {
    assert!(matches!(store.add_client(&client()).await, Ok(AddOutcome::Added(_))));
    assert!(matches!(store.add_user(&user(ALICE, "alice")).await, Ok(AddOutcome::Added(_))));
}

async fn deny_token(store: &PostgresStore, writer: u8, number: u8) -> Position {
    let mut id = [0; 16];
    (id[0], id[1]) = (writer, number);
    let deny = Deny::Token { id: TokenId::from_bytes(id), expires_at: Expiry::Never };
    store.deny(&deny, NOW).await.unwrap().position()
}

/// Both at once; for some rounds one after the other, in either order, so that each order has come up.
async fn in_turn<A, B>(round: u16, one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    match round % 10 {
        8 => {
            let one = one.await;
            (one, other.await)
        }
        9 => {
            let other = other.await;
            (one.await, other)
        }
        round if round % 2 == 0 => tokio::join!(one, other),
        _ => {
            let (other, one) = tokio::join!(other, one);
            (one, other)
        }
    }
}

/// One node denies a person and ends what she has; another begins a family for her, having read the log before that.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_family_begun_on_one_node_outlives_a_denial_on_another() {
    let server = Postgres::shared();
    let [here, there] = nodes(&server).await;
    add_alice_and_client(&here).await;
    let (mut begun, mut gone) = (0, 0);
    for round in 0..150 {
        let read_to = there.timeline().await.unwrap().1;
        let family = family(round, read_to);
        let person = Deny::Subject(ALICE);
        let (denied, began) = in_turn(round, here.deny(&person, NOW), there.begin_family(&family)).await;
        let denied = denied.unwrap();
        match began.unwrap() {
            BeginOutcome::Gone => gone += 1,
            BeginOutcome::Begun(_) => {
                begun += 1;
                let stored = there.find_family(family.lineage).await.unwrap().unwrap();
                assert_eq!(stored.ended, Some(denied), "round {round}: it was begun before, and lives");
            }
        }
    }
    assert!(begun > 0 && gone > 0, "{begun} begun, {gone} gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_family_begun_on_one_node_outlives_a_disabling_on_another() {
    let server = Postgres::shared();
    let [here, there] = nodes(&server).await;
    add_alice_and_client(&here).await;
    let alice = "alice".parse().unwrap();
    for round in 0..60 {
        let family = family(round, Position::new(i64::MAX as u64));
        let (disabled, began) =
            tokio::join!(here.set_user_enabled(&alice, false, NOW), there.begin_family(&family));
        assert!(matches!(disabled, Ok(ChangeOutcome::Changed(_))));
        began.unwrap();
        assert_eq!(here.count_families(&Deny::Subject(ALICE), NOW).await, Ok(0), "round {round}");
        let enabled = here.set_user_enabled(&alice, true, NOW).await;
        assert!(matches!(enabled, Ok(ChangeOutcome::Changed(_))));
    }
}

fn session(number: u8) -> NewSession {
    NewSession {
        id: SessionId::from_bytes([number; 16]),
        secret: SecretHash::from_bytes([number; 32]),
        subject: ALICE,
        authenticated_at: NOW,
        methods: "pwd".to_owned(),
        idle_ends_at: NOW.plus_secs(600),
        ends_at: NOW.plus_secs(3_600),
        user_agent: String::new(),
        source: String::new(),
        position: Position::new(i64::MAX as u64),
    }
}

/// Begins the session and keeps a code that was given in it.
async fn give_code(store: &PostgresStore, session: &NewSession) -> NewCode {
    let begun = store.begin_session(session, None).await;
    assert_eq!(begun, Ok(BeginSessionOutcome::Begun(session.id)));
    let consent =
        Consent { subject: ALICE, client_id: client().id, scopes: "read".parse().unwrap(), given_at: NOW };
    store.give_consent(&consent).await.unwrap();
    let code = NewCode {
        hash: session.secret,
        client_id: client().id,
        subject: ALICE,
        session: session.id,
        details: String::new(),
        issued_at: NOW,
        expires_at: NOW.plus_secs(60),
        position: session.position,
    };
    assert_eq!(store.add_code(&code).await, Ok(AddCodeOutcome::Added));
    code
}

fn redemption(number: u16, code: &NewCode) -> Redemption {
    let family = NewFamily { session: Some(code.session), ..family(number, code.position) };
    Redemption { hash: code.hash, family, told_of_end: None, grace_secs: 2, now: NOW }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_is_redeemed_once_among_nodes() {
    let server = Postgres::shared();
    let nodes: [_; 3] = nodes(&server).await;
    add_alice_and_client(&nodes[0]).await;
    for round in 1..=5 {
        let code = give_code(&nodes[0], &session(round)).await;
        let mut uses = JoinSet::new();
        for (number, store) in (0..50).zip(nodes.iter().cycle()) {
            let (store, redemption) = (store.clone(), redemption(100 * u16::from(round) + number, &code));
            uses.spawn(async move { store.redeem_code(&redemption).await.unwrap() });
        }
        let outcomes = uses.join_all().await;
        let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        assert_eq!((count(RedeemOutcome::First(None)), count(RedeemOutcome::Raced)), (1, 49));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_code_redeemed_on_one_node_outlives_the_end_of_its_session_on_another() {
    let server = Postgres::shared();
    let [here, there] = nodes(&server).await;
    add_alice_and_client(&here).await;
    let (mut first, mut unknown) = (0, 0);
    for round in 1..=150 {
        let session = session(round);
        let code = give_code(&here, &session).await;
        let redemption = redemption(round.into(), &code);
        let (end, redeem) = (
            here.end_session(session.id, ALICE, SessionEndRevokes::Everything, NOW),
            there.redeem_code(&redemption),
        );
        let (ended, redeemed) = in_turn(round.into(), end, redeem).await;
        assert!(ended.unwrap().is_some());
        match redeemed.unwrap() {
            RedeemOutcome::First(None) => first += 1,
            RedeemOutcome::Unknown => unknown += 1,
            other => panic!("{other:?}"),
        }
        assert_eq!(there.find_session(session.secret, NOW).await, Ok(None));
        assert_eq!(there.list_families(ALICE, NOW).await, Ok(Vec::new()), "round {round}");
    }
    assert!(first > 0 && unknown > 0, "{first} first, {unknown} unknown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_another_node_appends_wakes_who_waits() {
    let server = Postgres::shared();
    let [here, there] = nodes(&server).await;
    let mut after = Position::START;
    for number in 0..20 {
        let waits = here.wait_for_append(after);
        let (appended, woken) = tokio::join!(deny_token(&there, 1, number), timeout(PATIENCE, waits));
        woken.expect("nobody woke it");
        let entries = here.read_after(after, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [appended]);
        after = appended;
    }
}

/// Four writers on each of two nodes; who has read up to a position never meets an entry at or below it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn positions_become_visible_in_order_and_are_given_once() {
    const APPENDS: u8 = 100;
    let server = Postgres::shared();
    let [one, two, follower] = nodes(&server).await;
    let mut writers = JoinSet::new();
    for (writer, store) in (1..).zip([&one, &two].into_iter().cycle().take(8)) {
        let store = store.clone();
        writers.spawn(async move {
            let mut positions = Vec::new();
            for number in 0..APPENDS {
                positions.push(deny_token(&store, writer, number).await);
            }
            positions
        });
    }
    let done = Arc::new(AtomicBool::new(false));
    let mut followers = JoinSet::new();
    for (store, limit) in [(&follower, 7), (&one, 1_000)] {
        let (store, done) = (store.clone(), done.clone());
        followers.spawn(async move {
            let mut followed = Vec::new();
            loop {
                let last_reading = done.load(Ordering::SeqCst);
                let after = followed.last().copied().unwrap_or_default();
                let page = store.read_after(after, limit).await.unwrap();
                if page.is_empty() && last_reading {
                    return followed;
                }
                followed.extend(page.iter().map(|entry| entry.position));
            }
        });
    }
    let given: Vec<_> = writers.join_all().await.concat();
    done.store(true, Ordering::SeqCst);
    let each_once: BTreeSet<_> = given.iter().copied().collect();
    assert_eq!(each_once.len(), given.len());
    for followed in followers.join_all().await {
        assert_eq!(followed, each_once.iter().copied().collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_is_given_once_among_nodes() {
    let server = Postgres::shared();
    let [here, there] = nodes(&server).await;
    for number in 0..20 {
        let person = |id: u8| {
            let id = SubjectId::from_bytes([id, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            user(id, &format!("user-{number}"))
        };
        let (mine, theirs) = (person(1), person(2));
        let (mine, theirs) = tokio::join!(here.add_user(&mine), there.add_user(&theirs));
        let outcomes = [mine.unwrap(), theirs.unwrap()];
        let added = outcomes.iter().filter(|outcome| matches!(outcome, AddOutcome::Added(_))).count();
        assert_eq!((added, outcomes.contains(&AddOutcome::Taken)), (1, true), "{outcomes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn denials_that_wait_together_share_commits_and_each_gets_its_own_position() {
    let server = Postgres::shared();
    let [store] = nodes(&server).await;
    add_alice_and_client(&store).await;
    for number in 0..64 {
        let begun = store.begin_family(&family(number, Position::new(i64::MAX as u64))).await;
        assert_eq!(begun, Ok(BeginOutcome::Begun(None)));
    }
    let before = store.commits();
    let mut denials = JoinSet::new();
    for number in 0..64_u8 {
        for deny in [
            Deny::Token { id: TokenId::from_bytes([number; 16]), expires_at: Expiry::Never },
            Deny::Family(family(number.into(), Position::START).id),
        ] {
            let store = store.clone();
            denials.spawn(async move { store.deny(&deny, NOW).await.unwrap().position() });
        }
    }
    let positions: BTreeSet<_> = denials.join_all().await.into_iter().collect();
    assert_eq!(positions.len(), 128);
    let commits = store.commits() - before;
    assert!(commits < 64, "{commits} commits");
    let newest = store.timeline().await.unwrap().1;
    assert_eq!(positions.last(), Some(&newest));
    for number in 0..64 {
        let lineage = family(number, Position::START).lineage;
        let ended = store.find_family(lineage).await.unwrap().unwrap().ended.unwrap();
        assert!(positions.contains(&ended.position()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_fails_by_itself_takes_nothing_along() {
    let server = Postgres::shared();
    let [store] = nodes(&server).await;
    add_alice_and_client(&store).await;
    let mut writes = JoinSet::new();
    for number in 0..40_u8 {
        let store = store.clone();
        writes.spawn(async move {
            // The id is in use: a conflict, in the middle of a transaction for many.
            let refused = store.add_user(&user(ALICE, &format!("other-{number}"))).await;
            assert!(matches!(refused, Err(obol_store::StoreError::Conflict(_))), "{refused:?}");
        });
    }
    for number in 0..40 {
        let store = store.clone();
        writes.spawn(async move {
            deny_token(&store, 3, number).await;
        });
    }
    writes.join_all().await;
    let denials = store.read_after(Position::START, 1_000).await.unwrap();
    assert_eq!(denials.len(), 41, "the client and 40 denials");
}
