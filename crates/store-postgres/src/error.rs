//! What PostgreSQL's failures mean to a caller of the store, and to the connection on which they happened.

use std::error::Error as _;

use obol_store::StoreError;
use tokio_postgres::error::SqlState;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// How a statement or the reading of its answer fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server refused, or the connection failed.
    #[error("{}", said(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// A value cannot be what its column should hold.
    #[error("{0}")]
    Unreadable(String),
    /// No answer came in time.
    #[error("no answer within {0} ms")]
    TooLate(u128),
    /// There is no connection, and this is why.
    #[error("{0}")]
    NotConnected(String),
    /// The server was the primary once.
    #[error("this server is not the primary any more: another one has taken over")]
    FormerPrimary,
    /// The server has committed, but the standby may not have what was committed.
    #[error("the wait for the standby was broken off; it may not have what was committed")]
    NotReplicated,
}

/// The storage error for a failure.
pub(crate) fn store_error(error: &Error) -> StoreError {
    let said = error.to_string();
    match error {
        Error::Unreadable(_) => StoreError::Corrupt(said),
        Error::Postgres(cause) => match cause.code() {
            Some(code) if is_about_data(code) => StoreError::Conflict(said),
            Some(code) if code.code().starts_with("XX0") && code.code() != "XX000" => {
                StoreError::Corrupt(said)
            }
            _ => StoreError::Unavailable(said),
        },
        Error::TooLate(_) | Error::NotConnected(_) | Error::FormerPrimary | Error::NotReplicated => {
            StoreError::Unavailable(said)
        }
    }
}

/// Whether the connection is as good as before; after any other failure it is thrown away.
pub(crate) fn leaves_connection_sound(error: &Error) -> bool {
    match error {
        Error::Unreadable(_) => true,
        Error::Postgres(cause) => cause.code().is_some_and(is_about_data),
        Error::TooLate(_) | Error::NotConnected(_) | Error::FormerPrimary | Error::NotReplicated => false,
    }
}

/// Classes 22 (data exception) and 23 (integrity constraint violation): the values were wrong, and nothing else.
fn is_about_data(code: &SqlState) -> bool {
    code.code().starts_with("22") || code.code().starts_with("23")
}

/// The library's own text leaves out what the server said. Details are left out: they repeat values of rows.
pub(crate) fn said(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}").replace("error connecting to server: ", ""),
        (None, None) => error.to_string(),
    }
}
