//! Verify, start-up and memory by the number of live revocations.
//!
//! 1. A server issues tokens, and is stopped.
//! 2. Denials are written into its change log, some of them of tokens that it issued ([`super::bulk`]).
//! 3. It starts again: that is timed, and its memory looked at.
//! 4. It must refuse the denied tokens and accept the others. Then all servers take turns.

use super::bulk::append_denials;
use crate::ask::ask_all;
use crate::bench::Bench;
use crate::installation::Installation;
use crate::load::{Load, Request, Right};
use crate::measure::{Measured, Stand, row};
use crate::path::{self, Site, Workload};
use crate::report::RevocationsRow;
use crate::target::Target;
use crate::{BenchError, Credentials, Spread};

/// Tokens that are denied and asked about.
const SAMPLES: usize = 16;

/// A server with so many live revocations.
struct House {
    live: u64,
    server: Target,
    workload: Workload,
    // After the server, which uses it until it has ended.
    installation: Installation,
}

impl Bench<'_> {
    /// Measures all sizes of the plan.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(super) fn sweep_revocations(&self) -> Result<Vec<RevocationsRow>, BenchError> {
        let sizes = &self.plan.sizes.revocations;
        let houses = sizes.iter().map(|live| self.house(*live)).collect::<Result<Vec<_>, _>>()?;
        let idle: Vec<Option<u64>> = houses.iter().map(|house| house.server.resident_bytes()).collect();
        let runs = self.take_turns(&houses)?;
        let none = (idle.first().copied().flatten(), runs.first());
        let rows = houses.iter().zip(&idle).zip(&runs);
        let rows = rows.map(|((house, idle), runs)| describe(house, *idle, runs, none)).collect();
        houses.into_iter().try_for_each(|house| house.server.stop())?;
        Ok(rows)
    }

    /// Steps 1 to 4 for one size.
    fn house(&self, live: u64) -> Result<House, BenchError> {
        let installation = self.installation()?;
        let server = installation.serve("obol", &self.cores)?;
        let site = Site { target: &server, credentials: &installation.credentials, hands: self.hands() };
        let tokens = path::service_tokens(&site, self.plan.sizes.tokens)?;
        let of_person = path::person_tokens(&site, 64)?;
        let denied = if live == 0 { Vec::new() } else { path::service_tokens(&site, SAMPLES)? };
        let ids = denied.iter().map(|token| token_id(&site, token)).collect::<Result<Vec<_>, _>>()?;
        server.stop()?;
        if live > 0 {
            (self.say)(&format!("revocations: writing {live} of them"));
            append_denials(&installation.data(), live, &ids, self.stop)?;
        }
        let server = installation.serve("obol", &self.cores)?;
        let took = server.started_in.unwrap_or_default();
        (self.say)(&format!("revocations, {live}: first 200 after {:.0} ms", took.as_secs_f64() * 1e3));
        let site = Site { target: &server, credentials: &installation.credentials, hands: self.hands() };
        // Every second question is about a token that has a family and a person as well.
        let both =
            tokens.into_iter().zip(of_person.into_iter().cycle()).flat_map(|(one, other)| [one, other]);
        must_refuse(&site, &denied)?;
        let workload = path::of_tokens(&site, &both.collect::<Vec<_>>());
        Ok(House { live, server, workload, installation })
    }

    fn take_turns(&self, houses: &[House]) -> Result<Vec<Vec<Measured>>, BenchError> {
        let (timing, connections) = (self.plan.timing, self.plan.connections);
        let mut stands = Vec::new();
        for House { server, workload, .. } in houses {
            stands.push(Stand::open(server, workload.scripts(connections), timing, self.hands())?);
        }
        let mut runs: Vec<Vec<Measured>> = houses.iter().map(|_| Vec::new()).collect();
        for _ in 0..timing.repeats.max(1) {
            for ((stand, runs), house) in stands.iter().zip(&mut runs).zip(houses) {
                let measured = stand.run(Load::Closed, timing)?;
                self.say_run(&format!("verify, {} revocations", house.live), "obol", &measured);
                runs.push(measured);
            }
        }
        Ok(runs)
    }
}

/// The id of a token, as introspection tells it.
fn token_id(site: &Site<'_>, token: &str) -> Result<[u8; 16], BenchError> {
    let Credentials { client_id, client_secret, .. } = site.credentials;
    let request = Request::post("/oauth2/introspect", &[("token", token)]).basic(client_id, client_secret);
    let right = Right::new("introspection", 200, |body| parse_jti(body).map(drop));
    let bodies = ask_all(site.target, [request], &right, 1, site.hands)?;
    let jti = bodies.first().and_then(|body| parse_jti(body).ok());
    jti.ok_or_else(|| BenchError::Program {
        program: "obol".to_owned(),
        what: "names no token id".to_owned(),
    })
}

fn parse_jti(body: &[u8]) -> Result<[u8; 16], String> {
    let said: serde_json::Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let id: Option<obol_token::TokenId> = said["jti"].as_str().and_then(|jti| jti.parse().ok());
    id.map(|id| *id.as_bytes()).ok_or_else(|| "it names no token id".to_owned())
}

fn must_refuse(site: &Site<'_>, denied: &[String]) -> Result<(), BenchError> {
    let requests = denied.iter().map(|token| path::verify(site, token));
    let right = path::refused("verify of a token that was denied in bulk");
    match denied.is_empty() {
        true => Ok(()),
        false => ask_all(site.target, requests, &right, 4, site.hands).map(drop),
    }
}

fn describe(
    house: &House,
    idle: Option<u64>,
    runs: &[Measured],
    (idle_with_none, runs_with_none): (Option<u64>, Option<&Vec<Measured>>),
) -> RevocationsRow {
    let more = idle.zip(idle_with_none).map(|(with, without)| with as f64 - without as f64);
    let to_none = |ratio: &dyn Fn(&Measured, &Measured) -> Option<f64>| {
        let none = runs_with_none.map(Vec::as_slice).unwrap_or_default();
        Spread::of(runs.iter().zip(none).map(|(run, none)| ratio(run, none)))
    };
    RevocationsRow {
        live: house.live,
        first_200_ms: house.server.started_in.map(|took| took.as_secs_f64() * 1e3),
        idle_bytes: idle,
        bytes_per_revocation: more.filter(|_| house.live > 0).map(|bytes| bytes / house.live as f64),
        data_bytes: data_bytes(&house.installation),
        verify: row(&house.server, runs),
        ratio_to_none_by_cpu: to_none(&|run, none| {
            Some(none.cpu_us_per_request()? / run.cpu_us_per_request()?)
        }),
        ratio_to_none_by_rate: to_none(&|run, none| Some(run.tally.per_sec() / none.tally.per_sec())),
    }
}

fn data_bytes(installation: &Installation) -> u64 {
    std::fs::metadata(installation.data().join("obol.db")).map_or(0, |database| database.len())
}
