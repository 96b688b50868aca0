//! What the rules of the suite are tried on.

use std::sync::Arc;
use std::time::Duration;

use obol_token::{
    ClientId, Denial, Denied, Expiry, FamilyId, Lifetime, Position, Scopes, SecretHash, SubjectId, Timestamp,
    TokenId,
};

use crate::{
    AddOutcome, BeginOutcome, Change, ChangeOutcome, Client, ClientKind, ClientSettings, Deny, Entry, Family,
    GrantType, NewFamily, NodeId, PasswordHash, Profile, ReplaceOutcome, RotateOutcome, Rotation, Store,
    User, Username,
};

/// What every rule gets: a store with nothing in it.
pub(super) type Fresh = Arc<dyn Store>;

/// Longer than any backend needs to answer; a wait that lasts as long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How long the access tokens of [`client`] live.
pub(super) const ACCESS_SECS: i64 = 3_600;
/// How long its refresh tokens live.
pub(super) const REFRESH_SECS: i64 = 30 * 86_400;

/// The moment `secs` seconds after the beginning of every rule. It lies in 2096, so that a backend that
/// goes by a clock of its own instead of what it is given does not pass.
pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(4_000_000_000 + secs)
}

/// The end at that moment.
pub(super) fn until(secs: i64) -> Expiry {
    Expiry::At(at(secs))
}

pub(super) fn client_id(id: &str) -> ClientId {
    ClientId::new(id).unwrap()
}

pub(super) fn username(name: &str) -> Username {
    name.parse().unwrap()
}

pub(super) fn scopes(names: &str) -> Scopes {
    names.parse().unwrap()
}

pub(super) fn token_id(number: u8) -> TokenId {
    TokenId::from_bytes([number; 16])
}

pub(super) fn family_id(number: u8) -> FamilyId {
    FamilyId::from_bytes([number; 16])
}

/// The id of the person [`user`] makes of this name.
pub(super) fn subject_id(name: &str) -> SubjectId {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
    SubjectId::from_bytes(bytes)
}

/// Hashes of secrets; `what` sets apart what is hashed.
pub(super) fn hash(what: &str, number: u8) -> SecretHash {
    let mut bytes = [number; 32];
    bytes.iter_mut().zip(what.bytes()).for_each(|(byte, letter)| *byte = letter);
    SecretHash::from_bytes(bytes)
}

pub(super) fn client(id: &str) -> Client {
    Client {
        id: client_id(id),
        name: format!("The client {id}"),
        kind: ClientKind::Public,
        enabled: true,
        grants: vec![GrantType::new("password"), GrantType::new("refresh_token")],
        default_scopes: scopes("read write"),
        optional_scopes: Scopes::default(),
        redirect_uris: Vec::new(),
        access_token_lifetime: lifetime(ACCESS_SECS),
        refresh_token_lifetime: lifetime(REFRESH_SECS),
        may_introspect: false,
        single_family: false,
        settings: ClientSettings::default(),
        created_at: at(0),
    }
}

pub(super) fn lifetime(secs: i64) -> Lifetime {
    Lifetime::from_setting_secs(u32::try_from(secs).unwrap())
}

pub(super) fn user(name: &str) -> User {
    User {
        id: subject_id(name),
        username: username(name),
        email: Some(format!("{name}@example.com")),
        profile: Profile::default(),
        password: PasswordHash::from_phc(&format!("$argon2id$of-{name}")),
        enabled: true,
        created_at: at(0),
    }
}

/// A family of these two whose tokens are numbered by [`refresh`].
pub(super) fn family(number: u8, client: &str, person: &str) -> NewFamily {
    NewFamily {
        id: family_id(number),
        client_id: client_id(client),
        subject: subject_id(person),
        scopes: scopes("read"),
        lineage: hash("lineage", number),
        current: refresh(number, 0),
        issued_at: at(0),
        refresh_expires_at: until(REFRESH_SECS),
        access_expires_at: until(ACCESS_SECS),
        single: false,
        session: None,
        details: String::new(),
        // As if the node had read all that is ever appended: rules about denials say how far it had read.
        position: Position::new(i64::MAX as u64),
    }
}

/// The refresh token of this generation of this family.
pub(super) fn refresh(family: u8, generation: u8) -> SecretHash {
    hash(&format!("refresh {generation}"), family)
}

/// Presents the token of a generation at a moment, with a grace of 10 s.
pub(super) fn rotation(family: &NewFamily, generation: u8, secs: i64) -> Rotation {
    let number = family.id.as_bytes()[0];
    Rotation {
        lineage: family.lineage,
        presented: refresh(number, generation),
        client_id: family.client_id.clone(),
        next: refresh(number, generation + 1),
        sealed_answer: vec![number, generation],
        now: at(secs),
        grace_secs: 10,
        refresh_expires_at: until(secs + REFRESH_SECS),
        access_expires_at: until(secs + ACCESS_SECS),
    }
}

/// Adds the clients `fcare` and `gateway` and the people `alice` and `bob`.
pub(super) async fn people(store: &dyn Store) {
    for id in ["fcare", "gateway"] {
        add_client(store, &client(id)).await;
    }
    for name in ["alice", "bob"] {
        add_user(store, &user(name)).await;
    }
}

pub(super) async fn add_client(store: &dyn Store, client: &Client) -> Position {
    match store.add_client(client).await.unwrap() {
        AddOutcome::Added(appended) => appended.position(),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn add_user(store: &dyn Store, user: &User) -> Position {
    match store.add_user(user).await.unwrap() {
        AddOutcome::Added(appended) => appended.position(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn changed(outcome: ChangeOutcome) -> Position {
    match outcome {
        ChangeOutcome::Changed(appended) => appended.position(),
        ChangeOutcome::Unknown => panic!("unknown"),
    }
}

pub(super) fn replaced(outcome: ReplaceOutcome) -> Position {
    match outcome {
        ReplaceOutcome::Replaced(appended) => appended.position(),
        other => panic!("{other:?}"),
    }
}

/// Begins a family that replaces no other.
pub(super) async fn begin(store: &dyn Store, family: &NewFamily) {
    assert_eq!(store.begin_family(family).await.unwrap(), BeginOutcome::Begun(None));
}

pub(super) async fn rotate(store: &dyn Store, rotation: &Rotation) -> RotateOutcome {
    store.rotate_refresh(rotation).await.unwrap()
}

/// The family as stored, which must be there.
pub(super) async fn stored(store: &dyn Store, family: &NewFamily) -> Family {
    store.find_family(family.lineage).await.unwrap().unwrap()
}

pub(super) async fn is_live(store: &dyn Store, family: &NewFamily) -> bool {
    stored(store, family).await.ended.is_none()
}

pub(super) async fn deny(store: &dyn Store, deny: &Deny, now: Timestamp) -> Position {
    store.deny(deny, now).await.unwrap().position()
}

/// The whole log.
pub(super) async fn entries(store: &dyn Store) -> Vec<Entry> {
    store.read_after(Position::START, 10_000).await.unwrap()
}

/// How far the log goes.
pub(super) async fn log_end(store: &dyn Store) -> Position {
    entries(store).await.last().map_or(Position::START, |entry| entry.position)
}

/// The denial of this in the log.
pub(super) async fn denial(store: &dyn Store, what: &Denied) -> Option<Denial> {
    entries(store).await.into_iter().find_map(|entry| match entry.change {
        Change::Denied(denial) if denial.what == *what => {
            assert_eq!(denial.position, entry.position);
            Some(denial)
        }
        _ => None,
    })
}

/// What the log says of a client: its state, or `None` for one that was deleted, with the position.
pub(super) async fn told(store: &dyn Store, id: &ClientId) -> Option<(Position, Option<Client>)> {
    entries(store).await.into_iter().find_map(|entry| match entry.change {
        Change::Client(client) if client.id == *id => Some((entry.position, Some(*client))),
        Change::ClientDeleted(deleted) if deleted == *id => Some((entry.position, None)),
        _ => None,
    })
}

/// Enters a node: only while one is entered do things leave the store by themselves.
pub(super) async fn serve(store: &dyn Store) {
    store.register_node(NodeId::from_bytes([1; 16])).await.unwrap();
}

/// Lets time pass for the store: some requests at that moment, which concern nothing that a rule looks at.
pub(super) async fn pass_time(store: &dyn Store, now: Timestamp) {
    for number in 240..=255 {
        deny(store, &Deny::Token { id: token_id(number), expires_at: Expiry::Never }, now).await;
    }
}
