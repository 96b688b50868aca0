//! Nanoseconds for one access token: to verify it, to refuse what is none, and to seal it.

use std::hint::black_box;

use criterion::Criterion;
use obol_keys::{KeyRing, MasterKey, random_id_and_nonce};
use obol_token::{
    Asked, CredentialKind, DenyList, MAX_TOKEN_CHARS, Position, Refusal, Scratch, from_text, seal, to_text,
    verify,
};

use crate::samples::{CLIENT, NOW, claims, id};

/// - `token/verify`: what each verify and each introspection does, without HTTP: checksum, seal, claims, client,
///   expiry, and a deny list that is empty.
/// - `token/refuse_noise`: what a guess costs: a text with a token's form whose checksum is wrong.
/// - `token/refuse_forged`: a right checksum over a seal that does not fit: the most that a liar costs.
/// - `token/seal`: what each issue does: fresh id and nonce, claims, seal, text.
pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("token");
    let keys = key_ring();
    let genuine = sealed(&keys);
    let (noise, forged) = (noise(&genuine), forged(&genuine));
    for (name, token, expected) in [
        ("verify", &genuine, None),
        ("refuse_noise", &noise, Some(Refusal::Malformed)),
        ("refuse_forged", &forged, Some(Refusal::Forged)),
    ] {
        let (denied, mut scratch) = (DenyList::default(), Scratch::default());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let asked = Asked::Client(CLIENT);
                let verdict = verify(black_box(token), asked, &keys, &denied, NOW, &mut scratch);
                assert_eq!(verdict.err(), expected);
            });
        });
    }
    group.bench_function("seal", |bencher| bencher.iter(|| sealed(black_box(&keys))));
    group.finish();
}

/// The same token with one character changed.
fn noise(genuine: &str) -> String {
    let (before, after) = genuine.split_at(40);
    let changed = if after.starts_with('A') { 'B' } else { 'A' };
    format!("{before}{changed}{}", &after[1..])
}

/// The same token with one bit of its tag changed, and the checksum of that.
fn forged(genuine: &str) -> String {
    let mut buffer = [0; MAX_TOKEN_CHARS];
    let payload = from_text(CredentialKind::AccessToken, genuine, &mut buffer).expect("it is a token");
    *payload.last_mut().expect("it has a tag") ^= 1;
    to_text(CredentialKind::AccessToken, payload)
}

fn sealed(keys: &KeyRing) -> String {
    let (token_id, nonce) = random_id_and_nonce();
    let key = keys.current().expect("the ring has a key");
    seal(&claims(token_id, id(1)), key, nonce).expect("usual claims fit a token")
}

/// A ring of one key, made and unwrapped as a server does it.
fn key_ring() -> KeyRing {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let master =
        MasterKey::load_or_create(&folder.path().join("master.key")).expect("a master key can be made");
    let (key_id, wrapped) = master.new_sealing_key().expect("a sealing key can be made");
    let key =
        master.unwrap_key(key_id, &wrapped, Some(Position::START)).expect("its own master key unwraps it");
    KeyRing::default().with(key)
}
