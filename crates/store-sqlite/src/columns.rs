//! How the values of obol stand in columns.

use std::str::FromStr;

use obol_token::{Expiry, Lifetime, Position, SecretHash, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};
use serde::de::DeserializeOwned;

/// The column value of an expiry: NULL for never.
pub(crate) fn from_expiry(expiry: Expiry) -> Option<i64> {
    match expiry {
        Expiry::At(edge) => Some(edge.as_secs()),
        Expiry::Never => None,
    }
}

/// The expiry in a column.
pub(crate) fn expiry(row: &Row<'_>, index: usize) -> Result<Expiry> {
    Ok(match row.get::<_, Option<i64>>(index)? {
        Some(secs) => Expiry::At(Timestamp::from_secs(secs)),
        None => Expiry::Never,
    })
}

/// The moment in a column.
pub(crate) fn timestamp(row: &Row<'_>, index: usize) -> Result<Timestamp> {
    row.get(index).map(Timestamp::from_secs)
}

/// The column value of a position.
pub(crate) fn from_position(position: Position) -> i64 {
    i64::try_from(position.number()).unwrap_or(i64::MAX)
}

/// The position in a column.
pub(crate) fn position(row: &Row<'_>, index: usize) -> Result<Position> {
    let number: i64 = row.get(index)?;
    let number = u64::try_from(number).map_err(|_| Error::IntegralValueOutOfRange(index, number))?;
    Ok(Position::new(number))
}

/// The hash in a column.
pub(crate) fn secret_hash(row: &Row<'_>, index: usize) -> Result<SecretHash> {
    row.get(index).map(SecretHash::from_bytes)
}

/// The lifetime in a column of seconds.
pub(crate) fn lifetime(row: &Row<'_>, index: usize) -> Result<Lifetime> {
    row.get(index).map(Lifetime::from_setting_secs)
}

/// What a column of text says, read as `T`.
pub(crate) fn parsed<T>(row: &Row<'_>, index: usize) -> Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.get_ref(index)?.as_str()?.parse().map_err(|error| unreadable(index, Type::Text, error))
}

/// What a column of JSON says.
pub(crate) fn json<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    serde_json::from_str(text).map_err(|error| unreadable(index, Type::Text, error))
}

/// The failure of reading a column whose value cannot be what it should be.
pub(crate) fn unreadable(
    index: usize,
    found: Type,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::FromSqlConversionFailure(index, found, error.into())
}
