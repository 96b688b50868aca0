//! `obol token …`: one token at hand.

mod view;

use obol_oauth::administration::{OperatorRevocation, explain, revoke_token};
use obol_replica::Memory;
use obol_store::{AuditEvent, AuditRecord};
use obol_token::{Asked, CredentialKind, Refusal, Scratch};
use zeroize::Zeroizing;

use self::view::{Explained, Invalid, Revoked, Unopened, Valid};
use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::Installation;
use crate::output::Output;
use crate::typed::secret_line;

const HELP: &str = "\
Examples:
  obol token verify \"$TOKEN\" --client fcare
  printf '%s\\n' \"$TOKEN\" | obol token revoke -
  obol token explain - < token.txt";

/// What to do with a token.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TokenCommand {
    /// Say whether an access token of a client stands, as the server would: exit code 0 if it does, 1 if not.
    #[command(after_help = HELP)]
    Verify {
        /// The token.
        #[command(flatten)]
        token: TokenArg,
        /// The client_id of the client to which the token must have been issued.
        #[arg(long, value_name = "ID")]
        client: String,
    },
    /// End an access or refresh token, whoever owns it, and the tokens that came with it.
    #[command(after_help = HELP)]
    Revoke(TokenArg),
    /// Say what an access token says, and whether it stands: exit code 0 if it could be opened, 1 if not.
    #[command(after_help = HELP)]
    Explain(TokenArg),
}

/// A token.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArg {
    /// The token, or - to read it from standard input, where other users of the machine cannot see it.
    #[arg(value_name = "TOKEN")]
    token: String,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`]
pub(crate) fn run(command: TokenCommand, settings: &Settings, output: Output) -> Result<End, Failure> {
    match command {
        TokenCommand::Verify { token, client } => verify(&token.read()?, &client, settings, output),
        TokenCommand::Revoke(token) => revoke(&token.read()?, settings, output),
        TokenCommand::Explain(token) => tell(&token.read()?, settings, output),
    }
}

impl TokenArg {
    fn read(self) -> Result<Zeroizing<String>, Failure> {
        match self.token.as_str() {
            "-" => secret_line("token"),
            _ => Ok(Zeroizing::new(self.token)),
        }
    }
}

fn verify(token: &str, client: &str, settings: &Settings, output: Output) -> Result<End, Failure> {
    Installation::visit(settings, async |installation| {
        let memory = installation.load_memory().await?;
        let mut scratch = Scratch::default();
        match memory.verify(token, Asked::Client(client), installation.now, &mut scratch) {
            Ok(claims) => {
                output.show(&Valid::new(&claims, installation.now))?;
                Ok(End::Done)
            }
            Err(refusal) => {
                output.show(&Invalid { reason: reason(token, &refusal), valid: false })?;
                Ok(End::Refused)
            }
        }
    })
}

fn revoke(token: &str, settings: &Settings, output: Output) -> Result<End, Failure> {
    Installation::visit(settings, async |installation| {
        let memory = installation.load_memory().await?;
        let answer = match revoke_token(&memory, installation.store(), token, installation.now).await {
            Ok(OperatorRevocation::Denied(appended)) => {
                installation.record(AuditEvent::TokenRevoked, None, |record| {
                    describe(&memory, token, record);
                    record.position = Some(appended.position());
                });
                Revoked::at(installation.confirm(appended).await?.position().number())
            }
            Ok(OperatorRevocation::Expired) => Revoked::nothing("it has expired, and nothing came with it"),
            Ok(OperatorRevocation::Unknown) => Revoked::nothing("it is no token of this installation"),
            Err(error) => {
                let reason = Some(error.to_string());
                installation
                    .record(AuditEvent::RevocationRefused, reason, |record| describe(&memory, token, record));
                return Err(Failure::refused(error));
            }
        };
        if let Some(reason) = answer.reason {
            let reason = Some(reason.to_owned());
            installation
                .record(AuditEvent::RevocationEmpty, reason, |record| describe(&memory, token, record));
        }
        output.show(&answer)?;
        Ok(End::Done)
    })
}

/// What the audit record says of a token that can be opened.
fn describe(memory: &Memory, token: &str, record: &mut AuditRecord) {
    if let Ok(claims) = memory.open(token, &mut Scratch::default()) {
        record.token_id = Some(claims.token_id);
        record.family = claims.family;
        record.client_id = Some(claims.client_id.to_owned());
        record.username = claims.subject.map(|subject| subject.username.to_owned());
    }
}

fn tell(token: &str, settings: &Settings, output: Output) -> Result<End, Failure> {
    Installation::visit(settings, async |installation| {
        let memory = installation.load_memory().await?;
        let mut scratch = Scratch::default();
        match explain(&memory, token, installation.now, &mut scratch) {
            Ok((claims, refusal)) => {
                output.show(&Explained::new(&claims, refusal.as_ref()))?;
                Ok(End::Done)
            }
            Err(refusal) => {
                output.show(&Unopened { reason: reason(token, &refusal), stands: false })?;
                Ok(End::Refused)
            }
        }
    })
}

fn reason(token: &str, refusal: &Refusal) -> String {
    match CredentialKind::claimed_by(token) {
        Some(CredentialKind::RefreshToken) => "it is a refresh token, not an access token".to_owned(),
        _ => refusal.to_string(),
    }
}
