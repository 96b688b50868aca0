//! From a description to a client: when a person has allowed it, and not before.

use obol_store::{AddOutcome, Appended, AuditEvent, ChangeOutcome, Client, replace};

use super::described_anew;
use crate::{Engine, ErrorCode, OAuthError};

/// Puts a client that a person allows among the clients, as it is described now, and waits until every node knows it. Says
/// what was done, if anything; registered clients are there already.
///
/// # Errors
/// `unauthorized_client` if there are too many, or if there was one and it was deleted; 503 when storage fails.
pub(crate) async fn admit(engine: &Engine, client: &Client) -> Result<Option<AuditEvent>, OAuthError> {
    let Some(rules) = engine.settings.described_clients.as_ref().filter(|_| is_described(client)) else {
        return Ok(None);
    };
    let memory = engine.replica.vouch()?.memory();
    let (event, appended) = match memory.client(client.id.as_str()) {
        Some(known) if *known == *client => return Ok(None),
        Some(_) => change(engine, client).await?,
        None if memory.count_clients(is_described) >= rules.most => return Err(too_many()),
        None => add(engine, client).await?,
    };
    engine.confirm(appended).await?;
    Ok(Some(event))
}

async fn add(engine: &Engine, client: &Client) -> Result<(AuditEvent, Appended), OAuthError> {
    match engine.store.add_client(client).await? {
        AddOutcome::Added(appended) => Ok((AuditEvent::ClientAdded, appended)),
        // Since this node looked, somebody else has allowed it, or the operator has registered it.
        AddOutcome::Taken => change(engine, client).await,
        AddOutcome::NeverAgain => Err(not_this_one()),
    }
}

/// What is registered is the operator's, whatever a document says; that a client is one or the other never changes.
async fn change(engine: &Engine, client: &Client) -> Result<(AuditEvent, Appended), OAuthError> {
    let replaced = replace(
        || engine.store.find_client(&client.id),
        |former| match is_described(former) {
            true => Ok(described_anew(former, client.clone())),
            false => Err(not_this_one()),
        },
        |former, client| async move { engine.store.change_client(&former, &client).await },
    );
    match replaced.await? {
        ChangeOutcome::Changed(appended) => Ok((AuditEvent::ClientChanged, appended)),
        ChangeOutcome::Unknown => Err(not_this_one()),
    }
}

fn is_described(client: &Client) -> bool {
    client.settings.from_metadata_document
}

fn too_many() -> OAuthError {
    let sentence = "No more applications that are not registered are let in; have this one registered.";
    OAuthError::new(ErrorCode::UnauthorizedClient, sentence)
}

fn not_this_one() -> OAuthError {
    let sentence =
        "The `client_id` belongs to another client here, or to one that was deleted; use another URL.";
    OAuthError::new(ErrorCode::UnauthorizedClient, sentence)
}
