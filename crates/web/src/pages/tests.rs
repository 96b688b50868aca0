//! The pages over a real store, with a clock that the test sets: what becomes too old, and what is said when the house is
//! full or its cellar locked.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::header::{CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use obol_accounts::administration::{NewUser, add_user};
use obol_accounts::{PoolSize, SessionLimits};
use obol_keys::{MasterKey, PlainPassword};
use obol_oauth::administration::{ChosenSecret, ClientSpec, add_client};
use obol_oauth::{NoWayOut, RequestId, Settings, Surface};
use obol_replica::{Boottime, Clock, LeaseOptions, Replica, SystemClock};
use obol_store::{Audit, ClientSettings, SessionEndRevokes, Store, Users};
use obol_store_sqlite::SqliteStore;
use obol_token::{Lifetime, Timestamp};
use tokio::task::JoinSet;

use super::*;
use crate::gateway::Address;
use crate::server::Source;

const START_SECS: i64 = 1_800_000_000;
const PASSWORD: &str = "a coin to be let across";
const QUERY: &str = "client_id=app&response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&code_challenge_method=S256\
                     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A wall clock that is set, and the time since boot goes along.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn boottime(&self) -> Boottime {
        let passed_secs = u64::try_from(self.wall().as_secs() - START_SECS).unwrap();
        SystemClock.boottime().plus(Duration::from_secs(passed_secs))
    }
}

struct Unheard;

impl Audit for Unheard {
    fn record(&self, _record: AuditRecord) {}
}

/// The pages of a house with alice and a client `app`.
struct House {
    pages: Pages,
    clock: Arc<SetClock>,
    requests: AtomicU64,
    folder: tempfile::TempDir,
}

/// What a browser got.
struct Got {
    status: StatusCode,
    fields: HeaderMap,
    html: String,
}

impl Got {
    /// The ticket of the form that is shown, or of the place that it leads to.
    fn ticket(&self) -> String {
        let location = self.fields.get(LOCATION).map_or("", |location| location.to_str().unwrap());
        let text = self.html.split_once("name=\"ticket\" value=\"").or(location.split_once("ticket="));
        text.unwrap().1.split('"').next().unwrap().to_owned()
    }

    fn cookie(&self) -> String {
        self.fields[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    fn form_token(&self) -> String {
        self.html.split_once("name=\"form_token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    }
}

impl House {
    async fn open() -> Self {
        Self::of(PoolSize { threads: 1, waiting: 64 }).await
    }

    async fn of(pool: PoolSize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let master = MasterKey::load_or_create(&folder.path().join("master.key")).unwrap();
        let clock = Arc::new(SetClock(AtomicI64::new(START_SECS)));
        // The lease outlasts what the tests let pass at once.
        let lease = LeaseOptions { lease: Duration::from_secs(72_000), ..LeaseOptions::default() };
        let replica = Replica::start(store.clone(), master, clock.clone(), lease).await.unwrap();
        let settings = Settings {
            issuer: "https://id.example.com".parse().unwrap(),
            refresh_grace_secs: 10,
            code_lifetime_secs: 60,
            pushed_request_lifetime_secs: 90,
            require_pushed_authorization_requests: false,
            key_set_max_age_secs: 3_600,
            protected_resources: Vec::new(),
            registration: obol_oauth::RegistrationSettings::default(),
            described_clients: None,
        };
        let (unheard, outgoing) = (Arc::new(Unheard), Arc::new(NoWayOut));
        let engine = Arc::new(Engine::new(replica, store.clone(), unheard, outgoing, settings));
        let users: Arc<dyn Users> = store.clone();
        let passwords = Arc::new(PasswordCheck::start(users, pool).unwrap());
        add_people_and_clients(&*store, &engine, clock.wall()).await;
        let desk = SessionDesk::new(store, SessionLimits::default(), SessionEndRevokes::Everything);
        let shown = PageSettings {
            display_name: "obol".to_owned(),
            gateway_hosts: vec!["app.example".to_owned()],
            ..PageSettings::default()
        };
        let pages = Pages::open(engine, passwords, desk, &shown).unwrap();
        Self { pages, clock, requests: AtomicU64::new(0), folder }
    }

    fn set_secs_after_start(&self, secs: i64) {
        self.clock.0.store(START_SECS + secs, Ordering::SeqCst);
    }

    async fn get(&self, page: Page, query: &str, cookies: &str) -> Got {
        self.ask(page, &Method::GET, Some(query), &[], cookies).await
    }

    async fn post(&self, page: Page, form: &str, cookies: &str) -> Got {
        self.ask(page, &Method::POST, None, form.as_bytes(), cookies).await
    }

    async fn ask(&self, page: Page, method: &Method, query: Option<&str>, body: &[u8], cookies: &str) -> Got {
        let mut fields = HeaderMap::new();
        fields.insert(COOKIE, HeaderValue::from_str(cookies).unwrap());
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let source = Source { peer: (client, 1).into(), client, tls: true, proxied: false };
        let request = Whole { method, path: page.name(), query, fields: &fields, body, source };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let arrival = self.pages.engine.arrival(client, RequestId::new(1, number));
        let (parts, body) = Response::from(self.pages.answer(page, &request, arrival).await).into_parts();
        let html = String::from_utf8(body.into_inner().unwrap_or_default().to_vec()).unwrap();
        Got { status: parts.status, fields: parts.headers, html }
    }

    /// Who is at the gateway of this address, by what the browser holds there.
    async fn at_gateway(&self, url: &str, cookies: &str) -> Result<AtGateway, OAuthError> {
        let address = Address::of_url(url).unwrap();
        assert!(self.pages.is_gateway_host(&address));
        self.pages.at_gateway(&holding(cookies), Some(&address), self.arrival()).await
    }

    /// The address with which alice, who is signed in with these cookies, comes back to it, and what she holds there.
    async fn comes_back(&self, url: &str, cookies: &str) -> (String, String) {
        let address = Address::of_url(url).unwrap();
        let way = self.pages.way_to_sign_in(&holding(""), &address, self.arrival()).unwrap();
        let got = self.get(Page::Continue, way.location.split_once('?').unwrap().1, cookies).await;
        assert_eq!(got.status, StatusCode::FOUND, "{}", got.html);
        let held = way.cookie.unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
        (got.fields[LOCATION].to_str().unwrap().to_owned(), held)
    }

    fn arrival(&self) -> Arrival {
        self.pages.engine.arrival(IpAddr::V4(Ipv4Addr::LOCALHOST), RequestId::new(2, 0))
    }

    /// The page of sign-in and the cookies of its browser.
    async fn sign_in_page(&self) -> (Got, String) {
        let got = self.get(Page::Authorize(Surface::Rfc), QUERY, "").await;
        assert_eq!(got.status, StatusCode::OK, "{}", got.html);
        let cookie = got.cookie();
        (got, cookie)
    }

    /// Where a right password leads, and the cookies of the browser then.
    async fn signed_in(&self) -> (Got, String) {
        let (page, browser) = self.sign_in_page().await;
        let got = self.post(Page::SignIn, &right(&page.ticket()), &browser).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.html);
        let cookies = format!("{browser}; {}", got.cookie());
        (got, cookies)
    }
}

fn holding(cookies: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(COOKIE, HeaderValue::from_str(cookies).unwrap());
    fields
}

async fn add_people_and_clients(store: &dyn Store, engine: &Engine, now: Timestamp) {
    let alice = NewUser {
        username: "alice".parse().unwrap(),
        email: None,
        password: PlainPassword::new(PASSWORD.to_owned()).unwrap(),
    };
    let added = add_user(store, alice, now).await.unwrap();
    engine.confirm(added.appended).await.unwrap();
    let app = ClientSpec {
        id: "app".parse().unwrap(),
        name: "Example Shop".to_owned(),
        may_introspect: false,
        secret: Some(ChosenSecret::Generate),
        grants: vec!["authorization_code".to_owned()],
        default_scopes: "read".parse().unwrap(),
        optional_scopes: "write".parse().unwrap(),
        redirect_uris: vec!["https://app.example/cb".to_owned()],
        access_token_lifetime: Lifetime::from_setting_secs(60),
        refresh_token_lifetime: Lifetime::from_setting_secs(600),
        single_family: false,
        settings: ClientSettings::default(),
    };
    let added = add_client(store, app, now).await.unwrap();
    engine.confirm(added.appended).await.unwrap();
}

fn form(ticket: &str, password: &str) -> String {
    let password = password.replace(' ', "+");
    format!("ticket={ticket}&username=alice&password={password}")
}

fn right(ticket: &str) -> String {
    form(ticket, PASSWORD)
}

#[track_caller]
fn assert_too_old(got: &Got) {
    assert_eq!(got.status, StatusCode::GONE, "{}", got.html);
    assert!(got.html.contains("This page is too old") && got.html.contains("Start again"), "{}", got.html);
    assert!(!got.fields.contains_key(SET_COOKIE));
}

#[tokio::test]
async fn the_form_of_sign_in_is_good_for_an_hour() {
    let house = House::open().await;
    let (page, browser) = house.sign_in_page().await;
    house.set_secs_after_start(3_599);
    let got = house.post(Page::SignIn, &right(&page.ticket()), &browser).await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    house.set_secs_after_start(3_600);
    assert_too_old(&house.post(Page::SignIn, &right(&page.ticket()), &browser).await);
}

#[tokio::test]
async fn trying_does_not_make_the_hour_longer() {
    let house = House::open().await;
    let (page, browser) = house.sign_in_page().await;
    house.set_secs_after_start(3_000);
    let wrong = house.post(Page::SignIn, &form(&page.ticket(), "x"), &browser).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    house.set_secs_after_start(3_600);
    assert_too_old(&house.post(Page::SignIn, &right(&wrong.ticket()), &browser).await);
}

#[tokio::test]
async fn the_way_on_and_the_form_of_consent_are_good_for_an_hour_each() {
    let house = House::open().await;
    let (onward, cookies) = house.signed_in().await;
    let query = format!("ticket={}", onward.ticket());
    house.set_secs_after_start(3_000);
    let consent = house.get(Page::Continue, &query, &cookies).await;
    assert!(consent.html.contains("Allow access?"), "{}", consent.html);
    let form = format!("ticket={}&form_token={}&decision=allow", consent.ticket(), consent.form_token());
    house.set_secs_after_start(3_600);
    assert_too_old(&house.get(Page::Continue, &query, &cookies).await);
    house.set_secs_after_start(6_599);
    let given = house.post(Page::Consent, &form, &cookies).await;
    assert!(given.html.contains("app.example"), "{}", given.html);
    house.set_secs_after_start(6_600);
    assert_too_old(&house.post(Page::Consent, &form, &cookies).await);
}

#[tokio::test]
async fn a_consent_of_a_session_that_has_ended_is_asked_for_after_signing_in() {
    let house = House::open().await;
    let (_, cookies) = house.signed_in().await;
    // Used all the time, it ends twelve hours after the sign-in.
    for halves in 1..24 {
        house.set_secs_after_start(halves * 1_800);
        let page = house.get(Page::Sessions, "", &cookies).await;
        assert!(page.html.contains("Signed in as alice"), "{halves}: {}", page.html);
    }
    house.set_secs_after_start(12 * 3_600 - 1);
    let consent = house.get(Page::Authorize(Surface::Rfc), QUERY, &cookies).await;
    let form = format!("ticket={}&form_token={}&decision=allow", consent.ticket(), consent.form_token());
    house.set_secs_after_start(12 * 3_600);
    let asked = house.post(Page::Consent, &form, &cookies).await;
    assert_eq!(asked.status, StatusCode::OK);
    assert!(asked.html.contains("<h1>Sign in</h1>") && asked.html.contains("Example Shop"), "{}", asked.html);
}

#[tokio::test]
async fn when_too_many_sign_in_the_form_comes_again_with_503() {
    let house = Arc::new(House::of(PoolSize { threads: 1, waiting: 0 }).await);
    let (page, browser) = house.sign_in_page().await;
    let form = right(&page.ticket());
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let (house, form, browser) = (Arc::clone(&house), form.clone(), browser.clone());
        asking.spawn(async move { house.post(Page::SignIn, &form, &browser).await });
    }
    let all = asking.join_all().await;
    let busy: Vec<_> = all.iter().filter(|got| got.status == StatusCode::SERVICE_UNAVAILABLE).collect();
    assert!(!busy.is_empty() && busy.len() < all.len(), "{} of {}", busy.len(), all.len());
    for got in busy {
        assert!(got.fields.contains_key(RETRY_AFTER));
        assert!(
            got.html.contains("Too many people are signing in") && got.html.contains("value=\"alice\""),
            "{}",
            got.html
        );
    }
}

#[tokio::test]
async fn when_storage_is_gone_the_page_says_503_and_nobody_is_signed_in() {
    let house = House::open().await;
    let (page, browser) = house.sign_in_page().await;
    let (_, cookies) = house.signed_in().await;
    let database = house.folder.path().join("obol.db");
    std::fs::rename(&database, database.with_extension("away")).unwrap();
    let got = house.post(Page::SignIn, &right(&page.ticket()), &browser).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{}", got.html);
    assert!(got.fields.contains_key(RETRY_AFTER) && !got.fields.contains_key(SET_COOKIE));
    let got = house.get(Page::Sessions, "", &cookies).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "never the page of sign-in out of ignorance");
}

#[tokio::test]
async fn a_handover_is_good_for_a_minute_and_its_pass_until_the_session_ends() {
    let house = House::open().await;
    let (_, cookies) = house.signed_in().await;
    let (back, held) = house.comes_back("https://app.example/a?b=c", &cookies).await;
    house.set_secs_after_start(59);
    let Ok(AtGateway::Comes(way)) = house.at_gateway(&back, &held).await else { panic!("it is still good") };
    assert_eq!(way.location, "https://app.example/a?b=c");
    let pass = way.cookie.unwrap().to_str().unwrap().to_owned();
    assert!(pass.starts_with("__Host-obol-gateway=obt_"), "{pass}");
    assert!(pass.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{pass}");
    house.set_secs_after_start(60);
    let Ok(AtGateway::Comes(late)) = house.at_gateway(&back, &held).await else {
        panic!("to the bare address")
    };
    assert_eq!((late.location.as_str(), late.cookie), ("https://app.example/a?b=c", None));
    let pass = pass.split(';').next().unwrap();
    let known = async |url: &str| match house.at_gateway(url, pass).await.unwrap() {
        AtGateway::Person(session) => Some(session.username.as_str().to_owned()),
        AtGateway::Comes(_) | AtGateway::Nobody => None,
    };
    for halves in 1..24 {
        house.set_secs_after_start(halves * 1_800);
        assert_eq!(known("https://app.example/x").await.as_deref(), Some("alice"), "it is used all the time");
    }
    house.set_secs_after_start(12 * 3_600);
    assert_eq!(known("https://app.example/x").await, None);
}

#[tokio::test]
async fn a_gateway_is_told_503_and_not_nobody_when_storage_is_gone() {
    let house = House::open().await;
    let (_, cookies) = house.signed_in().await;
    house.at_gateway("https://app.example/", &cookies).await.unwrap();
    let database = house.folder.path().join("obol.db");
    std::fs::rename(&database, database.with_extension("away")).unwrap();
    let error = house.at_gateway("https://app.example/", &cookies).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
}

#[tokio::test]
async fn sign_in_leads_back_to_hosts_of_the_setting_by_the_issuers_scheme_only() {
    let house = House::open().await;
    for (url, leads) in [
        ("https://app.example/a", true),
        ("https://APP.example/", true),
        ("http://app.example/", false),
        ("https://app.example:8443/", false),
        ("https://sub.app.example/", false),
        ("https://app.example.evil/", false),
    ] {
        let address = Address::of_url(url).unwrap();
        assert_eq!(house.pages.is_gateway_host(&address), leads, "{url}");
    }
}
