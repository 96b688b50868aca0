//! The password grant (RFC 6749 §4.3), for clients that are allowed it.
//!
//! It ends at the step person: the door asks the accounts room and comes back with [`issue`].
//! A client that may refresh gets a family, which is one row; without, nothing is written.

use obol_keys::{PlainPassword, RefreshToken};
use obol_store::{AuditEvent, AuditRecord, BeginOutcome, NewFamily};
use obol_token::{Expiry, FamilyId, TokenId};

use super::id_token::name_of;
use super::{Feature, Grant, Part, Pending, nothing};
use crate::client_authentication::AuthenticatedClient;
use crate::engine::{Call, PasswordNeeded};
use crate::issue::{Issue, decide_refreshable, decide_resource};
use crate::scopes::{decide_granted, parse_requested};
use crate::{Answer, Engine, ErrorCode, OAuthError, Outcome, Person, PersonRefused, Surface, TokenAnswer};

/// RFC 6749 §4.3.
pub(super) const FEATURE: Feature = Feature {
    name: "password grant",
    specification: "RFC 6749 §4.3, FortiAuthenticator token/",
    endpoints: &[],
    grants: &[Grant {
        name: "password",
        surfaces: &[Surface::FortiAuthenticator, Surface::Rfc],
        confidential_only: false,
        part: Part::Waiting(handle),
    }],
    describe: nothing,
};

fn handle<'a>(call: &'a Call<'a>, client: AuthenticatedClient) -> Pending<'a> {
    Box::pin(async move {
        let body = &call.request.body;
        let username = body.required("username")?.to_owned();
        let password = PlainPassword::new(body.required("password")?.to_owned()).map_err(|error| {
            OAuthError::new(ErrorCode::InvalidRequest, format!("The password cannot be one: {error}."))
        })?;
        let password = Some(password);
        let realm = body.optional("realm")?.map(str::to_owned);
        let scopes = decide_granted(&client, parse_requested(body)?.as_ref())?;
        let resource = decide_resource(body, &client, None)?;
        let surface = call.request.endpoint.surface;
        let (position, arrival) = (call.vouched.position(), call.request.arrival);
        let needed = PasswordNeeded {
            username,
            password,
            realm,
            client,
            scopes,
            resource,
            surface,
            position,
            arrival,
        };
        Ok(Outcome::PasswordNeeded(Box::new(needed)))
    })
}

/// The steps person and issue.
///
/// # Errors
/// `invalid_grant` for a person that is refused, 503 when too many are being checked or storage fails.
pub(crate) async fn issue(
    engine: &Engine,
    needed: PasswordNeeded,
    person: Result<Person, PersonRefused>,
) -> Result<Answer<'static>, OAuthError> {
    let outcome = match person {
        Ok(person) => issue_to(engine, &needed, &person).await,
        Err(refused) => Err(refusal(refused)),
    };
    let record = AuditRecord {
        client_id: Some(needed.client.id.as_str().to_owned()),
        username: Some(needed.username),
        ..AuditRecord::new(AuditEvent::TokenIssued, needed.arrival.now)
    };
    let record = match &outcome {
        Ok(issued) => AuditRecord {
            reason: Some("password".into()),
            token_id: Some(issued.token_id),
            family: issued.family,
            ..record
        },
        Err(error) => AuditRecord {
            event: AuditEvent::TokenRefused,
            done: false,
            reason: Some(error.reason().to_owned().into()),
            ..record
        },
    };
    engine.audit(&needed.arrival, record);
    outcome.map(|issued| Answer::Token(issued.answer))
}

struct Issued {
    answer: TokenAnswer,
    token_id: TokenId,
    family: Option<FamilyId>,
}

async fn issue_to(engine: &Engine, needed: &PasswordNeeded, person: &Person) -> Result<Issued, OAuthError> {
    let (client, scopes, now) = (&needed.client, &needed.scopes, needed.arrival.now);
    let refresh_token = RefreshToken::generate();
    // A client with one live family per person needs the family also when it gets no refresh token.
    let family = match decide_refreshable(client) || client.single_family {
        true => Some(begin_family(engine, needed, person, &refresh_token).await?),
        false => None,
    };
    let refresh_token = decide_refreshable(client).then(|| refresh_token.text());
    let position = needed.position;
    let username = name_of(engine, client, person.subject, &person.username)?;
    let named = Person { subject: person.subject, username };
    let issue = Issue {
        client,
        person: Some(&named),
        scopes,
        family,
        resource: needed.resource.clone(),
        surface: needed.surface,
        granted: None,
        position,
        now,
    };
    let token = issue.seal(engine)?;
    let answer = TokenAnswer {
        access_token: token.text,
        expires_in: token.expires_in,
        id_token: None,
        refresh_token,
        scope: scopes.to_string(),
    };
    Ok(Issued { answer, token_id: token.id, family })
}

async fn begin_family(
    engine: &Engine,
    needed: &PasswordNeeded,
    person: &Person,
    refresh_token: &RefreshToken,
) -> Result<FamilyId, OAuthError> {
    let (client, now) = (&needed.client, needed.arrival.now);
    let family = NewFamily {
        id: FamilyId::from_bytes(obol_keys::random_bytes()),
        client_id: client.id.clone(),
        subject: person.subject,
        scopes: needed.scopes.clone(),
        lineage: refresh_token.lineage_hash(),
        current: refresh_token.hash(),
        issued_at: now,
        refresh_expires_at: match decide_refreshable(client) {
            true => client.refresh_token_lifetime.from(now),
            false => Expiry::At(now),
        },
        access_expires_at: client.access_token_lifetime.from(now),
        single: client.single_family,
        session: None,
        details: String::new(),
        position: needed.position,
    };
    match engine.store.begin_family(&family).await? {
        BeginOutcome::Begun(None) => {}
        BeginOutcome::Begun(Some(replaced)) => {
            engine.audit(
                &needed.arrival,
                AuditRecord {
                    reason: Some("replaced by a new sign-in at a client with one family per person".into()),
                    client_id: Some(client.id.as_str().to_owned()),
                    username: Some(person.username.clone()),
                    position: Some(replaced.position()),
                    ..AuditRecord::new(AuditEvent::TokenRevoked, now)
                },
            );
            let _revoked = engine.replica.confirm(replaced).await?;
        }
        BeginOutcome::Gone => return Err(wrong_credentials("disabled meanwhile")),
    }
    Ok(family.id)
}

fn refusal(refused: PersonRefused) -> OAuthError {
    match refused {
        PersonRefused::Credentials { reason } => wrong_credentials(reason),
        PersonRefused::Busy { retry_after_secs } => {
            let sentence =
                "Too many passwords are being checked at this moment; send the request again later.";
            OAuthError::unavailable(sentence, retry_after_secs)
        }
        PersonRefused::Store(error) => error.into(),
    }
}

fn wrong_credentials(reason: &'static str) -> OAuthError {
    let sentence = "The username or the password is not right, or the account may not sign in now.";
    OAuthError::new(ErrorCode::InvalidCredentials, sentence).caused_by(reason)
}
