//! Nanoseconds for one access token: to verify it, to refuse what is none, and to seal it.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use obol_keys::{AccessTokenKeys, KeyRing, MasterKey, SigningRing, VerifiedSignatures, random_id_and_nonce};
use obol_token::{
    Algorithm, Asked, Claims, CredentialKind, DenyList, KeyKind, MAX_TOKEN_CHARS, Position, Refusal, Scratch,
    from_text, seal, seal_and_sign, to_text, verify,
};

use crate::samples::{CLIENT, NOW, claims, id};

/// - `token/verify`: what each verify and each introspection does, without HTTP: checksum, seal, claims, client,
///   expiry, and a deny list that is empty.
/// - `token/refuse_noise`: what a guess costs: a text with a token's form whose checksum is wrong.
/// - `token/refuse_forged`: a right checksum over a seal that does not fit: the most that a liar costs.
/// - `token/seal`: what each issue does: fresh id and nonce, claims, seal, text.
/// - `token/verify_jwt/<alg>/remembered`: the same as `token/verify` of a JWT access token whose signature was checked before.
/// - `token/verify_jwt/<alg>/anew`: of one that is seen for the first time, each time another.
/// - `token/sign_jwt/<alg>`: what each issue of one does, without its JSON.
pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("token");
    let installation = Installation::new();
    let keys = installation.keys();
    let genuine = sealed(&installation.sealing);
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
    group.bench_function("seal", |bencher| bencher.iter(|| sealed(black_box(&installation.sealing))));
    for algorithm in Algorithm::ALL {
        signed_tokens(&mut group, &installation, algorithm);
    }
    group.finish();
}

fn signed_tokens(
    group: &mut BenchmarkGroup<'_, WallTime>,
    installation: &Installation,
    algorithm: Algorithm,
) {
    let (denied, keys) = (DenyList::default(), installation.keys());
    // More than are remembered, in turn: none is when it comes again.
    let many: Vec<_> =
        (0..3 * VerifiedSignatures::CAPACITY).map(|_| installation.signed(algorithm)).collect();
    for (name, tokens) in [("remembered", &many[..1]), ("anew", &many[..])] {
        let (mut turn, mut scratch) = (tokens.iter().cycle(), Scratch::default());
        group.bench_function(format!("verify_jwt/{}/{name}", algorithm.name()), |bencher| {
            bencher.iter(|| {
                let token = turn.next().expect("it begins again");
                let verdict =
                    verify(black_box(token), Asked::Client(CLIENT), &keys, &denied, NOW, &mut scratch);
                assert!(verdict.is_ok());
            });
        });
    }
    group.bench_function(format!("sign_jwt/{}", algorithm.name()), |bencher| {
        bencher.iter(|| black_box(installation).signed(algorithm));
    });
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

/// Keys of each kind, made and unwrapped as a server does it.
struct Installation {
    sealing: KeyRing,
    signing: SigningRing,
    verified: VerifiedSignatures,
}

impl Installation {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let master =
            MasterKey::load_or_create(&folder.path().join("master.key")).expect("a master key can be made");
        let (key_id, wrapped) = master.new_sealing_key().expect("a sealing key can be made");
        let key =
            master.unwrap_key(key_id, &wrapped, Some(Position::START)).expect("its master key unwraps it");
        let signing = KeyKind::SIGNING.into_iter().map(|kind| {
            let wrapped = master.new_signing_key(kind).expect("a signing key can be made");
            master.unwrap_signing_key(&wrapped, Some(Position::START)).expect("its master key unwraps it")
        });
        Self {
            sealing: KeyRing::default().with(key),
            signing: signing.fold(SigningRing::default(), |ring, key| ring.with(key)),
            verified: VerifiedSignatures::default(),
        }
    }

    fn keys(&self) -> AccessTokenKeys<'_> {
        AccessTokenKeys { sealing: &self.sealing, signing: &self.signing, verified: &self.verified }
    }

    fn signed(&self, algorithm: Algorithm) -> String {
        let (token_id, nonce) = random_id_and_nonce();
        let claims: Claims<'_> = claims(token_id, id(1));
        let sealing = self.sealing.current().expect("the ring has a key");
        let signing = self.signing.current(algorithm).expect("there is one of each kind");
        let signing = signing.access_token_signer(algorithm).expect("of its own algorithm");
        seal_and_sign(&claims, SAID, sealing, &signing, nonce).expect("usual claims fit a token")
    }
}

const SAID: &str = r#"{"aud":"https://id.example.com","client_id":"fcare","exp":1800003600,"iat":1800000000,"iss":"https://id.example.com","jti":"01010101010101010101010101010101","scope":"read write","sub":"03030303030303030303030303030303"}"#;
