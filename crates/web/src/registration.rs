//! Clients that register themselves (RFC 7591), and manage what was registered (RFC 7592): JSON, and paths with the client's id.

use http::{HeaderMap, Method};
use obol_oauth::{
    Arrival, Authorization, Engine, OAuthError, RegistrationAsked, RegistrationRequest, Surface,
};

use crate::server::{Answer, Whole};
use crate::{dialect, intake};

/// What stands before the id of a client.
const BELOW: &str = "/oauth2/register/";

/// Whether this is where a client manages its own registration.
pub(crate) fn is_of_a_client(path: &str) -> bool {
    id_in(path).is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// Answers a request.
///
/// # Errors
/// [`OAuthError`]
pub(crate) async fn answer(
    engine: &Engine,
    request: &Whole<'_, HeaderMap>,
    arrival: Arrival,
) -> Result<Answer, OAuthError> {
    let authorization = intake::read_authorization(request.fields)?;
    let bearer = match authorization {
        Authorization::Bearer(token) => Some(token),
        _ => None,
    };
    let asked = match (id_in(request.path.trim_end_matches('/')), request.method) {
        (None, _) => RegistrationAsked::Register(json(request)?),
        (Some(id), &Method::PUT) => RegistrationAsked::Update(id, json(request)?),
        (Some(id), &Method::DELETE) => RegistrationAsked::Delete(id),
        (Some(id), _) => RegistrationAsked::Read(id),
    };
    let answered = engine.register(&RegistrationRequest { asked, bearer, arrival }).await?;
    Ok(dialect::success(Surface::Rfc, answered))
}

fn id_in(path: &str) -> Option<&str> {
    path.strip_prefix(BELOW)
}

/// The body, which says that it is JSON.
fn json<'a>(request: &Whole<'a, HeaderMap>) -> Result<&'a [u8], OAuthError> {
    intake::check_json(request.fields, "Send client metadata as `application/json`.")?;
    Ok(request.body)
}
