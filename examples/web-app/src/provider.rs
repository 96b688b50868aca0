//! What this application asks of its OpenID provider, and what it makes sure of before it believes an answer.
//!
//! 1. [`Provider::begin`]: the browser is sent away with `state`, `nonce` and a PKCE challenge, fresh for each attempt.
//! 2. [`Provider::finish`]: the code that it brings back is exchanged for tokens, and the ID token is verified.
//! 3. [`Provider::refresh`], [`Provider::about`], [`Provider::revoke`]: what happens as long as the person is signed in.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGrantType, CoreIdTokenClaims, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, JsonWebKey,
    Nonce, NonceVerifier, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, SignatureVerificationError, TokenResponse,
    UserInfoError,
};
use serde::{Deserialize, Serialize};

/// What was agreed with the provider about this application.
pub struct Registration {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    pub redirect_uri: String,
}

/// The provider, as far as it was asked about itself.
pub struct Provider {
    registration: Registration,
    http: reqwest::Client,
    discovered: RwLock<Arc<Discovered>>,
}

/// A sign-in that was begun: what must be the same when the browser comes back.
pub struct Attempt {
    nonce: Nonce,
    pkce: PkceCodeVerifier,
}

/// A person who signed in, and the tokens by which this application acts for the person.
#[derive(Clone)]
pub struct Person {
    pub claims: CoreIdTokenClaims,
    /// Which of the provider's keys signed the ID token.
    pub signed_by: String,
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
}

/// The endpoints and keys that the provider publishes.
struct Discovered {
    client: Client,
    revocation_endpoint: String,
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Provider {
    /// Asks the provider about itself. Its URL is all that has to be configured.
    pub async fn discover(registration: Registration) -> anyhow::Result<Self> {
        // A redirect could lead anywhere, also into a network that only this application reaches.
        let no_redirects = reqwest::redirect::Policy::none();
        let http =
            reqwest::Client::builder().redirect(no_redirects).timeout(Duration::from_secs(10)).build()?;
        let discovered = RwLock::new(Arc::new(Discovered::ask(&registration, &http).await?));
        Ok(Self { registration, http, discovered })
    }

    pub fn issuer(&self) -> &str {
        &self.registration.issuer
    }

    /// Where to send the browser, the `state` that it must bring back, and what to keep until then.
    pub fn begin(&self) -> (String, String, Attempt) {
        let (challenge, pkce) = PkceCodeChallenge::new_random_sha256();
        let discovered = self.discovered();
        let (url, state, nonce) = discovered
            .client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(["profile", "email"].map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .url();
        (url.to_string(), state.into_secret(), Attempt { nonce, pkce })
    }

    /// Exchanges the code that the browser brought back.
    pub async fn finish(&self, code: String, attempt: Attempt) -> anyhow::Result<Person> {
        let discovered = self.discovered();
        let request =
            discovered.client.exchange_code(AuthorizationCode::new(code))?.set_pkce_verifier(attempt.pkce);
        let tokens = request.request_async(&self.http).await.context("the code was not exchanged")?;
        self.verified(tokens, Some(&attempt.nonce), None).await
    }

    /// Gets new tokens. `None`: the provider has ended this sign-in, and the person has to sign in again.
    pub async fn refresh(&self, person: &Person) -> anyhow::Result<Option<Person>> {
        let Some(refresh_token) = &person.refresh_token else { return Ok(None) };
        let discovered = self.discovered();
        let request = discovered.client.exchange_refresh_token(refresh_token)?;
        let tokens = match request.request_async(&self.http).await {
            Ok(tokens) => tokens,
            Err(RequestTokenError::ServerResponse(refusal))
                if *refusal.error() == CoreErrorResponseType::InvalidGrant =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error).context("the tokens were not refreshed"),
        };
        self.verified(tokens, None, Some(person)).await.map(Some)
    }

    /// What the provider tells of the person now. `None`: it does not accept the access token any more.
    pub async fn about(&self, person: &Person) -> anyhow::Result<Option<CoreUserInfoClaims>> {
        let discovered = self.discovered();
        let expected = Some(person.claims.subject().clone());
        match discovered
            .client
            .user_info(person.access_token.clone(), expected)?
            .request_async(&self.http)
            .await
        {
            Ok(claims) => Ok(Some(claims)),
            Err(UserInfoError::Response(status, ..)) if status.as_u16() == 401 => Ok(None),
            Err(error) => Err(error).context("the provider tells nothing of the person"),
        }
    }

    /// Ends the tokens (RFC 7009): either of the two ends both. When this has returned well, no one accepts them.
    pub async fn revoke(&self, person: &Person) -> anyhow::Result<()> {
        let token = person.refresh_token.as_ref().map_or(person.access_token.secret(), RefreshToken::secret);
        let Registration { client_id, client_secret, .. } = &self.registration;
        let form = [("token", token), ("client_id", client_id), ("client_secret", client_secret)];
        // By hand, because the library's own call wants https, also at a loopback address.
        let answer = self.http.post(&self.discovered().revocation_endpoint).form(&form).send().await?;
        // 503: nobody knows yet. The tokens may live, so this is no success.
        ensure!(answer.status() == 200, "the provider answered {} to the revocation", answer.status());
        Ok(())
    }

    /// The person whom these tokens are about. `before` is who it must still be after a refresh.
    async fn verified(
        &self,
        tokens: CoreTokenResponse,
        nonce: Option<&Nonce>,
        before: Option<&Person>,
    ) -> anyhow::Result<Person> {
        let person = match read(&self.discovered(), &tokens, nonce) {
            Err(error) if is_unknown_key(&error) => {
                // The provider has changed its signing key since it was asked.
                let discovered = Arc::new(Discovered::ask(&self.registration, &self.http).await?);
                *self.discovered.write().unwrap_or_else(PoisonError::into_inner) = discovered.clone();
                read(&discovered, &tokens, nonce)?
            }
            read => read?,
        };
        if let Some(before) = before {
            ensure!(
                person.claims.subject() == before.claims.subject(),
                "the refreshed ID token is another person's"
            );
        }
        // A refresh that brings no new refresh token leaves the one before good (RFC 6749 §6).
        let kept = before.and_then(|before| before.refresh_token.clone());
        Ok(Person { refresh_token: person.refresh_token.or(kept), ..person })
    }

    fn discovered(&self) -> Arc<Discovered> {
        self.discovered.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Discovered {
    async fn ask(registration: &Registration, http: &reqwest::Client) -> anyhow::Result<Self> {
        let issuer = IssuerUrl::new(registration.issuer.clone()).context("ISSUER is no URL")?;
        let metadata = Metadata::discover_async(issuer, http)
            .await
            .with_context(|| format!("there is no OpenID provider at {}", registration.issuer))?;
        let revocation_endpoint = metadata.additional_metadata().revocation_endpoint.clone();
        let client_id = ClientId::new(registration.client_id.clone());
        let secret = ClientSecret::new(registration.client_secret.clone());
        let client = CoreClient::from_provider_metadata(metadata, client_id, Some(secret))
            .set_redirect_uri(RedirectUrl::new(registration.redirect_uri.clone())?);
        Ok(Self { client, revocation_endpoint })
    }
}

/// Verifies the ID token: signature, `iss`, `aud`, `exp`, `nonce`, and that it goes with this access token (`at_hash`).
fn read(
    discovered: &Discovered,
    tokens: &CoreTokenResponse,
    nonce: Option<&Nonce>,
) -> anyhow::Result<Person> {
    let verifier = discovered.client.id_token_verifier();
    let id_token = tokens.id_token().ok_or_else(|| anyhow!("the provider sent no ID token"))?;
    // A refresh brings an ID token without nonce (OpenID Connect Core §12.2).
    let same_nonce = |sent: Option<&Nonce>| nonce.map_or(Ok(()), |nonce| nonce.verify(sent));
    let claims = id_token.claims(&verifier, same_nonce)?.clone();
    let key = id_token.signing_key(&verifier)?;
    let Some(expected) = claims.access_token_hash() else { bail!("the ID token has no at_hash") };
    let actual = AccessTokenHash::from_token(tokens.access_token(), id_token.signing_alg()?, key)?;
    ensure!(actual == *expected, "the access token is not the one of the ID token");
    Ok(Person {
        claims,
        signed_by: key.key_id().map(|id| id.to_string()).unwrap_or_default(),
        access_token: tokens.access_token().clone(),
        refresh_token: tokens.refresh_token().cloned(),
    })
}

fn is_unknown_key(error: &anyhow::Error) -> bool {
    let unknown = ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey);
    error.downcast_ref() == Some(&unknown)
}

/// The discovery document, with the member of RFC 8414 that OpenID Connect Discovery does not name.
type Metadata = ProviderMetadata<
    RevocationMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

#[derive(Clone, Debug, Deserialize, Serialize)]
struct RevocationMetadata {
    revocation_endpoint: String,
}

impl AdditionalProviderMetadata for RevocationMetadata {}
