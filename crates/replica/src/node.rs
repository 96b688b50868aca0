//! One running node: its memory, its lease, and the proof of both that every answer needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use obol_keys::MasterKey;
use obol_store::{Appended, Deny, NewKey, NodeId, Store, StoreError};
use obol_token::{Denial, Denied, Position, Timestamp};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::SteadyClock;
use crate::confirm::confirm_by_peers;
use crate::lease::Lease;
use crate::{
    Boottime, Clock, LeaseOptions, LoadError, Memory, NotConfirmed, OnStale, Revoked, Seen, Stale, Status,
    Vouched, follower, stale, status,
};

/// A node of the installation that answers requests.
pub struct Replica {
    node: NodeId,
    memory: Memory,
    lease: Lease,
    options: LeaseOptions,
    clock: Arc<SteadyClock>,
    store: Arc<dyn Store>,
    applied: watch::Sender<Position>,
    seen: ArcSwap<Seen>,
    recovering: Mutex<()>,
    draining: AtomicBool,
    leaving: AtomicBool,
}

/// How far the wall clock may be behind the latest removal by which it is measured.
const MAX_BEHIND_SECS: i64 = 60;
/// Denials leave the memory this much late, in seconds: more than the longest lease, for which a request that has read
/// the time may still be on its way to the deny list.
const SWEEP_LATE_SECS: i64 = 120;

/// Lost denials are appended so many at a time, so that they share commits.
const APPENDED_TOGETHER: usize = 256;

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Storage refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The memory could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No key could be made.
    #[error("the cryptographic library made no key")]
    Key,
    /// The machine's wall clock is behind what has been removed by it: tokens would look unexpired whose denials are gone.
    #[error(
        "this machine's clock says {now}, but denials were removed as of {swept_through}: set the machine's clock right; \
         if it is right, end every token with `obol revoke --all`; then start again",
        now = utc(*.now), swept_through = utc(*.swept_through)
    )]
    ClockBehind {
        /// What the wall clock says.
        now: Timestamp,
        /// The latest moment at which something left the store.
        swept_through: Timestamp,
    },
}

impl Replica {
    /// Step 1: registers this node, loads its memory, makes the first keys if there are none, takes the first
    /// lease, and starts to follow the log.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start(
        store: Arc<dyn Store>,
        master: MasterKey,
        clock: Arc<dyn Clock>,
        options: LeaseOptions,
    ) -> Result<Arc<Self>, StartError> {
        let replica = Arc::new(Self {
            node: NodeId::from_bytes(obol_keys::random_bytes()),
            memory: Memory::new(master),
            lease: Lease::default(),
            options,
            clock: Arc::new(SteadyClock::new(clock)),
            store,
            applied: watch::Sender::new(Position::START),
            seen: ArcSwap::default(),
            recovering: Mutex::default(),
            draining: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
        });
        replica.store.register_node(replica.node).await?;
        if let Err(error) = replica.prepare().await {
            // Whoever sets right what is wrong and starts again must not be told that a server is running, and no
            // revocation is to wait for a node that never answered.
            replica.leave().await.ok();
            return Err(error);
        }
        tokio::spawn(follower::follow(Arc::clone(&replica)));
        tokio::spawn(status::look(Arc::clone(&replica)));
        if replica.options.on_stale != OnStale::Refuse {
            tokio::spawn(stale::announce(Arc::clone(&replica)));
        }
        Ok(replica)
    }

    /// Step 3: the memory, if the lease runs now. Call it after the request arrived, and again after every wait.
    ///
    /// # Errors
    /// [`Stale`]: answer 503.
    pub fn vouch(&self) -> Result<Vouched<'_>, Stale> {
        self.vouch_at(self.clock.boottime())
    }

    /// As [`Self::vouch`], with the moment by the wall clock.
    ///
    /// # Errors
    /// [`Stale`]: answer 503.
    pub fn vouch_now(&self) -> Result<(Vouched<'_>, Timestamp), Stale> {
        let boottime = self.clock.boottime();
        Ok((self.vouch_at(boottime)?, self.clock.wall_at(boottime)))
    }

    /// As [`Self::vouch`], for who is only told about access tokens: where [`OnStale::Serve`] says so, also without a lease,
    /// from what this node last knew.
    ///
    /// # Errors
    /// [`Stale`]: answer 503.
    pub fn vouch_or_stale(&self) -> Result<Vouched<'_>, Stale> {
        let boottime = self.clock.boottime();
        self.vouch_at(boottime).or_else(|_| self.stale_at(boottime))
    }

    /// As [`Self::vouch_or_stale`], with the moment by the wall clock.
    ///
    /// # Errors
    /// [`Stale`]: answer 503.
    pub fn vouch_or_stale_now(&self) -> Result<(Vouched<'_>, Timestamp), Stale> {
        let boottime = self.clock.boottime();
        let vouched = self.vouch_at(boottime).or_else(|_| self.stale_at(boottime))?;
        Ok((vouched, self.clock.wall_at(boottime)))
    }

    fn vouch_at(&self, boottime: Boottime) -> Result<Vouched<'_>, Stale> {
        #[cfg(feature = "planted-bugs")]
        let boottime = crate::clock::planted_now(boottime);
        self.lease.check(boottime)?;
        Ok(Vouched::by_lease(&self.memory))
    }

    #[cold]
    fn stale_at(&self, boottime: Boottime) -> Result<Vouched<'_>, Stale> {
        match self.lease.left_stale(boottime, self.options.on_stale).is_zero() {
            true => Err(Stale),
            false => Ok(Vouched::by_policy(&self.memory)),
        }
    }

    /// The memory whether or not the lease runs: a planted bug.
    #[cfg(feature = "planted-bugs")]
    pub fn planted_unvouched(&self) -> Vouched<'_> {
        Vouched::by_lease(&self.memory)
    }

    /// Step 4: returns when no node of the installation can answer without having applied `appended`.
    ///
    /// # Errors
    /// [`NotConfirmed`] when this node is stopping, the others could not be asked after, a failover has lost it, or this node
    /// did not read it in time and by [`OnStale::Serve`] answers all the same.
    pub async fn confirm(&self, appended: Appended) -> Result<Revoked, NotConfirmed> {
        let since = self.memory.reads_from().known;
        let mut applied = self.applied.subscribe();
        let here = applied.wait_for(|applied| *applied >= appended.position());
        // Should this node fail to read its own append in time, its lease has ended as any other node's would have.
        match (timeout(self.options.certain_end(), here).await, self.options.on_stale) {
            (Ok(Ok(_)), _) | (Err(_), OnStale::Refuse) => {}
            // Without a lease it would go on accepting what it has not read of.
            (Err(_), OnStale::Serve { .. }) | (Ok(Err(_)), _) => {
                return Err(NotConfirmed(appended.position()));
            }
        }
        let revoked =
            confirm_by_peers(&*self.store, &*self.clock, &self.options, self.node, appended).await?;
        match self.memory.may_have_lost(appended.position(), since) {
            true => Err(NotConfirmed(appended.position())),
            false => Ok(revoked),
        }
    }

    /// How far this node has applied the log.
    pub fn applied(&self) -> Position {
        self.memory.applied()
    }

    /// Whether a public client that is enabled has its pages at this origin (RFC 6454 §6.2). Asked without the lease: who
    /// may read an answer says nothing about a token.
    pub fn is_client_origin(&self, origin: &str) -> bool {
        self.memory.is_client_origin(origin)
    }

    /// This node and the others, as it sees them.
    pub fn status(&self) -> Status {
        let (boottime, on_stale) = (self.clock.boottime(), self.options.on_stale);
        let lease_left = self.lease.left(boottime);
        Status {
            node: self.node,
            position: self.applied(),
            draining: self.draining.load(Ordering::Acquire),
            lease_left,
            answers_for: self.lease.left_stale(boottime, on_stale).max(lease_left),
            age: self.lease.age(boottime),
            on_stale,
            seen: self.seen.load_full(),
        }
    }

    /// The moment by this node's wall clock, and in seconds since the machine started, by a clock that nobody sets: for
    /// delays, not for what tokens say. Read once per request.
    pub fn now(&self) -> (Timestamp, Timestamp) {
        let boottime = self.clock.boottime();
        (self.clock.wall_at(boottime), Timestamp::from_secs(boottime.as_secs()))
    }

    /// Says that this node is about to stop. It goes on answering.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Stops answering and takes this node out, so that nobody waits for it.
    ///
    /// # Errors
    /// [`StoreError`]; the lease then ends by itself.
    pub async fn leave(&self) -> Result<(), StoreError> {
        self.leaving.store(true, Ordering::Release);
        self.lease.end();
        self.store.leave(self.node).await
    }

    /// Step 2: reads and applies what is new, and extends the lease from the moment before the reading that reached the
    /// end of the log. Several of these may be under way when the store is slow.
    pub(crate) async fn renew(&self) -> Result<(), LoadError> {
        let sent = match self.read_to_end().await {
            Err(LoadError::Lost { .. }) => {
                self.recover().await?;
                self.read_to_end().await?
            }
            read => read?,
        };
        if !self.is_leaving() {
            self.lease.extend(sent, &self.options);
        }
        self.publish().await;
        Ok(())
    }

    /// Between renewals: reads and applies what is new, which a renewal need not wait for.
    pub(crate) async fn read_on(&self) -> Result<(), LoadError> {
        let read = self.memory.catch_up(&*self.store).await;
        match read.inspect_err(|error| self.fence_if_at_odds(error)) {
            Err(LoadError::Lost { .. }) => self.recover().await?,
            read => drop(read?),
        }
        self.publish().await;
        Ok(())
    }

    /// Reads and applies to the end of the log; the moment before the last reading.
    async fn read_to_end(&self) -> Result<Boottime, LoadError> {
        loop {
            let sent = self.clock.boottime();
            let from = self.memory.reads_from();
            let page = self.store.read_and_renew(self.node, self.options.lease, from).await?;
            if self.memory.take_in(&page).inspect_err(|error| self.fence_if_at_odds(error))? {
                return Ok(sent);
            }
        }
    }

    /// A node that has read the log and cannot follow it is not merely behind: it tells nothing from such a memory.
    fn fence_if_at_odds(&self, error: &LoadError) {
        if !error.is_silence() {
            self.lease.fence(self.clock.boottime());
        }
    }

    /// Tells who waits, here and elsewhere, how far this node has come.
    async fn publish(&self) {
        let position = self.memory.applied();
        let moved = self.applied.send_if_modified(|applied| {
            let later = position > *applied;
            *applied = position.max(*applied);
            later
        });
        if moved && let Err(error) = self.store.report_applied(self.node, position).await {
            tracing::debug!(%error, "others do not learn how far this node is, and wait longer");
        }
    }

    pub(crate) fn sweep(&self, turn: usize) {
        self.memory.deny_list().sweep(turn, self.clock.wall().plus_secs(-SWEEP_LATE_SECS));
    }

    pub(crate) fn boottime(&self) -> Boottime {
        self.clock.boottime()
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn saw(&self, seen: Seen) {
        self.seen.store(Arc::new(seen));
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn options(&self) -> &LeaseOptions {
        &self.options
    }

    /// What comes between registering and answering.
    async fn prepare(&self) -> Result<(), StartError> {
        self.refuse_clock_behind().await?;
        self.memory.catch_up(&*self.store).await?;
        let now = self.clock.wall();
        if !self.memory.has_key() {
            self.add_first_key(self.memory.new_sealing_key(now)).await?;
        }
        for algorithm in self.memory.algorithms_without_key() {
            self.add_first_key(self.memory.new_signing_key(algorithm.key_kind(), now)).await?;
        }
        Ok(self.renew().await?)
    }

    async fn refuse_clock_behind(&self) -> Result<(), StartError> {
        let (now, swept_through) = (self.clock.wall(), self.store.swept_through().await?);
        match now.secs_until(swept_through) > MAX_BEHIND_SECS {
            true => Err(StartError::ClockBehind { now, swept_through }),
            false => {
                // A little behind: time stands still here until it has caught up.
                self.clock.not_before(swept_through);
                Ok(())
            }
        }
    }

    /// What this node knows to be refused, and of keys, and the log has lost is appended again, before it vouches again.
    async fn recover(&self) -> Result<(), LoadError> {
        let _one = self.recovering.lock().await;
        // Another reading may have done it meanwhile.
        let page = self.store.read_page(self.memory.reads_from()).await?;
        let (kept_to, timeline) = match self.memory.take_in(&page) {
            Err(LoadError::Lost { kept_to, timeline }) => (kept_to, timeline),
            taken_in => return taken_in.map(drop),
        };
        let (lost, lost_keys) = (self.memory.deny_list().beyond(kept_to), self.memory.keys_beyond(kept_to));
        tracing::error!(
            %kept_to,
            denials = lost.len(),
            keys = lost_keys.len(),
            "the store has lost entries of the change log in a failover; appending again what is to be refused"
        );
        let now = self.clock.wall();
        for denials in lost.chunks(APPENDED_TOGETHER) {
            let mut appends = JoinSet::new();
            for denial in denials {
                let (store, deny) = (Arc::clone(&self.store), deny(denial));
                appends.spawn(async move { store.deny(&deny, now).await });
            }
            while let Some(appended) = appends.join_next().await {
                let cut_off = |_| Err(StoreError::Unavailable("an append was cut off".to_owned()));
                // Nobody waits for it: this node does not answer before it has read it.
                let _: Appended = appended.unwrap_or_else(cut_off)?;
            }
        }
        // In their order: a key that was retired had been replaced before.
        for key in &lost_keys {
            // Nobody waits for these either.
            let _: Appended = self.store.put_back_key(key).await?;
        }
        self.memory.read_anew(&*self.store, timeline, kept_to).await
    }

    async fn add_first_key(&self, key: Option<NewKey>) -> Result<(), StartError> {
        let key = key.ok_or(StartError::Key)?;
        // Of nodes that start at once one adds its key, and all use that.
        self.store.add_first_key(&key).await?;
        self.memory.catch_up(&*self.store).await?;
        Ok(())
    }
}

fn deny(denial: &Denial) -> Deny {
    match &denial.what {
        Denied::Token(id) => Deny::Token { id: *id, expires_at: denial.leaves_at },
        Denied::Family(id) => Deny::Family(*id),
        Denied::Subject(id) => Deny::Subject(*id),
        Denied::Client(id) => Deny::Client(id.clone()),
        Denied::Everything => Deny::Everything,
    }
}

/// The moment for people.
fn utc(moment: Timestamp) -> String {
    match jiff::Timestamp::from_second(moment.as_secs()) {
        Ok(utc) => utc.to_string(),
        Err(_) => format!("{} s after 1970", moment.as_secs()),
    }
}
