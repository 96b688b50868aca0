//! What is wrong with the configuration, where, and what to change.

use std::fmt;
use std::path::PathBuf;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// On the command line, by this option.
    CommandLine(String),
    /// In the environment, by this variable.
    Environment(String),
    /// In the file, on this line (the first is 1), under this key.
    File {
        /// The file.
        path: PathBuf,
        /// Its line; `None` when the file itself is meant.
        line: Option<usize>,
        /// The key; `None` when the line has none.
        key: Option<String>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::CommandLine(flag) => write!(f, "--{flag}"),
            Self::Environment(variable) => f.write_str(variable),
            Self::File { path, line, key } => {
                write!(f, "{}", path.display())?;
                line.map_or(Ok(()), |line| write!(f, " line {line}"))?;
                key.as_ref().map_or(Ok(()), |key| write!(f, ", {key}"))
            }
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where.
    pub(crate) origin: Origin,
    /// What, and what to change.
    pub(crate) text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.text)
    }
}

/// Everything that is wrong; at least one problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    /// In the order: file, environment and command line, options that contradict each other.
    pub(crate) problems: Vec<Problem>,
}

impl ConfigError {
    /// Whether the command line or the environment is to blame, rather than the file.
    pub(crate) fn is_usage(&self) -> bool {
        let given_now = |problem: &Problem| {
            matches!(problem.origin, Origin::CommandLine(_) | Origin::Environment(_) | Origin::Default)
        };
        self.problems.iter().any(given_now)
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}
