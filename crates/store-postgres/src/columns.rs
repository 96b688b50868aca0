//! How the values of obol stand in columns.

use std::str::FromStr;

use obol_token::{Expiry, Lifetime, Position, SecretHash, Timestamp};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::error::{Error, Result};

/// The column value of an expiry: NULL for never.
pub(crate) fn from_expiry(expiry: Expiry) -> Option<i64> {
    match expiry {
        Expiry::At(edge) => Some(edge.as_secs()),
        Expiry::Never => None,
    }
}

/// The expiry in a column.
pub(crate) fn expiry(row: &Row, index: usize) -> Result<Expiry> {
    Ok(match value::<Option<i64>>(row, index)? {
        Some(secs) => Expiry::At(Timestamp::from_secs(secs)),
        None => Expiry::Never,
    })
}

/// The moment in a column.
pub(crate) fn timestamp(row: &Row, index: usize) -> Result<Timestamp> {
    value(row, index).map(Timestamp::from_secs)
}

/// The column value of a position.
pub(crate) fn from_position(position: Position) -> i64 {
    i64::try_from(position.number()).unwrap_or(i64::MAX)
}

/// The position in a column.
pub(crate) fn position(row: &Row, index: usize) -> Result<Position> {
    let number: i64 = value(row, index)?;
    u64::try_from(number).map(Position::new).map_err(|error| unreadable(index, error))
}

/// The hash in a column.
pub(crate) fn secret_hash(row: &Row, index: usize) -> Result<SecretHash> {
    bytes(row, index).map(SecretHash::from_bytes)
}

/// The lifetime in a column of seconds.
pub(crate) fn lifetime(row: &Row, index: usize) -> Result<Lifetime> {
    let secs = value::<i64>(row, index)?;
    u32::try_from(secs).map(Lifetime::from_setting_secs).map_err(|error| unreadable(index, error))
}

/// The column value of a lifetime.
pub(crate) fn from_lifetime(lifetime: Lifetime) -> i64 {
    lifetime.as_setting_secs().into()
}

/// The bytes in a column, which must be as many as they should be.
pub(crate) fn bytes<const N: usize>(row: &Row, index: usize) -> Result<[u8; N]> {
    value::<&[u8]>(row, index)?.try_into().map_err(|error| unreadable(index, error))
}

/// What a column of text says, read as `T`.
pub(crate) fn parsed<T: FromStr<Err: std::error::Error>>(row: &Row, index: usize) -> Result<T> {
    value::<&str>(row, index)?.parse().map_err(|error| unreadable(index, error))
}

/// The bytes in a column, if there are any.
pub(crate) fn optional_bytes<const N: usize>(row: &Row, index: usize) -> Result<Option<[u8; N]>> {
    let found = value::<Option<&[u8]>>(row, index)?;
    found.map(|bytes| bytes.try_into().map_err(|error| unreadable(index, error))).transpose()
}

/// What a column of JSON says.
pub(crate) fn json<T: DeserializeOwned>(row: &Row, index: usize) -> Result<T> {
    serde_json::from_str(value(row, index)?).map_err(|error| unreadable(index, error))
}

/// The value of a column.
pub(crate) fn value<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T> {
    row.try_get(index).map_err(|error| unreadable(index, crate::error::said(&error)))
}

/// The failure of reading a column whose value cannot be what it should be.
pub(crate) fn unreadable(index: usize, why: impl std::fmt::Display) -> Error {
    Error::Unreadable(format!("column {index}: {why}"))
}
