//! What the command line says of how people sign in at a client.

use std::num::NonZeroU32;

use clap::ValueEnum;
use obol_store::{ApplicationType, ClientSettings, SubjectType};
use obol_token::Algorithm;

use crate::commands::algorithm;

/// How people sign in at it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Signing in")]
pub(super) struct SignInArgs {
    /// Where the client runs: web (a server, or a page in a browser) or native (an app on a person's device, where the port
    /// of a redirect URI at 127.0.0.1 or [::1] is free).
    #[arg(long, value_name = "TYPE", default_value = "web")]
    application_type: Runs,
    /// Let this confidential client ask for codes without PKCE (RFC 7636). Not given: every request needs an S256 challenge.
    #[arg(long)]
    pkce_optional: bool,
    /// Take authorization requests only when this client has pushed them (RFC 9126). Not given: it may, and need not.
    #[arg(long)]
    require_par: bool,
    /// Let people into this confidential client without asking them what it may. Not given: they are asked once.
    #[arg(long)]
    skip_consent: bool,
    /// Address to which a browser may be sent after signing out; may be named several times. Not given: none.
    #[arg(long = "post-logout-redirect-uri", value_name = "U")]
    post_logout_redirect_uris: Vec<String>,
    /// Where it is told, server to server, that a session of a person has ended: an https URL (OpenID Connect Back-Channel
    /// Logout). Not given: it is not told.
    #[arg(long, value_name = "U")]
    backchannel_logout_uri: Option<String>,
    /// Note that it needs to be told which session has ended. It is told in any case.
    #[arg(long)]
    backchannel_logout_session_required: bool,
    /// Signature of its userinfo: ES256, RS256, PS256 or EdDSA. Not given: plain JSON.
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    userinfo_alg: Option<Algorithm>,
    /// By what it knows people: public (all clients by the same) or pairwise (each sector by another).
    #[arg(long, value_name = "TYPE", default_value = "public")]
    subject_type: Subjects,
    /// Host that stands for the clients which know a person by one pairwise subject. Not given: the host of its redirect URIs.
    #[arg(long, value_name = "HOST")]
    sector: Option<String>,
    /// Resource for which it may ask tokens, an absolute URI (RFC 8707); may be named several times. Not given: none.
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,
    /// Seconds after which a sign-in is too old for it, unless its request says otherwise. Not given: none is.
    #[arg(long, value_name = "SECS")]
    default_max_age: Option<u32>,
    /// Seconds after which a person has to sign in again, however often tokens were refreshed. Not given: never.
    #[arg(long, value_name = "SECS")]
    family_ttl: Option<NonZeroU32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Runs {
    Web,
    Native,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Subjects {
    Public,
    Pairwise,
}

impl SignInArgs {
    /// These over the settings that a client has otherwise.
    pub(super) fn over(self, settings: ClientSettings) -> ClientSettings {
        ClientSettings {
            application_type: match self.application_type {
                Runs::Web => ApplicationType::Web,
                Runs::Native => ApplicationType::Native,
            },
            require_pkce: !self.pkce_optional,
            require_pushed_authorization_requests: self.require_par,
            ask_consent: !self.skip_consent,
            userinfo_signed_response_alg: self.userinfo_alg,
            subject_type: match self.subject_type {
                Subjects::Public => SubjectType::Public,
                Subjects::Pairwise => SubjectType::Pairwise,
            },
            sector_identifier: self.sector,
            default_max_age_secs: self.default_max_age,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            backchannel_logout_uri: self.backchannel_logout_uri,
            backchannel_logout_session_required: self.backchannel_logout_session_required,
            resources: self.resources,
            family_lifetime_secs: self.family_ttl,
            ..settings
        }
    }
}
