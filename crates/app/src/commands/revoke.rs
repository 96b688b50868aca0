//! `obol revoke`: many tokens at once.

use obol_accounts::administration::load_user;
use obol_replica::{Clock, SystemClock};
use obol_store::{AuditEvent, AuditRecord, Deny};
use obol_token::{ClientId, FamilyId};
use serde::Serialize;

use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::Installation;
use crate::output::{Answer, Output};
use crate::typed::confirmed;

const HELP: &str = "\
The tokens are refused everywhere when the command has returned. People and clients stay enabled,
and can ask for new tokens at once.

Examples:
  obol revoke --user alice --dry-run
  obol revoke --client fcare --yes
  obol revoke --all";

/// Whose tokens to end.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Only say how many sign-ins (families of tokens) would end.
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking. Needed where there is no terminal to ask on.
    #[arg(long)]
    yes: bool,
}

/// One of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// End all tokens of this person.
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// End all tokens of this client, by its client_id.
    #[arg(long, value_name = "C")]
    client: Option<String>,
    /// End the tokens of one sign-in: its refresh token and all access tokens that came of it. Its id of 32 hexadecimal
    /// digits is in the audit file and in `obol token explain`.
    #[arg(long, value_name = "F")]
    family: Option<String>,
    /// End all tokens of the installation.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(args: &RevokeArgs, settings: &Settings, output: Output) -> Result<End, Failure> {
    Installation::visit(settings, async |installation| {
        let target = args.target.find(installation).await?;
        let store = installation.store();
        let counted = store.count_families(&target.deny, installation.now).await;
        let families = counted.map_err(Failure::refused)?;
        if args.dry_run {
            output.show(&DryRun { dry_run: true, families, phrase: target.phrase() })?;
            return Ok(End::Done);
        }
        if !args.yes && !confirmed(&format!("End {}? Sign-ins that end: {families}.", target.phrase()))? {
            return Err(Failure::refused("nothing was revoked"));
        }
        // Read after the prompt: the denial must outlive what was issued meanwhile.
        let denied = store.deny(&target.deny, SystemClock.wall()).await;
        let refused = denied.as_ref().err().map(ToString::to_string);
        installation.record(AuditEvent::TokenRevoked, refused, |record| {
            target.describe(record);
            record.position = denied.as_ref().ok().map(|appended| appended.position());
        });
        let revoked = installation.confirm(denied.map_err(Failure::refused)?).await?;
        let phrase = target.phrase();
        output.show(&Revoked {
            families,
            position: revoked.position().number(),
            revoked: target.name,
            phrase,
        })?;
        Ok(End::Done)
    })
}

/// What is to be denied, and how people call it.
struct Target {
    deny: Deny,
    name: String,
    username: Option<String>,
}

impl TargetArgs {
    async fn find(&self, installation: &Installation) -> Result<Target, Failure> {
        let store = installation.store();
        let target = |deny, name| Target { deny, name, username: None };
        if let Some(name) = &self.user {
            let refused = |error: &dyn std::fmt::Display| Failure::refused(format_args!("{name}: {error}"));
            let username = name.parse().map_err(|error| refused(&error))?;
            let user = load_user(store, &username).await.map_err(|error| refused(&error))?;
            let name = format!("user {username}");
            return Ok(Target { deny: Deny::Subject(user.id), name, username: Some(username.to_string()) });
        }
        if let Some(text) = &self.client {
            let refused = |error: &dyn std::fmt::Display| Failure::refused(format_args!("{text}: {error}"));
            let id = ClientId::new(text).map_err(|error| refused(&error))?;
            let client = store.find_client(&id).await.map_err(|error| refused(&error))?;
            let client = client.ok_or_else(|| Failure::refused(format_args!("there is no client `{id}`")))?;
            return Ok(target(Deny::Client(client.id), format!("client {id}")));
        }
        if let Some(text) = &self.family {
            let family: Result<FamilyId, _> = text.parse();
            let family = family.map_err(|error| Failure::refused(format_args!("{text}: {error}")))?;
            return Ok(target(Deny::Family(family), format!("family {family}")));
        }
        Ok(target(Deny::Everything, "everything".to_owned()))
    }
}

impl Target {
    /// What ends, in a sentence.
    fn phrase(&self) -> String {
        match self.deny {
            Deny::Everything => "all tokens of this installation".to_owned(),
            _ => format!("all tokens of {}", self.name),
        }
    }

    fn describe(&self, record: &mut AuditRecord) {
        record.reason = Some(self.phrase().into());
        record.username = self.username.clone();
        match &self.deny {
            Deny::Client(id) => record.client_id = Some(id.to_string()),
            Deny::Family(family) => record.family = Some(*family),
            Deny::Token { .. } | Deny::Subject(_) | Deny::Everything => {}
        }
    }
}

#[derive(Serialize)]
struct DryRun {
    dry_run: bool,
    families: u64,
    #[serde(skip)]
    phrase: String,
}

impl Answer for DryRun {
    fn text(&self) -> String {
        format!(
            "This would end {}. Sign-ins that would end: {}. Nothing was done.",
            self.phrase, self.families
        )
    }
}

#[derive(Serialize)]
struct Revoked {
    families: u64,
    position: u64,
    revoked: String,
    #[serde(skip)]
    phrase: String,
}

impl Answer for Revoked {
    fn text(&self) -> String {
        let Self { families, position, phrase, .. } = self;
        format!(
            "Revoked {phrase}, at position {position}; no server accepts them. Sign-ins that ended: {families}."
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: RevokeArgs,
    }

    #[test]
    fn exactly_one_target_is_named() {
        for right in ["--user alice", "--client fcare --dry-run", "--family ff --yes", "--all"] {
            assert!(
                Line::try_parse_from(std::iter::once("revoke").chain(right.split(' '))).is_ok(),
                "{right}"
            );
        }
        for wrong in ["--yes", "--user alice --client fcare", "--all --user alice", "alice"] {
            assert!(
                Line::try_parse_from(std::iter::once("revoke").chain(wrong.split(' '))).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_answers_have_the_agreed_keys() {
        let json = |answer: serde_json::Value| answer.to_string();
        let revoked =
            Revoked { families: 2, position: 7, revoked: "user alice".to_owned(), phrase: "x".to_owned() };
        let revoked = json(serde_json::to_value(revoked).unwrap());
        assert_eq!(revoked, r#"{"families":2,"position":7,"revoked":"user alice"}"#);
        let dry_run = DryRun { dry_run: true, families: 2, phrase: "x".to_owned() };
        assert_eq!(json(serde_json::to_value(dry_run).unwrap()), r#"{"dry_run":true,"families":2}"#);
    }
}
