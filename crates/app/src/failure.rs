//! How a command ends: done, refused, or used wrongly.

use std::fmt;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::printable::printable;

/// The most characters of an error that are shown.
const MOST_CHARS: usize = 4_096;

/// A command that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It did what was asked: exit code 0.
    Done,
    /// Its answer, already shown, is a refusal: exit code 1.
    Refused,
}

impl End {
    /// For the system.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Refused => 1,
        })
    }
}

/// A command that could not run to its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was refused, with the reason: exit code 1.
    Refused(anyhow::Error),
    /// It was called wrongly: exit code 2.
    Usage(String),
    /// The configuration is wrong: exit code 2 when the command line or the environment is to blame, else 1.
    Config(ConfigError),
    /// The environment could not be read as options: clap says why.
    Clap(clap::Error),
}

impl Failure {
    /// Refused for a reason that is a sentence.
    pub(crate) fn refused(reason: impl fmt::Display) -> Self {
        Self::Refused(anyhow::anyhow!("{reason}"))
    }

    /// For the system.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused(_) => 1,
            Self::Config(error) if !error.is_usage() => 1,
            Self::Usage(_) | Self::Config(_) | Self::Clap(_) => 2,
        })
    }

    /// The sentences for standard error, each on its line after `error: `.
    pub(crate) fn sentences(&self) -> Vec<String> {
        match self {
            Self::Refused(error) => vec![printable(&format!("{error:#}"), MOST_CHARS).into_owned()],
            Self::Usage(text) => vec![printable(text, MOST_CHARS).into_owned()],
            Self::Config(error) => {
                let sentence = |problem: &_| printable(&format!("{problem}"), MOST_CHARS).into_owned();
                error.problems.iter().map(sentence).collect()
            }
            Self::Clap(error) => {
                let text = error.to_string();
                vec![text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()]
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_reason_is_one_line_with_its_causes() {
        let error = Err::<(), _>(anyhow::anyhow!("no\nroom\u{1b}[2J")).context("cannot write").unwrap_err();
        assert_eq!(Failure::from(error).sentences(), ["cannot write: no\\u{a}room\\u{1b}[2J"]);
    }
}
