//! One `obol serve` of a cluster: started, killed, paused, started again while others ask it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::{Namespace, Route};
use crate::checker::Name;
use crate::{Http, Installation, Lines, Server, ServerBuilder, wait_until};

/// How long a node may take to answer truthfully again, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A node, which may be down. It keeps its name when it starts again; its address may be another.
pub struct Node {
    name: Name,
    server: Mutex<Place>,
    address: RwLock<Option<SocketAddr>>,
    paused: AtomicBool,
    route: Route,
    // After the server, which is in it.
    namespace: Option<Namespace>,
}

/// A server to be, or one that was started at least once.
enum Place {
    Free(Option<Box<ServerBuilder>>),
    Started(Box<Server>),
}

impl Node {
    /// A node that is not running yet.
    pub(super) fn new(
        name: &str,
        builder: ServerBuilder,
        route: Route,
        namespace: Option<Namespace>,
    ) -> Self {
        Self {
            name: name.into(),
            server: Mutex::new(Place::Free(Some(Box::new(builder)))),
            address: RwLock::new(None),
            paused: AtomicBool::new(false),
            route,
            namespace,
        }
    }

    /// As it is recorded.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Where it listens, if it runs.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is paused: who asks has to wait for long.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Its way to the database.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Its network, if it has one of its own.
    pub fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub fn start(&self) {
        let mut place = self.place();
        match &mut *place {
            Place::Free(builder) => {
                let builder = builder.take().expect("a start that failed has failed the test");
                *place = Place::Started(Box::new(builder.start()));
            }
            Place::Started(server) => server.start_again(),
        }
        self.set_address(Some(place.server().http().address()));
    }

    /// Ends it without asking.
    #[track_caller]
    pub fn kill(&self) {
        let mut place = self.place();
        self.set_address(None);
        place.server_mut().kill();
    }

    /// Asks it to end and waits until it has. Others may go on asking it until it listens no more.
    #[track_caller]
    pub fn stop(&self) {
        let mut place = self.place();
        let status = place.server_mut().stop();
        self.set_address(None);
        assert!(status.success(), "{}: {status}\n{}", self.name, place.log_text());
    }

    /// Stops all its threads where they are.
    #[track_caller]
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
        self.place().server().pause();
    }

    /// Lets it go on.
    #[track_caller]
    pub fn resume(&self) {
        self.place().server().resume();
        self.paused.store(false, Ordering::SeqCst);
    }

    /// A client for its HTTP.
    #[track_caller]
    pub fn http(&self) -> Http {
        self.place().server().http().clone()
    }

    /// What it has logged since its last start.
    #[track_caller]
    pub fn log(&self) -> Lines {
        self.place().server().log().clone()
    }

    /// Its process.
    #[track_caller]
    pub fn process_id(&self) -> u32 {
        self.place().server().process_id()
    }

    /// The folder on which it runs.
    #[track_caller]
    pub fn with_installation<T>(&self, work: impl FnOnce(&Installation) -> T) -> T {
        work(self.place().server().installation())
    }

    /// Whether it says that it answers truthfully.
    pub fn is_ready(&self) -> bool {
        let Some(address) = self.address() else { return false };
        let answer = Http::new(address, None).get("/readyz").try_send();
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Waits until it does.
    #[track_caller]
    pub fn await_ready(&self) {
        wait_until(&format!("{} is ready", self.name), READY_WITHIN, || self.is_ready().then_some(()));
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_address(&self, address: Option<SocketAddr>) {
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

impl Place {
    #[track_caller]
    fn server(&self) -> &Server {
        match self {
            Self::Started(server) => server,
            Self::Free(_) => panic!("this node was never started"),
        }
    }

    #[track_caller]
    fn server_mut(&mut self) -> &mut Server {
        match self {
            Self::Started(server) => server,
            Self::Free(_) => panic!("this node was never started"),
        }
    }

    fn log_text(&self) -> String {
        match self {
            Self::Started(server) => server.last_log().join("\n"),
            Self::Free(_) => String::new(),
        }
    }
}
