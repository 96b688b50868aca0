//! The rooms below the door, over a real SQLite folder, with a wall clock that the test sets.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod browser;
pub(crate) mod others;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obol_keys::MasterKey;
use obol_oauth::administration::{ChosenSecret, ClientSpec, add_client};
use obol_oauth::{
    Answer, Authorization, DescribedClients, Endpoint, Engine, FEATURES, NoWayOut, OAuthError, Outcome,
    Outgoing, Params, PasswordNeeded, Person, RegistrationMode, RegistrationSettings, Request, RequestId,
    Settings, TokenAnswer,
};
use obol_replica::{Boottime, Clock, LeaseOptions, Replica, SystemClock};
use obol_store::{Audit, AuditEvent, AuditRecord, PasswordHash, Profile, Store, User};
use obol_store_sqlite::SqliteStore;
use obol_token::{Lifetime, Position, SubjectId, Timestamp};

pub(crate) const START_SECS: i64 = 1_800_000_000;

pub(crate) struct Rooms {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) audit: Arc<Records>,
    folder: tempfile::TempDir,
}

/// A wall clock that is set, and the time since boot goes along: a wall clock that moves alone is not followed.
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn set_secs_after_start(&self, secs: i64) {
        self.0.store(START_SECS + secs, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn boottime(&self) -> Boottime {
        let passed_secs = u64::try_from(self.wall().as_secs() - START_SECS).unwrap();
        SystemClock.boottime().plus(Duration::from_secs(passed_secs))
    }
}

#[derive(Default)]
pub(crate) struct Records(Mutex<Vec<AuditRecord>>);

impl Records {
    pub(crate) fn events(&self) -> Vec<AuditEvent> {
        self.0.lock().unwrap().iter().map(|record| record.event).collect()
    }
}

impl Audit for Records {
    fn record(&self, record: AuditRecord) {
        self.0.lock().unwrap().push(record);
    }
}

impl Rooms {
    /// With the public client `app` (password, refresh_token; 60 s and 600 s), the confidential client `gateway` that may
    /// introspect, and the person `alice`.
    pub(crate) async fn open() -> Self {
        Self::open_with(long_lease()).await
    }

    /// The same with another lease.
    pub(crate) async fn open_with(options: LeaseOptions) -> Self {
        Self::open_to(options, Arc::new(NoWayOut)).await
    }

    /// The same with a way out.
    pub(crate) async fn open_to(options: LeaseOptions, outgoing: Arc<dyn Outgoing>) -> Self {
        Self::open_among(options, outgoing, None).await
    }

    /// The same, and with clients that bring their documents from there.
    pub(crate) async fn open_among(
        options: LeaseOptions,
        outgoing: Arc<dyn Outgoing>,
        described_clients: Option<DescribedClients>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let master = MasterKey::load_or_create(&folder.path().join("master.key")).unwrap();
        let clock = Arc::new(SetClock(AtomicI64::new(START_SECS)));
        let of_replica: Arc<dyn Clock> = clock.clone();
        let replica = Replica::start(Arc::clone(&store), master, of_replica, options).await.unwrap();
        let audit = Arc::new(Records::default());
        let issuer = "https://id.example.com".parse().unwrap();
        let settings = Settings {
            issuer,
            refresh_grace_secs: 10,
            code_lifetime_secs: 60,
            pushed_request_lifetime_secs: 90,
            require_pushed_authorization_requests: false,
            key_set_max_age_secs: 3_600,
            protected_resources: Vec::new(),
            registration: RegistrationSettings { mode: RegistrationMode::Open, ..Default::default() },
            described_clients,
        };
        let of_engine = Arc::clone(&replica);
        let engine = Engine::new(of_engine, Arc::clone(&store), audit.clone(), outgoing, settings);
        let rooms = Self { engine, store, replica, clock, audit, folder };
        rooms.add_client("app", &["password", "refresh_token"], None).await;
        let secret = ChosenSecret::Given(obol_keys::PlainSecret::chosen(GATEWAY_SECRET.into()).unwrap());
        rooms.add_client("gateway", &["client_credentials"], Some(secret)).await;
        rooms.add_alice().await;
        rooms
    }

    pub(crate) async fn add_client(&self, id: &str, grants: &[&str], secret: Option<ChosenSecret>) {
        self.add(self.spec(id, grants, secret)).await;
    }

    pub(crate) fn spec(&self, id: &str, grants: &[&str], secret: Option<ChosenSecret>) -> ClientSpec {
        ClientSpec {
            id: id.parse().unwrap(),
            name: String::new(),
            may_introspect: secret.is_some(),
            secret,
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            default_scopes: "read".parse().unwrap(),
            optional_scopes: "write".parse().unwrap(),
            redirect_uris: Vec::new(),
            access_token_lifetime: Lifetime::from_setting_secs(60),
            refresh_token_lifetime: Lifetime::from_setting_secs(600),
            single_family: false,
            settings: obol_store::ClientSettings::default(),
        }
    }

    pub(crate) async fn add(&self, spec: ClientSpec) {
        let added = add_client(&*self.store, spec, self.clock.wall()).await.unwrap();
        let _ = self.replica.confirm(added.appended).await.unwrap();
    }

    /// The store can be read no more.
    pub(crate) fn take_database_away(&self) {
        let database = self.folder.path().join("obol.db");
        std::fs::rename(&database, database.with_extension("away")).unwrap();
    }

    async fn add_alice(&self) {
        let user = User {
            id: ALICE,
            username: "alice".parse().unwrap(),
            email: None,
            profile: Profile::default(),
            password: PasswordHash::from_phc("checked by another room"),
            enabled: true,
            created_at: self.clock.wall(),
        };
        self.store.add_user(&user).await.unwrap();
    }

    pub(crate) async fn ask(
        &self,
        path: &str,
        form: &str,
        authorization: &str,
    ) -> Result<Outcome<'_>, OAuthError> {
        self.ask_from(LOOPBACK, path, form, authorization).await
    }

    pub(crate) async fn ask_from(
        &self,
        source: IpAddr,
        path: &str,
        form: &str,
        authorization: &str,
    ) -> Result<Outcome<'_>, OAuthError> {
        self.ask_at(None, source, path, (form, authorization)).await
    }

    /// Asks for an answer that is at least as new as this position.
    pub(crate) async fn ask_at(
        &self,
        min_position: Option<Position>,
        source: IpAddr,
        path: &str,
        (form, authorization): (&str, &str),
    ) -> Result<Outcome<'_>, OAuthError> {
        let endpoint = endpoint(path);
        // The outcome may borrow from them.
        let (form, authorization): (&'static str, &'static str) =
            (form.to_owned().leak(), authorization.to_owned().leak());
        let params = match form.starts_with('{') {
            true => Params::from_json(form.as_bytes()).unwrap(),
            false => Params::from_form(form.as_bytes()).unwrap(),
        };
        let (query, body) = match endpoint.methods {
            [obol_oauth::Method::Get, ..] => (params, Params::default()),
            _ => (Params::default(), params),
        };
        let request = Box::leak(Box::new(Request {
            endpoint,
            query,
            body,
            authorization: Authorization::parse(authorization),
            min_position,
            arrival: self.engine.arrival(source, RequestId::new(0, 0)),
        }));
        self.engine.answer(request, Box::leak(Box::default())).await
    }

    pub(crate) async fn begin_password(&self) -> PasswordNeeded {
        self.begin_password_at("app").await
    }

    async fn begin_password_at(&self, client: &str) -> PasswordNeeded {
        let form = format!("grant_type=password&client_id={client}&username=alice&password=correct+horse");
        match self.ask(TOKEN, &form, "").await.unwrap() {
            Outcome::PasswordNeeded(needed) => *needed,
            Outcome::Done(answer) => panic!("{answer:?}"),
        }
    }

    pub(crate) async fn sign_in(&self) -> TokenAnswer {
        self.sign_in_at("app").await
    }

    pub(crate) async fn sign_in_at(&self, client: &str) -> TokenAnswer {
        let needed = self.begin_password_at(client).await;
        match self.engine.issue_to_person(needed, Ok(alice())).await.unwrap() {
            Answer::Token(token) => token,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Result<TokenAnswer, OAuthError> {
        let form = format!("grant_type=refresh_token&client_id=app&refresh_token={refresh_token}");
        match self.ask(TOKEN, &form, "").await? {
            Outcome::Done(Answer::Token(token)) => Ok(token),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn stands(&self, access_token: &str) -> bool {
        self.stands_at("app", access_token).await
    }

    pub(crate) async fn stands_at(&self, client: &str, access_token: &str) -> bool {
        let bearer = format!("Bearer {access_token}");
        match self.ask(VERIFY, &format!("client_id={client}"), &bearer).await {
            Ok(Outcome::Done(Answer::Verification(_))) => true,
            Err(error) if error.code() == obol_oauth::ErrorCode::InvalidToken => false,
            other => panic!("{other:?}"),
        }
    }
}

/// It outlasts what the tests let pass at once.
pub(crate) fn long_lease() -> LeaseOptions {
    LeaseOptions { lease: Duration::from_secs(7_200), ..LeaseOptions::default() }
}

pub(crate) const ALICE: SubjectId = SubjectId::from_bytes(*b"alice's subject ");
pub(crate) const GATEWAY_SECRET: &str = "a-secret-that-the-operator-chose";
pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const REVOKE: &str = "/oauth2/revoke";
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
pub(crate) const BATCH: &str = "/oauth2/introspect/batch";
pub(crate) const KEY_SET: &str = "/oauth2/jwks";
pub(crate) const VERIFY: &str = "/api/v1/oauth/verify_token";

pub(crate) fn alice() -> Person {
    Person { subject: ALICE, username: "alice".into() }
}

fn endpoint(path: &str) -> &'static Endpoint {
    FEATURES.iter().flat_map(|feature| feature.endpoints).find(|endpoint| endpoint.path == path).unwrap()
}
