//! The pages: who asks is known by a cookie, what it stands for is kept here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;

use crate::provider::{Attempt, Person, Provider};
use crate::sessions::{Remembered, fresh_name};
use crate::view;

/// The application.
pub struct App {
    provider: Provider,
    base_url: String,
    /// By `state`: the browser that began the sign-in, and what it must match.
    begun: Remembered<(String, Attempt)>,
    /// By the value of the session cookie.
    signed_in: Remembered<Person>,
}

impl App {
    pub fn new(provider: Provider, base_url: String) -> Self {
        Self {
            provider,
            base_url,
            begun: Remembered::new(1_000, Duration::from_secs(10 * 60)),
            signed_in: Remembered::new(1_000, Duration::from_secs(12 * 60 * 60)),
        }
    }
}

pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in))
        .route("/callback", get(callback))
        .route("/refresh", post(refresh))
        .route("/sign-out", post(sign_out))
        .route("/style.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], view::STYLE) }))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

async fn home(State(app): State<Arc<App>>, jar: CookieJar) -> Answer {
    let Some((name, person)) = app.person(&jar) else { return Ok(Html(view::welcome()).into_response()) };
    if let Some(info) = app.provider.about(&person).await? {
        return Ok(Html(view::signed_in(&person, &info)).into_response());
    }
    // The access token is over: the refresh token may bring another.
    if let Some(renewed) = app.provider.refresh(&person).await?
        && let Some(info) = app.provider.about(&renewed).await?
    {
        let page = Html(view::signed_in(&renewed, &info)).into_response();
        app.signed_in.replace(&name, renewed);
        return Ok(page);
    }
    Ok(app.ended(&name, jar))
}

async fn sign_in(State(app): State<Arc<App>>, jar: CookieJar) -> Response {
    let (url, state, attempt) = app.provider.begin();
    // Several tabs of one browser may sign in at once.
    let browser =
        jar.get(&app.cookie_name("browser")).map_or_else(fresh_name, |cookie| cookie.value().to_owned());
    app.begun.put(state, (browser.clone(), attempt));
    (jar.add(app.cookie("browser", browser)), Redirect::to(&url)).into_response()
}

/// What the provider sends by the browser (RFC 6749 §4.1.2, RFC 9207).
#[derive(Deserialize)]
struct Return {
    state: Option<String>,
    iss: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn callback(State(app): State<Arc<App>>, jar: CookieJar, Query(sent): Query<Return>) -> Answer {
    // Whoever follows a link to here made by somebody else must not end up signed in as that one.
    let begun = sent.state.and_then(|state| app.begun.take(&state));
    let own = jar.get(&app.cookie_name("browser"));
    let Some((_, attempt)) = begun.filter(|(browser, _)| own.is_some_and(|cookie| cookie.value() == browser))
    else {
        return Err(Trouble::of_the_visitor(
            "This sign-in was not begun here, or too long ago. Begin again.",
        ));
    };
    if sent.iss.as_deref() != Some(app.provider.issuer()) {
        return Err(Trouble::of_the_visitor("This answer came from another provider. Begin again."));
    }
    let Some(code) = sent.code else {
        let (error, description) =
            (sent.error.unwrap_or_default(), sent.error_description.unwrap_or_default());
        return Err(Trouble::of_the_visitor(format!("You were not signed in: {description} ({error})")));
    };
    let person = app.provider.finish(code, attempt).await?;
    if let Some((before, _)) = app.person(&jar) {
        app.signed_in.take(&before);
    }
    let name = fresh_name();
    app.signed_in.put(name.clone(), person);
    Ok((jar.add(app.cookie("session", name)), Redirect::to("/")).into_response())
}

async fn refresh(State(app): State<Arc<App>>, jar: CookieJar) -> Answer {
    let Some((name, person)) = app.person(&jar) else { return Ok(Redirect::to("/").into_response()) };
    match app.provider.refresh(&person).await? {
        Some(renewed) => app.signed_in.replace(&name, renewed),
        None => return Ok(app.ended(&name, jar)),
    }
    Ok(Redirect::to("/").into_response())
}

async fn sign_out(State(app): State<Arc<App>>, jar: CookieJar) -> Answer {
    let person = jar.get(&app.cookie_name("session")).and_then(|cookie| app.signed_in.take(cookie.value()));
    let jar = jar.remove(app.cookie("session", String::new()));
    if let Some(person) = person {
        // The browser is signed out whatever comes of it; but nobody is told that tokens are dead while they may live.
        if let Err(error) = app.provider.revoke(&person).await {
            eprintln!("not revoked: {error:#}");
            let page = view::message(
                "Signed out here",
                "The provider could not be told; your access ends by itself.",
            );
            return Ok((StatusCode::BAD_GATEWAY, jar, Html(page)).into_response());
        }
    }
    Ok((jar, Redirect::to("/")).into_response())
}

impl App {
    fn person(&self, jar: &CookieJar) -> Option<(String, Person)> {
        let name = jar.get(&self.cookie_name("session"))?.value().to_owned();
        let person = self.signed_in.find(&name)?;
        Some((name, person))
    }

    /// The provider has ended the sign-in.
    fn ended(&self, name: &str, jar: CookieJar) -> Response {
        self.signed_in.take(name);
        let page = view::message("Signed out", "Your sign-in was ended by the provider.");
        (jar.remove(self.cookie("session", String::new())), Html(page)).into_response()
    }

    fn is_https(&self) -> bool {
        self.base_url.starts_with("https:")
    }

    fn cookie_name(&self, kind: &str) -> String {
        // With this prefix a browser makes sure that only this host has set it.
        let prefix = if self.is_https() { "__Host-" } else { "" };
        format!("{prefix}web-app-{kind}")
    }

    fn cookie(&self, kind: &str, value: String) -> Cookie<'static> {
        // Lax, because the browser comes back from the provider; a POST from elsewhere brings no such cookie.
        Cookie::build((self.cookie_name(kind), value))
            .http_only(true)
            .path("/")
            .same_site(SameSite::Lax)
            .secure(self.is_https())
            .build()
    }
}

/// Refuses forms of other origins, and sets what every page needs.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN);
    if request.method() == Method::POST && origin.is_some_and(|origin| *origin != app.base_url) {
        return (StatusCode::FORBIDDEN, "This form is of another site.").into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        // Not no-referrer: browsers would say `Origin: null` of our own forms as well.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

type Answer = Result<Response, Trouble>;

/// What a person is told when something went wrong.
struct Trouble {
    status: StatusCode,
    told: String,
}

impl Trouble {
    fn of_the_visitor(told: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, told: told.into() }
    }
}

impl From<anyhow::Error> for Trouble {
    /// Causes are for the log.
    fn from(error: anyhow::Error) -> Self {
        eprintln!("{error:#}");
        let told = "The provider could not be asked, or its answer was not good. Try again.".to_owned();
        Self { status: StatusCode::BAD_GATEWAY, told }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        (self.status, Html(view::message("That did not work", &self.told))).into_response()
    }
}
