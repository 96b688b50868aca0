//! `obol client …`: the programs that ask for tokens.

mod args;
mod authentication_args;
mod links_args;
mod set_args;
mod sign_in_args;
mod view;

use obol_keys::PlainSecret;
use obol_oauth::administration::{ChosenSecret, add_client, change_client, rotate_secret};
use obol_store::{Appended, AuditEvent, ChangeOutcome, Client, ClientAuthMethod, ClientSettings};
use obol_token::ClientId;

use self::args::{AddArgs, Named, RotateArgs};
use self::set_args::SetArgs;
use self::view::{ClientList, ClientView, Deleted};
use crate::commands::keys::add_first;
use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::Installation;
use crate::output::Output;

const ADD_HELP: &str = "\
Examples:
  An app in which people sign in with their browser:
    obol client add --id app --type public --grant authorization_code --grant refresh_token --redirect-uri https://app.example.com/callback
  An app that takes people's passwords itself:
    obol client add --id fcare --type public --grant password --grant refresh_token
  A service that acts for itself, and may ask about every token:
    obol client add --id gateway --type confidential --allow-introspection --json
  The same without a secret, with a key of its own:
    obol client add --id gateway --type confidential --auth-method private_key_jwt --jwks keys.json";

const SET_HELP: &str = "\
Examples:
  obol client set app --redirect-uri https://app.example.com/callback --redirect-uri https://app.example.com/silent
  obol client set app --access-token-ttl 600 --consent skip
  obol client set app --post-logout-redirect-uri ''";

const ROTATE_HELP: &str = "\
Examples:
  obol client rotate-secret gateway
  printf '%s\\n' \"$SECRET\" | obol client rotate-secret gateway --secret-stdin";

/// What to do with clients.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ClientCommand {
    /// Add a client.
    #[command(after_help = ADD_HELP)]
    Add(Box<AddArgs>),
    /// List all clients.
    List,
    /// Show a client.
    Show(Named),
    /// Change a client. Its id, type and secret stay, and so do its tokens. One empty value empties a list of URIs or scopes.
    #[command(after_help = SET_HELP)]
    Set(Box<SetArgs>),
    /// Let a disabled client ask for tokens again. Tokens from before stay refused.
    Enable(Named),
    /// Refuse a client everywhere, and end all its tokens.
    Disable(Named),
    /// Replace the secret of a confidential client. The old one is refused at once; tokens stay.
    #[command(after_help = ROTATE_HELP)]
    RotateSecret(RotateArgs),
    /// Delete a client and end all its tokens. Its id is never given out again.
    Delete(Named),
}

/// Runs the command.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(command: ClientCommand, settings: &Settings, output: Output) -> Result<End, Failure> {
    match command {
        ClientCommand::Add(args) => add(*args, settings, output),
        ClientCommand::List => Installation::visit(settings, async |installation| {
            let clients = installation.store().list_clients().await.map_err(Failure::refused)?;
            output.show(&ClientList(clients.iter().map(|client| ClientView::new(client, None)).collect()))?;
            Ok(End::Done)
        }),
        ClientCommand::Show(which) => Installation::visit(settings, async |installation| {
            show(installation, &which.parse()?, None, output).await
        }),
        ClientCommand::Set(args) => set(*args, settings, output),
        ClientCommand::Enable(which) => set_enabled(&which, true, settings, output),
        ClientCommand::Disable(which) => set_enabled(&which, false, settings, output),
        ClientCommand::RotateSecret(args) => rotate(&args, settings, output),
        ClientCommand::Delete(which) => delete(&which, settings, output),
    }
}

fn add(args: AddArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    let mut spec = args.spec()?;
    let id = spec.id.clone();
    Installation::visit_or_begin(settings, async |installation| {
        add_first(installation, &spec.settings).await?;
        if signs_with_secret(&spec.settings) {
            spec.secret = match spec.secret.take() {
                Some(secret) => Some(kept(installation, &id, secret).await?),
                None => None,
            };
        }
        let added = add_client(installation.store(), spec, installation.now).await;
        let appended = added.as_ref().map(|added| added.appended);
        finish(installation, AuditEvent::ClientAdded, &id, appended).await?;
        let added = added.map_err(Failure::refused)?;
        output.show(&ClientView::new(&added.client, added.generated_secret.as_ref()))?;
        Ok(End::Done)
    })
}

fn set(args: SetArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    let id = args.which.parse()?;
    let change = args.read()?;
    Installation::visit(settings, async |installation| {
        let client = installation.store().find_client(&id).await.map_err(Failure::refused)?;
        if let Some(mut wanted) = client.map(|client| client.settings) {
            if change.is_of_registration() && wanted.registration.is_none() {
                let sentence =
                    "this client has not registered itself, so it has no registration that it could replace";
                return Err(Failure::refused(sentence));
            }
            wanted.id_token_signed_response_alg =
                change.algorithm().unwrap_or(wanted.id_token_signed_response_alg);
            add_first(installation, &wanted).await?;
        }
        let changed = change_client(installation.store(), &id, |spec| change.clone().apply(spec)).await;
        finish(installation, AuditEvent::ClientChanged, &id, changed).await?;
        show(installation, &id, None, output).await
    })
}

fn set_enabled(which: &Named, enabled: bool, settings: &Settings, output: Output) -> Result<End, Failure> {
    let id = which.parse()?;
    let event = if enabled { AuditEvent::ClientEnabled } else { AuditEvent::ClientDisabled };
    Installation::visit(settings, async |installation| {
        let set = installation.store().set_client_enabled(&id, enabled, installation.now).await;
        finish(installation, event, &id, changed(&id, set)).await?;
        show(installation, &id, None, output).await
    })
}

fn rotate(args: &RotateArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    let id = args.which.parse()?;
    let secret = args.secret.read()?;
    Installation::visit(settings, async |installation| {
        let client = installation.store().find_client(&id).await.map_err(Failure::refused)?;
        let signs = client.is_some_and(|client| signs_with_secret(&client.settings));
        let secret = match signs || args.for_signing {
            true => kept(installation, &id, secret).await?,
            false => secret,
        };
        let rotated = rotate_secret(installation.store(), &id, secret).await;
        let appended = rotated.as_ref().map(|(_, appended)| *appended);
        finish(installation, AuditEvent::ClientSecretRotated, &id, appended).await?;
        let (generated, _) = rotated.map_err(Failure::refused)?;
        show(installation, &id, generated.as_ref(), output).await
    })
}

fn signs_with_secret(settings: &ClientSettings) -> bool {
    settings.token_endpoint_auth_method == Some(ClientAuthMethod::ClientSecretJwt)
}

/// The secret, to be kept under the master key.
async fn kept(
    installation: &Installation,
    id: &ClientId,
    secret: ChosenSecret,
) -> Result<ChosenSecret, Failure> {
    let memory = installation.load_memory().await?;
    secret.kept(&memory, id).map_err(Failure::refused)
}

fn delete(which: &Named, settings: &Settings, output: Output) -> Result<End, Failure> {
    let id = which.parse()?;
    Installation::visit(settings, async |installation| {
        let deleted = installation.store().delete_client(&id, installation.now).await;
        finish(installation, AuditEvent::ClientDeleted, &id, changed(&id, deleted)).await?;
        output.show(&Deleted { client_id: id.to_string(), deleted: true })?;
        Ok(End::Done)
    })
}

fn changed<E: ToString>(id: &ClientId, outcome: Result<ChangeOutcome, E>) -> Result<Appended, String> {
    match outcome {
        Ok(ChangeOutcome::Changed(appended)) => Ok(appended),
        Ok(ChangeOutcome::Unknown) => Err(unknown(id)),
        Err(error) => Err(error.to_string()),
    }
}

fn unknown(id: &ClientId) -> String {
    format!("there is no client `{id}`")
}

/// What was done is recorded, and has reached every server, before it is told.
async fn finish<E: ToString>(
    installation: &Installation,
    event: AuditEvent,
    id: &ClientId,
    outcome: Result<Appended, E>,
) -> Result<(), Failure> {
    let outcome = outcome.map_err(|error| error.to_string());
    installation.record(event, outcome.as_ref().err().cloned(), |record| {
        record.client_id = Some(id.to_string());
        record.position = outcome.as_ref().ok().map(|appended| appended.position());
    });
    let _ = installation.confirm(outcome.map_err(Failure::refused)?).await?;
    Ok(())
}

async fn show(
    installation: &Installation,
    id: &ClientId,
    secret: Option<&PlainSecret>,
    output: Output,
) -> Result<End, Failure> {
    let client: Option<Client> = installation.store().find_client(id).await.map_err(Failure::refused)?;
    let client = client.ok_or_else(|| Failure::refused(unknown(id)))?;
    output.show(&ClientView::new(&client, secret))?;
    Ok(End::Done)
}
