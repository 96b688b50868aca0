//! Reading an authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1, RFC 8707 §2).

use fluent_uri::Uri;
use obol_store::Client;
use obol_token::Scopes;

use super::claims_request::{self, ClaimsRequest};
use super::pkce::parse_challenge;
use super::redirect_uri::is_registered;
use super::rules::Prompt;
use crate::features::id_token;
use crate::scopes::{decide_granted, parse_requested};
use crate::{AuthorizationAnswer, Engine, ErrorCode, OAuthError, Params, ResponseMode, Surface};

/// How the answer goes back.
pub(super) struct Return {
    pub(super) redirect_uri: String,
    /// Whether the request named the URI.
    pub(super) redirect_uri_sent: bool,
    mode: ResponseMode,
    state: Option<String>,
    issuer: String,
}

impl Return {
    /// # Errors
    /// For a page: the redirect URI is not good.
    pub(super) fn parse(
        engine: &Engine,
        client: &Client,
        params: &Params<'_>,
        surface: Surface,
    ) -> Result<Self, OAuthError> {
        let sent = params.optional("redirect_uri")?;
        let redirect_uri = match (sent, client.redirect_uris.as_slice()) {
            (Some(uri), registered) if is_registered(registered, client.settings.application_type, uri) => {
                uri
            }
            (Some(_), _) => return Err(not_registered()),
            // RFC 6749 §3.1.2.3; OpenID Connect always wants it.
            (None, [only]) if !asks_for_openid(params)? => only,
            (None, _) => {
                let sentence = "The parameter `redirect_uri` is missing; the application has to send it.";
                return Err(OAuthError::new(ErrorCode::InvalidRequest, sentence));
            }
        };
        // A wrong one is refused later, and by the default way.
        let mode = parse_mode(params).ok().flatten().unwrap_or(ResponseMode::Query);
        Ok(Self {
            redirect_uri: redirect_uri.to_owned(),
            redirect_uri_sent: sent.is_some(),
            mode,
            state: params.optional("state")?.map(str::to_owned),
            issuer: engine.settings.issuer.of(surface).into_owned(),
        })
    }

    /// The answer with these parameters, the client's `state`, and `iss` (RFC 9207 §2).
    pub(super) fn answer(&self, mut params: Vec<(&'static str, String)>) -> AuthorizationAnswer {
        params.extend(self.state.clone().map(|state| ("state", state)));
        params.push(("iss", self.issuer.clone()));
        AuthorizationAnswer { redirect_uri: self.redirect_uri.clone(), mode: self.mode, params }
    }

    /// The answer that refuses (RFC 6749 §4.1.2.1).
    pub(super) fn refusal(&self, error: &OAuthError) -> AuthorizationAnswer {
        let name = error.code().wire().name.to_owned();
        self.answer(vec![("error", name), ("error_description", error.sentence().to_owned())])
    }
}

/// What is asked for.
pub(super) struct AuthorizationRequest {
    pub(super) scopes: Scopes,
    /// What the person allows: these scopes, and those that stand for claims asked for by name.
    pub(super) told: Scopes,
    pub(super) challenge: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) prompt: Prompt,
    pub(super) max_age_secs: Option<u32>,
    /// `sub` of the one whom the client means, by `id_token_hint` or `claims`.
    pub(super) wanted_subject: Option<String>,
    pub(super) claims: ClaimsRequest,
    pub(super) resource: Option<String>,
    pub(super) login_hint: Option<String>,
    pub(super) ui_locales: Vec<String>,
}

impl AuthorizationRequest {
    /// # Errors
    /// What goes back to the client.
    pub(super) fn parse(
        engine: &Engine,
        client: &Client,
        params: &Params<'_>,
        surface: Surface,
    ) -> Result<Self, OAuthError> {
        refuse_request_objects(params)?;
        parse_mode(params)?;
        parse_response_type(params)?;
        if !client.grants.iter().any(|grant| grant.as_str() == "authorization_code") {
            let sentence = "This client may not use the grant type `authorization_code`; have it allowed.";
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, sentence));
        }
        let demanded = claims_request::parse(params.optional("claims")?)?;
        if !demanded.essential_acr.is_empty()
            && !demanded.essential_acr.iter().any(|acr| acr == id_token::ACR)
        {
            let sentence = "People sign in with a password here, which is not as strong as is demanded.";
            return Err(OAuthError::new(ErrorCode::UnmetAuthenticationRequirements, sentence));
        }
        let hinted = match params.optional("id_token_hint")? {
            Some(hint) => Some(id_token::read_hint(engine, hint)?.subject),
            None => None,
        };
        let scopes = decide_granted(client, parse_requested(params)?.as_ref())?;
        let claims = demanded.claims.within(client);
        Ok(Self {
            told: with_claims(&scopes, &claims)?,
            scopes,
            challenge: parse_challenge(params, client)?,
            nonce: params.optional("nonce")?.map(str::to_owned),
            prompt: parse_prompt(params, surface)?,
            max_age_secs: parse_max_age(params)?.or(client.settings.default_max_age_secs),
            wanted_subject: demanded.subject.or(hinted),
            claims,
            resource: parse_resource(params, client)?,
            login_hint: params.optional("login_hint")?.map(str::to_owned),
            ui_locales: words(params.optional("ui_locales")?).map(str::to_owned).collect(),
        })
    }
}

/// The one resource that is asked for, if the client may (RFC 8707 §2). Home of RFC 8707.
///
/// # Errors
/// `invalid_target`
pub(crate) fn parse_resource(params: &Params<'_>, client: &Client) -> Result<Option<String>, OAuthError> {
    let Some(resource) = params.optional("resource")? else { return Ok(None) };
    let refused = |sentence| Err(OAuthError::new(ErrorCode::InvalidTarget, sentence));
    if is_resource(resource) {
        return match client.settings.resources.iter().any(|allowed| allowed == resource) {
            true => Ok(Some(resource.to_owned())),
            false => refused("This client may not ask for tokens of that resource; have it allowed."),
        };
    }
    refused("`resource` is an absolute URI without fragment.")
}

/// Whether this can be the name of a resource: an absolute URI without fragment.
pub(crate) fn is_resource(text: &str) -> bool {
    Uri::parse(text).is_ok_and(|uri| !uri.has_fragment())
}

fn with_claims(scopes: &Scopes, claims: &ClaimsRequest) -> Result<Scopes, OAuthError> {
    let mut told = scopes.clone();
    for scope in claims.scopes() {
        told.insert(scope).map_err(|error| OAuthError::new(ErrorCode::InvalidScope, error.to_string()))?;
    }
    Ok(told)
}

fn asks_for_openid(params: &Params<'_>) -> Result<bool, OAuthError> {
    Ok(words(params.optional("scope")?).any(|scope| scope == "openid"))
}

fn parse_mode(params: &Params<'_>) -> Result<Option<ResponseMode>, OAuthError> {
    let Some(name) = params.optional("response_mode")? else { return Ok(None) };
    let mode = ResponseMode::ALL.into_iter().find(|mode| mode.name() == name);
    mode.map(Some).ok_or_else(|| invalid("`response_mode` is query, fragment or form_post."))
}

fn parse_response_type(params: &Params<'_>) -> Result<(), OAuthError> {
    match params.required("response_type")? {
        "code" => Ok(()),
        _ => {
            let sentence = "Only the `response_type` code is given here.";
            Err(OAuthError::new(ErrorCode::UnsupportedResponseType, sentence))
        }
    }
}

fn refuse_request_objects(params: &Params<'_>) -> Result<(), OAuthError> {
    for (name, code) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ] {
        if params.optional(name)?.is_some() {
            let sentence =
                format!("The parameter `{name}` is not read here; send the parameters themselves.");
            return Err(OAuthError::new(code, sentence));
        }
    }
    Ok(())
}

fn parse_prompt(params: &Params<'_>, surface: Surface) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    for word in words(params.optional("prompt")?) {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => return Err(invalid("`prompt` is none, login, consent or select_account.")),
        }
    }
    if surface == Surface::FortiAuthenticator {
        match params.optional("approval_prompt")? {
            None | Some("auto") => {}
            Some("force") => prompt.consent = true,
            Some(_) => return Err(invalid("`approval_prompt` is auto or force.")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return Err(invalid("`prompt=none` stands alone: with it no page may be shown."));
    }
    Ok(prompt)
}

fn parse_max_age(params: &Params<'_>) -> Result<Option<u32>, OAuthError> {
    let Some(text) = params.optional("max_age")? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| invalid("`max_age` is a whole number of seconds."))
}

fn words(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(' ').filter(|word| !word.is_empty())
}

fn not_registered() -> OAuthError {
    let sentence =
        "The address to which the application wants to send you back is not one that is registered for it.";
    OAuthError::new(ErrorCode::InvalidRequest, sentence).caused_by("redirect URI not registered")
}

fn invalid(sentence: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}
