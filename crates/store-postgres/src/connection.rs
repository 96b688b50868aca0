//! One connection: its prepared statements, and what the server says beside its answers.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use obol_token::Position;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};

use crate::error::{Error, Result};

/// Values for a statement.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection. Dropped, it is cut, whatever was under way: what it did not answer, it never will.
pub(crate) struct Connection {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    heard: Arc<Heard>,
    timeline: OnceLock<i64>,
    task: JoinHandle<()>,
}

/// What the server has said beside its answers.
#[derive(Default)]
pub(crate) struct Heard {
    warnings: AtomicU64,
    announced: AtomicU64,
    /// Somebody has announced something, or the connection has ended.
    pub(crate) notified: Notify,
}

impl Heard {
    /// The position that was announced last. Whoever may connect can announce anything: a hint, not a fact.
    pub(crate) fn newest(&self) -> Position {
        Position::new(self.announced.load(Ordering::Acquire))
    }
}

impl Connection {
    /// Takes over a connection that has been made.
    pub(crate) fn new<S, T>(client: Client, connection: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let heard = Arc::new(Heard::default());
        let task = tokio::spawn(listen(connection, heard.clone()));
        Self { client, statements: Mutex::default(), heard, timeline: OnceLock::new(), task }
    }

    /// The rows that a statement gives.
    pub(crate) async fn query(&self, statement: &'static str, values: Values<'_>) -> Result<Vec<Row>> {
        Ok(self.client.query(&self.prepared(statement).await?, values).await?)
    }

    /// The row that a statement gives, if it gives one.
    pub(crate) async fn find(&self, statement: &'static str, values: Values<'_>) -> Result<Option<Row>> {
        Ok(self.query(statement, values).await?.into_iter().next())
    }

    /// The row that a statement must give.
    pub(crate) async fn load(&self, statement: &'static str, values: Values<'_>) -> Result<Row> {
        let found = self.find(statement, values).await?;
        found.ok_or_else(|| Error::Unreadable("a row is missing".to_owned()))
    }

    /// How many rows a statement has changed.
    pub(crate) async fn execute(&self, statement: &'static str, values: Values<'_>) -> Result<u64> {
        Ok(self.client.execute(&self.prepared(statement).await?, values).await?)
    }

    /// Runs statements that take no values; after the first that fails, none.
    pub(crate) async fn run(&self, statements: &str) -> Result<()> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// How many warnings the server has sent so far.
    pub(crate) fn warnings(&self) -> u64 {
        self.heard.warnings.load(Ordering::Acquire)
    }

    /// The server's timeline; 0 before it was asked.
    pub(crate) fn timeline(&self) -> i64 {
        self.timeline.get().copied().unwrap_or_default()
    }

    /// Notes the server's timeline, once.
    pub(crate) fn note_timeline(&self, timeline: i64) {
        self.timeline.get_or_init(|| timeline);
    }

    /// What it hears.
    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The lines of text that a statement without values gives.
    #[cfg(test)]
    pub(crate) async fn lines(&self, statement: &str) -> Result<Vec<String>> {
        let messages = self.client.simple_query(statement).await?;
        let line = |message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(line).collect())
    }

    /// The statement, prepared here once.
    pub(crate) async fn prepared(&self, statement: &'static str) -> Result<Statement> {
        let known = |statements: &HashMap<_, Statement>| statements.get(statement).cloned();
        if let Some(known) = known(&self.statements.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(known);
        }
        let prepared = self.client.prepare(statement).await?;
        let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(statements.entry(statement).or_insert(prepared).clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Moves bytes until the connection ends, and takes notes. Messages are handled in the order in which the server sent
/// them: a warning before the answer that it belongs to.
async fn listen<S, T>(mut connection: tokio_postgres::Connection<S, T>, heard: Arc<Heard>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                let severity = notice.parsed_severity();
                if !matches!(
                    severity,
                    Some(Severity::Notice | Severity::Info | Severity::Debug | Severity::Log)
                ) {
                    heard.warnings.fetch_add(1, Ordering::AcqRel);
                    tracing::warn!(code = notice.code().code(), said = notice.message(), "PostgreSQL warns");
                }
            }
            Some(Ok(AsyncMessage::Notification(notification))) => {
                if let Ok(position) = notification.payload().parse() {
                    heard.announced.store(position, Ordering::Release);
                }
                heard.notified.notify_one();
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => {
                // Who listens finds the connection closed.
                heard.notified.notify_one();
                return;
            }
        }
    }
}
