//! What the command line says of a client.

use clap::ValueEnum;
use obol_keys::PlainSecret;
use obol_oauth::administration::{
    ChosenSecret, ClientSpec, USUAL_ACCESS_TOKEN_TTL_SECS, USUAL_REFRESH_TOKEN_TTL_SECS,
};
use obol_store::{AccessTokenFormat, ClientAuthMethod, ClientSettings};
use obol_token::{Algorithm, ClientId, Lifetime, Scope, Scopes};

use super::authentication_args::AuthenticationArgs;
use super::links_args::LinksArgs;
use super::sign_in_args::SignInArgs;
use crate::commands::algorithm;
use crate::failure::Failure;
use crate::typed::secret_line;

/// A client to add.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Name by which the client identifies itself, its client_id: 1 to 128 printable ASCII characters without blanks.
    #[arg(long, value_name = "ID")]
    id: String,
    /// Whether the client can keep a secret: a confidential client has one, a public client (an app on a person's device)
    /// has none.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Kind,
    /// Name for people, at most 200 characters. Not given: the id.
    #[arg(long, value_name = "N", default_value = "", hide_default_value = true)]
    name: String,
    /// Way in which the client may ask for tokens: authorization_code, password, refresh_token or client_credentials; may be
    /// named several times. Not given: client_credentials for a confidential client; a public one must be given at least one.
    #[arg(long = "grant", value_name = "G")]
    grants: Vec<String>,
    /// Scope that a token gets only when it is asked for; may be named several times. Not given: none.
    #[arg(long = "scope", value_name = "S")]
    optional_scopes: Vec<String>,
    /// Scope that every token of the client gets; may be named several times. Without any --scope and --default-scope: read and
    /// write; for a client with authorization_code these and openid, profile, email, address, phone, groups when it asks.
    #[arg(long = "default-scope", value_name = "S")]
    default_scopes: Vec<String>,
    /// Address to which a browser may be sent back with a code, compared letter by letter; may be named several times.
    /// Not given: none.
    #[arg(long = "redirect-uri", value_name = "U")]
    redirect_uris: Vec<String>,
    /// Seconds for which an access token is good; 0: it never expires.
    #[arg(long, value_name = "SECS", default_value_t = USUAL_ACCESS_TOKEN_TTL_SECS)]
    access_token_ttl: u32,
    /// Seconds for which a refresh token is good unless it is used; at least 1.
    #[arg(long, value_name = "SECS", default_value_t = USUAL_REFRESH_TOKEN_TTL_SECS)]
    refresh_token_ttl: u32,
    #[command(flatten)]
    secret: SecretArgs,
    /// Let this confidential client ask about the tokens of other clients (introspection). Not given: about its own only.
    #[arg(long)]
    allow_introspection: bool,
    /// Let a new sign-in of a person end the earlier ones of that person at this client. Not given: they stay.
    #[arg(long)]
    single_family: bool,
    /// Form of its access tokens: opaque, to be asked about here, or jwt, which whoever has the key set can read and verify
    /// as well (RFC 9068).
    #[arg(long, value_name = "FORM", default_value = "opaque")]
    access_token_format: Form,
    /// Algorithm with which its ID tokens, and its access tokens of form jwt, are signed: ES256, RS256, PS256 or EdDSA. A
    /// key for it is made if there is none.
    #[arg(long, value_name = "ALG", default_value = "ES256", value_parser = algorithm)]
    id_token_alg: Algorithm,
    #[command(flatten)]
    authentication: AuthenticationArgs,
    #[command(flatten)]
    links: LinksArgs,
    #[command(flatten)]
    sign_in: SignInArgs,
}

/// A new secret for a client.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    /// Which client.
    #[command(flatten)]
    pub(super) which: Named,
    /// Its new secret.
    #[command(flatten)]
    pub(super) secret: SecretArgs,
    /// Keep the new secret under the master key as well, so that the client can sign with it: for client_secret_jwt.
    #[arg(long)]
    pub(super) for_signing: bool,
}

/// Which client.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Named {
    /// The client_id of the client.
    id: String,
}

/// Where a secret comes from.
#[derive(Debug, clap::Args)]
pub(super) struct SecretArgs {
    /// Read the client secret from standard input, as one line of 16 to 256 characters; on a terminal it is asked for and
    /// not shown. Not given: one is generated and shown once.
    #[arg(long)]
    secret_stdin: bool,
}

/// Whether a client can keep a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Public,
    Confidential,
}

/// The form of access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Opaque,
    Jwt,
}

impl From<Form> for AccessTokenFormat {
    fn from(form: Form) -> Self {
        match form {
            Form::Opaque => Self::Opaque,
            Form::Jwt => Self::Jwt,
        }
    }
}

impl AddArgs {
    /// The description of the client, with its secret read.
    ///
    /// # Errors
    /// For an id or a scope that is none, and a secret that cannot be.
    pub(super) fn spec(self) -> Result<ClientSpec, Failure> {
        let secret = self.chosen_secret()?;
        let mut settings = ClientSettings {
            access_token_format: self.access_token_format.into(),
            id_token_signed_response_alg: self.id_token_alg,
            ..ClientSettings::default()
        };
        self.authentication.read()?.apply(&mut settings);
        self.links.apply(&mut settings);
        Ok(ClientSpec {
            id: parse_id(&self.id)?,
            name: self.name,
            secret,
            grants: self.grants,
            default_scopes: scopes(&self.default_scopes)?,
            optional_scopes: scopes(&self.optional_scopes)?,
            redirect_uris: self.redirect_uris,
            access_token_lifetime: Lifetime::from_setting_secs(self.access_token_ttl),
            refresh_token_lifetime: Lifetime::from_setting_secs(self.refresh_token_ttl),
            may_introspect: self.allow_introspection,
            single_family: self.single_family,
            settings: self.sign_in.over(settings),
        })
    }
}

impl AddArgs {
    fn chosen_secret(&self) -> Result<Option<ChosenSecret>, Failure> {
        let has_key = self.authentication.method() == Some(ClientAuthMethod::PrivateKeyJwt);
        let usage = |sentence: &str| Err(Failure::Usage(sentence.to_owned()));
        match (self.kind, has_key, self.secret.secret_stdin) {
            (Kind::Confidential, false, _) => self.secret.read().map(Some),
            (Kind::Public, true, _) => {
                usage("a client with private_key_jwt is confidential: say --type confidential")
            }
            (Kind::Public, false, true) => usage("a public client has no secret: leave --secret-stdin out"),
            (Kind::Confidential, true, true) => {
                usage("a client with private_key_jwt has no secret: leave --secret-stdin out")
            }
            (Kind::Public, false, false) | (Kind::Confidential, true, false) => Ok(None),
        }
    }
}

impl SecretArgs {
    /// Reads the secret, or says that one is to be made.
    ///
    /// # Errors
    /// When what stands on standard input cannot be a secret.
    pub(super) fn read(&self) -> Result<ChosenSecret, Failure> {
        if !self.secret_stdin {
            return Ok(ChosenSecret::Generate);
        }
        let line = secret_line("client secret")?;
        PlainSecret::chosen(line.to_string()).map(ChosenSecret::Given).map_err(Failure::refused)
    }
}

impl Named {
    /// The id, if it can be one.
    ///
    /// # Errors
    /// With its form.
    pub(super) fn parse(&self) -> Result<ClientId, Failure> {
        parse_id(&self.id)
    }
}

fn parse_id(text: &str) -> Result<ClientId, Failure> {
    ClientId::new(text).map_err(|error| Failure::refused(format_args!("{text:?}: {error}")))
}

pub(super) fn scopes(names: &[String]) -> Result<Scopes, Failure> {
    let mut scopes = Scopes::default();
    for name in names {
        let refused = |error| Failure::refused(format_args!("scope {name:?}: {error}"));
        scopes.insert(name.parse::<Scope>().map_err(refused)?).map_err(refused)?;
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: AddArgs,
    }

    fn spec(line: &str) -> Result<ClientSpec, Vec<String>> {
        let args = Line::try_parse_from(std::iter::once("add").chain(line.split(' '))).ok().unwrap().args;
        args.spec().map_err(|failure| failure.sentences())
    }

    #[test]
    fn what_is_not_given_has_the_agreed_defaults() {
        let spec = spec("--id fcare --type confidential").unwrap();
        assert!(matches!(spec.secret, Some(ChosenSecret::Generate)));
        assert_eq!(spec.access_token_lifetime.as_setting_secs(), 3_600);
        assert_eq!(spec.refresh_token_lifetime.as_setting_secs(), 86_400);
        assert!(spec.grants.is_empty() && spec.default_scopes.is_empty() && spec.optional_scopes.is_empty());
        assert!(!spec.may_introspect && !spec.single_family);
        assert_eq!(spec.settings, ClientSettings::default());
    }

    #[test]
    fn options_reach_their_places() {
        let spec = spec(
            "--id fcare --type public --name App --grant password --grant refresh_token --scope admin \
             --default-scope read --redirect-uri https://a/b --access-token-ttl 0 --refresh-token-ttl 7 --single-family \
             --access-token-format jwt --id-token-alg PS256",
        )
        .unwrap();
        assert!(spec.secret.is_none() && spec.single_family);
        assert_eq!((spec.name.as_str(), spec.grants.join(" ").as_str()), ("App", "password refresh_token"));
        assert_eq!(spec.optional_scopes.to_string(), "admin");
        assert_eq!(spec.default_scopes.to_string(), "read");
        assert_eq!(spec.redirect_uris, ["https://a/b"]);
        assert_eq!(spec.access_token_lifetime, Lifetime::Never);
        assert_eq!(spec.refresh_token_lifetime.as_setting_secs(), 7);
        assert_eq!(spec.settings.access_token_format, AccessTokenFormat::Jwt);
        assert_eq!(spec.settings.id_token_signed_response_alg, Algorithm::Ps256);
    }

    #[test]
    fn a_secret_for_a_public_client_and_a_wrong_scope_are_refused() {
        let secret = spec("--id fcare --type public --secret-stdin").unwrap_err();
        assert_eq!(secret, ["a public client has no secret: leave --secret-stdin out"]);
        let scope = spec("--id fcare --type public --scope a\"b").unwrap_err().concat();
        assert!(scope.starts_with("scope \"a\\\"b\": a scope name holds"), "{scope}");
    }
}
