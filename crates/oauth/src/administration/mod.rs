//! What an operator does with clients, tokens and keys. Command line, administration pages and API call the same functions.

mod addresses;
mod clients;
mod key_schedule;
mod keys;
mod revocation;

pub use clients::{
    AddedClient, ChangeError, ChosenSecret, ClientSpec, ClientSpecError, KeptSecret, RotateError,
    SecretKeepError, USUAL_ACCESS_TOKEN_TTL_SECS, USUAL_REFRESH_TOKEN_TTL_SECS, add_client, change_client,
    rotate_secret,
};
pub(crate) use clients::{client_of, register_client};
pub use key_schedule::{KeySchedule, Step, StepError, Taken, steps_due, take_step};
pub use keys::{
    ImportKeyError, KeyState, ListedKey, RetireKeyError, RotateKeyError, WaitingKey, add_first_keys,
    begin_rotation, finish_rotation, import_key, list_keys, retire_key,
};
pub use revocation::{OperatorRevocation, explain, revoke_token};
