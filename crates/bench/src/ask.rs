//! Asking outside of any measurement: one question, or many whose answers are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::load::{Answer, Connection, Crew, Endpoint, Load, Part, Prepared, Request, Right, Script};
use crate::target::Target;
use crate::{BenchError, Cores, Stop, Wrong};

const PATIENCE: Duration = Duration::from_secs(30);

/// A whole answer that was right.
pub(crate) struct Answered {
    /// Its status.
    pub(crate) status: u16,
    /// Its header fields.
    pub(crate) fields: Vec<(String, String)>,
    /// Its content.
    pub(crate) body: Vec<u8>,
}

/// The generator, for questions that are not measured.
#[derive(Clone, Copy)]
pub(crate) struct Hands<'a> {
    /// Its cores.
    pub(crate) cores: &'a Cores,
    /// When to give up.
    pub(crate) stop: &'a Stop,
}

/// Asks one question.
///
/// # Errors
/// [`BenchError::Wrong`]
pub(crate) fn ask_once(
    target: &str,
    endpoint: &Endpoint,
    request: &Request,
    mut right: Right,
) -> Result<Answered, BenchError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(BenchError::system("start an event queue"))?;
    let asked = async {
        let mut connection = Connection::open(endpoint).await?;
        let answer = connection.ask(&request.prepare(&endpoint.wire)).await?;
        right.judge(&answer)?;
        Ok(Answered { status: answer.status, fields: answer.fields.to_pairs(), body: answer.body.to_vec() })
    };
    let answered = runtime.block_on(async { timeout(PATIENCE, asked).await });
    let answered = answered.unwrap_or(Err(Wrong::Silent(PATIENCE.as_secs())));
    answered.map_err(|wrong| BenchError::Wrong { target: target.to_owned(), wrong })
}

/// Asks every question once, over several connections; the bodies of the right answers, in no order.
///
/// # Errors
/// [`BenchError`]
pub(crate) fn ask_all(
    target: &Target,
    requests: impl IntoIterator<Item = Request>,
    right: &Right,
    connections: usize,
    hands: Hands<'_>,
) -> Result<Vec<Vec<u8>>, BenchError> {
    let endpoint = &target.endpoint;
    let left: VecDeque<Prepared> =
        requests.into_iter().map(|request| request.prepare(&endpoint.wire)).collect();
    let connections = connections.min(left.len()).max(1);
    let shared = Arc::new(Shared { left: Mutex::new(left), bodies: Mutex::default() });
    let script = |_| -> Box<dyn Script> {
        Box::new(KeepAnswers { shared: Arc::clone(&shared), asking: None, right: right.clone() })
    };
    let scripts = (0..connections).map(script).collect();
    let crew = Crew::open(vec![Part { target: &target.name, endpoint, scripts }], hands.cores, hands.stop)?;
    // The scripts end by themselves.
    crew.round(&[Load::Closed], Duration::from_secs(3_600))?;
    drop(crew);
    let mut bodies = shared.bodies.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut bodies))
}

struct Shared {
    left: Mutex<VecDeque<Prepared>>,
    bodies: Mutex<Vec<Vec<u8>>>,
}

struct KeepAnswers {
    shared: Arc<Shared>,
    asking: Option<Prepared>,
    right: Right,
}

impl Script for KeepAnswers {
    fn next(&mut self) -> Option<&Prepared> {
        self.asking = self.shared.left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.asking.as_ref()
    }

    fn judge(&mut self, answer: &Answer<'_>) -> Result<(), Wrong> {
        self.right.judge(answer)?;
        self.shared.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(answer.body.to_vec());
        Ok(())
    }
}
