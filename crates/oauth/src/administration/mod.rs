//! What an operator does with clients and tokens. Command line, administration pages and API call the same functions.

mod clients;
mod revocation;

pub use clients::{
    AddedClient, ChosenSecret, ClientSpec, ClientSpecError, RotateError, add_client, rotate_secret,
};
pub use revocation::{OperatorRevocation, explain, revoke_token};
