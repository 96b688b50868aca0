//! What a client gets from the server when it is registered: an id, a secret, and what the operator decides.

use obol_keys::{RegistrationToken, random_bytes};
use obol_store::{Client, ClientAuthMethod, ClientSettings, Registration};
use obol_token::{ClientId, Lifetime, Scopes};

use super::metadata::Metadata;
use crate::administration::{
    ChosenSecret, ClientSpec, USUAL_ACCESS_TOKEN_TTL_SECS, USUAL_REFRESH_TOKEN_TTL_SECS,
};
use crate::{Engine, ErrorCode, OAuthError};

impl Engine {
    /// A client without what it says of itself.
    pub(super) fn new_client(
        &self,
        metadata: &Metadata,
        token: &RegistrationToken,
    ) -> Result<ClientSpec, OAuthError> {
        let id = format!("{}{}", Client::REGISTERED_PREFIX, hex::encode(random_bytes::<16>()));
        let id = ClientId::new(&id).map_err(|error| {
            OAuthError::new(ErrorCode::ServerError, "The id of the client cannot be one.")
                .caused_by(error.to_string())
        })?;
        let method = metadata.auth_method();
        let require_pkce = method == ClientAuthMethod::None || self.settings.registration.require_pkce;
        let secret = self.new_secret(method, &id)?;
        let registration =
            Registration { access_token: token.hash(), sector_identifier_uri: None, may_update: true };
        Ok(ClientSpec {
            id,
            name: String::new(),
            secret,
            grants: Vec::new(),
            default_scopes: Scopes::default(),
            optional_scopes: Scopes::default(),
            redirect_uris: Vec::new(),
            access_token_lifetime: Lifetime::from_setting_secs(USUAL_ACCESS_TOKEN_TTL_SECS),
            refresh_token_lifetime: Lifetime::from_setting_secs(USUAL_REFRESH_TOKEN_TTL_SECS),
            may_introspect: false,
            single_family: false,
            settings: ClientSettings {
                require_pkce,
                assertion_audience: self.settings.registration.assertion_audience,
                registration: Some(registration),
                ..ClientSettings::default()
            },
        })
    }

    /// A secret for a client that authenticates so, if it needs one.
    fn new_secret(
        &self,
        method: ClientAuthMethod,
        id: &ClientId,
    ) -> Result<Option<ChosenSecret>, OAuthError> {
        Ok(match method {
            ClientAuthMethod::None | ClientAuthMethod::PrivateKeyJwt => None,
            ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => {
                Some(ChosenSecret::Generate)
            }
            ClientAuthMethod::ClientSecretJwt => {
                let vouched = self.replica.vouch()?;
                let kept = ChosenSecret::Generate.kept(vouched.memory(), id).map_err(|error| {
                    OAuthError::new(ErrorCode::ServerError, "The secret of the client cannot be kept.")
                        .caused_by(error.to_string())
                })?;
                Some(kept)
            }
        })
    }
}
