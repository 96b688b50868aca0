//! What an operator does with clients, tokens and sealing keys. Command line, administration pages and API call the same functions.

mod clients;
mod revocation;
mod sealing_keys;

pub use clients::{
    AddedClient, ChosenSecret, ClientSpec, ClientSpecError, RotateError, add_client, rotate_secret,
};
pub use revocation::{OperatorRevocation, explain, revoke_token};
pub use sealing_keys::{
    KeyState, ListedKey, RetireKeyError, RotateKeyError, WaitingKey, begin_rotation, finish_rotation,
    list_sealing_keys, retire_sealing_key,
};
