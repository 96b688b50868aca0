//! What the command line changes of a client.

use clap::ValueEnum;
use obol_oauth::administration::ClientSpec;
use obol_store::AccessTokenFormat;
use obol_token::{Algorithm, Lifetime, Scopes};

use super::args::{Form, Named, scopes};
use super::authentication_args::{Authentication, AuthenticationArgs};
use super::links_args::LinksArgs;
use crate::commands::algorithm;
use crate::failure::Failure;

/// What to change of a client. What is not given stays.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    pub(super) which: Named,
    /// Name that people see where they sign in, at most 200 characters.
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Way in which the client may ask for tokens, in place of those before; may be named several times.
    #[arg(long = "grant", value_name = "G")]
    grants: Vec<String>,
    /// Scope that a token gets when it is asked for, in place of those before; may be named several times.
    #[arg(long = "scope", value_name = "S")]
    optional_scopes: Vec<String>,
    /// Scope that every token of the client gets, in place of those before; may be named several times.
    #[arg(long = "default-scope", value_name = "S")]
    default_scopes: Vec<String>,
    /// Address to which a browser may be sent back, in place of those before; may be named several times.
    #[arg(long = "redirect-uri", value_name = "U")]
    redirect_uris: Vec<String>,
    /// Address to which a browser may be sent after signing out, in place of those before; may be named several times.
    #[arg(long = "post-logout-redirect-uri", value_name = "U")]
    post_logout_redirect_uris: Vec<String>,
    /// Where it is told that a session of a person has ended, an https URL; empty: it is told no more. It is told of sessions in
    /// which it has got a code since it has such a URL.
    #[arg(long, value_name = "U")]
    backchannel_logout_uri: Option<String>,
    /// Resource for which it may ask tokens, in place of those before; may be named several times.
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,
    /// Seconds for which an access token is good; 0: it never expires. Tokens of before keep their time.
    #[arg(long, value_name = "SECS")]
    access_token_ttl: Option<u32>,
    /// Seconds for which a refresh token is good unless it is used.
    #[arg(long, value_name = "SECS")]
    refresh_token_ttl: Option<u32>,
    /// Form of its access tokens.
    #[arg(long, value_name = "FORM")]
    access_token_format: Option<Form>,
    /// Algorithm with which its ID tokens, and its access tokens of form jwt, are signed.
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    id_token_alg: Option<Algorithm>,
    /// Whether every request for a code needs an S256 challenge (RFC 7636).
    #[arg(long, value_name = "CHOICE")]
    pkce: Option<Pkce>,
    /// Whether authorization requests are taken only when it has pushed them (RFC 9126).
    #[arg(long, value_name = "CHOICE")]
    par: Option<Par>,
    /// Whether people are asked before they are let into it.
    #[arg(long, value_name = "CHOICE")]
    consent: Option<Consent>,
    /// Whether a client that has registered itself may replace its registration (RFC 7592): refused, and what is set here stays.
    #[arg(long, value_name = "CHOICE")]
    registration_updates: Option<RegistrationUpdates>,
    #[command(flatten)]
    links: LinksArgs,
    #[command(flatten)]
    authentication: AuthenticationArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pkce {
    Required,
    Optional,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Par {
    Required,
    Optional,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Consent {
    Ask,
    Skip,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RegistrationUpdates {
    Allowed,
    Refused,
}

/// A change whose scopes were read.
#[derive(Clone)]
pub(super) struct Change {
    args: SetArgs,
    authentication: Authentication,
    optional_scopes: Option<Scopes>,
    default_scopes: Option<Scopes>,
}

impl SetArgs {
    /// The change, with its scopes and keys read.
    ///
    /// # Errors
    /// For a scope that is none, and a file of keys that cannot be read.
    pub(super) fn read(self) -> Result<Change, Failure> {
        let mut args = self;
        let read = |names| named(names).map(|names| scopes(&names)).transpose();
        let optional_scopes = read(std::mem::take(&mut args.optional_scopes))?;
        let default_scopes = read(std::mem::take(&mut args.default_scopes))?;
        let authentication = std::mem::take(&mut args.authentication).read()?;
        Ok(Change { args, authentication, optional_scopes, default_scopes })
    }
}

impl Change {
    /// The algorithm that it asks for.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.args.id_token_alg
    }

    /// Whether it is one for a client that has registered itself.
    pub(super) fn is_of_registration(&self) -> bool {
        self.args.registration_updates.is_some()
    }

    /// Makes it.
    pub(super) fn apply(self, spec: &mut ClientSpec) {
        let given = self.args;
        replace(&mut spec.name, given.name);
        replace(&mut spec.grants, Some(given.grants).filter(|grants| !grants.is_empty()));
        replace(&mut spec.redirect_uris, named(given.redirect_uris));
        replace(&mut spec.optional_scopes, self.optional_scopes);
        replace(&mut spec.default_scopes, self.default_scopes);
        replace(&mut spec.access_token_lifetime, given.access_token_ttl.map(Lifetime::from_setting_secs));
        replace(&mut spec.refresh_token_lifetime, given.refresh_token_ttl.map(Lifetime::from_setting_secs));
        let settings = &mut spec.settings;
        self.authentication.apply(settings);
        given.links.apply(settings);
        replace(&mut settings.post_logout_redirect_uris, named(given.post_logout_redirect_uris));
        if let Some(uri) = given.backchannel_logout_uri {
            settings.backchannel_logout_uri = Some(uri).filter(|uri| !uri.is_empty());
        }
        replace(&mut settings.resources, named(given.resources));
        replace(&mut settings.access_token_format, given.access_token_format.map(AccessTokenFormat::from));
        replace(&mut settings.id_token_signed_response_alg, given.id_token_alg);
        replace(&mut settings.require_pkce, given.pkce.map(|pkce| matches!(pkce, Pkce::Required)));
        let required = given.par.map(|par| matches!(par, Par::Required));
        replace(&mut settings.require_pushed_authorization_requests, required);
        replace(&mut settings.ask_consent, given.consent.map(|consent| matches!(consent, Consent::Ask)));
        if let (Some(registration), Some(updates)) = (&mut settings.registration, given.registration_updates)
        {
            registration.may_update = matches!(updates, RegistrationUpdates::Allowed);
        }
    }
}

fn replace<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

/// A list that was given at all; one empty value is an empty list.
pub(super) fn named(mut values: Vec<String>) -> Option<Vec<String>> {
    let given = !values.is_empty();
    if matches!(&*values, [only] if only.is_empty()) {
        values.clear();
    }
    given.then_some(values)
}
