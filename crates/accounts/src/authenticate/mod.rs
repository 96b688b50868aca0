//! Who somebody is, by name and password, without saying anything to somebody who guesses.
//!
//! 1. The name is folded and the person looked up. A name that cannot exist, or a realm that is not here, costs the same
//!    look-up.
//! 2. A thread of the pool takes one try from the name's free ones and makes one Argon2 check: against the person's
//!    hash, or against a decoy where nobody is found or the name is locked.
//! 3. Only then is it decided. Every refusal of credentials is the same to the outside; its [`Reason`] is for the audit.
//!
//! Names of people and names that nobody has are counted in two tables of fixed size, so that inventing names can
//! neither push a count out nor lock a person.

mod desk;
mod refused;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use obol_keys::PlainPassword;
use obol_store::{User, Username, Users};
use obol_token::{SubjectId, Timestamp};

pub use self::refused::{Reason, Refused};

use self::desk::{Against, Desk, Verdict};
use crate::pool::{HashPool, PoolSize};

/// The realm of the people in obol's own store. An absent or empty realm means it as well.
pub const LOCAL_REALM: &str = "local";

/// A person who has shown the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Never given out again.
    pub subject: SubjectId,
    /// The name in its one spelling.
    pub username: Username,
}

/// Checks passwords of people. One for the whole process: it counts the wrong ones.
pub struct PasswordCheck {
    users: Arc<dyn Users>,
    pool: HashPool,
    desk: Arc<Desk>,
    /// A name that is looked up where the one given cannot be one.
    nobody: Username,
}

impl PasswordCheck {
    /// Starts the threads of the pool.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(users: Arc<dyn Users>, size: PoolSize) -> io::Result<Self> {
        let nobody = "-".parse().map_err(io::Error::other)?;
        Ok(Self { users, pool: HashPool::start(size)?, desk: Arc::new(Desk::new()), nobody })
    }

    /// Who has this name and password. Ten wrong passwords in a row are free, then each waits for a growing delay
    /// ([`obol_keys::GuessPolicy::default`]), counted by folded name and for names that nobody has as well.
    ///
    /// `now` serves the delays only; a clock that nobody sets (`CLOCK_BOOTTIME`) makes them proof against a wall clock
    /// set forward. A token for the person should carry a log position read **before** this call: then a
    /// password changed meanwhile ends it too.
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn check_password(
        &self,
        username: &str,
        password: PlainPassword,
        realm: Option<&str>,
        now: Timestamp,
    ) -> Result<Person, Refused> {
        let name = username.parse::<Username>();
        let found = self.users.find_user(name.as_ref().unwrap_or(&self.nobody)).await?;
        let asked = match (is_local(realm), name.is_ok(), found) {
            (true, true, Some(user)) => Ok(user),
            (true, ..) => Err(Reason::UnknownUser),
            (false, ..) => Err(Reason::UnknownRealm),
        };
        let against = match &asked {
            Ok(user) => Against::Person(user.clone()),
            Err(_) => Against::Nobody { folded_name: username.to_ascii_lowercase() },
        };
        let desk = Arc::clone(&self.desk);
        let verdict = self.pool.run(move || desk.check(&against, &password, now)).await??;
        match (verdict, asked) {
            (Verdict::Locked, _) => Err(refused(Reason::Locked)),
            (_, Err(reason)) => Err(refused(reason)),
            (_, Ok(user)) if !user.enabled => Err(refused(Reason::Disabled)),
            (Verdict::Wrong, Ok(_)) => Err(refused(Reason::WrongPassword)),
            (Verdict::Right, Ok(user)) => self.confirm_unchanged(user).await,
        }
    }

    /// How many Argon2 checks were made since the start: exactly one for every answer but [`Refused::Busy`] and
    /// [`Refused::Unavailable`].
    pub fn checks_made(&self) -> u64 {
        self.desk.checks_made()
    }

    /// The check may have waited for seconds: the person must still be there, enabled, with the same password.
    async fn confirm_unchanged(&self, user: User) -> Result<Person, Refused> {
        match self.users.find_user(&user.username).await? {
            None => Err(refused(Reason::UnknownUser)),
            Some(at_present) if !at_present.enabled => Err(refused(Reason::Disabled)),
            Some(at_present) if at_present.password != user.password => Err(refused(Reason::WrongPassword)),
            Some(_) => Ok(Person { subject: user.id, username: user.username }),
        }
    }
}

fn is_local(realm: Option<&str>) -> bool {
    matches!(realm, None | Some("" | LOCAL_REALM))
}

fn refused(reason: Reason) -> Refused {
    Refused::Credentials { reason }
}
