//! Sealing keys, secrets, password hashes and random ids: the only crate that names a cryptographic library.

mod master;
mod random;
mod sealing;
mod secret;

pub use master::{MasterKey, MasterKeyError, WrongMasterKey};
pub use random::random_bytes;
pub use sealing::{KeyRing, SealingKey};
pub use secret::{PlainSecret, RefreshToken, SecretError, is_client_secret, same_hash};
