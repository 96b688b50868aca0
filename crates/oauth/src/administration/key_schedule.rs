//! Signing keys change by themselves, so that no key signs for ever and nobody has to think of it.
//!
//! Who verifies offline keeps the key set for as long as its answer says. So a new key is published for that long before it
//! signs, and an old one stays published until what it has signed is over. Every node does this on its own; the store lets
//! each step happen once.

use obol_replica::{NotConfirmed, Replica, Stale};
use obol_store::{Appended, Store, StoreError};
use obol_token::{Expiry, KeyId, KeyKind, Timestamp};

use super::keys::{
    KeyState, LATE_SECS, ListedKey, RetireKeyError, RotateKeyError, WaitingKey, begin_rotation,
    finish_rotation, list_keys, retire_key,
};

/// When signing keys change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySchedule {
    /// How long a key signs, in seconds; `None`: until an operator says otherwise.
    pub signs_for_secs: Option<i64>,
    /// For how long the key set may be kept by who has asked for it, in seconds.
    pub key_set_max_age_secs: u32,
}

/// Something that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A key of this kind is to be published.
    Add(KeyKind),
    /// This key has been published for long enough to sign.
    Promote(KeyId),
    /// All that this key has signed is over.
    Retire(KeyId),
}

/// A step that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// What.
    pub step: Step,
    /// The key that it was about.
    pub key: KeyId,
    /// Its entry.
    pub appended: Appended,
}

/// Why a step was not taken; it stays due.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// This node cannot vouch.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// It is not known whether every node has the new key.
    #[error(transparent)]
    NotConfirmed(#[from] NotConfirmed),
    /// The key could not be added or promoted.
    #[error(transparent)]
    Rotate(#[from] RotateKeyError),
    /// The key could not be retired.
    #[error(transparent)]
    Retire(#[from] RetireKeyError),
}

impl KeySchedule {
    /// From when on a key that waits may sign.
    pub fn may_sign_at(&self, key: &ListedKey) -> Timestamp {
        key.created_at.plus_secs(i64::from(self.key_set_max_age_secs) + LATE_SECS)
    }

    /// What is due at `now`.
    pub fn decide_steps(&self, keys: &[ListedKey], now: Timestamp) -> Vec<Step> {
        let mut due = Vec::new();
        for kind in KeyKind::SIGNING {
            let of = |state| keys.iter().filter(move |key| key.kind == kind && key.state == state);
            match (of(KeyState::Waits).next(), of(KeyState::InUse).next()) {
                (Some(waits), _) if now.has_reached(self.may_sign_at(waits)) => {
                    due.push(Step::Promote(waits.id))
                }
                (None, Some(in_use)) if self.has_signed_enough(in_use, now) => due.push(Step::Add(kind)),
                _ => {}
            }
            if self.signs_for_secs.is_some() {
                let over =
                    |key: &&ListedKey| key.tokens_until.is_some_and(|until: Expiry| until.is_over(now));
                due.extend(of(KeyState::Kept).filter(over).map(|key| Step::Retire(key.id)));
            }
        }
        due
    }

    /// Whether its successor has to be published now, to sign when its time is over.
    fn has_signed_enough(&self, key: &ListedKey, now: Timestamp) -> bool {
        let ahead = i64::from(self.key_set_max_age_secs) + LATE_SECS;
        let until =
            self.signs_for_secs.zip(key.in_use_since).map(|(secs, since)| since.plus_secs(secs - ahead));
        until.is_some_and(|until| now.has_reached(until))
    }
}

/// What is due at this node's present time.
///
/// # Errors
/// [`StoreError`]
pub async fn steps_due(
    replica: &Replica,
    store: &dyn Store,
    schedule: &KeySchedule,
) -> Result<Vec<Step>, StoreError> {
    Ok(schedule.decide_steps(&list_keys(store).await?, replica.now().0))
}

/// Takes one step; `None` if another node was faster, or this one has yet to read of the key.
///
/// # Errors
/// [`StepError`]
pub async fn take_step(replica: &Replica, store: &dyn Store, step: Step) -> Result<Option<Taken>, StepError> {
    let now = replica.now().0;
    let taken = match step {
        Step::Add(kind) => {
            let key = begin_rotation(replica.vouch()?.memory(), store, kind, now).await?;
            (!key.from_before).then_some((key.id, key.appended))
        }
        Step::Promote(id) => {
            let Some(appended) = replica.vouch()?.memory().told_of_key(id) else { return Ok(None) };
            let everywhere = replica.confirm(appended).await?;
            let waiting = WaitingKey { id, appended, from_before: true };
            Some((id, finish_rotation(store, waiting, everywhere, now).await?))
        }
        Step::Retire(id) => Some((id, retire_key(store, id, now).await?)),
    };
    Ok(taken.map(|(key, appended)| Taken { step, key, appended }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const DAY_SECS: i64 = 86_400;
    const SCHEDULE: KeySchedule =
        KeySchedule { signs_for_secs: Some(90 * DAY_SECS), key_set_max_age_secs: 3_600 };
    const BY_COMMAND: KeySchedule = KeySchedule { signs_for_secs: None, ..SCHEDULE };

    fn key(number: u8, state: KeyState, began_secs_ago: i64) -> ListedKey {
        let began = NOW.plus_secs(-began_secs_ago);
        ListedKey {
            id: KeyId::from_bytes([number; 4]),
            kind: KeyKind::EcP256,
            state,
            created_at: began,
            in_use_since: (state != KeyState::Waits).then_some(began),
            tokens_until: None,
            retired_at: None,
        }
    }

    #[test]
    fn the_next_key_is_published_before_the_one_in_use_has_signed_for_its_time() {
        for (ago, due) in [(0, false), (90 * DAY_SECS - 3_721, false), (90 * DAY_SECS - 3_720, true)] {
            let steps = SCHEDULE.decide_steps(&[key(1, KeyState::InUse, ago)], NOW);
            assert_eq!(steps == [Step::Add(KeyKind::EcP256)], due, "{ago}: {steps:?}");
        }
        assert_eq!(BY_COMMAND.decide_steps(&[key(1, KeyState::InUse, 9_000 * DAY_SECS)], NOW), []);
    }

    #[test]
    fn a_key_signs_when_who_keeps_the_key_set_must_have_asked_again() {
        let in_use = key(1, KeyState::InUse, 900 * DAY_SECS);
        for schedule in [SCHEDULE, BY_COMMAND] {
            for (ago, due) in [(0, false), (3_719, false), (3_720, true), (9 * DAY_SECS, true)] {
                let waits = key(2, KeyState::Waits, ago);
                let steps = schedule.decide_steps(&[in_use, waits], NOW);
                let expected = if due { vec![Step::Promote(waits.id)] } else { Vec::new() };
                assert_eq!(steps, expected, "one waits already, so no other is added: {ago}");
            }
        }
    }

    #[test]
    fn an_old_key_stays_until_all_that_it_has_signed_is_over() {
        let in_use = key(2, KeyState::InUse, DAY_SECS);
        let kept = |until| ListedKey { tokens_until: Some(until), ..key(1, KeyState::Kept, 2 * DAY_SECS) };
        for (until, due) in
            [(Expiry::At(NOW.plus_secs(1)), false), (Expiry::At(NOW), true), (Expiry::Never, false)]
        {
            let steps = SCHEDULE.decide_steps(&[kept(until), in_use], NOW);
            assert_eq!(steps == [Step::Retire(kept(until).id)], due, "{until:?}: {steps:?}");
            assert_eq!(BY_COMMAND.decide_steps(&[kept(until), in_use], NOW), []);
        }
    }

    #[test]
    fn sealing_keys_have_no_schedule_and_kinds_do_not_touch_each_other() {
        let of = |kind, key: ListedKey| ListedKey { kind, ..key };
        let old = key(1, KeyState::InUse, 900 * DAY_SECS);
        assert_eq!(SCHEDULE.decide_steps(&[of(KeyKind::Sealing, old)], NOW), []);
        let keys = [of(KeyKind::Rsa, old), old, of(KeyKind::Rsa, key(2, KeyState::Waits, 0))];
        assert_eq!(SCHEDULE.decide_steps(&keys, NOW), [Step::Add(KeyKind::EcP256)]);
    }
}
