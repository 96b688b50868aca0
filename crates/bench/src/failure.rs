//! Why there is no figure.

use std::io;

/// Why a benchmark ended without figures. Each sentence is for people.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// An answer was not the right one: a fast wrong answer is worth nothing.
    #[error("{target} answers wrongly, so there is no figure: {wrong}")]
    Wrong {
        /// Who answered.
        target: String,
        /// What was wrong.
        wrong: Wrong,
    },
    /// The system refused something.
    #[error("cannot {doing}: {cause}")]
    System {
        /// What was being done.
        doing: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// A program that was started did not do its part.
    #[error("{program} {what}")]
    Program {
        /// Which one.
        program: String,
        /// What it did instead.
        what: String,
    },
    /// A database file could not be written.
    #[error("cannot write a database file to compare with: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What was asked for cannot be measured in this way.
    #[error("{0}")]
    Asked(String),
    /// Told to stop.
    #[error("stopped before the end; there are no figures")]
    Stopped,
}

impl BenchError {
    /// The system refused while `doing` something.
    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        |cause| Self::System { doing, cause }
    }
}

/// What was wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// Another status than the right one.
    #[error("to {asked} the right answer is {expected}, and it was {found}: {body}")]
    Status {
        /// What was asked.
        asked: &'static str,
        /// The right status.
        expected: u16,
        /// The status that came.
        found: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The right status with another content.
    #[error("to {asked} it answered {status}, but {what}: {body}")]
    Content {
        /// What was asked.
        asked: &'static str,
        /// The status.
        status: u16,
        /// What is wrong with it.
        what: String,
        /// The beginning of the body.
        body: String,
    },
    /// Not HTTP as it has to be.
    #[error("an answer is no HTTP that can be read ({0})")]
    Malformed(String),
    /// The connection ended instead of an answer.
    #[error("it closed a connection instead of answering")]
    Closed,
    /// The connection failed.
    #[error("a connection failed ({0})")]
    Connection(#[from] io::Error),
    /// No answer in time.
    #[error("no answer within {0} s")]
    Silent(u64),
}
