//! The decoders of credentials: the text form, the seal, the claims.
//!
//! What must hold beside "no panic": nothing opens that was not sealed here, and whatever reads back writes the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use obol_keys::{AccessTokenKeys, KeyRing, MasterKey, RefreshToken, SigningRing, VerifiedSignatures};
use obol_token::{
    Claims, CredentialKind, Expiry, FamilyId, MAX_TOKEN_CHARS, Position, Scratch, Seal, SealFailed, Subject,
    SubjectId, Timestamp, TokenId, from_text, open, seal, to_text,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        presented_text(text);
    }
    any_payload(bytes);
    changed_token(bytes);
    claims(bytes);
});

const KINDS: [CredentialKind; 7] = [
    CredentialKind::AccessToken,
    CredentialKind::RefreshToken,
    CredentialKind::Code,
    CredentialKind::ClientSecret,
    CredentialKind::Session,
    CredentialKind::Ticket,
    CredentialKind::SignedClaims,
];

static KEYS: LazyLock<KeyRing> = LazyLock::new(key_ring);
static NO_SIGNATURES: LazyLock<(SigningRing, VerifiedSignatures)> = LazyLock::new(Default::default);
static GENUINE: LazyLock<Vec<u8>> = LazyLock::new(genuine_payload);

/// As it comes from a header: nobody can write a token without the key.
fn presented_text(text: &str) {
    assert!(open(text, &keys(), &mut Scratch::default()).is_err(), "forged: {text}");
    let mut buffer = [0; MAX_TOKEN_CHARS];
    for kind in KINDS {
        if let Some(payload) = from_text(kind, text, &mut buffer) {
            assert_eq!(to_text(kind, payload), text, "one credential has one text");
        }
    }
    if let Some(token) = RefreshToken::parse(text) {
        assert_eq!(token.text(), text, "one refresh token has one text");
    }
}

/// Behind a right prefix and checksum, so that the seal is reached.
fn any_payload(payload: &[u8]) {
    let text = to_text(CredentialKind::AccessToken, payload);
    assert!(open(&text, &keys(), &mut Scratch::default()).is_err(), "forged: {text}");
    let mut buffer = [0; MAX_TOKEN_CHARS];
    if let Some(read) = from_text(CredentialKind::AccessToken, &text, &mut buffer) {
        assert_eq!(read, payload);
    }
}

/// A genuine token in which the input flips bits, the checksum mended.
fn changed_token(flips: &[u8]) {
    let mut payload = GENUINE.clone();
    payload.iter_mut().zip(flips).for_each(|(byte, flip)| *byte ^= flip);
    let text = to_text(CredentialKind::AccessToken, &payload);
    let opens = open(&text, &keys(), &mut Scratch::default()).is_ok();
    assert_eq!(opens, payload == *GENUINE, "exactly the unchanged token opens");
}

/// The inside of the seal.
fn claims(bytes: &[u8]) {
    let Ok(claims) = Claims::decode(bytes) else { return };
    let mut written = Vec::new();
    claims.encode(&mut written).expect("what was read can be written");
    assert_eq!(written, bytes, "claims have one form: {claims:?}");
    let key = KEYS.current().expect("the ring has a key");
    match seal(&claims, key, [7; 12]) {
        Ok(token) => assert_eq!(open(&token, &keys(), &mut Scratch::default()), Ok(claims)),
        Err(SealFailed::TooLong) => assert!(bytes.len() > 2_900, "{} bytes fit", bytes.len()),
        Err(error) => panic!("{error}: {claims:?}"),
    }
}

fn keys() -> AccessTokenKeys<'static> {
    AccessTokenKeys { sealing: &KEYS, signing: &NO_SIGNATURES.0, verified: &NO_SIGNATURES.1 }
}

fn key_ring() -> KeyRing {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let master =
        MasterKey::load_or_create(&folder.path().join("master.key")).expect("a master key can be made");
    let (id, wrapped) = master.new_sealing_key().expect("a sealing key can be made");
    let key = master.unwrap_key(id, &wrapped, Some(Position::START)).expect("it was wrapped just now");
    KeyRing::default().with(key)
}

fn genuine_payload() -> Vec<u8> {
    let key = KEYS.current().expect("the ring has a key");
    let claims = Claims {
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
    };
    let text = seal(&claims, key, [key.key_id().as_bytes()[0]; 12]).expect("the claims fit");
    let mut buffer = [0; MAX_TOKEN_CHARS];
    from_text(CredentialKind::AccessToken, &text, &mut buffer).expect("it was written just now").to_vec()
}
