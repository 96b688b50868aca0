//! `obol keys …`: the keys that seal access tokens. They are changed without a token that is refused because of it.

mod view;

use obol_oauth::administration::{
    KeyState, ListedKey, begin_rotation, finish_rotation, list_sealing_keys, retire_sealing_key,
};
use obol_replica::{Clock, SystemClock};
use obol_store::{Appended, AuditEvent};
use obol_token::{Expiry, KeyId};

use self::view::{KeyList, KeyView, Retired, Rotated};
use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::Installation;
use crate::instant::rfc3339;
use crate::output::Output;
use crate::typed::confirmed;

const LIST_HELP: &str = "\
A key waits until every server can open what it will seal, then seals, then opens what it has
sealed until it is retired.

Example:
  obol keys list --json";

const ROTATE_HELP: &str = "\
Makes a key, waits until every server that answers can open with it, and only then lets it seal:
no token is refused because of it, and tokens of the key before stay good until that is retired.
Cut off in between, the new key waits, and the next `obol keys rotate` goes on with it. The master
key must be at hand (--master-key-file).

Example:
  obol keys rotate";

const RETIRE_HELP: &str = "\
Access tokens that the key has sealed are refused everywhere when the command has returned. Refresh
tokens stay. `obol keys list` says until when such access tokens may live; before that moment the
command asks.

Examples:
  obol keys retire 1f8b0c3d
  obol keys retire 1f8b0c3d --yes";

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeysCommand {
    /// List all keys, and what each does.
    #[command(after_help = LIST_HELP)]
    List,
    /// Put a new sealing key in the place of the one that seals.
    #[command(after_help = ROTATE_HELP)]
    Rotate,
    /// End a key that does not seal any more, and with it the access tokens that it has sealed.
    #[command(after_help = RETIRE_HELP)]
    Retire(RetireArgs),
}

/// Which key to end.
#[derive(Debug, clap::Args)]
pub(crate) struct RetireArgs {
    /// The key's id: 8 hexadecimal digits, as `obol keys list` shows it.
    #[arg(value_name = "KEY-ID", value_parser = key_id)]
    id: KeyId,
    /// Do it without asking, also while tokens live that it has sealed. Needed then where there is no terminal to ask on.
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(command: KeysCommand, settings: &Settings, output: Output) -> Result<End, Failure> {
    Installation::visit(settings, async |installation| {
        match command {
            KeysCommand::List => {
                let keys = list_sealing_keys(installation.store()).await.map_err(Failure::refused)?;
                output.show(&KeyList(keys.iter().map(KeyView::new).collect()))?;
            }
            KeysCommand::Rotate => output.show(&rotate(installation).await?)?,
            KeysCommand::Retire(args) => output.show(&retire(installation, &args).await?)?,
        }
        Ok(End::Done)
    })
}

/// Puts a new key in the place of all that there are: after a backup was put back, which does not know which were retired
/// since it was made.
///
/// # Errors
/// [`Failure`]
pub(crate) async fn replace_all(installation: &Installation) -> Result<(), Failure> {
    if list_sealing_keys(installation.store()).await.map_err(Failure::refused)?.is_empty() {
        return Ok(());
    }
    rotate(installation).await?;
    for key in list_sealing_keys(installation.store()).await.map_err(Failure::refused)? {
        match key.state {
            KeyState::Opens | KeyState::Waits => drop(retire_now(installation, key.id).await?),
            KeyState::Seals | KeyState::Retired => {}
        }
    }
    Ok(())
}

async fn rotate(installation: &Installation) -> Result<Rotated, Failure> {
    let (store, memory) = (installation.store(), installation.load_memory().await?);
    let key = begin_rotation(&memory, store, SystemClock.wall()).await.map_err(Failure::refused)?;
    if key.from_before {
        tracing::warn!(key = %key.id, "an earlier rotation was not finished: going on with its key");
    } else {
        record(installation, AuditEvent::KeyAdded, key.id, Ok(key.appended));
    }
    let everywhere = installation.confirm(key.appended).await?;
    let promoted = finish_rotation(store, key, everywhere, SystemClock.wall()).await;
    record(installation, AuditEvent::KeyRotated, key.id, told(&promoted));
    let seals = installation.confirm(promoted.map_err(Failure::refused)?).await?;
    let listed = find(installation, key.id).await?;
    Ok(Rotated { key: KeyView::new(&listed), position: seals.position().number() })
}

async fn retire(installation: &Installation, args: &RetireArgs) -> Result<Retired, Failure> {
    let key = find(installation, args.id).await?;
    if let Some(loss) = loss(&key, installation)
        && !args.yes
        && !confirmed(&format!("Retire the sealing key {}? {loss}", args.id))?
    {
        return Err(Failure::refused("nothing was retired"));
    }
    retire_now(installation, args.id).await
}

async fn retire_now(installation: &Installation, id: KeyId) -> Result<Retired, Failure> {
    let retired = retire_sealing_key(installation.store(), id, SystemClock.wall()).await;
    record(installation, AuditEvent::KeyRetired, id, told(&retired));
    let everywhere = installation.confirm(retired.map_err(Failure::refused)?).await?;
    Ok(Retired { key_id: id.to_string(), position: everywhere.position().number(), retired: true })
}

/// What would be lost with this key, if something would.
fn loss(key: &ListedKey, installation: &Installation) -> Option<String> {
    let until = match (key.state, key.tokens_until?) {
        (KeyState::Opens, until) if !until.is_over(installation.now) => until,
        _ => return None,
    };
    Some(match until {
        Expiry::At(moment) => format!("Access tokens that it has sealed may live until {}.", rfc3339(moment)),
        Expiry::Never => "Access tokens that it has sealed may live for ever.".to_owned(),
    })
}

async fn find(installation: &Installation, id: KeyId) -> Result<ListedKey, Failure> {
    let keys = list_sealing_keys(installation.store()).await.map_err(Failure::refused)?;
    let unknown = || Failure::refused(format_args!("there is no sealing key {id} (obol keys list)"));
    keys.into_iter().find(|key| key.id == id).ok_or_else(unknown)
}

/// What the audit record says of an outcome.
fn told<E: ToString>(outcome: &Result<Appended, E>) -> Result<Appended, String> {
    outcome.as_ref().copied().map_err(ToString::to_string)
}

fn record(installation: &Installation, event: AuditEvent, id: KeyId, outcome: Result<Appended, String>) {
    installation.record(event, outcome.as_ref().err().cloned(), |record| {
        record.reason = Some(format!("sealing key {id}").into());
        record.position = outcome.as_ref().ok().map(|appended| appended.position());
    });
}

fn key_id(text: &str) -> Result<KeyId, &'static str> {
    let is_id = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| is_id);
    number.map(|number| KeyId::from_bytes(number.to_be_bytes())).ok_or("8 hexadecimal digits are expected")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown_and_nothing_else_is() {
        for text in ["00000000", "1f8b0c3d", "ffffffff"] {
            assert_eq!(key_id(text).unwrap().to_string(), text);
        }
        for text in ["", "1f8b0c3", "1f8b0c3d0", "+1f8b0c3", "1f8b0c3g", " 1f8b0c3"] {
            assert!(key_id(text).is_err(), "{text:?}");
        }
    }
}
