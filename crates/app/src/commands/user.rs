//! `obol user …`: people.

mod view;

use obol_accounts::administration::{
    AdministrationError, ClaimChange, Email, NewUser, add_user, change_profile, delete_user, list_users,
    load_user, set_user_enabled, set_user_password,
};
use obol_keys::PlainPassword;
use obol_store::{Appended, AuditEvent, Username};

use self::view::{Deleted, UserList, UserView};
use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::Installation;
use crate::output::Output;
use crate::typed::secret_line;

const ADD_HELP: &str = "\
Examples:
  obol user add alice --email alice@example.org
  printf '%s\\n' \"$PASSWORD\" | obol user add alice --password-stdin";

const SET_HELP: &str = "\
Examples:
  obol user set alice --claim name='Alice Adams' --claim email_verified=true
  obol user set alice --group staff --group admins";

const SET_PASSWORD_HELP: &str = "\
Examples:
  obol user set-password alice
  printf '%s\\n' \"$PASSWORD\" | obol user set-password alice --password-stdin";

/// What to do with people.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum UserCommand {
    /// Add a person.
    #[command(after_help = ADD_HELP)]
    Add(AddArgs),
    /// List all people.
    List,
    /// Show a person.
    Show(Named),
    /// Let a disabled person sign in again. Tokens from before stay refused.
    Enable(Named),
    /// Refuse a person everywhere, and end all the person's tokens.
    Disable(Named),
    /// Change what applications are told of a person. Ends no token.
    #[command(after_help = SET_HELP)]
    Set(SetArgs),
    /// Replace a person's password, and end all the person's tokens.
    #[command(after_help = SET_PASSWORD_HELP)]
    SetPassword(SetPasswordArgs),
    /// Delete a person and end all the person's tokens. The name is never given out again.
    Delete(Named),
}

/// A person to add.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    who: Named,
    /// E-mail address of the person. Not given: none is kept.
    #[arg(long, value_name = "E")]
    email: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
}

/// What is known of a person.
#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    who: Named,
    /// E-mail address of the person. Not given: it stays.
    #[arg(long, value_name = "E")]
    email: Option<String>,
    /// Claim of OpenID Connect with its value, as in given_name=Alice; an address is a JSON object; without a value the claim
    /// is removed. May be named several times. Not given: they stay.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// Group that the person is in, in place of those before; may be named several times. Not given: they stay.
    #[arg(long = "group", value_name = "G")]
    groups: Vec<String>,
}

/// A new password for a person.
#[derive(Debug, clap::Args)]
pub(crate) struct SetPasswordArgs {
    #[command(flatten)]
    who: Named,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Who.
#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// Name of the person: ASCII letters, digits and @ . + - _, in any case.
    name: String,
}

/// Where a password comes from.
#[derive(Debug, clap::Args)]
struct PasswordArgs {
    /// Read the password from standard input, as one line; on a terminal it is asked for and not shown. Not given: one
    /// is generated and shown once.
    #[arg(long)]
    password_stdin: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(command: UserCommand, settings: &Settings, output: Output) -> Result<End, Failure> {
    match command {
        UserCommand::Add(args) => add(args, settings, output),
        UserCommand::List => Installation::visit(settings, async |installation| {
            let users = list_users(installation.store()).await.map_err(Failure::refused)?;
            output.show(&UserList(users.iter().map(|user| UserView::new(user, None)).collect()))?;
            Ok(End::Done)
        }),
        UserCommand::Show(who) => Installation::visit(settings, async |installation| {
            show(installation, &who.parse()?, None, output).await
        }),
        UserCommand::Enable(who) => set_enabled(&who, true, settings, output),
        UserCommand::Disable(who) => set_enabled(&who, false, settings, output),
        UserCommand::Set(args) => set(args, settings, output),
        UserCommand::SetPassword(args) => set_password(&args, settings, output),
        UserCommand::Delete(who) => delete(&who, settings, output),
    }
}

fn add(args: AddArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    let username = args.who.parse()?;
    let email = args.email.as_deref().map(str::parse::<Email>).transpose().map_err(Failure::refused)?;
    let password = args.password.read()?;
    let shown = password.shown();
    Installation::visit_or_begin(settings, async |installation| {
        let new = NewUser { username: username.clone(), email, password: password.plain };
        let added = add_user(installation.store(), new, installation.now).await;
        let appended = added.as_ref().map(|added| added.appended);
        finish(installation, AuditEvent::UserAdded, &username, appended).await?;
        show(installation, &username, shown, output).await
    })
}

fn set(args: SetArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    let username = args.who.parse()?;
    let email = args.email.as_deref().map(str::parse::<Email>).transpose().map_err(Failure::refused)?;
    let mut changes = Vec::new();
    for claim in &args.claims {
        let (name, value) = claim
            .split_once('=')
            .ok_or_else(|| Failure::Usage(format!("--claim is NAME=VALUE, not {claim:?}")))?;
        changes.push(ClaimChange::parse(name, value).map_err(Failure::refused)?);
    }
    if !args.groups.is_empty() {
        changes.push(ClaimChange::parse("groups", &args.groups.join(",")).map_err(Failure::refused)?);
    }
    Installation::visit(settings, async |installation| {
        let set = change_profile(installation.store(), &username, email, changes, installation.now).await;
        finish(installation, AuditEvent::UserChanged, &username, set.as_ref().copied()).await?;
        show(installation, &username, None, output).await
    })
}

fn set_enabled(who: &Named, enabled: bool, settings: &Settings, output: Output) -> Result<End, Failure> {
    let username = who.parse()?;
    let event = if enabled { AuditEvent::UserEnabled } else { AuditEvent::UserDisabled };
    Installation::visit(settings, async |installation| {
        let set = set_user_enabled(installation.store(), &username, enabled, installation.now).await;
        finish(installation, event, &username, set.as_ref().copied()).await?;
        show(installation, &username, None, output).await
    })
}

fn set_password(args: &SetPasswordArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    let username = args.who.parse()?;
    let password = args.password.read()?;
    Installation::visit(settings, async |installation| {
        let store = installation.store();
        let set = set_user_password(store, &username, &password.plain, installation.now).await;
        finish(installation, AuditEvent::UserPasswordSet, &username, set.as_ref().copied()).await?;
        show(installation, &username, password.shown(), output).await
    })
}

fn delete(who: &Named, settings: &Settings, output: Output) -> Result<End, Failure> {
    let username = who.parse()?;
    Installation::visit(settings, async |installation| {
        let deleted = delete_user(installation.store(), &username, installation.now).await;
        finish(installation, AuditEvent::UserDeleted, &username, deleted.as_ref().copied()).await?;
        output.show(&Deleted { deleted: true, username: username.to_string() })?;
        Ok(End::Done)
    })
}

/// What was done is recorded, and has reached every server, before it is told.
async fn finish(
    installation: &Installation,
    event: AuditEvent,
    username: &Username,
    outcome: Result<Appended, &AdministrationError>,
) -> Result<(), Failure> {
    installation.record(event, outcome.err().map(ToString::to_string), |record| {
        record.username = Some(username.to_string());
        record.position = outcome.ok().map(Appended::position);
    });
    let appended = outcome.map_err(|error| Failure::refused(format_args!("{username}: {error}")))?;
    let _ = installation.confirm(appended).await?;
    Ok(())
}

async fn show(
    installation: &Installation,
    username: &Username,
    password: Option<String>,
    output: Output,
) -> Result<End, Failure> {
    let user = load_user(installation.store(), username).await;
    let user = user.map_err(|error| Failure::refused(format_args!("{username}: {error}")))?;
    output.show(&UserView::new(&user, password))?;
    Ok(End::Done)
}

impl Named {
    fn parse(&self) -> Result<Username, Failure> {
        self.name.parse().map_err(|error| Failure::refused(format_args!("{:?}: {error}", self.name)))
    }
}

impl PasswordArgs {
    fn read(&self) -> Result<NewPassword, Failure> {
        if !self.password_stdin {
            return Ok(NewPassword { plain: PlainPassword::generate(), generated: true });
        }
        let line = secret_line("password")?;
        let plain = PlainPassword::new(line.to_string()).map_err(Failure::refused)?;
        Ok(NewPassword { plain, generated: false })
    }
}

struct NewPassword {
    plain: PlainPassword,
    generated: bool,
}

impl NewPassword {
    /// A password that somebody chose is never shown.
    fn shown(&self) -> Option<String> {
        self.generated.then(|| self.plain.danger_text().to_owned())
    }
}
