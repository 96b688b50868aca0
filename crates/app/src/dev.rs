//! What `serve --dev` makes to try the server with: two clients, a person, and curl lines ready to paste.

use anyhow::{Context, bail};
use obol_accounts::administration::{
    AdministrationError, NewUser, add_user, set_user_enabled, set_user_password,
};
use obol_keys::{PlainPassword, PlainSecret};
use obol_oauth::administration::{ChosenSecret, ClientSpec, ClientSpecError, add_client, rotate_secret};
use obol_store::{AuditEvent, AuditRecord, ChangeOutcome, ClientSettings, Username};
use obol_token::{ClientId, Lifetime, Scopes, Timestamp};

use crate::wiring::Server;

const PUBLIC_CLIENT: &str = "fcare";
const GATEWAY: &str = "gateway";
const PERSON: &str = "alice";

/// By which clients made here are known again: their name.
const MADE_HERE: &str = "made by serve --dev";
/// By which the person made here is known again: an address that cannot exist (RFC 2606).
const EMAIL: &str = "alice@serve-dev.invalid";

/// The secrets made for this run.
struct Secrets {
    gateway: String,
    password: PlainPassword,
}

/// Makes the clients `fcare` and `gateway` and the person `alice`, with fresh secrets, and returns what to show.
///
/// # Errors
/// When storage refuses, or something of these names is there that was not made here.
pub(crate) async fn prepare(server: &Server, now: Timestamp) -> anyhow::Result<String> {
    refuse_strangers(server).await?;
    ensure_client(server, spec(PUBLIC_CLIENT, &["password", "refresh_token"], None)?, now).await?;
    let secret = Some(ChosenSecret::Generate);
    let gateway = ensure_client(server, spec(GATEWAY, &["client_credentials"], secret)?, now).await?;
    let gateway =
        gateway.context("the client `gateway` has no secret; delete the data folder to begin anew")?;
    let password = ensure_person(server, now).await?;
    Ok(curl_lines(&server.url, &Secrets { gateway: gateway.reveal().to_owned(), password }))
}

/// Nothing of these names may be somebody's: its secrets would be replaced and its tokens ended.
async fn refuse_strangers(server: &Server) -> anyhow::Result<()> {
    for id in [PUBLIC_CLIENT, GATEWAY] {
        let client = server.store.find_client(&id.parse()?).await?;
        if client.is_some_and(|client| client.name != MADE_HERE) {
            bail!(
                "there is a client `{id}` that --dev did not make; give --dev a folder of its own (--data DIR)"
            );
        }
    }
    let person = server.store.find_user(&PERSON.parse()?).await?;
    if person.is_some_and(|person| person.email.as_deref() != Some(EMAIL)) {
        bail!(
            "there is a user `{PERSON}` that --dev did not make; give --dev a folder of its own (--data DIR)"
        );
    }
    Ok(())
}

fn spec(id: &str, grants: &[&str], secret: Option<ChosenSecret>) -> anyhow::Result<ClientSpec> {
    Ok(ClientSpec {
        id: id.parse()?,
        name: MADE_HERE.to_owned(),
        may_introspect: secret.is_some(),
        secret,
        grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
        default_scopes: Scopes::default(),
        optional_scopes: Scopes::default(),
        redirect_uris: Vec::new(),
        access_token_lifetime: Lifetime::from_setting_secs(3_600),
        refresh_token_lifetime: Lifetime::from_setting_secs(86_400),
        single_family: false,
        settings: ClientSettings::default(),
    })
}

/// Adds the client, or enables it and gives it a new secret when it is there.
async fn ensure_client(
    server: &Server,
    spec: ClientSpec,
    now: Timestamp,
) -> anyhow::Result<Option<PlainSecret>> {
    let (id, confidential): (ClientId, bool) = (spec.id.clone(), spec.secret.is_some());
    let audit = |event| {
        server.record(AuditRecord { client_id: Some(id.as_str().to_owned()), ..AuditRecord::new(event, now) })
    };
    match add_client(&*server.store, spec, now).await {
        Ok(added) => {
            let _revoked = server.replica.confirm(added.appended).await?;
            audit(AuditEvent::ClientAdded);
            return Ok(added.generated_secret);
        }
        Err(ClientSpecError::Taken(_)) => {}
        Err(error) => return Err(error.into()),
    }
    if let ChangeOutcome::Changed(appended) = server.store.set_client_enabled(&id, true, now).await? {
        let _revoked = server.replica.confirm(appended).await?;
        audit(AuditEvent::ClientEnabled);
    }
    if !confidential {
        return Ok(None);
    }
    let (secret, appended) = rotate_secret(&*server.store, &id, ChosenSecret::Generate).await?;
    let _revoked = server.replica.confirm(appended).await?;
    audit(AuditEvent::ClientSecretRotated);
    Ok(secret)
}

/// Adds the person, or enables her and gives her a new password when she is there.
async fn ensure_person(server: &Server, now: Timestamp) -> anyhow::Result<PlainPassword> {
    let username: Username = PERSON.parse()?;
    let password = PlainPassword::generate();
    let new = NewUser { username: username.clone(), email: Some(EMAIL.parse()?), password: copy(&password)? };
    let (appended, events) = match add_user(&*server.store, new, now).await {
        Ok(added) => (added.appended, &[AuditEvent::UserAdded][..]),
        Err(AdministrationError::Taken) => {
            let _enabled = set_user_enabled(&*server.store, &username, true, now).await?;
            let set = set_user_password(&*server.store, &username, &password, now).await?;
            (set, &[AuditEvent::UserEnabled, AuditEvent::UserPasswordSet][..])
        }
        Err(error) => return Err(error.into()),
    };
    let _revoked = server.replica.confirm(appended).await?;
    for &event in events {
        let username = Some(username.as_str().to_owned());
        server.record(AuditRecord { username, ..AuditRecord::new(event, now) });
    }
    Ok(password)
}

fn copy(password: &PlainPassword) -> anyhow::Result<PlainPassword> {
    Ok(PlainPassword::new(password.danger_text().to_owned())?)
}

fn curl_lines(url: &str, secrets: &Secrets) -> String {
    let curl = if url.starts_with("https:") { "curl -sk" } else { "curl -s" };
    let api = format!("{url}/api/v1/oauth");
    let (password, gateway) = (secrets.password.danger_text(), &secrets.gateway);
    format!(
        r#"# For trying out only: the user {PERSON} (password {password}), the public client {PUBLIC_CLIENT},
# and the confidential client {GATEWAY} (secret {gateway}). All secrets are new at every start with --dev.

# 1. A token for {PERSON}.
TOKEN=$({curl} {api}/token/ -H 'Content-Type: application/json' -d '{{"grant_type": "password", "client_id": "{PUBLIC_CLIENT}", "username": "{PERSON}", "password": "{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/'); echo "$TOKEN"

# 2. Does it count? 200, and whose it is.
{curl} -w '%{{http_code}}\n' '{api}/verify_token/?client_id={PUBLIC_CLIENT}' -H "Authorization: Bearer $TOKEN"

# 3. Revoke it: 200 once no node accepts it any more.
{curl} -w '%{{http_code}}\n' {api}/revoke_token/ -H 'Content-Type: application/json' -d '{{"client_id": "{PUBLIC_CLIENT}", "token": "'"$TOKEN"'"}}'

# 4. Does it count now? 401.
{curl} -w '%{{http_code}}\n' '{api}/verify_token/?client_id={PUBLIC_CLIENT}' -H "Authorization: Bearer $TOKEN"

# As the gateway sees it (RFC 7662).
{curl} -w '%{{http_code}}\n' -u '{GATEWAY}:{gateway}' {url}/oauth2/introspect -d "token=$TOKEN"
"#
    )
}
