//! What a thread of the pool does with one password.

use std::sync::atomic::{AtomicU64, Ordering};

use obol_keys::{GuessPolicy, Guesses, PasswordHashError, PlainPassword};
use obol_store::User;
use obol_token::Timestamp;

/// What the threads share: the counts of wrong guesses, and the decoy.
pub(super) struct Desk {
    people: Guesses,
    strangers: Guesses,
    decoy: String,
    checks_made: AtomicU64,
}

/// What a password is checked against.
pub(super) enum Against {
    /// This person's hash.
    Person(User),
    /// The decoy.
    Nobody {
        /// The name as given, in lower case.
        folded_name: String,
    },
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    Locked,
}

impl Desk {
    pub(super) fn new() -> Self {
        let guesses = || Guesses::new(GuessPolicy::default(), Guesses::SLOTS);
        Self {
            people: guesses(),
            strangers: guesses(),
            decoy: obol_keys::decoy_hash(),
            checks_made: AtomicU64::new(0),
        }
    }

    /// One Argon2 check, whatever comes of it. The try is counted as wrong before the check begins: so parallel
    /// guesses cannot outnumber the limit, and no more tries are open at once than the pool has threads.
    pub(super) fn check(
        &self,
        against: &Against,
        password: &PlainPassword,
        now: Timestamp,
    ) -> Result<Verdict, PasswordHashError> {
        let (guesses, name, phc) = match against {
            Against::Person(user) => (&self.people, user.username.as_str(), user.password.as_phc()),
            Against::Nobody { folded_name } => (&self.strangers, folded_name.as_str(), self.decoy.as_str()),
        };
        let Ok(attempt) = guesses.begin_try(name, now) else {
            return self.argon2(password, &self.decoy).map(|_| Verdict::Locked);
        };
        match self.argon2(password, phc)? {
            true => {
                attempt.succeeded();
                Ok(Verdict::Right)
            }
            false => Ok(Verdict::Wrong),
        }
    }

    pub(super) fn checks_made(&self) -> u64 {
        self.checks_made.load(Ordering::Relaxed)
    }

    fn argon2(&self, password: &PlainPassword, phc: &str) -> Result<bool, PasswordHashError> {
        self.checks_made.fetch_add(1, Ordering::Relaxed);
        obol_keys::check_password(password, phc)
    }
}

#[cfg(test)]
mod tests {
    use obol_keys::hash_password;
    use obol_store::{PasswordHash, Profile};
    use obol_token::SubjectId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn plain(text: &str) -> PlainPassword {
        PlainPassword::new(text.to_owned()).unwrap()
    }

    fn alice() -> Against {
        Against::Person(User {
            id: SubjectId::from_bytes([1; 16]),
            username: "alice".parse().unwrap(),
            email: None,
            profile: Profile::default(),
            password: PasswordHash::from_phc(&hash_password(&plain("correct horse")).unwrap()),
            enabled: true,
            created_at: NOW,
        })
    }

    /// A wrong try each for more invented names than there are slots, many times over.
    fn invent_names(desk: &Desk) {
        (0..1_000_000).for_each(|name| desk.strangers.failed(&name, NOW));
    }

    #[test]
    fn r_43_inventing_names_neither_locks_nor_unlocks_a_person() {
        let (desk, alice) = (Desk::new(), alice());
        invent_names(&desk);
        assert_eq!(desk.check(&alice, &plain("correct horse"), NOW), Ok(Verdict::Right));

        (0..10).for_each(|_| desk.people.failed("alice", NOW));
        invent_names(&desk);
        assert_eq!(desk.check(&alice, &plain("correct horse"), NOW), Ok(Verdict::Locked));
    }

    #[test]
    fn r_43_a_locked_name_that_nobody_has_stays_locked_when_names_are_invented() {
        let (desk, nobody) = (Desk::new(), Against::Nobody { folded_name: "nobody".to_owned() });
        (0..10).for_each(|_| desk.strangers.failed("nobody", NOW));
        invent_names(&desk);
        assert_eq!(desk.check(&nobody, &plain("x"), NOW), Ok(Verdict::Locked));
    }
}
