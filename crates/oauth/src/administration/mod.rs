//! What an operator does with clients, tokens and keys. Command line, administration pages and API call the same functions.

mod addresses;
mod client_rules;
mod client_secrets;
mod clients;
mod key_schedule;
mod keys;
mod revocation;

pub use client_rules::ClientSpecError;
pub(crate) use client_rules::client_of;
pub use client_secrets::{ChosenSecret, KeptSecret, RotateError, SecretKeepError, rotate_secret};
pub use clients::{
    AddedClient, ChangeError, ClientSpec, USUAL_ACCESS_TOKEN_TTL_SECS, USUAL_REFRESH_TOKEN_TTL_SECS,
    add_client, change_client,
};
pub(crate) use clients::{change_client_if, register_client};
pub use key_schedule::{KeySchedule, Step, StepError, Taken, steps_due, take_step};
pub use keys::{
    ImportKeyError, KeyState, ListedKey, RetireKeyError, RotateKeyError, WaitingKey, add_first_keys,
    begin_rotation, finish_rotation, import_key, list_keys, retire_key,
};
pub use revocation::{OperatorRevocation, explain, revoke_token};
