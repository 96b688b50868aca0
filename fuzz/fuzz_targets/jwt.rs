//! Signed access tokens: the form, the payload, and what stands under its seal.
//!
//! What must hold beside "no panic": exactly the text that was issued verifies, whatever is well signed.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use obol_keys::{AccessTokenKeys, KeyRing, MasterKey, SigningKey, SigningRing, VerifiedSignatures};
use obol_token::{
    Algorithm, Claims, Expiry, FamilyId, KeyKind, Position, Scratch, Sign, Subject, SubjectId, Timestamp, TokenId,
    claimed_key, claimed_signing_key, open, seal_and_sign,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(!opens(text), "forged: {text}");
        let _ = (claimed_key(text), claimed_signing_key(text));
        assert_eq!(HOUSE.signing.open_compact("JWT", text), None, "forged: {text}");
    }
    any_payload(bytes);
    changed_token(bytes);
    any_members(bytes);
});

/// Well signed, so that nothing but the seal is in the way.
fn any_payload(payload: &[u8]) {
    let text = HOUSE.signed(payload);
    assert!(!opens(&text), "forged: {text}");
    let _ = claimed_key(&text);
}

/// A genuine token in which the input changes letters, signed anew and as it is.
fn changed_token(flips: &[u8]) {
    let mut changed = HOUSE.genuine.clone().into_bytes();
    changed.iter_mut().zip(flips).for_each(|(byte, flip)| *byte ^= flip & 0x7f);
    let Ok(changed) = String::from_utf8(changed) else { return };
    assert_eq!(opens(&changed), changed == HOUSE.genuine, "{changed}");
    let mut payload = HOUSE.payload.clone();
    payload.iter_mut().zip(flips).for_each(|(byte, flip)| *byte ^= flip);
    assert_eq!(opens(&HOUSE.signed(&payload)), payload == HOUSE.payload, "exactly what was sealed opens");
}

/// Whatever a token says to others, it is read back by what it says here.
fn any_members(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let said = serde_json::json!({ "said": text }).to_string();
    let signer = HOUSE.key().access_token_signer(Algorithm::EdDsa).expect("it signs so");
    let sealing = HOUSE.sealing.current().expect("the ring has a key");
    match seal_and_sign(&claims(), &said, sealing, &signer, [9; 12]) {
        Ok(token) => assert!(opens(&token), "{token}"),
        Err(error) => assert!(said.len() > 2_000, "{error}: {said}"),
    }
}

static HOUSE: LazyLock<House> = LazyLock::new(House::new);

struct House {
    sealing: KeyRing,
    signing: SigningRing,
    verified: VerifiedSignatures,
    genuine: String,
    payload: Vec<u8>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let master =
            MasterKey::load_or_create(&folder.path().join("master.key")).expect("a master key can be made");
        let (id, wrapped) = master.new_sealing_key().expect("a sealing key can be made");
        let sealing = master.unwrap_key(id, &wrapped, Some(Position::START)).expect("it was wrapped just now");
        let wrapped = master.new_signing_key(KeyKind::Ed25519).expect("a signing key can be made");
        let signing =
            master.unwrap_signing_key(&wrapped, Some(Position::START)).expect("it was wrapped just now");
        let signer = signing.access_token_signer(Algorithm::EdDsa).expect("it signs so");
        let said = r#"{"iss":"https://id.example.com","sub":"alice"}"#;
        let genuine = seal_and_sign(&claims(), said, &sealing, &signer, [7; 12]).expect("the claims fit");
        let payload = genuine.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
        Self {
            sealing: KeyRing::default().with(sealing),
            signing: SigningRing::default().with(signing),
            verified: VerifiedSignatures::default(),
            genuine,
            payload: payload.expect("three parts"),
        }
    }

    fn key(&self) -> &SigningKey {
        self.signing.current(Algorithm::EdDsa).expect("the ring has a key")
    }

    fn signed(&self, payload: &[u8]) -> String {
        let signer = self.key().access_token_signer(Algorithm::EdDsa).expect("it signs so");
        let message = format!("{}.{}", signer.header(), encoded(payload));
        let signature = encoded(signer.sign(message.as_bytes()).expect("it signs"));
        format!("{message}.{signature}")
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    let mut text = String::new();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

fn opens(text: &str) -> bool {
    let keys = AccessTokenKeys { sealing: &HOUSE.sealing, signing: &HOUSE.signing, verified: &HOUSE.verified };
    open(text, &keys, &mut Scratch::default()).is_ok()
}

fn claims() -> Claims<'static> {
    Claims {
        token_id: TokenId::from_bytes([1; 16]),
        family: Some(FamilyId::from_bytes([2; 16])),
        client_id: "fcare",
        subject: Some(Subject { id: SubjectId::from_bytes([3; 16]), username: "alice" }),
        scopes: "read write",
        audience: None,
        confirmation: None,
        issued_at: Timestamp::from_secs(1_800_000_000),
        expires_at: Expiry::At(Timestamp::from_secs(1_800_003_600)),
        position: Position::new(42),
    }
}
