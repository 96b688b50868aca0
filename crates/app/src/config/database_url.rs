//! The URL of a database, which may hold a password and therefore prints without it.

use std::fmt;

/// `postgres://user:password@host/database`. Prints with three asterisks in place of the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Reads a URL of PostgreSQL; what it says is judged when it is used.
    ///
    /// # Errors
    /// What a right one looks like.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.starts_with("postgres://") || text.starts_with("postgresql://") {
            true => Ok(Self(text.to_owned())),
            false => {
                Err("this is not a URL of PostgreSQL: write postgres://user@host:5432/database".to_owned())
            }
        }
    }

    /// The URL with its password.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = || {
            let (scheme, rest) = self.0.split_once("://")?;
            let authority_ends = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(authority_ends)?;
            let (user, hosts) = authority.rsplit_once('@')?;
            let (user, _password) = user.split_once(':')?;
            Some(format!("{scheme}://{user}:***@{hosts}{path}"))
        };
        let shown = hidden().unwrap_or_else(|| self.0.clone());
        // A password may stand among the parameters, too.
        match shown.split_once("password=") {
            Some((before, after)) => {
                let rest = after.find('&').and_then(|at| after.get(at..)).unwrap_or_default();
                write!(f, "{before}password=***{rest}")
            }
            None => f.write_str(&shown),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_prints() {
        for (url, shown) in [
            ("postgres://obol@db/obol", "postgres://obol@db/obol"),
            ("postgres://obol:hunter2@db,db2:5433/obol?a=b", "postgres://obol:***@db,db2:5433/obol?a=b"),
            ("postgresql://obol:hun@ter2@db/obol", "postgresql://obol:***@db/obol"),
            ("postgres://db/obol?user=o&password=hunter2&x=y", "postgres://db/obol?user=o&password=***&x=y"),
            ("postgres://db/obol?password=hunter2", "postgres://db/obol?password=***"),
        ] {
            let url = DatabaseUrl::parse(url).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("ter2"));
        }
        assert!(!DatabaseUrl::parse("mysql://obol:hunter2@db").unwrap_err().contains("hunter2"));
    }
}
