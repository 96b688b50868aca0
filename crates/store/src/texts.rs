//! How what is kept as text is written, the same in every backend.

use serde::Serialize;

use crate::{Client, GrantType, StoreError};

/// What of a client stands in columns of text. Lists are blank-separated, since none of their values may hold a blank
/// (RFC 6749 Appendix A.10, RFC 3986); settings are JSON.
#[derive(Debug)]
pub struct ClientTexts {
    /// Its grant types.
    pub grants: String,
    /// Its redirect URIs.
    pub redirect_uris: String,
    /// Its settings.
    pub settings: String,
}

impl ClientTexts {
    /// Those of this client.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for a grant type or a redirect URI that is empty or holds a blank.
    pub fn of(client: &Client) -> Result<Self, StoreError> {
        Ok(Self {
            grants: joined("grant type", client.grants.iter().map(GrantType::as_str))?,
            redirect_uris: joined("redirect URI", client.redirect_uris.iter().map(String::as_str))?,
            settings: to_json(&client.settings)?,
        })
    }

    /// The values of a list that stands in such a column.
    pub fn list(text: &str) -> impl Iterator<Item = &str> {
        text.split_ascii_whitespace()
    }
}

fn joined<'a>(what: &str, values: impl Iterator<Item = &'a str>) -> Result<String, StoreError> {
    let values: Vec<_> = values.collect();
    match values.iter().find(|value| value.is_empty() || value.contains(|c: char| c.is_ascii_whitespace())) {
        Some(value) => Err(StoreError::Conflict(format!("{value:?} is not a {what}"))),
        None => Ok(values.join(" ")),
    }
}

/// The text of what is kept as JSON.
///
/// # Errors
/// [`StoreError::Conflict`] for what cannot be JSON.
pub fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Conflict(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_as_it_was_written_and_nothing_is_written_that_would_not() {
        for values in [&[][..], &["one"], &["one", "two"]] {
            let text = joined("value", values.iter().copied()).unwrap();
            assert_eq!(ClientTexts::list(&text).collect::<Vec<_>>(), values);
        }
        for value in ["", "a b", "a\tb", "a\nb", " "] {
            let outcome = joined("value", ["one", value].into_iter());
            assert_eq!(outcome, Err(StoreError::Conflict(format!("{value:?} is not a value"))));
        }
    }
}
