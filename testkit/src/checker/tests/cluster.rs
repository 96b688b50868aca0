//! A small cluster that is right by construction, and the random histories that it gives.
//!
//! There is one log of ends. Each node applies it in order, each entry at most a lease after it was written. A token
//! carries how far the issuing node had applied the log when the call arrived. Whatever is acknowledged waits for all.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use proptest::prelude::*;

use super::*;

const LEASE: u64 = 2_000;
const NODES: [&str; 3] = ["n1", "n2", "n3"];
const GRACE: u64 = 10_000;

proptest! {
    #![proptest_config(histories(400))]

    #[test]
    fn a_correct_cluster_is_never_blamed(rolls in proptest::collection::vec(any::<u64>(), 100..4_000)) {
        let cluster = Cluster::run(rolls);
        let report = check(&cluster.events, &Settings::default());
        prop_assert!(report.breaches.is_empty(), "{}", report);
    }
}

#[test]
fn a_cluster_that_acknowledges_before_every_node_has_applied_is_blamed() {
    let blamed: BTreeSet<Rule> = (0..200)
        .flat_map(|seed| {
            let hasty = Cluster { hasty: true, ..Cluster::new(rolls(seed)) };
            check(&hasty.live().events, &Settings::default()).breaches
        })
        .map(|breach| breach.rule)
        .collect();
    assert!([Rule::H1, Rule::H7].iter().all(|rule| blamed.contains(rule)), "{blamed:?}");
}

/// The same numbers for the same seed.
pub(super) fn rolls(seed: u64) -> Vec<u64> {
    let roll = |at: u64| BuildHasherDefault::<DefaultHasher>::default().hash_one((seed, at));
    (0..400).map(roll).collect()
}

/// So many random histories; `OBOL_TEST_HISTORIES` sets another number.
pub(super) fn histories(usual: u64) -> ProptestConfig {
    let cases = u32::try_from(crate::run_size("OBOL_TEST_HISTORIES", usual)).expect("a reasonable number");
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The numbers that decide what happens.
struct Dice(std::vec::IntoIter<u64>);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.next().unwrap_or(0) % limit
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == times - 1
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(usize::try_from(self.below(from.len().max(1) as u64)).ok()?)
    }
}

/// An entry of the log.
struct Entry {
    what: Target,
    /// When each node has applied it.
    applied: [u64; 3],
}

#[derive(Clone)]
struct Issued {
    name: String,
    client: String,
    user: Option<String>,
    family: Option<usize>,
    /// How far the issuing node had applied the log.
    position: usize,
    known_at: u64,
    expires_at: Option<u64>,
}

struct Family {
    name: String,
    first: Issued,
    generation: u64,
    replaced_at: u64,
    /// Refresh tokens that a client knows, and from when on.
    known: Vec<(u64, u64)>,
}

pub(super) struct Cluster {
    dice: Dice,
    now: u64,
    log: Vec<Entry>,
    tokens: Vec<Issued>,
    families: Vec<Family>,
    disabled: HashMap<String, bool>,
    /// It waits for nobody.
    hasty: bool,
    pub(super) events: Vec<Event>,
}

/// When a call was sent and arrived, and the node.
struct Call {
    sent: u64,
    arrived: u64,
    node: usize,
}

impl Cluster {
    pub(super) fn run(rolls: Vec<u64>) -> Self {
        Self::new(rolls).live()
    }

    fn new(rolls: Vec<u64>) -> Self {
        Self {
            dice: Dice(rolls.into_iter()),
            now: 1_000,
            log: Vec::new(),
            tokens: Vec::new(),
            families: Vec::new(),
            disabled: HashMap::new(),
            hasty: false,
            events: Vec::new(),
        }
    }

    fn live(mut self) -> Self {
        while self.dice.0.len() > 0 {
            let pause = [0, 1, 20, 200, 3_000][self.dice.below(5) as usize];
            self.now += self.dice.below(pause + 1);
            match self.dice.below(16) {
                0 | 1 => self.issue(),
                2 | 3 => self.begin_family(),
                4..=6 => self.refresh(),
                7 | 8 => self.revoke(),
                9 if self.dice.once_in(3) => self.disable_or_enable(),
                _ => self.verify(),
            }
        }
        self
    }

    /// A call that takes effect now, and was not sent before what it names was known.
    fn call(&mut self, known_at: u64) -> Call {
        let (travelled, waited) = (self.dice.below(300), self.dice.below(300));
        let arrived = self.now.saturating_sub(waited).max(known_at);
        let node = self.dice.below(3) as usize;
        Call { sent: arrived.saturating_sub(travelled).max(known_at), arrived, node }
    }

    fn answered(&mut self) -> u64 {
        self.now + self.dice.below(300)
    }

    fn record(&mut self, call: &Call, answered: u64, operation: Operation) {
        let (called, answered) = (ms(call.sent), ms(answered.max(call.sent)));
        self.events.push(Event { called, node: NODES[call.node].into(), operation, answered });
    }

    fn account(&mut self, kind: &str) -> String {
        format!("{kind}{}", self.dice.below(3))
    }

    fn position(&self, node: usize, at: u64) -> usize {
        self.log.partition_point(|entry| entry.applied[node] <= at)
    }

    /// Writes to the log now; gives the time at which every node has applied it.
    fn append(&mut self, what: Target) -> u64 {
        let before = self.log.last().map_or([0; 3], |entry| entry.applied);
        let applied = before.map(|before| before.max(self.now + self.dice.below(LEASE + 1)));
        self.log.push(Entry { what, applied });
        if self.hasty { self.now } else { applied.into_iter().max().unwrap_or(0) }
    }

    fn covers(&self, entry: usize, issued: &Issued) -> bool {
        let family = issued.family.map(|family| self.families[family].name.as_str());
        let later = entry >= issued.position;
        match &self.log[entry].what {
            Target::Token(name) => **name == *issued.name,
            Target::Family(name) => Some(&**name) == family,
            Target::User(name) => later && Some(&**name) == issued.user.as_deref(),
            Target::Client(name) => later && **name == *issued.client,
            Target::UserAtClient(user, client) => {
                later && Some(&**user) == issued.user.as_deref() && **client == *issued.client
            }
            Target::Everything => later,
        }
    }

    fn is_denied(&self, issued: &Issued, applied: usize) -> bool {
        (0..applied).any(|entry| self.covers(entry, issued))
    }

    fn is_disabled(&self, account: &str) -> bool {
        self.disabled.get(account).copied().unwrap_or(false)
    }

    /// A client's token for itself: the node asks nobody.
    fn issue(&mut self) {
        let call = self.call(0);
        let client = self.account("c");
        let position = self.position(call.node, call.arrived);
        let answered = self.answered();
        // What the node has not learned yet, it does not know: the token is born before the denial.
        let known = (0..position).any(|entry| self.log[entry].what == Target::Client((*client).into()));
        let outcome = if self.is_disabled(&client) && known {
            Outcome::Refused
        } else if self.dice.once_in(20) {
            Outcome::Unknown
        } else {
            let name = format!("t{}", self.events.len());
            let expires_at = self.dice.once_in(4).then(|| answered + 5_000);
            let issued =
                Issued { name, client, user: None, family: None, position, known_at: answered, expires_at };
            self.tokens.push(issued.clone());
            Outcome::Done(Box::new(self.grant(&issued, None)))
        };
        self.record(&call, answered, Operation::Issue { outcome });
    }

    fn grant(&self, issued: &Issued, refresh: Option<String>) -> Grant {
        Grant {
            access: (*issued.name).into(),
            refresh: refresh.map(Name::from),
            family: issued.family.map(|family| (*self.families[family].name).into()),
            client: (*issued.client).into(),
            user: issued.user.as_deref().map(Name::from),
            expires_at: issued.expires_at.map(ms),
        }
    }

    /// A sign-in: begins in the store, unless something that covers it was written after its position.
    fn begin_family(&mut self) {
        let call = self.call(0);
        let (client, user) = (self.account("c"), self.account("u"));
        let position = self.position(call.node, call.arrived);
        let (at, answered) = (self.families.len(), self.answered());
        let name = format!("f{at}");
        let first = Issued {
            name: format!("{name}.0"),
            client,
            user: Some(user),
            family: None,
            position,
            known_at: answered,
            expires_at: None,
        };
        let gone = self.is_disabled(&first.client)
            || self.is_disabled(first.user.as_deref().unwrap_or_default())
            || self.is_denied(&first, self.log.len());
        let outcome = if gone {
            Outcome::Refused
        } else {
            let first = Issued { family: Some(at), ..first };
            let known = vec![(0, answered)];
            let family = Family { name, first: first.clone(), generation: 0, replaced_at: 0, known };
            self.families.push(family);
            self.tokens.push(first.clone());
            Outcome::Done(Box::new(self.grant(&first, Some(format!("f{at}.r0")))))
        };
        self.record(&call, answered, Operation::Issue { outcome });
    }

    fn refresh(&mut self) {
        let family = self.dice.below(self.families.len().max(1) as u64) as usize;
        let Some(known) = self.families.get(family).map(|family| family.known.clone()) else { return };
        // Mostly the newest.
        let newest = known.last().copied();
        let chosen = if self.dice.once_in(4) { self.dice.pick(&known).copied() } else { newest };
        let Some((generation, known_at)) = chosen.filter(|(_, known_at)| *known_at <= self.now) else {
            return;
        };
        let call = self.call(known_at);
        let lost = self.dice.once_in(10);
        let (mut answered, mut outcome) = (self.answered(), Outcome::Refused);
        let found = &self.families[family];
        let current = found.generation == generation;
        let previous = found.generation == generation + 1 && self.now < found.replaced_at + GRACE;
        if !self.is_denied(&found.first, self.log.len()) {
            if current || previous {
                outcome = self.rotate(family, generation, &call, answered, current, lost);
            } else {
                let name = (*self.families[family].name).into();
                answered = answered.max(self.append(Target::Family(name)));
            }
        }
        if lost {
            (answered, outcome) = (call.sent.max(self.now.saturating_sub(50)), Outcome::Unknown);
        }
        let presented = format!("f{family}.r{generation}").into();
        self.record(&call, answered, Operation::Exchange { presented, expires_at: None, outcome });
    }

    fn rotate(
        &mut self,
        family: usize,
        generation: u64,
        call: &Call,
        answered: u64,
        current: bool,
        lost: bool,
    ) -> Outcome<Box<Grant>> {
        let name = format!("f{family}.{}", generation + 1);
        let position = self.position(call.node, call.arrived);
        if current {
            let first = self.families[family].first.clone();
            self.tokens.push(Issued { name: name.clone(), position, known_at: u64::MAX, ..first });
            self.families[family].generation = generation + 1;
            self.families[family].replaced_at = self.now;
        }
        let token = self.tokens.iter_mut().find(|token| token.name == name).expect("it was given");
        if !lost {
            token.known_at = token.known_at.min(answered);
            let issued = token.clone();
            let known = &mut self.families[family].known;
            if known.iter().all(|(known, _)| *known != generation + 1) {
                known.push((generation + 1, answered));
            }
            return Outcome::Done(Box::new(
                self.grant(&issued, Some(format!("f{family}.r{}", generation + 1))),
            ));
        }
        Outcome::Unknown
    }

    fn verify(&mut self) {
        let known: Vec<usize> =
            (0..self.tokens.len()).filter(|at| self.tokens[*at].known_at <= self.now).collect();
        let Some(token) = self.dice.pick(&known).map(|at| self.tokens[*at].clone()) else { return };
        let call = self.call(token.known_at);
        let answered = self.answered();
        // The nodes' clocks differ a little.
        let expired = token.expires_at.is_some_and(|at| self.now + 400 * call.node as u64 >= at);
        let denied = self.is_denied(&token, self.position(call.node, self.now));
        let outcome = match (self.dice.once_in(20), expired || denied) {
            (true, _) => LOST,
            (false, true) => NO,
            (false, false) => YES,
        };
        self.record(&call, answered, Operation::Verify { token: (*token.name).into(), outcome });
    }

    fn revoke(&mut self) {
        let Some(token) = self.dice.pick(&self.tokens).cloned().filter(|token| token.known_at <= self.now)
        else {
            return;
        };
        let family = token.family.map(|family| Name::from(&*self.families[family].name));
        let user = token.user.as_deref().map(Name::from);
        let client = Name::from(&*token.client);
        let what = match self.dice.below(24) {
            0 if self.dice.once_in(4) => Target::Everything,
            1 => Target::Client(client),
            2 => user.map_or(Target::Everything, Target::User),
            3 => user.map_or(Target::Everything, |user| Target::UserAtClient(user, client)),
            _ => family.map_or(Target::Token((*token.name).into()), Target::Family),
        };
        let named_by_token = matches!(what, Target::Family(_)) && self.dice.once_in(2);
        let call = self.call(token.known_at);
        let (answered, outcome) = self.change(&call, |cluster| cluster.append(what.clone()));
        let what = if named_by_token { Target::Token((*token.name).into()) } else { what };
        self.record(&call, answered, Operation::Revoke { what, outcome });
    }

    /// Makes a change that is acknowledged, or unknown and made, or unknown and not made.
    fn change(&mut self, call: &Call, change: impl FnOnce(&mut Self) -> u64) -> (u64, Outcome) {
        let answered = self.answered();
        match self.dice.below(6) {
            0 => (answered, LOST),
            // It is made up to the margin after the caller was told that it is not known.
            1 => {
                change(self);
                (call.sent.max(self.now.saturating_sub(self.dice.below(100))), LOST)
            }
            _ => (answered.max(change(self)), YES),
        }
    }

    fn disable_or_enable(&mut self) {
        let call = self.call(0);
        let user = self.dice.once_in(2);
        let name = self.account(if user { "u" } else { "c" });
        let who = if user { Account::User((*name).into()) } else { Account::Client((*name).into()) };
        let disable = !self.is_disabled(&name);
        let target = if user { Target::User((*name).into()) } else { Target::Client((*name).into()) };
        let (answered, outcome) = self.change(&call, |cluster| {
            cluster.disabled.insert(name, disable);
            if disable { cluster.append(target) } else { cluster.now + LEASE }
        });
        let operation =
            if disable { Operation::Disable { who, outcome } } else { Operation::Enable { who, outcome } };
        self.record(&call, answered, operation);
    }
}
