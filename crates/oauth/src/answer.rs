//! What the engine answers when it does not refuse. Success is built from proof, never a default.

use std::borrow::Cow;
use std::fmt;

use obol_keys::Jwk;
use obol_replica::{Memory, Revoked};
use obol_token::{Claims, SubjectId, Timestamp, TokenId};
use serde::{Deserialize, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::features::id_token::is_pairwise;
use crate::issue::secs_left;

/// A successful answer, in no dialect yet.
#[derive(Debug)]
pub enum Answer<'a> {
    /// RFC 6749 §5.1.
    Token(TokenAnswer),
    /// RFC 9126 §2.2.
    Pushed(PushedAnswer),
    /// RFC 7591 §3.2.1.
    Registered {
        /// The client as it is registered now.
        client: ClientInformation,
        /// Whether it was not there before.
        new: bool,
    },
    /// RFC 7592 §2.3: a client has deleted itself.
    Unregistered,
    /// RFC 7009 §2.2.
    Revocation(RevocationDone),
    /// RFC 7662 §2.2.
    Introspection(Introspection<'a>),
    /// RFC 7662 §2.2, many times: the body as it is written.
    Introspections(Vec<u8>),
    /// `verify_token/`.
    Verification(Verification<'a>),
    /// OpenID Connect Core §5.3.2.
    Userinfo(Userinfo),
    /// RFC 7517 §5.
    KeySet(KeySet),
    /// A document as it is (RFC 8414).
    Document(serde_json::Value),
}

/// Tokens just issued. Does not print; wiped when dropped. Its JSON form is sealed into the store for the grace window.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct TokenAnswer {
    /// The access token.
    pub access_token: String,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// The ID token, where `openid` was granted.
    #[serde(default)]
    pub id_token: Option<String>,
    /// The refresh token, for a client that may refresh.
    pub refresh_token: Option<String>,
    /// What was granted.
    pub scope: String,
}

impl std::fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenAnswer {{ expires_in: {}, scope: {:?}, .. }}", self.expires_in, self.scope)
    }
}

/// What a client is told of its registration. Holds secrets and does not print.
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ClientInformation(pub(crate) serde_json::Map<String, serde_json::Value>);

impl fmt::Debug for ClientInformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientInformation(..)")
    }
}

/// Where a pushed request is kept. Its reference does not print.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct PushedAnswer {
    /// For how many seconds a browser may bring the reference.
    pub expires_in: u32,
    /// The reference.
    pub request_uri: String,
}

impl fmt::Debug for PushedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushedAnswer {{ expires_in: {}, .. }}", self.expires_in)
    }
}

/// What is known of a person, as far as the access token reaches.
#[derive(Debug, Clone)]
pub struct Userinfo {
    /// By what the client knows the person.
    pub sub: String,
    /// The person's name here.
    pub username: String,
    /// The address for mail.
    pub email: Option<String>,
    /// The groups that the person is in.
    pub groups: Vec<String>,
    /// The claims of OpenID Connect, `sub` among them.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// The same, signed, for a client that wants it so.
    pub signed: Option<String>,
}

/// The published keys.
#[derive(Debug, Clone, Serialize)]
pub struct KeySet {
    /// Those that sign, those that have signed, and those that will.
    pub keys: Vec<Jwk>,
    /// For how long they may be kept, in seconds.
    #[serde(skip)]
    pub max_age_secs: u32,
}

/// The two ways in which a revocation ends well.
#[derive(Debug)]
pub enum RevocationDone {
    /// It was denied, now or before, and no node accepts it.
    Revoked(Revoked),
    /// Unknown, expired or another client's: there was nothing that this client could revoke (RFC 7009 §2.2).
    NothingToRevoke,
}

/// What introspection says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Introspection<'a> {
    /// The token stands, and the caller may know.
    Active {
        /// Always true.
        active: bool,
        /// The resource for which it is meant; absent when it was not restricted to one.
        #[serde(skip_serializing_if = "Option::is_none")]
        aud: Option<&'a str>,
        /// The client to which it was issued.
        client_id: Cow<'a, str>,
        /// When it expires, in seconds since the epoch; absent when it does not.
        #[serde(skip_serializing_if = "Option::is_none")]
        exp: Option<i64>,
        /// When it was issued, in seconds since the epoch.
        iat: i64,
        /// Our issuer.
        iss: Cow<'a, str>,
        /// The token's id; absent for a refresh token.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
        jti: Option<TokenId>,
        /// What was granted.
        scope: Cow<'a, str>,
        /// Whom it is about.
        sub: About<'a>,
        /// `Bearer`; absent for a refresh token.
        #[serde(skip_serializing_if = "Option::is_none")]
        token_type: Option<&'static str>,
        /// The person's name, or the service account's.
        username: Cow<'a, str>,
    },
    /// Unknown, expired, revoked, malformed, or none of the caller's business.
    Inactive {
        /// Always false.
        active: bool,
    },
}

/// Whom a token is about: a person, or by a name the client itself or a person whom it knows by a pairwise subject only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About<'a> {
    /// By the id.
    Person(SubjectId),
    /// By the name under which the bearer appears.
    Named(Cow<'a, str>),
}

impl<'a> About<'a> {
    /// Whom a token that stands is about. A client that knows people by pairwise subjects has tokens that name them so; of what
    /// a client was given for itself nobody is named.
    pub(crate) fn of(claims: &Claims<'a>, memory: &Memory) -> Self {
        let pairwise = || memory.client(claims.client_id).is_some_and(|client| is_pairwise(&client));
        match claims.subject.filter(|_| !pairwise()) {
            Some(subject) => Self::Person(subject.id),
            None => Self::Named(username(claims)),
        }
    }
}

impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => id.fmt(f),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Serialize for About<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Person(id) => serializer.collect_str(id),
            Self::Named(name) => serializer.serialize_str(name),
        }
    }
}

fn as_text<S: Serializer>(id: &Option<TokenId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

impl Introspection<'_> {
    /// The one inactive answer.
    pub const INACTIVE: Self = Self::Inactive { active: false };
}

/// What `verify_token/` says of a token that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification<'a> {
    /// The client to which it was issued.
    pub client_id: Cow<'a, str>,
    /// Whole seconds left, at least 1.
    pub expires_in: u64,
    /// What was granted.
    pub scope: Cow<'a, str>,
    /// The person's name, or the service account's.
    pub username: Cow<'a, str>,
}

impl<'a> Verification<'a> {
    /// What is said at `now` of a token that stands and says `claims`.
    pub fn of(claims: &Claims<'a>, now: Timestamp) -> Self {
        Self {
            client_id: claims.client_id.into(),
            expires_in: secs_left(claims.expires_at, now),
            scope: claims.scopes.into(),
            username: username(claims),
        }
    }

    /// The same, independent of the opened token.
    pub fn into_owned(self) -> Verification<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Verification {
            client_id: own(self.client_id),
            expires_in: self.expires_in,
            scope: own(self.scope),
            username: own(self.username),
        }
    }
}

/// The name under which a bearer appears: the person's, or the service account's of the client.
pub fn username<'a>(claims: &Claims<'a>) -> Cow<'a, str> {
    match claims.subject {
        Some(subject) => subject.username.into(),
        None => format!("{}{}", Claims::SERVICE_ACCOUNT_PREFIX, claims.client_id).into(),
    }
}
