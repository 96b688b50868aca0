//! `obol doctor`: whether an installation is sound, and what to do where it is not.

use obol_oauth::administration::{KeyState, ListedKey, list_keys};
use obol_replica::{Clock, OnStale, SystemClock};
use obol_store::WaitingNotices;
use obol_token::Timestamp;
use serde::Serialize;

use crate::config::Settings;
use crate::failure::{End, Failure};
use crate::installation::Installation;
use crate::output::{Answer, Output, table};

const HELP: &str = "\
Looks, and changes nothing. The exit code is 1 when something is wrong; a warning leaves it at 0.

Example:
  obol doctor --database-url postgres://obol@db/obol --json";

/// Takes the options of every command only.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct DoctorArgs {}

/// Looks at the installation.
///
/// # Errors
/// When the store cannot be opened.
pub(crate) fn run(settings: &Settings, output: Output) -> Result<End, Failure> {
    Installation::visit(settings, async |installation| {
        let report = Report { checks: examine(installation).await };
        output.show(&report)?;
        Ok(if report.is_sound() { End::Done } else { End::Refused })
    })
}

async fn examine(installation: &Installation) -> Vec<Check> {
    let store = installation.store();
    let mut checks = Vec::new();
    checks.push(match installation.load_memory().await {
        Ok(memory) => {
            let position = memory.applied();
            let denials = memory.deny_list().len();
            Check::sound("change log", format!("read up to position {position}; {denials} live denials"))
        }
        Err(error) => Check::wrong("change log", format!("{error:#}")),
    });
    checks.push(match list_keys(store).await {
        Ok(keys) => examine_keys(&keys),
        Err(error) => Check::wrong("sealing keys", error.to_string()),
    });
    checks.push(match store.weaknesses().await {
        Ok(weaknesses) if weaknesses.is_empty() => {
            Check::sound("promise", "what the store acknowledges is on stable storage".to_owned())
        }
        Ok(weaknesses) => Check::wrong("promise", format!("not held: {}", weaknesses.join("; "))),
        Err(error) => Check::wrong("promise", error.to_string()),
    });
    checks.extend(examine_policy(installation.on_stale()));
    checks.push(match store.swept_through().await {
        Ok(swept_through) => {
            let behind_secs = SystemClock.wall().secs_until(swept_through);
            match behind_secs > 0 {
                true => Check::wrong(
                    "clock",
                    format!(
                        "this machine's clock is {behind_secs} s behind the latest removal; set it right"
                    ),
                ),
                false => Check::sound("clock", "not behind what was removed by it".to_owned()),
            }
        }
        Err(error) => Check::wrong("clock", error.to_string()),
    });
    match store.live_peers(None).await {
        Ok(peers) if peers.is_empty() => {
            checks.push(Check::sound("nodes", "no server is running".to_owned()));
        }
        Ok(peers) => checks.extend(peers.iter().map(|peer| {
            let said = format!(
                "applied up to {}, may vouch for at most {} ms",
                peer.applied,
                peer.lease_left.as_millis()
            );
            Check::sound(&format!("node {}", peer.node), said)
        })),
        Err(error) => checks.push(Check::wrong("nodes", error.to_string())),
    }
    match store.count_notices().await {
        Ok(waiting) if waiting.is_empty() => {
            checks.push(Check::sound("logouts", "no client has yet to be told of one".to_owned()));
        }
        Ok(waiting) => {
            checks.extend(waiting.iter().map(|waiting| examine_notices(waiting, installation.now)))
        }
        Err(error) => checks.push(Check::wrong("logouts", error.to_string())),
    }
    checks
}

/// A client that does not answer is no defect of this installation.
fn examine_notices(waiting: &WaitingNotices, now: Timestamp) -> Check {
    let (name, oldest_secs) =
        (format!("logouts, {}", waiting.client_id), waiting.oldest_ended_at.secs_until(now));
    let said = format!("has yet to be told of {}, the oldest {oldest_secs} s ago", waiting.count);
    match &waiting.failure {
        None => Check::sound(&name, said),
        Some(failure) => {
            let tries = waiting.most_tries;
            Check::warned(&name, format!("{said}; tried up to {tries} times, last: {failure}"))
        }
    }
}

/// What an operator has chosen knowingly is no defect.
fn examine_policy(on_stale: OnStale) -> Option<Check> {
    on_stale
        .weakness()
        .map(|weakness| Check::warned("policy", format!("the promise is not held: {weakness}")))
}

fn examine_keys(keys: &[ListedKey]) -> Check {
    let keys: Vec<_> = keys.iter().filter(|key| !key.kind.signs()).collect();
    let of = |state| keys.iter().filter(move |key| key.state == state);
    let (seals, open) = (of(KeyState::InUse).next(), of(KeyState::Kept).count());
    match (seals, of(KeyState::Waits).next()) {
        (None, _) if keys.is_empty() => {
            Check::sound("sealing keys", "none yet: the first start of a server makes one".to_owned())
        }
        (None, _) => {
            let said = "none seals, so nothing can be issued: run `obol keys rotate`";
            Check::wrong("sealing keys", said.to_owned())
        }
        (Some(_), Some(waits)) => {
            let said = format!(
                "a rotation is under way, or was cut off: {} waits; `obol keys rotate` goes on",
                waits.id
            );
            Check::sound("sealing keys", said)
        }
        (Some(seals), None) => Check::sound(
            "sealing keys",
            format!("{} seals; {open} more open what they have sealed", seals.id),
        ),
    }
}

#[derive(Serialize)]
struct Report {
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: String,
    said: String,
    sound: bool,
    /// What is sound, and yet to be known.
    warning: bool,
}

impl Check {
    fn sound(name: &str, said: String) -> Self {
        Self { name: name.to_owned(), said, sound: true, warning: false }
    }

    fn warned(name: &str, said: String) -> Self {
        Self { warning: true, ..Self::sound(name, said) }
    }

    fn wrong(name: &str, said: String) -> Self {
        Self { sound: false, ..Self::sound(name, said) }
    }
}

impl Report {
    fn is_sound(&self) -> bool {
        self.checks.iter().all(|check| check.sound)
    }
}

impl Answer for Report {
    fn text(&self) -> String {
        let row = |check: &Check| {
            let verdict = match (check.sound, check.warning) {
                (true, false) => "ok",
                (true, true) => "WARNING",
                (false, _) => "WRONG",
            };
            vec![verdict.to_owned(), check.name.clone(), check.said.clone()]
        };
        table(&["", "what", "found"], self.checks.iter().map(row))
    }
}

#[cfg(test)]
mod tests {
    use obol_token::{ClientId, KeyId, KeyKind};

    use super::*;

    #[test]
    fn what_is_said_of_sealing_keys_names_what_to_do() {
        let key = |number, state| ListedKey {
            id: KeyId::from_bytes([number; 4]),
            kind: KeyKind::Sealing,
            state,
            created_at: Timestamp::from_secs(0),
            in_use_since: None,
            tokens_until: None,
            retired_at: None,
        };
        let (seals, opens) = (key(1, KeyState::InUse), key(2, KeyState::Kept));
        for (keys, sound, words) in [
            (vec![], true, "first start"),
            (vec![seals, opens], true, "01010101 seals; 1 more"),
            (vec![seals, key(3, KeyState::Waits)], true, "03030303 waits"),
            (vec![opens, key(3, KeyState::Waits)], false, "obol keys rotate"),
        ] {
            let check = examine_keys(&keys);
            assert!(check.sound == sound && check.said.contains(words), "{}", check.said);
        }
    }

    #[test]
    fn a_client_that_cannot_be_told_of_logouts_is_a_warning_that_names_it_and_why() {
        let waiting = |failure: Option<&str>| WaitingNotices {
            client_id: ClientId::new("wiki").unwrap(),
            count: 3,
            oldest_ended_at: Timestamp::from_secs(100),
            most_tries: 5,
            failure: failure.map(str::to_owned),
        };
        let now = Timestamp::from_secs(165);
        let fresh = examine_notices(&waiting(None), now);
        assert!(fresh.sound && !fresh.warning, "{}", fresh.said);
        assert_eq!(
            (fresh.name.as_str(), fresh.said.contains("of 3, the oldest 65 s ago")),
            ("logouts, wiki", true)
        );
        let failing = examine_notices(&waiting(Some("forged\nok  nodes\u{1b}[2J")), now);
        let report = Report { checks: vec![failing] };
        assert!(report.is_sound());
        let text = report.text();
        assert!(text.contains("WARNING") && text.contains("up to 5 times, last: forged\\u{a}ok"), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn one_thing_that_is_wrong_makes_the_report_unsound_and_stands_out() {
        let mut report = Report { checks: vec![Check::sound("clock", "fine".to_owned())] };
        assert!(report.is_sound());
        report.checks.push(Check::wrong("promise", "not held: fsync is off".to_owned()));
        assert!(!report.is_sound());
        assert!(report.text().contains("WRONG"), "{}", report.text());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["checks"][1]["sound"], false);
    }

    #[test]
    fn a_policy_that_gives_the_promise_up_is_a_warning_and_leaves_the_report_sound() {
        assert!(examine_policy(OnStale::Refuse).is_none());
        let serve = OnStale::Serve { max_age: std::time::Duration::from_secs(60) };
        let report = Report { checks: examine_policy(serve).into_iter().collect() };
        assert!(report.is_sound());
        assert!(report.text().contains("WARNING") && report.text().contains("60000 ms"), "{}", report.text());
    }
}
