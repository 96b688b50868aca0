//! `obol keys …`: the keys that seal and sign tokens. They are changed without a token that is refused because of it.

mod arguments;
mod view;

use std::fs;

use obol_oauth::administration::{
    KeyState, ListedKey, add_first_keys, begin_rotation, finish_rotation, import_key, list_keys, retire_key,
};
use obol_replica::{Clock, SystemClock};
use obol_store::{Appended, AuditEvent, ClientSettings};
use obol_token::{Expiry, KeyId, KeyKind};

pub(crate) use self::arguments::KeysCommand;
use self::arguments::{ImportArgs, RetireArgs, RotateArgs};
use self::view::{Imported, KeyList, KeyView, Retired, Rotated};
use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::{Installation, key_schedule};
use crate::instant::rfc3339;
use crate::output::Output;
use crate::typed::confirmed;

/// Runs the command.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(command: KeysCommand, settings: &Settings, output: Output) -> Result<End, Failure> {
    Installation::visit(settings, async |installation| {
        match command {
            KeysCommand::List => {
                let keys = list_keys(installation.store()).await.map_err(Failure::refused)?;
                output.show(&KeyList(keys.iter().map(KeyView::new).collect()))?;
            }
            KeysCommand::Rotate(args) => output.show(&rotate(installation, settings, &args).await?)?,
            KeysCommand::Import(args) => output.show(&import(installation, settings, &args).await?)?,
            KeysCommand::Retire(args) => output.show(&retire(installation, &args).await?)?,
        }
        Ok(End::Done)
    })
}

/// Puts new keys in the place of all that there are, at once: after a backup was put back, which does not know which were
/// retired since it was made.
///
/// # Errors
/// [`Failure`]
pub(crate) async fn replace_all(installation: &Installation, settings: &Settings) -> Result<(), Failure> {
    let before = list_keys(installation.store()).await.map_err(Failure::refused)?;
    // One that waits would be taken for the new one.
    for key in before.iter().filter(|key| key.state == KeyState::Waits) {
        retire_now(installation, key).await?;
    }
    // Something has to seal, also where none does any more.
    let counts = |key: &ListedKey| {
        key.kind == KeyKind::Sealing || matches!(key.state, KeyState::InUse | KeyState::Kept)
    };
    let kinds = KeyKind::ALL.into_iter();
    for kind in kinds.filter(|kind| before.iter().any(|key| key.kind == *kind && counts(key))) {
        replace(installation, settings, kind, Haste::Now).await?;
    }
    for key in list_keys(installation.store()).await.map_err(Failure::refused)? {
        match key.state {
            KeyState::Kept => drop(retire_now(installation, &key).await?),
            KeyState::Waits | KeyState::InUse | KeyState::Retired => {}
        }
    }
    Ok(())
}

/// Whether a signing key waits for who keeps the published keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Haste {
    Now,
    WhenKnown,
}

async fn rotate(
    installation: &Installation,
    settings: &Settings,
    args: &RotateArgs,
) -> Result<Rotated, Failure> {
    let haste = if args.now { Haste::Now } else { Haste::WhenKnown };
    replace(installation, settings, args.key_kind()?, haste).await
}

async fn replace(
    installation: &Installation,
    settings: &Settings,
    kind: KeyKind,
    haste: Haste,
) -> Result<Rotated, Failure> {
    let memory = installation.load_memory().await?;
    let key = begin_rotation(&memory, installation.store(), kind, SystemClock.wall()).await;
    let key = key.map_err(Failure::refused)?;
    if key.from_before {
        tracing::warn!(key = %key.id, "a key of an earlier rotation waits: going on with it");
    } else {
        record(installation, AuditEvent::KeyAdded, key.id, Ok(key.appended));
    }
    let everywhere = installation.confirm(key.appended).await?;
    let listed = find(installation, key.id).await?;
    let may_sign_at = key_schedule(settings).may_sign_at(&listed);
    if kind.signs() && haste == Haste::WhenKnown && !SystemClock.wall().has_reached(may_sign_at) {
        let (key, signs_from) = (KeyView::new(&listed), Some(rfc3339(may_sign_at)));
        return Ok(Rotated { key, position: everywhere.position().number(), signs_from });
    }
    let promoted = finish_rotation(installation.store(), key, everywhere, SystemClock.wall()).await;
    record(installation, AuditEvent::KeyRotated, key.id, told(&promoted));
    let in_use = installation.confirm(promoted.map_err(Failure::refused)?).await?;
    let listed = find(installation, key.id).await?;
    Ok(Rotated { key: KeyView::new(&listed), position: in_use.position().number(), signs_from: None })
}

/// Makes the keys that a client of these settings needs and that are not there. Before the first start of a server there are
/// none at all, and it makes them.
///
/// # Errors
/// [`Failure`]
pub(crate) async fn add_first(installation: &Installation, settings: &ClientSettings) -> Result<(), Failure> {
    if !installation.store().has_key().await.map_err(Failure::refused)? {
        return Ok(());
    }
    let memory = installation.load_memory().await?;
    let added = add_first_keys(&memory, installation.store(), settings, SystemClock.wall()).await;
    for (id, appended) in added.map_err(Failure::refused)? {
        record(installation, AuditEvent::KeyAdded, id, Ok(appended));
        let _ = installation.confirm(appended).await?;
    }
    Ok(())
}

async fn import(
    installation: &Installation,
    settings: &Settings,
    args: &ImportArgs,
) -> Result<Imported, Failure> {
    let read = fs::read(&args.file);
    let unreadable = |error| Failure::refused(format_args!("cannot read {}: {error}", args.file.display()));
    let pem = zeroize::Zeroizing::new(read.map_err(unreadable)?);
    let memory = installation.load_memory().await?;
    let key = import_key(&memory, installation.store(), &pem, SystemClock.wall()).await;
    let named = |error| Failure::refused(format_args!("{}: {error}", args.file.display()));
    let key = key.map_err(named)?;
    record(installation, AuditEvent::KeyAdded, key.id, Ok(key.appended));
    let everywhere = installation.confirm(key.appended).await?;
    let listed = find(installation, key.id).await?;
    let signs_from = rfc3339(key_schedule(settings).may_sign_at(&listed));
    Ok(Imported { key: KeyView::new(&listed), position: everywhere.position().number(), signs_from })
}

async fn retire(installation: &Installation, args: &RetireArgs) -> Result<Retired, Failure> {
    let key = find(installation, args.id).await?;
    if let Some(loss) = loss(&key, installation)
        && !args.yes
        && !confirmed(&format!("Retire the key {}? {loss}", args.id))?
    {
        return Err(Failure::refused("nothing was retired"));
    }
    retire_now(installation, &key).await
}

async fn retire_now(installation: &Installation, key: &ListedKey) -> Result<Retired, Failure> {
    let retired = retire_key(installation.store(), key.id, SystemClock.wall()).await;
    record(installation, AuditEvent::KeyRetired, key.id, told(&retired));
    let everywhere = installation.confirm(retired.map_err(Failure::refused)?).await?;
    let (key_id, kind) = (key.id.to_string(), KeyView::new(key).kind);
    Ok(Retired { key_id, kind, position: everywhere.position().number(), retired: true })
}

/// What would be lost with this key, if something would.
fn loss(key: &ListedKey, installation: &Installation) -> Option<String> {
    let until = match (key.state, key.tokens_until?) {
        (KeyState::Kept, until) if !until.is_over(installation.now) => until,
        _ => return None,
    };
    let tokens =
        if key.kind.signs() { "Tokens that it has signed" } else { "Access tokens that it has sealed" };
    Some(match until {
        Expiry::At(moment) => format!("{tokens} may live until {}.", rfc3339(moment)),
        Expiry::Never => format!("{tokens} may live for ever."),
    })
}

async fn find(installation: &Installation, id: KeyId) -> Result<ListedKey, Failure> {
    let keys = list_keys(installation.store()).await.map_err(Failure::refused)?;
    let unknown = || Failure::refused(format_args!("there is no key {id} (obol keys list)"));
    keys.into_iter().find(|key| key.id == id).ok_or_else(unknown)
}

/// What the audit record says of an outcome.
fn told<E: ToString>(outcome: &Result<Appended, E>) -> Result<Appended, String> {
    outcome.as_ref().copied().map_err(ToString::to_string)
}

fn record(installation: &Installation, event: AuditEvent, id: KeyId, outcome: Result<Appended, String>) {
    installation.record(event, outcome.as_ref().err().cloned(), |record| {
        record.reason = Some(format!("key {id}").into());
        record.position = outcome.as_ref().ok().map(|appended| appended.position());
    });
}
