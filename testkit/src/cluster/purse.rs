//! The tokens that were given, those that have ended included: what has ended is asked about again and again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Cluster;
use crate::checker::{Account, Name};
use crate::{Chance, Client};

/// A bounded number of access tokens and families, picked and replaced by chance. Threads may share it.
#[derive(Default)]
pub struct Purse {
    tokens: Mutex<Vec<Held>>,
    families: Mutex<Vec<FamilyHeld>>,
}

/// To whom a token was given: an index into the cluster's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Service(usize),
    App(usize, usize),
}

/// An access token.
#[derive(Debug, Clone)]
pub struct Held {
    pub(super) token: Name,
    pub(super) owner: Owner,
}

/// A family, with its newest refresh token as far as this holder knows.
#[derive(Debug, Clone)]
pub struct FamilyHeld {
    pub(super) name: Name,
    pub(super) owner: Owner,
    pub(super) newest: Name,
    pub(super) replaced: Option<Name>,
}

impl Owner {
    pub(super) fn client(self, cluster: &Cluster) -> &Client {
        match self {
            Self::Service(at) => &cluster.services()[at],
            Self::App(at, _) => &cluster.apps()[at],
        }
    }

    pub(super) fn person(self, cluster: &Cluster) -> Option<&str> {
        match self {
            Self::Service(_) => None,
            Self::App(_, person) => Some(&cluster.people()[person].name),
        }
    }

    fn is_of(self, account: &Account, cluster: &Cluster) -> bool {
        match account {
            Account::User(name) => self.person(cluster) == Some(&**name),
            Account::Client(id) => self.client(cluster).id == **id,
        }
    }
}

impl Purse {
    const TOKENS: usize = 400;
    const FAMILIES: usize = 60;

    pub(super) fn put(&self, held: Held, chance: &mut Chance) {
        put(&mut locked(&self.tokens), held, Self::TOKENS, chance);
    }

    pub(super) fn put_family(&self, family: FamilyHeld, chance: &mut Chance) {
        put(&mut locked(&self.families), family, Self::FAMILIES, chance);
    }

    pub(super) fn pick(&self, chance: &mut Chance) -> Option<Held> {
        let tokens = locked(&self.tokens);
        (!tokens.is_empty()).then(|| chance.pick(&tokens).clone())
    }

    /// A family that others may pick as well.
    pub(super) fn pick_family(&self, chance: &mut Chance) -> Option<FamilyHeld> {
        let families = locked(&self.families);
        (!families.is_empty()).then(|| chance.pick(&families).clone())
    }

    /// A family that nobody else has until it is put back.
    pub(super) fn take_family(&self, chance: &mut Chance) -> Option<FamilyHeld> {
        let mut families = locked(&self.families);
        (!families.is_empty()).then(|| {
            let at = chance.index(families.len());
            families.swap_remove(at)
        })
    }

    /// Some tokens of a person or client.
    pub(super) fn of_account(&self, account: &Account, cluster: &Cluster, most: usize) -> Vec<Held> {
        let tokens = locked(&self.tokens);
        let own = tokens.iter().rev().filter(|held| held.owner.is_of(account, cluster));
        own.take(most).cloned().collect()
    }
}

fn put<T>(things: &mut Vec<T>, thing: T, most: usize, chance: &mut Chance) {
    match things.len() < most {
        true => things.push(thing),
        false => {
            let at = chance.index(most);
            things[at] = thing;
        }
    }
}

fn locked<T>(things: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    things.lock().unwrap_or_else(PoisonError::into_inner)
}
