//! Clients that register themselves. Home of RFC 7591, RFC 7592 and OpenID Connect Dynamic Client Registration.
//!
//! 1. Who registers a client shows an initial access token, or is counted where anybody may (`gate`).
//! 2. What the client says of itself is read (`metadata`), its sector looked up (`sector`), and checked by the same code as what
//!    an operator says of one ([`crate::administration`]).
//! 3. The answer says what was registered (`information`), with a token by which the client manages itself: that token is
//!    good for as long as the client, so that an answer that is lost locks nobody out.

mod gate;
mod information;
mod metadata;
mod new_client;
mod sector;

use obol_keys::RegistrationToken;
use obol_store::{Appended, AssertionAudience, AuditEvent, AuditRecord, ChangeOutcome};
use obol_token::{ClientId, Scopes};
use serde_json::{Map, Value, json};

pub(crate) use self::gate::registration_limit;

use self::gate::Managed;
use self::information::Shown;
use self::metadata::Metadata;
use super::{Endpoint, Feature, Method, Steps};
use crate::administration::{ChangeError, ClientSpecError, change_client_if, register_client};
use crate::{Answer, Arrival, Engine, ErrorCode, OAuthError, Surface};

/// RFC 7591, RFC 7592.
pub(super) const FEATURE: Feature = Feature {
    name: "dynamic client registration",
    specification: "RFC 7591, RFC 7592, OpenID Connect Dynamic Client Registration 1.0",
    endpoints: &[Endpoint {
        surface: Surface::Rfc,
        methods: &[Method::Post],
        path: PATH,
        steps: Steps::Registration,
    }],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/register";

/// Who may register clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Nobody.
    Off,
    /// Whoever has an initial access token (RFC 7591 §1.2).
    Token,
    /// Anybody.
    Open,
}

impl RegistrationMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Token, Self::Open];

    /// Its name in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Token => "token",
            Self::Open => "open",
        }
    }
}

/// How clients register themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationSettings {
    /// Who may.
    pub mode: RegistrationMode,
    /// The scopes that such clients may ask for: at least one.
    pub scopes: Scopes,
    /// So many may be registered, deleted ones counted.
    pub most: u32,
    /// Whether confidential ones need PKCE (RFC 7636), as public ones do.
    pub require_pkce: bool,
    /// What the assertions of those that sign name as their audience.
    pub assertion_audience: AssertionAudience,
}

impl RegistrationSettings {
    /// The scope of an initial access token. Only an operator attaches it to a client.
    pub const SCOPE: &str = "client_registration";
}

impl Default for RegistrationSettings {
    fn default() -> Self {
        let scopes = "openid profile email address phone offline_access".parse().unwrap_or_default();
        Self {
            mode: RegistrationMode::Off,
            scopes,
            most: 1_000,
            require_pkce: true,
            assertion_audience: AssertionAudience::Issuer,
        }
    }
}

/// A request of a client about its own registration.
pub struct RegistrationRequest<'a> {
    /// What is asked.
    pub asked: RegistrationAsked<'a>,
    /// The token that came with it (RFC 6750 §2.1).
    pub bearer: Option<&'a str>,
    /// When and whence.
    pub arrival: Arrival,
}

/// What is asked, with the body as it came.
pub enum RegistrationAsked<'a> {
    /// To register a client (RFC 7591 §3.1).
    Register(&'a [u8]),
    /// What is registered (RFC 7592 §2.1).
    Read(&'a str),
    /// To replace that (RFC 7592 §2.2).
    Update(&'a str, &'a [u8]),
    /// To delete the client (RFC 7592 §2.3).
    Delete(&'a str),
}

impl Engine {
    /// Answers a client about its own registration.
    ///
    /// # Errors
    /// [`OAuthError`], 404 where nobody may register clients.
    pub async fn register(&self, request: &RegistrationRequest<'_>) -> Result<Answer<'static>, OAuthError> {
        if self.settings.registration.mode == RegistrationMode::Off {
            let sentence = "No clients are registered here; ask the operator to add yours.";
            return Err(OAuthError::new(ErrorCode::NotFound, sentence));
        }
        let answered = match request.asked {
            RegistrationAsked::Register(body) => self.register_new(request, body).await,
            RegistrationAsked::Read(id) => self.tell(request, id),
            RegistrationAsked::Update(id, body) => self.update(request, id, body).await,
            RegistrationAsked::Delete(id) => self.unregister(request, id).await,
        };
        answered.inspect_err(|error| self.audit_refused(request, error))
    }

    async fn register_new(
        &self,
        request: &RegistrationRequest<'_>,
        body: &[u8],
    ) -> Result<Answer<'static>, OAuthError> {
        gate::let_in(self, request)?;
        let metadata = Metadata::read(body, self)?;
        let sector = sector::find(self, &metadata).await?;
        let token = RegistrationToken::generate();
        let mut spec = self.new_client(&metadata, &token)?;
        metadata.apply(&mut spec, sector.as_ref());
        let now = request.arrival.now;
        let registered = register_client(&*self.store, spec, now, self.settings.registration.most).await;
        let registered = registered.map_err(|error| refusal(error, &metadata))?;
        self.done(request, AuditEvent::ClientAdded, &registered.client.id, registered.appended).await?;
        let secret = registered.generated_secret.as_ref().map(|secret| secret.reveal());
        let shown = Shown { token: &token.text(), secret };
        let client = shown.information(self, &registered.client);
        Ok(Answer::Registered { client, new: true })
    }

    fn tell(&self, request: &RegistrationRequest<'_>, id: &str) -> Result<Answer<'static>, OAuthError> {
        let Managed { client, token } = gate::managed(self, id, request)?;
        let client = Shown { token, secret: None }.information(self, &client);
        Ok(Answer::Registered { client, new: false })
    }

    async fn update(
        &self,
        request: &RegistrationRequest<'_>,
        id: &str,
        body: &[u8],
    ) -> Result<Answer<'static>, OAuthError> {
        let Managed { client, token } = gate::managed(self, id, request)?;
        gate::slow_down(self, request)?;
        let metadata = Metadata::read(body, self)?;
        metadata.check_update_of(&client)?;
        gate::may_update(&client).map_err(|error| refusal(error, &metadata))?;
        let sector = sector::find(self, &metadata).await?;
        let changed = change_client_if(&*self.store, &client.id, gate::may_update, |spec| {
            metadata.apply(spec, sector.as_ref());
        })
        .await;
        let appended = changed.map_err(|error| match error {
            ChangeError::Unknown(_) => gate::not_valid("deleted meanwhile"),
            ChangeError::Spec(error) => refusal(error, &metadata),
        })?;
        self.done(request, AuditEvent::ClientChanged, &client.id, appended).await?;
        let stored = self.store.find_client(&client.id).await?;
        let client = stored.ok_or_else(|| gate::not_valid("deleted meanwhile"))?;
        let client = Shown { token, secret: metadata.secret() }.information(self, &client);
        Ok(Answer::Registered { client, new: false })
    }

    async fn unregister(
        &self,
        request: &RegistrationRequest<'_>,
        id: &str,
    ) -> Result<Answer<'static>, OAuthError> {
        let Managed { client, .. } = gate::managed(self, id, request)?;
        match self.store.delete_client(&client.id, request.arrival.now).await? {
            ChangeOutcome::Changed(appended) => {
                self.done(request, AuditEvent::ClientDeleted, &client.id, appended).await?;
                Ok(Answer::Unregistered)
            }
            ChangeOutcome::Unknown => Err(gate::not_valid("deleted meanwhile")),
        }
    }

    /// Every node knows of it, and it is recorded, before the client is told.
    async fn done(
        &self,
        request: &RegistrationRequest<'_>,
        event: AuditEvent,
        id: &ClientId,
        appended: Appended,
    ) -> Result<(), OAuthError> {
        let record = AuditRecord::new(event, request.arrival.now);
        let (client_id, position) = (Some(id.as_str().to_owned()), Some(appended.position()));
        let reason = Some("registration".into());
        self.audit(&request.arrival, AuditRecord { client_id, position, reason, ..record });
        self.confirm(appended).await.map(drop)
    }

    fn audit_refused(&self, request: &RegistrationRequest<'_>, error: &OAuthError) {
        let (event, id) = match request.asked {
            RegistrationAsked::Register(_) => (AuditEvent::ClientAdded, None),
            RegistrationAsked::Update(id, _) => (AuditEvent::ClientChanged, Some(id)),
            RegistrationAsked::Delete(id) => (AuditEvent::ClientDeleted, Some(id)),
            RegistrationAsked::Read(_) => return,
        };
        let (client_id, reason) = (id.map(str::to_owned), format!("registration: {}", error.reason()));
        let record = AuditRecord::new(event, request.arrival.now);
        self.audit(
            &request.arrival,
            AuditRecord { done: false, client_id, reason: Some(reason.into()), ..record },
        );
    }
}

/// What an operator would be told of such a client, in the codes of RFC 7591 §3.2.2.
fn refusal(error: ClientSpecError, metadata: &Metadata) -> OAuthError {
    let code = match &error {
        ClientSpecError::Store(error) => return error.clone().into(),
        ClientSpecError::Taken(_) | ClientSpecError::NeverAgain(_) => ErrorCode::ServerError,
        ClientSpecError::TooMany => {
            let sentence =
                "As many clients have registered themselves as may; ask the operator to add yours.";
            return OAuthError::new(ErrorCode::Unavailable, sentence);
        }
        ClientSpecError::Settled => {
            return OAuthError::new(
                ErrorCode::AccessDenied,
                format!("The client cannot be changed: {error}."),
            );
        }
        ClientSpecError::RedirectUri(uri, _) if !metadata.has_redirect_uri(uri) => {
            ErrorCode::InvalidClientMetadata
        }
        ClientSpecError::RedirectUri(..) | ClientSpecError::NoRedirectUri => ErrorCode::InvalidRedirectUri,
        _ => ErrorCode::InvalidClientMetadata,
    };
    OAuthError::new(code, format!("The client cannot be registered: {error}."))
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    if engine.settings.registration.mode != RegistrationMode::Off {
        document.insert("registration_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
    }
}
