//! What `serve --dev` makes to try the server with: three clients, a person, and lines ready to paste.

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
/// The application in `examples/web-app`.
const WEB_APP: &str = "web-app";
/// Where that answers unless it is told otherwise.
const WEB_APP_URL: &str = "http://127.0.0.1:3000";
const PERSON: &str = "alice";

/// By which clients made here are known again: how their names end.
const MADE_HERE: &str = "made by serve --dev";
/// By which the person made here is known again: an address that cannot exist (RFC 2606).
const EMAIL: &str = "alice@serve-dev.invalid";

/// The secrets made for this run.
struct Secrets {
    gateway: PlainSecret,
    web_app: PlainSecret,
    password: PlainPassword,
}

/// Makes the clients `fcare`, `gateway` and `web-app` and the person `alice`, with fresh secrets, and returns what to show.
///
/// # Errors
/// When storage refuses, or something of these names is there that was not made here.
pub(crate) async fn prepare(server: &Server, now: Timestamp) -> anyhow::Result<String> {
    refuse_strangers(server).await?;
    ensure_client(server, spec(PUBLIC_CLIENT, &["password", "refresh_token"], None)?, now).await?;
    let secret = || Some(ChosenSecret::Generate);
    let gateway = ensure_client(server, spec(GATEWAY, &["client_credentials"], secret())?, now).await?;
    let web_app = spec(WEB_APP, &["authorization_code", "refresh_token"], secret())?;
    let web_app = ensure_client(server, application(web_app), now).await?;
    let password = ensure_person(server, now).await?;
    let has_none = |id| format!("the client `{id}` has no secret; delete the data folder to begin anew");
    let secrets = Secrets {
        gateway: gateway.with_context(|| has_none(GATEWAY))?,
        web_app: web_app.with_context(|| has_none(WEB_APP))?,
        password,
    };
    Ok(lines_to_paste(&server.url, &secrets))
}

/// Nothing of these names may be somebody's: its secrets would be replaced and its tokens ended.
async fn refuse_strangers(server: &Server) -> anyhow::Result<()> {
    for id in [PUBLIC_CLIENT, GATEWAY, WEB_APP] {
        let client = server.store.find_client(&id.parse()?).await?;
        if client.is_some_and(|client| !client.name.ends_with(MADE_HERE)) {
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

/// What people see of the client on the pages, and where they go back to.
fn application(client: ClientSpec) -> ClientSpec {
    ClientSpec {
        name: format!("The example application, {MADE_HERE}"),
        redirect_uris: vec![format!("{WEB_APP_URL}/callback")],
        may_introspect: false,
        ..client
    }
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

fn lines_to_paste(url: &str, secrets: &Secrets) -> String {
    let curl = if url.starts_with("https:") { "curl -sk" } else { "curl -s" };
    let api = format!("{url}/api/v1/oauth");
    let password = secrets.password.danger_text();
    let (gateway, web_app) = (secrets.gateway.reveal(), secrets.web_app.reveal());
    format!(
        r#"# For trying out only: the user {PERSON} (password {password}), the public client {PUBLIC_CLIENT},
# and the confidential clients {GATEWAY} (secret {gateway}) and {WEB_APP}. All secrets are new at
# every start with --dev.

# An application that lets people sign in: start it, open {WEB_APP_URL}, sign in as {PERSON}.
ISSUER={url} CLIENT_SECRET={web_app} cargo run --manifest-path examples/web-app/Cargo.toml

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
