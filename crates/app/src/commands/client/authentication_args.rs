//! What the command line says of how a client authenticates.

use std::fs;
use std::path::PathBuf;

use clap::ValueEnum;
use obol_store::{AssertionAudience, ClientAuthMethod, ClientSettings};
use obol_token::Algorithm;
use serde_json::Value;

use super::set_args::named;
use crate::commands::algorithm;
use crate::failure::Failure;

/// How it authenticates.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "Authentication")]
pub(super) struct AuthenticationArgs {
    /// How it authenticates, and no other way: none, client_secret_basic, client_secret_post, client_secret_jwt (its secret is
    /// then kept under the master key, not only as a hash) or private_key_jwt. Not given: with its secret, in the header or in
    /// the body.
    #[arg(long, value_name = "METHOD", value_parser = method)]
    auth_method: Option<ClientAuthMethod>,
    /// File with its public keys, a JWK set (RFC 7517 §5): what it signs with them is known to come from it.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// https address at which it publishes its public keys, in place of --jwks.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// What its assertions name as `aud`: issuer, or token-endpoint for a library that knows nothing newer than the URL of the
    /// token endpoint (the issuer is taken then, too). Not given: the issuer.
    #[arg(long, value_name = "WHAT", value_parser = audience)]
    assertion_audience: Option<AssertionAudience>,
    /// Whether its authorization requests count only when it has signed them (RFC 9101). Not given: they need not be signed.
    #[arg(long, value_name = "CHOICE")]
    request_object: Option<RequestObject>,
    /// Algorithm with which it signs its authorization requests: ES256, RS256, PS256 or EdDSA. Not given: any of them.
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    request_object_alg: Option<Algorithm>,
    /// https address at which one of its signed authorization requests may be (`request_uri`), compared letter by letter; may be
    /// named several times, in place of those before. Not given: none.
    #[arg(long = "request-uri", value_name = "URL")]
    request_uris: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RequestObject {
    Required,
    Optional,
}

impl AuthenticationArgs {
    /// The method that is asked for.
    pub(super) fn method(&self) -> Option<ClientAuthMethod> {
        self.auth_method
    }

    /// The same, with the file of keys read.
    ///
    /// # Errors
    /// When it cannot be read, or is not JSON.
    pub(super) fn read(self) -> Result<Authentication, Failure> {
        let jwks = self.jwks.as_ref().map(|path| {
            let refused = |error: String| Failure::refused(format_args!("{}: {error}", path.display()));
            let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
            serde_json::from_str(&text).map_err(|error| refused(error.to_string()))
        });
        Ok(Authentication { jwks: jwks.transpose()?, args: self })
    }
}

/// How it authenticates, with its keys.
#[derive(Clone)]
pub(super) struct Authentication {
    args: AuthenticationArgs,
    jwks: Option<Value>,
}

impl Authentication {
    /// Puts into the settings what was given.
    pub(super) fn apply(self, settings: &mut ClientSettings) {
        let AuthenticationArgs {
            auth_method,
            jwks: _,
            jwks_uri,
            assertion_audience,
            request_object,
            request_object_alg,
            request_uris,
        } = self.args;
        settings.token_endpoint_auth_method = auth_method.or(settings.token_endpoint_auth_method);
        // One takes the place of the other.
        if self.jwks.is_some() || jwks_uri.is_some() {
            (settings.jwks, settings.jwks_uri) = (self.jwks, jwks_uri);
        }
        settings.assertion_audience = assertion_audience.unwrap_or(settings.assertion_audience);
        if let Some(choice) = request_object {
            settings.require_signed_request_object = choice == RequestObject::Required;
        }
        settings.request_object_signing_alg = request_object_alg.or(settings.request_object_signing_alg);
        if let Some(request_uris) = named(request_uris) {
            settings.request_uris = request_uris;
        }
    }
}

fn method(name: &str) -> Result<ClientAuthMethod, String> {
    one_of(name, ClientAuthMethod::ALL, ClientAuthMethod::name)
}

fn audience(name: &str) -> Result<AssertionAudience, String> {
    one_of(name, AssertionAudience::ALL, AssertionAudience::name)
}

fn one_of<T: Copy, const N: usize>(
    name: &str,
    all: [T; N],
    name_of: fn(T) -> &'static str,
) -> Result<T, String> {
    all.into_iter()
        .find(|one| name_of(*one) == name)
        .ok_or_else(|| format!("there is no such one; there are: {}", all.map(name_of).join(", ")))
}
