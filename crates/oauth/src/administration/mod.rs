//! What an operator does with clients, tokens and sealing keys. Command line, administration pages and API call the same functions.

mod clients;
mod keys;
mod revocation;

pub use clients::{
    AddedClient, ChosenSecret, ClientSpec, ClientSpecError, RotateError, add_client, rotate_secret,
};
pub use keys::{
    KeyState, ListedKey, RetireKeyError, RotateKeyError, WaitingKey, begin_rotation, finish_rotation,
    list_keys, retire_key,
};
pub use revocation::{OperatorRevocation, explain, revoke_token};
