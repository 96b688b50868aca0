//! Sealing and signing keys, secrets, password hashes and random ids: the only crate that names a cryptographic library.

mod foreign_jwt;
mod foreign_keys;
mod guesses;
mod hashes;
mod jwk;
mod jws;
mod jwt_claims;
mod master;
mod password;
mod random;
mod sealing;
mod secret;
mod signing;
mod verified;

pub use foreign_jwt::{ForeignJwt, ForeignJwtError, JwtAlgorithm, NotSigned};
pub use foreign_keys::{ForeignKeys, KeySetError};
pub use guesses::{BlockedUntil, GuessPolicy, Guesses, Try};
pub use hashes::{half_hash, s256};
pub use jwk::{Jwk, Thumbprint};
pub use jws::AccessTokenSigner;
pub use jwt_claims::{JwtClaims, NotATime};
pub use master::{ImportError, MasterKey, MasterKeyError, WrappedSigningKey, WrongMasterKey};
pub use password::{
    PasswordHashError, PasswordLengthError, PlainPassword, check_password, decoy_hash, hash_password,
    needs_rehash,
};
pub use random::{random_bytes, random_id_and_nonce};
pub use sealing::{KeyRing, SealingKey};
pub use secret::{
    AuthorizationCode, PlainSecret, RefreshToken, RegistrationToken, RequestReference, SecretError,
    SessionSecret, assertion_hash, has_generated_form, is_client_secret, same_hash,
};
pub use signing::{SignFailed, SigningKey, SigningRing};
pub use verified::{AccessTokenKeys, VerifiedSignatures};
