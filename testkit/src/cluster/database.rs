//! A primary, perhaps a standby, and the proxies through which each node reaches both.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Direction, Postgres, PostgresBuilder, Proxy};

/// Two places for servers, of which one holds the primary. A node names both in its URL.
pub struct Database {
    places: Mutex<Places>,
    ports: [Arc<AtomicU16>; 2],
    name: String,
}

struct Places {
    primary: usize,
    servers: [Option<Postgres>; 2],
    /// Standbys made so far: each has a name of its own.
    standbys: u32,
}

/// The way of one node to the database: a proxy for each place.
pub struct Route {
    proxies: [Proxy; 2],
    name: String,
}

impl Database {
    /// A primary alone, with an empty database.
    #[track_caller]
    pub fn start(builder: PostgresBuilder) -> Self {
        // A node that was cut off leaves connections behind, until the server notices.
        let builder = builder.setting("max_connections", "300");
        // A standby, which inherits this, follows again soon after a restart of its primary.
        let primary = builder.setting("wal_retrieve_retry_interval", "200ms").start();
        let url = primary.database();
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        let port = primary.port();
        // Nobody listens on port 1.
        let ports = [Arc::new(AtomicU16::new(port)), Arc::new(AtomicU16::new(1))];
        let places = Places { primary: 0, servers: [Some(primary), None], standbys: 0 };
        Self { places: Mutex::new(places), ports, name }
    }

    /// A way to it for one more node.
    pub fn route(&self) -> Route {
        self.route_at(Ipv4Addr::LOCALHOST)
    }

    /// The same by another address of this machine.
    pub(super) fn route_at(&self, address: Ipv4Addr) -> Route {
        let proxies = self.ports.clone().map(|port| Proxy::listening_at(address, port));
        Route { proxies, name: self.name.clone() }
    }

    /// Adds a standby for which no commit waits.
    #[track_caller]
    pub fn add_standby(&self) {
        self.places().add_standby(&self.ports);
    }

    /// Adds a standby, or takes the one there is, and makes every commit wait for it.
    #[track_caller]
    pub fn add_synchronous_standby(&self) {
        let mut places = self.places();
        if places.standby().is_none() {
            places.add_standby(&self.ports);
        }
        let name = places.standby_name();
        places.primary().wait_for_standby(&name);
    }

    /// Kills the primary and promotes the standby. There is no standby afterwards.
    #[track_caller]
    pub fn fail_over(&self) {
        let mut places = self.places();
        places.primary().kill();
        let standby = 1 - places.primary;
        places.servers[standby].as_ref().expect("there is a standby").promote();
        // Only now: nothing of the old primary is needed any more.
        let old = places.primary;
        places.servers[old] = None;
        self.ports[old].store(1, Ordering::SeqCst);
        places.primary = standby;
    }

    /// Works on the primary.
    pub fn with_primary<T>(&self, work: impl FnOnce(&Postgres) -> T) -> T {
        work(self.places().primary())
    }

    /// Works on the standby.
    #[track_caller]
    pub fn with_standby<T>(&self, work: impl FnOnce(&Postgres) -> T) -> T {
        let places = self.places();
        work(places.standby().expect("there is a standby"))
    }

    /// Whether there is a standby.
    pub fn has_standby(&self) -> bool {
        self.places().standby().is_some()
    }

    /// Runs statements on the installation's database as the superuser.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        self.places().primary().sql(&self.name, statements)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn primary(&self) -> &Postgres {
        self.servers[self.primary].as_ref().expect("the place of the primary holds it")
    }

    fn standby(&self) -> Option<&Postgres> {
        self.servers[1 - self.primary].as_ref()
    }

    fn standby_name(&self) -> String {
        format!("standby_{}", self.standbys)
    }

    #[track_caller]
    fn add_standby(&mut self, ports: &[Arc<AtomicU16>; 2]) {
        self.standbys += 1;
        let standby = self.primary().standby(&self.standby_name());
        let place = 1 - self.primary;
        ports[place].store(standby.port(), Ordering::SeqCst);
        self.servers[place] = Some(standby);
    }
}

impl Route {
    /// What a node is given as `--database-url`.
    pub fn url(&self) -> String {
        let [first, second] = self.proxies.each_ref().map(Proxy::address);
        let (owner, name) = (Postgres::OWNER, &self.name);
        format!("postgres://{owner}@{first},{second}/{name}?sslmode=disable")
    }

    /// Gives the same order to the proxies of both places.
    pub fn order(&self, order: impl Fn(&Proxy)) {
        self.proxies.iter().for_each(order);
    }

    /// Cuts the node off without a word, both ways.
    pub fn drop_all(&self) {
        self.order(|proxy| {
            proxy.drop_bytes(Direction::ToServer);
            proxy.drop_bytes(Direction::ToClient);
        });
    }

    /// Ends every fault on it.
    pub fn pass(&self) {
        self.order(Proxy::pass);
    }

    /// How many connections were cut after a `COMMIT` so far.
    pub fn commits_cut(&self) -> usize {
        self.proxies.iter().map(Proxy::commits_cut).sum()
    }
}
