//! The door itself: takes a request through the steps.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use obol_oauth::{DocumentKind, Freshness, NamedBy, Outgoing, OutgoingError};
use tokio::sync::Semaphore;

use crate::address::{Address, Host};
use crate::exchange;
use crate::judgement::judge;
use crate::kept::{Departure, Found, Kept};
use crate::network::{Network, SystemNetwork};
use crate::places::Places;
use crate::tls::{Authorities, TlsStream};
use crate::trouble::Trouble;

/// How many addresses of a host are tried.
const MOST_ATTEMPTS: usize = 3;

/// Asks other servers, and only such as anybody may ask, or as the operator has named.
pub struct GuardedDoor {
    kept: Arc<Kept>,
    places: Arc<Places>,
    way: Arc<Way>,
}

/// How much is asked of others, and kept of what they say.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the first look at the address to the last byte of the answer.
    pub deadline: Duration,
    /// Requests at once.
    pub at_once: usize,
    /// Those of them to addresses that strangers have named.
    pub at_once_of_strangers: usize,
    /// Requests to one host at once; to addresses that strangers have named as many again.
    pub at_once_of_a_host: usize,
    /// Names being resolved at once, those included for which nobody waits any more.
    pub resolving: usize,
    /// Documents kept.
    pub kept_documents: usize,
    /// Their size together, in bytes.
    pub kept_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            at_once: 64,
            at_once_of_strangers: 16,
            at_once_of_a_host: 8,
            // More than strangers can have hanging: 16 every 5 s, while a resolver gives up within a minute.
            resolving: 256,
            kept_documents: 1_024,
            kept_bytes: 8 * 1024 * 1024,
        }
    }
}

impl GuardedDoor {
    /// A door to the network of this machine. `allowed` names hosts, each with its port if that is not 443, which may be on
    /// a private network.
    pub fn new(authorities: Authorities, allowed: Vec<String>) -> Self {
        Self::over(Arc::new(SystemNetwork), authorities, allowed, Limits::default())
    }

    /// A door to another network, with other limits.
    pub fn over(
        network: Arc<dyn Network>,
        authorities: Authorities,
        allowed: Vec<String>,
        limits: Limits,
    ) -> Self {
        Self {
            kept: Kept::new(limits.kept_documents, limits.kept_bytes),
            places: Places::new(limits.at_once, limits.at_once_of_strangers, limits.at_once_of_a_host),
            way: Arc::new(Way {
                network,
                authorities,
                allowed,
                deadline: limits.deadline,
                resolving: Arc::new(Semaphore::new(limits.resolving)),
            }),
        }
    }

    /// How many requests are under way.
    pub fn under_way(&self) -> usize {
        self.places.taken()
    }
}

#[async_trait]
impl Outgoing for GuardedDoor {
    async fn fetch_document(
        &self,
        url: &str,
        named_by: NamedBy,
        kind: DocumentKind,
        freshness: Freshness,
    ) -> Result<Arc<str>, OutgoingError> {
        let (sent, kept_as) = match kind {
            DocumentKind::Json => (url, url.to_owned()),
            // What was taken as one kind is none of the other.
            DocumentKind::RequestObject => (without_fragment(url), format!("request object {url}")),
        };
        let address = Address::parse(sent).map_err(|trouble| trouble.about(None))?;
        let host = address.authority();
        let place = || self.places.take(named_by, host.clone());
        match self
            .kept
            .find(&kept_as, freshness, Instant::now(), place)
            .map_err(|trouble| trouble.about(Some(&host)))?
        {
            Found::Known(outcome) => outcome,
            Found::UnderWay(flight) => flight.landed().await,
            Found::Absent(departure) => {
                // On its own, so that it lands for all who wait even if the first of them leaves.
                let flight = departure.flight();
                tokio::spawn(Arc::clone(&self.way).fetch(address, kind, departure));
                flight.landed().await
            }
        }
    }

    async fn post_form(&self, url: &str, named_by: NamedBy, form: String) -> Result<(), OutgoingError> {
        let address = Address::parse(url).map_err(|trouble| trouble.about(None))?;
        let host = address.authority();
        let place = self.places.take(named_by, host.clone());
        let _place = place.map_err(|trouble| trouble.about(Some(&host)))?;
        self.way.post(&address, form).await.map_err(|trouble| trouble.noted_about(&host))
    }
}

fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(sent, _)| sent)
}

/// The steps from an address to its answer.
struct Way {
    network: Arc<dyn Network>,
    authorities: Authorities,
    allowed: Vec<String>,
    deadline: Duration,
    resolving: Arc<Semaphore>,
}

impl Way {
    async fn fetch(self: Arc<Self>, address: Address, kind: DocumentKind, departure: Departure) {
        let asked = async {
            let stream = self.connect(&address).await?;
            exchange::get(stream, &address, kind).await
        };
        let fetched = self.in_time(asked).await.map_err(|trouble| trouble.noted_about(&address.authority()));
        departure.land(fetched, Instant::now());
    }

    async fn post(&self, address: &Address, form: String) -> Result<(), Trouble> {
        self.in_time(async {
            let stream = self.connect(address).await?;
            exchange::post(stream, address, form).await
        })
        .await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        tokio::time::timeout(self.deadline, work).await.unwrap_or(Err(Trouble::TooSlow))
    }

    /// A connection to an address that was judged: the name is not resolved again.
    async fn connect(&self, address: &Address) -> Result<TlsStream, Trouble> {
        let trusted = self.allowed.contains(&address.authority());
        let ips = match &address.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => self.resolve(name.clone()).await?,
        };
        // All or none: a name that leads to both sides is a mistake or an attack, and chance must not decide.
        for ip in &ips {
            judge(*ip, trusted)?;
        }
        for ip in ips.into_iter().take(MOST_ATTEMPTS) {
            let connecting = self.network.connect(SocketAddr::new(ip, address.port));
            // One that is silent must leave time for the next.
            if let Ok(Ok(tcp)) = tokio::time::timeout(self.deadline / 4, connecting).await {
                return self.authorities.handshake(&address.host, tcp).await;
            }
        }
        Err(Trouble::NoConnection)
    }

    /// The system's resolver cannot be interrupted, and may hang far longer than a request is waited for. It takes no place
    /// with it then, or whoever names lame servers would close the way out: its threads are counted apart.
    async fn resolve(&self, name: String) -> Result<Vec<IpAddr>, Trouble> {
        let network = Arc::clone(&self.network);
        let thread = Arc::clone(&self.resolving).try_acquire_owned().map_err(|_| Trouble::Busy)?;
        let resolving = tokio::spawn(async move {
            let ips = network.resolve(&name).await;
            drop(thread);
            ips
        });
        match resolving.await {
            Ok(Ok(ips)) if !ips.is_empty() => Ok(ips),
            _ => Err(Trouble::NoAddress),
        }
    }
}

impl std::fmt::Debug for GuardedDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardedDoor").field("under_way", &self.under_way()).finish_non_exhaustive()
    }
}
