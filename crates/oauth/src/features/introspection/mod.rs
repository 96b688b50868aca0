//! Token introspection (RFC 7662). Home of RFC 7662.
//!
//! The caller is authenticated before anything is said about the token (§2.1). A confidential client learns about its
//! own tokens; one that is allowed to introspect, about all. Everything else is the one inactive answer (§2.2).

use obol_keys::{RefreshToken, same_hash};
use obol_replica::{NotVerified, Stale};
use obol_token::{Asked, Claims, Expiry, Scratch};
use serde_json::{Map, Value, json};

use super::id_token::{name_of, subject_of};
use super::{ClientRule, Endpoint, Feature, Method, Part, Pending, Steps};
use crate::answer::username;
use crate::client_authentication::{AuthenticatedClient, describe_methods};
use crate::engine::Call;
use crate::{About, Answer, Engine, Introspection, OAuthError, Outcome, Request, Surface};

/// RFC 7662.
pub(super) const FEATURE: Feature = Feature {
    name: "token introspection",
    specification: "RFC 7662",
    endpoints: &[Endpoint {
        surface: Surface::Rfc,
        methods: &[Method::Post],
        path: PATH,
        steps: Steps::Authenticated { client: ClientRule::Confidential, only_tells: true, part },
    }],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/introspect";

/// Access tokens are answered from memory, refresh tokens from the store.
fn part(request: &Request<'_>) -> Part {
    match refresh_token(request) {
        Some(_) => Part::Waiting(handle_refresh_token),
        None => Part::AtOnce(handle_access_token),
    }
}

fn refresh_token(request: &Request<'_>) -> Option<RefreshToken> {
    RefreshToken::parse(request.body.required("token").ok()?)
}

fn handle_access_token<'a>(
    call: &Call<'a>,
    client: &AuthenticatedClient,
    scratch: &'a mut Scratch,
) -> Result<Answer<'a>, OAuthError> {
    let token = call.request.body.required("token")?;
    Ok(Answer::Introspection(introspect_access_token(call, client, token, scratch)?))
}

fn handle_refresh_token<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move {
        let introspection = match refresh_token(call.request) {
            Some(token) => introspect_refresh_token(call, &client, &token).await?,
            None => Introspection::INACTIVE,
        };
        Ok(Outcome::Done(Answer::Introspection(introspection)))
    })
}

pub(super) fn introspect_access_token<'a>(
    call: &Call<'a>,
    client: &AuthenticatedClient,
    token: &str,
    scratch: &'a mut Scratch,
) -> Result<Introspection<'a>, Stale> {
    let asked = match client.may_introspect {
        true => Asked::AnyClient,
        false => Asked::Client(client.id.as_str()),
    };
    match call.vouched.verify(token, asked, call.request.arrival.now, scratch) {
        Ok(claims) => Ok(active(call, &claims)),
        Err(NotVerified::Refused(_)) => Ok(Introspection::INACTIVE),
        Err(NotVerified::Stale(stale)) => Err(stale),
    }
}

fn active<'a>(call: &Call<'a>, claims: &Claims<'a>) -> Introspection<'a> {
    Introspection::Active {
        active: true,
        aud: claims.audience,
        client_id: claims.client_id.into(),
        exp: seconds(claims.expires_at),
        iat: claims.issued_at.as_secs(),
        iss: call.engine.settings.issuer.as_str().into(),
        jti: Some(claims.token_id),
        scope: claims.scopes.into(),
        sub: About::of(claims, call.vouched.memory()),
        token_type: Some("Bearer"),
        username: username(claims),
    }
}

/// A refresh token is a row, so this reads the store: active while it is the current one of a live family.
pub(super) async fn introspect_refresh_token(
    call: &Call<'_>,
    client: &AuthenticatedClient,
    token: &RefreshToken,
) -> Result<Introspection<'static>, OAuthError> {
    let (store, now) = (&call.engine.store, call.request.arrival.now);
    let Some(family) = store.find_family(token.lineage_hash()).await? else {
        return Ok(Introspection::INACTIVE);
    };
    let may_know = client.may_introspect || family.client_id == client.id;
    let of = call.vouched.memory().client(family.client_id.as_str()).filter(|client| client.enabled);
    let Some(of) = of else { return Ok(Introspection::INACTIVE) };
    let stands = family.ended.is_none()
        && !family.refresh_expires_at.is_over(now)
        && same_hash(&family.current, &token.hash());
    let user = store.find_user_by_id(family.subject).await?.filter(|user| user.enabled);
    let Some(user) = user.filter(|_| may_know && stands) else {
        return Ok(Introspection::INACTIVE);
    };
    Ok(Introspection::Active {
        active: true,
        aud: None,
        client_id: family.client_id.as_str().to_owned().into(),
        exp: seconds(family.refresh_expires_at),
        iat: family.issued_at.as_secs(),
        iss: call.engine.settings.issuer.as_str().to_owned().into(),
        jti: None,
        scope: family.scopes.to_string().into(),
        sub: About::Named(subject_of(call.engine, &of, family.subject)?.into()),
        token_type: None,
        username: name_of(call.engine, &of, user.id, user.username.as_str())?.into(),
    })
}

fn seconds(expiry: Expiry) -> Option<i64> {
    match expiry {
        Expiry::At(at) => Some(at.as_secs()),
        Expiry::Never => None,
    }
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("introspection_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
    describe_methods(document, "introspection_endpoint", false);
}
