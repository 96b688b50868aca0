//! Userinfo (OpenID Connect Core §5.3) and `userinfo/` of FortiAuthenticator: what is known of the person behind an access token,
//! as far as its scopes reach.

use obol_replica::NotVerified;
use obol_store::{Client, User};
use obol_token::{Asked, FamilyId, Scope, Scopes, Scratch, SubjectId};
use serde_json::{Map, Value, json};

use super::authorization::Granted;
use super::{Endpoint, Feature, Method, Pending, Steps, id_token};
use crate::engine::Call;
use crate::{Answer, Authorization, Engine, ErrorCode, OAuthError, Outcome, Surface, Userinfo};

/// OpenID Connect Core §5.3.
pub(super) const FEATURE: Feature = Feature {
    name: "userinfo",
    specification: "OpenID Connect Core §5.3, FortiAuthenticator userinfo/",
    endpoints: &[
        Endpoint {
            surface: Surface::Rfc,
            methods: &[Method::Get, Method::Post],
            path: PATH,
            steps: Steps::Borne(handle),
        },
        Endpoint {
            surface: Surface::FortiAuthenticator,
            methods: &[Method::Get],
            path: FORTI_PATH,
            steps: Steps::Borne(handle),
        },
    ],
    grants: &[],
    describe,
};

const PATH: &str = "/oauth2/userinfo";
pub(super) const FORTI_PATH: &str = "/api/v1/oauth/userinfo";

/// The scopes that stand for claims, and theirs (§5.4; `groups` is FortiAuthenticator's).
const CLAIMS_OF_SCOPES: [(&str, &[&str]); 5] = [
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("groups", &["groups"]),
];

/// Whether there can be a claim of this name.
pub(super) fn is_claim(name: &str) -> bool {
    scope_of_claim(name).is_some()
}

/// The scope that stands for the claim of this name.
pub(super) fn scope_of_claim(name: &str) -> Option<Scope> {
    let (scope, _) = CLAIMS_OF_SCOPES.iter().find(|(_, claims)| claims.contains(&name))?;
    scope.parse().ok()
}

/// The scopes of OpenID Connect.
pub(crate) fn scope_names() -> impl Iterator<Item = &'static str> {
    std::iter::once("openid").chain(CLAIMS_OF_SCOPES.iter().map(|(scope, _)| *scope))
}

fn handle<'a>(call: &'a Call<'a>) -> Pending<'a> {
    Box::pin(async move {
        let bearer = Bearer::verified(call)?;
        let user = call.engine.store.find_user_by_id(bearer.subject).await?.filter(|user| user.enabled);
        let user = user.ok_or_else(|| not_valid("the person is disabled or deleted"))?;
        let granted = match bearer.family {
            Some(family) => granted(call.engine, family).await?,
            None => None,
        };
        bearer.tell(call, &user, granted.as_ref()).map(Answer::Userinfo).map(Outcome::Done)
    })
}

/// What an access token that stands says.
struct Bearer {
    client_id: String,
    subject: SubjectId,
    scopes: Scopes,
    family: Option<FamilyId>,
}

impl Bearer {
    fn verified(call: &Call<'_>) -> Result<Self, OAuthError> {
        let token = presented(call)?;
        let mut scratch = Box::<Scratch>::default();
        let verified = call.vouched.verify(token, Asked::AnyClient, call.request.arrival.now, &mut scratch);
        let claims = verified.map_err(|error| match error {
            NotVerified::Refused(refusal) => not_valid(refusal.reason()),
            NotVerified::Stale(stale) => stale.into(),
        })?;
        let scopes: Scopes = claims.scopes.parse().map_err(|_| not_valid("unreadable scopes"))?;
        let openid = scopes.iter().any(|scope| scope.as_str() == "openid");
        match claims.subject {
            Some(subject) if openid => Ok(Self {
                client_id: claims.client_id.to_owned(),
                subject: subject.id,
                scopes,
                family: claims.family,
            }),
            _ => {
                let sentence = "The access token needs the scope `openid` of a person who signed in.";
                Err(OAuthError::new(ErrorCode::InsufficientScope, sentence))
            }
        }
    }

    fn tell(&self, call: &Call<'_>, user: &User, granted: Option<&Granted>) -> Result<Userinfo, OAuthError> {
        let gone = || not_valid("the client is deleted");
        let client = call.vouched.memory().client(&self.client_id).ok_or_else(gone)?;
        let of_scopes = CLAIMS_OF_SCOPES
            .iter()
            .filter(|(name, _)| self.scopes.iter().any(|scope| scope.as_str() == *name))
            .flat_map(|(_, claims)| claims.iter().copied());
        let by_name = granted.map(|granted| granted.claims.within(&client).userinfo).unwrap_or_default();
        let names: Vec<&str> = of_scopes.chain(by_name.iter().map(String::as_str)).collect();
        let mut claims = claims_named(user, &names);
        let sub = id_token::subject_of(call.engine, &client, user.id)?;
        claims.insert("sub".into(), json!(sub));
        let algorithm = client.settings.userinfo_signed_response_alg;
        let signed = match algorithm.filter(|_| call.request.endpoint.surface == Surface::Rfc) {
            // §5.3.2: a signed answer says for whom it is.
            Some(algorithm) => {
                let mut claims = claims.clone();
                claims.insert("iss".into(), json!(call.engine.settings.issuer.of(Surface::Rfc)));
                claims.insert("aud".into(), json!(self.client_id));
                Some(id_token::sign(call.engine, algorithm, id_token::TYP, &claims)?)
            }
            None => None,
        };
        let reaches = |scope: &str| self.reaches(&client, granted, scope);
        Ok(Userinfo {
            sub,
            username: id_token::name_of(call.engine, &client, user.id, user.username.as_str())?,
            email: user.email.clone().filter(|_| reaches("email")),
            groups: if reaches("groups") { groups(user) } else { Vec::new() },
            claims,
            signed,
        })
    }

    /// Whether FortiAuthenticator's userinfo says what is behind this scope. There it says so unasked, to a client that has the
    /// scope; what was begun at the endpoints of the RFCs says what was granted.
    fn reaches(&self, client: &Client, granted: Option<&Granted>, scope: &str) -> bool {
        let holds = |scopes: &Scopes| scopes.iter().any(|held| held.as_str() == scope);
        let unasked = granted.is_none_or(|granted| granted.surface == Surface::FortiAuthenticator);
        holds(&self.scopes) || (unasked && (holds(&client.default_scopes) || holds(&client.optional_scopes)))
    }
}

/// RFC 6750 §2.1, and §2.2 where the form is posted.
fn presented<'a>(call: &'a Call<'_>) -> Result<&'a str, OAuthError> {
    match (&call.request.authorization, call.request.body.optional("access_token")?) {
        (Authorization::Bearer(token), None) => Ok(token),
        (Authorization::None, Some(token)) => Ok(token),
        (Authorization::Bearer(_), Some(_)) => {
            let sentence = "Send the access token once: in the header or in the body.";
            Err(OAuthError::new(ErrorCode::InvalidRequest, sentence))
        }
        _ => {
            let sentence = "Send the access token in the header `Authorization: Bearer …`.";
            Err(OAuthError::new(ErrorCode::NoToken, sentence))
        }
    }
}

/// What was granted in a browser, if the token came of that.
async fn granted(engine: &Engine, family: FamilyId) -> Result<Option<Granted>, OAuthError> {
    let found = engine.store.find_family_by_id(family).await?;
    Ok(found.map(|family| Granted::read(&family.details)).transpose()?.flatten())
}

/// What is known of a person of the claims with these names.
pub(super) fn claims_named<S: AsRef<str>>(user: &User, names: &[S]) -> Map<String, Value> {
    let known =
        names.iter().map(AsRef::as_ref).filter_map(|name| Some((name.to_owned(), claim(user, name)?)));
    known.collect()
}

fn claim(user: &User, name: &str) -> Option<Value> {
    match name {
        "preferred_username" => Some(json!(user.username.as_str())),
        "email" => user.email.as_ref().map(|email| json!(email)),
        // Without an address there is nothing to verify.
        "email_verified" => {
            user.email.as_ref().map(|_| user.profile.get(name).cloned().unwrap_or(json!(false)))
        }
        _ => user.profile.get(name).cloned(),
    }
}

fn groups(user: &User) -> Vec<String> {
    let listed = user.profile.get("groups").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn not_valid(cause: &'static str) -> OAuthError {
    let sentence = "The access token is not valid: unknown, expired or revoked.";
    OAuthError::new(ErrorCode::InvalidToken, sentence).caused_by(cause)
}

fn describe(engine: &Engine, document: &mut Map<String, Value>) {
    document.insert("userinfo_endpoint".into(), json!(engine.settings.issuer.url(PATH)));
    let algorithms = obol_token::Algorithm::ALL.map(obol_token::Algorithm::name);
    document.insert("userinfo_signing_alg_values_supported".into(), json!(algorithms));
    document.insert(
        "scopes_supported".into(),
        json!(scope_names().chain(["offline_access"]).collect::<Vec<_>>()),
    );
    let claims = CLAIMS_OF_SCOPES.iter().flat_map(|(_, claims)| claims.iter());
    let of_id_tokens =
        ["iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"];
    let claims: Vec<_> = of_id_tokens.iter().chain(claims).collect();
    document.insert("claims_supported".into(), json!(claims));
}
