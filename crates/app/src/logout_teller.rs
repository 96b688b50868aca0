//! Tells clients, beside a running server, that sessions have ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use obol_oauth::{ClientToTell, Engine, LogoutTold, NamedBy, OAuthError};
use obol_store::LogoutNotice;
use obol_token::ClientId;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

/// How often it looks at the latest: for sessions that ended elsewhere, and for notices of nodes that have died. One look at an
/// index that is empty for the most part.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Clients that operators have added and that are told at once: their notices take half of what the way out has room for.
const CLIENTS_AT_ONCE: usize = 16;
/// The same of strangers: half of what it has room for with them.
const STRANGERS_AT_ONCE: usize = 4;
/// Notices of one client on the way at once.
const NOTICES_AT_ONCE: usize = 2;

/// The task, to be stopped.
pub(crate) struct LogoutTeller {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl LogoutTeller {
    /// Starts it.
    pub(crate) fn start(engine: Arc<Engine>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let messenger = Arc::new(Messenger {
            engine,
            clients: Semaphore::new(CLIENTS_AT_ONCE),
            strangers: Semaphore::new(STRANGERS_AT_ONCE),
        });
        Self { task: tokio::spawn(tell(messenger, stopped)), stop }
    }

    /// Takes no more notices, and waits for `most` until those on the way have arrived. What has not is tried again by whoever
    /// runs next.
    pub(crate) async fn stop(self, most: Duration) {
        drop(self.stop);
        if timeout(most, self.task).await.is_err() {
            tracing::info!("some clients may be told of a logout once more");
        }
    }
}

/// Looks, and tells whom it finds, until it is stopped.
async fn tell(messenger: Arc<Messenger>, mut stopped: oneshot::Receiver<()>) {
    let mut round = Round::default();
    loop {
        let next = round.begin(&messenger).await;
        tokio::select! {
            _ = &mut stopped => break,
            () = messenger.engine.wait_for_logouts() => {}
            Some(ended) = round.tasks.join_next() => round.ended(ended.ok()),
            () = sleep(next) => {}
        }
    }
    messenger.clients.close();
    messenger.strangers.close();
    while round.tasks.join_next().await.is_some() {}
}

/// Which clients are being told, and which are left alone for a while because they did not answer: one entry for each client for
/// which notices wait, at most.
#[derive(Default)]
struct Round {
    busy: HashMap<ClientId, Option<Instant>>,
    tasks: JoinSet<(ClientId, End)>,
}

/// How telling one client has ended.
enum End {
    /// Nothing was due any more.
    Done,
    /// A try has failed.
    Failed,
}

impl Round {
    /// Begins to tell the clients for which something is due; how long to wait then before the next look.
    async fn begin(&mut self, messenger: &Arc<Messenger>) -> Duration {
        self.busy.retain(|_, rests_until| rests_until.is_none_or(|until| Instant::now() < until));
        // Without a lease, this node may not tell; without the store it cannot.
        let Ok(waiting) = messenger.engine.clients_to_tell().await else { return LOOK_EVERY };
        let mut next = LOOK_EVERY;
        for client in waiting {
            match u64::try_from(client.due_in_secs) {
                Ok(secs @ 1..) => next = next.min(Duration::from_secs(secs)),
                _ if self.busy.contains_key(&client.client_id) => {}
                _ => {
                    self.busy.insert(client.client_id.clone(), None);
                    self.tasks.spawn(Arc::clone(messenger).tell_client(client));
                }
            }
        }
        next
    }

    /// `None` is a panic, of whichever task: then all may be begun again, for no notice is taken twice.
    fn ended(&mut self, ended: Option<(ClientId, End)>) {
        match ended {
            Some((client_id, End::Done)) => drop(self.busy.remove(&client_id)),
            Some((client_id, End::Failed)) => {
                self.busy.insert(client_id, Some(Instant::now() + LOOK_EVERY));
            }
            None => self.busy.retain(|_, rests_until| rests_until.is_some()),
        }
    }
}

/// Tells single clients.
struct Messenger {
    engine: Arc<Engine>,
    /// Places for clients that operators have added.
    clients: Semaphore,
    /// Places for the others.
    strangers: Semaphore,
}

impl Messenger {
    /// Tells a client whatever is due, until a try fails: what cannot be reached holds a place for one try at most.
    async fn tell_client(self: Arc<Self>, client: ClientToTell) -> (ClientId, End) {
        let client_id = client.client_id;
        let places = match client.named_by {
            NamedBy::Operator => &self.clients,
            NamedBy::Stranger => &self.strangers,
        };
        // Closed: the server stops.
        while let Ok(_place) = places.acquire().await {
            let notices = match self.engine.take_notices(&client_id, NOTICES_AT_ONCE).await {
                Ok(notices) if notices.is_empty() => return (client_id, End::Done),
                Ok(notices) => notices,
                Err(_) => return (client_id, End::Failed),
            };
            let mut tries = JoinSet::new();
            for notice in notices {
                tries.spawn(Arc::clone(&self).tell_once(notice));
            }
            if tries.join_all().await.contains(&false) {
                return (client_id, End::Failed);
            }
        }
        (client_id, End::Done)
    }

    /// One try; whether the next may follow at once.
    async fn tell_once(self: Arc<Self>, notice: LogoutNotice) -> bool {
        match self.engine.tell_of_logout(&notice).await {
            Ok(LogoutTold::Told | LogoutTold::NotToBeTold) => true,
            Ok(LogoutTold::PutOff { .. }) => false,
            Ok(LogoutTold::GivenUp { failure }) => {
                warn_given_up(&notice, &failure);
                false
            }
            Err(error) => {
                warn_untold(&notice, &error);
                false
            }
        }
    }
}

fn warn_given_up(notice: &LogoutNotice, failure: &str) {
    let (client, tries) = (notice.client_id.as_str(), notice.tries);
    tracing::warn!(client, tries, failure, "a client was not told of a logout, and is tried no more");
}

fn warn_untold(notice: &LogoutNotice, error: &OAuthError) {
    let client = notice.client_id.as_str();
    tracing::warn!(client, error = error.reason(), "a client could not be told of a logout yet");
}
