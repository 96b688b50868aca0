//! An installation with a key of each kind, and tokens of each algorithm.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obol_keys::{AccessTokenKeys, KeyRing, MasterKey, SigningKey, SigningRing, VerifiedSignatures};
use obol_token::{
    Algorithm, Asked, Claims, DenyList, Expiry, KeyKind, Position, Refusal, Scratch, Subject, SubjectId,
    Timestamp, TokenId, seal, seal_and_sign, verify,
};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) struct House {
    pub(crate) sealing: KeyRing,
    pub(crate) signing: SigningRing,
    verified: VerifiedSignatures,
    genuine: Vec<String>,
}

/// One for all cases of a property.
pub(crate) fn shared() -> &'static House {
    static HOUSE: LazyLock<House> = LazyLock::new(House::new);
    &HOUSE
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let master = MasterKey::load_or_create(&folder.path().join("master.key")).unwrap();
        let (id, wrapped) = master.new_sealing_key().unwrap();
        let sealing =
            KeyRing::default().with(master.unwrap_key(id, &wrapped, Some(Position::START)).unwrap());
        let signing =
            KeyKind::SIGNING.into_iter().fold(SigningRing::default(), |ring, kind| ring.with(new_key(kind)));
        let mut house =
            Self { sealing, signing, verified: VerifiedSignatures::default(), genuine: Vec::new() };
        house.genuine = Algorithm::ALL.map(|algorithm| house.issue(algorithm, 1)).to_vec();
        house
    }

    /// A token of this algorithm, with a letter in its signature that the other alphabet lacks.
    pub(crate) fn issue(&self, algorithm: Algorithm, number: u8) -> String {
        let tokens = (0..=u8::MAX).map(|nonce| self.issue_with(&self.signing, algorithm, number, nonce));
        let has_sign = |token: &String| token.rsplit('.').next().unwrap().contains(['-', '_']);
        tokens.into_iter().find(has_sign).unwrap()
    }

    pub(crate) fn issue_with(
        &self,
        signing: &SigningRing,
        algorithm: Algorithm,
        number: u8,
        nonce: u8,
    ) -> String {
        let claims = claims(number);
        let signer = signing.current(algorithm).unwrap().access_token_signer(algorithm).unwrap();
        let sealing = self.sealing.current().unwrap();
        seal_and_sign(&claims, &said(number), sealing, &signer, [nonce; 12]).unwrap()
    }

    pub(crate) fn issue_opaque(&self) -> String {
        seal(&claims(1), self.sealing.current().unwrap(), [7; 12]).unwrap()
    }

    pub(crate) fn genuine(&self, algorithm: Algorithm) -> &str {
        &self.genuine[Algorithm::ALL.iter().position(|other| *other == algorithm).unwrap()]
    }

    pub(crate) fn is_genuine(&self, token: &str) -> bool {
        self.genuine.iter().any(|genuine| genuine == token)
    }

    pub(crate) fn key(&self, algorithm: Algorithm) -> &SigningKey {
        self.signing.current(algorithm).unwrap()
    }

    pub(crate) fn verdict(&self, token: &str) -> Result<(), Refusal> {
        self.verdict_by(&self.sealing, &self.signing, token)
    }

    pub(crate) fn verdict_without_signing_key(
        &self,
        algorithm: Algorithm,
        token: &str,
    ) -> Result<(), Refusal> {
        self.verdict_by(&self.sealing, &self.signing.without(self.key(algorithm).id()), token)
    }

    pub(crate) fn verdict_without_sealing_key(&self, token: &str) -> Result<(), Refusal> {
        self.verdict_by(&self.sealing.without(self.sealing.current().unwrap().id()), &self.signing, token)
    }

    fn verdict_by(&self, sealing: &KeyRing, signing: &SigningRing, token: &str) -> Result<(), Refusal> {
        let keys = AccessTokenKeys { sealing, signing, verified: &self.verified };
        let asked = Asked::Client("fcare");
        verify(token, asked, &keys, &DenyList::default(), NOW, &mut Scratch::default()).map(drop)
    }
}

/// A signing key of no installation yet.
pub(crate) fn new_key(kind: KeyKind) -> SigningKey {
    let folder = tempfile::tempdir().unwrap();
    let master = MasterKey::load_or_create(&folder.path().join("master.key")).unwrap();
    let wrapped = master.new_signing_key(kind).unwrap();
    master.unwrap_signing_key(&wrapped, Some(Position::START)).unwrap()
}

pub(crate) fn claims(number: u8) -> Claims<'static> {
    Claims {
        token_id: TokenId::from_bytes([number; 16]),
        family: None,
        client_id: "fcare",
        subject: Some(Subject { id: SubjectId::from_bytes([3; 16]), username: "alice" }),
        scopes: "read write",
        audience: None,
        confirmation: None,
        issued_at: NOW,
        expires_at: Expiry::At(Timestamp::from_secs(1_800_003_600)),
        position: Position::new(42),
    }
}

pub(crate) fn said(number: u8) -> String {
    format!(
        r#"{{"aud":"https://a","client_id":"fcare","exp":1800003600,"iat":1800000000,"iss":"https://a","jti":"{number}","scope":"read write","sub":"alice"}}"#
    )
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    let mut text = String::new();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

pub(crate) fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Header, payload and signature as they stand in the token.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    <[&str; 3]>::try_from(token.split('.').collect::<Vec<_>>()).unwrap()
}

/// The payload of a token, as text.
pub(crate) fn payload(token: &str) -> String {
    String::from_utf8(decoded(parts(token)[1])).unwrap()
}

/// Any header and payload, well signed.
pub(crate) fn signed(key: &SigningKey, algorithm: Algorithm, header: &str, payload: &[u8]) -> String {
    let message = format!("{}.{}", encoded(header), encoded(payload));
    let signature = key.sign(algorithm, message.as_bytes()).unwrap();
    format!("{message}.{}", encoded(signature))
}
