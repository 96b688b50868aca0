//! `/forward-auth`: what gateways ask about the requests of others.
//!
//! 1. `asked` reads what is needed, and from where the request came, in the three ways in which gateways say so.
//! 2. A bearer token is decided about at once, from memory ([`obol_oauth::Engine::admit`]).
//! 3. Without one the browser's session counts, which is a row: [`crate::Pages::at_gateway`] finds it, or says where to
//!    sign in.
//! 4. `answer` tells who it is in header fields, which every answer has: what a gateway copies is never the client's own.

mod address;
mod answer;
mod asked;

pub(crate) use address::Address;
pub(crate) use asked::is_prefixed;

use http::HeaderMap;
use obol_oauth::{Arrival, Authorization, Engine, ErrorCode, Needed, OAuthError, RequestId};
use obol_token::Scratch;

use self::asked::Asked;
use crate::door::log_refusal;
use crate::pages::{AtGateway, Pages};
use crate::server::{Answer, Fields, Whole};

/// The answer to a request with a bearer token; `None` sends everything else, and all that is unusual, the long way.
pub(crate) fn answer_at_once<F: Fields + ?Sized>(
    engine: &Engine,
    request: &Whole<'_, F>,
    request_id: RequestId,
) -> Option<Answer> {
    let asked = Asked::find(request)?;
    let params = asked.params().ok()?;
    let needed = Needed::read(&params).ok()?;
    match asked.authorization() {
        Ok(Authorization::Bearer(token)) => Some(decide(engine, token, &needed, request_id)),
        _ => None,
    }
}

/// The answer to any request.
pub(crate) async fn answer(
    engine: &Engine,
    pages: &Pages,
    request: &Whole<'_, HeaderMap>,
    arrival: Arrival,
) -> Answer {
    let refuse = |error: &OAuthError, needed: &Needed<'_>| refuse(engine, error, needed, arrival.request_id);
    let Some(asked) = Asked::find(request) else {
        let sentence = "There is nothing at this path; check the URL.";
        return refuse(&OAuthError::new(ErrorCode::NotFound, sentence), &Needed::default());
    };
    let params = asked.params();
    let needed = params.as_ref().map_err(OAuthError::clone).and_then(|params| Needed::read(params));
    let (needed, authorization) = match (needed, asked.authorization()) {
        (Ok(needed), Ok(authorization)) => (needed, authorization),
        (Err(error), _) | (_, Err(error)) => return refuse(&error, &Needed::default()),
    };
    match authorization {
        Authorization::Bearer(token) => decide(engine, token, &needed, arrival.request_id),
        _ if asked.has_authorization() => refuse(&no_token(), &needed),
        _ => match by_session(pages, &asked, request.fields, &needed, arrival).await {
            Ok(answer) => answer,
            Err(error) => refuse(&error, &needed),
        },
    }
}

fn decide(engine: &Engine, token: &str, needed: &Needed<'_>, request_id: RequestId) -> Answer {
    match engine.admit(token, needed, &mut Scratch::default()) {
        Ok(admitted) => answer::admitted(&admitted),
        Err(error) => refuse(engine, &error, needed, request_id),
    }
}

fn refuse(engine: &Engine, error: &OAuthError, needed: &Needed<'_>, request_id: RequestId) -> Answer {
    log_refusal(error, request_id);
    answer::refused(engine, error, needed)
}

/// A session has no scopes, is for no audience and of no client: it meets no need.
async fn by_session<F: Fields + ?Sized>(
    pages: &Pages,
    asked: &Asked<'_, '_, F>,
    fields: &HeaderMap,
    needed: &Needed<'_>,
    arrival: Arrival,
) -> Result<Answer, OAuthError> {
    let address = asked.address().filter(|address| pages.is_gateway_host(address));
    let address = address.as_ref();
    let found = pages.at_gateway(fields, address, arrival).await?;
    let way = match (found, address) {
        (AtGateway::Person(session), _) if needed.is_nothing() => return Ok(answer::signed_in(&session)),
        (AtGateway::Person(_), _) => {
            let sentence =
                "This needs an access token with the right scope and audience; a session has none.";
            return Err(OAuthError::new(ErrorCode::InsufficientScope, sentence));
        }
        (AtGateway::Comes(way), _) => way,
        // Where nobody is let through by signing in, nobody is sent there.
        (AtGateway::Nobody, Some(address)) if asked.is_browser() && needed.is_nothing() => {
            pages.way_to_sign_in(fields, address, arrival)?
        }
        (AtGateway::Nobody, _) => return Err(no_token()),
    };
    address.and_then(|address| answer::elsewhere(address, way)).ok_or_else(no_token)
}

fn no_token() -> OAuthError {
    let sentence = "Send an access token in the header `Authorization: Bearer …`, or sign in with a browser.";
    OAuthError::new(ErrorCode::NoToken, sentence)
}
